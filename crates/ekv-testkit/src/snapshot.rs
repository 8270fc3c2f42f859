//! Snapshots built record by record.

use std::collections::BTreeMap;
use std::sync::Arc;

use ekv_snapshot::{CommitTs, FooterPolicy, Input, MemoryInput, ReadAt};

use crate::sst::{SstFile, SstLayout, SstRow, sst_payload};

/// Builds the bytes of a snapshot file; records may be added in any order.
#[derive(Clone, Debug)]
pub struct SnapshotBuilder {
    ceiling_ms: Option<u64>,
    last_commit_ts: u64,
    entries: BTreeMap<Vec<u8>, Vec<u8>>,
    footer: bool,
}

impl Default for SnapshotBuilder {
    fn default() -> Self {
        SnapshotBuilder { ceiling_ms: Some(0), last_commit_ts: 0, entries: BTreeMap::new(), footer: true }
    }
}

impl SnapshotBuilder {
    /// An empty snapshot with version 1 header and footer.
    pub fn new() -> Self {
        Self::default()
    }

    /// Leaves out header and footer.
    pub fn bare(mut self) -> Self {
        self.ceiling_ms = None;
        self.footer = false;
        self
    }

    /// Sets the payload header's last commit timestamp; otherwise it is the greatest one of the records.
    pub fn last_commit_ts(mut self, ts: u64) -> Self {
        self.last_commit_ts = ts;
        self
    }

    /// Sets the clock ceiling of the header, in Unix milliseconds; otherwise it is 0.
    pub fn ceiling_ms(mut self, ceiling_ms: u64) -> Self {
        self.ceiling_ms = Some(ceiling_ms);
        self
    }

    /// Leaves out the footer.
    pub fn without_footer(mut self) -> Self {
        self.footer = false;
        self
    }

    /// Adds an entry as it is.
    pub fn raw(mut self, raw_key: &[u8], value: &[u8]) -> Self {
        assert!(self.entries.insert(raw_key.to_vec(), value.to_vec()).is_none(), "duplicate raw key");
        self
    }

    /// Adds a version with the given flags and store expiry.
    pub fn version(mut self, user_key: &[u8], ts: u64, flags: u8, expire_at: u64, body: &[u8]) -> Self {
        self.last_commit_ts = self.last_commit_ts.max(ts);
        let value = [&[flags], &expire_at.to_le_bytes()[..], body].concat();
        self.raw(&[user_key, &CommitTs(ts).to_suffix()].concat(), &value)
    }

    /// Adds a version with a body.
    pub fn put(self, user_key: &[u8], ts: u64, body: &[u8]) -> Self {
        self.version(user_key, ts, 0, 0, body)
    }

    /// Adds a tombstone.
    pub fn delete(self, user_key: &[u8], ts: u64) -> Self {
        self.version(user_key, ts, 1, 0, b"")
    }

    /// Adds a row of the store itself.
    pub fn meta_row(self, name: &str, value: u64) -> Self {
        self.raw(format!("_meta_{name}").as_bytes(), &value.to_le_bytes())
    }

    /// The bytes of the file.
    pub fn build(&self) -> Vec<u8> {
        let mut payload = [&b"EKVPBBL1"[..], &self.last_commit_ts.to_le_bytes()].concat();
        for (key, value) in &self.entries {
            payload.extend_from_slice(&entry(key, value));
        }
        self.framed(&payload)
    }

    /// The bytes of a file with the same rows in SST files, `file_rows` in each.
    pub fn build_sst(&self, layout: &SstLayout, file_rows: usize) -> Vec<u8> {
        let rows: Vec<SstRow> = self.entries.clone().into_iter().collect();
        let files: Vec<SstFile> = rows.chunks(file_rows).map(|rows| SstFile::new(rows, layout)).collect();
        self.framed(&sst_payload(&files, self.last_commit_ts))
    }

    fn framed(&self, payload: &[u8]) -> Vec<u8> {
        let header = self.ceiling_ms.map(|ceiling_ms| [&b"EKVTHLC1"[..], &ceiling_ms.to_be_bytes()].concat());
        let out = [&header.unwrap_or_default()[..], payload].concat();
        if self.footer { seal(out) } else { out }
    }

    /// The file as an input in memory.
    pub fn input(&self) -> Input {
        memory_input(self.build())
    }
}

/// The bytes of one entry: two lengths, raw key, value.
pub fn entry(raw_key: &[u8], value: &[u8]) -> Vec<u8> {
    let len = |part: &[u8]| u64::try_from(part.len()).unwrap().to_le_bytes();
    [&len(raw_key)[..], raw_key, &len(value), value].concat()
}

/// Appends the checksum footer.
pub fn seal(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_be_bytes());
    bytes
}

/// Replaces the last four bytes by the right footer.
pub fn reseal(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.truncate(bytes.len() - 4);
    seal(bytes)
}

/// Bytes as an input named `test.fsm` whose footer is optional.
pub fn memory_input(bytes: Vec<u8>) -> Input {
    let len = u64::try_from(bytes.len()).unwrap();
    input_of(Arc::new(MemoryInput(bytes.into())), len)
}

/// A source as an input named `test.fsm` whose footer is optional.
pub fn input_of(source: Arc<dyn ReadAt>, len: u64) -> Input {
    Input { source, len, name: "test.fsm".to_owned(), footer: FooterPolicy::Optional, token_crc32c: None }
}
