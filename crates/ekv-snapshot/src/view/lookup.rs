//! Point reads.

use std::sync::Arc;

use super::{Group, Jump, Owner, Owners, Shows, View, Visible, behind_longer_keys, effective_read_ts, shows, visible};
use crate::file::{Cursor, NEAR_RECORDS};
use crate::record::{UnversionedRow, split_raw_key};
use crate::{CommitTs, Result};

/// Looks up single user keys. Keys in ascending order of their raw keys cost one read of the range altogether.
pub struct Lookup {
    groups: Vec<(Group, Vec<Cursor>)>,
    owners: Option<Arc<dyn Owners>>,
    target: Vec<u8>,
}

impl Lookup {
    pub(super) fn new(view: &View, window_len: usize) -> Lookup {
        let cursors = |group: &Group| group.files.iter().map(|file| Cursor::new(file, window_len)).collect();
        let groups = view.groups.iter().map(|group| (group.clone(), cursors(group))).collect();
        Lookup { groups, owners: view.owners.clone(), target: Vec::new() }
    }

    /// The visible version of `user_key` in the first group that owns and shows it; one with a damaged value header is there, with an empty body.
    ///
    /// # Errors
    /// A failing read.
    pub fn get(&mut self, user_key: &[u8]) -> Result<Option<Visible<'_>>> {
        // Most questions about ascending keys are answered by the one before.
        let is_passed = match self.groups.as_slice() {
            [(_, cursors)] => cursors.iter().all(|cursor| cursor.has_passed_over(user_key)),
            _ => false,
        };
        if user_key.is_empty() || is_passed {
            return Ok(None);
        }
        let groups = match self.owners.as_ref().map_or(Owner::Any, |owners| owners.of(user_key)) {
            Owner::Any => self.groups.as_mut_slice(),
            Owner::Group(number) => self.groups.get_mut(number).map(std::slice::from_mut).unwrap_or_default(),
            Owner::Nobody => return Ok(None),
        };
        for (group, cursors) in groups {
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
            match shows(cursor, read_ts) {
                Shows::Nothing => {}
                Shows::Body => return Ok(visible(cursor)),
                Shows::Damage => {
                    return Ok(visible(cursor).map(|found| Visible {
                        body: found.body.slice(0, 0),
                        is_damaged: true,
                        ..found
                    }));
                }
            }
        }
        Ok(None)
    }
}

/// Moves to the first version of `user_key` at or after the raw key `target`; longer keys may lie in between.
///
/// Many of them are jumped over: a version of `user_key` is the first of all raw keys that begin with its bytes. There are at most as
/// many jumps as there are different eight bytes behind `user_key`, and whatever user keys are looked up, all of them together are no more
/// than a small multiple of the number of records: a record that parts from the one before it does so within the eight bytes behind at
/// most eight of its beginnings.
pub(crate) fn seek_version(cursor: &mut Cursor, user_key: &[u8], target: &[u8]) -> Result<Option<CommitTs>> {
    cursor.seek(target)?;
    let mut passed = 0;
    while cursor.is_on_record() && cursor.raw_key().starts_with(user_key) {
        let raw_key = cursor.raw_key();
        match split_raw_key(raw_key) {
            Some((found, commit_ts)) if found == user_key && UnversionedRow::of(raw_key).is_none() => {
                return Ok(Some(commit_ts));
            }
            _ if passed < NEAR_RECORDS => {
                passed += 1;
                cursor.advance()?
            }
            _ => match behind_longer_keys(raw_key, user_key.len()) {
                Jump::To(next) => cursor.seek(&next)?,
                Jump::Nowhere => return Ok(None),
                Jump::No => cursor.advance()?,
            },
        };
    }
    Ok(None)
}
