//! Pass 2: what is visible at a read timestamp, by range and by key.
//!
//! Source: `docs/format/snapshot.md`, sections 8 and 9.

mod between;
mod count;
mod lookup;
mod range_scan;
mod version_scan;

use std::sync::Arc;

pub use between::{IsWanted, Lasting};
pub use count::{Counts, VisibleTotals};
pub use lookup::Lookup;
pub(crate) use lookup::seek_version;
pub use range_scan::{Mark, RangeScan};
pub use version_scan::{Version, VersionKind, VersionScan};

use ekv_model::FileOffset;

use crate::file::{Cursor, RecordFile};
use crate::format::{NEWEST_ALWAYS_PREFIX, TS_LEN};
use crate::record::{StoredValue, ValueHeader, split_raw_key};
use crate::{CommitTs, Error, ErrorKind, Result, Scan};

/// Buffer of a cursor that reads ranges, in bytes.
const RANGE_WINDOW_LEN: usize = 128 << 10;
/// Buffer of a cursor that looks keys up, in bytes.
const LOOKUP_WINDOW_LEN: usize = 32 << 10;

/// Decides whether a group owns a user key.
pub type Owns = Arc<dyn Fn(&[u8]) -> bool + Send + Sync>;

/// Which group of a view can show a user key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The one with this number, in the order in which the view was given its groups.
    Group(usize),
    /// Any of them.
    Any,
    /// None of them.
    Nobody,
}

/// Tells which group of a view can show user keys, as the [`Group::owns`] of its groups do one by one.
pub trait Owners: Send + Sync {
    /// Who can show a user key.
    fn of(&self, user_key: &[u8]) -> Owner;

    /// Who can show any of the user keys that begin with `prefix`: a group only if no other one can show any of them.
    fn of_prefix(&self, prefix: &[u8]) -> Owner;
}

/// The records of one Raft group, read at one timestamp.
#[derive(Clone)]
pub struct Group {
    /// Record files that hold versions of the same keys; where two hold the same raw key, the first one counts. Overlays
    /// come before the snapshot.
    pub files: Vec<RecordFile>,
    /// Read timestamp.
    pub read_ts: CommitTs,
    /// Which user keys count; `None` = all. A key that several groups of a view own is given once, see [`RangeScan`].
    pub owns: Option<Owns>,
}

/// The visible state of one or more groups.
#[derive(Clone)]
pub struct View {
    groups: Vec<Group>,
    owners: Option<Arc<dyn Owners>>,
}

/// A user key with the version that is visible.
pub struct Visible<'a> {
    /// The bytes that the adapter chose.
    pub user_key: &'a [u8],
    /// When the version was committed.
    pub commit_ts: CommitTs,
    /// Its body, without value header.
    pub body: StoredValue<'a>,
    /// Where the entry lies.
    pub byte_offset: FileOffset,
    /// The value header does not parse: what the version says is unknown, and the body is empty. Only point reads return such versions.
    pub is_damaged: bool,
}

/// A range of raw keys, narrowed to the user keys with one prefix, or of one length.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Range {
    start: Vec<u8>,
    end: Option<Vec<u8>>,
    prefix: Vec<u8>,
    /// Whether all raw keys that begin with `prefix` lie before its end.
    ends_with_prefix: bool,
    user_key_len: Option<usize>,
}

impl Range {
    /// All user keys that begin with `prefix`.
    pub fn prefix(prefix: &[u8]) -> Range {
        Range {
            start: prefix.to_vec(),
            end: successor(prefix),
            prefix: prefix.to_vec(),
            ends_with_prefix: !prefix.is_empty(),
            user_key_len: None,
        }
    }

    /// All raw keys from `start` to before `end` (`None` = to the end).
    pub fn between(start: &[u8], end: Option<&[u8]>) -> Range {
        Range { start: start.to_vec(), end: end.map(<[u8]>::to_vec), ..Range::default() }
    }

    /// The part of the range at or above the raw key `start`.
    #[must_use]
    pub fn starting_at(mut self, start: &[u8]) -> Range {
        if self.start.as_slice() < start {
            self.start = start.to_vec();
        }
        self
    }

    /// The part of the range below the raw key `end`.
    #[must_use]
    pub fn ending_before(mut self, end: &[u8]) -> Range {
        if self.holds(end) {
            self.end = Some(end.to_vec());
            self.ends_with_prefix = false;
        }
        self
    }

    /// The user keys of the range with exactly so many bytes. Longer ones, which can lie between their versions, are jumped over.
    #[must_use]
    pub fn of_length(self, user_key_len: usize) -> Range {
        Range { user_key_len: Some(user_key_len), ..self }
    }

    fn holds(&self, raw_key: &[u8]) -> bool {
        self.end.as_deref().is_none_or(|end| raw_key < end)
    }
}

/// The smallest byte string above all that begin with `prefix`; `None` if there is none.
fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let cut = prefix.iter().rposition(|b| *b != 0xff)?;
    let mut end = prefix.get(..=cut)?.to_vec();
    if let Some(last) = end.last_mut() {
        *last = last.saturating_add(1);
    }
    Some(end)
}

/// How to get beyond a record whose user key is longer than those that are looked for.
enum Jump {
    /// To the first record at or above this raw key.
    To(Vec<u8>),
    /// No raw key lies behind it.
    Nowhere,
    /// The raw key is not longer.
    No,
}

/// What comes behind all raw keys that go on where one of a user key of `user_key_len` bytes ends, as `raw_key` does.
fn behind_longer_keys(raw_key: &[u8], user_key_len: usize) -> Jump {
    let raw_key_len = user_key_len.saturating_add(TS_LEN);
    match raw_key.get(..raw_key_len).filter(|beginning| beginning.len() < raw_key.len()) {
        Some(beginning) => successor(beginning).map_or(Jump::Nowhere, Jump::To),
        None => Jump::No,
    }
}

/// Checks that a snapshot can answer a read at `read_ts`. Source: `docs/format/snapshot.md`, section 8.
///
/// # Errors
/// `TsZero`, or `TsCompacted` below the retention watermark.
pub fn check_read_ts(scan: &Scan, read_ts: CommitTs) -> Result<()> {
    if read_ts == CommitTs(0) {
        return Err(Error::new(ErrorKind::TsZero));
    }
    let oldest = scan.watermarks.oldest_answerable();
    if oldest != 0 && read_ts != CommitTs::MAX && read_ts.0 < oldest {
        return Err(Error::new(ErrorKind::TsCompacted { read_ts: read_ts.0, oldest }));
    }
    Ok(())
}

impl View {
    /// The union of `groups`.
    pub fn new(groups: Vec<Group>) -> View {
        View { groups, owners: None }
    }

    /// The same view, which asks `owners` in the place of all groups which of them can show a user key.
    #[must_use]
    pub fn with_owners(self, owners: Arc<dyn Owners>) -> View {
        View { owners: Some(owners), ..self }
    }

    /// A view of one file at one timestamp.
    pub fn of_file(file: &RecordFile, read_ts: CommitTs) -> View {
        View::new(vec![Group { files: vec![file.clone()], read_ts, owns: None }])
    }

    /// The same view at another moment, for all groups. What was staged then counts only if it counts in this view.
    #[must_use]
    pub fn reading_at(&self, read_ts: CommitTs) -> View {
        let groups = self.groups.iter().map(|group| Group { read_ts, ..group.clone() }).collect();
        View { groups, owners: self.owners.clone() }
    }

    /// The record files of its groups, each with the number of its group.
    pub fn files(&self) -> impl Iterator<Item = (usize, &RecordFile)> {
        self.groups.iter().enumerate().flat_map(|(number, group)| group.files.iter().map(move |file| (number, file)))
    }

    /// A reader for ranges; begin with [`RangeScan::seek`].
    pub fn scan(&self) -> RangeScan {
        self.scan_with(RANGE_WINDOW_LEN)
    }

    /// A reader for many short ranges: as [`View::scan`], with a smaller buffer.
    pub fn probe(&self) -> RangeScan {
        self.scan_with(LOOKUP_WINDOW_LEN)
    }

    fn scan_with(&self, window_len: usize) -> RangeScan {
        RangeScan::new(self, window_len)
    }

    /// A reader for the given range.
    ///
    /// # Errors
    /// As [`RangeScan::seek`].
    pub fn scan_range(&self, range: Range) -> Result<RangeScan> {
        let mut scan = self.scan();
        scan.seek(range)?;
        Ok(scan)
    }

    fn scan_with_unowned(&self, range: Range) -> Result<RangeScan> {
        let mut scan = self.scan();
        scan.give_unowned();
        scan.seek(range)?;
        Ok(scan)
    }

    /// A reader for single keys.
    pub fn lookup(&self) -> Lookup {
        Lookup::new(self, LOOKUP_WINDOW_LEN)
    }

    /// The largest read timestamp of its groups.
    pub fn read_ts(&self) -> CommitTs {
        self.groups.iter().map(|group| group.read_ts).max().unwrap_or_default()
    }
}

pub(crate) fn effective_read_ts(user_key: &[u8], read_ts: CommitTs) -> CommitTs {
    if user_key.starts_with(NEWEST_ALWAYS_PREFIX) { CommitTs::MAX } else { read_ts }
}

/// What the version under the cursor shows at a read timestamp.
pub(crate) enum Shows {
    /// Its body.
    Body,
    /// Nothing: deleted or past its store expiry.
    Nothing,
    /// Its value header does not parse; pass 1 has counted it as lost.
    Damage,
}

pub(crate) fn shows(cursor: &Cursor, read_ts: CommitTs) -> Shows {
    let value = cursor.value();
    match ValueHeader::parse(value.head(), value.len()) {
        Ok(header) if header.hides_at(read_ts) => Shows::Nothing,
        Ok(_) => Shows::Body,
        Err(_) => Shows::Damage,
    }
}

fn visible(cursor: &Cursor) -> Option<Visible<'_>> {
    let (user_key, commit_ts) = split_raw_key(cursor.raw_key())?;
    let byte_offset = cursor.file_offset();
    Some(Visible { user_key, commit_ts, body: cursor.value().without_header(), byte_offset, is_damaged: false })
}

#[cfg(test)]
mod tests;
