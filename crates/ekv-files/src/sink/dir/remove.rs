//! Removes a directory tree by descriptors, never following a link.

use std::io;
use std::ops::ControlFlow;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::FileType;
use rustix::io::Errno;

use super::place::io_error;
use super::sys::{FileId, System, has_errno};
use crate::path::Escaped;
use crate::sink::{SinkError, SinkOperation};
use crate::{Error, Result};

/// Names of subdirectories that are remembered per level, before the directory is listed again.
const NAMES_MAX: usize = 64;

/// Times that a directory is listed again although no subdirectory was found in it. File systems that keep an open file under a hidden
/// name when it is removed (NFS, FUSE) show a new entry for each one that goes.
const FURTHER_LISTS_MAX: u32 = 8;

/// Who made a staging directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MadeBy {
    /// This run, just now: whatever somebody else put into it meanwhile goes with it.
    ThisRun,
    /// A run that was killed: what no run makes stays.
    AnotherRun,
}

/// Removes everything in a directory, the directory itself excepted, and the entry `keep`.
///
/// Goes on after an entry that cannot be removed and reports the first one. Cost: three open files, memory only by the depth
/// of the tree. On the way up, `..` is opened and must be the directory through which the way down led.
pub(super) fn remove_content<S: System>(
    system: &S,
    directory: BorrowedFd<'_>,
    place: &str,
    keep: Option<&[u8]>,
    made: MadeBy,
) -> Result<()> {
    let fail = |source| io_error(SinkOperation::Remove, place, source);
    let current = system.open_directory(directory, b".").map_err(fail)?;
    let id = system.stat(current.as_fd()).map_err(fail)?.id;
    let top = Level { id, name: Vec::new(), children: Vec::new(), removed: true, lists: 0 };
    Removal { system, place, keep, made, current, levels: vec![top], first_error: None }.run()
}

struct Removal<'a, S> {
    system: &'a S,
    place: &'a str,
    /// A name in the first level.
    keep: Option<&'a [u8]>,
    made: MadeBy,
    /// The directory of the last level.
    current: OwnedFd,
    levels: Vec<Level>,
    first_error: Option<Error>,
}

struct Level {
    id: FileId,
    /// Its name in the level above.
    name: Vec<u8>,
    /// Subdirectories that were found and not yet entered.
    children: Vec<Vec<u8>>,
    /// Whether anything was removed since it was listed.
    removed: bool,
    /// How often it was listed without a subdirectory in it.
    lists: u32,
}

impl<S: System> Removal<'_, S> {
    fn run(mut self) -> Result<()> {
        while let Some(level) = self.levels.last_mut() {
            if let Some(name) = level.children.pop() {
                self.descend(name);
            } else if level.removed {
                level.removed = false;
                self.list();
            } else if !self.ascend()? {
                break;
            }
        }
        self.first_error.map_or(Ok(()), Err)
    }

    /// Removes the files of the current directory and notes some of its subdirectories.
    fn list(&mut self) {
        let (system, current) = (self.system, self.current.as_fd());
        let mut children = Vec::new();
        let mut removed = false;
        let mut first_error = None;
        let keep = self.keep.filter(|_| self.levels.len() == 1);
        let made = self.made;
        let listed = system.list(current, &mut |name, _| {
            if keep == Some(name) {
                return ControlFlow::Continue(());
            }
            match remove_entry(system, current, name, made) {
                Ok(Entry::Removed) => removed = true,
                Ok(Entry::Vanished) => {}
                Ok(Entry::Directory) => {
                    children.push(name.to_vec());
                    if children.len() == NAMES_MAX {
                        return ControlFlow::Break(());
                    }
                }
                Err(error) => {
                    first_error.get_or_insert(error);
                }
            }
            ControlFlow::Continue(())
        });
        let error = first_error.or(listed.err());
        if let Some(level) = self.levels.last_mut() {
            level.lists = if children.is_empty() { level.lists.saturating_add(1) } else { 0 };
            level.children = children;
            level.removed = removed && level.lists <= FURTHER_LISTS_MAX;
        }
        self.note(error);
    }

    fn descend(&mut self, name: Vec<u8>) {
        // Another file system that somebody mounted here is not what was made here.
        let opened = match self.system.is_mount_point(self.current.as_fd(), &name) {
            Ok(true) => Err(Errno::BUSY.into()),
            Ok(false) => self.system.open_directory(self.current.as_fd(), &name),
            Err(error) => Err(error),
        };
        let opened = opened.and_then(|fd| Ok((self.system.stat(fd.as_fd())?.id, fd)));
        match opened {
            Ok((id, fd)) => {
                self.current = fd;
                self.levels.push(Level { id, name, children: Vec::new(), removed: true, lists: 0 });
            }
            Err(error) => self.note(Some(error)),
        }
    }

    /// Goes back up and removes the directory left behind; answers false at the top.
    fn ascend(&mut self) -> Result<bool> {
        let Some(left) = self.levels.pop() else { return Ok(false) };
        let Some(level) = self.levels.last_mut() else { return Ok(false) };
        let fail = |source| io_error(SinkOperation::Remove, self.place, source);
        let parent = self.system.open_directory(self.current.as_fd(), b"..").map_err(fail)?;
        if self.system.stat(parent.as_fd()).map_err(fail)?.id != level.id {
            return Err(Error::new(SinkError::DirectoryReplaced { path: self.place.to_owned() }));
        }
        self.current = parent;
        match self.system.remove_directory(self.current.as_fd(), &left.name) {
            Ok(()) => level.removed = true,
            Err(error) => self.note(Some(error)),
        }
        Ok(true)
    }

    fn note(&mut self, error: Option<io::Error>) {
        if let (None, Some(error)) = (&self.first_error, error) {
            self.first_error = Some(io_error(SinkOperation::Remove, self.place, error));
        }
    }
}

/// What became of an entry.
enum Entry {
    Removed,
    Vanished,
    /// It is a directory and still there.
    Directory,
}

fn remove_entry<S: System>(system: &S, parent: BorrowedFd<'_>, name: &[u8], made: MadeBy) -> io::Result<Entry> {
    let kind = match system.stat_at(parent, name) {
        Err(error) if has_errno(&error, &[Errno::NOENT]) => return Ok(Entry::Vanished),
        result => result?.kind,
    };
    match kind {
        FileType::Directory => return Ok(Entry::Directory),
        FileType::RegularFile => {}
        _ if made == MadeBy::ThisRun => {}
        // No run makes any: somebody put it there, and may want it back.
        _ => return Err(io::Error::other(format!("{} is neither a file nor a directory", Escaped(name)))),
    }
    match system.remove_file(parent, name) {
        Err(error) if has_errno(&error, &[Errno::NOENT]) => Ok(Entry::Vanished),
        result => result.map(|()| Entry::Removed),
    }
}
