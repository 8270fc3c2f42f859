//! A line of `messages.jsonl`. Source: `docs/format/sqs.md`, sections 4.2 and 6.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ekv_files::Result;
use ekv_model::sqs::OwnedMessage;

use crate::json::{JsonFault, JsonReader, Refuse as _};
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

/// Reads a message; its body goes to `body` in pieces.
pub(super) fn read(
    reader: &mut JsonReader<'_>,
    visibility: Visibility,
    body: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<OwnedMessage> {
    let mut message = OwnedMessage::default();
    reader.object_with_optional(A_MESSAGE, MESSAGE, REQUIRED, |reader, member| {
        let start = reader.position()?;
        let name = MESSAGE.get(member).copied().unwrap_or_default();
        read_member(&mut message, reader, name, body)?;
        let fault = match name {
            "message_id" if message.message_id.is_empty() => ReplayFault::EmptyMember { member: "message_id" },
            _ if visibility == Visibility::Reset && tells_of_receives(&message) => {
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

fn read_member(
    message: &mut OwnedMessage,
    reader: &mut JsonReader<'_>,
    name: &'static str,
    body: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let text = |reader: &mut JsonReader<'_>| read_string(reader, A_STRING, TEXT_LEN_MAX);
    match name {
        "message_id" => message.message_id = text(reader)?,
        "body" => read_bytes(reader, body)?,
        "send_timestamp_millis" => message.send_timestamp_ms = reader.i64(SIGNED)?,
        "available_at_millis" => message.available_at_ms = reader.i64(SIGNED)?,
        "visible_at_millis" => message.visible_at_ms = reader.i64(SIGNED)?,
        "receive_count" => message.receive_count = reader.i64(SIGNED)?,
        "queue_generation" => message.queue_generation = reader.u64(UNSIGNED, u64::MAX)?,
        "md5_of_body" => message.md5_of_body = text(reader)?,
        "md5_of_message_attributes" => message.md5_of_message_attributes = text(reader)?,
        "message_attributes" => read_attributes(&mut message.attributes, reader)?,
        "sender_id" => message.sender_id = text(reader)?,
        "first_receive_millis" => message.first_receive_ms = reader.i64(SIGNED)?,
        "current_receipt_token" => message.current_receipt_token = read_token(reader)?,
        "message_group_id" => message.message_group_id = text(reader)?,
        "message_deduplication_id" => message.message_deduplication_id = text(reader)?,
        "sequence_number" => message.sequence_number = reader.u64(UNSIGNED, u64::MAX)?,
        "dead_letter_source_arn" => message.dead_letter_source_arn = text(reader)?,
        _ => {
            let partition = reader.u64(A_PARTITION, u64::from(u32::MAX))?;
            message.partition = u32::try_from(partition).ok();
        }
    }
    Ok(())
}

/// Whether anything is set that only messages in flight have.
fn tells_of_receives(message: &OwnedMessage) -> bool {
    (message.visible_at_ms, message.receive_count, message.first_receive_ms) != (0, 0, 0)
        || !message.current_receipt_token.is_empty()
}

fn read_attributes(attributes: &mut BTreeMap<String, Vec<u8>>, reader: &mut JsonReader<'_>) -> Result<()> {
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
        attributes.insert(name, json);
        Ok(())
    })
}

/// Bytes that are equal for two messages that would be stored in one place.
pub(super) fn put_place(message: &OwnedMessage, out: &mut Vec<u8>) {
    out.extend_from_slice(&message.partition.unwrap_or(0).to_be_bytes());
    out.extend_from_slice(message.message_id.as_bytes());
}

fn read_token(reader: &mut JsonReader<'_>) -> Result<Vec<u8>> {
    let start = reader.position()?;
    let text = read_string(reader, A_TOKEN, TEXT_LEN_MAX)?;
    STANDARD.decode(text).map_err(|_| {
        reader.seek(start);
        reader.fault(JsonFault::PaddedBase64)
    })
}
