//! Where a dump is read from: what a user named is a directory, an archive, or standard input.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use ekv_model::Result;
use ekv_spill::{Scratch, SystemScratch};
use ekv_tree::archive::ArchiveLimits;
use ekv_tree::source::{
    ArchiveSource, DirSource, IndexedArchive, ScopedSource, Source, SourceError, SourceOperation, Visitor,
};
use ekv_tree::{DumpPath, ErrorKind};

/// The argument that means standard input, and its name in messages.
const STANDARD_INPUT: (&str, &str) = ("-", "standard input");

/// Opens a dump whose entries are read once, in any order: a directory, an archive, or `-` for an archive on standard input.
///
/// # Errors
/// If it cannot be opened, or is neither.
pub(crate) fn open_dump_once(
    dump: &Path,
    scratch: &Arc<dyn Scratch>,
    limits: ArchiveLimits,
) -> Result<Box<dyn Source>> {
    Ok(match Place::of(dump)? {
        Place::Directory => Box::new(open_directory(dump, scratch)?),
        Place::StandardInput => Box::new(NamedDump::open(dump, || ArchiveSource::new(io::stdin().lock(), limits))?),
        Place::File => Box::new(NamedDump::open(dump, || ArchiveSource::new(open_file(dump)?, limits))?),
    })
}

/// Opens a dump any part of which can be read at any time: a directory, an archive, or `-` for an archive on standard input.
///
/// An archive is read once to list it; one that is compressed or comes through a pipe is kept in a scratch file. Errors that concern no
/// entry of the dump name the dump itself.
///
/// # Errors
/// If it cannot be opened, is neither, or is an archive that is refused.
pub fn open_dump(dump: &Path, limits: ArchiveLimits) -> Result<Box<dyn ScopedSource>> {
    let scratch: Arc<dyn Scratch> = Arc::new(SystemScratch::new());
    Ok(match Place::of(dump)? {
        Place::Directory => Box::new(open_directory(dump, &scratch)?),
        Place::StandardInput => {
            Box::new(NamedDump::open(dump, || IndexedArchive::spool(io::stdin().lock(), &scratch, limits))?)
        }
        Place::File => Box::new(NamedDump::open(dump, || IndexedArchive::open(open_file(dump)?, &scratch, limits))?),
    })
}

/// Opens a dump in a directory.
///
/// # Errors
/// If it cannot be opened.
pub(crate) fn open_directory(dump: &Path, scratch: &Arc<dyn Scratch>) -> Result<NamedDump<DirSource>> {
    Ok(NamedDump::open(dump, || DirSource::open(dump, Arc::clone(scratch)))?)
}

enum Place {
    Directory,
    StandardInput,
    /// A file or a pipe.
    File,
}

impl Place {
    fn of(dump: &Path) -> ekv_tree::Result<Self> {
        if dump.as_os_str() == STANDARD_INPUT.0 {
            return Ok(Place::StandardInput);
        }
        match std::fs::metadata(dump).map_err(|source| cannot_open(dump, source))?.is_dir() {
            true => Ok(Place::Directory),
            false => Ok(Place::File),
        }
    }
}

/// A dump whose errors name it where they name nothing in it: the archive itself cannot be read, or the root not be listed.
pub(crate) struct NamedDump<S> {
    name: Vec<u8>,
    source: S,
}

impl<S> NamedDump<S> {
    fn open(dump: &Path, open: impl FnOnce() -> ekv_tree::Result<S>) -> ekv_tree::Result<Self> {
        let name = match dump.as_os_str() {
            argument if argument == STANDARD_INPUT.0 => STANDARD_INPUT.1.as_bytes(),
            path => path.as_encoded_bytes(),
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
    fn walk(&mut self, visitor: &mut dyn Visitor) -> ekv_tree::Result<()> {
        self.source.walk(visitor).map_err(|error| named(error, &self.name))
    }
}

impl<S: ScopedSource> ScopedSource for NamedDump<S> {
    fn walk_directory(&mut self, directory: &DumpPath, visitor: &mut dyn Visitor) -> ekv_tree::Result<()> {
        self.source.walk_directory(directory, visitor).map_err(|error| named(error, &self.name))
    }

    fn open_file(&mut self, path: &DumpPath) -> ekv_tree::Result<Box<dyn Read + '_>> {
        self.source.open_file(path).map_err(|error| named(error, &self.name))
    }
}

/// Adds the name of the dump to an error about it that names nothing yet, or the root.
fn named(error: ekv_tree::Error, name: &[u8]) -> ekv_tree::Error {
    let is_about_all = error.location().path.as_ref().is_none_or(Vec::is_empty);
    match error.kind() {
        ErrorKind::Source(_) | ErrorKind::Archive(_) if is_about_all => error.at(name),
        _ => error,
    }
}

fn open_file(path: &Path) -> ekv_tree::Result<File> {
    File::open(path).map_err(|source| cannot_open(path, source))
}

fn cannot_open(path: &Path, source: io::Error) -> ekv_tree::Error {
    let error = ekv_tree::Error::new(SourceError::Io { operation: SourceOperation::OpenRoot, source });
    error.at(path.as_os_str().as_encoded_bytes())
}

#[cfg(test)]
mod tests;
