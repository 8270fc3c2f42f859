//! Visible user keys by range.

use std::sync::Arc;

use ekv_text::ordered::common_prefix_len;

use super::{
    Group, Jump, Owner, Owners, Owns, Range, Shows, View, Visible, behind_longer_keys, effective_read_ts, shows,
    visible,
};
use crate::file::{Cursor, NEAR_RECORDS};
use crate::key_heap::KeyHeap;
use crate::merge::{Merge, MergeMark};
use crate::record::{UnversionedRow, split_raw_key};
use crate::resolver::{OpenKeys, Resolver, Standing};
use crate::{CommitTs, Error, ErrorKind, Result};

/// A place in a [`RangeScan`].
#[derive(Clone, Debug)]
pub struct Mark {
    number: u64,
    /// Of the only group; with several ones the scan keeps what it changes.
    only: Option<GroupMark>,
    given: OpenKeys<()>,
    on: Option<usize>,
}

/// A place in a [`GroupScan`]: also which keys were decided before it, since their older versions may follow.
#[derive(Clone, Debug)]
struct GroupMark {
    place: MergeMark,
    resolver: Resolver,
    is_beyond: bool,
    round: u64,
}

/// Visible user keys of a range, ascending by the raw key of the visible version.
///
/// That is *not* ascending by user key: where one key begins with another, the longer one usually comes first (section 9).
/// Versions with a damaged value header are passed over. A key that several groups own and show is given once, as its newest
/// visible version.
///
/// With many groups a record costs the logarithm of their number, and so does a range behind the one before it: only the groups that have
/// records before its end move. A range that lies before, or overlaps, costs a search in each, unless the view knows that one group alone
/// can show its keys.
pub struct RangeScan {
    groups: Vec<GroupScan>,
    /// With several groups: the one that stands on the smallest raw key is first.
    order: KeyHeap,
    owners: Option<Arc<dyn Owners>>,
    range: Range,
    /// Whether records count that their groups do not own.
    gives_unowned: bool,
    /// The only group that can show keys of the range, if that is known.
    only: Option<usize>,
    /// Counts ranges. A group that has another number has not gone to the range yet.
    round: u64,
    /// With several groups: the user keys that were given and may come again from another group.
    given: OpenKeys<()>,
    /// The group whose record was returned last.
    on: Option<usize>,
    /// With several groups: where those stood at the last mark that have moved since.
    moved: Vec<(usize, GroupMark)>,
    /// The number of the last mark; 0 = there is none.
    mark_number: u64,
}

impl RangeScan {
    pub(super) fn new(view: &View, window_len: usize) -> RangeScan {
        let groups: Vec<GroupScan> = view.groups.iter().map(|group| GroupScan::new(group, window_len)).collect();
        RangeScan {
            order: KeyHeap::new(groups.len()),
            groups,
            owners: view.owners.clone(),
            range: Range::default(),
            gives_unowned: false,
            only: None,
            round: 0,
            given: OpenKeys::default(),
            on: None,
            moved: Vec::new(),
            mark_number: 0,
        }
    }

    /// Goes to the start of a range. Ascending ranges are read without going back.
    ///
    /// # Errors
    /// A failing read.
    pub fn seek(&mut self, range: Range) -> Result<()> {
        self.on = None;
        self.given.reset();
        // Until the end of the range before, groups have passed over what is not in it.
        let is_behind = self.round > 0
            && self.only.is_none()
            && self.range.start <= range.start
            && self.range.end.as_ref().is_some_and(|end| *end <= range.start);
        self.range = range;
        self.round = self.round.saturating_add(1);
        self.only = match &self.owners {
            Some(owners) if self.groups.len() > 1 && !self.gives_unowned => {
                match owners.of_prefix(&self.range.prefix) {
                    Owner::Group(number) => Some(number),
                    Owner::Any | Owner::Nobody => None,
                }
            }
            _ => None,
        };
        if let Some(only) = self.only {
            return self.bring(only);
        }
        if !is_behind || self.groups.len() == 1 {
            for index in 0..self.groups.len() {
                self.bring(index)?;
            }
        }
        Ok(())
    }

    /// The user key that [`RangeScan::next_visible`] returned last.
    pub fn current(&self) -> Option<Visible<'_>> {
        self.on.and_then(|on| self.groups.get(on)).and_then(GroupScan::current)
    }

    /// Remembers the current place, for [`RangeScan::rewind`]; an earlier one is forgotten.
    pub fn mark(&mut self) -> Mark {
        self.moved.clear();
        self.mark_number = self.mark_number.saturating_add(1);
        let only = match self.groups.as_slice() {
            [only] => Some(only.mark()),
            _ => None,
        };
        Mark { number: self.mark_number, only, given: self.given.clone(), on: self.on }
    }

    /// Goes back to the last mark, which must lie in the same range; [`RangeScan::current`] is then what it was.
    ///
    /// # Errors
    /// A failing read; `Invalid` if there was another mark since.
    pub fn rewind(&mut self, mark: &Mark) -> Result<()> {
        if mark.number != self.mark_number {
            let reason = "a place was left for which there is a later one".to_owned();
            return Err(Error::new(ErrorKind::Invalid { structure: "walk over records", reason }));
        }
        self.on = mark.on;
        self.given.clone_from(&mark.given);
        if let (Some(mark), Some(only)) = (&mark.only, self.groups.first_mut()) {
            return only.rewind(mark);
        }
        for (index, mark) in &self.moved {
            if let Some(group) = self.groups.get_mut(*index) {
                group.rewind(mark)?;
            }
            self.order.moved(*index, |index| position(&self.groups, index));
        }
        Ok(())
    }

    /// The next visible user key; `None` at the end of the range.
    ///
    /// # Errors
    /// A failing read.
    pub fn next_visible(&mut self) -> Result<Option<Visible<'_>>> {
        if let Some(on) = self.on.take() {
            self.step(on)?;
        }
        if self.groups.len() == 1 {
            self.on = Some(0);
        } else if self.only.is_some() {
            self.on = self.only;
        } else {
            self.find_among_groups()?;
        }
        Ok(self.current())
    }

    fn find_among_groups(&mut self) -> Result<()> {
        while let Some(index) = self.order.first() {
            let Some(group) = self.groups.get(index) else { break };
            if group.position().is_none_or(|raw_key| !self.range.holds(raw_key)) {
                // All others stand behind it.
                break;
            }
            if group.round != self.round {
                self.bring(index)?;
                continue;
            }
            if !group.is_unowned {
                let raw_key = group.raw_key().unwrap_or_default();
                let common = common_prefix_len(raw_key, self.given.previous());
                // Equal raw keys come one after the other and are no news to the open keys.
                if self.given.update(raw_key, common, |_| ()).is_some() {
                    self.step(index)?;
                    continue;
                }
            }
            self.on = Some(index);
            break;
        }
        Ok(())
    }

    /// Brings a group to the range.
    fn bring(&mut self, index: usize) -> Result<()> {
        self.before_moving(index);
        if let Some(group) = self.groups.get_mut(index) {
            group.round = self.round;
            group.seek(&self.range)?;
        }
        self.order.moved(index, |index| position(&self.groups, index));
        Ok(())
    }

    /// Moves a group to its next record.
    fn step(&mut self, index: usize) -> Result<()> {
        if let [only] = self.groups.as_mut_slice() {
            return only.step();
        }
        self.before_moving(index);
        if let Some(group) = self.groups.get_mut(index) {
            group.step()?;
        }
        self.order.moved(index, |index| position(&self.groups, index));
        Ok(())
    }

    /// Keeps where a group stands, unless it has moved since the last mark already.
    fn before_moving(&mut self, index: usize) {
        if self.mark_number == 0 || self.groups.len() == 1 {
            return;
        }
        if let Some(group) = self.groups.get_mut(index).filter(|group| group.mark_number != self.mark_number) {
            group.mark_number = self.mark_number;
            self.moved.push((index, group.mark()));
        }
    }

    /// From the next [`RangeScan::seek`] on, also gives what groups hold without owning it.
    pub(super) fn give_unowned(&mut self) {
        self.gives_unowned = true;
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

/// The raw key on which a group stands.
fn position(groups: &[GroupScan], index: usize) -> Option<&[u8]> {
    groups.get(index).and_then(GroupScan::position)
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
    /// Whether it stands on the first record behind the range.
    is_beyond: bool,
    /// The number of the range in which it is.
    round: u64,
    /// The last mark after which it has moved.
    mark_number: u64,
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
            is_beyond: false,
            round: 0,
            mark_number: 0,
        }
    }

    fn seek(&mut self, range: &Range) -> Result<()> {
        self.range.clone_from(range);
        self.resolver.reset();
        self.is_beyond = false;
        self.merge.seek(&self.range.start)?;
        self.find()
    }

    /// The raw key on which it stands, in the range or behind it; `None` at the end.
    fn position(&self) -> Option<&[u8]> {
        self.merge.current().map(Cursor::raw_key)
    }

    /// The raw key of the range on which it stands.
    fn raw_key(&self) -> Option<&[u8]> {
        self.position().filter(|_| !self.is_beyond)
    }

    fn mark(&self) -> GroupMark {
        let GroupScan { resolver, is_beyond, round, .. } = self;
        GroupMark { place: self.merge.mark(), resolver: resolver.clone(), is_beyond: *is_beyond, round: *round }
    }

    fn rewind(&mut self, mark: &GroupMark) -> Result<()> {
        self.merge.go_to(&mark.place)?;
        self.resolver.clone_from(&mark.resolver);
        self.is_beyond = mark.is_beyond;
        self.round = mark.round;
        Ok(())
    }

    fn current(&self) -> Option<Visible<'_>> {
        self.merge.current().filter(|_| !self.is_beyond).and_then(visible)
    }

    fn origin(&self) -> Origin {
        match self.merge.current() {
            _ if self.is_unowned => Origin::Unowned,
            Some(cursor) if cursor.file().is_overlay() => Origin::Overlay,
            _ => Origin::Snapshot,
        }
    }

    fn step(&mut self) -> Result<()> {
        if self.is_beyond {
            return Ok(());
        }
        self.merge.advance()?;
        self.find()
    }

    /// Goes on until the merge stands on a visible record that the group owns, or to the end.
    fn find(&mut self) -> Result<()> {
        let mut passed = 0;
        while let Some(cursor) = self.merge.current() {
            let raw_key = cursor.raw_key();
            let common = common_prefix_len(raw_key, self.resolver.previous());
            // As the record before, which was in the range, most have its prefix.
            let prefix_len = self.range.prefix.len();
            let has_prefix = self.range.ends_with_prefix && common > prefix_len;
            if !has_prefix && !self.range.holds(raw_key) {
                self.is_beyond = true;
                break;
            }
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
                        && ((has_prefix && user_key.len() >= prefix_len) || user_key.starts_with(&self.range.prefix))
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
