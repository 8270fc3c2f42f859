//! What can go wrong with a server.

use std::io;

use ekv_model::Class;

use crate::address::Endpoint;
use crate::wire::Malformed;

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something cannot be done with a server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nobody answers there.
    #[error("cannot connect to {place}")]
    Connect {
        /// Where.
        place: Endpoint,
        /// The answer of the system.
        source: io::Error,
    },
    /// Something of this connection was sent, or was to be read.
    #[error("the connection to {place} was lost")]
    Lost {
        /// To whom.
        place: Endpoint,
        /// The answer of the system.
        source: io::Error,
    },
    /// What it says is no reply.
    #[error("{place} does not speak the protocol of Redis")]
    Malformed {
        /// Who.
        place: Endpoint,
        /// What is wrong.
        source: Malformed,
    },
    /// A reply of another type, or of another content, than its command has.
    #[error("{place} answered {command} with what that command never answers: {reply}")]
    Unexpected {
        /// Who.
        place: Endpoint,
        /// The command.
        command: String,
        /// The reply, shortened.
        reply: String,
    },
    /// An error as the answer, where there is nothing else to try.
    #[error("{place} refuses {command}: {text}")]
    Refused {
        /// Who.
        place: Endpoint,
        /// The command.
        command: String,
        /// Its words.
        text: String,
    },
    /// The run cannot go on; what was written stays, and the run can be resumed.
    #[error("{place} takes no more: {text}")]
    Stopped {
        /// Who.
        place: Endpoint,
        /// Its words, or what became of it.
        text: String,
        /// Whether it is out of memory.
        is_full: bool,
    },
    /// The first key that is already there, where none may be.
    #[error(
        "{key}: the target has this key already, and keeps what it has; --on-exists skip leaves such keys out, --on-exists replace replaces them"
    )]
    Exists {
        /// The key, for people.
        key: String,
    },
    /// A server began anew since the run began.
    #[error("{place} was started anew or replaced while keys were written: what it had acknowledged may be gone")]
    OtherRun {
        /// Who.
        place: Endpoint,
    },
    /// Keys are on their way from one node to another.
    #[error(
        "slots of the cluster are being moved (seen at {place}): what is read meanwhile may lack keys; run this again when that is done"
    )]
    Resharding {
        /// Where it was seen.
        place: Endpoint,
    },
    /// A scratch file.
    #[error(transparent)]
    Scratch(#[from] ekv_spill::Error),
    /// Of the other side of this crate.
    #[error(transparent)]
    Model(ekv_model::Error),
}

impl Error {
    /// What it means to the user.
    pub fn class(&self) -> Class {
        match self {
            Error::Connect { .. }
            | Error::Refused { .. }
            | Error::Malformed { .. }
            | Error::Exists { .. }
            | Error::Resharding { .. } => Class::Environment,
            Error::Stopped { is_full: true, .. } => Class::OutOfSpace,
            Error::Lost { .. } | Error::Unexpected { .. } | Error::Stopped { .. } | Error::OtherRun { .. } => {
                Class::WriteIo
            }
            Error::Scratch(error) => error.class(),
            Error::Model(error) => error.class(),
        }
    }

    /// Whether the two sides do not trust each other, or do not speak TLS with each other.
    pub fn is_of_trust(&self) -> bool {
        matches!(self, Error::Connect { source, .. } | Error::Lost { source, .. } if source.kind() == io::ErrorKind::InvalidData)
    }

    /// Whether another connection may succeed.
    pub(crate) fn is_of_connection(&self) -> bool {
        matches!(self, Error::Connect { .. } | Error::Lost { .. }) && !self.is_of_trust()
    }
}

impl From<Error> for ekv_model::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Model(error) => error,
            error => ekv_model::Error::new(error.class(), error),
        }
    }
}

impl From<ekv_model::Error> for Error {
    fn from(error: ekv_model::Error) -> Self {
        Error::Model(error)
    }
}
