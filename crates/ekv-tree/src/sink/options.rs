//! How a dump is written, and how it was published.

use crate::Error;

/// What happens if something exists at the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ExistingTarget {
    /// It is left alone, and no dump is written.
    #[default]
    Refuse,
    /// A dump or an empty directory is replaced in one step, where files are written a regular file; anything else is left alone,
    /// and nothing is written.
    Replace,
}

/// What is brought to stable storage before a dump gets its name.
///
/// Source: `docs/format/tree.md`, section 8.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Fsync {
    /// Everything, in the quickest way that reports errors.
    ///
    /// Linux 5.8 or newer: one `syncfs`, and `fsync` of the files in the root. Elsewhere as [`Fsync::File`]; on Apple systems
    /// the last step also empties the cache of the drive.
    #[default]
    Full,
    /// Every file and directory with its own `fsync`: for file systems whose `syncfs` is not trusted.
    File,
    /// Nothing: for dumps that may be lost with the power.
    None,
}

impl Fsync {
    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Fsync::Full => "full",
            Fsync::File => "file",
            Fsync::None => "none",
        }
    }
}

/// How a directory is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct DirOptions {
    /// What happens if something exists at the target.
    pub existing: ExistingTarget,
    /// What is brought to stable storage.
    pub fsync: Fsync,
}

/// How a dump got its name.
///
/// Source: `docs/format/tree.md`, section 8.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PublishMethod {
    /// One rename that cannot replace anything.
    Rename,
    /// One step that swapped the new dump or file with the old one.
    Exchange,
    /// The file system cannot do [`PublishMethod::Rename`]: the name was created exclusively as an empty directory, which the
    /// dump then replaced in one step.
    CreateThenRename,
    /// The file system cannot do [`PublishMethod::Exchange`]: the old dump was moved away, then as
    /// [`PublishMethod::CreateThenRename`]. For a moment the name was absent.
    MoveAsideThenRename,
    /// A file: a second name, which replaces nothing, and the first one removed.
    Link,
    /// A file: one rename in place of the old file.
    Replace,
    /// A file, where the platform has no safe rename: created exclusively under its final name, and removed after an error.
    CreateExclusively,
    /// Written to a stream as it came.
    Stream,
    /// Kept in memory.
    Memory,
}

impl PublishMethod {
    /// The method in a few words.
    pub fn name(self) -> &'static str {
        match self {
            PublishMethod::Rename => "rename without replacement",
            PublishMethod::Exchange => "exchange with the old dump",
            PublishMethod::CreateThenRename => "exclusive create, then rename",
            PublishMethod::MoveAsideThenRename => "old dump moved aside, then rename",
            PublishMethod::Link => "hard link without replacement",
            PublishMethod::Replace => "rename over the old file",
            PublishMethod::CreateExclusively => "exclusive create of the final name",
            PublishMethod::Stream => "stream",
            PublishMethod::Memory => "memory",
        }
    }
}

/// A dump that has its name.
#[derive(Debug)]
#[non_exhaustive]
pub struct Published {
    /// Where it is, for a person to read.
    pub place: String,
    /// How it got there.
    pub method: PublishMethod,
    /// What was brought to stable storage first.
    pub fsync: Fsync,
    /// What could not be cleaned up behind it; the dump itself is whole.
    pub warnings: Vec<Error>,
}

/// Whether a staging directory may be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LeftoverState {
    /// No run uses it and it belongs to the caller: it may be removed.
    Abandoned,
    /// A run uses it.
    InUse,
    /// It belongs to another user, is not private, or is no directory.
    Foreign,
    /// The file system cannot tell whether a run uses it.
    Unknown,
}
