//! How a command tells what it is doing, and how it is told to stop.

use std::cell::Cell;

use ekv_model::Monitor;
use ekv_snapshot::Watch;

use crate::CommandError;

/// The steps of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// Reading the whole snapshot once: structure, checksum, index. Counted in bytes.
    Check,
    /// Looking at transactions and groups: what is visible. Counted in records.
    Resolve,
    /// Turning records into files. Counted in records.
    Decode,
    /// Looking at everything that is selected. Counted in records, of a dump in bytes.
    Look,
    /// Bringing the dump to stable storage and giving it its name.
    Publish,
    /// Reading a dump. Counted in bytes.
    Verify,
    /// Copying a dump, and checking it. Counted in bytes.
    CopyDump,
    /// Reading a dump and turning it into records. Counted in bytes.
    Encode,
    /// Writing the records in their order. Counted in bytes.
    WritePayload,
    /// Decoding a new payload to compare it with its dump. Counted in records.
    SelfTest,
    /// Copying a payload into a new data directory, and checking it. Counted in bytes.
    Copy,
    /// Reading a new payload or data directory before it gets its name. Counted in bytes.
    ReadBack,
}

/// Follows a command. All methods may be called very often and must be quick.
pub trait Progress {
    /// A step begins; `total` is how far it will count, if that is known.
    fn begin(&self, phase: Phase, total: Option<u64>);

    /// The step has come this far.
    fn advance_to(&self, done: u64);

    /// Whether the user wants the command to stop.
    fn is_cancelled(&self) -> bool {
        false
    }
}

/// Follows nothing and never stops.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoProgress;

impl Progress for NoProgress {
    fn begin(&self, _phase: Phase, _total: Option<u64>) {}
    fn advance_to(&self, _done: u64) {}
}

/// Passes what the crates below tell on to a [`Progress`].
pub(crate) struct Follower<'p> {
    progress: &'p dyn Progress,
    visited: Cell<u64>,
}

impl<'p> Follower<'p> {
    pub(crate) fn new(progress: &'p dyn Progress) -> Self {
        Follower { progress, visited: Cell::new(0) }
    }
}

impl Watch for Follower<'_> {
    fn progress(&self, byte_offset: u64) -> ekv_snapshot::Result<()> {
        self.progress.advance_to(byte_offset);
        if self.progress.is_cancelled() {
            return Err(ekv_snapshot::Error::new(ekv_snapshot::ErrorKind::Cancelled));
        }
        Ok(())
    }
}

impl Monitor for Follower<'_> {
    fn visited(&self, records: u64) -> ekv_model::Result<()> {
        let before = self.visited.get();
        let now = before.saturating_add(records);
        self.visited.set(now);
        // Every record would be too often for a screen.
        if before >> 10 != now >> 10 {
            self.progress.advance_to(now);
        }
        if self.progress.is_cancelled() { Err(CommandError::Cancelled.into()) } else { Ok(()) }
    }
}

/// Sums up bytes for a [`Progress`].
pub(crate) struct ByteCounter<'p> {
    progress: &'p dyn Progress,
    done: Cell<u64>,
}

impl<'p> ByteCounter<'p> {
    pub(crate) fn new(progress: &'p dyn Progress) -> Self {
        ByteCounter { progress, done: Cell::new(0) }
    }

    /// Adds bytes; an error if the user wants to stop.
    pub(crate) fn add(&self, bytes: u64) -> ekv_model::Result<()> {
        self.done.set(self.done.get().saturating_add(bytes));
        self.progress.advance_to(self.done.get());
        if self.progress.is_cancelled() { Err(CommandError::Cancelled.into()) } else { Ok(()) }
    }
}
