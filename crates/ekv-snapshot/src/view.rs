//! Pass 2: what is visible at a read timestamp, by range and by key.
//!
//! Source: `docs/format/snapshot.md`, sections 8 and 9.

use std::sync::Arc;

use crate::file::{Cursor, RecordFile};
use crate::format::NEWEST_ALWAYS_PREFIX;
use crate::record::{StoredValue, UnversionedRow, ValueHeader, split_raw_key};
use crate::resolver::{Resolver, Standing, common_prefix_len};
use crate::{CommitTs, Error, ErrorKind, Result, Scan};

/// Buffer of a cursor that reads ranges, in bytes.
const RANGE_WINDOW_LEN: usize = 128 << 10;
/// Buffer of a cursor that looks keys up, in bytes.
const LOOKUP_WINDOW_LEN: usize = 32 << 10;

/// Decides whether a group owns a user key.
pub type Owns = Arc<dyn Fn(&[u8]) -> bool + Send + Sync>;

/// The records of one Raft group, read at one timestamp.
#[derive(Clone)]
pub struct Group {
    /// Record files that hold versions of the same keys; where two hold the same raw key, the first one counts.
    pub files: Vec<RecordFile>,
    /// Read timestamp.
    pub read_ts: CommitTs,
    /// Which user keys count; `None` = all. Groups of one view own disjoint keys.
    pub owns: Option<Owns>,
}

/// The visible state of one or more groups.
#[derive(Clone)]
pub struct View {
    groups: Vec<Group>,
}

/// A user key with the version that is visible.
pub struct Visible<'a> {
    /// The bytes that the adapter chose.
    pub user_key: &'a [u8],
    /// When the version was committed.
    pub commit_ts: CommitTs,
    /// Its body, without value header.
    pub body: StoredValue<'a>,
    /// Byte offset of the entry in its snapshot.
    pub byte_offset: u64,
}

/// A range of raw keys, narrowed to the user keys with one prefix.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Range {
    start: Vec<u8>,
    end: Option<Vec<u8>>,
    prefix: Vec<u8>,
}

impl Range {
    /// All user keys that begin with `prefix`.
    pub fn prefix(prefix: &[u8]) -> Range {
        Range { start: prefix.to_vec(), end: successor(prefix), prefix: prefix.to_vec() }
    }

    /// All raw keys from `start` to before `end` (`None` = to the end).
    pub fn between(start: &[u8], end: Option<&[u8]>) -> Range {
        Range { start: start.to_vec(), end: end.map(<[u8]>::to_vec), prefix: Vec::new() }
    }

    /// The part of the range at or above the raw key `start`.
    #[must_use]
    pub fn starting_at(mut self, start: &[u8]) -> Range {
        if self.start.as_slice() < start {
            self.start = start.to_vec();
        }
        self
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

/// Index of the smallest key; of the first one where keys are equal.
fn smallest<'k>(keys: impl Iterator<Item = Option<&'k [u8]>>) -> Option<usize> {
    keys.enumerate().filter_map(|(i, key)| key.map(|key| (key, i))).min().map(|(_, i)| i)
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
    /// The union of `groups`, which own disjoint keys.
    pub fn new(groups: Vec<Group>) -> View {
        View { groups }
    }

    /// A view of one file at one timestamp.
    pub fn of_file(file: &RecordFile, read_ts: CommitTs) -> View {
        View::new(vec![Group { files: vec![file.clone()], read_ts, owns: None }])
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
        RangeScan { groups: self.groups.iter().map(|group| GroupScan::new(group, window_len)).collect(), on: None }
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

    /// A reader for single keys.
    pub fn lookup(&self) -> Lookup {
        let cursors = |group: &Group| group.files.iter().map(|file| Cursor::new(file, LOOKUP_WINDOW_LEN)).collect();
        Lookup { groups: self.groups.iter().map(|group| (group.clone(), cursors(group))).collect(), target: Vec::new() }
    }

    /// The largest read timestamp of its groups.
    pub fn read_ts(&self) -> CommitTs {
        self.groups.iter().map(|group| group.read_ts).max().unwrap_or_default()
    }
}

fn effective_read_ts(user_key: &[u8], read_ts: CommitTs) -> CommitTs {
    if user_key.starts_with(NEWEST_ALWAYS_PREFIX) { CommitTs::MAX } else { read_ts }
}

/// What the version under the cursor shows at a read timestamp.
enum Shows {
    /// Its body.
    Body,
    /// Nothing: deleted or past its store expiry.
    Nothing,
    /// Its value header does not parse; pass 1 has counted it as lost.
    Damage,
}

fn shows(cursor: &Cursor, read_ts: CommitTs) -> Shows {
    let value = cursor.value();
    match ValueHeader::parse(value.head(), value.len()) {
        Ok(header) if header.hides_at(read_ts) => Shows::Nothing,
        Ok(_) => Shows::Body,
        Err(_) => Shows::Damage,
    }
}

fn visible(cursor: &Cursor) -> Option<Visible<'_>> {
    let (user_key, commit_ts) = split_raw_key(cursor.raw_key())?;
    let byte_offset = cursor.byte_offset();
    Some(Visible { user_key, commit_ts, body: cursor.value().without_header(), byte_offset })
}

/// A place in a [`RangeScan`].
#[derive(Clone, Debug)]
pub struct Mark {
    groups: Vec<GroupMark>,
    on: Option<usize>,
}

/// A place in a [`GroupScan`]: also which keys were decided before it, since their older versions may follow.
#[derive(Clone, Debug)]
struct GroupMark {
    offsets: Vec<u64>,
    on: Option<usize>,
    resolver: Resolver,
}

/// Visible user keys of a range, ascending by the raw key of the visible version.
///
/// Versions with a damaged value header are passed over. That is *not* ascending by user key: where one key begins with another, the longer one usually comes first (section 9).
pub struct RangeScan {
    groups: Vec<GroupScan>,
    /// The group whose record was returned last.
    on: Option<usize>,
}

impl RangeScan {
    /// Goes to the start of a range. Ascending ranges are read without going back.
    ///
    /// # Errors
    /// A failing read.
    pub fn seek(&mut self, range: Range) -> Result<()> {
        self.on = None;
        for group in &mut self.groups {
            group.seek(&range)?;
        }
        Ok(())
    }

    /// The user key that [`RangeScan::next_visible`] returned last.
    pub fn current(&self) -> Option<Visible<'_>> {
        self.on.and_then(|on| self.groups.get(on)).and_then(GroupScan::current)
    }

    /// Remembers the current place, for [`RangeScan::rewind`].
    pub fn mark(&self) -> Mark {
        Mark { groups: self.groups.iter().map(GroupScan::mark).collect(), on: self.on }
    }

    /// Goes back to a place of the same range; [`RangeScan::current`] is then what it was.
    ///
    /// # Errors
    /// A failing read.
    pub fn rewind(&mut self, mark: &Mark) -> Result<()> {
        self.on = mark.on;
        for (group, mark) in self.groups.iter_mut().zip(&mark.groups) {
            group.rewind(mark)?;
        }
        Ok(())
    }

    /// The next visible user key; `None` at the end of the range.
    ///
    /// # Errors
    /// A failing read.
    pub fn next_visible(&mut self) -> Result<Option<Visible<'_>>> {
        if let Some(group) = self.on.take().and_then(|on| self.groups.get_mut(on)) {
            group.step()?;
        }
        self.on = match self.groups.as_slice() {
            [_] => Some(0),
            groups => smallest(groups.iter().map(GroupScan::raw_key)),
        };
        Ok(self.on.and_then(|on| self.groups.get(on)).and_then(GroupScan::current))
    }
}

/// The range scan of one group: a merge of its files, resolved.
struct GroupScan {
    cursors: Vec<Cursor>,
    read_ts: CommitTs,
    owns: Option<Owns>,
    resolver: Resolver,
    range: Range,
    /// The cursor that stands on the visible record.
    on: Option<usize>,
}

impl GroupScan {
    fn new(group: &Group, window_len: usize) -> GroupScan {
        GroupScan {
            cursors: group.files.iter().map(|file| Cursor::new(file, window_len)).collect(),
            read_ts: group.read_ts,
            owns: group.owns.clone(),
            resolver: Resolver::default(),
            range: Range::default(),
            on: None,
        }
    }

    fn seek(&mut self, range: &Range) -> Result<()> {
        self.range.clone_from(range);
        self.resolver.reset();
        for cursor in &mut self.cursors {
            cursor.seek(&self.range.start)?;
        }
        self.find()
    }

    fn raw_key(&self) -> Option<&[u8]> {
        self.on.and_then(|on| self.cursors.get(on)).map(Cursor::raw_key)
    }

    fn mark(&self) -> GroupMark {
        let offsets = self.cursors.iter().map(Cursor::byte_offset).collect();
        GroupMark { offsets, on: self.on, resolver: self.resolver.clone() }
    }

    fn rewind(&mut self, mark: &GroupMark) -> Result<()> {
        for (cursor, offset) in self.cursors.iter_mut().zip(&mark.offsets) {
            cursor.go_to(*offset)?;
        }
        self.on = mark.on;
        self.resolver.clone_from(&mark.resolver);
        Ok(())
    }

    fn current(&self) -> Option<Visible<'_>> {
        self.on.and_then(|on| self.cursors.get(on)).and_then(visible)
    }

    fn step(&mut self) -> Result<()> {
        self.pass_current()?;
        self.find()
    }

    /// Moves every cursor beyond the record just looked at.
    fn pass_current(&mut self) -> Result<()> {
        let Some(on) = self.on.take() else { return Ok(()) };
        if self.cursors.len() > 1 {
            // The resolver has kept the raw key.
            let previous = self.resolver.previous();
            for (i, cursor) in self.cursors.iter_mut().enumerate() {
                if i != on && cursor.is_on_record() && cursor.raw_key() == previous {
                    cursor.advance()?;
                }
            }
        }
        if let Some(cursor) = self.cursors.get_mut(on) {
            cursor.advance()?;
        }
        Ok(())
    }

    /// Goes on until a cursor stands on a visible record, or to the end.
    fn find(&mut self) -> Result<()> {
        loop {
            let at = match self.cursors.as_slice() {
                [only] => only.is_on_record().then_some(0),
                cursors => smallest(cursors.iter().map(|c| c.is_on_record().then(|| c.raw_key()))),
            };
            self.on = at;
            let Some(cursor) = at.and_then(|i| self.cursors.get(i)) else { return Ok(()) };
            let raw_key = cursor.raw_key();
            if !self.range.holds(raw_key) {
                self.on = None;
                return Ok(());
            }
            let common = common_prefix_len(raw_key, self.resolver.previous());
            let Some((user_key, commit_ts)) = split_raw_key(raw_key).filter(|_| UnversionedRow::of(raw_key).is_none())
            else {
                self.resolver.pass(raw_key, common);
                self.pass_current()?;
                continue;
            };
            let read_ts = effective_read_ts(user_key, self.read_ts);
            let standing = self.resolver.next(raw_key, common, commit_ts, read_ts).standing;
            if standing == Standing::Decides
                && user_key.starts_with(&self.range.prefix)
                && self.owns.as_ref().is_none_or(|owns| owns(user_key))
                && matches!(shows(cursor, read_ts), Shows::Body)
            {
                return Ok(());
            }
            self.pass_current()?;
        }
    }
}

/// Looks up single user keys. Keys in ascending order of their raw keys cost one read of the range altogether.
pub struct Lookup {
    groups: Vec<(Group, Vec<Cursor>)>,
    target: Vec<u8>,
}

impl Lookup {
    /// The visible version of `user_key`, if there is one; one with a damaged value header is there, with an empty body.
    ///
    /// # Errors
    /// A failing read.
    pub fn get(&mut self, user_key: &[u8]) -> Result<Option<Visible<'_>>> {
        if user_key.is_empty() {
            return Ok(None);
        }
        for (group, cursors) in &mut self.groups {
            if group.owns.as_ref().is_some_and(|owns| !owns(user_key)) {
                continue;
            }
            let read_ts = effective_read_ts(user_key, group.read_ts);
            self.target.clear();
            self.target.extend_from_slice(user_key);
            self.target.extend_from_slice(&read_ts.to_suffix());
            let mut newest: Option<(CommitTs, usize)> = None;
            for (i, cursor) in cursors.iter_mut().enumerate() {
                if let Some(found) = seek_version(cursor, user_key, &self.target)?
                    && newest.is_none_or(|(ts, _)| ts < found)
                {
                    newest = Some((found, i));
                }
            }
            let Some(cursor) = newest.and_then(|(_, i)| cursors.get(i)) else { continue };
            return match shows(cursor, read_ts) {
                Shows::Nothing => Ok(None),
                Shows::Body => Ok(visible(cursor)),
                Shows::Damage => Ok(visible(cursor).map(|found| Visible { body: found.body.slice(0, 0), ..found })),
            };
        }
        Ok(None)
    }
}

/// Moves to the first version of `user_key` at or after the raw key `target`; longer keys may lie in between.
fn seek_version(cursor: &mut Cursor, user_key: &[u8], target: &[u8]) -> Result<Option<CommitTs>> {
    cursor.seek(target)?;
    while cursor.is_on_record() && cursor.raw_key().starts_with(user_key) {
        let raw_key = cursor.raw_key();
        match split_raw_key(raw_key) {
            Some((found, commit_ts)) if found == user_key && UnversionedRow::of(raw_key).is_none() => {
                return Ok(Some(commit_ts));
            }
            _ => cursor.advance()?,
        };
    }
    Ok(None)
}
