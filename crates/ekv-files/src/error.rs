//! The error of whatever reads or writes a dump: what went wrong, and where in it.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use ekv_model::Class;

use crate::archive::{ArchiveFault, IndexFault};
use crate::checksums::ChecksumsFault;
use crate::compressed::CompressedFault;
use crate::path::{Escaped, PathError};
use crate::sink::SinkError;
use crate::source::{SourceError, SourceOperation};

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A path cannot be a path inside a dump.
    #[error(transparent)]
    Path(#[from] PathError),
    /// Writing or publishing a dump failed.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// CHECKSUMS is refused.
    #[error(transparent)]
    Checksums(#[from] ChecksumsFault),
    /// Reading a dump failed.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// An archive is refused.
    #[error(transparent)]
    Archive(#[from] ArchiveFault),
    /// What a file holds is refused by who knows what it means.
    #[error(transparent)]
    Content(Box<dyn StdError + Send + Sync>),
    /// A scratch file failed.
    #[error(transparent)]
    Scratch(#[from] ekv_spill::Error),
    /// The source of a value failed while it was copied.
    #[error(transparent)]
    Input(#[from] ekv_model::Error),
}

impl From<IndexFault> for ErrorKind {
    fn from(fault: IndexFault) -> Self {
        ErrorKind::Archive(fault.into())
    }
}

impl ErrorKind {
    /// What the error means to the person who runs the tool.
    pub fn class(&self) -> Class {
        match self {
            ErrorKind::Path(_) | ErrorKind::Checksums(_) | ErrorKind::Archive(_) | ErrorKind::Content(_) => Class::Data,
            ErrorKind::Sink(error) => error.class(),
            ErrorKind::Source(error) => error.class(),
            ErrorKind::Scratch(error) => error.class(),
            ErrorKind::Input(error) => error.class(),
        }
    }
}

/// Where in a dump; what does not apply is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Location {
    /// Path relative to the root of the dump.
    pub path: Option<Vec<u8>>,
    /// Line number, from 1.
    pub line: Option<u64>,
    /// Offset in the file, in bytes.
    pub byte_offset: Option<u64>,
}

/// An error with its place in the dump, and the errors that followed it while the run was being ended.
#[derive(Debug)]
pub struct Error {
    inner: Box<Inner>,
}

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    location: Location,
    later: Vec<Error>,
}

impl Error {
    /// Makes an error without a location.
    pub fn new(kind: impl Into<ErrorKind>) -> Self {
        Error { inner: Box::new(Inner { kind: kind.into(), location: Location::default(), later: Vec::new() }) }
    }

    /// Adds the path relative to the root of the dump.
    #[must_use]
    pub fn at(mut self, path: &[u8]) -> Self {
        self.inner.location.path = Some(path.to_vec());
        self
    }

    /// Adds the line number, from 1.
    #[must_use]
    pub fn at_line(mut self, line: u64) -> Self {
        self.inner.location.line = Some(line);
        self
    }

    /// Adds the offset in the file, in bytes.
    #[must_use]
    pub fn at_byte_offset(mut self, byte_offset: u64) -> Self {
        self.inner.location.byte_offset = Some(byte_offset);
        self
    }

    /// Adds an error that followed from this one or while cleaning up after it; class and kind stay.
    #[must_use]
    pub fn followed_by(mut self, later: Error) -> Self {
        self.inner.later.push(later);
        self
    }

    /// Whether it says that there is no such file.
    pub fn is_missing(&self) -> bool {
        match self.kind() {
            ErrorKind::Source(SourceError::Io { source, .. }) => source.kind() == io::ErrorKind::NotFound,
            _ => false,
        }
    }

    /// Whether it says that what has this name is no file of a dump.
    pub fn is_refused(&self) -> bool {
        matches!(self.kind(), ErrorKind::Source(SourceError::Refused(_)))
    }

    /// Adds a place, as far as none is known yet.
    #[must_use]
    pub fn or_at(mut self, path: &[u8], line: Option<u64>) -> Self {
        let location = &mut self.inner.location;
        if location.path.is_none() {
            location.path = Some(path.to_vec());
            location.line = location.line.or(line);
        }
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> &ErrorKind {
        &self.inner.kind
    }

    /// What is refused in the content of a file, if it is a `T`.
    pub fn content<T: StdError + 'static>(&self) -> Option<&T> {
        match &self.inner.kind {
            ErrorKind::Content(fault) => fault.downcast_ref(),
            _ => None,
        }
    }

    /// Where.
    pub fn location(&self) -> &Location {
        &self.inner.location
    }

    /// Errors that followed while the run was being ended, in order.
    pub fn later(&self) -> &[Error] {
        &self.inner.later
    }

    /// What the error means to the person who runs the tool; decided by the first error alone.
    pub fn class(&self) -> Class {
        self.inner.kind.class()
    }
}

impl<K: Into<ErrorKind>> From<K> for Error {
    fn from(kind: K) -> Self {
        Error::new(kind)
    }
}

impl From<Error> for ekv_model::Error {
    fn from(error: Error) -> Self {
        ekv_model::Error::new(error.class(), error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Location { path, line, byte_offset } = &self.inner.location;
        let mut separator = "";
        if let Some(path) = path {
            // The root of a dump has no name in it.
            let path: &[u8] = if path.is_empty() { b"." } else { path };
            write!(f, "{}", Escaped(path))?;
            separator = ", ";
        }
        if let Some(line) = line {
            write!(f, "{separator}line {line}")?;
            separator = ", ";
        }
        if let Some(byte_offset) = byte_offset {
            write!(f, "{separator}byte {byte_offset}")?;
            separator = ", ";
        }
        if !separator.is_empty() {
            f.write_str(": ")?;
        }
        self.inner.kind.fmt(f)?;
        for later in &self.inner.later {
            write!(f, "; then: {later}")?;
            let mut cause = later.source();
            while let Some(error) = cause {
                write!(f, ": {error}")?;
                cause = error.source();
            }
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.inner.kind.source()
    }
}

/// An error of a read: the fault of the archive or of a scratch file where it is one.
pub fn read_error(error: io::Error) -> Error {
    let other = match error.downcast::<ArchiveFault>() {
        Ok(fault) => return fault.into(),
        Err(other) => other,
    };
    let other = match other.downcast::<CompressedFault>() {
        Ok(fault) => return ArchiveFault::from(fault).into(),
        Err(other) => other,
    };
    match other.downcast::<ekv_spill::Error>() {
        Ok(error) => error.into(),
        Err(source) => SourceError::Io { operation: SourceOperation::Read, source }.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_about_the_root_of_a_dump_names_it_as_a_dot() {
        let kind = SourceError::Io { operation: SourceOperation::ListDirectory, source: std::io::Error::other("x") };
        assert_eq!(Error::new(kind).at(b"").to_string(), ".: cannot list the directory");
    }
}
