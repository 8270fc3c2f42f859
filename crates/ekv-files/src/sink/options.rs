//! How a dump is written, and how it was published.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::Error;

/// What happens if something exists at the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ExistingTarget {
    /// It is left alone, and no dump is written.
    #[default]
    Refuse,
    /// A dump that holds nothing else, or an empty directory, is replaced in one step, where files are written a regular file; anything
    /// else is left alone, and nothing is written.
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
    /// An object of a store, which is to be seen as a whole and took the place of none.
    NewObject,
    /// The same, in place of an object if there was one.
    ReplacedObject,
    /// Kept in memory.
    Memory,
    /// Not at all.
    DryRun,
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
            PublishMethod::NewObject => "created, not replaced",
            PublishMethod::ReplacedObject => "in place of what was there",
            PublishMethod::Memory => "memory",
            PublishMethod::DryRun => "dry run",
        }
    }
}

/// What keeps that which was written from others on the same machine.
///
/// Source: `docs/format/tree.md`, section 8.7.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Privacy {
    /// Owner and modes: only the caller can read it.
    Modes,
    /// Modes, but the file system gives everything that is made in it to this user.
    OtherOwner {
        /// The user's number.
        owner: u64,
    },
    /// Nothing of its own: the file system gives everything the same mode.
    FixedModes {
        /// The nine permission bits of a directory, or of a file that is published alone.
        permissions: u64,
        /// The user to whom it gives everything, if that is not the caller.
        owner: Option<u64>,
    },
    /// It went to somebody who takes care of that: it is a stream, or in memory.
    Elsewhere,
    /// The platform does not tell.
    Unknown,
}

impl fmt::Display for Privacy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Privacy::Modes => f.write_str("modes"),
            Privacy::OtherOwner { owner } => write!(f, "modes of user {owner}: the file system has a fixed owner"),
            Privacy::FixedModes { permissions, owner: None } => {
                write!(f, "not had: the file system has fixed modes ({permissions:04o})")
            }
            Privacy::FixedModes { permissions, owner: Some(owner) } => {
                write!(
                    f,
                    "not had: the file system has fixed modes ({permissions:04o}) and a fixed owner (user {owner})"
                )
            }
            Privacy::Elsewhere => f.write_str("the reader's"),
            Privacy::Unknown => f.write_str("unknown"),
        }
    }
}

impl Serialize for Privacy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Privacy {
    /// What a user should know about what was written at `place`, where it is less private than elsewhere.
    pub fn warning(self, place: &str) -> Option<String> {
        match self {
            Privacy::Modes | Privacy::Elsewhere | Privacy::Unknown => None,
            Privacy::OtherOwner { owner } => {
                Some(format!("{place} belongs to user {owner}: the file system gives everything in it to that user"))
            }
            Privacy::FixedModes { permissions, .. } => Some(format!(
                "{place} is not private: the file system cannot keep modes, everything in it has mode {permissions:04o}; who may use \
                 the file system may read it"
            )),
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
    /// What keeps it from others.
    pub privacy: Privacy,
    /// Bytes of the archive, if it is one.
    pub archive_len: Option<u64>,
    /// What could not be cleaned up behind it; the dump itself is whole.
    pub warnings: Vec<Error>,
}

impl Published {
    /// Something in memory, which nobody else sees. `place` is for a person to read.
    pub fn in_memory(place: &str) -> Self {
        Published {
            place: place.to_owned(),
            method: PublishMethod::Memory,
            fsync: Fsync::None,
            privacy: Privacy::Elsewhere,
            archive_len: None,
            warnings: Vec::new(),
        }
    }

    /// Nothing, of what would be at `place`.
    pub(super) fn nothing(place: &str) -> Self {
        Published { method: PublishMethod::DryRun, ..Published::in_memory(place) }
    }

    /// Whether nothing was created: it was a dry run.
    pub fn is_nothing(&self) -> bool {
        self.method == PublishMethod::DryRun
    }
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
    /// It has the name of a staging directory and is not one, or is not known to be one.
    NotStaging,
    /// The file system cannot tell whether a run uses it.
    Unknown,
}
