//! Why writing a dump failed.

use std::fmt;
use std::io;

use ekv_model::Class;
use ekv_spill::is_out_of_space;

/// What a sink was doing when the system refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SinkOperation {
    /// Opening the directory that shall hold the dump.
    OpenParent,
    /// Looking at what lies at the target.
    ExamineTarget,
    /// Making the staging directory.
    CreateStaging,
    /// Reading a staging directory that an earlier run left.
    ExamineStaging,
    /// Making a directory of the dump.
    CreateDirectory,
    /// Opening a directory of the dump again.
    OpenDirectory,
    /// Creating a file of the dump.
    CreateFile,
    /// Writing to a file of the dump.
    Write,
    /// Bringing files or directories to stable storage.
    Sync,
    /// Closing a file or directory.
    Close,
    /// Reading a file back before it is published.
    ReadBack,
    /// Giving the finished tree its final name.
    Publish,
    /// Removing a staging directory or a replaced dump.
    Remove,
    /// Listing staging directories.
    ListStaging,
}

impl fmt::Display for SinkOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SinkOperation::OpenParent => "open the parent directory",
            SinkOperation::ExamineTarget => "examine the target",
            SinkOperation::CreateStaging => "create the staging directory",
            SinkOperation::ExamineStaging => "examine the staging directory",
            SinkOperation::CreateDirectory => "create the directory",
            SinkOperation::OpenDirectory => "open the directory",
            SinkOperation::CreateFile => "create the file",
            SinkOperation::Write => "write",
            SinkOperation::Sync => "sync",
            SinkOperation::Close => "close",
            SinkOperation::ReadBack => "read back",
            SinkOperation::Publish => "publish",
            SinkOperation::Remove => "remove",
            SinkOperation::ListStaging => "list staging directories in",
        })
    }
}

/// Why writing a dump failed. Paths are file system paths, for a person to read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SinkError {
    /// The system refused an operation.
    #[error("cannot {operation} {path}")]
    Io {
        /// What was being done.
        operation: SinkOperation,
        /// To what.
        path: String,
        /// The system's answer.
        source: io::Error,
    },
    /// The target has no name of its own: it is empty, `/`, or ends in `.` or `..`.
    #[error("\"{path}\" does not name a new file or directory")]
    TargetName {
        /// The target as it was given.
        path: String,
    },
    /// Something exists at the target.
    #[error("{path} exists already{}", Found(.found))]
    TargetExists {
        /// The target.
        path: String,
        /// What it is, if it is still there.
        found: Option<&'static str>,
    },
    /// What lies at the target may not be replaced.
    #[error("{path} is not replaced: it is {found}, neither a dump nor an empty directory")]
    NotReplaceable {
        /// The target.
        path: String,
        /// What it is.
        found: &'static str,
    },
    /// The old dump holds something that would be lost with it.
    #[error(
        "{path} is not replaced: it holds what its CHECKSUMS does not list: {names}; move that away, or name another target"
    )]
    HoldsOthers {
        /// The target.
        path: String,
        /// The first entries, relative to it.
        names: String,
    },
    /// The target is a mount point.
    #[error(
        "{path} is not replaced: it is the mount point of a file system, and would stay one; name something new inside of it, such as \
         {path}/dump"
    )]
    MountPoint {
        /// The target.
        path: String,
    },
    /// The system does not let go of the old dump or file.
    #[error(
        "{path} cannot be replaced, and is as it was: its file system cannot move it, as is so for mount points and for what lies in a \
         lower layer of a container; name another target"
    )]
    NotMovable {
        /// The target.
        path: String,
        /// The system's answer.
        source: io::Error,
    },
    /// What lies where a file shall be written may not be replaced.
    #[error("{path} is not replaced: it is {found}, not a regular file")]
    FileNotReplaceable {
        /// The target.
        path: String,
        /// What it is.
        found: &'static str,
    },
    /// The staging directory is not the private, empty directory that was just made.
    #[error("the staging directory {path} is not as this program makes one: {found}")]
    StagingForeign {
        /// The staging directory.
        path: String,
        /// What is wrong with it.
        found: String,
    },
    /// The file system does not take a name.
    #[error(
        "the file system does not take the name {path}; a dump can be written as an archive instead, such as DUMP.tar.zst"
    )]
    NameRefused {
        /// The path to be created.
        path: String,
        /// The system's answer.
        source: io::Error,
    },
    /// A name to be created is taken, by an earlier name of this run or by a stranger's entry.
    #[error("{path} exists already in the staged tree{}", Alias(.alias))]
    NameTaken {
        /// The path to be created.
        path: String,
        /// The name under which the entry is listed, if the file system takes it for the same as another one.
        alias: Option<String>,
    },
    /// What was published is not what this run wrote.
    #[error("{path} is not what this run wrote: the staged tree was replaced at the last moment")]
    PublishedForeign {
        /// The target.
        path: String,
    },
    /// A directory of the staged tree is no longer the one that this run made.
    #[error("the staged directory {path} was replaced while it was being written")]
    DirectoryReplaced {
        /// The directory.
        path: String,
    },
    /// The tree has its name, but it is unknown whether that would survive a loss of power.
    #[error("{path} is published, but its durability is unknown")]
    NotDurable {
        /// The target.
        path: String,
        /// The system's answer to the sync of the parent directory.
        source: io::Error,
    },
    /// Replacing the old dump failed half-way, and so did putting it back.
    #[error("what was there before could not be put back; it is whole, in {path}")]
    OldDumpMoved {
        /// Where the old dump or file is.
        path: String,
        /// Why it could not be put back.
        source: io::Error,
    },
    /// A staging directory holds what lay at a target before a run that did not get to its end, and it cannot be put back.
    #[error("{held} is what was at {} before a run that did not end well; it stays, as {}", .target.as_deref().unwrap_or("a target"), HeldBecause(.target))]
    HoldsOld {
        /// Where it is.
        held: String,
        /// Where it was, if that is known.
        target: Option<String>,
    },
    /// The platform has no safe way to write a directory.
    #[error(
        "this platform lacks what it takes to write a directory safely; a dump can be written as an archive instead"
    )]
    Unsupported,
    /// The sink was used in a way that its contract forbids.
    #[error("the sink was used wrongly: {rule}")]
    Misuse {
        /// The rule that was broken.
        rule: &'static str,
    },
}

/// The second name in a message about one file with two names.
struct Alias<'a>(&'a Option<String>);

impl fmt::Display for Alias<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(alias) => write!(f, ": the file system takes it for {alias}"),
            None => Ok(()),
        }
    }
}

/// What lies at a target.
struct Found<'a>(&'a Option<&'static str>);

impl fmt::Display for Found<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(found) => write!(f, ": it is {found}"),
            None => Ok(()),
        }
    }
}

/// Why what a staging directory holds is not put back.
struct HeldBecause<'a>(&'a Option<String>);

impl fmt::Display for HeldBecause<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Some(_) => "something else is there now: move one of the two to where it is wanted, and clean again",
            None => "the record of its name cannot be read: move it to where it is wanted, and clean again",
        })
    }
}

impl SinkError {
    /// What the error means to the person who runs the tool.
    ///
    /// Source: `docs/format/tree.md`, section 10.2.
    pub fn class(&self) -> Class {
        match self {
            SinkError::Io { source, .. } if is_out_of_space(source) => Class::OutOfSpace,
            SinkError::Io { operation, .. } => match operation {
                SinkOperation::OpenParent
                | SinkOperation::ExamineTarget
                | SinkOperation::CreateStaging
                | SinkOperation::ExamineStaging
                | SinkOperation::ListStaging => Class::Environment,
                _ => Class::WriteIo,
            },
            SinkError::TargetName { .. }
            | SinkError::TargetExists { .. }
            | SinkError::NotReplaceable { .. }
            | SinkError::FileNotReplaceable { .. }
            | SinkError::HoldsOthers { .. }
            | SinkError::MountPoint { .. }
            | SinkError::NotMovable { .. }
            | SinkError::HoldsOld { .. }
            | SinkError::Unsupported => Class::Environment,
            SinkError::NameTaken { .. } => Class::Data,
            SinkError::NotDurable { .. }
            | SinkError::OldDumpMoved { .. }
            | SinkError::PublishedForeign { .. }
            | SinkError::StagingForeign { .. }
            | SinkError::DirectoryReplaced { .. }
            | SinkError::NameRefused { .. }
            | SinkError::Misuse { .. } => Class::WriteIo,
        }
    }
}
