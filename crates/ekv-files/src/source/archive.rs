//! A dump in an archive, as it passes.
//!
//! Source: `docs/format/tree.md`, sections 9.2 and 9.3.

use std::io::Read;
use std::sync::{Arc, Mutex};

use ekv_spill::Scratch;

use super::folder::{Folder, Placed};
use super::index_check::IndexCheck;
use super::parents::Parents;
use super::{Refusal, Source, Visitor};
use crate::archive::ahead::Ahead;
use crate::archive::decompress::TarStream;
use crate::archive::frame_scan::{FrameScan, Scanning};
use crate::archive::reader::{EntryKind, TarEntry, TarReader};
use crate::archive::{ArchiveFault, ArchiveLimits};
use crate::{DumpPath, Error, Result};

/// A dump in a tar archive, plain or compressed with zstd, read once from front to back: from a file or a pipe.
///
/// Entries are shown in the order of the archive. It is for the visitor to find names that come twice, as a check of a dump does.
pub struct ArchiveSource<'i> {
    reader: Option<TarReader<Box<dyn Read + 'i>>>,
    check: Option<IndexCheck>,
}

impl<'i> ArchiveSource<'i> {
    /// Begins to read; the first bytes tell whether the archive is compressed.
    ///
    /// # Errors
    /// [`ArchiveFault::NotAnArchive`] if they are those of something else;
    /// [`SourceError::Io`](super::SourceError::Io) if they cannot be read.
    pub fn new(input: impl Read + 'i, limits: ArchiveLimits) -> Result<Self> {
        Ok(ArchiveSource::of(Box::new(TarStream::new(input, limits.expansion)?), limits))
    }

    /// As [`ArchiveSource::new`]; what is compressed is decompressed in a thread of its own, a few blocks of 512 KiB ahead.
    ///
    /// # Errors
    /// As [`ArchiveSource::new`].
    pub fn ahead(input: impl Read + Send + 'static, limits: ArchiveLimits) -> Result<Self> {
        let stream = TarStream::new(input, limits.expansion)?;
        let tar: Box<dyn Read> = match stream.is_plain() {
            true => Box::new(stream),
            false => match Ahead::start(stream) {
                Ok(ahead) => Box::new(ahead),
                Err(stream) => Box::new(stream),
            },
        };
        Ok(ArchiveSource::of(tar, limits))
    }

    fn of(tar: Box<dyn Read + 'i>, limits: ArchiveLimits) -> Self {
        ArchiveSource { reader: Some(TarReader::new(tar, limits)), check: None }
    }

    /// As [`ArchiveSource::ahead`], and compares the index of the archive, if it has one, with the entries when all were shown: a visitor is told of each difference.
    ///
    /// Cost: besides, `memory_budget` bytes for sorting the names of all entries.
    ///
    /// # Errors
    /// As [`ArchiveSource::new`].
    pub fn checking_index(
        input: impl Read + Send + 'static,
        limits: ArchiveLimits,
        scratch: &Arc<dyn Scratch>,
        memory_budget: usize,
    ) -> Result<Self> {
        let scan = Arc::new(Mutex::new(FrameScan::new(scratch)));
        let source = Self::ahead(Scanning { input, scan: Arc::clone(&scan) }, limits)?;
        Ok(ArchiveSource { check: Some(IndexCheck::new(scan, scratch, memory_budget)), ..source })
    }
}

impl Source for ArchiveSource<'_> {
    fn walk(&mut self, visitor: &mut dyn Visitor) -> Result<()> {
        let mut reader = self.reader.take().ok_or(ArchiveFault::ReadTwice)?;
        let Some(mut check) = self.check.take() else { return walk(&mut reader, visitor, &mut |_, _| Ok(())) };
        walk(&mut reader, visitor, &mut |path, entry| check.add(path, entry))?;
        check.finish(reader.offset(), visitor)
    }
}

/// Shows every entry with its path from the top of the dump; `note` is told of it first, with its path in the archive.
pub(super) fn walk<R: Read>(
    reader: &mut TarReader<R>,
    visitor: &mut dyn Visitor,
    note: &mut dyn FnMut(&DumpPath, &TarEntry) -> Result<()>,
) -> Result<()> {
    let mut parents = Parents::new(reader.limits().entries);
    let mut folder = Folder::default();
    let mut path = DumpPath::root();
    while let Some(entry) = reader.next()? {
        reader.swap_path(&mut path);
        note(&path, &entry)?;
        parents.advance_to(entry.offset);
        if matches!(folder.place(&mut path, entry.kind == EntryKind::Directory)?, Placed::Nowhere) {
            continue;
        }
        show_waiting(&mut folder, &mut parents, visitor)?;
        let shown = match entry.kind {
            EntryKind::Directory => parents.show(path.as_bytes(), visitor),
            EntryKind::File => parents.show_above(&path, visitor).and_then(|()| visitor.file(&path, reader)),
            EntryKind::Refused(Refusal::PathTooLong) => visitor.refused(&path, Refusal::PathTooLong),
            EntryKind::Refused(refusal) => {
                parents.show_above(&path, visitor).and_then(|()| visitor.refused(&path, refusal))
            }
        };
        // What went wrong with the archive explains what became of it.
        let failure = reader.take_failure().map(|error: Error| error.or_at(path.as_bytes(), None));
        failure.map_or(shown, Err)?;
    }
    show_waiting(&mut folder, &mut parents, visitor)?;
    folder.finish()
}

/// Shows the directories that came before it was known where the dump lies.
fn show_waiting(folder: &mut Folder, parents: &mut Parents, visitor: &mut dyn Visitor) -> Result<()> {
    folder.take_waiting()?.iter().try_for_each(|directory| parents.show(directory.as_bytes(), visitor))
}
