//! One message. Source: `docs/format/sqs.md`, section 2.2.

use std::collections::BTreeMap;

use ekv_model::ByteSource;
use ekv_model::sqs::OwnedMessage;
use ekv_text::json::{JsonFault, JsonSource as _};

use crate::json::{JsonError, JsonReader, JsonResult, Stored, is_name};

/// What the value begins with.
pub(super) const MAGIC: [u8; 4] = [0x00, b'S', b'M', 0x01];
const MAGIC_LEN: u64 = 4;
/// Longest text of a message other than its body, in bytes.
const TEXT_LEN_MAX: usize = 1 << 20;
/// Longest attributes of a message, names and values together, in bytes; a server takes 256 KiB.
const ATTRIBUTES_LEN_MAX: usize = 8 << 20;
/// What an attribute counts beyond its bytes.
const ATTRIBUTE_OVERHEAD_LEN: usize = 64;

/// What is to be done with the body while a message is read.
pub(super) enum BodyStep<'a> {
    /// It begins, perhaps once more: of repeated members the last one counts.
    Begin,
    /// The next bytes.
    Bytes(&'a [u8]),
}

/// Takes the body.
pub(super) type TakeBody<'t> = &'t mut dyn FnMut(BodyStep<'_>) -> ekv_model::Result<()>;

/// Reads a value; a fault says what a person needs to know. The body goes to `take` in pieces.
pub(super) fn read(value: &dyn ByteSource, take: TakeBody<'_>) -> ekv_model::Result<Result<OwnedMessage, String>> {
    let mut magic = [0; MAGIC.len()];
    if value.len() >= MAGIC_LEN {
        value.read_exact_at(0, &mut magic)?;
    }
    if magic != MAGIC {
        return Ok(Err("the value does not begin as messages do".to_owned()));
    }
    match read_json(&AfterMagic(value), take) {
        Ok(message) => Ok(Ok(message)),
        Err(JsonError::Fault(fault)) => Ok(Err(fault.to_string())),
        Err(JsonError::Read(error)) => Err(error),
    }
}

fn read_json(json: &dyn ByteSource, take: TakeBody<'_>) -> JsonResult<OwnedMessage> {
    let mut reader = JsonReader::new(json);
    let mut message = OwnedMessage::default();
    reader.object(|reader, name| read_member(&mut message, reader, name, take))?;
    reader.end()?;
    Ok(message)
}

fn read_member(
    message: &mut OwnedMessage,
    reader: &mut JsonReader<'_>,
    name: &str,
    take: TakeBody<'_>,
) -> JsonResult<()> {
    let is = |field| is_name(name, field);
    let text = |reader: &mut JsonReader<'_>| reader.string(TEXT_LEN_MAX);
    match () {
        () if is("message_id") => message.message_id = text(reader)?,
        () if is("body") => {
            take(BodyStep::Begin)?;
            reader.base64(|piece| Ok(take(BodyStep::Bytes(piece))?))?;
        }
        () if is("md5_of_body") => message.md5_of_body = text(reader)?,
        () if is("md5_of_message_attributes") => message.md5_of_message_attributes = text(reader)?,
        () if is("message_attributes") => read_attributes(&mut message.attributes, reader)?,
        () if is("sender_id") => message.sender_id = text(reader)?,
        () if is("send_timestamp_millis") => message.send_timestamp_ms = reader.i64()?,
        () if is("available_at_millis") => message.available_at_ms = reader.i64()?,
        () if is("visible_at_millis") => message.visible_at_ms = reader.i64()?,
        () if is("receive_count") => message.receive_count = reader.i64()?,
        () if is("first_receive_millis") => message.first_receive_ms = reader.i64()?,
        () if is("current_receipt_token") => message.current_receipt_token = reader.bytes(TEXT_LEN_MAX)?,
        () if is("queue_generation") => message.queue_generation = reader.u64()?,
        () if is("message_group_id") => message.message_group_id = text(reader)?,
        () if is("message_deduplication_id") => message.message_deduplication_id = text(reader)?,
        () if is("sequence_number") => message.sequence_number = reader.u64()?,
        () if is("dead_letter_source_arn") => message.dead_letter_source_arn = text(reader)?,
        () => reader.skip()?,
    }
    Ok(())
}

fn read_attributes(attributes: &mut BTreeMap<String, Vec<u8>>, reader: &mut JsonReader<'_>) -> JsonResult<()> {
    attributes.clear();
    let mut room = ATTRIBUTES_LEN_MAX;
    reader.object(|reader, name| {
        let position = reader.here();
        let mut spend = |len: usize| match room.checked_sub(len) {
            Some(left) => {
                room = left;
                Ok(())
            }
            None => Err(Stored::refuse(JsonFault::LongString { len_max: ATTRIBUTES_LEN_MAX }, position)),
        };
        spend(name.len().saturating_add(ATTRIBUTE_OVERHEAD_LEN))?;
        let mut json = Vec::new();
        reader.copy(|piece| {
            spend(piece.len())?;
            json.extend_from_slice(piece);
            Ok(())
        })?;
        attributes.insert(name.to_owned(), json);
        Ok(())
    })
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
