//! Snapshots whose records an engine can mutate one by one.
//!
//! An input is a sequence of records, each [`HEADER_LEN`] bytes, then user key, then body:
//!
//! ```text
//! time u8 | flags u8 | expiry u8 | user key length u16 LE | body length u16 LE | user key | body
//! ```
//!
//! Any bytes are an input: a length beyond the end means the rest. The snapshot around the records is always well formed, so that
//! mutations reach what stands behind framing, order and checksum.

use std::collections::BTreeSet;

use ekv_snapshot::CommitTs;
use ekv_testkit::SnapshotBuilder;

/// Length of a record's fixed part in bytes.
pub const HEADER_LEN: usize = 7;
/// Unix milliseconds of a record with `time` 0: close to the expiries in the real snapshots.
const BASE_MS: u64 = 1_795_361_645_000;

/// One version of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Milliseconds after a fixed moment.
    pub time: u8,
    /// The flag byte of the value header.
    pub flags: u8,
    /// The store's own expiry in milliseconds after the fixed moment; 0 = none.
    pub expiry: u8,
    /// The user key.
    pub user_key: Vec<u8>,
    /// What follows the value header.
    pub body: Vec<u8>,
}

impl Record {
    /// A live version.
    pub fn live(user_key: &[u8], body: &[u8]) -> Record {
        Record { time: 0, flags: 0, expiry: 0, user_key: user_key.to_vec(), body: body.to_vec() }
    }

    /// The commit timestamp.
    pub fn commit_ts(&self) -> u64 {
        timestamp(self.time)
    }
}

fn timestamp(time: u8) -> u64 {
    BASE_MS.saturating_add(u64::from(time)) << 16
}

/// The records of an input.
pub fn parse(mut input: &[u8]) -> Vec<Record> {
    let mut records = Vec::new();
    while let Some((&[time, flags, expiry, k0, k1, b0, b1], rest)) = input.split_first_chunk() {
        let (user_key, rest) = split(rest, u16::from_le_bytes([k0, k1]));
        let (body, rest) = split(rest, u16::from_le_bytes([b0, b1]));
        records.push(Record { time, flags, expiry, user_key: user_key.to_vec(), body: body.to_vec() });
        input = rest;
    }
    records
}

fn split(bytes: &[u8], len: u16) -> (&[u8], &[u8]) {
    bytes.split_at(usize::from(len).min(bytes.len()))
}

/// The input of records; those with a key or body of 64 KiB and more are left out.
pub fn to_input(records: &[Record]) -> Vec<u8> {
    let mut input = Vec::new();
    for record in records {
        let lens = (u16::try_from(record.user_key.len()), u16::try_from(record.body.len()));
        let (Ok(key_len), Ok(body_len)) = lens else { continue };
        input.extend([record.time, record.flags, record.expiry]);
        input.extend(key_len.to_le_bytes());
        input.extend(body_len.to_le_bytes());
        input.extend(&record.user_key);
        input.extend(&record.body);
    }
    input
}

/// The records as a snapshot; of records with one raw key the first counts.
pub fn snapshot<'a>(records: impl IntoIterator<Item = &'a Record>) -> SnapshotBuilder {
    let mut taken = BTreeSet::new();
    let mut builder = SnapshotBuilder::new();
    for record in records {
        let raw_key = [&record.user_key[..], &CommitTs(record.commit_ts()).to_suffix()].concat();
        if taken.insert(raw_key) {
            let expire_at = if record.expiry == 0 { 0 } else { timestamp(record.expiry) };
            builder = builder.version(&record.user_key, record.commit_ts(), record.flags, expire_at, &record.body);
        }
    }
    builder
}
