//! A dump in a directory, read by descriptors: no path is resolved twice and no link is followed.
//!
//! Source: `docs/format/tree.md`, section 8.4.

mod strangers;

use std::fs::File;
use std::io::{BufReader, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use crate::root::MANIFEST_FILE;
use ekv_spill::{Scratch, Sorted, Sorter, read_exact_at};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, fstat, openat, statat};
use rustix::io::Errno;

use super::listed;
use super::{PATH_LEN_MAX, Refusal, ScopedSource, Source, SourceError, SourceOperation, Visitor, read_error};
use crate::checksums::{CHECKSUMS_FILE, FileDigest};
use crate::path::is_at_or_below;
use crate::{DumpPath, Error, Result};

/// Memory for the names of one directory, and for the directories of one depth, in bytes.
const SORT_BUDGET: usize = 4 << 20;

/// Directories from the root downwards that stay open.
const OPEN_DIRECTORIES_MAX: usize = 16;

const DIRECTORY_FLAGS: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
const FILE_FLAGS: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// A dump in a directory.
///
/// The walk shows `MANIFEST.json` and `CHECKSUMS` first, then directory by directory: those of less depth first, then in byte order;
/// the files of a directory in byte order. Cost: about three times 4 MiB and a few descriptors; longer lists go to scratch files.
pub struct DirSource {
    directories: Directories,
    scratch: Arc<dyn Scratch>,
}

impl DirSource {
    /// Opens the root of a dump. It may be named through a symbolic link: the user named it.
    ///
    /// # Errors
    /// [`SourceError::Io`] if it cannot be opened or is no directory.
    pub fn open(root: &Path, scratch: Arc<dyn Scratch>) -> Result<Self> {
        let root = rustix::fs::open(root, DIRECTORY_FLAGS, Mode::empty())
            .map_err(|error| failed(SourceOperation::OpenRoot)(error).at(root.as_os_str().as_bytes()))?;
        Ok(DirSource { directories: Directories::new(root), scratch })
    }

    /// Opens one file without following any link.
    ///
    /// # Errors
    /// [`SourceError::Io`] if it cannot be opened, [`SourceError::Refused`] if it is no regular file with one link.
    pub fn open_file(&mut self, path: &DumpPath) -> Result<File> {
        let (parent, name) = path.split_last();
        let opened = match self.directories.open(parent)? {
            Ok(directory) => open_regular(directory, name)?,
            Err(refusal) => Err(refusal),
        };
        opened.map_err(|refusal| Error::from(SourceError::Refused(refusal)).at(path.as_bytes()))
    }

    /// The same dump, with entries shown in byte order of their paths, as archives hold them.
    ///
    /// Cost: lists everything before the first entry is shown.
    pub fn in_path_order(&mut self) -> impl Source + '_ {
        PathOrder { source: self }
    }

    /// All entries below the root: paths and kinds.
    fn list_all(&mut self) -> Result<Sorted> {
        let mut all = self.sorter();
        let mut deeper = self.sorter();
        deeper.push(b"", b"")?;
        while !deeper.is_empty() {
            let mut level = std::mem::replace(&mut deeper, self.sorter()).finish()?;
            while let Some((directory, _)) = level.next()? {
                let mut path = DumpPath::root();
                if !directory.is_empty() {
                    path.extend(directory)?;
                }
                let parent_len = path.len();
                let opened = self.directories.open(directory).map_err(|error| locate(error, directory))?;
                let mut names = match opened {
                    Ok(opened) => list(opened, false, &self.scratch).map_err(|error| locate(error, directory))?,
                    // Seen again, and refused, when it is shown.
                    Err(_) => continue,
                };
                while let Some((rank_and_name, kind)) = names.next()? {
                    path.push(rank_and_name.get(1..).unwrap_or_default())?;
                    all.push(path.as_bytes(), kind)?;
                    if matches!(EntryKind::of(kind), EntryKind::Directory) && path.len() <= PATH_LEN_MAX {
                        deeper.push(path.as_bytes(), b"")?;
                    }
                    path.truncate(parent_len);
                }
            }
        }
        Ok(all.finish()?)
    }

    /// Shows one entry that was listed.
    fn show_entry(&mut self, path: &DumpPath, kind: EntryKind, visitor: &mut dyn Visitor) -> Result<()> {
        let (parent, name) = path.split_last();
        match kind {
            _ if path.len() > PATH_LEN_MAX => visitor.refused(path, Refusal::PathTooLong),
            EntryKind::Refused(refusal) => visitor.refused(path, refusal),
            EntryKind::Directory => match self.directories.open(path.as_bytes())? {
                Ok(_) => visitor.directory(path),
                Err(refusal) => visitor.refused(path, refusal),
            },
            EntryKind::File => {
                let opened = match self.directories.open(parent)? {
                    Ok(directory) => open_regular(directory, name).map_err(|error| error.at(path.as_bytes()))?,
                    Err(refusal) => Err(refusal),
                };
                match opened {
                    Ok(mut file) => visitor.file(path, &mut file),
                    Err(refusal) => visitor.refused(path, refusal),
                }
            }
        }
    }

    /// Shows what a directory holds but directories, which go to `on_directory`; says first that it is `entered`.
    fn show_entries(
        &mut self,
        path: &mut DumpPath,
        visitor: &mut dyn Visitor,
        entered: &mut dyn FnMut(&DumpPath, &mut dyn Visitor) -> Result<()>,
        on_directory: &mut dyn FnMut(&DumpPath, &mut dyn Visitor) -> Result<()>,
    ) -> Result<()> {
        let directory = match self.directories.open(path.as_bytes())? {
            Ok(directory) => directory,
            Err(refusal) => return visitor.refused(path, refusal),
        };
        entered(path, visitor)?;
        let parent_len = path.len();
        let mut names = list(directory, path.is_empty(), &self.scratch)?;
        while let Some((rank_and_name, kind)) = names.next()? {
            let name = rank_and_name.get(1..).unwrap_or_default();
            path.push(name)?;
            match EntryKind::of(kind) {
                _ if path.len() > PATH_LEN_MAX => visitor.refused(path, Refusal::PathTooLong)?,
                EntryKind::Directory => on_directory(path, visitor)?,
                EntryKind::File => match open_regular(directory, name).map_err(|error| error.at(path.as_bytes()))? {
                    Ok(mut file) => visitor.file(path, &mut file)?,
                    Err(refusal) => visitor.refused(path, refusal)?,
                },
                EntryKind::Refused(refusal) => visitor.refused(path, refusal)?,
            }
            path.truncate(parent_len);
        }
        Ok(())
    }
}

impl Source for DirSource {
    fn walk(&mut self, visitor: &mut dyn Visitor) -> Result<()> {
        let mut deeper = self.sorter();
        let mut root = DumpPath::root();
        self.show_entries(&mut root, visitor, &mut |_, _| Ok(()), &mut |path, _| {
            Ok(deeper.push(path.as_bytes(), b"")?)
        })?;
        while !deeper.is_empty() {
            let mut level = std::mem::replace(&mut deeper, self.sorter()).finish()?;
            while let Some((directory, _)) = level.next()? {
                let mut path = DumpPath::new(directory)?;
                self.show_entries(&mut path, visitor, &mut |path, visitor| visitor.directory(path), &mut |path, _| {
                    Ok(deeper.push(path.as_bytes(), b"")?)
                })
                .map_err(|error| locate(error, directory))?;
            }
        }
        Ok(())
    }
}

/// A directory, shown in byte order of the paths.
struct PathOrder<'s> {
    source: &'s mut DirSource,
}

impl Source for PathOrder<'_> {
    fn walk(&mut self, visitor: &mut dyn Visitor) -> Result<()> {
        let mut entries = self.source.list_all()?;
        while let Some((path, kind)) = entries.next()? {
            self.source.show_entry(&DumpPath::new(path)?, EntryKind::of(kind), visitor)?;
        }
        Ok(())
    }
}

impl ScopedSource for DirSource {
    fn walk_directory(&mut self, directory: &DumpPath, visitor: &mut dyn Visitor) -> Result<()> {
        let mut path = directory.clone();
        self.show_entries(&mut path, visitor, &mut |_, _| Ok(()), &mut |path, visitor| visitor.directory(path))
            .map_err(|error| locate(error, directory.as_bytes()))
    }

    fn open_file(&mut self, path: &DumpPath) -> Result<Box<dyn Read + '_>> {
        Ok(Box::new(DirSource::open_file(self, path)?))
    }

    fn listed_digest(&mut self, path: &DumpPath) -> Result<Option<FileDigest>> {
        let file = DirSource::open_file(self, &DumpPath::new(CHECKSUMS_FILE.as_bytes())?)?;
        let len = file.metadata().map_err(read_error)?.len();
        let found = listed::search(len, None, path, &mut |offset, buf| {
            read_exact_at(&file, buf, offset).map_err(|error| read_error(error).or_at(CHECKSUMS_FILE.as_bytes(), None))
        })?;
        match found {
            Some(digest) => Ok(Some(digest)),
            // Perhaps it is not sorted.
            None => listed::scan(BufReader::new(file), path),
        }
    }
}

impl DirSource {
    fn sorter(&self) -> Sorter {
        Sorter::new(Arc::clone(&self.scratch), SORT_BUDGET)
    }
}

/// Open directories on the way to the last one that was asked for.
struct Directories {
    root: OwnedFd,
    /// Name and descriptor of the first few levels below the root.
    open: Vec<(Vec<u8>, OwnedFd)>,
    /// The last directory, if it lies deeper than those, with its path.
    deep: Option<(Vec<u8>, OwnedFd)>,
    /// Directories that were opened.
    #[cfg(test)]
    opened: usize,
}

impl Directories {
    fn new(root: OwnedFd) -> Self {
        Directories {
            root,
            open: Vec::new(),
            deep: None,
            #[cfg(test)]
            opened: 0,
        }
    }

    /// Opens a directory component by component, from the last one that is on the way.
    fn open(&mut self, path: &[u8]) -> Result<Result<BorrowedFd<'_>, Refusal>> {
        let components = || path.split(|byte| *byte == b'/').filter(|component| !component.is_empty());
        let known = components().zip(&self.open).take_while(|(component, (name, _))| component == name).count();
        self.open.truncate(known);
        let deep = self.deep.take().filter(|(deep, _)| is_at_or_below(path, deep));
        let known = deep.as_ref().map_or(known, |(deep, _)| deep.split(|byte| *byte == b'/').count());
        let mut last_deep = deep.map(|(_, directory)| directory);
        for component in components().skip(known) {
            let parent = last_deep.as_ref().map_or_else(|| self.last(), AsFd::as_fd);
            let opened = match openat(parent, component, DIRECTORY_FLAGS | OFlags::NOFOLLOW, Mode::empty()) {
                Ok(opened) => opened,
                Err(Errno::LOOP | Errno::NOTDIR) => return Ok(Err(Refusal::Replaced)),
                Err(errno) => return Err(failed(SourceOperation::OpenDirectory)(errno).at(path)),
            };
            #[cfg(test)]
            {
                self.opened += 1;
            }
            if self.open.len() < OPEN_DIRECTORIES_MAX {
                self.open.push((component.to_vec(), opened));
            } else {
                last_deep = Some(opened);
            }
        }
        self.deep = last_deep.map(|directory| (path.to_vec(), directory));
        Ok(Ok(self.last()))
    }

    fn last(&self) -> BorrowedFd<'_> {
        let deep = self.deep.as_ref().map(|(_, directory)| directory);
        deep.or(self.open.last().map(|(_, directory)| directory)).unwrap_or(&self.root).as_fd()
    }
}

/// What a listed entry is.
#[derive(Clone, Copy)]
enum EntryKind {
    Directory,
    File,
    Refused(Refusal),
}

impl EntryKind {
    fn from_file_type(file_type: FileType) -> Self {
        match file_type {
            FileType::Directory => EntryKind::Directory,
            FileType::RegularFile => EntryKind::File,
            FileType::Symlink => EntryKind::Refused(Refusal::Symlink),
            FileType::Fifo => EntryKind::Refused(Refusal::Fifo),
            FileType::Socket => EntryKind::Refused(Refusal::Socket),
            FileType::BlockDevice | FileType::CharacterDevice => EntryKind::Refused(Refusal::Device),
            _ => EntryKind::Refused(Refusal::UnknownType),
        }
    }

    /// As payload of the sorter.
    fn code(self) -> &'static [u8] {
        match self {
            EntryKind::Directory => b"d",
            EntryKind::File => b"f",
            EntryKind::Refused(Refusal::Symlink) => b"l",
            EntryKind::Refused(Refusal::Fifo) => b"p",
            EntryKind::Refused(Refusal::Socket) => b"s",
            EntryKind::Refused(Refusal::Device) => b"b",
            EntryKind::Refused(_) => b"?",
        }
    }

    fn of(code: &[u8]) -> Self {
        match code {
            b"d" => EntryKind::Directory,
            b"f" => EntryKind::File,
            b"l" => EntryKind::Refused(Refusal::Symlink),
            b"p" => EntryKind::Refused(Refusal::Fifo),
            b"s" => EntryKind::Refused(Refusal::Socket),
            b"b" => EntryKind::Refused(Refusal::Device),
            _ => EntryKind::Refused(Refusal::UnknownType),
        }
    }
}

/// The entries of a directory: a rank byte and the name, and the kind. In the root the two files about the dump come first.
fn list(directory: BorrowedFd<'_>, is_root: bool, scratch: &Arc<dyn Scratch>) -> Result<Sorted> {
    let mut names = Sorter::new(Arc::clone(scratch), SORT_BUDGET);
    let mut key = Vec::new();
    for entry in Dir::read_from(directory).map_err(failed(SourceOperation::ListDirectory))? {
        let entry = entry.map_err(failed(SourceOperation::ListDirectory))?;
        let name = entry.file_name().to_bytes();
        if name == b"." || name == b".." {
            continue;
        }
        let file_type = match entry.file_type() {
            FileType::Unknown => {
                let stat = statat(directory, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW)
                    .map_err(failed(SourceOperation::Examine))?;
                FileType::from_raw_mode(stat.st_mode)
            }
            known => known,
        };
        let comes_first = is_root && (name == MANIFEST_FILE.as_bytes() || name == CHECKSUMS_FILE.as_bytes());
        key.clear();
        key.push(match (comes_first, name == MANIFEST_FILE.as_bytes()) {
            (true, true) => 0,
            (true, false) => 1,
            (false, _) => 2,
        });
        key.extend_from_slice(name);
        names.push(&key, EntryKind::from_file_type(file_type).code())?;
    }
    Ok(names.finish()?)
}

/// Opens a file that was listed as regular; a FIFO in its place does not block.
fn open_regular(directory: BorrowedFd<'_>, name: &[u8]) -> Result<Result<File, Refusal>> {
    let file = match openat(directory, name, FILE_FLAGS, Mode::empty()) {
        Ok(file) => file,
        Err(Errno::LOOP) => return Ok(Err(Refusal::Symlink)),
        Err(Errno::NXIO) => return Ok(Err(Refusal::Socket)),
        Err(errno) => return Err(failed(SourceOperation::OpenFile)(errno)),
    };
    let stat = fstat(&file).map_err(failed(SourceOperation::Examine))?;
    Ok(match EntryKind::from_file_type(FileType::from_raw_mode(stat.st_mode)) {
        EntryKind::File if stat.st_nlink == 1 => Ok(File::from(file)),
        EntryKind::File => Err(Refusal::HardLink),
        EntryKind::Directory => Err(Refusal::Replaced),
        EntryKind::Refused(refusal) => Err(refusal),
    })
}

fn failed(operation: SourceOperation) -> impl Fn(Errno) -> Error {
    move |errno| SourceError::Io { operation, source: errno.into() }.into()
}

/// Adds the directory to an error that names no path.
fn locate(error: Error, directory: &[u8]) -> Error {
    if error.location().path.is_none() { error.at(directory) } else { error }
}

#[cfg(test)]
mod tests;
