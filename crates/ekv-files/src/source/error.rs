//! Why reading a dump failed.

use std::fmt;
use std::io;

use ekv_model::Class;

/// Longest path of an entry, in bytes: what a line of CHECKSUMS can hold.
pub const PATH_LEN_MAX: usize = 16 << 10;

/// Why an entry is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// A symbolic link.
    Symlink,
    /// A file with more than one link.
    HardLink,
    /// A FIFO.
    Fifo,
    /// A socket.
    Socket,
    /// A block or character device.
    Device,
    /// A type that this tool does not know.
    UnknownType,
    /// Another type of entry when it was opened than when it was listed.
    Replaced,
    /// A path that is too long for a line of CHECKSUMS.
    PathTooLong,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refusal::Symlink => "it is a symbolic link",
            Refusal::HardLink => "it is a file with more than one link",
            Refusal::Fifo => "it is a FIFO",
            Refusal::Socket => "it is a socket",
            Refusal::Device => "it is a device",
            Refusal::UnknownType => "it is neither a directory nor a regular file",
            Refusal::Replaced => "it was replaced while the dump was read",
            Refusal::PathTooLong => "its path is too long",
        })
    }
}

/// What a source was doing when the system refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SourceOperation {
    /// Opening the root of the dump.
    OpenRoot,
    /// Opening a directory of the dump.
    OpenDirectory,
    /// Listing a directory of the dump.
    ListDirectory,
    /// Opening a file of the dump.
    OpenFile,
    /// Asking what an entry is.
    Examine,
    /// Reading a file of the dump.
    Read,
}

impl fmt::Display for SourceOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SourceOperation::OpenRoot => "open the dump",
            SourceOperation::OpenDirectory => "open the directory",
            SourceOperation::ListDirectory => "list the directory",
            SourceOperation::OpenFile => "open the file",
            SourceOperation::Examine => "examine the entry",
            SourceOperation::Read => "read the file",
        })
    }
}

/// Why reading a dump failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// The system refused.
    #[error("cannot {operation}")]
    Io {
        /// What was tried.
        operation: SourceOperation,
        /// The system's answer.
        source: io::Error,
    },
    /// An entry is not what a dump holds.
    #[error("the entry is refused: {0}")]
    Refused(Refusal),
    /// This platform has no way to read a directory without following links.
    #[error("reading a dump from a directory is not supported on this platform")]
    Unsupported,
}

impl SourceError {
    /// What the error means to the person who runs the tool.
    pub fn class(&self) -> Class {
        match self {
            SourceError::Refused(_) => Class::Data,
            SourceError::Io { .. } | SourceError::Unsupported => Class::Environment,
        }
    }
}
