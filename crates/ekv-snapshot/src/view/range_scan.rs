//! Visible user keys by range.

use super::{Group, Jump, Owns, Range, Shows, Visible, behind_longer_keys, effective_read_ts, shows, visible};
use crate::file::{Cursor, NEAR_RECORDS};
use crate::merge::{Merge, MergeMark, smallest};
use crate::record::{UnversionedRow, split_raw_key};
use crate::resolver::{OpenKeys, Resolver, Standing, common_prefix_len};
use crate::{CommitTs, Result};

/// A place in a [`RangeScan`].
#[derive(Clone, Debug)]
pub struct Mark {
    groups: Vec<GroupMark>,
    given: OpenKeys<()>,
    on: Option<usize>,
}

/// A place in a [`GroupScan`]: also which keys were decided before it, since their older versions may follow.
#[derive(Clone, Debug)]
struct GroupMark {
    place: MergeMark,
    resolver: Resolver,
}

/// Visible user keys of a range, ascending by the raw key of the visible version.
///
/// That is *not* ascending by user key: where one key begins with another, the longer one usually comes first (section 9).
/// Versions with a damaged value header are passed over. A key that several groups own and show is given once, as its newest
/// visible version.
pub struct RangeScan {
    groups: Vec<GroupScan>,
    /// With several groups: the user keys that were given and may come again from another group.
    given: OpenKeys<()>,
    /// The group whose record was returned last.
    on: Option<usize>,
}

impl RangeScan {
    pub(super) fn new(groups: &[Group], window_len: usize) -> RangeScan {
        let groups = groups.iter().map(|group| GroupScan::new(group, window_len)).collect();
        RangeScan { groups, given: OpenKeys::default(), on: None }
    }

    /// Goes to the start of a range. Ascending ranges are read without going back.
    ///
    /// # Errors
    /// A failing read.
    pub fn seek(&mut self, range: Range) -> Result<()> {
        self.on = None;
        self.given.reset();
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
        Mark { groups: self.groups.iter().map(GroupScan::mark).collect(), given: self.given.clone(), on: self.on }
    }

    /// Goes back to a place of the same range; [`RangeScan::current`] is then what it was.
    ///
    /// # Errors
    /// A failing read.
    pub fn rewind(&mut self, mark: &Mark) -> Result<()> {
        self.on = mark.on;
        self.given.clone_from(&mark.given);
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
        if self.groups.len() == 1 {
            self.on = Some(0);
        } else {
            self.find_among_groups()?;
        }
        Ok(self.current())
    }

    fn find_among_groups(&mut self) -> Result<()> {
        loop {
            self.on = smallest(self.groups.iter().map(GroupScan::raw_key));
            let Some(group) = self.on.and_then(|on| self.groups.get_mut(on)) else { return Ok(()) };
            if group.is_unowned {
                return Ok(());
            }
            let raw_key = group.raw_key().unwrap_or_default();
            let common = common_prefix_len(raw_key, self.given.previous());
            // Equal raw keys come one after the other and are no news to the open keys.
            if self.given.update(raw_key, common, |_| ()).is_none() {
                return Ok(());
            }
            group.step()?;
        }
    }

    /// From the next [`RangeScan::seek`] on, also gives what groups hold without owning it.
    pub(super) fn give_unowned(&mut self) {
        for group in &mut self.groups {
            group.gives_unowned = true;
        }
    }

    /// As [`RangeScan::next_visible`], and says what the record is.
    pub(super) fn next_with_origin(&mut self) -> Result<Option<(Visible<'_>, Origin)>> {
        self.next_visible()?;
        let group = self.on.and_then(|on| self.groups.get(on));
        Ok(group.and_then(|group| Some((group.current()?, group.origin()))))
    }
}

/// Where a visible record comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The snapshot of its group.
    Snapshot,
    /// A file that was added to it.
    Overlay,
    /// A snapshot of a group that does not own it.
    Unowned,
}

/// The range scan of one group: a merge of its files, resolved.
struct GroupScan {
    merge: Merge,
    read_ts: CommitTs,
    owns: Option<Owns>,
    resolver: Resolver,
    range: Range,
    /// Whether the scan also stops at records that the group does not own.
    gives_unowned: bool,
    /// Whether it stands on such a record.
    is_unowned: bool,
}

impl GroupScan {
    fn new(group: &Group, window_len: usize) -> GroupScan {
        GroupScan {
            merge: Merge::new(&group.files, window_len),
            read_ts: group.read_ts,
            owns: group.owns.clone(),
            resolver: Resolver::default(),
            range: Range::default(),
            gives_unowned: false,
            is_unowned: false,
        }
    }

    fn seek(&mut self, range: &Range) -> Result<()> {
        self.range.clone_from(range);
        self.resolver.reset();
        self.merge.seek(&self.range.start)?;
        self.find()
    }

    fn raw_key(&self) -> Option<&[u8]> {
        self.merge.current().map(Cursor::raw_key)
    }

    fn mark(&self) -> GroupMark {
        GroupMark { place: self.merge.mark(), resolver: self.resolver.clone() }
    }

    fn rewind(&mut self, mark: &GroupMark) -> Result<()> {
        self.merge.go_to(&mark.place)?;
        self.resolver.clone_from(&mark.resolver);
        Ok(())
    }

    fn current(&self) -> Option<Visible<'_>> {
        self.merge.current().and_then(visible)
    }

    fn origin(&self) -> Origin {
        match self.merge.current() {
            _ if self.is_unowned => Origin::Unowned,
            Some(cursor) if cursor.file().is_overlay() => Origin::Overlay,
            _ => Origin::Snapshot,
        }
    }

    fn step(&mut self) -> Result<()> {
        self.merge.advance()?;
        self.find()
    }

    /// Goes on until the merge stands on a visible record that the group owns, or to the end.
    fn find(&mut self) -> Result<()> {
        let mut passed = 0;
        while let Some(cursor) = self.merge.current() {
            let raw_key = cursor.raw_key();
            if !self.range.holds(raw_key) {
                self.merge.end();
                break;
            }
            let common = common_prefix_len(raw_key, self.resolver.previous());
            match split_raw_key(raw_key).filter(|_| UnversionedRow::of(raw_key).is_none()) {
                None => self.resolver.pass(raw_key, common),
                Some((user_key, _)) if self.range.user_key_len.is_some_and(|len| user_key.len() != len) => {
                    self.resolver.pass(raw_key, common);
                    passed += 1;
                    if passed > NEAR_RECORDS
                        && let Some(len) = self.range.user_key_len
                    {
                        match behind_longer_keys(raw_key, len) {
                            Jump::To(next) => {
                                self.merge.seek(&next)?;
                                continue;
                            }
                            Jump::Nowhere => {
                                self.merge.end();
                                break;
                            }
                            Jump::No => {}
                        }
                    }
                }
                Some((user_key, commit_ts)) => {
                    let read_ts = effective_read_ts(user_key, self.read_ts);
                    let standing = self.resolver.next(raw_key, common, commit_ts, read_ts).standing;
                    if standing == Standing::Decides
                        && user_key.starts_with(&self.range.prefix)
                        && matches!(shows(cursor, read_ts), Shows::Body)
                    {
                        self.is_unowned = self.owns.as_ref().is_some_and(|owns| !owns(user_key));
                        if !self.is_unowned || self.gives_unowned {
                            break;
                        }
                    }
                }
            }
            self.merge.advance()?;
        }
        Ok(())
    }
}
