//! Where a dump is written.
//!
//! A [`Sink`] takes directories and files one after the other and publishes them all at once, or not at all. [`DirSink`] writes a
//! directory, [`ArchiveSink`] an archive, [`DrySink`] nothing, [`MemorySink`] is the strict test double.

mod archive;
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
mod dir;
#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
#[path = "dir_unsupported.rs"]
mod dir;
mod dry_run;
mod error;
mod memory;
mod options;
mod path_table;
mod with_scratch;

use std::sync::Arc;

use ekv_spill::Scratch;

pub use archive::{ArchiveSink, WholeStream};
pub use dir::{DirSink, Leftover, StagedFiles, leftovers};
pub use dry_run::DrySink;
pub use error::{SinkError, SinkOperation};
pub use memory::{MemoryDump, MemoryEntries, MemorySink};
pub use options::{DirOptions, ExistingTarget, Fsync, LeftoverState, Privacy, PublishMethod, Published};
pub use with_scratch::WithScratch;

use crate::{DumpPath, Error, Result};

/// Takes the files of a dump and publishes them as a whole.
///
/// One file is open at a time: [`begin`](Sink::begin), any number of [`write`](Sink::write), [`end`](Sink::end). A path is
/// created once in the life of a sink; directories above a file are created with it. A sink that keeps no names cannot see that one is
/// taken; the writer of a dump sees it before it is published. After an error only [`abort`](Sink::abort) may follow. A sink that is dropped without being published leaves nothing behind.
///
/// Source: `docs/format/tree.md`, section 8.1.
pub trait Sink: Send {
    /// Creates a directory, with those above it, unless this sink created it before.
    ///
    /// # Errors
    /// [`SinkError::NameTaken`] if something else has the name; [`SinkError::Misuse`] while a file is open.
    fn directory(&mut self, path: &DumpPath) -> Result<()>;

    /// Creates a file and makes it the open one.
    ///
    /// # Errors
    /// [`SinkError::NameTaken`] if anything has the name; [`SinkError::Misuse`] while another file is open.
    fn begin(&mut self, path: &DumpPath) -> Result<()>;

    /// Adds bytes to the open file.
    ///
    /// # Errors
    /// [`SinkError::Io`]; an error may belong to bytes of an earlier call, as small writes are gathered.
    fn write(&mut self, bytes: &[u8]) -> Result<()>;

    /// Adds zeros to the open file; a sink that can leaves a hole.
    ///
    /// # Errors
    /// As [`Sink::write`].
    fn hole(&mut self, len: u64) -> Result<()> {
        for_each_zeros(len, |zeros| self.write(zeros))
    }

    /// Ends the open file. All its bytes have been accepted by the system then.
    ///
    /// # Errors
    /// [`SinkError::Io`], also if the file cannot be closed.
    fn end(&mut self) -> Result<()>;

    /// Scratch files that vanish with the sink, in the file system of the dump where there is one.
    fn scratch(&self) -> Arc<dyn Scratch>;

    /// Publishes all files at once.
    ///
    /// # Errors
    /// Nothing is published and nothing is left behind, with the exceptions that [`SinkError::NotDurable`] and
    /// [`SinkError::OldDumpMoved`] describe. Errors while cleaning up are in [`Error::later`].
    fn publish(self: Box<Self>) -> Result<Published>;

    /// Gives up: removes everything.
    ///
    /// # Errors
    /// What could not be removed; a warning to the user rather than a failure.
    fn abort(self: Box<Self>) -> Result<()>;
}

/// Zeros that are handed on at once, in bytes.
static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// Hands so many zeros to `take`, in pieces.
///
/// # Errors
/// The first error of `take`.
pub fn for_each_zeros<E>(len: u64, mut take: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
    let mut left = len;
    while left > 0 {
        let piece = ZEROS.get(..usize::try_from(left).unwrap_or(usize::MAX)).unwrap_or(&ZEROS);
        take(piece)?;
        left = left.saturating_sub(u64::try_from(piece.len()).unwrap_or(u64::MAX));
    }
    Ok(())
}

/// An error for a call that the contract of [`Sink`] forbids.
fn misuse(rule: &'static str) -> Error {
    Error::new(SinkError::Misuse { rule })
}

/// Rules that every sink enforces.
mod rule {
    pub(super) const ONE_FILE_AT_A_TIME: &str = "a file is still open";
    pub(super) const NO_FILE_OPEN: &str = "no file is open";
    pub(super) const FILE_NEEDS_A_NAME: &str = "the root of a dump is not a file";
    pub(super) const EVERY_FILE_ONCE: &str = "every file is written once before all are published";
    pub(super) const NOT_AFTER_AN_ERROR: &str = "an earlier call failed";
}
