//! The directories of the staged dump: made one component at a time, kept open, never looked up by path again.
//!
//! Source: `docs/format/tree.md`, section 8.1, step 4.

use std::io;
use std::ops::ControlFlow;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use ekv_spill::Scratch;
use rustix::fs::{FileType, Mode};
use rustix::io::Errno;

use super::ours::is_still;
use super::place::{below, io_error, join};
use super::sys::{Access, FileId, Stat, SyncScope, System, has_errno};
use crate::path::{Escaped, split_last};
use crate::sink::path_table::PathTable;
use crate::sink::{SinkError, SinkOperation};
use crate::{Error, Result};

/// Directories that are kept open at most, and at least: a directory and the one that holds it.
const OPEN_MAX: usize = 128;
const OPEN_MIN: usize = 2;

/// One of so many files that the process may have open goes to directories.
const OPEN_SHARE: u64 = 4;

/// Mode of a directory that others may read, before the umask.
const SHARED_MODE: Mode = Mode::RWXU.union(Mode::RGRP).union(Mode::XGRP).union(Mode::ROTH).union(Mode::XOTH);

/// Open directories of the staged dump.
pub(super) struct Directories<S> {
    system: S,
    /// The staged dump's own directory, for messages.
    place: String,
    root: OwnedFd,
    /// What the root is: all below it has its owner and device.
    root_stat: Stat,
    open: Vec<OpenDirectory>,
    open_max: usize,
    /// Counts uses, to find the directory that was not used for the longest time.
    clock: u64,
    made: PathTable,
    /// Whether a directory is synced before it is closed.
    sync: bool,
    /// Mode of a new directory, before the umask.
    mode: Mode,
}

struct OpenDirectory {
    path: Vec<u8>,
    fd: OwnedFd,
    used: u64,
    /// Whether entries were made in it since it was synced.
    changed: bool,
}

impl<S: System> Directories<S> {
    pub(super) fn new(system: S, place: String, root: OwnedFd, root_stat: Stat, scratch: Arc<dyn Scratch>) -> Self {
        let share =
            system.open_files_max().map_or(OPEN_MAX, |max| usize::try_from(max / OPEN_SHARE).unwrap_or(OPEN_MAX));
        Directories {
            system,
            place,
            root,
            root_stat,
            open: Vec::new(),
            open_max: share.clamp(OPEN_MIN, OPEN_MAX),
            clock: 0,
            made: PathTable::new(scratch),
            sync: false,
            mode: SHARED_MODE,
        }
    }

    /// Makes every directory be synced before it is closed.
    pub(super) fn sync_each(&mut self) {
        self.sync = true;
    }

    /// Gives directories that are made from now on to their owner alone.
    pub(super) fn make_private(&mut self) {
        self.mode = Mode::RWXU;
    }

    /// Creates a directory, with those above it, unless this run created it before; leaves it open.
    pub(super) fn enter(&mut self, path: &[u8]) -> Result<()> {
        if path.is_empty() || self.touch(path) {
            return Ok(());
        }
        let mut known = split_last(path).0;
        while !known.is_empty() && !self.touch(known) {
            known = split_last(known).0;
        }
        let mut known_len = known.len();
        while known_len < path.len() {
            let child_len = next_component_end(path, known_len);
            let (parent, child) = (path.get(..known_len), path.get(..child_len));
            self.enter_child(parent.unwrap_or_default(), child.unwrap_or_default())?;
            known_len = child_len;
        }
        Ok(())
    }

    /// Creates a file in a directory of the dump, with the directories above it.
    pub(super) fn create_file(&mut self, path: &[u8]) -> Result<OwnedFd> {
        let (parent, name) = split_last(path);
        self.enter(parent)?;
        let created = self.with_descriptors(parent, |system, fd| system.create_file(fd, name, Access::WriteOnly))?;
        self.mark_changed(parent);
        created.map_err(|source| self.creation_error(SinkOperation::CreateFile, path, source))
    }

    /// Opens a file that this run created, for reading.
    pub(super) fn open_file(&mut self, path: &[u8]) -> Result<OwnedFd> {
        let (parent, name) = split_last(path);
        let fail =
            |directories: &Self, source| io_error(SinkOperation::ReadBack, below(&directories.place, path), source);
        if !parent.is_empty() && self.made.get(parent)?.is_none() {
            return Err(fail(self, io::ErrorKind::NotFound.into()));
        }
        self.enter(parent)?;
        let opened = self.with_descriptors(parent, |system, fd| system.open_file(fd, name))?;
        let file = opened.map_err(|source| fail(self, source))?;
        let stat = self.system.stat(file.as_fd()).map_err(|source| fail(self, source))?;
        // Files of an overlay may have another device than its directories.
        match stat.kind == FileType::RegularFile && stat.owner == self.root_stat.owner {
            true => Ok(file),
            false => Err(fail(self, io::Error::other("it is no longer the file that was written"))),
        }
    }

    /// Lets directories be closed without being synced: the dump is given up.
    pub(super) fn forget_changes(&mut self) {
        self.sync = false;
    }

    /// Gives back the scratch files: nothing will be made any more.
    pub(super) fn forget_made(&mut self, scratch: Arc<dyn Scratch>) {
        self.made = PathTable::new(scratch);
    }

    /// Closes every directory but the root; where each one is synced, the root is synced too.
    pub(super) fn close_all(&mut self) -> Result<()> {
        let mut result = Ok(());
        while let Some(directory) = self.open.pop() {
            result = join(result, self.close(directory));
        }
        if self.sync && result.is_ok() {
            let synced = self.sync_directory(self.root.as_fd());
            result = synced.map_err(|source| io_error(SinkOperation::Sync, &self.place, source));
        }
        result
    }

    /// Opens a directory inside an open one, making it if this run did not do so before.
    fn enter_child(&mut self, parent: &[u8], path: &[u8]) -> Result<()> {
        let name = split_last(path).1;
        let known_id = self.made.get(path)?.map(FileId::from_mark);
        if known_id.is_none() {
            let created = self.system.create_directory(self.fd(parent), name, self.mode);
            created.map_err(|source| self.creation_error(SinkOperation::CreateDirectory, path, source))?;
            self.mark_changed(parent);
        }
        self.shrink_to(self.open_max.saturating_sub(1), parent)?;
        let opened = self.with_descriptors(parent, |system, fd| system.open_directory(fd, name))?;
        let fd = opened.map_err(|source| match source {
            source if has_errno(&source, &[Errno::LOOP, Errno::NOTDIR, Errno::NOENT]) => self.replaced(path),
            source => self.open_error(path, source),
        })?;
        let stat = self.system.stat(fd.as_fd()).map_err(|source| self.open_error(path, source))?;
        let is_ours = match known_id {
            Some(id) => is_still(&self.system, fd.as_fd(), id, stat.id),
            None => true,
        };
        let has_its_place = stat.kind == FileType::Directory
            && stat.owner == self.root_stat.owner
            && stat.id.device == self.root_stat.id.device;
        if !(is_ours && has_its_place) {
            return Err(self.replaced(path));
        }
        if known_id.is_none() {
            self.made.insert(path, stat.id.to_mark())?;
        }
        self.clock = self.clock.saturating_add(1);
        // A directory that is new, or was closed before, has changes only once something is made in it.
        self.open.push(OpenDirectory { path: path.to_vec(), fd, used: self.clock, changed: known_id.is_none() });
        Ok(())
    }

    /// Repeats a call that opens something in a directory with fewer directories open, as long as that is the obstacle.
    fn with_descriptors(
        &mut self,
        keep: &[u8],
        call: impl Fn(&S, BorrowedFd<'_>) -> io::Result<OwnedFd>,
    ) -> Result<io::Result<OwnedFd>> {
        loop {
            let result = call(&self.system, self.fd(keep));
            let out_of_descriptors =
                result.as_ref().is_err_and(|error| has_errno(error, &[Errno::MFILE, Errno::NFILE]));
            let closeable = self.open.iter().filter(|directory| directory.path != keep).count();
            if !out_of_descriptors || closeable == 0 {
                return Ok(result);
            }
            self.open_max = (self.open.len() / 2).max(OPEN_MIN);
            self.shrink_to(self.open.len() / 2, keep)?;
        }
    }

    /// Closes directories, those unused for the longest time first, until so many are open; never `keep`.
    fn shrink_to(&mut self, count: usize, keep: &[u8]) -> Result<()> {
        while self.open.len() > count {
            let closeable = self.open.iter().enumerate().filter(|(_, directory)| directory.path != keep);
            let Some((index, _)) = closeable.min_by_key(|(_, directory)| directory.used) else { break };
            let directory = self.open.swap_remove(index);
            self.close(directory)?;
        }
        Ok(())
    }

    fn close(&self, directory: OpenDirectory) -> Result<()> {
        if self.sync && directory.changed {
            let synced = self.sync_directory(directory.fd.as_fd());
            synced.map_err(|source| io_error(SinkOperation::Sync, below(&self.place, &directory.path), source))?;
        }
        let closed = self.system.close(directory.fd);
        closed.map_err(|source| io_error(SinkOperation::Close, below(&self.place, &directory.path), source))
    }

    fn sync_directory(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        sync_directory(&self.system, fd, SyncScope::Entry)
    }

    /// The descriptor of a directory that is open.
    fn fd(&self, path: &[u8]) -> BorrowedFd<'_> {
        let directory = self.open.iter().find(|directory| directory.path == path);
        directory.map_or(self.root.as_fd(), |directory| directory.fd.as_fd())
    }

    /// Answers whether a directory is open, and counts this as a use.
    fn touch(&mut self, path: &[u8]) -> bool {
        self.clock = self.clock.saturating_add(1);
        let clock = self.clock;
        let directory = self.open.iter_mut().find(|directory| directory.path == path);
        directory.map(|directory| directory.used = clock).is_some()
    }

    fn mark_changed(&mut self, path: &[u8]) {
        if self.sync
            && let Some(directory) = self.open.iter_mut().find(|directory| directory.path == path)
        {
            directory.changed = true;
        }
    }

    fn replaced(&self, path: &[u8]) -> Error {
        Error::new(SinkError::DirectoryReplaced { path: below(&self.place, path) })
    }

    fn open_error(&self, path: &[u8], source: io::Error) -> Error {
        io_error(SinkOperation::OpenDirectory, below(&self.place, path), source)
    }

    /// The error of a name that could not be created; says which other name stands in the way.
    fn creation_error(&self, operation: SinkOperation, path: &[u8], source: io::Error) -> Error {
        if has_errno(&source, &[Errno::EXIST]) {
            let path_text = Escaped(path).to_string();
            return Error::new(SinkError::NameTaken { path: path_text, alias: self.alias_of(path) });
        }
        if has_errno(&source, &[Errno::NAMETOOLONG, Errno::INVAL, Errno::ILSEQ]) {
            return Error::new(SinkError::NameRefused { path: below(&self.place, path), source });
        }
        io_error(operation, below(&self.place, path), source)
    }

    /// The name under which a directory lists an entry that it finds by another name, as file systems without regard to case
    /// or to Unicode composition do.
    fn alias_of(&self, path: &[u8]) -> Option<String> {
        let (parent, name) = split_last(path);
        let fd = self.fd(parent);
        let inode = self.system.stat_at(fd, name).ok()?.id.inode;
        let mut alias = None;
        let listed = self.system.list(fd, &mut |listed, listed_inode| {
            if listed == name {
                alias = None;
                return ControlFlow::Break(());
            }
            if listed_inode == inode {
                alias = Some(below(&Escaped(parent).to_string(), listed));
            }
            ControlFlow::Continue(())
        });
        listed.ok()?;
        alias
    }
}

/// Syncs a directory. File systems that cannot sync directories at all answer "invalid": they keep names in their own way.
pub(super) fn sync_directory<S: System>(system: &S, fd: BorrowedFd<'_>, scope: SyncScope) -> io::Result<()> {
    match system.sync(fd, scope) {
        Err(error) if has_errno(&error, &[Errno::INVAL]) => Ok(()),
        result => result,
    }
}

/// Where the component behind the first `len` bytes ends.
fn next_component_end(path: &[u8], len: usize) -> usize {
    let start = if len == 0 { 0 } else { len.saturating_add(1) };
    let rest = path.get(start..).unwrap_or_default();
    let component_len = rest.iter().position(|byte| *byte == b'/').unwrap_or(rest.len());
    start.saturating_add(component_len)
}
