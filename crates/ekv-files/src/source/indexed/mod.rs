//! A dump in an archive, any part of which can be read at any time.
//!
//! Source: `docs/format/tree.md`, sections 9.2 and 9.3.

mod content;
mod frames;
mod index;
mod named;

use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::sync::Arc;

use ekv_spill::{Scratch, Spool, read_exact_at};

use self::content::Content;
use self::index::{Index, IndexBuilder, Row};
use self::named::Named;
use super::archive::walk;
use super::listed;
use super::{Refusal, ScopedSource, Source, SourceError, SourceOperation, Visitor, read_error};
use crate::archive::decompress::TarStream;
use crate::archive::reader::TarReader;
use crate::archive::{ArchiveFault, ArchiveLimits, IndexFault};
use crate::checksums::{CHECKSUMS_FILE, FileDigest};
use crate::compressed::Beginning;
use crate::{DumpPath, Error, ErrorKind, Result};

/// A dump in a tar archive whose entries can be read in any order.
///
/// A compressed archive file that has an index is read in place: to open it costs reading its end, to read a file the frames in which it lies. The
/// index is a hint. Where it is missing, malformed or wrong, it is not used ([`ScopedSource::index_fault`]) and the archive is read as any other.
///
/// Any other is read once to list its entries in a sorted scratch file. A plain tar file is then read in place; what is compressed
/// or comes through a pipe is kept in a scratch file as long as this lives. Cost: a few MiB of memory, whatever the number of entries.
pub struct IndexedArchive {
    entries: Entries,
    content: Content,
    /// What is read from the beginning if the index proves wrong.
    archive: Option<ArchiveFile>,
    index_fault: Option<IndexFault>,
}

/// What is known of the entries.
enum Entries {
    /// All of them, since all of the archive was read.
    Listed(Index),
    /// What the index of the archive says.
    Named(Box<Named>),
}

/// An archive that is read in place.
struct ArchiveFile {
    file: Arc<File>,
    scratch: Arc<dyn Scratch>,
    limits: ArchiveLimits,
}

impl IndexedArchive {
    /// Reads an archive from a file, from its beginning.
    ///
    /// # Errors
    /// Whatever is wrong with the archive or one of its entries, and a name that comes twice; but for those with an index only what is
    /// noticed by opening it.
    pub fn open(file: File, scratch: &Arc<dyn Scratch>, limits: ArchiveLimits) -> Result<Self> {
        let metadata = file.metadata().map_err(read_error)?;
        if !metadata.is_file() {
            return Self::spool(file, scratch, limits);
        }
        let archive = ArchiveFile { file: Arc::new(file), scratch: Arc::clone(scratch), limits };
        if !archive.begins_with_a_frame() {
            return archive.list(metadata.len());
        }
        match Named::open(&archive.file, metadata.len(), limits, scratch) {
            Ok((named, content)) => {
                let entries = Entries::Named(Box::new(named));
                Ok(IndexedArchive { entries, content, archive: Some(archive), index_fault: None })
            }
            Err(error) => {
                let index_fault = Some(index_fault_of(error)?);
                Ok(IndexedArchive { index_fault, ..archive.list(metadata.len())? })
            }
        }
    }

    /// Reads an archive from a stream and keeps its content in a scratch file.
    ///
    /// # Errors
    /// As [`IndexedArchive::open`], and if the scratch file fails. All of the archive was read: an index in it is not used.
    pub fn spool(input: impl Read, scratch: &Arc<dyn Scratch>, limits: ArchiveLimits) -> Result<Self> {
        Self::keep(TarStream::new(input, limits.expansion)?, scratch, limits)
    }

    fn keep(stream: TarStream<impl Read>, scratch: &Arc<dyn Scratch>, limits: ArchiveLimits) -> Result<Self> {
        let copying = Copying { stream, copy: Spool::new(Arc::clone(scratch), 0) };
        let mut reader = TarReader::new(copying, limits);
        let index = read_index(&mut reader, scratch)?;
        Ok(Self::listed(index, Content::spooled(reader.into_input().copy.into_reader()?)))
    }

    fn listed(index: Index, content: Content) -> Self {
        IndexedArchive { entries: Entries::Listed(index), content, archive: None, index_fault: None }
    }

    /// Does something by the index, and again without it if it proves wrong. Nothing may have been shown before that.
    fn do_or_list<T>(&mut self, step: &mut dyn FnMut(&mut Self) -> Result<T>) -> Result<T> {
        let error = match (step(self), &self.entries) {
            (Err(error), Entries::Named(_)) => error,
            (result, _) => return result,
        };
        let index_fault = index_fault_of(error)?;
        let Some(archive) = self.archive.take() else { return Err(index_fault.into()) };
        let len = archive.file.metadata().map_err(read_error)?.len();
        *self = IndexedArchive { index_fault: Some(index_fault), ..archive.list(len)? };
        step(self)
    }

    /// Where the content of a file lies, and how long it is.
    fn locate(&mut self, path: &DumpPath) -> Result<(u64, u64)> {
        self.do_or_list(&mut |archive| {
            let row = match &mut archive.entries {
                Entries::Listed(index) => index.find(path)?,
                Entries::Named(named) => match named.find(path)? {
                    Some(place) if place.is_directory => Some(Row::Directory),
                    Some(place) => {
                        let offset = named.locate(&mut archive.content, path, place)?;
                        Some(Row::File { offset, len: place.len })
                    }
                    None => None,
                },
            };
            match row {
                Some(Row::File { offset, len }) => Ok((offset, len)),
                Some(Row::Directory) => Err(Error::from(SourceError::Refused(Refusal::Replaced)).at(path.as_bytes())),
                None => Err(missing(SourceOperation::OpenFile, path)),
            }
        })
    }

    /// Shows entries: of one directory, or all.
    fn show(&mut self, directory: Option<&DumpPath>, visitor: &mut dyn Visitor) -> Result<()> {
        self.do_or_list(&mut |archive| archive.check(directory))?;
        let IndexedArchive { entries, content, .. } = self;
        match entries {
            Entries::Listed(index) => index.for_each(directory, &mut |path, row| match row {
                Row::Directory => visitor.directory(path),
                Row::File { offset, len } => visitor.file(path, &mut content.part(offset, len)),
            }),
            Entries::Named(named) => {
                let limits = named.limits();
                named.for_each(directory, &mut |path, place| Named::show(content, limits, path, place, visitor))
            }
        }
    }

    /// Checks that a directory is there, and what the index says about everything that is to be shown.
    fn check(&mut self, directory: Option<&DumpPath>) -> Result<()> {
        let inner = directory.filter(|directory| !directory.is_empty());
        let is_there = match (&mut self.entries, inner) {
            (_, None) => true,
            (Entries::Listed(index), Some(directory)) => index.find(directory)? == Some(Row::Directory),
            (Entries::Named(named), Some(directory)) => named.find(directory)?.is_some_and(|place| place.is_directory),
        };
        match (&mut self.entries, inner) {
            (_, Some(directory)) if !is_there => Err(missing(SourceOperation::OpenDirectory, directory)),
            (Entries::Listed(_), _) => Ok(()),
            (Entries::Named(named), _) => named.for_each(directory, &mut |_, _| Ok(())),
        }
    }
}

impl ArchiveFile {
    /// Whether the first bytes are those of a compressed archive that may have an index.
    fn begins_with_a_frame(&self) -> bool {
        let mut first = [0; 4];
        read_exact_at(&self.file, &mut first, 0).is_ok() && Beginning::of(&first) == Some(Beginning::Frame)
    }

    /// Reads all of the archive and lists its entries.
    fn list(&self, len: u64) -> Result<IndexedArchive> {
        let ArchiveFile { file, scratch, limits } = self;
        (&**file).rewind().map_err(read_error)?;
        let mut reader = match TarStream::new(&**file, limits.expansion)? {
            stream if stream.is_plain() => TarReader::new(stream, *limits),
            stream => return IndexedArchive::keep(stream, scratch, *limits),
        };
        let index = read_index(&mut reader, scratch)?;
        drop(reader);
        Ok(IndexedArchive::listed(index, Content::file(Arc::clone(file), len)))
    }
}

/// The fault of the index, if that is what an error is about.
fn index_fault_of(error: Error) -> Result<IndexFault> {
    match error.kind() {
        ErrorKind::Archive(ArchiveFault::Index(fault)) => Ok(fault.clone()),
        _ => Err(error),
    }
}

fn read_index<R: Read>(reader: &mut TarReader<R>, scratch: &Arc<dyn Scratch>) -> Result<Index> {
    let place = std::cell::Cell::new((0, 0));
    let mut listing = Listing { builder: IndexBuilder::new(scratch), place: &place };
    walk(reader, &mut listing, &mut |_, entry| {
        place.set((entry.offset, entry.len));
        Ok(())
    })?;
    listing.builder.finish(scratch)
}

/// Takes down every entry.
struct Listing<'p> {
    builder: IndexBuilder,
    /// Offset and length of the file that is shown.
    place: &'p std::cell::Cell<(u64, u64)>,
}

impl Visitor for Listing<'_> {
    fn directory(&mut self, path: &DumpPath) -> Result<()> {
        self.builder.add(path, Row::Directory)
    }

    fn file(&mut self, path: &DumpPath, _content: &mut dyn Read) -> Result<()> {
        let (offset, len) = self.place.get();
        self.builder.add(path, Row::File { offset, len })
    }

    fn refused(&mut self, path: &DumpPath, refusal: Refusal) -> Result<()> {
        Err(Error::from(SourceError::Refused(refusal)).at(path.as_bytes()))
    }
}

/// Passes a tar on and keeps a copy.
struct Copying<R: Read> {
    stream: TarStream<R>,
    copy: Spool,
}

impl<R: Read> Read for Copying<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let len = self.stream.read(buf)?;
        self.copy.write_all(buf.get(..len).unwrap_or_default()).map_err(io::Error::other)?;
        Ok(len)
    }
}

impl Source for IndexedArchive {
    fn walk(&mut self, visitor: &mut dyn Visitor) -> Result<()> {
        self.show(None, visitor)
    }
}

impl ScopedSource for IndexedArchive {
    fn walk_directory(&mut self, directory: &DumpPath, visitor: &mut dyn Visitor) -> Result<()> {
        self.show(Some(directory), visitor)
    }

    fn open_file(&mut self, path: &DumpPath) -> Result<Box<dyn Read + '_>> {
        let (offset, len) = self.locate(path)?;
        Ok(Box::new(self.content.part(offset, len)))
    }

    fn listed_digest(&mut self, path: &DumpPath) -> Result<Option<FileDigest>> {
        let (offset, len) = self.locate(&DumpPath::new(CHECKSUMS_FILE.as_bytes())?)?;
        let share = match &mut self.entries {
            Entries::Listed(_) => None,
            Entries::Named(named) => Some(named.share_before(path)?),
        };
        let content = &mut self.content;
        let found = listed::search(len, share, path, &mut |start, buf| {
            let left = len.saturating_sub(start);
            content.part(offset.saturating_add(start), left).read_exact(buf).map_err(read_error)
        })?;
        match found {
            Some(digest) => Ok(Some(digest)),
            // Perhaps it is not sorted.
            None => listed::scan(BufReader::new(content.part(offset, len)), path),
        }
    }

    fn index_fault(&self) -> Option<&IndexFault> {
        self.index_fault.as_ref()
    }
}

fn missing(operation: SourceOperation, path: &DumpPath) -> Error {
    let source = io::ErrorKind::NotFound.into();
    Error::from(SourceError::Io { operation, source }).at(path.as_bytes())
}
