//! SQS: events to records. Source: `docs/format/sqs.md`, section 6.
//!
//! | file | holds |
//! |---|---|
//! | `settings.rs`, `message.rs` | settings and messages as they are stored |
//! | `rows.rs` | deduplication records and locks, which depend on all messages |
//! | `fault.rs` | what no server would have stored |
//!
//! Records are those that the live server would have stored. Indexes are made from the messages. Of the side records, the last
//! sequence number, deduplication records and locks count, those of the queue's present generation; the others are made anew, or
//! belong to what clients cannot reach.

mod fault;
mod message;
mod rows;
mod settings;

use std::sync::Arc;

use ekv_model::sqs::{Event, Message, Queue, SideRecord};
use ekv_model::{Body, Result};
use ekv_snapshot::RecordSink;
use ekv_spill::Scratch;

use super::keys::{Form, Key, MessageKey, MessageRow, QueueRecord, Subject, encode, put_queue_prefix};
use super::partitions::PartitionRule;
use super::side;
use crate::{EncodeError, EncodeOptions, Family};

use rows::{DedupRows, LockRows};

pub use fault::EncodeFault;

/// Generation of a queue about which nothing is known.
const FIRST_GENERATION: u64 = 1;
/// Longest side record that counts, in bytes; real ones have less than 1 KiB.
const SIDE_RECORD_LEN_MAX: u64 = 64 << 10;

/// Builds records from the events of one queue after the other.
pub(crate) struct Encoder {
    scratch: Arc<dyn Scratch>,
    options: EncodeOptions,
    open: State,
    text: Vec<u8>,
}

/// What the next events belong to.
enum State {
    Nothing,
    /// What is left of a queue that is gone: it stays where it is.
    Orphan,
    Queue(Box<OpenQueue>),
}

/// The queue whose messages come.
struct OpenQueue {
    name: Vec<u8>,
    generation: u64,
    is_fifo: bool,
    is_content_based: bool,
    rule: PartitionRule,
    last_sequence_number: u64,
    dedup: DedupRows,
    locks: LockRows,
}

impl Encoder {
    pub(crate) fn new(scratch: &Arc<dyn Scratch>, options: EncodeOptions) -> Self {
        Encoder { scratch: Arc::clone(scratch), options, open: State::Nothing, text: Vec::new() }
    }

    pub(crate) fn event(&mut self, sink: &mut dyn RecordSink, event: Event<'_>) -> Result<()> {
        let Encoder { options, open, text, .. } = self;
        match (event, open) {
            (Event::Queue(queue), State::Nothing) => self.begin(sink, queue),
            (Event::Orphan { .. }, open @ State::Nothing) => {
                *open = State::Orphan;
                Ok(())
            }
            (Event::Queue(_) | Event::Orphan { .. }, _) => Err(misplaced("a queue inside a queue")),
            (_, State::Nothing) => Err(misplaced("a message outside of a queue")),
            (Event::End, open) => match std::mem::replace(open, State::Nothing) {
                State::Queue(queue) => queue.end(sink),
                State::Orphan | State::Nothing => Ok(()),
            },
            (_, State::Orphan) => Ok(()),
            (Event::Message(message), State::Queue(queue)) => queue.message(sink, *options, message, text),
            (Event::SideRecord(_), State::Queue(_)) if options.reference_bytes => Ok(()),
            (Event::SideRecord(record), State::Queue(queue)) => queue.side_record(&record),
        }
    }

    fn begin(&mut self, sink: &mut dyn RecordSink, queue: &Queue<'_>) -> Result<()> {
        let Encoder { scratch, options, open, text } = self;
        settings::check(queue).map_err(fault)?;
        let (generation, stated) = match options.reference_bytes {
            true => (FIRST_GENERATION, None),
            false => (queue.generation.max(FIRST_GENERATION), queue.last_sequence_number),
        };
        let last_sequence_number = stated.filter(|_| queue.fifo).unwrap_or(0);
        settings::put(queue, generation, *options, text).map_err(fault)?;
        let name = queue.name.to_vec();
        let record = |record| Key::Queue { record, queue: name.clone() }.to_bytes();
        sink.put(&record(QueueRecord::Settings), &[Body::Inline(text)])?;
        sink.put(&record(QueueRecord::Generation), &[Body::Inline(generation.to_string().as_bytes())])?;
        *open = State::Queue(Box::new(OpenQueue {
            name,
            generation,
            is_fifo: queue.fifo,
            is_content_based: queue.content_based_deduplication,
            rule: PartitionRule::of(queue.partition_count, queue.fifo_throughput_limit),
            last_sequence_number,
            dedup: DedupRows::new(scratch),
            locks: LockRows::new(scratch),
        }));
        Ok(())
    }
}

impl OpenQueue {
    fn message(
        &mut self,
        sink: &mut dyn RecordSink,
        options: EncodeOptions,
        message: &Message<'_>,
        text: &mut Vec<u8>,
    ) -> Result<()> {
        if message.message_id.is_empty() {
            return Err(fault(EncodeFault::NoMessageId));
        }
        let partition = self.partition(message).map_err(fault)?;
        let id = || message.message_id.as_bytes().to_vec();
        message::put(sink, &self.key(partition, Subject::Message { id: id() }), message, options, text)?;
        let visible_at_ms = if options.reference_bytes { message.available_at_ms } else { message.visible_at_ms };
        for subject in [
            Subject::Visibility { visible_at_ms: in_key(visible_at_ms), id: id() },
            Subject::Age { send_at_ms: in_key(message.send_timestamp_ms), id: id() },
        ] {
            sink.put(&self.key(partition, subject), &[Body::Inline(message.message_id.as_bytes())])?;
        }
        if self.is_fifo {
            self.last_sequence_number = self.last_sequence_number.max(message.sequence_number);
            self.fifo_rows(partition, options, message, text)?;
        }
        Ok(())
    }

    fn fifo_rows(
        &mut self,
        partition: Option<u32>,
        options: EncodeOptions,
        message: &Message<'_>,
        text: &mut Vec<u8>,
    ) -> Result<()> {
        let group = message.message_group_id.as_bytes().to_vec();
        if let Some(id) = message::dedup_id(message, self.is_content_based)? {
            let subject = Subject::Dedup { group: group.clone(), id: id.into_bytes() };
            text.clear();
            message::put_dedup_row(message, text);
            self.dedup.add_message(&self.key(partition, subject), message.send_timestamp_ms, text)?;
        }
        if message.receive_count > 0 && !options.reference_bytes {
            self.locks.add_message(&self.key(partition, Subject::Group { group }), message.message_id)?;
        }
        Ok(())
    }

    /// The partition in the keys of a message.
    fn partition(&self, message: &Message<'_>) -> Result<Option<u32>, EncodeFault> {
        let expected = self.rule.partition(message.message_group_id);
        match (self.rule.has_partitions(), message.partition) {
            (false, None | Some(0)) => Ok(None),
            (false, Some(found)) => Err(EncodeFault::UnexpectedPartition { found }),
            (true, None) => Err(EncodeFault::NoPartition { expected }),
            (true, Some(found)) if found != expected => Err(EncodeFault::Partition { found, expected }),
            (true, Some(found)) => Ok(Some(found)),
        }
    }

    fn side_record(&mut self, record: &SideRecord<'_>) -> Result<()> {
        let family = side::FAMILIES.into_iter().find(|family| family.prefix() == record.prefix.as_bytes());
        let Some(family) = family else {
            return Err(fault(EncodeFault::SideRecordPrefix { found: record.prefix.to_owned() }));
        };
        let Some((form, tail)) = self.split_key(family, record.user_key) else {
            return Err(fault(EncodeFault::SideRecordKey { prefix: record.prefix.to_owned() }));
        };
        if !self.is_fifo {
            return Ok(());
        }
        if family == Family::SqsSequence {
            if let Some(number) = super::decimal(&whole(&record.value)?) {
                self.last_sequence_number = self.last_sequence_number.max(number);
            }
            return Ok(());
        }
        let row = MessageRow::parse(family, form, tail).filter(|row| self.is_present(row));
        match row.map(|row| row.subject) {
            Some(Subject::Dedup { .. }) => self.dedup.add_side_record(record.user_key, &whole(&record.value)?),
            Some(Subject::Group { .. }) => self.locks.add_side_record(record.user_key, &whole(&record.value)?),
            _ => Ok(()),
        }
    }

    /// Splits the key of a side record behind the name of the queue; `None` if it belongs to another queue.
    fn split_key<'k>(&self, family: Family, user_key: &'k [u8]) -> Option<(Form, &'k [u8])> {
        let queue_text = encode(&self.name);
        let mut prefix = Vec::new();
        [Form::Partitioned, Form::Classic].into_iter().find_map(|form| {
            put_queue_prefix(&mut prefix, family, form, queue_text.as_bytes());
            user_key.strip_prefix(prefix.as_slice()).map(|tail| (form, tail))
        })
    }

    /// Whether the server would read a record.
    fn is_present(&self, row: &MessageRow) -> bool {
        let is_read = match (self.rule.partitions_read(), row.partition) {
            (None, None) => true,
            (Some(count), Some(partition)) => partition < count,
            _ => false,
        };
        is_read && row.generation == self.generation
    }

    fn end(self, sink: &mut dyn RecordSink) -> Result<()> {
        self.dedup.finish(sink)?;
        self.locks.finish(sink)?;
        if self.last_sequence_number > 0 {
            let user_key = Key::Queue { record: QueueRecord::Sequence, queue: self.name }.to_bytes();
            sink.put(&user_key, &[Body::Inline(self.last_sequence_number.to_string().as_bytes())])?;
        }
        Ok(())
    }

    fn key(&self, partition: Option<u32>, subject: Subject) -> Vec<u8> {
        let row = MessageRow { partition, generation: self.generation, subject };
        Key::Message(MessageKey { queue: self.name.clone(), row }).to_bytes()
    }
}

/// A time in a key: before 1970 is 0.
fn in_key(at_ms: i64) -> u64 {
    u64::try_from(at_ms).unwrap_or(0)
}

/// The value of a side record.
fn whole(value: &Body<'_>) -> Result<Vec<u8>> {
    let len = value.len();
    if len > SIDE_RECORD_LEN_MAX {
        return Err(fault(EncodeFault::LongSideRecord { len, len_max: SIDE_RECORD_LEN_MAX }));
    }
    let mut bytes = Vec::new();
    value.for_each_chunk(|chunk| {
        bytes.extend_from_slice(chunk);
        Ok(())
    })?;
    Ok(bytes)
}

fn fault(fault: EncodeFault) -> ekv_model::Error {
    EncodeError::from(fault).into()
}

fn misplaced(what: &'static str) -> ekv_model::Error {
    EncodeError::Misplaced { what }.into()
}

#[cfg(test)]
mod tests;
