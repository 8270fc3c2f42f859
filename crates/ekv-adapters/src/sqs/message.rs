//! One message. Source: `docs/format/sqs.md`, section 2.2.

use std::collections::BTreeMap;

use ekv_model::sqs::{Attribute, Message};
use ekv_model::{Body, ByteSource};

use crate::json::{JsonError, JsonFault, JsonReader, JsonResult, is_name};

/// What the value begins with.
pub(super) const MAGIC: [u8; 4] = [0x00, b'S', b'M', 0x01];
const MAGIC_LEN: u64 = 4;
/// Longest text of a message other than its body, in bytes.
const TEXT_LEN_MAX: usize = 1 << 20;
/// Longest attributes of a message, names and values together, in bytes; a server takes 256 KiB.
const ATTRIBUTES_LEN_MAX: usize = 8 << 20;
/// What an attribute counts beyond its bytes.
const ATTRIBUTE_OVERHEAD_LEN: usize = 64;

/// Everything about a message but its body.
#[derive(Debug, Default)]
pub(super) struct StoredMessage {
    message_id: String,
    md5_of_body: String,
    md5_of_message_attributes: String,
    attributes: BTreeMap<String, Vec<u8>>,
    sender_id: String,
    send_timestamp_ms: i64,
    available_at_ms: i64,
    visible_at_ms: i64,
    receive_count: i64,
    first_receive_ms: i64,
    current_receipt_token: Vec<u8>,
    queue_generation: u64,
    message_group_id: String,
    message_deduplication_id: String,
    sequence_number: u64,
    dead_letter_source_arn: String,
}

/// What is to be done with the body while a message is read.
pub(super) enum BodyStep<'a> {
    /// It begins, perhaps once more: of repeated members the last one counts.
    Begin,
    /// The next bytes.
    Bytes(&'a [u8]),
}

/// Takes the body.
pub(super) type TakeBody<'t> = &'t mut dyn FnMut(BodyStep<'_>) -> ekv_model::Result<()>;

impl StoredMessage {
    /// Reads a value; a fault says what a person needs to know. The body goes to `take` in pieces.
    pub(super) fn read(value: &dyn ByteSource, take: TakeBody<'_>) -> ekv_model::Result<Result<StoredMessage, String>> {
        let mut magic = [0; MAGIC.len()];
        if value.len() >= MAGIC_LEN {
            value.read_exact_at(0, &mut magic)?;
        }
        if magic != MAGIC {
            return Ok(Err("the value does not begin as messages do".to_owned()));
        }
        match StoredMessage::read_json(&AfterMagic(value), take) {
            Ok(message) => Ok(Ok(message)),
            Err(JsonError::Fault(fault)) => Ok(Err(fault.to_string())),
            Err(JsonError::Read(error)) => Err(error),
        }
    }

    fn read_json(json: &dyn ByteSource, take: TakeBody<'_>) -> JsonResult<StoredMessage> {
        let mut reader = JsonReader::new(json);
        let mut message = StoredMessage::default();
        reader.object(|reader, name| message.member(reader, name, take))?;
        reader.end()?;
        Ok(message)
    }

    fn member(&mut self, reader: &mut JsonReader<'_>, name: &str, take: TakeBody<'_>) -> JsonResult<()> {
        let is = |field| is_name(name, field);
        let text = |reader: &mut JsonReader<'_>| reader.string(TEXT_LEN_MAX);
        match () {
            () if is("message_id") => self.message_id = text(reader)?,
            () if is("body") => {
                take(BodyStep::Begin)?;
                reader.base64(|piece| Ok(take(BodyStep::Bytes(piece))?))?;
            }
            () if is("md5_of_body") => self.md5_of_body = text(reader)?,
            () if is("md5_of_message_attributes") => self.md5_of_message_attributes = text(reader)?,
            () if is("message_attributes") => self.read_attributes(reader)?,
            () if is("sender_id") => self.sender_id = text(reader)?,
            () if is("send_timestamp_millis") => self.send_timestamp_ms = reader.i64()?,
            () if is("available_at_millis") => self.available_at_ms = reader.i64()?,
            () if is("visible_at_millis") => self.visible_at_ms = reader.i64()?,
            () if is("receive_count") => self.receive_count = reader.i64()?,
            () if is("first_receive_millis") => self.first_receive_ms = reader.i64()?,
            () if is("current_receipt_token") => self.current_receipt_token = reader.bytes(TEXT_LEN_MAX)?,
            () if is("queue_generation") => self.queue_generation = reader.u64()?,
            () if is("message_group_id") => self.message_group_id = text(reader)?,
            () if is("message_deduplication_id") => self.message_deduplication_id = text(reader)?,
            () if is("sequence_number") => self.sequence_number = reader.u64()?,
            () if is("dead_letter_source_arn") => self.dead_letter_source_arn = text(reader)?,
            () => reader.skip()?,
        }
        Ok(())
    }

    fn read_attributes(&mut self, reader: &mut JsonReader<'_>) -> JsonResult<()> {
        self.attributes.clear();
        let attributes = &mut self.attributes;
        let mut room = ATTRIBUTES_LEN_MAX;
        reader.object(|reader, name| {
            let byte_offset = reader.byte_offset();
            let mut spend = |len: usize| match room.checked_sub(len) {
                Some(left) => {
                    room = left;
                    Ok(())
                }
                None => Err(JsonError::Fault(JsonFault::LongString { byte_offset, len_max: ATTRIBUTES_LEN_MAX })),
            };
            spend(name.len().saturating_add(ATTRIBUTE_OVERHEAD_LEN))?;
            let mut json = Vec::new();
            reader.copy(&mut |piece| {
                spend(piece.len())?;
                json.extend_from_slice(piece);
                Ok(())
            })?;
            attributes.insert(name.to_owned(), json);
            Ok(())
        })
    }

    /// What decides about the order of messages: send time, sequence number, id.
    pub(super) fn order(&self) -> (i64, u64, &str) {
        (self.send_timestamp_ms, self.sequence_number, &self.message_id)
    }

    /// The attributes, for [`StoredMessage::message`].
    pub(super) fn attributes(&self) -> Vec<Attribute<'_>> {
        self.attributes.iter().map(|(name, json)| Attribute { name, json }).collect()
    }

    /// The message as an event has it.
    pub(super) fn message<'a>(
        &'a self,
        body: Body<'a>,
        attributes: &'a [Attribute<'a>],
        partition: Option<u32>,
    ) -> Message<'a> {
        Message {
            message_id: &self.message_id,
            body,
            md5_of_body: &self.md5_of_body,
            md5_of_message_attributes: &self.md5_of_message_attributes,
            attributes,
            sender_id: &self.sender_id,
            send_timestamp_ms: self.send_timestamp_ms,
            available_at_ms: self.available_at_ms,
            visible_at_ms: self.visible_at_ms,
            receive_count: self.receive_count,
            first_receive_ms: self.first_receive_ms,
            current_receipt_token: &self.current_receipt_token,
            queue_generation: self.queue_generation,
            message_group_id: &self.message_group_id,
            message_deduplication_id: &self.message_deduplication_id,
            sequence_number: self.sequence_number,
            dead_letter_source_arn: &self.dead_letter_source_arn,
            partition,
        }
    }
}

/// A value without its magic.
struct AfterMagic<'a>(&'a dyn ByteSource);

impl ByteSource for AfterMagic<'_> {
    fn len(&self) -> u64 {
        self.0.len().saturating_sub(MAGIC_LEN)
    }

    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> ekv_model::Result<()> {
        self.0.read_exact_at(offset.saturating_add(MAGIC_LEN), buf)
    }
}
