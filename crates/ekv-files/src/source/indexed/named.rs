//! The entries of an archive by its own index, which is a hint: what it says of a file is compared with the header of the file.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;

use ekv_spill::Scratch;

use super::content::Content;
use super::frames::Frames;
use crate::archive::names::{EntryPosition, NameIndex, Step};
use crate::archive::reader::{EntryKind, TarReader};
use crate::archive::seekable::FrameTable;
use crate::archive::stretches::Stretches;
use crate::archive::{ArchiveFault, ArchiveLimits, IndexFault};
use crate::error::read_error;
use crate::root::MANIFEST_FILE;
use crate::source::Visitor;
use crate::{DumpPath, Error, ErrorKind, Result};

/// The names of the entries.
pub(super) struct Named {
    names: NameIndex,
    limits: ArchiveLimits,
}

impl Named {
    /// Opens an archive by its index.
    ///
    /// # Errors
    /// [`IndexFault`] if there is none that can be used.
    pub(super) fn open(
        file: &Arc<File>,
        len: u64,
        limits: ArchiveLimits,
        scratch: &Arc<dyn Scratch>,
    ) -> Result<(Self, Content)> {
        let (table, parts) = FrameTable::read(file, len, limits, scratch)?;
        let payload = Stretches::File { file: Arc::clone(file), parts };
        let names = NameIndex::open(payload, table.content_len(), limits, scratch)?;
        let frames = Frames::new(Arc::clone(file), table, Arc::clone(scratch)).map_err(read_error)?;
        Ok((Named { names, limits }, Content::frames(frames)))
    }

    /// What the index says about a name.
    ///
    /// # Errors
    /// [`IndexFault`] where the index is malformed, and if it names no manifest: only reading all of the archive tells whether the dump lies in a
    /// folder of it.
    pub(super) fn find(&mut self, path: &DumpPath) -> Result<Option<EntryPosition>> {
        match self.names.find(path.as_bytes())? {
            None if path.as_bytes() == MANIFEST_FILE.as_bytes() => {
                Err(IndexFault::Names("does not name MANIFEST.json").into())
            }
            found => Ok(found),
        }
    }

    /// About which share of all names comes before one: the first number of the second.
    pub(super) fn share_before(&mut self, path: &DumpPath) -> Result<(u64, u64)> {
        self.names.share_before(path.as_bytes())
    }

    /// Where the content of a file begins, by its header.
    ///
    /// # Errors
    /// [`IndexFault::Elsewhere`] if something else lies there.
    pub(super) fn locate(&self, content: &mut Content, path: &DumpPath, place: EntryPosition) -> Result<u64> {
        locate(content, self.limits, path, place)
    }

    /// Shows the entries of one directory, or all, by the order of their paths.
    ///
    /// # Errors
    /// [`IndexFault`] where the index is malformed, and the first error of `show`.
    pub(super) fn for_each(
        &mut self,
        directory: Option<&DumpPath>,
        show: &mut dyn FnMut(&DumpPath, EntryPosition) -> Result<()>,
    ) -> Result<()> {
        let Some(directory) = directory else { return self.names.for_each(show) };
        let mut beginning = directory.as_bytes().to_vec();
        if !beginning.is_empty() {
            beginning.push(b'/');
        }
        self.names.for_each_from(&beginning, &mut |path, place| {
            let Some(name) = path.as_bytes().strip_prefix(beginning.as_slice()) else { return Ok(Step::Stop) };
            match name.iter().position(|byte| *byte == b'/') {
                // Behind everything in a directory come names that go on with a greater byte.
                Some(slash) => {
                    let inner = name.get(..slash).unwrap_or_default();
                    Ok(Step::SkipTo([beginning.as_slice(), inner, b"0"].concat()))
                }
                None => show(path, place).map(|()| Step::Next),
            }
        })
    }

    /// Shows an entry to a visitor. The header of a file is compared once its content is read.
    pub(super) fn show(
        content: &mut Content,
        limits: ArchiveLimits,
        path: &DumpPath,
        place: EntryPosition,
        visitor: &mut dyn Visitor,
    ) -> Result<()> {
        match place.is_directory {
            true => visitor.directory(path),
            false => visitor.file(path, &mut NamedFile { content, limits, path, place, left: None }),
        }
    }

    pub(super) fn limits(&self) -> ArchiveLimits {
        self.limits
    }
}

fn locate(content: &mut Content, limits: ArchiveLimits, path: &DumpPath, place: EntryPosition) -> Result<u64> {
    let elsewhere = || Error::from(IndexFault::Elsewhere { header_offset: place.header_offset }).at(path.as_bytes());
    let content_len = content.len();
    let left = content_len.saturating_sub(place.header_offset);
    let mut reader = TarReader::new(content.part(place.header_offset, left), limits);
    let entry = match reader.next() {
        Ok(entry) => entry.ok_or_else(elsewhere)?,
        Err(error) => match error.kind() {
            ErrorKind::Archive(ArchiveFault::Compressed(_)) => return Err(error.at(path.as_bytes())),
            ErrorKind::Archive(_) | ErrorKind::Path(_) => return Err(elsewhere()),
            _ => return Err(error),
        },
    };
    let is_it = entry.kind == EntryKind::File && entry.len == place.len && reader.path() == path;
    let offset = place.header_offset.saturating_add(entry.offset);
    let is_inside = offset.checked_add(entry.len).is_some_and(|end| end <= content_len);
    if is_it && is_inside { Ok(offset) } else { Err(elsewhere()) }
}

/// The content of a file that the index names.
struct NamedFile<'f> {
    content: &'f mut Content,
    limits: ArchiveLimits,
    path: &'f DumpPath,
    place: EntryPosition,
    /// Where the rest of the content lies, and how much it is; `None` before the header was compared.
    left: Option<(u64, u64)>,
}

impl Read for NamedFile<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let (offset, left) = match self.left {
            Some(left) => left,
            None => {
                let offset = locate(self.content, self.limits, self.path, self.place).map_err(into_io)?;
                (offset, self.place.len)
            }
        };
        let len = self.content.part(offset, left).read(buf)?;
        let len_u64 = u64::try_from(len).unwrap_or(u64::MAX);
        self.left = Some((offset.saturating_add(len_u64), left.saturating_sub(len_u64)));
        Ok(len)
    }
}

/// An error as one of a read, which [`read_error`] takes apart again.
fn into_io(error: Error) -> io::Error {
    match error.kind() {
        ErrorKind::Archive(fault) => io::Error::other(fault.clone()),
        _ => io::Error::other(error),
    }
}
