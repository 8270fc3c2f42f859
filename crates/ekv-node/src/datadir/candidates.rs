//! The snapshots of one group, best first. Source: `docs/format/snapshot.md`, section 1.2.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ekv_snapshot::format::FOOTER_LEN;
use ekv_snapshot::{Error, ErrorKind, FooterPolicy, Input, MemoryInput, Result, SubRange};

use super::GroupDir;
use super::names::{
    FSM_DIR, LEGACY_SNAPSHOT, LEGACY_STATE, SNAP_DIR, fsm, parse_compressed_fsm, parse_fsm, parse_snap, snap,
};
use crate::snapfile::{SnapData, SnapFile, Token};

/// Files that are looked at before giving up; a server keeps three.
const ATTEMPT_COUNT_MAX: usize = 256;
/// Times that the directory is listed anew because a file vanished.
const RELIST_COUNT_MAX: u32 = 16;

/// A snapshot of a group, opened, whose inexpensive checks have passed; its checksum is still to be verified.
#[derive(Clone)]
pub struct GroupSnapshot {
    /// Id of the group, if its directory says it.
    pub group_id: Option<u64>,
    /// The open file, with the footer policy and the token's checksum.
    pub input: Input,
    /// The file that holds the payload.
    pub path: PathBuf,
    /// Raft index whose effect is included.
    pub file_index: Option<u64>,
    /// Raft term of that index.
    pub term: Option<u64>,
    /// What the user should know about it.
    pub notes: Vec<Note>,
}

/// What is unusual about a snapshot that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Note {
    /// An `.fsm` file that no usable `.snap` file names.
    Unreferenced,
    /// The payload lies in the `.snap` file, whose own checksum covers it and has been verified.
    Inline,
    /// The snapshot file of an old server; it carries no checksum.
    Legacy,
    /// The group had no state yet when its only snapshots were taken.
    NoState,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Note::Unreferenced => "not referenced by a .snap file",
            Note::Inline => "stored inside its .snap file, whose checksum was verified",
            Note::Legacy => "snapshot in the layout of old servers, without a checksum",
            Note::NoState => "the group had no state yet when the snapshot was taken",
        })
    }
}

/// A file that cannot be used.
#[derive(Debug)]
pub struct Rejected {
    /// The file that was examined.
    pub path: PathBuf,
    /// Why.
    pub error: Error,
}

impl Rejected {
    /// The Raft index in its name.
    pub fn index(&self) -> Option<u64> {
        let name = self.path.file_name()?.to_str()?;
        parse_fsm(name).or_else(|| parse_snap(name).map(|(_, index)| index))
    }

    /// Whether it held a newer state than `taken`. The snapshot file of an old server, which has no index, is taken where all others are damaged.
    pub fn is_newer(&self, taken: &GroupSnapshot) -> bool {
        self.index().is_some_and(|index| taken.file_index.is_none_or(|taken| index > taken))
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.error.kind())
    }
}

/// What can be tried; a greater one is tried first, among those of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Attempt {
    Snap { term: u64, index: u64 },
    Fsm { index: u64 },
    Legacy,
}

/// Offers the snapshots of one group: those named by a `.snap` file, newest first, then other `.fsm` files, then the snapshot
/// file of an old server.
///
/// The directory is listed anew for every candidate, so that a running server may add and remove files meanwhile.
/// Cost: memory bounded by a constant, whatever the directory holds.
pub struct Candidates {
    group: GroupDir,
    tried: BTreeSet<Attempt>,
    vanished: BTreeSet<Attempt>,
    relists_left: u32,
    rejected: Vec<Rejected>,
    offered: bool,
    stateless: Option<(PathBuf, u64, u64)>,
}

impl GroupDir {
    /// The snapshots of this group, best first.
    pub fn candidates(&self) -> Candidates {
        Candidates {
            group: self.clone(),
            tried: BTreeSet::new(),
            vanished: BTreeSet::new(),
            relists_left: RELIST_COUNT_MAX,
            rejected: Vec::new(),
            offered: false,
            stateless: None,
        }
    }

    /// The newest snapshot file that somebody compressed, with its Raft index. None of them is offered: a server does not read them.
    ///
    /// # Errors
    /// `Io` if the directory cannot be listed.
    pub fn newest_compressed(&self) -> Result<Option<(PathBuf, u64)>> {
        let mut newest = None;
        for_each_name(&self.path.join(FSM_DIR), |name| {
            if let Some(index) = name.to_str().and_then(parse_compressed_fsm) {
                newest = newest.take().max(Some((index, name.to_owned())));
            }
        })?;
        Ok(newest.map(|(index, name)| (self.path.join(FSM_DIR).join(name), index)))
    }
}

/// Calls `take` with each name in a folder, if there is one.
fn for_each_name(folder: &Path, mut take: impl FnMut(&OsStr)) -> Result<()> {
    let fail = |e| Error::io("list the directory", e).in_file(&folder.display().to_string());
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(()),
        Err(e) => return Err(fail(e)),
    };
    for entry in entries {
        take(&entry.map_err(fail)?.file_name());
    }
    Ok(())
}

impl Candidates {
    /// Opens the next best snapshot; `None` if there is no other.
    ///
    /// # Errors
    /// `Io` if a file that exists cannot be read. Unusable files are no error, see [`Candidates::rejected`].
    #[expect(clippy::should_implement_trait, reason = "an iterator of results would invite collecting open files")]
    pub fn next(&mut self) -> Result<Option<GroupSnapshot>> {
        while self.tried.len() < ATTEMPT_COUNT_MAX {
            let Some(attempt) = self.best()? else { break };
            if let Some(snapshot) = self.try_one(attempt)? {
                self.offered = true;
                return Ok(Some(snapshot));
            }
        }
        // A group without state is believed only where nothing else was there.
        match self.stateless.take() {
            Some((path, term, index)) if self.rejected.is_empty() && !self.offered => {
                let name = path.display().to_string();
                let source = Arc::new(MemoryInput(Vec::new().into()));
                let input = Input { source, len: 0, name, footer: FooterPolicy::Optional, token_crc32c: None };
                Ok(Some(self.snapshot(input, path, Some(index), Some(term), vec![Note::NoState])))
            }
            _ => Ok(None),
        }
    }

    /// Opens the newest `.fsm` file above a Raft index that was not tried yet: one that no usable `.snap` file names.
    ///
    /// # Errors
    /// As [`Candidates::next`].
    pub fn next_unnamed_above(&mut self, above: u64) -> Result<Option<GroupSnapshot>> {
        let fsm = |name: &str| parse_fsm(name).filter(|index| *index > above).map(|index| Attempt::Fsm { index });
        while self.tried.len() < ATTEMPT_COUNT_MAX {
            let Some(attempt) = self.best_in(FSM_DIR, fsm)? else { break };
            if let Some(snapshot) = self.try_one(attempt)? {
                return Ok(Some(snapshot));
            }
        }
        Ok(None)
    }

    /// Files that were found and cannot be used, in the order in which they were tried.
    pub fn rejected(&self) -> &[Rejected] {
        &self.rejected
    }

    /// Records that a candidate failed the full read, so that it is reported with the others.
    pub fn reject(&mut self, snapshot: &GroupSnapshot, error: Error) {
        self.rejected.push(Rejected { path: snapshot.path.clone(), error });
    }

    /// Why there is no usable snapshot, once [`Candidates::next`] has returned `None`.
    pub fn into_error(mut self) -> Error {
        let place = self.group.path.display().to_string();
        let tried = self.rejected.len();
        let kind = if tried > 0 {
            ErrorKind::NoUsableSnapshot { tried, newest: Box::new(self.rejected.swap_remove(0).error) }
        } else if self.group.path.join(LEGACY_STATE).exists() {
            let what = format!(
                "only {LEGACY_STATE} of an old server is here: start a present server on it once, then take a snapshot"
            );
            ErrorKind::UnsupportedForm { what }
        } else {
            let reason = match self.group.newest_compressed() {
                Ok(Some((path, _))) => format!(
                    "the group directory has no .snap and no .fsm file, but {}, which is compressed: name that file",
                    path.display()
                ),
                _ => "the group directory has no .snap and no .fsm file: the group has not taken a snapshot yet"
                    .to_owned(),
            };
            ErrorKind::NotFound { reason }
        };
        Error::new(kind).in_file(&place)
    }

    /// The best file that was not tried yet, from a fresh listing.
    pub(super) fn best(&self) -> Result<Option<Attempt>> {
        let snap = |name: &str| parse_snap(name).map(|(term, index)| Attempt::Snap { term, index });
        let fsm = |name: &str| parse_fsm(name).map(|index| Attempt::Fsm { index });
        if let Some(best) = self.best_in(SNAP_DIR, snap)? {
            return Ok(Some(best));
        }
        if let Some(best) = self.best_in(FSM_DIR, fsm)? {
            return Ok(Some(best));
        }
        let legacy = !self.tried.contains(&Attempt::Legacy) && self.group.path.join(LEGACY_SNAPSHOT).exists();
        Ok(legacy.then_some(Attempt::Legacy))
    }

    fn best_in(&self, folder: &str, parse: impl Fn(&str) -> Option<Attempt>) -> Result<Option<Attempt>> {
        let mut best = None;
        for_each_name(&self.group.path.join(folder), |name| {
            let attempt = name.to_str().and_then(&parse);
            best = best.max(attempt.filter(|attempt| !self.tried.contains(attempt)));
        })?;
        Ok(best)
    }

    /// Opens and checks one file; `None` if it cannot be used or has vanished.
    pub(super) fn try_one(&mut self, attempt: Attempt) -> Result<Option<GroupSnapshot>> {
        let outcome = match attempt {
            Attempt::Snap { term, index } => self.open_snap(term, index),
            Attempt::Fsm { index } => self.open_unreferenced(index).map(Some),
            Attempt::Legacy => self.open_legacy().map(Some),
        };
        match outcome {
            Ok(found) => {
                self.tried.insert(attempt);
                if let Some(GroupSnapshot { file_index: Some(index), .. }) = &found {
                    // Its full read is up to the caller; the same file is not offered twice.
                    self.tried.insert(Attempt::Fsm { index: *index });
                }
                Ok(found)
            }
            Err(e) if is_missing(&e) && self.relists_left > 0 && self.vanished.insert(attempt) => {
                self.relists_left = self.relists_left.saturating_sub(1);
                Ok(None)
            }
            Err(e) if is_missing(&e) || !matches!(e.kind(), ErrorKind::Io { .. }) => {
                self.tried.insert(attempt);
                self.rejected.push(Rejected { path: self.path_of(attempt), error: e });
                Ok(None)
            }
            Err(e) => Err(e),
        }
    }

    fn path_of(&self, attempt: Attempt) -> PathBuf {
        match attempt {
            Attempt::Snap { term, index } => self.group.path.join(SNAP_DIR).join(snap(term, index)),
            Attempt::Fsm { index } => self.group.path.join(FSM_DIR).join(fsm(index)),
            Attempt::Legacy => self.group.path.join(LEGACY_SNAPSHOT),
        }
    }

    /// Follows a `.snap` file; `None` if it says that there is no state.
    fn open_snap(&mut self, term: u64, index: u64) -> Result<Option<GroupSnapshot>> {
        let path = self.path_of(Attempt::Snap { term, index });
        let input = Input::open(&path, FooterPolicy::Optional)?;
        let SnapFile { metadata, data } = SnapFile::read(&input)?;
        if (metadata.term, metadata.index) != (term, index) {
            let reason =
                format!("its metadata says term {} and index {}, its name does not", metadata.term, metadata.index);
            return Err(Error::new(ErrorKind::SnapMeta { reason }).in_file(&input.name));
        }
        match data {
            SnapData::Token(token) => {
                let (path, input) = self.open_named_by(token)?;
                Ok(Some(self.snapshot(input, path, Some(index), Some(term), Vec::new())))
            }
            SnapData::Inline { byte_offset, len } => {
                let source = Arc::new(SubRange::new(input.source.clone(), byte_offset, len));
                let payload = Input { source, len, ..input };
                Ok(Some(self.snapshot(payload, path, Some(index), Some(term), vec![Note::Inline])))
            }
            SnapData::Empty => {
                self.stateless.get_or_insert((path, term, index));
                Ok(None)
            }
        }
    }

    fn open_named_by(&self, token: Token) -> Result<(PathBuf, Input)> {
        let path = self.path_of(Attempt::Fsm { index: token.index });
        let mut input = open_with_footer(&path)?;
        let mut footer = [0; 4];
        let at = input.len.saturating_sub(FOOTER_LEN);
        input.fill_at(at, &mut footer)?;
        let footer = u32::from_be_bytes(footer);
        if footer != token.crc32c {
            let mismatch = ErrorKind::TokenCrc { token: token.crc32c, footer };
            return Err(Error::new(mismatch).at(at).in_file(&input.name));
        }
        input.token_crc32c = Some(token.crc32c);
        Ok((path, input))
    }

    fn open_unreferenced(&self, index: u64) -> Result<GroupSnapshot> {
        let path = self.path_of(Attempt::Fsm { index });
        let input = open_with_footer(&path)?;
        Ok(self.snapshot(input, path, Some(index), None, vec![Note::Unreferenced]))
    }

    fn open_legacy(&self) -> Result<GroupSnapshot> {
        let path = self.path_of(Attempt::Legacy);
        let input = Input::open(&path, FooterPolicy::Optional)?;
        Ok(self.snapshot(input, path, None, None, vec![Note::Legacy]))
    }

    fn snapshot(
        &self,
        input: Input,
        path: PathBuf,
        file_index: Option<u64>,
        term: Option<u64>,
        notes: Vec<Note>,
    ) -> GroupSnapshot {
        GroupSnapshot { group_id: self.group.group_id, input, path, file_index, term, notes }
    }
}

fn open_with_footer(path: &Path) -> Result<Input> {
    let input = Input::open(path, FooterPolicy::Required)?;
    if input.len < FOOTER_LEN {
        return Err(Error::new(ErrorKind::FooterMissing).at(input.len).in_file(&input.name));
    }
    Ok(input)
}

fn is_missing(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
}
