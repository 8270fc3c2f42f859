//! Where a dump is read from: what a user named is a directory, an archive, or standard input.

use std::fs::File;
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
    Ok(match Named::of(dump) {
        Named::Directory => Box::new(DirSource::open(dump, Arc::clone(scratch))?),
        Named::StandardInput => Box::new(ArchiveSource::new(std::io::stdin().lock(), limits)?),
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
    Ok(match Named::of(dump) {
        Named::Directory => Box::new(DirSource::open(dump, scratch)?),
        Named::StandardInput => Box::new(IndexedArchive::spool(std::io::stdin().lock(), &scratch, limits)?),
        Named::File => Box::new(IndexedArchive::open(open_file(dump)?, &scratch, limits)?),
    })
}

enum Named {
    Directory,
    StandardInput,
    /// A file, a pipe, or nothing: opening it tells.
    File,
}

impl Named {
    fn of(dump: &Path) -> Self {
        match dump {
            _ if dump.as_os_str() == STANDARD_INPUT => Named::StandardInput,
            _ if dump.is_dir() => Named::Directory,
            _ => Named::File,
        }
    }
}

fn open_file(path: &Path) -> ekv_tree::Result<File> {
    File::open(path).map_err(|source| {
        let error = ekv_tree::Error::new(SourceError::Io { operation: SourceOperation::OpenRoot, source });
        error.at(path.as_os_str().as_encoded_bytes())
    })
}
