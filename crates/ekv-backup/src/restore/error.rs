//! Why a restore is refused or fails.

use std::fmt;
use std::num::NonZeroU64;

use ekv_model::{Class, Error};

use super::EncodeInfoError;

/// Highest Raft index and term with which a node can begin: both are counted on for as long as it lives, and some numbers at the end of
/// their range mean "none" to the server.
///
/// Source: `docs/format/restore.md`, section 10.2.
pub const RAFT_NUMBER_MAX: NonZeroU64 = match NonZeroU64::new(u64::MAX / 2) {
    Some(max) => max,
    None => NonZeroU64::MIN,
};

/// Why a restore is refused or fails; what the crates below report comes as their own errors.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// The info file of a payload cannot be opened or read.
    #[error(
        "cannot read {path}: a payload is restored only together with the file that encode writes beside it (--encode-info names it where \
         the payload was renamed)"
    )]
    InfoUnreadable {
        /// The info file.
        path: String,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The info file is not usable.
    #[error("{path} is not usable")]
    Info {
        /// The info file.
        path: String,
        /// What is wrong with it.
        #[source]
        source: EncodeInfoError,
    },
    /// The payload holds keys in layouts that this tool does not know.
    #[error("the payload has key format version {found}; this tool restores version 1")]
    KeyFormat {
        /// The version in the info file.
        found: u32,
    },
    /// The payload was not compared with its dump, or differs from it.
    #[error(
        "encode {}: run encode again with its self test, or pass --allow-unverified-self-test",
        if *.ran { "found that the payload differs from its dump" } else { "did not compare the payload with its dump" }
    )]
    SelfTest {
        /// Whether it was compared.
        ran: bool,
    },
    /// A cluster is asked for, but the dump does not say from which one it is.
    #[error(
        "the payload does not say from which cluster it is, so that it cannot be matched with {target:?}: decode the snapshot again with \
         --cluster-id, or say --fresh-cluster instead if you know whose data it is"
    )]
    ClusterIdMissing {
        /// The cluster that was asked for.
        target: String,
    },
    /// What is to be restored unchanged lies in no offload store.
    #[error("{path} is no offload store: name the directory that holds its v1, a group in it, or one manifest")]
    NoStore {
        /// What was named.
        path: String,
    },
    /// Several groups, of which each has a data directory of its own.
    #[error("the store has several groups: restore each into a directory of its own, with --group {}", .groups.iter().map(u64::to_string).collect::<Vec<_>>().join(" or --group "))]
    SeveralGroups {
        /// The groups.
        groups: Vec<u64>,
    },
    /// The newest snapshot of the group cannot be used.
    #[error(
        "the newest snapshot of group {group} cannot be used: {why}; to restore that older one, say --snapshot {index}"
    )]
    OlderPublished {
        /// The group.
        group: u64,
        /// What is wrong with the newest one.
        why: String,
        /// Raft index of the one that could be.
        index: u64,
    },
    /// The payload is of another cluster than the one that was asked for.
    #[error("the payload is of cluster {found:?}, not of {target:?}")]
    ClusterIdDiffers {
        /// The cluster that was asked for.
        target: String,
        /// The cluster that the info file names.
        found: String,
    },
    /// A server that begins at this Raft index or term could not go on from it.
    #[error("Raft {what} {found} leaves no room above it, and the server counts on from it: take one up to {max}, such as 1", max = RAFT_NUMBER_MAX)]
    RaftNumber {
        /// Which of the two.
        what: &'static str,
        /// The number.
        found: u64,
    },
    /// No node could go on from the payload's timestamp.
    #[error(
        "the last commit timestamp {last_commit_ts} is less than a day before the end of time: no node can go on from it"
    )]
    TimestampOverflow {
        /// The timestamp.
        last_commit_ts: u64,
    },
    /// The payload's timestamp would pull the new node's clock ahead for good.
    #[error(
        "the last commit timestamp {last_commit_ts} ({time}) is more than a day ahead of this machine's clock and would pull the new \
         node's clock ahead for good; pass --allow-future-timestamps if that is meant"
    )]
    TimestampInFuture {
        /// The timestamp.
        last_commit_ts: u64,
        /// Its wall-clock part.
        time: String,
    },
    /// The payload is not the one that the info file describes.
    #[error(
        "{payload} has SHA-256 {found}, its info file says {expected}: it is damaged, or not the payload that encode wrote"
    )]
    Sha256 {
        /// The payload.
        payload: String,
        /// Digest of what was read.
        found: String,
        /// Digest in the info file.
        expected: String,
    },
    /// Payload and info file state different timestamps.
    #[error("{payload} states the last commit timestamp {found}, its info file {expected}")]
    LastCommitTs {
        /// The payload.
        payload: String,
        /// Timestamp in the payload's header.
        found: u64,
        /// Timestamp in the info file.
        expected: u64,
    },
    /// A directory of one group of a server, for a dump that is not made from that group alone.
    #[error("{}", Apart(.groups, *.data_dir))]
    OtherGroup {
        /// The groups that the dump was made from, ascending.
        groups: Vec<u64>,
        /// The group of the directory.
        data_dir: u64,
    },
    /// What was written does not read back as it was meant.
    #[error("{file} does not read back as it was written")]
    ReadBack {
        /// The file, relative to the data directory.
        file: String,
        /// The difference, or why it cannot be read.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Says what does not go together, and what does.
struct Apart<'a>(&'a [u64], u64);

impl fmt::Display for Apart<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Groups that are named.
        const SHOWN_MAX: usize = 10;
        let Apart(groups, data_dir) = *self;
        if let [only] = groups {
            return write!(
                f,
                "the dump was made from group {only}, and DATA_DIR is the place of group {data_dir}, which does not own its keys: \
                 restore it into group-{only}"
            );
        }
        let names: Vec<String> = groups.iter().take(SHOWN_MAX).map(u64::to_string).collect();
        let more = if groups.len() > SHOWN_MAX { ", …" } else { "" };
        write!(
            f,
            "the dump holds the keys of the groups {}{more}, and DATA_DIR is the place of group {data_dir} alone, which does not own all \
             of them: restore it into a server with one group (a DATA_DIR without group-<id>), or decode each group by itself \
             (ekv-backup decode NODE/group-{data_dir} DUMP --allow-missing-groups) and restore each dump into its own directory",
            names.join(", ")
        )
    }
}

impl RestoreError {
    /// What the error means to the user.
    ///
    /// Source: `docs/format/tree.md`, section 10.2; `docs/format/restore.md`, section 7.
    pub fn class(&self) -> Class {
        match self {
            RestoreError::InfoUnreadable { .. }
            | RestoreError::RaftNumber { .. }
            | RestoreError::NoStore { .. }
            | RestoreError::SeveralGroups { .. } => Class::Environment,
            RestoreError::ReadBack { .. } => Class::WriteIo,
            RestoreError::Info { .. }
            | RestoreError::KeyFormat { .. }
            | RestoreError::SelfTest { .. }
            | RestoreError::ClusterIdMissing { .. }
            | RestoreError::ClusterIdDiffers { .. }
            | RestoreError::TimestampOverflow { .. }
            | RestoreError::TimestampInFuture { .. }
            | RestoreError::Sha256 { .. }
            | RestoreError::LastCommitTs { .. }
            | RestoreError::OtherGroup { .. }
            | RestoreError::OlderPublished { .. } => Class::Data,
        }
    }
}

impl From<RestoreError> for Error {
    fn from(error: RestoreError) -> Self {
        Error::new(error.class(), error)
    }
}
