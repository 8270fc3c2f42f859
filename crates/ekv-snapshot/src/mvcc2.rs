//! `EKVMVCC2` payloads: rewritten as records in raw-key order. Source: `docs/format/snapshot.md`, section 5.1.

use std::sync::Arc;

use ekv_spill::{Scratch, Sorter};

use crate::format::{BODY_LEN_MAX, FLAG_TOMBSTONE, FOOTER_LEN, USER_KEY_LEN_MAX, VALUE_HEADER_LEN};
use crate::record_writer::{BodyPlace, RecordWriter};
use crate::sequential::Sequential;
use crate::stream::{check_end, consume, take};
use crate::{CommitTs, Error, ErrorKind, Input, Result, Watch};

/// The version this tool knows.
const VERSION: u32 = 1;
/// Most versions of one key.
const VERSION_COUNT_MAX: u64 = 1 << 20;
/// Bytes of a version before its value: timestamp, tombstone, expiry, value length.
const VERSION_FIXED_LEN: u64 = 25;
/// Memory for sorting, in bytes.
const SORT_BUDGET: usize = 16 << 20;

/// An `EKVMVCC2` payload in the form of an `EKVPBBL1` payload.
pub(crate) struct Transcoded {
    /// The rewritten payload, without header and footer, in a scratch file.
    pub(crate) records: Input,
    /// The outer footer, if there is one; it has been compared with the bytes before it.
    pub(crate) footer_crc32c: Option<u32>,
    /// Oldest timestamp that is still answerable; the rewritten form has no place for it.
    pub(crate) min_retained_ts: CommitTs,
}

/// Checks the payload at `payload_offset` as a whole and rewrites it.
///
/// Cost: two reads of the input, memory bounded by a constant, scratch space for one copy of the values and of the key of
/// every version.
///
/// # Errors
/// `BodyCrc`, `FooterCrc`, `TokenCrc`, `Truncated`, `KeyTooLarge`, `ValueTooLarge`, `Invalid`, `Io`, `Scratch`.
pub(crate) fn transcode(
    input: &Input,
    payload_offset: u64,
    scratch: &Arc<dyn Scratch>,
    watch: &dyn Watch,
) -> Result<Transcoded> {
    let mut pass = Pass {
        reader: Sequential::new(input, watch),
        crc32: crc32fast::Hasher::new(),
        sorter: Sorter::new(scratch.clone(), SORT_BUDGET),
        raw_key: Vec::new(),
        last_commit_ts: CommitTs(0),
        min_retained_ts: CommitTs(0),
    };
    let outcome = pass.run(payload_offset).map_err(|e| e.in_file(&input.name));
    let Pass { reader, sorter, last_commit_ts, min_retained_ts, .. } = pass;
    let footer_crc32c = check_end(input, reader, outcome)?;
    let records = write(input, last_commit_ts, sorter, scratch)?;
    Ok(Transcoded { records, footer_crc32c, min_retained_ts })
}

/// One read over the payload: checks everything and hands every version to the sorter.
struct Pass<'i> {
    reader: Sequential<'i>,
    crc32: crc32fast::Hasher,
    sorter: Sorter,
    raw_key: Vec<u8>,
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
        let Pass { reader, crc32, raw_key, .. } = self;
        raw_key.clear();
        consume(reader, "key", key_len, |piece| {
            crc32.update(piece);
            raw_key.extend_from_slice(piece);
            Ok(())
        })?;
        let user_key_len = self.raw_key.len();
        let count = self.u64_le("version count")?;
        if count > VERSION_COUNT_MAX {
            return Err(invalid(format!("{count} versions of one key, the limit is {VERSION_COUNT_MAX}")));
        }
        let (needed, available) = (count.saturating_mul(VERSION_FIXED_LEN), self.reader.left());
        if needed > available {
            return Err(Error::new(ErrorKind::Truncated { what: "versions", needed, available }));
        }
        let mut previous = None;
        for _ in 0..count {
            let at = self.reader.offset();
            self.raw_key.truncate(user_key_len);
            previous = Some(self.version(previous).map_err(|e| e.at(at).with_key(&self.raw_key))?);
        }
        Ok(())
    }

    /// One version of the key at the start of `raw_key`; returns its timestamp.
    fn version(&mut self, previous: Option<CommitTs>) -> Result<CommitTs> {
        let commit_ts = CommitTs(self.u64_le("commit timestamp")?);
        self.raw_key.extend_from_slice(&commit_ts.to_suffix());
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
        let place = Place { flags, expire_at, offset, len };
        self.sorter.push(&self.raw_key, &place.encode())?;
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

/// A version without its bytes: value header, and where the value lies in the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    flags: u8,
    expire_at: u64,
    offset: u64,
    len: u64,
}

impl Place {
    const ENCODED_LEN: usize = VALUE_HEADER_LEN + 16;

    fn encode(self) -> Vec<u8> {
        let mut out = self.value_header().to_vec();
        out.extend_from_slice(&self.offset.to_le_bytes());
        out.extend_from_slice(&self.len.to_le_bytes());
        out
    }

    fn decode(bytes: &[u8]) -> Option<Place> {
        let bytes: &[u8; Place::ENCODED_LEN] = bytes.try_into().ok()?;
        let (flags, rest) = bytes.split_first()?;
        let (expire_at, rest) = rest.split_first_chunk()?;
        let (offset, rest) = rest.split_first_chunk()?;
        let len = rest.first_chunk()?;
        Some(Place {
            flags: *flags,
            expire_at: u64::from_le_bytes(*expire_at),
            offset: u64::from_le_bytes(*offset),
            len: u64::from_le_bytes(*len),
        })
    }

    fn value_header(self) -> [u8; VALUE_HEADER_LEN] {
        let [e0, e1, e2, e3, e4, e5, e6, e7] = self.expire_at.to_le_bytes();
        [self.flags, e0, e1, e2, e3, e4, e5, e6, e7]
    }
}

/// Writes the sorted versions as entries; values are copied from where they lie in the input.
fn write(input: &Input, last_commit_ts: CommitTs, sorter: Sorter, scratch: &Arc<dyn Scratch>) -> Result<Input> {
    let mut writer = RecordWriter::new(scratch, last_commit_ts)?;
    let mut sorted = sorter.finish()?;
    while let Some((raw_key, place)) = sorted.next()? {
        let place = Place::decode(place).ok_or_else(|| invalid("a sorted version has changed"))?;
        writer.entry(raw_key, place.value_header(), input, BodyPlace { offset: place.offset, len: place.len })?;
    }
    writer.finish(format!("{} (rewritten as EKVPBBL1)", input.name))
}

fn invalid(reason: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid { structure: "EKVMVCC2 payload", reason: reason.into() })
}

#[cfg(test)]
mod tests;
