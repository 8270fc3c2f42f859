//! User keys of transaction records. Source: `docs/format/snapshot.md`, sections 10 and 11.2.

use crate::CommitTs;

/// Prefix of lock keys; the locked user key follows.
pub(crate) const LOCK: &[u8] = b"!txn|lock|";
/// Prefix of intent keys; the user key that will be written follows.
pub(crate) const INTENT: &[u8] = b"!txn|int|";
/// Prefix of commit records; primary key and start timestamp follow.
pub(crate) const COMMIT: &[u8] = b"!txn|cmt|";
/// Prefix of rollback records; primary key and start timestamp follow.
pub(crate) const ROLLBACK: &[u8] = b"!txn|rb|";

/// A transaction: its primary key and its start timestamp, as they end the keys of its status records.
///
/// The start timestamp stands as eight big-endian bytes behind the primary key and is not inverted.
pub(crate) fn transaction_id(primary: &[u8], start_ts: CommitTs) -> Vec<u8> {
    [primary, &start_ts.0.to_be_bytes()].concat()
}

/// Splits what [`transaction_id`] made.
pub(crate) fn split_transaction_id(id: &[u8]) -> Option<(&[u8], CommitTs)> {
    let (primary, start_ts) = id.split_last_chunk::<8>()?;
    Some((primary, CommitTs(u64::from_be_bytes(*start_ts))))
}

/// The raw key of the version of `prefix` ‖ `user_key` at `ts`.
pub(crate) fn raw_key(prefix: &[u8], user_key: &[u8], ts: CommitTs) -> Vec<u8> {
    [prefix, user_key, &ts.to_suffix()].concat()
}

/// Key of a row that belongs to a group: sorts by group, then by `key`.
pub(super) fn row_key(group: u16, key: &[u8]) -> Vec<u8> {
    [&group.to_be_bytes(), key].concat()
}

pub(super) fn split_row_key(row_key: &[u8]) -> Option<(u16, &[u8])> {
    let (group, key) = row_key.split_first_chunk()?;
    Some((u16::from_be_bytes(*group), key))
}

/// Key of a committed lock: group, raw key of the version to be, start timestamp; of equal versions the last started comes first.
pub(super) fn committed_key(group: u16, user_key: &[u8], commit_ts: CommitTs, start_ts: CommitTs) -> Vec<u8> {
    [&group.to_be_bytes(), user_key, &commit_ts.to_suffix(), &start_ts.to_suffix()].concat()
}
