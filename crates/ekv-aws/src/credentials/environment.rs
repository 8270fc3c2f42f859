//! Variables, files and programs of the machine.

use std::io;

/// What the search for credentials asks of the machine.
pub trait Environment: Send + Sync {
    /// A variable, unless it is empty.
    fn var(&self, name: &str) -> Option<String>;

    /// A file; `None` if there is none of this name.
    ///
    /// # Errors
    /// It is there and cannot be read.
    fn file(&self, path: &str) -> io::Result<Option<String>>;

    /// What a command prints; a command as a shell would take it.
    ///
    /// # Errors
    /// It cannot be started, or it fails.
    fn output(&self, command: &str) -> io::Result<Vec<u8>>;
}
