//! All versions by range, whatever the read timestamp.

use ekv_text::ordered::common_prefix_len;

use super::Range;
use crate::format::TS_LEN;
use crate::merge::Merge;
use crate::record::{StoredValue, UnversionedRow, ValueHeader, split_raw_key};
use crate::resolver::OpenKeys;
use crate::{CommitTs, RecordFile, Result};

/// Buffer of the cursors, in bytes.
const WINDOW_LEN: usize = 128 << 10;

/// What a version says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VersionKind {
    /// There is a body.
    Put,
    /// The key was deleted.
    Tombstone,
    /// The value header does not parse.
    Damaged,
}

/// One version of a user key.
pub struct Version<'a> {
    /// The bytes that the adapter chose.
    pub user_key: &'a [u8],
    /// When the version was committed.
    pub commit_ts: CommitTs,
    /// What it says.
    pub kind: VersionKind,
    /// What the next newer version of the same user key says; `None` if this is the newest one.
    pub newer: Option<VersionKind>,
    /// Whether this is the newest version of its user key, but a record of another key lies between it and the place where
    /// a version with the greatest timestamp would be. A reader that takes the first record at that place misses the key.
    ///
    /// Source: `docs/format/snapshot.md`, sections 11.4 and 16.
    pub shadowed: bool,
    /// The body, without value header.
    pub body: StoredValue<'a>,
    /// Byte offset of the entry in its snapshot.
    pub byte_offset: u64,
}

/// All versions of the user keys of a range, ascending by raw key: those of one key newest first, though not always one after
/// the other (section 9).
pub struct VersionScan {
    merge: Merge,
    range: Range,
    keys: OpenKeys<VersionKind>,
    /// What the scan stands on, once it has begun.
    on: Option<Standing>,
}

/// What is known about the current version beyond its bytes.
#[derive(Clone, Copy)]
struct Standing {
    kind: VersionKind,
    newer: Option<VersionKind>,
    shadowed: bool,
}

impl VersionScan {
    /// Reads the versions in `files`; where two hold the same raw key, the first one counts.
    ///
    /// # Errors
    /// A failing read.
    pub fn new(files: &[RecordFile], range: Range) -> Result<VersionScan> {
        let mut merge = Merge::new(files, WINDOW_LEN);
        merge.seek(&range.start)?;
        Ok(VersionScan { merge, range, keys: OpenKeys::default(), on: None })
    }

    /// The next version; `None` at the end of the range.
    ///
    /// # Errors
    /// A failing read.
    pub fn next_version(&mut self) -> Result<Option<Version<'_>>> {
        if self.on.take().is_some() {
            self.merge.advance()?;
        }
        while let Some(cursor) = self.merge.current() {
            let raw_key = cursor.raw_key();
            if !self.range.holds(raw_key) {
                self.merge.end();
                break;
            }
            let common = common_prefix_len(raw_key, self.keys.previous());
            match split_raw_key(raw_key).filter(|_| UnversionedRow::of(raw_key).is_none()) {
                None => self.keys.pass(raw_key, common),
                Some((user_key, _)) => {
                    let value = cursor.value();
                    let kind = match ValueHeader::parse(value.head(), value.len()) {
                        Ok(header) if header.tombstone => VersionKind::Tombstone,
                        Ok(_) => VersionKind::Put,
                        Err(_) => VersionKind::Damaged,
                    };
                    // The record before lies at or above the place of the greatest timestamp: the key with eight zero bytes.
                    let before = self.keys.previous().get(user_key.len()..).filter(|_| common >= user_key.len());
                    let covered = before.is_some_and(|rest| rest >= [0; TS_LEN].as_slice());
                    let newer = self.keys.update(raw_key, common, |_| kind);
                    if self.range.prefix.is_empty() || user_key.starts_with(&self.range.prefix) {
                        self.on = Some(Standing { kind, newer, shadowed: newer.is_none() && covered });
                        break;
                    }
                }
            }
            self.merge.advance()?;
        }
        Ok(self.current())
    }

    /// The version that [`VersionScan::next_version`] returned last.
    pub fn current(&self) -> Option<Version<'_>> {
        let Standing { kind, newer, shadowed } = self.on?;
        let cursor = self.merge.current()?;
        let (user_key, commit_ts) = split_raw_key(cursor.raw_key())?;
        let body = cursor.value().without_header();
        Some(Version { user_key, commit_ts, kind, newer, shadowed, body, byte_offset: cursor.byte_offset() })
    }
}
