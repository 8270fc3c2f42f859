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
use ekv_model::{Body, Event as ModelEvent, Example, Findings, Result};
use ekv_snapshot::RecordSink;
use ekv_spill::Scratch;

use super::findings::{ODD_SETTINGS, OTHER_PARTITION};
use super::keys::{
    FIRST_GENERATION, Form, Key, MessageKey, MessageRow, QueueRecord, Subject, encode, put_queue_prefix,
};
use super::partitions::PartitionRule;
use super::side;
use crate::adapter::EncodeEvents;
use crate::encode_error::misplaced;
use crate::restores::fits;
use crate::sqs::findings::SIDE_ROW_LEFT_OUT;
use crate::{EncodeError, EncodeOptions, Family};

use rows::{DedupRows, LockRows};

pub use fault::EncodeFault;

/// Longest side record that counts, in bytes; real ones have less than 1 KiB.
const SIDE_RECORD_LEN_MAX: u64 = 64 << 10;

/// Builds records from the events of one queue after the other.
pub(crate) struct Encoder {
    scratch: Arc<dyn Scratch>,
    options: EncodeOptions,
    open: State,
    text: Vec<u8>,
    findings: Findings,
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
    /// Whether messages may lie in another partition than that of their group.
    may_be_elsewhere: bool,
    dedup: DedupRows,
    locks: LockRows,
}

impl EncodeEvents for Encoder {
    fn event(&mut self, sink: &mut dyn RecordSink, event: ModelEvent<'_>) -> Result<()> {
        let ModelEvent::Sqs(event) = event else { return Err(misplaced("an event of another protocol")) };
        let Encoder { options, open, text, findings, .. } = self;
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
            (Event::Message(message), State::Queue(queue)) => queue.message(sink, *options, message, text, findings),
            (Event::SideRecord(_), State::Queue(_)) if options.reference_bytes => Ok(()),
            (Event::SideRecord(record), State::Queue(queue)) => queue.side_record(&record, findings),
        }
    }

    fn take_findings(&mut self) -> Findings {
        std::mem::take(&mut self.findings)
    }
}

impl Encoder {
    pub(crate) fn new(scratch: &Arc<dyn Scratch>, options: EncodeOptions) -> Self {
        Encoder {
            scratch: Arc::clone(scratch),
            options,
            open: State::Nothing,
            text: Vec::new(),
            findings: Findings::default(),
        }
    }

    fn begin(&mut self, sink: &mut dyn RecordSink, queue: &Queue) -> Result<()> {
        let Encoder { scratch, options, open, text, findings, .. } = self;
        match settings::check(queue) {
            Ok(()) => {}
            Err(odd) if !options.stored.settings || odd == EncodeFault::NoName => return Err(fault(odd)),
            Err(odd) => findings.record(ODD_SETTINGS, || Example::new(Some(&queue.name), None, odd.to_string())),
        }
        let (generation, stated) = match options.reference_bytes {
            true => (FIRST_GENERATION, None),
            false => (queue.generation.max(FIRST_GENERATION), queue.last_sequence_number),
        };
        let last_sequence_number = stated.filter(|_| queue.fifo).unwrap_or(0);
        settings::put(queue, generation, *options, text).map_err(fault)?;
        let name = queue.name.clone();
        let record = |record| Key::Queue { record, queue: name.clone() }.to_bytes();
        sink.put(&record(QueueRecord::Settings), &[Body::Inline(text)])?;
        sink.put(&record(QueueRecord::Generation), &[Body::Inline(generation.to_string().as_bytes())])?;
        *open = State::Queue(Box::new(OpenQueue {
            name,
            generation,
            is_fifo: queue.fifo,
            is_content_based: queue.content_based_deduplication,
            rule: PartitionRule::of(queue.partition_count, &queue.fifo_throughput_limit),
            last_sequence_number,
            may_be_elsewhere: options.stored.partitions,
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
        findings: &mut Findings,
    ) -> Result<()> {
        if message.message_id.is_empty() {
            return Err(fault(EncodeFault::NoMessageId));
        }
        let partition = self.partition(message, findings).map_err(fault)?;
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
            self.fifo_rows(partition, options, message, text, findings)?;
        }
        Ok(())
    }

    fn fifo_rows(
        &mut self,
        partition: Option<u32>,
        options: EncodeOptions,
        message: &Message<'_>,
        text: &mut Vec<u8>,
        findings: &mut Findings,
    ) -> Result<()> {
        let group = message.message_group_id.as_bytes().to_vec();
        if let Some(id) = message::dedup_id(message, self.is_content_based)? {
            let subject = Subject::Dedup { group: group.clone(), id: id.into_bytes() };
            text.clear();
            message::put_dedup_row(message, text);
            let user_key = self.key(partition, subject);
            match fits(user_key.len()) {
                true => self.dedup.add_message(&user_key, message.send_timestamp_ms, text)?,
                false => self.leave_out_side_row(&user_key, findings),
            }
        }
        if message.receive_count > 0 && !options.reference_bytes {
            self.locks.add_message(&self.key(partition, Subject::Group { group }), message.message_id)?;
        }
        Ok(())
    }

    fn leave_out_side_row(&self, user_key: &[u8], findings: &mut Findings) {
        findings.record(SIDE_ROW_LEFT_OUT, || {
            Example::new(Some(&self.name), None, format!("its key has {} bytes", user_key.len()))
        });
    }

    /// The partition in the keys of a message.
    fn partition(&self, message: &Message<'_>, findings: &mut Findings) -> Result<Option<u32>, EncodeFault> {
        let expected = self.rule.partition(message.message_group_id);
        match (self.rule.has_partitions(), message.partition) {
            (false, None | Some(0)) => Ok(None),
            (false, Some(found)) => Err(EncodeFault::UnexpectedPartition { found }),
            (true, None) => Err(EncodeFault::NoPartition { expected }),
            (true, Some(found)) if found != expected => {
                let odd = EncodeFault::Partition { found, expected };
                // The server delivers from every partition that it reads.
                let is_read = self.rule.partitions_read().is_some_and(|count| found < count);
                if !(is_read && self.may_be_elsewhere) {
                    return Err(odd);
                }
                findings.record(OTHER_PARTITION, || {
                    Example::new(Some(&self.name), None, format!("message {}: {odd}", message.message_id))
                });
                Ok(Some(found))
            }
            (true, Some(found)) => Ok(Some(found)),
        }
    }

    fn side_record(&mut self, record: &SideRecord<'_>, findings: &mut Findings) -> Result<()> {
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
        if record.value.len() > SIDE_RECORD_LEN_MAX || !fits(record.user_key.len()) {
            self.leave_out_side_row(record.user_key, findings);
            return Ok(());
        }
        if family == Family::SqsSequence {
            if let Some(number) = side::decimal(&whole(&record.value)?) {
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

/// Length of the longest key that a message needs, in bytes; an empty id gives that of the queue.
pub(crate) fn message_key_len(queue: &[u8], message_id: &str) -> usize {
    let id = message_id.as_bytes().to_vec();
    let row =
        MessageRow { partition: Some(0), generation: FIRST_GENERATION, subject: Subject::Age { send_at_ms: 0, id } };
    Key::Message(MessageKey { queue: queue.to_vec(), row }).to_bytes().len()
}

/// Refuses settings that no server accepts from clients.
pub(crate) fn check_settings(queue: &Queue) -> Result<(), EncodeFault> {
    settings::check(queue)
}

/// Whether a server reads the settings of a queue back.
pub(crate) fn settings_fit(queue: &Queue) -> bool {
    settings::put(queue, queue.generation, EncodeOptions::default(), &mut Vec::new()).is_ok()
}

/// A time in a key: before 1970 is 0.
fn in_key(at_ms: i64) -> u64 {
    u64::try_from(at_ms).unwrap_or(0)
}

/// The value of a side record of at most [`SIDE_RECORD_LEN_MAX`] bytes.
fn whole(value: &Body<'_>) -> Result<Vec<u8>> {
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

#[cfg(test)]
mod tests;
