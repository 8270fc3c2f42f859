//! Staging directories that a killed run left.
//!
//! Source: `docs/format/tree.md`, section 8.1, step 10.

use std::ffi::OsStr;
use std::io;
use std::ops::ControlFlow;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::FileType;
use rustix::io::Errno;

use super::names::{PROBE, PUBLISHING, REPLACING};
use super::ours::{Contents, contents, read_start};
use super::place::{below, io_error};
use super::privacy;
use super::remove::MadeBy;
use super::replacing::{self, Settled, Word};
use super::staging::{is_lock_unsupported, remove_whole};
use super::sys::{Access, Native, Stat, System, has_errno};
use super::target::{Target, is_empty};
use crate::path::{COMPONENT_LEN_MAX, Escaped, check_component, is_staging_name};
use crate::sink::{LeftoverState, SinkError, SinkOperation};
use crate::{Error, ErrorKind, Result};

/// A staging directory found by [`leftovers`].
#[derive(Debug)]
pub struct Leftover {
    path: PathBuf,
    state: LeftoverState,
    /// Why it may not be removed.
    reason: Option<String>,
    /// Whether its run was replacing something.
    was_replacing: bool,
}

impl Leftover {
    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it may be removed.
    pub fn state(&self) -> LeftoverState {
        self.state
    }

    /// Why it may not be removed, in a few words for a person; `None` if it may.
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// Whether its run was replacing something: what was moved aside, if anything was, is put back before it is removed, or keeps it there.
    pub fn was_replacing(&self) -> bool {
        self.was_replacing
    }

    /// Removes it, if it still may be removed. A dump or files that were moved into it while being replaced are first put back; an empty
    /// directory that was made as the name of its dump is removed. Answers the paths of what was put back.
    ///
    /// # Errors
    /// [`SinkError::StagingForeign`] if it may not be removed, [`SinkError::HoldsOld`] if it holds what cannot be put back,
    /// [`SinkError::Io`] otherwise.
    pub fn remove(&self) -> Result<Vec<String>> {
        let system = Native;
        let target = Target::open(&system, &self.path)?;
        let name = target.base.clone();
        remove(&system, &target, &name)
    }
}

/// Finds the staging directories in a directory, in order of their names.
///
/// # Errors
/// [`SinkError::Io`] if the directory cannot be read.
pub fn leftovers(parent: &Path) -> Result<Vec<Leftover>> {
    let system = Native;
    let fail = |source| io_error(SinkOperation::ListStaging, parent.display(), source);
    let directory = system.open_path(parent).map_err(fail)?;
    let names = staging_names(&system, directory.as_fd()).map_err(fail)?;
    Ok(names
        .into_iter()
        .map(|name| {
            let mut was_replacing = false;
            let (state, reason) = match open(&system, directory.as_fd(), &name) {
                Ok(Opened::Locked { fd, .. }) => {
                    was_replacing = !matches!(replacing::read(&system, fd.as_fd()), Ok(Word::Nothing));
                    (LeftoverState::Abandoned, None)
                }
                Ok(Opened::Not(state, reason)) => (state, Some(reason)),
                Err(error) => (LeftoverState::Unknown, Some(format!("it cannot be looked at: {error}"))),
            };
            Leftover { path: parent.join(OsStr::from_bytes(&name)), state, reason, was_replacing }
        })
        .collect())
}

/// Undoes what killed runs left half-done with any of these very names beside the target.
pub(super) fn recover_target<S: System>(system: &S, target: &Target, wanted: &[impl AsRef<[u8]>]) -> Result<()> {
    let names = staging_names(system, target.parent.as_fd());
    for name in names.map_err(|source| io_error(SinkOperation::ListStaging, &target.parent_path, source))? {
        // The marker is looked for without the lock, which a run that is just starting needs.
        let Ok(fd) = system.open_directory(target.parent.as_fd(), &name) else { continue };
        let marker = read_marker(system, fd.as_fd()).ok().flatten();
        let record = replacing::read(system, fd.as_fd()).unwrap_or(Word::Nothing);
        let is_about = |name: &[u8]| match &record {
            _ if marker.as_deref() == Some(name) => true,
            Word::Record(record) => record.is_about(name),
            Word::Nothing | Word::Unreadable => false,
        };
        if !wanted.iter().any(|name| is_about(name.as_ref())) {
            continue;
        }
        if let Ok(Opened::Locked { fd, .. }) = open(system, target.parent.as_fd(), &name) {
            drop(fd);
            match remove(system, target, &name) {
                // It is of no use to this run, and in nobody's way.
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::Sink(SinkError::StagingForeign { .. } | SinkError::HoldsOld { .. })
                    ) => {}
                result => drop(result?),
            }
        }
    }
    Ok(())
}

fn staging_names<S: System>(system: &S, directory: BorrowedFd<'_>) -> io::Result<Vec<Vec<u8>>> {
    let mut names = Vec::new();
    system.list(directory, &mut |name, _| {
        if is_staging_name(name) {
            names.push(name.to_vec());
        }
        ControlFlow::Continue(())
    })?;
    names.sort();
    Ok(names)
}

/// A staging directory, if it may be removed; else why not.
enum Opened {
    Locked {
        fd: OwnedFd,
        /// What the directory is.
        stat: Stat,
    },
    Not(LeftoverState, String),
}

impl Opened {
    fn not(state: LeftoverState, reason: &str) -> Self {
        Opened::Not(state, reason.to_owned())
    }
}

/// Opens and locks a staging directory, if it is one, belongs to the caller, and is used by no run.
fn open<S: System>(system: &S, parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<Opened> {
    let fd = match system.open_directory(parent, name) {
        Err(error) if has_errno(&error, &[Errno::LOOP, Errno::NOTDIR]) => {
            return Ok(Opened::not(LeftoverState::Foreign, "it is no directory"));
        }
        Err(error) if has_errno(&error, &[Errno::ACCESS]) => {
            return Ok(Opened::not(LeftoverState::Foreign, "it belongs to somebody else"));
        }
        result => result?,
    };
    let stat = system.stat(fd.as_fd())?;
    match system.lock(fd.as_fd()) {
        Ok(true) => {}
        Ok(false) => return Ok(Opened::not(LeftoverState::InUse, "a run uses it")),
        Err(error) if is_lock_unsupported(&error) => {
            let reason = "the file system cannot tell whether a run uses it";
            return Ok(Opened::not(LeftoverState::Unknown, reason));
        }
        Err(error) => return Err(error),
    }
    match contents(system, fd.as_fd())? {
        Contents::Ours => {}
        Contents::Stranger(name) => {
            let reason = format!("it holds {}, which no staging directory does", Escaped(&name));
            return Ok(Opened::Not(LeftoverState::NotStaging, reason));
        }
        Contents::Unmarked => {
            let reason = "nothing in it says that it is a staging directory";
            return Ok(Opened::not(LeftoverState::NotStaging, reason));
        }
    }
    match belongs_to_caller(system, parent, fd.as_fd(), &stat)? {
        Ok(()) => Ok(Opened::Locked { fd, stat }),
        Err(found) => Ok(Opened::not(LeftoverState::Foreign, found)),
    }
}

/// Whether a directory is the caller's and private, as far as the file system can tell; else what is wrong with it.
fn belongs_to_caller<S: System>(
    system: &S,
    parent: BorrowedFd<'_>,
    directory: BorrowedFd<'_>,
    stat: &Stat,
) -> io::Result<Result<(), &'static str>> {
    if privacy::is_private(system, stat) {
        return Ok(Ok(()));
    }
    let probe = match system.create_file(directory, PROBE, Access::WriteOnly) {
        Err(error) if has_errno(&error, &[Errno::ACCESS, Errno::PERM, Errno::EXIST]) => {
            return Ok(Err("it belongs to somebody else"));
        }
        result => result?,
    };
    let judged = system.stat(parent).and_then(|parent| privacy::judge(system, &parent, stat, probe.as_fd()));
    let closed = system.close(probe);
    system.remove_file(directory, PROBE)?;
    closed?;
    Ok(judged?.map(|_| ()))
}

/// Removes a staging directory beside a target, after putting in order what it left outside.
fn remove<S: System>(system: &S, beside: &Target, name: &[u8]) -> Result<Vec<String>> {
    let path = below(&beside.parent_path, name);
    let refuse = |found: &str| Error::new(SinkError::StagingForeign { path: path.clone(), found: found.to_owned() });
    if !is_staging_name(name) {
        return Err(refuse("it has not the name of one"));
    }
    let fail = |source| io_error(SinkOperation::ExamineStaging, &path, source);
    let (fd, stat) = match open(system, beside.parent.as_fd(), name).map_err(fail)? {
        Opened::Locked { fd, stat } => (fd, stat),
        Opened::Not(_, reason) => return Err(refuse(&reason)),
    };
    let word = replacing::read(system, fd.as_fd()).map_err(fail)?;
    if let Some(base) = read_marker(system, fd.as_fd()).map_err(fail)? {
        remove_if_empty_and_ours(system, beside.parent.as_fd(), fd.as_fd(), &stat, (&base, &word)).map_err(fail)?;
    }
    let returned = match replacing::settle(system, beside.parent.as_fd(), fd.as_fd(), &word).map_err(fail)? {
        Settled::Free(returned) => returned,
        Settled::Held { held, name } => {
            let target = name.map(|name| beside.path_of(&name));
            return Err(SinkError::HoldsOld { held: below(&path, &held), target }.into());
        }
    };
    // It would tell of what is half gone.
    match system.remove_file(fd.as_fd(), REPLACING) {
        Err(error) if !has_errno(&error, &[Errno::NOENT]) => return Err(fail(error)),
        _ => {}
    }
    remove_whole(system, beside, name, (fd.as_fd(), stat.id), MadeBy::AnotherRun)?;
    Ok(returned.iter().map(|name| beside.path_of(name)).collect())
}

/// Removes the empty directory or file by which the run took the name. What it made has the owner and mode of what it made in the staging
/// directory, which is `like`.
fn remove_if_empty_and_ours<S: System>(
    system: &S,
    parent: BorrowedFd<'_>,
    staging: BorrowedFd<'_>,
    like: &Stat,
    (base, word): (&[u8], &Word),
) -> io::Result<()> {
    // An old target may be empty, too.
    let is_old = |found: &Stat| matches!(word, Word::Record(record) if record.is_old(found));
    let directory = match system.open_directory(parent, base) {
        Err(error) if has_errno(&error, &[Errno::NOTDIR]) => {
            let like = system.stat_at(staging, PUBLISHING)?;
            let stat = system.stat_at(parent, base)?;
            let is_ours = stat.owner == like.owner && stat.permissions == like.permissions;
            return match is_ours && !is_old(&stat) && stat.kind == FileType::RegularFile && stat.len == 0 {
                true => system.remove_file(parent, base),
                false => Ok(()),
            };
        }
        Err(error) if has_errno(&error, &[Errno::NOENT, Errno::LOOP, Errno::ACCESS]) => return Ok(()),
        result => result?,
    };
    let stat = system.stat(directory.as_fd())?;
    let is_ours = stat.owner == like.owner && stat.permissions == like.permissions;
    match is_ours && !is_old(&stat) && is_empty(system, directory.as_fd())? && !system.is_mount_point(parent, base)? {
        true => system.remove_directory(parent, base),
        false => Ok(()),
    }
}

/// The target's name in the marker of a staging directory.
fn read_marker<S: System>(system: &S, staging: BorrowedFd<'_>) -> io::Result<Option<Vec<u8>>> {
    match read_start(system, staging, PUBLISHING, COMPONENT_LEN_MAX.saturating_add(1)) {
        Err(error) if has_errno(&error, &[Errno::NOENT, Errno::LOOP]) => Ok(None),
        result => result.map(|base| check_component(&base).is_ok().then_some(base)),
    }
}
