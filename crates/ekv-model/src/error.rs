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
    /// Nothing matches what was selected; nothing is wrong with the input.
    NoMatch,
}

/// An error of any crate, carried together with its [`Class`].
///
/// `Display` is the sentence of the wrapped error; its causes follow through `source()`.
#[derive(Debug)]
pub struct Error {
    class: Class,
    inner: Box<dyn StdError + Send + Sync>,
    /// What went wrong afterwards.
    later: Vec<Error>,
}

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Wraps an error of another crate.
    pub fn new(class: Class, inner: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Error { class, inner: inner.into(), later: Vec::new() }
    }

    /// Adds what went wrong while cleaning up, if anything did; the class stays.
    #[must_use]
    pub fn after_cleaning_up(mut self, cleaned: Result<(), impl Into<Error>>) -> Self {
        self.later.extend(cleaned.err().map(Into::into));
        self
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
        let Error { class, inner, later } = self;
        inner.downcast::<E>().map(|inner| *inner).map_err(|inner| Error { class, inner, later })
    }

    /// The wrapped error, for callers that know its type.
    pub fn get_ref(&self) -> &(dyn StdError + Send + Sync + 'static) {
        self.inner.as_ref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)?;
        for later in &self.later {
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
        self.inner.source()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_of_cleaning_up_is_said_behind_the_first() {
        let later = Error::new(Class::WriteIo, "cannot remove it");
        let error =
            Error::new(Class::Data, "damaged").after_cleaning_up(Err(later)).after_cleaning_up(Ok::<(), Error>(()));
        assert_eq!(error.to_string(), "damaged; then: cannot remove it");
        assert_eq!(error.class(), Class::Data);
    }
}
