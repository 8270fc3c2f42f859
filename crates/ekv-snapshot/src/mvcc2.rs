//! `EKVMVCC2` payloads: rewritten as records in raw-key order. Source: `docs/format/snapshot.md`, section 5.1.
//!
//! The payload has each key once, with all its versions. So has what is made of it: a record of the rewritten form refers to its key
//! (`shared_key.rs`), and `order.rs` finds the order of the records without a raw key for each version.

mod order;

use ekv_model::Monitor;
use std::sync::Arc;

use ekv_spill::{Scratch, Sorter, Spool};

use self::order::{KeyPlace, Version, in_raw_key_order, invalid};
use crate::footer::check_end;
use crate::format::{BODY_LEN_MAX, FLAG_TOMBSTONE, FOOTER_LEN, PAYLOAD_HEADER_LEN, USER_KEY_LEN_MAX};
use crate::record_writer::{BodyPlace, RecordWriter};
use crate::sequential::Sequential;
use crate::stream::{consume, take};
use crate::{CommitTs, Error, ErrorKind, FooterPolicy, Input, RecordFile, Result};

/// The version this tool knows.
const VERSION: u32 = 1;
/// Most versions of one key.
const VERSION_COUNT_MAX: u64 = 1 << 20;
/// Bytes of a version before its value: timestamp, tombstone, expiry, value length.
const VERSION_FIXED_LEN: u64 = 25;
/// Memory for sorting, in bytes.
const SORT_BUDGET: usize = 16 << 20;
/// Memory for writing to a scratch file, in bytes.
const WRITE_BUDGET: usize = 64 << 10;

/// An `EKVMVCC2` payload as records in raw-key order.
pub(crate) struct Transcoded {
    /// The records, in scratch files; without an index.
    pub(crate) records: RecordFile,
    /// The last commit timestamp of the payload's header.
    pub(crate) last_commit_ts: CommitTs,
    /// The outer footer, if there is one; it has been compared with the bytes before it.
    pub(crate) footer_crc32c: Option<u32>,
    /// Oldest timestamp that is still answerable; the rewritten form has no place for it.
    pub(crate) min_retained_ts: CommitTs,
}

/// Checks the payload at `payload_offset` as a whole and rewrites it.
///
/// Cost: two reads of the input, memory bounded by a constant, and scratch space of at most four times the payload: a copy of the
/// values, two of the keys, and 90 bytes for each version, which has at least 25 in the payload.
///
/// # Errors
/// `BodyCrc`, `FooterCrc`, `TokenCrc`, `Truncated`, `KeyTooLarge`, `ValueTooLarge`, `Invalid`, `Io`, `Scratch`.
pub(crate) fn transcode(
    input: &Input,
    payload_offset: u64,
    scratch: &Arc<dyn Scratch>,
    monitor: &dyn Monitor,
) -> Result<Transcoded> {
    let mut pass = Pass {
        reader: Sequential::new(input, monitor),
        crc32: crc32fast::Hasher::new(),
        keys: Spool::new(scratch.clone(), WRITE_BUDGET),
        versions: Spool::new(scratch.clone(), WRITE_BUDGET),
        by_key: Sorter::new(scratch.clone(), SORT_BUDGET),
        key: Vec::new(),
        last_commit_ts: CommitTs(0),
        min_retained_ts: CommitTs(0),
    };
    let outcome = pass.run(payload_offset).map_err(|e| e.in_file(&input.name));
    let Pass { reader, keys, versions, by_key, last_commit_ts, min_retained_ts, .. } = pass;
    let footer_crc32c = check_end(input, reader, outcome)?;
    let records = write(input, keys, versions, by_key, last_commit_ts, scratch)?;
    Ok(Transcoded { records, last_commit_ts, footer_crc32c, min_retained_ts })
}

/// One read over the payload: checks everything and takes down every key and every version.
struct Pass<'i> {
    reader: Sequential<'i>,
    crc32: crc32fast::Hasher,
    /// All keys, one behind the other.
    keys: Spool,
    /// All versions without their values.
    versions: Spool,
    /// The places of all keys that have versions.
    by_key: Sorter,
    key: Vec<u8>,
    last_commit_ts: CommitTs,
    min_retained_ts: CommitTs,
}

impl Pass<'_> {
    fn run(&mut self, payload_offset: u64) -> Result<()> {
        consume(&mut self.reader, "EKVMVCC2 header", payload_offset.saturating_add(8), |_| Ok(()))?;
        let version = u32::from_le_bytes(take(&mut self.reader, "EKVMVCC2 version")?);
        if version != VERSION {
            return Err(invalid(format!("version {version} is unknown, this tool knows version {VERSION}")));
        }
        let stored = u32::from_le_bytes(take(&mut self.reader, "EKVMVCC2 checksum")?);
        self.last_commit_ts = CommitTs(self.u64_le("last commit timestamp")?);
        self.min_retained_ts = CommitTs(self.u64_le("oldest retained timestamp")?);
        while !matches!(self.reader.left(), 0 | FOOTER_LEN) {
            let at = self.reader.offset();
            self.key().map_err(|e| e.at(at))?;
        }
        let computed = std::mem::take(&mut self.crc32).finalize();
        if stored != computed {
            return Err(Error::new(ErrorKind::BodyCrc { stored, computed }).at(payload_offset));
        }
        Ok(())
    }

    /// One key with all its versions.
    fn key(&mut self) -> Result<()> {
        let key_len = self.u64_le("key length")?;
        if key_len > USER_KEY_LEN_MAX {
            return Err(Error::new(ErrorKind::KeyTooLarge { found: key_len, limit: USER_KEY_LEN_MAX }));
        }
        let start = self.keys.len();
        let Pass { reader, crc32, key, keys, .. } = self;
        key.clear();
        consume(reader, "key", key_len, |piece| {
            crc32.update(piece);
            key.extend_from_slice(piece);
            Ok(keys.write_all(piece)?)
        })?;
        let count = self.u64_le("version count")?;
        if count > VERSION_COUNT_MAX {
            return Err(invalid(format!("{count} versions of one key, the limit is {VERSION_COUNT_MAX}")));
        }
        let (needed, available) = (count.saturating_mul(VERSION_FIXED_LEN), self.reader.left());
        if needed > available {
            return Err(Error::new(ErrorKind::Truncated { what: "versions", needed, available }));
        }
        let place = KeyPlace { start, first_version: Version::number_in(self.versions.len()), version_count: count };
        let mut previous = None;
        for _ in 0..count {
            let at = self.reader.offset();
            previous = Some(self.version(previous).map_err(|e| e.at(at).with_key(&self.key))?);
        }
        if count > 0 {
            self.by_key.push(&self.key, &place.encode())?;
        }
        Ok(())
    }

    /// One version of `key`; returns its timestamp.
    fn version(&mut self, previous: Option<CommitTs>) -> Result<CommitTs> {
        let commit_ts = CommitTs(self.u64_le("commit timestamp")?);
        if let Some(previous) = previous.filter(|previous| *previous >= commit_ts) {
            return Err(invalid(format!("version {commit_ts} follows version {previous} of the same key")));
        }
        let [tombstone] = self.bytes("tombstone")?;
        let expire_at = self.u64_le("expiry")?;
        let len = self.u64_le("value length")?;
        if len > BODY_LEN_MAX {
            return Err(Error::new(ErrorKind::ValueTooLarge { found: len, limit: BODY_LEN_MAX }));
        }
        let offset = self.reader.offset();
        let Pass { reader, crc32, .. } = self;
        consume(reader, "value", len, |piece| {
            crc32.update(piece);
            Ok(())
        })?;
        let flags = if tombstone == 0 { 0 } else { FLAG_TOMBSTONE };
        let version = Version { commit_ts, flags, expire_at, value: BodyPlace { offset, len } };
        self.versions.write_all(&version.encode())?;
        Ok(commit_ts)
    }

    fn u64_le(&mut self, what: &'static str) -> Result<u64> {
        self.bytes(what).map(u64::from_le_bytes)
    }

    fn bytes<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N]> {
        let bytes = take(&mut self.reader, what)?;
        self.crc32.update(&bytes);
        Ok(bytes)
    }
}

/// Writes the versions in raw-key order; values are copied from where they lie in the input.
fn write(
    input: &Input,
    keys: Spool,
    versions: Spool,
    by_key: Sorter,
    last_commit_ts: CommitTs,
    scratch: &Arc<dyn Scratch>,
) -> Result<RecordFile> {
    let name = format!("{} (rewritten as EKVPBBL1)", input.name);
    let mut writer = RecordWriter::new(scratch, last_commit_ts)?;
    in_raw_key_order(by_key.finish()?, &versions.into_reader()?, &mut |key, version| {
        writer.entry(&key.encode(), version.value_header(), input, version.value)
    })?;
    let records = writer.finish(name.clone())?;
    let len = keys.len();
    let source = Arc::new(keys.into_file()?);
    let keys = Input { source, len, name, footer: FooterPolicy::Optional, token_crc32c: None };
    let end = records.len;
    Ok(RecordFile::new(records, PAYLOAD_HEADER_LEN, end, Default::default()).with_shared_keys(keys))
}

#[cfg(test)]
mod tests;
