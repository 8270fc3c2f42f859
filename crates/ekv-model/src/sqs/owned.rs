//! What a reader of messages gathers before there is an event.

use std::collections::BTreeMap;

use super::{Attribute, Message};
use crate::Body;

/// A [`Message`] without its body, with its own strings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "as in the event")]
pub struct OwnedMessage {
    pub message_id: String,
    pub md5_of_body: String,
    pub md5_of_message_attributes: String,
    /// JSON text by name.
    pub attributes: BTreeMap<String, Vec<u8>>,
    pub sender_id: String,
    pub send_timestamp_ms: i64,
    pub available_at_ms: i64,
    pub visible_at_ms: i64,
    pub receive_count: i64,
    pub first_receive_ms: i64,
    pub current_receipt_token: Vec<u8>,
    pub queue_generation: u64,
    pub message_group_id: String,
    pub message_deduplication_id: String,
    pub sequence_number: u64,
    pub dead_letter_source_arn: String,
    pub partition: Option<u32>,
}

impl OwnedMessage {
    /// What decides about the order of messages: send time, sequence number, id.
    pub fn order(&self) -> (i64, u64, &str) {
        (self.send_timestamp_ms, self.sequence_number, &self.message_id)
    }

    /// Appends bytes that sort as [`OwnedMessage::order`] does.
    pub fn put_order(&self, out: &mut Vec<u8>) {
        // Flipping the sign bit puts negative times before positive ones.
        let send_timestamp = self.send_timestamp_ms.cast_unsigned() ^ (1 << 63);
        out.extend_from_slice(&send_timestamp.to_be_bytes());
        out.extend_from_slice(&self.sequence_number.to_be_bytes());
        out.extend_from_slice(self.message_id.as_bytes());
    }

    /// The attributes, for [`OwnedMessage::event`].
    pub fn attributes(&self) -> Vec<Attribute<'_>> {
        self.attributes.iter().map(|(name, json)| Attribute { name, json }).collect()
    }

    /// The message as an event has it.
    pub fn event<'a>(&'a self, body: Body<'a>, attributes: &'a [Attribute<'a>]) -> Message<'a> {
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
            commit_ts: 0,
        }
    }
}
