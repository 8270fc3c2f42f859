//! Where a dump is read from.

mod archive;
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
mod dir;
#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
#[path = "dir_unsupported.rs"]
mod dir;
mod error;
mod folder;
mod index_check;
mod indexed;
mod listed;
mod memory;
mod parents;

use std::io::{BufReader, Read};

use crate::archive::IndexFault;
use crate::checksums::{CHECKSUMS_FILE, FileDigest};
pub use crate::error::read_error;
use crate::{DumpPath, Result};

pub use archive::ArchiveSource;
pub use dir::DirSource;
pub use error::{PATH_LEN_MAX, Refusal, SourceError, SourceOperation};
pub use folder::is_apple_double;
pub use indexed::IndexedArchive;
pub use memory::MemorySource;

/// A dump that is read entry by entry: a directory or an archive.
///
/// Source: `docs/format/tree.md`, section 8.4.
pub trait Source {
    /// Shows every entry below the root to `visitor`, in an order that depends on the dump alone: each file once, each directory at least
    /// once. An archive that holds a name twice shows it twice.
    ///
    /// Cost: bounded memory, however many entries there are and however deep they lie.
    ///
    /// # Errors
    /// The first error of the source or of `visitor`; nothing is shown after it.
    fn walk(&mut self, visitor: &mut dyn Visitor) -> Result<()>;
}

/// A dump whose parts can be read in any order.
pub trait ScopedSource: Source {
    /// Shows the entries of one directory to `visitor`, in byte order of their names. Directories in it are named and not entered.
    ///
    /// Cost: as [`Source::walk`].
    ///
    /// # Errors
    /// As [`Source::walk`]; also if there is no such directory.
    fn walk_directory(&mut self, directory: &DumpPath, visitor: &mut dyn Visitor) -> Result<()>;

    /// Opens a regular file with one link.
    ///
    /// # Errors
    /// [`SourceError::Io`] if it cannot be opened, [`SourceError::Refused`] if it is something else.
    fn open_file(&mut self, path: &DumpPath) -> Result<Box<dyn Read + '_>>;

    /// What CHECKSUMS says about a file; `None` if nothing.
    ///
    /// Cost: reading a few stretches of CHECKSUMS if it is sorted by path, else all of it; a source that has no positions reads it up to the line.
    ///
    /// # Errors
    /// Those of [`ScopedSource::open_file`], and if a line that is read is malformed.
    fn listed_digest(&mut self, path: &DumpPath) -> Result<Option<FileDigest>> {
        let checksums = DumpPath::new(CHECKSUMS_FILE.as_bytes())?;
        listed::scan(BufReader::new(self.open_file(&checksums)?), path)
    }

    /// What is wrong with the index of an archive that has one or should have, if that is why all of it was read.
    fn index_fault(&self) -> Option<&IndexFault> {
        None
    }
}

/// Looks at the entries of a dump.
pub trait Visitor {
    /// A directory, before anything in it is shown.
    ///
    /// # Errors
    /// Ends the walk.
    fn directory(&mut self, path: &DumpPath) -> Result<()>;

    /// A regular file with one link. What `content` holds beyond what is read is skipped.
    ///
    /// # Errors
    /// Ends the walk.
    fn file(&mut self, path: &DumpPath, content: &mut dyn Read) -> Result<()>;

    /// An entry that is neither; it is not opened and nothing below it is shown.
    ///
    /// # Errors
    /// Ends the walk.
    fn refused(&mut self, path: &DumpPath, refusal: Refusal) -> Result<()>;

    /// Something is wrong with the index of an archive, concerning this path or, if that is empty, all of it. The entries are what they were shown to
    /// be. Only a source that was asked to compare them tells of it, and in the end.
    ///
    /// # Errors
    /// Ends the walk.
    fn index_differs(&mut self, _path: &[u8], _fault: IndexFault) -> Result<()> {
        Ok(())
    }
}
