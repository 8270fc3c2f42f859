//! Records of two-phase transactions. Source: `docs/format/snapshot.md`, section 11.2.

use crate::SnapshotBuilder;

/// Expiry of the locks that [`SnapshotBuilder::prepare`] adds.
const DEADLINE: u64 = 1 << 40;

impl SnapshotBuilder {
    /// Adds what the first phase writes: lock and intent of `key` at `start_ts`. `value` = what is to be written; `None` = deletion.
    pub fn prepare(self, key: &[u8], start_ts: u64, primary: &[u8], value: Option<&[u8]>) -> Self {
        self.lock(key, start_ts, primary).intent(key, start_ts, value)
    }

    /// Adds a lock of `key` at `start_ts`.
    pub fn lock(self, key: &[u8], start_ts: u64, primary: &[u8]) -> Self {
        self.put(&[b"!txn|lock|", key].concat(), start_ts, &lock_body(start_ts, key == primary, primary))
    }

    /// Adds an intent of `key` at `start_ts`.
    pub fn intent(self, key: &[u8], start_ts: u64, value: Option<&[u8]>) -> Self {
        self.put(&[b"!txn|int|", key].concat(), start_ts, &intent_body(start_ts, value))
    }

    /// Adds the tombstones that resolve lock and intent of `key`.
    pub fn resolve(self, key: &[u8], ts: u64) -> Self {
        self.delete(&[b"!txn|lock|", key].concat(), ts).delete(&[b"!txn|int|", key].concat(), ts)
    }

    /// Adds the record that a transaction was committed.
    pub fn commit_record(self, primary: &[u8], start_ts: u64, commit_ts: u64) -> Self {
        let key = [b"!txn|cmt|", primary, &start_ts.to_be_bytes()].concat();
        self.put(&key, commit_ts, &[&[1], &commit_ts.to_be_bytes()[..]].concat())
    }

    /// Adds the record that a transaction was rolled back.
    pub fn rollback_record(self, primary: &[u8], start_ts: u64, ts: u64) -> Self {
        self.put(&[b"!txn|rb|", primary, &start_ts.to_be_bytes()].concat(), ts, &[1])
    }
}

/// The body of a lock record.
pub fn lock_body(start_ts: u64, is_primary: bool, primary: &[u8]) -> Vec<u8> {
    let len = u64::try_from(primary.len()).unwrap();
    let flags = u8::from(is_primary);
    [&[1], &start_ts.to_be_bytes()[..], &DEADLINE.to_be_bytes(), &[flags], &len.to_be_bytes(), primary].concat()
}

/// The body of an intent record.
pub fn intent_body(start_ts: u64, value: Option<&[u8]>) -> Vec<u8> {
    let operation = u8::from(value.is_none());
    let value = value.unwrap_or_default();
    let len = u64::try_from(value.len()).unwrap();
    [&[1], &start_ts.to_be_bytes()[..], &[operation], &len.to_be_bytes(), value].concat()
}
