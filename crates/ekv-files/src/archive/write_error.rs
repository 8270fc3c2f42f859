//! Why an archive cannot be written.

use std::io;

use crate::Error;

/// Why writing failed.
pub(crate) enum WriteError {
    /// The archive cannot be written.
    Output(io::Error),
    /// A scratch file failed.
    Scratch(ekv_spill::Error),
    /// Two entries have one path.
    Repeated(Vec<u8>),
}

impl From<io::Error> for WriteError {
    fn from(error: io::Error) -> Self {
        WriteError::Output(error)
    }
}

impl From<ekv_spill::Error> for WriteError {
    fn from(error: ekv_spill::Error) -> Self {
        WriteError::Scratch(error)
    }
}

/// An error of a scratch file, as one of a write.
pub(super) fn scratch_failed(error: ekv_spill::Error) -> io::Error {
    io::Error::other(Error::from(error))
}
