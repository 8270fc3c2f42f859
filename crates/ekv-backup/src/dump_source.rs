//! Where a dump is read from: what a user named is a directory, an archive, or standard input.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use ekv_model::Result;
use ekv_spill::{Scratch, SystemScratch};
use ekv_tree::archive::ArchiveLimits;
use ekv_tree::source::{ArchiveSource, DirSource, IndexedArchive, ScopedSource, Source, SourceError, SourceOperation};

/// The argument that means standard input.
const STANDARD_INPUT: &str = "-";

/// Opens a dump whose entries are read once, in any order: a directory, an archive, or `-` for an archive on standard input.
///
/// # Errors
/// If it cannot be opened, or is neither.
pub(crate) fn open_dump_once(
    dump: &Path,
    scratch: &Arc<dyn Scratch>,
    limits: ArchiveLimits,
) -> Result<Box<dyn Source>> {
    Ok(match Named::of(dump)? {
        Named::Directory => Box::new(DirSource::open(dump, Arc::clone(scratch))?),
        Named::StandardInput => Box::new(ArchiveSource::new(io::stdin().lock(), limits)?),
        Named::File => Box::new(ArchiveSource::new(open_file(dump)?, limits)?),
    })
}

/// Opens a dump any part of which can be read at any time: a directory, an archive, or `-` for an archive on standard input.
///
/// An archive is read once to list it; one that is compressed or comes through a pipe is kept in a scratch file.
///
/// # Errors
/// If it cannot be opened, is neither, or is an archive that is refused.
pub fn open_dump(dump: &Path, limits: ArchiveLimits) -> Result<Box<dyn ScopedSource>> {
    let scratch: Arc<dyn Scratch> = Arc::new(SystemScratch::new());
    Ok(match Named::of(dump)? {
        Named::Directory => Box::new(DirSource::open(dump, scratch)?),
        Named::StandardInput => Box::new(IndexedArchive::spool(io::stdin().lock(), &scratch, limits)?),
        Named::File => Box::new(IndexedArchive::open(open_file(dump)?, &scratch, limits)?),
    })
}

enum Named {
    Directory,
    StandardInput,
    /// A file or a pipe.
    File,
}

impl Named {
    fn of(dump: &Path) -> ekv_tree::Result<Self> {
        if dump.as_os_str() == STANDARD_INPUT {
            return Ok(Named::StandardInput);
        }
        match std::fs::metadata(dump).map_err(|source| cannot_open(dump, source))?.is_dir() {
            true => Ok(Named::Directory),
            false => Ok(Named::File),
        }
    }
}

fn open_file(path: &Path) -> ekv_tree::Result<File> {
    File::open(path).map_err(|source| cannot_open(path, source))
}

fn cannot_open(path: &Path, source: io::Error) -> ekv_tree::Error {
    let error = ekv_tree::Error::new(SourceError::Io { operation: SourceOperation::OpenRoot, source });
    error.at(path.as_os_str().as_encoded_bytes())
}
