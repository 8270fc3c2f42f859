//! Where a dump is read from: what a user named is a directory, an archive, or standard input.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use ekv_files::archive::{ArchiveFault, ArchiveLimits, IndexFault};
use ekv_files::checksums::FileDigest;
use ekv_files::source::{
    ArchiveSource, DirSource, IndexedArchive, Refusal, ScopedSource, Source, SourceError, SourceOperation, Visitor,
};
use ekv_files::{DumpPath, ErrorKind};
use ekv_model::Result;
use ekv_spill::Scratch;

use crate::input_place::{InputPlace, STANDARD_INPUT, open_stream};
use crate::{CommandError, Resources};

/// Opens a dump whose entries are read once, in any order: a directory, an archive, or `-` for an archive on standard input.
///
/// # Errors
/// If it cannot be opened, or is neither.
pub(crate) fn open_dump_once(
    dump: &Path,
    scratch: &Arc<dyn Scratch>,
    resources: &Resources,
) -> Result<Box<dyn Source>> {
    open_once(dump, scratch, resources, &|input, limits| ArchiveSource::ahead(input, limits))
}

/// As [`open_dump_once`]; the index of an archive is compared with its entries, with so many bytes of memory for sorting.
pub(crate) fn open_dump_to_check(
    dump: &Path,
    scratch: &Arc<dyn Scratch>,
    resources: &Resources,
    memory_budget: usize,
) -> Result<Box<dyn Source>> {
    open_once(dump, scratch, resources, &|input, limits| {
        ArchiveSource::checking_index(input, limits, scratch, memory_budget)
    })
}

/// Begins to read an archive.
type OpenArchive<'o> = &'o dyn Fn(Box<dyn Read + Send>, ArchiveLimits) -> ekv_files::Result<ArchiveSource<'static>>;

fn open_once(
    dump: &Path,
    scratch: &Arc<dyn Scratch>,
    resources: &Resources,
    open: OpenArchive<'_>,
) -> Result<Box<dyn Source>> {
    let limits = resources.archive();
    Ok(match place_of(dump)? {
        InputPlace::Directory => Box::new(open_directory(dump, scratch, resources)?),
        InputPlace::StandardInput => Box::new(NamedDump::open(dump, || open(Box::new(io::stdin()), limits))?),
        InputPlace::Object => Box::new(NamedDump::open(dump, || open(open_object(dump)?, limits))?),
        InputPlace::Stream | InputPlace::File => {
            Box::new(NamedDump::open(dump, || open(Box::new(open_file(dump)?), limits))?)
        }
    })
}

/// Opens a dump any part of which can be read at any time: a directory, an archive, or `-` for an archive on standard input.
///
/// An archive file with an index is read in place. Any other archive is read once to list it; one that is compressed or comes through a pipe is kept in a
/// scratch file. Errors that concern no entry of the dump name the dump itself.
///
/// # Errors
/// If it cannot be opened, is neither, or is an archive that is refused.
pub fn open_dump(dump: &Path, resources: &Resources) -> Result<Box<dyn ScopedSource>> {
    let (scratch, limits) = (resources.scratch(), resources.archive());
    Ok(match place_of(dump)? {
        InputPlace::Directory => Box::new(open_directory(dump, &scratch, resources)?),
        InputPlace::StandardInput => {
            Box::new(NamedDump::open(dump, || IndexedArchive::spool(io::stdin().lock(), &scratch, limits))?)
        }
        InputPlace::Object => {
            Box::new(NamedDump::open(dump, || IndexedArchive::spool(open_object(dump)?, &scratch, limits))?)
        }
        InputPlace::Stream | InputPlace::File => {
            Box::new(NamedDump::open(dump, || IndexedArchive::open(open_file(dump)?, &scratch, limits))?)
        }
    })
}

/// Opens an archive that comes through a stream, of which messages say that `dump` names it.
///
/// # Errors
/// As [`open_dump`].
pub(crate) fn open_archive_stream(
    dump: &Path,
    stream: impl Read,
    resources: &Resources,
) -> Result<Box<dyn ScopedSource>> {
    let (scratch, limits) = (resources.scratch(), resources.archive());
    Ok(Box::new(NamedDump::open(dump, || IndexedArchive::spool(stream, &scratch, limits))?))
}

/// Opens an archive that lies in a file without a name, of which messages say that `dump` names it.
///
/// # Errors
/// As [`open_dump`].
pub(crate) fn open_archive_file(dump: &Path, archive: File, resources: &Resources) -> Result<Box<dyn ScopedSource>> {
    let (scratch, limits) = (resources.scratch(), resources.archive());
    Ok(Box::new(NamedDump::open(dump, || IndexedArchive::open(archive, &scratch, limits))?))
}

/// Opens a dump in a directory. Where `resources` limit entries or bytes, it is measured first.
///
/// # Errors
/// If it is standard input or cannot be opened, or holds more.
pub(crate) fn open_directory(
    dump: &Path,
    scratch: &Arc<dyn Scratch>,
    resources: &Resources,
) -> Result<NamedDump<DirSource>> {
    if matches!(InputPlace::of(dump), Ok(InputPlace::StandardInput)) {
        return Err(CommandError::NotSeekable { wanted: "the directory of a dump" }.into());
    }
    let mut source = NamedDump::open(dump, || DirSource::open(dump, Arc::clone(scratch)))?;
    if resources.entries_max.is_some() || resources.bytes_max.is_some() {
        source.walk(&mut Measure { resources, entries: 0, bytes: 0 })?;
    }
    Ok(source)
}

/// Counts what a dump holds, as far as that is limited.
struct Measure<'r> {
    resources: &'r Resources,
    entries: u64,
    bytes: u64,
}

impl Measure<'_> {
    fn count_entry(&mut self) -> ekv_files::Result<()> {
        self.entries = self.entries.saturating_add(1);
        match self.resources.entries_max.filter(|max| self.entries > *max) {
            Some(max) => Err(ArchiveFault::TooManyEntries { max }.into()),
            None => Ok(()),
        }
    }
}

impl Visitor for Measure<'_> {
    fn directory(&mut self, _: &DumpPath) -> ekv_files::Result<()> {
        self.count_entry()
    }

    fn file(&mut self, path: &DumpPath, content: &mut dyn Read) -> ekv_files::Result<()> {
        self.count_entry()?;
        let Some(max) = self.resources.bytes_max else { return Ok(()) };
        // One byte more than allowed, so that a longer file is noticed.
        let left = max.saturating_sub(self.bytes).saturating_add(1);
        let read = io::copy(&mut content.take(left), &mut io::sink()).map_err(|source| {
            let error = SourceError::Io { operation: SourceOperation::Read, source };
            ekv_files::Error::new(error).at(path.as_bytes())
        })?;
        self.bytes = self.bytes.saturating_add(read);
        if self.bytes > max { Err(ArchiveFault::TooManyBytes { max }.into()) } else { Ok(()) }
    }

    fn refused(&mut self, _: &DumpPath, _: Refusal) -> ekv_files::Result<()> {
        self.count_entry()
    }
}

/// What is wrong with the index of an archive that has one.
pub(crate) fn index_warning(source: &dyn ScopedSource) -> Option<String> {
    match source.index_fault()? {
        IndexFault::Missing | IndexFault::Limits(_) => None,
        fault => Some(format!("{fault}: all of the archive was read; ekv-backup verify says what else is wrong")),
    }
}

/// Why all of an archive was read, where its index would have saved that.
pub(crate) fn index_note(source: &dyn ScopedSource) -> Option<String> {
    let fault = source.index_fault()?;
    index_warning(source).or_else(|| Some(format!("{fault}: all of it was read")))
}

fn place_of(dump: &Path) -> ekv_files::Result<InputPlace> {
    InputPlace::of(dump).map_err(|source| cannot_open(dump, source))
}

/// A dump whose errors name it where they name nothing in it: the archive itself cannot be read, or the root not be listed.
pub(crate) struct NamedDump<S> {
    name: Vec<u8>,
    source: S,
}

impl<S> NamedDump<S> {
    fn open(dump: &Path, open: impl FnOnce() -> ekv_files::Result<S>) -> ekv_files::Result<Self> {
        let name = match InputPlace::of(dump) {
            Ok(InputPlace::StandardInput) => STANDARD_INPUT.as_bytes(),
            _ => dump.as_os_str().as_encoded_bytes(),
        };
        let source = open().map_err(|error| named(error, name))?;
        Ok(NamedDump { name: name.to_vec(), source })
    }
}

impl NamedDump<DirSource> {
    /// The same dump, with entries shown in byte order of their paths.
    pub(crate) fn in_path_order(&mut self) -> NamedDump<impl Source + '_> {
        NamedDump { name: self.name.clone(), source: self.source.in_path_order() }
    }
}

impl<S: Source> Source for NamedDump<S> {
    fn walk(&mut self, visitor: &mut dyn Visitor) -> ekv_files::Result<()> {
        self.source.walk(visitor).map_err(|error| named(error, &self.name))
    }
}

impl<S: ScopedSource> ScopedSource for NamedDump<S> {
    fn walk_directory(&mut self, directory: &DumpPath, visitor: &mut dyn Visitor) -> ekv_files::Result<()> {
        self.source.walk_directory(directory, visitor).map_err(|error| named(error, &self.name))
    }

    fn open_file(&mut self, path: &DumpPath) -> ekv_files::Result<Box<dyn Read + '_>> {
        self.source.open_file(path).map_err(|error| named(error, &self.name))
    }

    fn listed_digest(&mut self, path: &DumpPath) -> ekv_files::Result<Option<FileDigest>> {
        self.source.listed_digest(path).map_err(|error| named(error, &self.name))
    }

    fn index_fault(&self) -> Option<&IndexFault> {
        self.source.index_fault()
    }
}

/// Adds the name of the dump to an error about it that names nothing yet, or the root.
fn named(error: ekv_files::Error, name: &[u8]) -> ekv_files::Error {
    let is_about_all = error.location().path.as_ref().is_none_or(Vec::is_empty);
    match error.kind() {
        ErrorKind::Source(_) | ErrorKind::Archive(_) | ErrorKind::Path(_) if is_about_all => error.at(name),
        _ => error,
    }
}

fn open_file(path: &Path) -> ekv_files::Result<File> {
    File::open(path).map_err(|source| cannot_open(path, source))
}

fn open_object(path: &Path) -> ekv_files::Result<Box<dyn Read + Send>> {
    let object = open_stream(path).map_err(|source| cannot_open(path, source))?;
    Ok(object)
}

fn cannot_open(path: &Path, source: io::Error) -> ekv_files::Error {
    let error = ekv_files::Error::new(SourceError::Io { operation: SourceOperation::OpenRoot, source });
    error.at(path.as_os_str().as_encoded_bytes())
}

#[cfg(test)]
mod tests;
