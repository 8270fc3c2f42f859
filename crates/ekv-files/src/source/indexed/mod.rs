//! A dump in an archive, any part of which can be read at any time.
//!
//! Source: `docs/format/tree.md`, section 9.2.

mod content;
mod index;

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;

use ekv_spill::{Scratch, Spool};

use self::content::{Content, Window};
use self::index::{Index, IndexBuilder, Row};
use super::archive::walk;
use super::{Refusal, ScopedSource, Source, SourceError, SourceOperation, Visitor, read_error};
use crate::archive::ArchiveLimits;
use crate::archive::decompress::TarStream;
use crate::archive::reader::TarReader;
use crate::{DumpPath, Error, Result};

/// A dump in a tar archive whose entries can be read in any order.
///
/// Opening reads the archive once and lists its entries in a sorted scratch file. A plain tar file is then read in place; what is compressed
/// or comes through a pipe is kept in a scratch file as long as this lives. Cost: a few MiB of memory, whatever the number of entries.
pub struct IndexedArchive {
    index: Index,
    content: Content,
    window: Window,
}

impl IndexedArchive {
    /// Reads an archive from a file.
    ///
    /// # Errors
    /// Whatever is wrong with the archive or one of its entries, and a name that comes twice.
    pub fn open(file: File, scratch: &Arc<dyn Scratch>, limits: ArchiveLimits) -> Result<Self> {
        let metadata = file.metadata().map_err(read_error)?;
        if !metadata.is_file() {
            return Self::spool(file, scratch, limits);
        }
        let mut reader = match TarStream::new(&file, limits.expansion)? {
            stream if stream.is_plain() => TarReader::new(stream, limits),
            stream => return Self::keep(stream, scratch, limits),
        };
        let index = read_index(&mut reader, scratch)?;
        drop(reader);
        Ok(IndexedArchive { index, content: Content::File { file, len: metadata.len() }, window: Window::default() })
    }

    /// Reads an archive from a stream and keeps its content in a scratch file.
    ///
    /// # Errors
    /// As [`IndexedArchive::open`], and if the scratch file fails.
    pub fn spool(input: impl Read, scratch: &Arc<dyn Scratch>, limits: ArchiveLimits) -> Result<Self> {
        Self::keep(TarStream::new(input, limits.expansion)?, scratch, limits)
    }

    fn keep(stream: TarStream<impl Read>, scratch: &Arc<dyn Scratch>, limits: ArchiveLimits) -> Result<Self> {
        let copying = Copying { stream, copy: Spool::new(Arc::clone(scratch), 0) };
        let mut reader = TarReader::new(copying, limits);
        let index = read_index(&mut reader, scratch)?;
        let content = reader.into_input().copy.into_reader()?;
        Ok(IndexedArchive { index, content: Content::Spooled(content), window: Window::default() })
    }
}

fn read_index<R: Read>(reader: &mut TarReader<R>, scratch: &Arc<dyn Scratch>) -> Result<Index> {
    let place = std::cell::Cell::new((0, 0));
    let mut listing = Listing { builder: IndexBuilder::new(scratch), place: &place };
    walk(reader, &mut listing, &mut |offset, len| place.set((offset, len)))?;
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
        let IndexedArchive { index, content, window } = self;
        index.show_from(&[], &[], &mut |path, row| match row {
            Row::Directory => visitor.directory(path),
            Row::File { offset, len } => visitor.file(path, &mut content.part(window, offset, len)),
        })
    }
}

impl ScopedSource for IndexedArchive {
    fn walk_directory(&mut self, directory: &DumpPath, visitor: &mut dyn Visitor) -> Result<()> {
        let IndexedArchive { index, content, window } = self;
        if !directory.is_empty() && index.find(directory)? != Some(Row::Directory) {
            return Err(missing(SourceOperation::OpenDirectory, directory));
        }
        index.show_directory(directory, &mut |path, row| match row {
            Row::Directory => visitor.directory(path),
            Row::File { offset, len } => visitor.file(path, &mut content.part(window, offset, len)),
        })
    }

    fn open_file(&mut self, path: &DumpPath) -> Result<Box<dyn Read + '_>> {
        match self.index.find(path)? {
            Some(Row::File { offset, len }) => Ok(Box::new(self.content.part(&mut self.window, offset, len))),
            Some(Row::Directory) => Err(Error::from(SourceError::Refused(Refusal::Replaced)).at(path.as_bytes())),
            None => Err(missing(SourceOperation::OpenFile, path)),
        }
    }
}

fn missing(operation: SourceOperation, path: &DumpPath) -> Error {
    let source = io::ErrorKind::NotFound.into();
    Error::from(SourceError::Io { operation, source }).at(path.as_bytes())
}
