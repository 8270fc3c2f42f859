//! Why something cannot be read from a store, or written to it.

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something cannot be read from a store, or written to it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It was to be new.
    #[error("{place} exists; it stays as it is")]
    Exists {
        /// The object.
        place: String,
    },
    /// Nothing has this name.
    #[error("{place} is not there")]
    Missing {
        /// The object.
        place: String,
    },
    /// Another object has the name now.
    #[error("{place} was replaced while it was read")]
    Changed {
        /// The object.
        place: String,
    },
    /// The object cannot be as long as that.
    #[error("{place} would be longer than {len_max} bytes, the most that is written as one object")]
    TooLong {
        /// The object.
        place: String,
        /// Most bytes.
        len_max: u64,
    },
    /// Answers break off, again and again.
    #[error("{place} cannot be read at byte {offset}: {tries} answers broke off")]
    BrokenOff {
        /// The object.
        place: String,
        /// The byte at which the last one did.
        offset: u64,
        /// Answers without a new byte.
        tries: u32,
        /// Why the last one did.
        source: std::io::Error,
    },
    /// The store does not do what was asked of it.
    #[error("{place}: {what}")]
    Unfit {
        /// The container or object.
        place: String,
        /// What it did instead.
        what: String,
    },
    /// The service refuses, or is not to be reached.
    #[error("{place}")]
    Service {
        /// The container or object.
        place: String,
        /// What it says.
        source: ekv_aws::Error,
    },
}

impl From<Error> for std::io::Error {
    fn from(error: Error) -> Self {
        std::io::Error::other(error)
    }
}
