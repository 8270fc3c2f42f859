//! What a run leaves word of before it replaces something, so that a clean-up can put back what the run could not.
//!
//! While a dump or files are replaced, the staging directory holds what lay at the targets: the only copy, until the new ones have all of
//! their names. A record in it says which names these are, what belongs there, and what lay there.
//!
//! Source: `docs/format/tree.md`, section 8.7.

use std::fs::File;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{FileType, RawMode};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::names::{KEPT, REPLACED, REPLACED_FILE, REPLACING, TREE};
use super::ours::renumbers;
use super::sys::{At, FileId, Stat, System, has_errno, is_unsupported};
use crate::path::check_component;

/// Records are not longer: names of 255 bytes for a thousand files.
const RECORD_LEN_MAX: u64 = 2 << 20;

/// What is replaced: a dump, or files that belong together.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Record {
    is_dump: bool,
    entries: Vec<Entry>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    /// The target's name.
    name: Vec<u8>,
    new: Look,
    /// What lay at the target, if anything did.
    old: Option<Look>,
}

/// A [`Stat`]: device, inode, raw mode of the kind, permissions, owner, length, time of modification (seconds, nanoseconds).
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Look([u64; 8]);

impl From<&Stat> for Look {
    fn from(stat: &Stat) -> Self {
        let Stat { id, kind, permissions, owner, len, modified } = stat;
        let kind = u64::from(kind.as_raw_mode());
        Look([id.device, id.inode, kind, *permissions, *owner, *len, modified.0, modified.1])
    }
}

impl Look {
    fn stat(self) -> Stat {
        let Look([device, inode, kind, permissions, owner, len, seconds, nanoseconds]) = self;
        let kind = RawMode::try_from(kind).map_or(FileType::Unknown, FileType::from_raw_mode);
        Stat { id: FileId { device, inode }, kind, permissions, owner, len, modified: (seconds, nanoseconds) }
    }
}

impl Record {
    pub(super) fn of_dump(name: &[u8], new: &Stat, old: &Stat) -> Self {
        let entry = Entry { name: name.to_vec(), new: new.into(), old: Some(old.into()) };
        Record { is_dump: true, entries: vec![entry] }
    }

    /// Of files, in the order of their index, each with its name, what was written, and what lies at the target.
    pub(super) fn of_files<'a>(files: impl Iterator<Item = (&'a [u8], &'a Stat, Option<&'a Stat>)>) -> Self {
        let entries =
            files.map(|(name, new, old)| Entry { name: name.to_vec(), new: new.into(), old: old.map(Look::from) });
        Record { is_dump: false, entries: entries.collect() }
    }

    pub(super) fn to_bytes(&self) -> io::Result<Vec<u8>> {
        Ok(serde_json::to_vec(self)?)
    }

    pub(super) fn is_about(&self, name: &[u8]) -> bool {
        self.entries.iter().any(|entry| entry.name == name)
    }

    /// Whether this lay at a target before.
    pub(super) fn is_old(&self, found: &Stat) -> bool {
        self.entries.iter().filter_map(|entry| entry.old).any(|old| old.stat().id == found.id)
    }
}

/// What a staging directory says of what is replaced.
pub(super) enum Word {
    Nothing,
    /// It cannot be read: it was not written to its end, as nothing was moved yet, or it was damaged.
    Unreadable,
    Record(Record),
}

pub(super) fn read<S: System>(system: &S, staging: BorrowedFd<'_>) -> io::Result<Word> {
    let file = match system.open_file(staging, REPLACING) {
        Err(error) if has_errno(&error, &[Errno::NOENT, Errno::LOOP]) => return Ok(Word::Nothing),
        result => result?,
    };
    let mut bytes = Vec::new();
    if system.stat(file.as_fd())?.kind == FileType::RegularFile {
        File::from(file).take(RECORD_LEN_MAX).read_to_end(&mut bytes)?;
    }
    Ok(match serde_json::from_slice::<Record>(&bytes) {
        Ok(record) if record.entries.iter().all(|entry| check_component(&entry.name).is_ok()) => Word::Record(record),
        _ => Word::Unreadable,
    })
}

/// What was done with what a staging directory held of others.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Settled {
    /// It holds nothing that is still needed; what lay at these names before was put back.
    Free(Vec<Vec<u8>>),
    /// What is at `held`, relative to the staging directory, must stay.
    Held {
        held: Vec<u8>,
        /// Its name, if that is known, which is taken.
        name: Option<Vec<u8>>,
    },
}

/// Puts back what a run moved away from its targets, unless all that is new got its name. All of it or nothing, so that old and new are
/// never mixed; nothing that this run or the user put at a name is replaced, but for new files of a set that is incomplete.
pub(super) fn settle<S: System>(
    system: &S,
    parent: BorrowedFd<'_>,
    staging: BorrowedFd<'_>,
    word: &Word,
) -> io::Result<Settled> {
    let record = match word {
        Word::Nothing => return Ok(Settled::Free(Vec::new())),
        Word::Unreadable => {
            return Ok(match first_replaced(system, staging)? {
                Some(held) => Settled::Held { held, name: None },
                None => Settled::Free(Vec::new()),
            });
        }
        Word::Record(record) => record,
    };
    let tree = match (record.is_dump, system.open_directory(staging, TREE)) {
        (true, _) => None,
        (false, Err(error)) if has_errno(&error, &[Errno::NOENT]) => None,
        (false, result) => Some(result?),
    };
    let mut places = Vec::new();
    for (index, entry) in record.entries.iter().enumerate() {
        places.push(FoundEntry::look(system, parent, staging, Replaced { record, entry, index, tree: tree.as_ref() })?);
    }
    let held = |place: &FoundEntry<'_>| Settled::Held {
        held: place.held_path(),
        name: Some(place.replaced.entry.name.clone()),
    };
    let Some(first) = places.iter().find(|place| place.holds.is_some()) else { return Ok(Settled::Free(Vec::new())) };
    if places.iter().all(|place| place.at_target == AtTarget::New) {
        let was_to_be_kept = stat_at(system, (staging, KEPT))?.is_some();
        let is_replaced =
            !was_to_be_kept && places.iter().all(|place| place.holds.as_ref().is_none_or(|held| held.is_old));
        return Ok(if is_replaced { Settled::Free(Vec::new()) } else { held(first) });
    }
    if let Some(taken) = places.iter().find(|place| place.holds.is_some() && place.at_target == AtTarget::Other) {
        return Ok(held(taken));
    }
    let mut returned = Vec::new();
    // The last file, which makes a set complete, comes back last.
    for place in &places {
        match place.put_back(system) {
            Ok(true) => returned.push(place.replaced.entry.name.clone()),
            Ok(false) => {}
            // Somebody took the name just now.
            Err(error) if has_errno(&error, &[Errno::EXIST, Errno::NOTEMPTY]) => return Ok(held(place)),
            Err(error) => return Err(error),
        }
    }
    Ok(Settled::Free(returned))
}

/// The first entry that may be what lay at a target.
fn first_replaced<S: System>(system: &S, staging: BorrowedFd<'_>) -> io::Result<Option<Vec<u8>>> {
    let mut found = None;
    system.list(staging, &mut |name, _| {
        if name == REPLACED || name.starts_with(REPLACED_FILE) {
            found = Some(name.to_vec());
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

/// One entry of a record, and where the staging directory holds what belongs to it.
#[derive(Clone, Copy)]
struct Replaced<'a> {
    record: &'a Record,
    entry: &'a Entry,
    index: usize,
    /// The directory of new files.
    tree: Option<&'a OwnedFd>,
}

impl<'a> Replaced<'a> {
    /// Where what was moved away is.
    fn away(&self) -> Vec<u8> {
        if self.record.is_dump { REPLACED.to_vec() } else { away(self.index) }
    }

    /// Where the new one was, and the old one is after an exchange.
    fn staged(&self, staging: BorrowedFd<'a>) -> Option<At<'a>> {
        match self.record.is_dump {
            true => Some((staging, TREE)),
            false => self.tree.map(|tree| (tree.as_fd(), self.entry.name.as_slice())),
        }
    }
}

/// What was found for an entry.
struct FoundEntry<'a> {
    replaced: Replaced<'a>,
    parent: BorrowedFd<'a>,
    staging: BorrowedFd<'a>,
    at_target: AtTarget,
    /// What the staging directory holds, other than what the run wrote.
    holds: Option<Held>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AtTarget {
    Nothing,
    New,
    Other,
}

struct Held {
    /// Whether it was moved away, rather than exchanged with what was staged.
    is_away: bool,
    /// Whether it is what lay at the target when that was looked at.
    is_old: bool,
}

impl<'a> FoundEntry<'a> {
    fn look<S: System>(
        system: &S,
        parent: BorrowedFd<'a>,
        staging: BorrowedFd<'a>,
        replaced: Replaced<'a>,
    ) -> io::Result<Self> {
        let (entry, new) = (replaced.entry, replaced.entry.new.stat());
        let at_target = match stat_at(system, (parent, &entry.name))? {
            None => AtTarget::Nothing,
            Some(found) if is_known(system, staging, &new, &found)? => AtTarget::New,
            Some(_) => AtTarget::Other,
        };
        let staged = match replaced.staged(staging) {
            Some(at) => match stat_at(system, at)? {
                Some(found) if !is_known(system, staging, &new, &found)? => Some(found),
                _ => None,
            },
            None => None,
        };
        let away = stat_at(system, (staging, &replaced.away()))?;
        let holds = match away.map(|found| (true, found)).or(staged.map(|found| (false, found))) {
            None => None,
            Some((is_away, found)) => {
                let is_old = match entry.old {
                    Some(old) => is_known(system, staging, &old.stat(), &found)?,
                    None => false,
                };
                Some(Held { is_away, is_old })
            }
        };
        Ok(FoundEntry { replaced, parent, staging, at_target, holds })
    }

    /// The path of what is held, relative to the staging directory.
    fn held_path(&self) -> Vec<u8> {
        match (&self.holds, self.replaced.record.is_dump) {
            (Some(Held { is_away: false, .. }), true) => TREE.to_vec(),
            (Some(Held { is_away: false, .. }), false) => [TREE, b"/", &self.replaced.entry.name].concat(),
            _ => self.replaced.away(),
        }
    }

    /// Brings the target to what it was; answers whether anything came back.
    fn put_back<S: System>(&self, system: &S) -> io::Result<bool> {
        let entry = self.replaced.entry;
        let target = (self.parent, entry.name.as_slice());
        let staged = || self.replaced.staged(self.staging).ok_or_else(|| io::Error::from(Errno::NOENT));
        let take_back = || {
            let is_still_new = |at: At<'_>| match stat_at(system, at)? {
                Some(found) => is_known(system, self.staging, &entry.new.stat(), &found),
                None => Ok(false),
            };
            take_back(system, target, staged()?, is_still_new)
        };
        let is_new = self.at_target == AtTarget::New;
        match &self.holds {
            Some(Held { is_away: false, .. }) if is_new => system.exchange(staged()?, target)?,
            Some(Held { is_away: false, .. }) => give_back(system, staged()?, target)?,
            Some(Held { is_away: true, .. }) => {
                if is_new {
                    take_back()?;
                }
                give_back(system, (self.staging, &self.replaced.away()), target)?;
            }
            None => {
                if is_new && entry.old.is_none() {
                    take_back()?;
                }
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Whether what is found is what a record tells of. Numbers of files that are gone are given again, and files stay as they were
/// written: with them all else must be equal, too.
fn is_known<S: System>(system: &S, staging: BorrowedFd<'_>, known: &Stat, found: &Stat) -> io::Result<bool> {
    let looks = known.looks() == found.looks();
    if known.id == found.id {
        return Ok(looks || known.kind == FileType::Directory && found.kind == FileType::Directory);
    }
    if !looks {
        return Ok(false);
    }
    match renumbers(system, staging) {
        Err(error) if has_errno(&error, &[Errno::NOENT]) => Ok(false),
        result => Ok(result? || !system.has_lasting_ids(staging)),
    }
}

/// The name of an old file in the staging directory.
pub(super) fn away(index: usize) -> Vec<u8> {
    [REPLACED_FILE, index.to_string().as_bytes()].concat()
}

/// Gives something its name again, which nothing may have.
pub(super) fn give_back<S: System>(system: &S, from: At<'_>, to: At<'_>) -> io::Result<()> {
    match system.rename_no_replace(from, to) {
        Err(error) if is_unsupported(&error) => {}
        result => return result,
    }
    match stat_at(system, to)? {
        Some(_) => Err(Errno::EXIST.into()),
        None => system.rename(from, to),
    }
}

/// Takes a name away from a staged file.
pub(super) fn take_back<S: System>(
    system: &S,
    target: At<'_>,
    staged: At<'_>,
    is_ours: impl Fn(At<'_>) -> io::Result<bool>,
) -> io::Result<()> {
    system.rename(target, staged)?;
    // A rename between two names of one file does nothing.
    match is_ours(target) {
        Ok(true) => system.remove_file(target.0, target.1),
        _ => Ok(()),
    }
}

/// What a name leads to; `None` if nothing has it.
pub(super) fn stat_at<S: System>(system: &S, at: At<'_>) -> io::Result<Option<Stat>> {
    match system.stat_at(at.0, at.1) {
        Err(error) if has_errno(&error, &[Errno::NOENT]) => Ok(None),
        result => result.map(Some),
    }
}
