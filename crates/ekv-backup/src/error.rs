//! Errors of the commands themselves; everything else comes from the crates below.

use std::path::PathBuf;
use std::sync::Arc;

use ekv_model::{Class, Error, Finding};

use crate::losses::Losses;

/// Why a command gives up although its parts work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// A finding that `--strict` does not accept.
    #[error("strict mode: {}, {} ({}){}", .finding.name, if *.count == 1 { "once".to_owned() } else { format!("{count} times") }, .finding.meaning, .first.as_ref().map_or_else(String::new, |first| format!("; first: {first}")))]
    Strict {
        /// The finding.
        finding: Finding,
        /// How often it occurred.
        count: u64,
        /// The first occurrence.
        first: Option<String>,
        /// Everything that is lost, of all kinds.
        lost: Arc<Losses>,
    },
    /// A time that is not understood.
    #[error(
        "cannot read the time {text:?}: {}expected RFC 3339 (2026-11-22T15:02:51Z), an age (2h ago), for --at also 2h before the end, a Unix time (1795359771), or hlc:NUMBER",
        if *.lacks_zone { "it lacks a time zone, such as Z for UTC or +01:00; " } else { "" }
    )]
    Time {
        /// What was given.
        text: String,
        /// Whether it is date and time of day, and nothing else.
        lacks_zone: bool,
    },
    /// A clock that shows a time of which a manifest cannot tell.
    #[error("this machine's clock shows a time outside the years 0 to 9999, which no manifest can state: set it")]
    Clock,
    /// A length of time that is not understood.
    #[error("cannot read the length of time {text:?}: expected something like 24h, 90m or 2d")]
    Age {
        /// What was given.
        text: String,
    },
    /// A time that the snapshots cannot answer.
    #[error("cannot read the state at {time}: {why}")]
    TimeNotAnswerable {
        /// The time.
        time: String,
        /// Why not, and which times can be answered.
        why: String,
        /// An older snapshot of the same group that answers it, if one was found.
        older: Option<PathBuf>,
    },
    /// A moment of something that holds one.
    #[error(
        "a dump holds one moment, that at which it was read ({time}); to read another one, name a snapshot or a node"
    )]
    OneMoment {
        /// The moment of the dump.
        time: String,
    },
    /// Another moment of an RDB file than its own.
    #[error("{file} holds one moment, that at which it was saved ({time}): --at is for RDB files that do not say it")]
    OneMomentOfRdb {
        /// The file.
        file: String,
        /// Its moment.
        time: String,
    },
    /// An RDB file that does not say when it was saved.
    #[error(
        "{file} does not say when it was saved: state the moment with --at TIME (of encode: --last-commit-ts), by which it is known what has expired"
    )]
    NoRdbMoment {
        /// The file.
        file: String,
    },
    /// An RDB file without checksum, where that is required.
    #[error("{file} carries no checksum, its integrity cannot be verified")]
    NoRdbChecksum {
        /// The file.
        file: String,
    },
    /// Older versions of something that holds one moment.
    #[error("a dump holds one moment, and no older versions: name a snapshot or a node's data directory")]
    NoVersions,
    /// A snapshot that is older than the user wants.
    #[error("{file} is too old: it ends at {end}, and nothing before {limit} is wanted (--max-age)")]
    TooOld {
        /// The snapshot.
        file: String,
        /// Its newest commit, or the clock in its header if that is later.
        end: String,
        /// The oldest time that is accepted.
        limit: String,
    },
    /// A snapshot without a record of users' data, and nothing that proves that it had none.
    #[error(
        "{file} {}, and no checksum proves that it never did; --allow-empty takes it all the same",
        if *.records == 0 { "ends behind its header: it holds no record" } else { "holds no data: there is nothing but rows of the store in it" }
    )]
    NoDataUnproven {
        /// The snapshot.
        file: String,
        /// How many records there are of other kinds.
        records: u64,
    },
    /// A server's snapshot that lacks what every server's snapshot ends with.
    #[error(
        "{file} was cut: a server's snapshot has rows of the store (_meta_…) or a checksum behind its records, this one has neither"
    )]
    Cut {
        /// The snapshot.
        file: String,
    },
    /// The adapters that were asked for have no data.
    #[error("there is no data of {asked} in it{}; nothing is published (--allow-empty writes an empty dump)", .there.as_ref().map_or_else(String::new, |there| format!(", but of {there}")))]
    NothingSelected {
        /// The adapters that were asked for.
        asked: String,
        /// The adapters that have data.
        there: Option<String>,
    },
    /// Nothing is selected by the filters.
    #[error("nothing matches {filters}; nothing is published (--allow-empty writes an empty dump){}", .hint.as_ref().map_or_else(String::new, |hint| format!("; hint: {hint}")))]
    NothingMatches {
        /// The filters.
        filters: String,
        /// What may be meant.
        hint: Option<String>,
    },
    /// Nothing is selected by the filters where nothing is made of it.
    #[error("nothing matches {filters}{}", .hint.as_ref().map_or_else(String::new, |hint| format!("; hint: {hint}")))]
    NothingFound {
        /// The filters.
        filters: String,
        /// What may be meant.
        hint: Option<String>,
    },
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
    /// A target that the command reads.
    #[error("the target {path} is what is read; name another target")]
    InputIsTarget {
        /// The target, and input.
        path: String,
    },
    /// An input that would be replaced together with what it lies in.
    #[error("{input} lies inside {target}, which would be replaced; name another target, or move it out first")]
    InputInTarget {
        /// The input.
        input: String,
        /// The target.
        target: String,
    },
    /// A target that would change the directory that is read.
    #[error("{target} lies inside the dump or data directory {input}, which is read; name a target outside of it")]
    TargetInInput {
        /// The input.
        input: String,
        /// The target.
        target: String,
    },
    /// A dump that is to become one.
    #[error("{path} is a dump already")]
    IsDump {
        /// The dump.
        path: String,
    },
    /// A directory where an archive is needed.
    #[error("{path} is a directory, not an archive")]
    NotAnArchive {
        /// The directory.
        path: String,
    },
    /// A dump is asked when things were changed.
    #[error(
        "a dump does not say when a key was written, nor does an RDB file: --changed-after and --changed-before need a snapshot or a node's data directory"
    )]
    NoCommitTimes,
    /// Standard input where something is needed that lies in the file system.
    #[error("standard input is read here as a stream, and {wanted} is needed: name it (./- for one of the name -)")]
    NotSeekable {
        /// What is needed.
        wanted: &'static str,
    },
    /// A time for manifests that is not understood.
    #[error(
        "cannot read the time in SOURCE_DATE_EPOCH, {text:?}: expected whole seconds since 1970, such as 1795359771"
    )]
    SourceDateEpoch {
        /// What the environment says.
        text: String,
    },
    /// Something stays behind, and strict mode does not accept that.
    #[error("strict mode: {count} {} behind: {first}", if *.count == 1 { "thing stays" } else { "things stay" })]
    StaysBehind {
        /// How many things.
        count: u64,
        /// Why, and the first of them.
        first: String,
    },
    /// Two things would get one name.
    #[error("two {what} would be called {name}; give one of them another name (--rename)")]
    SameName {
        /// What they are, in plural.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// MANIFEST.json of a dump changed while the dump was packed.
    #[error("MANIFEST.json changed while the dump was packed")]
    DumpChanged,
}

impl CommandError {
    /// What the error means to the user.
    pub fn class(&self) -> Class {
        match self {
            CommandError::Strict { .. }
            | CommandError::NoData { .. }
            | CommandError::TooOld { .. }
            | CommandError::NoDataUnproven { .. }
            | CommandError::Cut { .. }
            | CommandError::StaysBehind { .. }
            | CommandError::SameName { .. }
            | CommandError::NoRdbChecksum { .. }
            | CommandError::DumpChanged => Class::Data,
            CommandError::NothingSelected { .. }
            | CommandError::NothingMatches { .. }
            | CommandError::NothingFound { .. } => Class::NoMatch,
            CommandError::Parents { source, .. } if ekv_spill::is_out_of_space(source) => Class::OutOfSpace,
            CommandError::Time { .. }
            | CommandError::Clock
            | CommandError::Age { .. }
            | CommandError::TimeNotAnswerable { .. }
            | CommandError::OneMoment { .. }
            | CommandError::OneMomentOfRdb { .. }
            | CommandError::NoRdbMoment { .. }
            | CommandError::NoVersions
            | CommandError::Parents { .. }
            | CommandError::InputIsTarget { .. }
            | CommandError::InputInTarget { .. }
            | CommandError::TargetInInput { .. }
            | CommandError::NoCommitTimes
            | CommandError::NotSeekable { .. }
            | CommandError::IsDump { .. }
            | CommandError::SourceDateEpoch { .. }
            | CommandError::NotAnArchive { .. } => Class::Environment,
        }
    }
}

impl From<CommandError> for Error {
    fn from(error: CommandError) -> Self {
        Error::new(error.class(), error)
    }
}
