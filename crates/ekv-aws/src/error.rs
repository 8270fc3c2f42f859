//! Why a call came to nothing.

use std::io;

use crate::Fault;

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call came to nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No credentials are to be found, or their source does not give them.
    #[error("no credentials: {reason}")]
    NoCredentials {
        /// What was looked for, or what failed, for a person to read.
        reason: String,
    },
    /// An address that no request can go to.
    #[error("{address:?} is no address of a service: {reason}")]
    BadEndpoint {
        /// The address.
        address: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The service refuses, and would again.
    #[error("{call} is refused: {fault}")]
    Refused {
        /// The operation.
        call: &'static str,
        /// What the service says.
        fault: Fault,
        /// Whether an earlier try of the same request got no answer, so that it may have been carried out.
        is_unsure: bool,
    },
    /// The service still refuses, or cannot be reached, after all tries.
    #[error("{call} did not succeed in {tries} tries: {last}")]
    Exhausted {
        /// The operation.
        call: &'static str,
        /// How often it was sent.
        tries: u32,
        /// What came of the last one.
        last: String,
        /// Whether one of them got no answer, so that it may have been carried out.
        is_unsure: bool,
    },
    /// The service answered with something that is not what the call answers.
    #[error("{call} answered something else than expected: {reason}")]
    BadAnswer {
        /// The operation.
        call: &'static str,
        /// What is missing or odd.
        reason: String,
    },
    /// The content to send cannot be read.
    #[error("cannot read what {call} is to send")]
    Content {
        /// The operation.
        call: &'static str,
        /// Why.
        source: io::Error,
    },
}

impl Error {
    /// The refusal, where the service gave one.
    pub fn fault(&self) -> Option<&Fault> {
        match self {
            Error::Refused { fault, .. } => Some(fault),
            _ => None,
        }
    }

    /// Whether the request may have been carried out all the same.
    pub fn is_unsure(&self) -> bool {
        matches!(self, Error::Refused { is_unsure: true, .. } | Error::Exhausted { is_unsure: true, .. })
    }
}
