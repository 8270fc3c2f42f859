//! Errors of the commands themselves; everything else comes from the crates below.

use ekv_model::{Class, Error, Finding};

/// Why a command gives up although its parts work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// A finding that `--strict` does not accept.
    #[error("strict mode: {}, {count} times ({}){}", .finding.name, .finding.meaning, .first.as_ref().map_or_else(String::new, |first| format!("; first: {first}")))]
    Strict {
        /// The finding.
        finding: Finding,
        /// How often it occurred.
        count: u64,
        /// The first occurrence.
        first: Option<String>,
        /// The first losses of all kinds, a line each.
        losses: Vec<String>,
        /// How many there are.
        loss_count: u64,
    },
    /// A time that is not understood.
    #[error(
        "cannot read the time {text:?}: expected RFC 3339 (2026-11-22T15:02:51Z), Unix milliseconds, or hlc:NUMBER"
    )]
    Time {
        /// What was given.
        text: String,
    },
    /// A clock that shows a time of which a manifest cannot tell.
    #[error("this machine's clock shows a time outside the years 0 to 9999, which no manifest can state: set it")]
    Clock,
    /// A snapshot that holds no data to decode.
    #[error("{what} holds no data: it is the state of a timestamp oracle")]
    NoData {
        /// The input.
        what: String,
    },
    /// Missing parents of the target could not be created.
    #[error("cannot create the directory {path}")]
    Parents {
        /// The directory.
        path: String,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// An archive that would lie in the dump that it is made of.
    #[error("{path} lies inside the dump that is to be packed")]
    ArchiveInsideDump {
        /// The archive.
        path: String,
    },
    /// A directory where an archive is needed.
    #[error("{path} is a directory, not an archive")]
    NotAnArchive {
        /// The directory.
        path: String,
    },
    /// MANIFEST.json of a dump changed while the dump was packed.
    #[error("MANIFEST.json changed while the dump was packed")]
    DumpChanged,
    /// The user asked to stop.
    #[error("cancelled")]
    Cancelled,
}

impl CommandError {
    /// What the error means to the user.
    pub fn class(&self) -> Class {
        match self {
            CommandError::Strict { .. } | CommandError::NoData { .. } | CommandError::DumpChanged => Class::Data,
            CommandError::Parents { source, .. } if ekv_spill::is_out_of_space(source) => Class::OutOfSpace,
            CommandError::Time { .. }
            | CommandError::Clock
            | CommandError::Parents { .. }
            | CommandError::ArchiveInsideDump { .. }
            | CommandError::NotAnArchive { .. } => Class::Environment,
            CommandError::Cancelled => Class::Cancelled,
        }
    }
}

impl From<CommandError> for Error {
    fn from(error: CommandError) -> Self {
        Error::new(error.class(), error)
    }
}
