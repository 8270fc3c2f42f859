//! The error that crosses crate borders, and its class.

use std::error::Error as StdError;
use std::fmt;

/// What an error means to the person who runs the tool; decides the exit code.
///
/// Source: `docs/format/tree.md`, section 10.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Class {
    /// Usage or environment: a missing input, an existing target, a missing permission, an unsupported platform.
    Environment,
    /// Damaged or unsupported input, a name collision, a checksum or manifest that does not hold.
    Data,
    /// Out of space or over quota.
    OutOfSpace,
    /// Any other failure while writing, syncing, closing or publishing.
    WriteIo,
    /// The run was cancelled by the user.
    Cancelled,
}

/// An error of any crate, carried together with its [`Class`].
///
/// `Display` is the sentence of the wrapped error; its causes follow through `source()`.
#[derive(Debug)]
pub struct Error {
    class: Class,
    inner: Box<dyn StdError + Send + Sync>,
}

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Wraps an error of another crate.
    pub fn new(class: Class, inner: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Error { class, inner: inner.into() }
    }

    /// What the error means to the user.
    pub fn class(&self) -> Class {
        self.class
    }

    /// The wrapped error as its own type, or this error unchanged if it wraps another one.
    ///
    /// # Errors
    /// This error, if it does not wrap an `E`.
    pub fn downcast<E: StdError + 'static>(self) -> Result<E, Self> {
        let Error { class, inner } = self;
        inner.downcast::<E>().map(|inner| *inner).map_err(|inner| Error { class, inner })
    }

    /// The wrapped error, for callers that know its type.
    pub fn get_ref(&self) -> &(dyn StdError + Send + Sync + 'static) {
        self.inner.as_ref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.inner.source()
    }
}
