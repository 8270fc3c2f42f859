//! The private directory in which a dump grows before it has a name.
//! What is in it: `names.rs`. Source: `docs/format/tree.md`, section 8.1, step 3.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use ekv_spill::{Error as SpillError, Operation, Scratch};
use rustix::fs::Mode;
use rustix::io::Errno;

use super::names::{MARKER, MARKER_TEXT, SCRATCH, TREE};
use super::place::{below, io_error, join};
use super::privacy;
use super::remove::{MadeBy, remove_content};
use super::sys::{Access, At, FileId, Stat, System, has_errno, write_fully};
use super::target::{Target, is_empty};
use crate::path::{COMPONENT_LEN_MAX, STAGING_HEX_LEN as HEX_LEN, STAGING_MARK as MARK};
use crate::sink::{Privacy, SinkError, SinkOperation};
use crate::{Error, Result};

/// Attempts to find an unused name.
const NAME_ATTEMPTS: u32 = 16;

/// A new staging directory, locked.
pub(super) struct Staging<S> {
    system: S,
    pub(super) target: Target,
    name: Vec<u8>,
    id: FileId,
    fd: OwnedFd,
    scratch: Arc<dyn Scratch>,
    /// What keeps its contents from others.
    pub(super) privacy: Privacy,
}

impl<S: System> Staging<S> {
    /// Makes a staging directory beside the target, and in it the root of the dump, which is returned open with what it is.
    pub(super) fn create(system: &S, target: Target) -> Result<(Self, OwnedFd, Stat)> {
        let mut base = target.base.clone();
        for _ in 0..NAME_ATTEMPTS {
            let random = system.random().map_err(|source| create_error(&target, MARK, source))?;
            let name = staging_name(&base, random);
            match system.create_directory(target.parent.as_fd(), &name, Mode::RWXU) {
                Err(error) if has_errno(&error, &[Errno::EXIST]) => continue,
                // File systems that encrypt names take shorter ones.
                Err(error) if has_errno(&error, &[Errno::NAMETOOLONG]) && !base.is_empty() => {
                    base.clear();
                    continue;
                }
                result => result.map_err(|source| create_error(&target, &name, source))?,
            }
            return match Filled::new(system, &target, &name) {
                Ok(Some(Filled { id, fd, tree, tree_stat, scratch, privacy })) => {
                    let place = below(&below(&target.parent_path, &name), SCRATCH);
                    let scratch = Arc::new(StagingScratch { system: system.clone(), directory: scratch, place });
                    Ok((Staging { system: system.clone(), target, name, id, fd, scratch, privacy }, tree, tree_stat))
                }
                Ok(None) => {
                    // The clean-up that came in between takes it away, or we do.
                    let _ = system.remove_directory(target.parent.as_fd(), &name);
                    continue;
                }
                Err(error) => Err(remove_unfilled(system, &target, &name, error)),
            };
        }
        let source = io::Error::new(io::ErrorKind::AlreadyExists, "every random name is taken");
        Err(create_error(&target, MARK, source))
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// A name inside the staging directory.
    pub(super) fn at<'a>(&'a self, name: &'a [u8]) -> At<'a> {
        (self.fd.as_fd(), name)
    }

    /// Path of the staging directory, for messages.
    pub(super) fn path(&self) -> String {
        below(&self.target.parent_path, &self.name)
    }

    pub(super) fn scratch(&self) -> Arc<dyn Scratch> {
        Arc::clone(&self.scratch)
    }

    /// Removes the staging directory and all that is in it.
    pub(super) fn remove(&self) -> Result<()> {
        remove_whole(&self.system, &self.target, &self.name, (self.fd.as_fd(), self.id), MadeBy::ThisRun)
    }
}

/// A staging directory just made, open, checked, locked, and with its two directories.
struct Filled {
    id: FileId,
    fd: OwnedFd,
    tree: OwnedFd,
    tree_stat: Stat,
    scratch: OwnedFd,
    privacy: Privacy,
}

impl Filled {
    /// Fills the directory just made; answers nothing if a clean-up found it before it was locked.
    fn new<S: System>(system: &S, target: &Target, name: &[u8]) -> Result<Option<Self>> {
        let parent = target.parent.as_fd();
        let fail = |source| create_error(target, name, source);
        let foreign = |found: &str| {
            Error::new(SinkError::StagingForeign { path: below(&target.parent_path, name), found: found.to_owned() })
        };
        let fd = match system.open_directory(parent, name) {
            Ok(fd) => fd,
            Err(error) if has_errno(&error, &[Errno::NOENT]) => return Ok(None),
            Err(error) if has_errno(&error, &[Errno::LOOP, Errno::NOTDIR]) => return Err(foreign("it was replaced")),
            Err(error) => return Err(fail(error)),
        };
        let stat = system.stat(fd.as_fd()).map_err(fail)?;
        if !is_empty(system, fd.as_fd()).map_err(fail)? {
            return Err(foreign("it is not empty"));
        }
        match system.lock(fd.as_fd()) {
            Ok(true) => {}
            Ok(false) => return Ok(None),
            // Without locks nobody removes the directory: a clean-up takes only those that it can lock.
            Err(error) if is_lock_unsupported(&error) => {}
            Err(error) => return Err(fail(error)),
        }
        match system.stat_at(parent, name) {
            Ok(named) if named.id == stat.id => {}
            Ok(_) => return Err(foreign("it was replaced")),
            Err(error) if has_errno(&error, &[Errno::NOENT]) => return Ok(None),
            Err(error) => return Err(fail(error)),
        }
        let privacy = match mark(system, parent, fd.as_fd(), &stat) {
            // A directory of somebody else may keep us from writing into it.
            Err(error) if has_errno(&error, &[Errno::ACCESS, Errno::PERM]) && stat.owner != system.effective_user() => {
                Err("it belongs to another user")
            }
            result => result.map_err(fail)?,
        };
        let privacy = privacy.map_err(|found| {
            let _ = system.remove_file(fd.as_fd(), MARKER);
            foreign(found)
        })?;
        let make = |inner: &[u8]| {
            system.create_directory(fd.as_fd(), inner, Mode::RWXU)?;
            let inner = system.open_directory(fd.as_fd(), inner)?;
            io::Result::Ok((system.stat(inner.as_fd())?, inner))
        };
        let (tree_stat, tree) = make(TREE).map_err(fail)?;
        let (_, scratch) = make(SCRATCH).map_err(fail)?;
        if tree_stat.owner != stat.owner || tree_stat.id.device != stat.id.device {
            return Err(foreign("it was replaced"));
        }
        Ok(Some(Filled { id: stat.id, fd, tree, tree_stat, scratch, privacy }))
    }
}

/// Writes the marker, and learns from it what the file system makes of owners and modes.
fn mark<S: System>(
    system: &S,
    parent: BorrowedFd<'_>,
    staging: BorrowedFd<'_>,
    stat: &Stat,
) -> io::Result<Result<Privacy, &'static str>> {
    let marker = system.create_file(staging, MARKER, Access::WriteOnly)?;
    let judged = match privacy::is_private(system, stat) {
        true => Ok(Ok(Privacy::Modes)),
        false => system.stat(parent).and_then(|parent| privacy::judge(system, &parent, stat, marker.as_fd())),
    };
    let written = write_fully(system, marker.as_fd(), MARKER_TEXT);
    let closed = system.close(marker);
    written.and(closed).and(judged)
}

/// Removes a staging directory beside a target, if its name still leads to it. An error means that something is left.
pub(super) fn remove_whole<S: System>(
    system: &S,
    beside: &Target,
    name: &[u8],
    (directory, id): (BorrowedFd<'_>, FileId),
    made: MadeBy,
) -> Result<()> {
    let path = below(&beside.parent_path, name);
    let parent = beside.parent.as_fd();
    // The marker goes last: until then a clean-up knows what is left.
    let content = remove_content(system, directory, &path, Some(MARKER), made);
    let fail = |source| io_error(SinkOperation::Remove, &path, source);
    if content.is_ok() {
        match system.remove_file(directory, MARKER) {
            Err(error) if !has_errno(&error, &[Errno::NOENT]) => return Err(fail(error)),
            _ => {}
        }
    }
    let removed = match system.stat_at(parent, name) {
        Ok(stat) if stat.id == id => system.remove_directory(parent, name).map_err(fail),
        Ok(_) => Err(Error::new(SinkError::StagingForeign { path: path.clone(), found: "it was replaced".to_owned() })),
        Err(source) => Err(fail(source)),
    };
    // Once the directory is gone, so is all that could not be removed at first.
    removed.or_else(|error| join(content, Err(error)))
}

/// Removes a staging directory that could not be made ready; only what may be in it then, and only if it is empty of all else.
fn remove_unfilled<S: System>(system: &S, target: &Target, name: &[u8], error: Error) -> Error {
    if matches!(error.kind(), crate::ErrorKind::Sink(SinkError::StagingForeign { .. })) {
        // It may be somebody else's, except that removing an empty directory of this random name harms nobody.
        let _ = system.remove_directory(target.parent.as_fd(), name);
        return error;
    }
    let removed = system.open_directory(target.parent.as_fd(), name).and_then(|fd| {
        for inner in [TREE, SCRATCH] {
            match system.remove_directory(fd.as_fd(), inner) {
                Err(error) if !has_errno(&error, &[Errno::NOENT]) => return Err(error),
                _ => {}
            }
        }
        match system.remove_file(fd.as_fd(), MARKER) {
            Err(error) if !has_errno(&error, &[Errno::NOENT]) => return Err(error),
            _ => {}
        }
        system.remove_directory(target.parent.as_fd(), name)
    });
    match removed {
        Ok(()) => error,
        Err(source) => error.followed_by(io_error(SinkOperation::Remove, below(&target.parent_path, name), source)),
    }
}

fn create_error(target: &Target, name: &[u8], source: io::Error) -> Error {
    io_error(SinkOperation::CreateStaging, below(&target.parent_path, name), source)
}

/// `.BASE.ekv-staging-<16 hex digits>`, without `.BASE` where that would be too long.
fn staging_name(base: &[u8], random: u64) -> Vec<u8> {
    let mut name = Vec::new();
    if !base.is_empty() && base.len().saturating_add(1 + MARK.len() + HEX_LEN) <= COMPONENT_LEN_MAX {
        name.push(b'.');
        name.extend_from_slice(base);
    }
    name.extend_from_slice(MARK);
    name.extend_from_slice(format!("{random:016x}").as_bytes());
    name
}

/// Whether an error says that the file system has no locks.
pub(super) fn is_lock_unsupported(error: &io::Error) -> bool {
    has_errno(error, &[Errno::NOLCK, Errno::NOSYS, Errno::NOTSUP, Errno::OPNOTSUPP, Errno::INVAL])
}

/// Scratch files in the staging directory.
pub(super) struct StagingScratch<S> {
    system: S,
    directory: OwnedFd,
    place: String,
}

impl<S: System> StagingScratch<S> {
    fn try_create(&self) -> io::Result<File> {
        for _ in 0..NAME_ATTEMPTS {
            let name = format!("{:016x}", self.system.random()?);
            let directory = self.directory.as_fd();
            match self.system.create_file(directory, name.as_bytes(), Access::ReadWrite) {
                Err(error) if has_errno(&error, &[Errno::EXIST]) => {}
                Err(error) => return Err(error),
                Ok(file) => {
                    self.system.remove_file(directory, name.as_bytes())?;
                    return Ok(File::from(file));
                }
            }
        }
        Err(io::Error::new(io::ErrorKind::AlreadyExists, "every random name is taken"))
    }
}

impl<S: System> Scratch for StagingScratch<S> {
    fn create(&self) -> Result<File, SpillError> {
        self.try_create().map_err(|source| SpillError::Io { operation: Operation::Create, place: self.place(), source })
    }

    fn place(&self) -> String {
        self.place.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::is_staging_name;

    #[test]
    fn staging_names_are_recognised_and_others_are_not() {
        for base in [&b"dump"[..], b"x", &[b'k'; 225], &[b'k'; 226], &[b'k'; 255], b"\xff\n"] {
            let name = staging_name(base, 0xab);
            assert!(name.len() <= 255 && is_staging_name(&name));
        }
        assert_eq!(staging_name(b"dump", 0xab), b".dump.ekv-staging-00000000000000ab");
        assert_eq!(staging_name(&[b'k'; 226], 0xab), b".ekv-staging-00000000000000ab");
        for name in [
            &b"dump"[..],
            b".dump.ekv-staging-00000000000000aB",
            b".dump.ekv-staging-0000000000000ab",
            b"dump.ekv-staging-00000000000000ab",
            b"..ekv-staging-00000000000000ab",
            b".dump.ekv-stage-00000000000000ab",
            b"",
        ] {
            assert!(!is_staging_name(name), "{}", name.escape_ascii());
        }
    }
}
