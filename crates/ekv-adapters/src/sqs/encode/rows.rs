//! Bookkeeping records that can only be decided upon when all of a queue is known. Source: `docs/format/sqs.md`, section 6.

use std::sync::Arc;

use ekv_model::{Body, Result};
use ekv_snapshot::RecordSink;
use ekv_spill::{Scratch, Sorter};

use super::EncodeFault;
use crate::json::{JsonReader, is_name};
use crate::run::scratch_error;

/// Memory for sorting each kind of records of a queue, in bytes.
const SORT_BUDGET: usize = 1 << 20;
/// Longest message id in a lock, in bytes.
const ID_LEN_MAX: usize = 1 << 20;

// First byte of a sorted payload.
/// From a message; what follows differs.
const MESSAGE: u8 = 0;
/// A side record; its value follows.
const SIDE_RECORD: u8 = 1;

/// Deduplication records: those that were kept as they were, and for the other messages new ones.
pub(super) struct DedupRows {
    sorter: Sorter,
    payload: Vec<u8>,
}

impl DedupRows {
    pub(super) fn new(scratch: &Arc<dyn Scratch>) -> Self {
        DedupRows { sorter: Sorter::new(Arc::clone(scratch), SORT_BUDGET), payload: Vec::new() }
    }

    /// Adds the record that a message would have made.
    pub(super) fn add_message(&mut self, user_key: &[u8], send_timestamp_ms: i64, value: &[u8]) -> Result<()> {
        self.payload.clear();
        self.payload.push(MESSAGE);
        self.payload.extend_from_slice(&send_timestamp_ms.to_be_bytes());
        self.payload.extend_from_slice(value);
        self.sorter.push(user_key, &self.payload).map_err(scratch_error)
    }

    /// Adds a record as it was.
    pub(super) fn add_side_record(&mut self, user_key: &[u8], value: &[u8]) -> Result<()> {
        self.payload.clear();
        self.payload.push(SIDE_RECORD);
        self.payload.extend_from_slice(value);
        self.sorter.push(user_key, &self.payload).map_err(scratch_error)
    }

    /// Puts one record for each key: the one that was kept, else that of the message sent last, of equal ones the first.
    pub(super) fn finish(self, sink: &mut dyn RecordSink) -> Result<()> {
        let mut sorted = self.sorter.finish().map_err(scratch_error)?;
        let mut best: Option<DedupRow> = None;
        while let Some((user_key, payload)) = sorted.next().map_err(scratch_error)? {
            let row = DedupRow::parse(user_key, payload);
            best = match best.take() {
                Some(other) if other.user_key == row.user_key => Some(other.or(row)?),
                other => {
                    if let Some(other) = other {
                        other.put(sink)?;
                    }
                    Some(row)
                }
            };
        }
        best.map_or(Ok(()), |row| row.put(sink))
    }
}

struct DedupRow {
    user_key: Vec<u8>,
    /// `None` for a side record.
    send_timestamp_ms: Option<i64>,
    value: Vec<u8>,
}

impl DedupRow {
    fn parse(user_key: &[u8], payload: &[u8]) -> Self {
        let (tag, rest) = payload.split_first().unwrap_or((&SIDE_RECORD, &[]));
        let (send_timestamp_ms, value) = match rest.split_first_chunk() {
            Some((at_ms, value)) if *tag == MESSAGE => (Some(i64::from_be_bytes(*at_ms)), value),
            _ => (None, rest),
        };
        DedupRow { user_key: user_key.to_vec(), send_timestamp_ms, value: value.to_vec() }
    }

    /// The one of two that is stored; `later` was added later.
    fn or(self, later: DedupRow) -> Result<DedupRow> {
        match (self.send_timestamp_ms, later.send_timestamp_ms) {
            (None, None) => Err(repeated(&self.user_key)),
            (Some(_), None) => Ok(later),
            (Some(at_ms), Some(later_at_ms)) if later_at_ms > at_ms => Ok(later),
            _ => Ok(self),
        }
    }

    fn put(&self, sink: &mut dyn RecordSink) -> Result<()> {
        sink.put(&self.user_key, &[Body::Inline(&self.value)])
    }
}

/// Locks of message groups: kept where their message is there and has been received.
pub(super) struct LockRows {
    sorter: Sorter,
    key: Vec<u8>,
    payload: Vec<u8>,
}

impl LockRows {
    pub(super) fn new(scratch: &Arc<dyn Scratch>) -> Self {
        LockRows { sorter: Sorter::new(Arc::clone(scratch), SORT_BUDGET), key: Vec::new(), payload: Vec::new() }
    }

    /// Adds a message that has been received; `user_key` is that of its group's lock.
    pub(super) fn add_message(&mut self, user_key: &[u8], message_id: &str) -> Result<()> {
        self.put_key(user_key, message_id);
        self.sorter.push(&self.key, &[MESSAGE]).map_err(scratch_error)
    }

    /// Adds a lock. One that cannot be read locks nothing.
    pub(super) fn add_side_record(&mut self, user_key: &[u8], value: &[u8]) -> Result<()> {
        let Some(message_id) = locking_message(value) else { return Ok(()) };
        self.put_key(user_key, &message_id);
        self.payload.clear();
        self.payload.push(SIDE_RECORD);
        self.payload.extend_from_slice(&u64::try_from(user_key.len()).unwrap_or(u64::MAX).to_be_bytes());
        self.payload.extend_from_slice(value);
        self.sorter.push(&self.key, &self.payload).map_err(scratch_error)
    }

    /// Puts the locks that hold.
    pub(super) fn finish(self, sink: &mut dyn RecordSink) -> Result<()> {
        let mut sorted = self.sorter.finish().map_err(scratch_error)?;
        let mut received = Vec::new();
        let mut last_lock = Vec::new();
        while let Some((key, payload)) = sorted.next().map_err(scratch_error)? {
            let Some((tag, rest)) = payload.split_first() else { continue };
            if *tag == MESSAGE {
                received.clear();
                received.extend_from_slice(key);
                continue;
            }
            let Some((len, value)) = rest.split_first_chunk() else { continue };
            let len = usize::try_from(u64::from_be_bytes(*len)).unwrap_or(usize::MAX);
            let user_key = key.get(..len).unwrap_or_default();
            if user_key == last_lock {
                return Err(repeated(user_key));
            }
            last_lock.clear();
            last_lock.extend_from_slice(user_key);
            if received == key {
                sink.put(user_key, &[Body::Inline(value)])?;
            }
        }
        Ok(())
    }

    /// The key of the lock ends in base64url text: a zero byte separates the id from it.
    fn put_key(&mut self, user_key: &[u8], message_id: &str) {
        self.key.clear();
        self.key.extend_from_slice(user_key);
        self.key.push(0);
        self.key.extend_from_slice(message_id.as_bytes());
    }
}

/// The id of the message that holds a lock.
fn locking_message(value: &[u8]) -> Option<String> {
    let value: &dyn ekv_model::ByteSource = &ekv_model::InMemory(value);
    let mut reader = JsonReader::new(value);
    let mut id = None;
    let read = reader.object(|reader, name| {
        if is_name(name, "message_id") {
            id = Some(reader.string(ID_LEN_MAX)?);
            return Ok(());
        }
        reader.skip()
    });
    read.ok().and(id)
}

fn repeated(user_key: &[u8]) -> ekv_model::Error {
    super::fault(EncodeFault::SideRecordRepeated { user_key: ekv_text::Percent(user_key).to_string() })
}
