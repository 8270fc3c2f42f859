//! How work tells how far it has come, and how it is told to stop.

use std::fmt;

use crate::{Class, Error};

/// Told how far work has come; may stop it. It may be told very often and must be quick.
pub trait Monitor {
    /// So much more is done, which may be nothing: bytes where something is read or written as it is, records where they are looked at.
    ///
    /// # Errors
    /// Ends the work. A monitor that wants it to stop says so whenever it is asked from then on.
    fn advance(&self, done: u64) -> Result<(), Cancelled>;
}

/// Somebody wants the work to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cancelled;

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cancelled")
    }
}

impl std::error::Error for Cancelled {}

impl From<Cancelled> for Error {
    fn from(cancelled: Cancelled) -> Self {
        Error::new(Class::Cancelled, cancelled)
    }
}

/// A monitor that looks away.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoMonitor;

impl Monitor for NoMonitor {
    fn advance(&self, _done: u64) -> Result<(), Cancelled> {
        Ok(())
    }
}
