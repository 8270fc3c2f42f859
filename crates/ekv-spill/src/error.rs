//! Errors of scratch files.

use std::fmt;
use std::io;

use ekv_model::Class;

use crate::is_out_of_space;

/// Longest record of a [`Sorter`](crate::Sorter), key and payload together, in bytes. The line of a KEYMAP with a key of 16 MiB takes 22 MiB.
pub const RECORD_LEN_MAX: usize = 32 * 1024 * 1024;

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What was being done to a scratch file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// Making the file.
    Create,
    /// Writing to it.
    Write,
    /// Reading it back.
    Read,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Operation::Create => "create",
            Operation::Write => "write to",
            Operation::Read => "read",
        })
    }
}

/// Why spilling failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A system call on a scratch file failed.
    #[error("cannot {operation} a scratch file in {place}")]
    Io {
        /// What was being done.
        operation: Operation,
        /// The directory of the scratch files, for a person to read.
        place: String,
        /// The system's answer.
        source: io::Error,
    },
    /// A record for a [`Sorter`](crate::Sorter) is longer than [`RECORD_LEN_MAX`].
    #[error("a record of {len} bytes is too long to sort (the limit is {RECORD_LEN_MAX} bytes)")]
    RecordTooLong {
        /// Length of key and payload together, in bytes.
        len: u64,
    },
}

impl Error {
    /// Whether the cause is a full disk or a used-up quota.
    pub fn is_out_of_space(&self) -> bool {
        is_out_of_space(self)
    }

    /// What the error means to the person who runs the tool.
    pub fn class(&self) -> Class {
        match self {
            Error::RecordTooLong { .. } => Class::Data,
            Error::Io { .. } if self.is_out_of_space() => Class::OutOfSpace,
            Error::Io { operation: Operation::Create, .. } => Class::Environment,
            Error::Io { .. } => Class::WriteIo,
        }
    }
}

impl From<Error> for ekv_model::Error {
    fn from(error: Error) -> Self {
        ekv_model::Error::new(error.class(), error)
    }
}
