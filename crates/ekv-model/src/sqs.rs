//! SQS queues and their messages as events.
//!
//! A queue is [`Event::Queue`], its messages in the order of their sending, its side records if they were asked for, and
//! [`Event::End`]. Messages that belong to no readable queue come in the same way behind [`Event::Orphan`]. Two queues never mix,
//! and each queue comes at most once in a run.

mod owned;
mod step;

use std::collections::BTreeMap;

use crate::Body;

pub use owned::OwnedMessage;

/// Rate limits of a queue in the order of [`Throttle::NAMES`]: decimal numbers as they are stored, empty where nothing is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Throttle(pub [String; Throttle::NAMES.len()]);

impl Throttle {
    /// The names of the limits: bursts, and what is allowed per second, of sends, receives and other requests.
    pub const NAMES: [&'static str; 6] = [
        "send_capacity",
        "send_refill_per_second",
        "recv_capacity",
        "recv_refill_per_second",
        "default_capacity",
        "default_refill_per_second",
    ];

    /// Each limit with its name.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, &str)> {
        Self::NAMES.into_iter().zip(self.0.iter().map(String::as_str))
    }
}

/// A queue; strings are empty and numbers 0 where nothing is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Queue {
    /// The name under which the server finds the queue; not empty.
    pub name: Vec<u8>,
    /// The name that the settings carry; may be empty.
    pub stored_name: String,
    /// Number of the queue's present life: purging it begins a new one.
    pub generation: u64,
    /// Generation with which the queue was created.
    pub incarnation: u64,
    /// When it was created (HLC).
    pub created_at_hlc: u64,
    /// Whether messages keep their order within a group.
    pub fifo: bool,
    /// Whether equal bodies count as repeats.
    pub content_based_deduplication: bool,
    /// How long a received message stays hidden, in seconds.
    pub visibility_timeout_seconds: i64,
    /// How long messages are kept, in seconds.
    pub message_retention_seconds: i64,
    /// How long new messages stay hidden, in seconds.
    pub delay_seconds: i64,
    /// How long a receive waits for a message, in seconds.
    pub receive_message_wait_seconds: i64,
    /// Longest message, in bytes.
    pub maximum_message_size: i64,
    /// Where messages go that were received too often: JSON text.
    pub redrive_policy: String,
    /// Which queues may send their failed messages here: JSON text.
    pub redrive_allow_policy: String,
    /// Tags by name.
    pub tags: BTreeMap<String, String>,
    /// Last purge, in Unix milliseconds.
    pub last_purged_at_ms: i64,
    /// Creation, in Unix milliseconds.
    pub created_at_ms: i64,
    /// Last change of the settings, in Unix milliseconds.
    pub last_modified_at_ms: i64,
    /// Rate limits.
    pub throttle: Throttle,
    /// Partitions of a FIFO queue; 0 and 1 mean that it has none.
    pub partition_count: u32,
    /// `perQueue` or `perMessageGroupId`.
    pub fifo_throughput_limit: String,
    /// `queue` or `messageGroup`.
    pub deduplication_scope: String,
    /// Last sequence number that the queue gave out, also if that message is gone.
    pub last_sequence_number: Option<u64>,
}

/// A message attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// Name.
    pub name: &'a str,
    /// JSON text as stored, without white space outside strings: normally an object with `DataType` and a value. May hold bytes
    /// that are no UTF-8.
    pub json: &'a [u8],
}

/// A message; strings are empty and numbers 0 where nothing is stored.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Id.
    pub message_id: &'a str,
    /// What was sent.
    pub body: Body<'a>,
    /// MD5 of the body in hexadecimal.
    pub md5_of_body: &'a str,
    /// MD5 of the attributes in hexadecimal.
    pub md5_of_message_attributes: &'a str,
    /// Attributes, by name in ascending byte order.
    pub attributes: &'a [Attribute<'a>],
    /// Who sent it.
    pub sender_id: &'a str,
    /// When it was sent, in Unix milliseconds.
    pub send_timestamp_ms: i64,
    /// From when on it could be received, in Unix milliseconds.
    pub available_at_ms: i64,
    /// From when on it can be received again, in Unix milliseconds.
    pub visible_at_ms: i64,
    /// How often it was received.
    pub receive_count: i64,
    /// When it was received first, in Unix milliseconds.
    pub first_receive_ms: i64,
    /// Token of the last receive.
    pub current_receipt_token: &'a [u8],
    /// Generation of the queue when it was sent.
    pub queue_generation: u64,
    /// Message group of a FIFO queue.
    pub message_group_id: &'a str,
    /// Deduplication id, if the sender gave one.
    pub message_deduplication_id: &'a str,
    /// Place in the order of a FIFO queue.
    pub sequence_number: u64,
    /// The queue that it failed in, if it was moved from one.
    pub dead_letter_source_arn: &'a str,
    /// Partition, in queues that have partitions.
    pub partition: Option<u32>,
    /// When its record was committed (HLC); 0 if unknown, as in a dump.
    pub commit_ts: u64,
}

/// A bookkeeping record of a queue as it is stored: an index, a deduplication window, a group lock, a counter.
#[derive(Clone, Copy, Debug)]
pub struct SideRecord<'a> {
    /// Name of the kind of record: what its key begins with.
    pub prefix: &'a str,
    /// Its whole user key.
    pub user_key: &'a [u8],
    /// Its value.
    pub value: Body<'a>,
}

/// What happens to one queue.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A queue begins.
    Queue(&'a Queue),
    /// What is left of a queue without settings, or with unreadable ones, begins.
    Orphan {
        /// Name of the queue, not empty.
        name: &'a [u8],
    },
    /// A message of the open queue. Ascending by send time, sequence number and id.
    Message(&'a Message<'a>),
    /// A side record of the open queue, after all messages.
    SideRecord(SideRecord<'a>),
    /// The open queue is complete.
    End,
}
