//! A line of `messages.jsonl`. Source: `docs/format/sqs.md`, sections 4.2 and 6.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ekv_model::Body;
use ekv_model::sqs::{Attribute, Message};

use crate::Result;
use crate::json::{JsonFault, JsonReader};
use crate::replay::ReplayFault;
use crate::replay::text::{Names, read_bytes, read_string};

/// Longest text of a message other than its body, in bytes; what is longer, `decode` would not take back.
const TEXT_LEN_MAX: usize = 1 << 20;
/// Longest attributes of a message, names and values together, in bytes.
const ATTRIBUTES_LEN_MAX: usize = 8 << 20;
/// What an attribute counts beyond its bytes.
const ATTRIBUTE_OVERHEAD_LEN: usize = 64;

/// The first [`REQUIRED`] must be there.
const MESSAGE: &[&str] = &[
    "message_id",
    "body",
    "send_timestamp_millis",
    "available_at_millis",
    "visible_at_millis",
    "receive_count",
    "queue_generation",
    "md5_of_body",
    "md5_of_message_attributes",
    "message_attributes",
    "sender_id",
    "first_receive_millis",
    "current_receipt_token",
    "message_group_id",
    "message_deduplication_id",
    "sequence_number",
    "dead_letter_source_arn",
    "partition",
];
const REQUIRED: usize = 7;

const A_MESSAGE: &str = "an object with a message";
const ATTRIBUTES: &str = "an object with the attributes";
const A_STRING: &str = "a string";
const A_TOKEN: &str = "a string of base64";
const SIGNED: &str = "a whole number from -2^63 to 2^63-1";
const UNSIGNED: &str = "a whole number from 0 to 2^64-1";
const A_PARTITION: &str = "a whole number from 0 to 2^32-1";

/// What a dump says about messages in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Visibility {
    /// Nothing: every message is as if it had never been received.
    Reset,
    /// What the server knew.
    Kept,
}

/// Everything about a message but its body.
#[derive(Debug, Default)]
pub(super) struct MessageText {
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
    pub(super) queue_generation: u64,
    message_group_id: String,
    message_deduplication_id: String,
    sequence_number: u64,
    dead_letter_source_arn: String,
    partition: Option<u32>,
}

impl MessageText {
    /// Reads a message; its body goes to `body` in pieces.
    pub(super) fn read(
        reader: &mut JsonReader<'_>,
        visibility: Visibility,
        body: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<Self> {
        let mut message = MessageText::default();
        reader.object_with_optional(A_MESSAGE, MESSAGE, REQUIRED, |reader, member| {
            let start = reader.position()?;
            let name = MESSAGE.get(member).copied().unwrap_or_default();
            message.member(reader, name, body)?;
            let fault = match name {
                "message_id" if message.message_id.is_empty() => ReplayFault::EmptyMember { member: "message_id" },
                _ if visibility == Visibility::Reset && message.tells_of_receives() => {
                    ReplayFault::VisibilityNotKept { member: name }
                }
                _ => return Ok(()),
            };
            reader.seek(start);
            Err(reader.refuse(fault))
        })?;
        if visibility == Visibility::Reset {
            message.visible_at_ms = message.available_at_ms;
        }
        Ok(message)
    }

    fn member(
        &mut self,
        reader: &mut JsonReader<'_>,
        name: &'static str,
        body: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let text = |reader: &mut JsonReader<'_>| read_string(reader, A_STRING, TEXT_LEN_MAX);
        match name {
            "message_id" => self.message_id = text(reader)?,
            "body" => read_bytes(reader, body)?,
            "send_timestamp_millis" => self.send_timestamp_ms = reader.i64(SIGNED)?,
            "available_at_millis" => self.available_at_ms = reader.i64(SIGNED)?,
            "visible_at_millis" => self.visible_at_ms = reader.i64(SIGNED)?,
            "receive_count" => self.receive_count = reader.i64(SIGNED)?,
            "queue_generation" => self.queue_generation = reader.u64(UNSIGNED, u64::MAX)?,
            "md5_of_body" => self.md5_of_body = text(reader)?,
            "md5_of_message_attributes" => self.md5_of_message_attributes = text(reader)?,
            "message_attributes" => self.read_attributes(reader)?,
            "sender_id" => self.sender_id = text(reader)?,
            "first_receive_millis" => self.first_receive_ms = reader.i64(SIGNED)?,
            "current_receipt_token" => self.current_receipt_token = read_token(reader)?,
            "message_group_id" => self.message_group_id = text(reader)?,
            "message_deduplication_id" => self.message_deduplication_id = text(reader)?,
            "sequence_number" => self.sequence_number = reader.u64(UNSIGNED, u64::MAX)?,
            "dead_letter_source_arn" => self.dead_letter_source_arn = text(reader)?,
            _ => {
                let partition = reader.u64(A_PARTITION, u64::from(u32::MAX))?;
                self.partition = u32::try_from(partition).ok();
            }
        }
        Ok(())
    }

    /// Whether anything is set that only messages in flight have.
    fn tells_of_receives(&self) -> bool {
        (self.visible_at_ms, self.receive_count, self.first_receive_ms) != (0, 0, 0)
            || !self.current_receipt_token.is_empty()
    }

    fn read_attributes(&mut self, reader: &mut JsonReader<'_>) -> Result<()> {
        let mut names = Names::new("attribute", TEXT_LEN_MAX);
        let mut room = ATTRIBUTES_LEN_MAX;
        reader.members(ATTRIBUTES, |reader| {
            let start = reader.position()?;
            let name = names.read(reader)?;
            let mut json = Vec::new();
            let mut len = name.len().saturating_add(ATTRIBUTE_OVERHEAD_LEN);
            reader.copy(&mut |piece| {
                len = len.saturating_add(piece.len());
                if len <= room {
                    json.extend_from_slice(piece);
                }
                Ok(())
            })?;
            room = room.checked_sub(len).ok_or_else(|| {
                reader.seek(start);
                reader.refuse(ReplayFault::LongAttributes { len_max: ATTRIBUTES_LEN_MAX })
            })?;
            self.attributes.insert(name, json);
            Ok(())
        })
    }

    /// What decides about the order of messages: send time, sequence number, id.
    pub(super) fn order(&self) -> (i64, u64, &str) {
        (self.send_timestamp_ms, self.sequence_number, &self.message_id)
    }

    /// Bytes that sort as [`MessageText::order`] does.
    pub(super) fn put_order(&self, out: &mut Vec<u8>) {
        // Flipping the sign bit puts negative times before positive ones.
        let send_timestamp = self.send_timestamp_ms.cast_unsigned() ^ (1 << 63);
        out.extend_from_slice(&send_timestamp.to_be_bytes());
        out.extend_from_slice(&self.sequence_number.to_be_bytes());
        out.extend_from_slice(self.message_id.as_bytes());
    }

    /// Bytes that are equal for two messages that would be stored in one place.
    pub(super) fn put_place(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.partition.unwrap_or(0).to_be_bytes());
        out.extend_from_slice(self.message_id.as_bytes());
    }

    /// The attributes, for [`MessageText::message`].
    pub(super) fn attributes(&self) -> Vec<Attribute<'_>> {
        self.attributes.iter().map(|(name, json)| Attribute { name, json }).collect()
    }

    /// The message as an event has it.
    pub(super) fn message<'a>(&'a self, body: Body<'a>, attributes: &'a [Attribute<'a>]) -> Message<'a> {
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
            partition: self.partition,
        }
    }
}

fn read_token(reader: &mut JsonReader<'_>) -> Result<Vec<u8>> {
    let start = reader.position()?;
    let text = read_string(reader, A_TOKEN, TEXT_LEN_MAX)?;
    STANDARD.decode(text).map_err(|_| {
        reader.seek(start);
        reader.fault(JsonFault::PaddedBase64)
    })
}
