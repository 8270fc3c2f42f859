//! How a command tells what it is doing, and how it is told to stop.

use ekv_model::{Monitor, NoMonitor};

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
    /// Writing into another store. Counted in keys, items, objects or messages.
    Load,
    /// Reading a new payload or data directory before it gets its name. Counted in bytes.
    ReadBack,
}

/// Follows a command: what it is told as a [`Monitor`] belongs to the step that has begun.
pub trait Progress: Monitor {
    /// A step begins; `total` is how far it will count, if that is known.
    fn begin(&self, phase: Phase, total: Option<u64>);
}

impl Progress for NoMonitor {
    fn begin(&self, _phase: Phase, _total: Option<u64>) {}
}
