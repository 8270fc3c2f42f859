//! What a reader of settings or messages gathers before there is an event.

use std::collections::BTreeMap;

use super::{Attribute, Message, Queue, Tag, Throttle};
use crate::Body;

/// A [`Queue`] without its name, with its own strings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "as in the event")]
pub struct OwnedQueue {
    pub stored_name: String,
    pub generation: u64,
    pub incarnation: u64,
    pub created_at_hlc: u64,
    pub fifo: bool,
    pub content_based_deduplication: bool,
    pub visibility_timeout_seconds: i64,
    pub message_retention_seconds: i64,
    pub delay_seconds: i64,
    pub receive_message_wait_seconds: i64,
    pub maximum_message_size: i64,
    pub redrive_policy: String,
    pub redrive_allow_policy: String,
    pub tags: BTreeMap<String, String>,
    pub last_purged_at_ms: i64,
    pub created_at_ms: i64,
    pub last_modified_at_ms: i64,
    /// In the order of [`Throttle::NAMES`].
    pub throttle: [String; Throttle::NAMES.len()],
    pub partition_count: u32,
    pub fifo_throughput_limit: String,
    pub deduplication_scope: String,
    pub last_sequence_number: Option<u64>,
}

impl From<&Queue<'_>> for OwnedQueue {
    fn from(queue: &Queue<'_>) -> Self {
        OwnedQueue {
            stored_name: queue.stored_name.to_owned(),
            generation: queue.generation,
            incarnation: queue.incarnation,
            created_at_hlc: queue.created_at_hlc,
            fifo: queue.fifo,
            content_based_deduplication: queue.content_based_deduplication,
            visibility_timeout_seconds: queue.visibility_timeout_seconds,
            message_retention_seconds: queue.message_retention_seconds,
            delay_seconds: queue.delay_seconds,
            receive_message_wait_seconds: queue.receive_message_wait_seconds,
            maximum_message_size: queue.maximum_message_size,
            redrive_policy: queue.redrive_policy.to_owned(),
            redrive_allow_policy: queue.redrive_allow_policy.to_owned(),
            tags: queue.tags.iter().map(|tag| (tag.name.to_owned(), tag.value.to_owned())).collect(),
            last_purged_at_ms: queue.last_purged_at_ms,
            created_at_ms: queue.created_at_ms,
            last_modified_at_ms: queue.last_modified_at_ms,
            throttle: [
                queue.throttle.send_capacity,
                queue.throttle.send_refill_per_second,
                queue.throttle.recv_capacity,
                queue.throttle.recv_refill_per_second,
                queue.throttle.default_capacity,
                queue.throttle.default_refill_per_second,
            ]
            .map(str::to_owned),
            partition_count: queue.partition_count,
            fifo_throughput_limit: queue.fifo_throughput_limit.to_owned(),
            deduplication_scope: queue.deduplication_scope.to_owned(),
            last_sequence_number: queue.last_sequence_number,
        }
    }
}

impl OwnedQueue {
    /// The tags, for [`OwnedQueue::event`].
    pub fn tags(&self) -> Vec<Tag<'_>> {
        self.tags.iter().map(|(name, value)| Tag { name, value }).collect()
    }

    /// The queue as an event has it.
    pub fn event<'a>(&'a self, name: &'a [u8], tags: &'a [Tag<'a>]) -> Queue<'a> {
        Queue {
            name,
            stored_name: &self.stored_name,
            generation: self.generation,
            incarnation: self.incarnation,
            created_at_hlc: self.created_at_hlc,
            fifo: self.fifo,
            content_based_deduplication: self.content_based_deduplication,
            visibility_timeout_seconds: self.visibility_timeout_seconds,
            message_retention_seconds: self.message_retention_seconds,
            delay_seconds: self.delay_seconds,
            receive_message_wait_seconds: self.receive_message_wait_seconds,
            maximum_message_size: self.maximum_message_size,
            redrive_policy: &self.redrive_policy,
            redrive_allow_policy: &self.redrive_allow_policy,
            tags,
            last_purged_at_ms: self.last_purged_at_ms,
            created_at_ms: self.created_at_ms,
            last_modified_at_ms: self.last_modified_at_ms,
            throttle: Throttle::of(self.throttle.each_ref().map(String::as_str)),
            partition_count: self.partition_count,
            fifo_throughput_limit: &self.fifo_throughput_limit,
            deduplication_scope: &self.deduplication_scope,
            last_sequence_number: self.last_sequence_number,
        }
    }
}

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
