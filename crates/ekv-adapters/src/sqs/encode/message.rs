//! A message as it is stored. Source: `docs/format/sqs.md`, sections 2.2, 2.3 and 6.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ekv_model::sqs::Message;
use ekv_model::{Body, ByteSource, Result};
use ekv_snapshot::RecordSink;
use ekv_text::hex::hex;
use sha2::{Digest, Sha256};

use crate::EncodeOptions;
use crate::json::{begin_object, push_stored};
use crate::sqs::keys::FIRST_GENERATION;
use crate::sqs::message::MAGIC;

/// How long a deduplication id is in use, in milliseconds.
const DEDUP_WINDOW_MS: i64 = 300_000;

/// Puts the record of a message; `text` is used for what surrounds the body.
pub(super) fn put(
    sink: &mut dyn RecordSink,
    user_key: &[u8],
    message: &Message<'_>,
    options: EncodeOptions,
    text: &mut Vec<u8>,
) -> Result<()> {
    text.clear();
    text.extend_from_slice(&MAGIC);
    let mut object = begin_object(text);
    object.text("message_id", message.message_id);
    let out = object.name("body");
    out.push(b'"');
    let body_at = out.len();
    out.push(b'"');
    object.text("md5_of_body", message.md5_of_body);
    object.some_text("md5_of_message_attributes", message.md5_of_message_attributes);
    if !message.attributes.is_empty() {
        object.open("message_attributes");
        for attribute in message.attributes {
            push_stored(attribute.json, object.name(attribute.name));
        }
        object.close();
    }
    object.some_text("sender_id", message.sender_id);
    object.number("send_timestamp_millis", message.send_timestamp_ms);
    object.number("available_at_millis", message.available_at_ms);
    let receives = Receives::of(message, options);
    object.number("visible_at_millis", receives.visible_at_ms);
    object.number("receive_count", receives.count);
    object.some_number("first_receive_millis", receives.first_ms);
    match receives.token {
        [] => object.name("current_receipt_token").extend_from_slice(b"null"),
        token => object.text("current_receipt_token", &STANDARD.encode(token)),
    }
    let generation = if options.reference_bytes { FIRST_GENERATION } else { message.queue_generation };
    object.number("queue_generation", generation);
    object.some_text("message_group_id", message.message_group_id);
    object.some_text("message_deduplication_id", message.message_deduplication_id);
    object.some_number("sequence_number", message.sequence_number);
    object.some_text("dead_letter_source_arn", message.dead_letter_source_arn);
    object.end();
    let (head, tail) = text.split_at_checked(body_at).unwrap_or((text, &[]));
    let body = Base64Body(&message.body);
    sink.put(user_key, &[Body::Inline(head), Body::Streamed(&body), Body::Inline(tail)])
}

/// What is stored about receives.
struct Receives<'a> {
    visible_at_ms: i64,
    count: i64,
    first_ms: i64,
    token: &'a [u8],
}

impl<'a> Receives<'a> {
    fn of(message: &Message<'a>, options: EncodeOptions) -> Self {
        if options.reference_bytes {
            return Receives { visible_at_ms: 0, count: 0, first_ms: 0, token: &[] };
        }
        Receives {
            visible_at_ms: message.visible_at_ms,
            count: message.receive_count,
            first_ms: message.first_receive_ms,
            token: message.current_receipt_token,
        }
    }
}

/// The deduplication id of a message: what the sender gave, else the hash of the body if the queue goes by bodies.
pub(super) fn dedup_id(message: &Message<'_>, is_content_based: bool) -> Result<Option<String>> {
    if !message.message_deduplication_id.is_empty() {
        return Ok(Some(message.message_deduplication_id.to_owned()));
    }
    if !is_content_based {
        return Ok(None);
    }
    let mut hasher = Sha256::new();
    message.body.for_each_chunk(|chunk| {
        hasher.update(chunk);
        Ok(())
    })?;
    Ok(Some(hex(&hasher.finalize())))
}

/// Appends the value of the deduplication record of a message.
pub(super) fn put_dedup_row(message: &Message<'_>, out: &mut Vec<u8>) {
    let mut object = begin_object(out);
    object.text("message_id", message.message_id);
    object.number("send_timestamp_ms", message.send_timestamp_ms);
    object.number("expires_at_millis", message.send_timestamp_ms.saturating_add(DEDUP_WINDOW_MS));
    object.some_number("original_sequence", message.sequence_number);
    object.end();
}

/// Bytes as standard base64 with padding, made where they are asked for.
struct Base64Body<'a>(&'a Body<'a>);

/// Characters that stand for whole bytes together.
const GROUP_LEN: u64 = 4;
/// The bytes that they stand for.
const GROUP_BYTES: u64 = 3;

impl ByteSource for Base64Body<'_> {
    fn len(&self) -> u64 {
        self.0.len().div_ceil(GROUP_BYTES).saturating_mul(GROUP_LEN)
    }

    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        let end = offset.saturating_add(u64::try_from(buf.len()).unwrap_or(u64::MAX));
        let (first, last) = (offset / GROUP_LEN, end.div_ceil(GROUP_LEN));
        let start = first.saturating_mul(GROUP_BYTES);
        let raw_len = last.saturating_mul(GROUP_BYTES).min(self.0.len()).saturating_sub(start);
        let mut raw = vec![0; usize::try_from(raw_len).unwrap_or(usize::MAX)];
        match self.0 {
            Body::Inline(bytes) => ekv_model::InMemory(bytes).read_exact_at(start, &mut raw)?,
            Body::Streamed(source) => source.read_exact_at(start, &mut raw)?,
        }
        let text = STANDARD.encode(&raw);
        let skipped = usize::try_from(offset % GROUP_LEN).unwrap_or(0);
        let piece = text.as_bytes().get(skipped..).and_then(|rest| rest.get(..buf.len())).unwrap_or_default();
        ekv_model::InMemory(piece).read_exact_at(0, buf)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_the_same_whatever_piece_is_asked_for() {
        for len in 0..8 {
            let raw: Vec<u8> = (0..len).map(|n| 0xf9 - n).collect();
            let body = Body::Inline(&raw);
            let source = Base64Body(&body);
            let whole = STANDARD.encode(&raw);
            assert_eq!(source.len(), u64::try_from(whole.len()).unwrap());
            for start in 0..=whole.len() {
                for end in start..=whole.len() {
                    let mut piece = vec![0; end - start];
                    source.read_exact_at(u64::try_from(start).unwrap(), &mut piece).unwrap();
                    assert_eq!(piece, whole.as_bytes()[start..end], "{len}: {start}..{end}");
                }
            }
            assert!(source.read_exact_at(source.len(), &mut [0]).is_err());
        }
    }
}
