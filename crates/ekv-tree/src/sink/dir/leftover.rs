//! Staging directories that a killed run left.
//!
//! Source: `docs/format/tree.md`, section 8.1, step 10.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::FileType;
use rustix::io::Errno;

use super::place::{below, io_error};
use super::staging::{PUBLISHING, REPLACED, is_lock_unsupported, is_staging_name, remove_whole};
use super::sys::{FileId, Native, System, has_errno};
use super::target::{Target, is_empty};
use crate::path::{COMPONENT_LEN_MAX, check_component};
use crate::sink::{LeftoverState, SinkError, SinkOperation};
use crate::{Error, Result};

/// A staging directory found by [`leftovers`].
#[derive(Debug)]
pub struct Leftover {
    path: PathBuf,
    state: LeftoverState,
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

    /// Removes it, if it still may be removed. A dump that was moved into it while being replaced is first put back; an empty
    /// directory that was made as the name of its dump is removed.
    ///
    /// # Errors
    /// [`SinkError::StagingForeign`] if it may not be removed, [`SinkError::Io`] otherwise.
    pub fn remove(&self) -> Result<()> {
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
        .map(|name| Leftover {
            path: parent.join(OsStr::from_bytes(&name)),
            state: match open(&system, directory.as_fd(), &name) {
                Ok(Opened::Locked { .. }) => LeftoverState::Abandoned,
                Ok(Opened::Not(state)) => state,
                Err(_) => LeftoverState::Foreign,
            },
        })
        .collect())
}

/// Undoes what killed runs left half-done with this very name.
pub(super) fn recover_target<S: System>(system: &S, target: &Target) -> Result<()> {
    let names = staging_names(system, target.parent.as_fd());
    for name in names.map_err(|source| io_error(SinkOperation::ListStaging, &target.parent_path, source))? {
        // The marker is looked for without the lock, which a run that is just starting needs.
        let Ok(fd) = system.open_directory(target.parent.as_fd(), &name) else { continue };
        if !read_marker(system, fd.as_fd()).is_ok_and(|base| base.as_deref() == Some(&target.base)) {
            continue;
        }
        if let Ok(Opened::Locked { fd, .. }) = open(system, target.parent.as_fd(), &name) {
            drop(fd);
            remove(system, target, &name)?;
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

/// A staging directory, if it may be removed.
enum Opened {
    Locked { fd: OwnedFd, id: FileId },
    Not(LeftoverState),
}

fn open<S: System>(system: &S, parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<Opened> {
    let fd = match system.open_directory(parent, name) {
        Err(error) if has_errno(&error, &[Errno::LOOP, Errno::NOTDIR, Errno::ACCESS]) => {
            return Ok(Opened::Not(LeftoverState::Foreign));
        }
        result => result?,
    };
    let stat = system.stat(fd.as_fd())?;
    if stat.owner != system.effective_user() || stat.permissions != 0o700 {
        return Ok(Opened::Not(LeftoverState::Foreign));
    }
    match system.lock(fd.as_fd()) {
        Ok(true) => Ok(Opened::Locked { fd, id: stat.id }),
        Ok(false) => Ok(Opened::Not(LeftoverState::InUse)),
        Err(error) if is_lock_unsupported(&error) => Ok(Opened::Not(LeftoverState::Unknown)),
        Err(error) => Err(error),
    }
}

/// Removes a staging directory beside a target, after putting in order what it left outside.
fn remove<S: System>(system: &S, beside: &Target, name: &[u8]) -> Result<()> {
    let path = below(&beside.parent_path, name);
    let refuse = |found| Error::new(SinkError::StagingForeign { path: path.clone(), found });
    if !is_staging_name(name) {
        return Err(refuse("it has not the name of one"));
    }
    let fail = |source| io_error(SinkOperation::ExamineStaging, &path, source);
    let (fd, id) = match open(system, beside.parent.as_fd(), name).map_err(fail)? {
        Opened::Locked { fd, id } => (fd, id),
        Opened::Not(LeftoverState::InUse) => return Err(refuse("a run uses it")),
        Opened::Not(LeftoverState::Unknown) => return Err(refuse("the file system cannot tell whether a run uses it")),
        Opened::Not(_) => return Err(refuse("it is not a private directory of this user")),
    };
    if let Some(base) = read_marker(system, fd.as_fd()).map_err(fail)? {
        recover(system, beside.parent.as_fd(), fd.as_fd(), &base).map_err(fail)?;
    }
    remove_whole(system, beside, name, fd.as_fd(), id)
}

/// Brings the target's name back to what it was, if the run was killed in the middle of publishing without rename flags.
fn recover<S: System>(system: &S, parent: BorrowedFd<'_>, staging: BorrowedFd<'_>, base: &[u8]) -> io::Result<()> {
    remove_if_empty_and_ours(system, parent, base)?;
    match system.stat_at(staging, REPLACED) {
        Err(error) if has_errno(&error, &[Errno::NOENT]) => return Ok(()),
        result => result?,
    };
    match system.stat_at(parent, base) {
        Err(error) if has_errno(&error, &[Errno::NOENT]) => system.rename((staging, REPLACED), (parent, base)),
        result => result.map(|_| ()),
    }
}

/// Removes the empty directory or file by which the run took the name.
fn remove_if_empty_and_ours<S: System>(system: &S, parent: BorrowedFd<'_>, base: &[u8]) -> io::Result<()> {
    let directory = match system.open_directory(parent, base) {
        Err(error) if has_errno(&error, &[Errno::NOTDIR]) => {
            let stat = system.stat_at(parent, base)?;
            let is_ours = stat.owner == system.effective_user() && stat.permissions == 0o600;
            return match is_ours && stat.kind == FileType::RegularFile && stat.len == 0 {
                true => system.remove_file(parent, base),
                false => Ok(()),
            };
        }
        Err(error) if has_errno(&error, &[Errno::NOENT, Errno::LOOP, Errno::ACCESS]) => return Ok(()),
        result => result?,
    };
    let stat = system.stat(directory.as_fd())?;
    let is_ours = stat.owner == system.effective_user() && stat.permissions == 0o700;
    match is_ours && is_empty(system, directory.as_fd())? {
        true => system.remove_directory(parent, base),
        false => Ok(()),
    }
}

/// The target's name in the marker of a staging directory.
fn read_marker<S: System>(system: &S, staging: BorrowedFd<'_>) -> io::Result<Option<Vec<u8>>> {
    let file = match system.open_file(staging, PUBLISHING) {
        Err(error) if has_errno(&error, &[Errno::NOENT, Errno::LOOP]) => return Ok(None),
        result => result?,
    };
    if system.stat(file.as_fd())?.kind != FileType::RegularFile {
        return Ok(None);
    }
    let mut base = Vec::new();
    let len_max = u64::try_from(COMPONENT_LEN_MAX).unwrap_or(u64::MAX);
    File::from(file).take(len_max.saturating_add(1)).read_to_end(&mut base)?;
    Ok(check_component(&base).is_ok().then_some(base))
}
