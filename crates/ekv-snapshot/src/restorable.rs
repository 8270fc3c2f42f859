//! Payloads that a new node can begin from. Source: `docs/format/restore.md`, sections 3.1 and 7.2.
//!
//! Stricter than [`crate::scan()`], since a node takes every record as it is: raw keys ascend, each user key has one version, no
//! version is a deletion or encrypted, nothing belongs to the store itself, nothing is newer than the header says.

use crate::entry::{self, Entry, check_order, need, too_many_entries};
use crate::format::{PAYLOAD_HEADER_LEN, PAYLOAD_MAGIC, RESTORABLE_RAW_KEY_LEN_MAX};
use crate::record::{UnversionedRow, ValueHeader, split_raw_key};
use crate::resolver::OpenKeys;
use crate::sequential::Sequential;
use crate::stream::len_u64;
use crate::{CommitTs, Error, ErrorKind, Input, Result, escape};
use ekv_model::Monitor;
use ekv_text::ordered::common_prefix_len;

/// Longest piece in bytes, unless a key is longer.
const PIECE_LEN: usize = 64 << 10;
/// Beginning of the keys of the store's own rows.
const STORE_ROW_PREFIX: &[u8] = b"_meta_";

/// What a restorable payload holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RestorableTotals {
    /// Last commit timestamp of the header.
    pub last_commit_ts: CommitTs,
    /// Records.
    pub records: u64,
    /// Commit timestamps of the oldest and newest record; `None` without records.
    pub commit_ts_bounds: Option<(CommitTs, CommitTs)>,
    /// Records with an expiry of the store's own; `encode` writes none.
    pub store_expiries: u64,
}

/// Reads a bare payload from front to back, checks every record, and hands out each byte once, after it was checked.
///
/// Cost: one sequential read; a fixed buffer and one raw key.
///
/// ```
/// use ekv_model::NoMonitor;
/// use ekv_snapshot::{FooterPolicy, Input, MemoryInput, RestorablePayload};
///
/// let bytes = b"EKVPBBL1\x07\0\0\0\0\0\0\0";
/// let source = std::sync::Arc::new(MemoryInput(bytes.as_slice().into()));
/// let input = Input { source, len: 16, name: "payload".into(), footer: FooterPolicy::Optional, token_crc32c: None };
/// let mut payload = RestorablePayload::new(&input, &NoMonitor);
/// let mut copy = Vec::new();
/// while let Some(piece) = payload.next_piece()? {
///     copy.extend_from_slice(piece);
/// }
/// assert_eq!(copy, bytes);
/// assert_eq!(payload.totals().last_commit_ts.0, 7);
/// # Ok::<(), ekv_snapshot::Error>(())
/// ```
pub struct RestorablePayload<'i> {
    input: &'i Input,
    reader: Sequential<'i>,
    keys: OpenKeys<()>,
    /// Bytes that were handed out and not passed yet.
    handed_out: u64,
    /// Bytes of the current entry that were checked and not handed out yet.
    checked: u64,
    records_max: u64,
    totals: RestorableTotals,
}

impl<'i> RestorablePayload<'i> {
    /// Begins to read; the input is the payload alone, without header and footer of a server file.
    pub fn new(input: &'i Input, monitor: &'i dyn Monitor) -> Self {
        RestorablePayload {
            input,
            reader: Sequential::new(input, monitor),
            keys: OpenKeys::default(),
            handed_out: 0,
            checked: 0,
            records_max: u64::MAX,
            totals: RestorableTotals::default(),
        }
    }

    /// The same, of which more than `records_max` records are refused.
    #[must_use]
    pub fn at_most(mut self, records_max: u64) -> Self {
        self.records_max = records_max;
        self
    }

    /// The next bytes of the payload; `None` at its end, when all of it was checked.
    ///
    /// # Errors
    /// Where the payload cannot be restored: every structural kind of `docs/format/snapshot.md`, section 15, `Order`, `ShortKey`,
    /// `ShortValue`, `ReservedFlags`, `Encrypted`, `SecondVersion`, `Tombstone`, `StoreRow`, `NewerThanHeader`; or a failing read.
    pub fn next_piece(&mut self) -> Result<Option<&[u8]>> {
        let input = self.input;
        self.advance().map_err(|e| e.in_file(&input.name))?;
        if self.checked == 0 {
            return Ok(None);
        }
        let len = usize::try_from(self.checked).unwrap_or(PIECE_LEN).min(PIECE_LEN);
        let piece = self.reader.ahead(len)?;
        self.handed_out = len_u64(piece);
        self.checked = self.checked.saturating_sub(self.handed_out);
        Ok(Some(piece))
    }

    /// What was read so far.
    pub fn totals(&self) -> RestorableTotals {
        self.totals
    }

    /// Passes what was handed out, and checks what comes next unless more of the last entry is left.
    fn advance(&mut self) -> Result<()> {
        self.reader.skip(std::mem::take(&mut self.handed_out))?;
        if self.checked > 0 {
            return Ok(());
        }
        match (self.reader.offset(), self.reader.left()) {
            (0, _) => self.header(),
            (_, 0) => Ok(()),
            (_, _) => self.entry(),
        }
    }

    fn header(&mut self) -> Result<()> {
        need(&self.reader, "payload header", PAYLOAD_HEADER_LEN, 0)?;
        let header = self.reader.ahead(16)?;
        let Some((magic, last_commit_ts)) = header.split_first_chunk::<8>() else { return Ok(()) };
        if magic != PAYLOAD_MAGIC {
            return Err(Error::new(ErrorKind::NotAPayload { found: escape(magic) }).at(0));
        }
        let last_commit_ts = last_commit_ts.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        self.totals.last_commit_ts = CommitTs(last_commit_ts);
        self.checked = PAYLOAD_HEADER_LEN;
        Ok(())
    }

    fn entry(&mut self) -> Result<()> {
        let at = self.reader.offset();
        let entry = entry::peek(&mut self.reader, RESTORABLE_RAW_KEY_LEN_MAX)?;
        let first = self.totals.records == 0;
        if self.totals.records >= self.records_max {
            return Err(Error::new(too_many_entries(self.records_max)).at(at));
        }
        check(&entry, first, &mut self.keys, &mut self.totals).map_err(|e| e.at(at).with_key(entry.raw_key))?;
        self.checked = entry.len;
        Ok(())
    }
}

fn check(entry: &Entry<'_>, first: bool, keys: &mut OpenKeys<()>, totals: &mut RestorableTotals) -> Result<()> {
    let raw_key = entry.raw_key;
    let common_len = common_prefix_len(raw_key, keys.previous());
    if !first {
        check_order(keys.previous(), raw_key, common_len)?;
    }
    if raw_key.starts_with(STORE_ROW_PREFIX) || UnversionedRow::of(raw_key).is_some() {
        return Err(Error::new(ErrorKind::StoreRow));
    }
    let Some((_, commit_ts)) = split_raw_key(raw_key) else {
        return Err(Error::new(ErrorKind::ShortKey { len: len_u64(raw_key) }));
    };
    let header = ValueHeader::parse(entry.value_head, entry.value_len)?;
    if keys.update(raw_key, common_len, |_| ()).is_some() {
        return Err(Error::new(ErrorKind::SecondVersion));
    }
    if header.tombstone {
        return Err(Error::new(ErrorKind::Tombstone));
    }
    if commit_ts > totals.last_commit_ts {
        let last_commit_ts = totals.last_commit_ts.0;
        return Err(Error::new(ErrorKind::NewerThanHeader { commit_ts: commit_ts.0, last_commit_ts }));
    }
    let (oldest, newest) = totals.commit_ts_bounds.unwrap_or((commit_ts, commit_ts));
    totals.commit_ts_bounds = Some((oldest.min(commit_ts), newest.max(commit_ts)));
    totals.records = totals.records.saturating_add(1);
    totals.store_expiries = totals.store_expiries.saturating_add(u64::from(header.expire_at.0 != 0));
    Ok(())
}

#[cfg(test)]
mod tests;
