//! `prepare-restore`: from a payload to the data directory of a new node. Source: `docs/format/restore.md`, sections 7 to 10.

use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use ekv_files::sink::{DirOptions, DirSink, DrySink, ExistingTarget, Fsync, Privacy, Published};
use ekv_model::Result;
use ekv_snapshot::CommitTs;
use jiff::Timestamp;
use serde::Serialize;

use super::data_dir::{Beginning, Copied, ReadableSink, header_of};
use super::encode_info::format_sha256;
use super::error::RAFT_NUMBER_MAX;
use super::timestamp::{check_last_commit_ts, timestamp_warning};
use super::{EncodeInfo, Payload, PeerList, Placement, RestoreError};
use crate::new_parents::NewParents;
use crate::open::too_many_bytes;
use crate::progress::{Phase, Progress};
use crate::report::is_zero;
use crate::{Moment, Resources};

/// For which cluster a data directory is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RestoreTarget {
    /// A cluster that does not exist yet; from which one the payload is does not matter.
    FreshCluster,
    /// The cluster with this id, from which the payload must be.
    Cluster(String),
}

/// What is brought to stable storage before a data directory gets its name: always everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DurableFsync {
    /// In the quickest way that reports errors.
    #[default]
    Full,
    /// Every file and directory by itself.
    File,
}

impl From<DurableFsync> for Fsync {
    fn from(fsync: DurableFsync) -> Self {
        match fsync {
            DurableFsync::Full => Fsync::Full,
            DurableFsync::File => Fsync::File,
        }
    }
}

/// What a prepare-restore should do.
#[derive(Clone, Debug)]
pub struct PrepareOptions {
    /// The members of the new cluster.
    pub peers: PeerList,
    /// For which cluster the directory is.
    pub target: RestoreTarget,
    /// Raft index of the snapshot, at most [`RAFT_NUMBER_MAX`].
    pub index: NonZeroU64,
    /// Raft term of the snapshot, at most [`RAFT_NUMBER_MAX`].
    pub term: NonZeroU64,
    /// Whether a payload is accepted that was not compared with its dump.
    pub allow_unverified_self_test: bool,
    /// Whether a payload is accepted that is newer than this machine's clock.
    pub allow_future_timestamps: bool,
    /// What is brought to stable storage.
    pub fsync: DurableFsync,
    /// Whether missing directories above it are created.
    pub parents: bool,
    /// Whether nothing is created: the files lie in scratch space until they have been read back.
    pub dry_run: bool,
    /// What reading a payload may take that somebody named; it needs no scratch files.
    pub resources: Resources,
    /// This machine's clock.
    pub now: Timestamp,
}

impl PrepareOptions {
    /// The usual options: index and term 1, nothing unusual accepted.
    pub fn new(peers: PeerList, target: RestoreTarget) -> Self {
        PrepareOptions {
            peers,
            target,
            index: NonZeroU64::MIN,
            term: NonZeroU64::MIN,
            allow_unverified_self_test: false,
            allow_future_timestamps: false,
            fsync: DurableFsync::default(),
            parents: false,
            dry_run: false,
            resources: Resources::DEFAULT,
            now: crate::time::now(),
        }
    }
}

/// What a prepare-restore did.
#[derive(Clone, Debug, Serialize)]
pub struct PrepareReport {
    /// Version of this structure.
    pub format_version: u32,
    /// The data directory, as an absolute path where that is known.
    pub data_dir: PathBuf,
    /// Whether nothing was created: the rest says what would be.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// Which server finds it there.
    pub placement: Placement,
    /// Files in it, relative to it.
    pub files: Vec<String>,
    /// Raft index at which the node begins.
    pub index: u64,
    /// Raft term in which the node begins.
    pub term: u64,
    /// The members of the cluster.
    pub members: Vec<MemberReport>,
    /// Records in the payload.
    pub records: u64,
    /// Bytes of the payload.
    pub payload_bytes: u64,
    /// SHA-256 of the payload, in hex.
    pub payload_sha256: String,
    /// Checksum of the server file, in hex.
    pub fsm_crc32c: String,
    /// Last commit of the payload; the node's clock goes on from it.
    pub last_commit: Moment,
    /// The cluster that the payload is from, if encode knew it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub source_cluster_id: String,
    /// The filters with which payload and dump were made, if they are a part of a snapshot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selection: Option<String>,
    /// Things that were lost when the dump was made from which the payload is.
    #[serde(skip_serializing_if = "is_zero")]
    pub losses: u64,
    /// Things of that dump that no server restores, and that are not in the payload.
    #[serde(skip_serializing_if = "is_zero")]
    pub not_restorable: u64,
    /// How the directory got its name.
    pub published_by: &'static str,
    /// What was brought to stable storage first.
    pub fsync: &'static str,
    /// What keeps it from others: `modes`, or why that could not be had.
    pub privacy: Privacy,
    /// What is odd, and what could not be cleaned up; the directory is whole.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// One member of the new cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MemberReport {
    /// The server's `-raftId`.
    pub raft_id: String,
    /// The server's `-address`.
    pub address: String,
    /// Its number, in hex.
    pub node_id: String,
}

/// Makes the data directory `data_dir` from the payload at `payload`, whose info file lies beside it unless `encode_info` says
/// otherwise.
///
/// # Errors
/// As [`Payload::open`] and [`prepare`].
pub fn prepare_restore(
    payload: &Path,
    encode_info: Option<&Path>,
    data_dir: &Path,
    options: &PrepareOptions,
    progress: &dyn Progress,
) -> Result<PrepareReport> {
    let payload = Payload::open(payload, encode_info)?;
    if let Some(max) = options.resources.bytes_max.filter(|max| payload.input.len > *max) {
        return Err(ekv_snapshot::Error::new(too_many_bytes(max)).in_file(&payload.input.name).into());
    }
    prepare(&payload, data_dir, options, progress)
}

/// Makes the data directory `data_dir` from a payload.
///
/// The payload is read once: what is copied is what is checked. All files are then read back by independent readers, brought to
/// stable storage, and get their name in one step. Whatever exists at `data_dir` is refused: to merge or replace the data of a
/// Raft member destroys it. Cost: fixed memory, whatever the payload holds.
///
/// # Errors
/// [`RestoreError`] for what the payload or its info file lacks, the kinds of [`ekv_snapshot::RestorablePayload`], and the errors of
/// writing. Nothing is published and nothing is left behind, except as `docs/format/tree.md`, section 8.1, says for a failure after
/// the directory got its name.
pub fn prepare(
    payload: &Payload,
    data_dir: &Path,
    options: &PrepareOptions,
    progress: &dyn Progress,
) -> Result<PrepareReport> {
    check_raft_numbers(options)?;
    check_info(&payload.info, options)?;
    let parents = check_place(data_dir, options)?;
    let (copied, published) = prepare_in(begin_stage(data_dir, options)?, payload, options, progress)?;
    parents.keep();
    Ok(PrepareReport {
        source_cluster_id: payload.info.manifest_cluster_id.clone(),
        selection: payload.info.selection.clone(),
        losses: payload.info.losses,
        not_restorable: payload.info.not_restorable,
        ..report(data_dir, options, copied, &published)
    })
}

/// Checks that a data directory may be made, and creates what is missing above it if that is wanted.
pub(super) fn check_place(data_dir: &Path, options: &PrepareOptions) -> Result<NewParents> {
    let fsync = Fsync::from(options.fsync);
    let missing = NewParents::missing_above(data_dir).filter(|_| options.parents);
    let parents = NewParents::create_missing(missing.filter(|_| !options.dry_run), fsync)?;
    if missing.is_none() || !options.dry_run {
        DirSink::check_target(data_dir, DirOptions { existing: ExistingTarget::Refuse, fsync })?;
    }
    Ok(parents)
}

/// Refuses an index or a term without room above it.
pub(super) fn check_raft_numbers(options: &PrepareOptions) -> Result<(), RestoreError> {
    let too_high = |what, number: NonZeroU64| match number > RAFT_NUMBER_MAX {
        true => Err(RestoreError::RaftNumber { what, found: number.get() }),
        false => Ok(()),
    };
    too_high("index", options.index)?;
    too_high("term", options.term)
}

/// Checks everything that is known before the payload is read.
fn check_info(info: &EncodeInfo, options: &PrepareOptions) -> Result<(), RestoreError> {
    if info.encoder_key_format_version != EncodeInfo::KEY_FORMAT_VERSION {
        return Err(RestoreError::KeyFormat { found: info.encoder_key_format_version });
    }
    if !info.self_test.passed() && !options.allow_unverified_self_test {
        return Err(RestoreError::SelfTest { ran: info.self_test.ran });
    }
    check_cluster(&options.target, &info.manifest_cluster_id)?;
    check_last_commit_ts(CommitTs(info.last_commit_ts), options.now, options.allow_future_timestamps)
}

/// Refuses data of another cluster than the one that was asked for.
pub(super) fn check_cluster(target: &RestoreTarget, found: &str) -> Result<(), RestoreError> {
    let RestoreTarget::Cluster(target) = target else { return Ok(()) };
    let (target, found) = (target.clone(), found.to_owned());
    if found.is_empty() {
        return Err(RestoreError::ClusterIdMissing { target });
    }
    if found != target {
        return Err(RestoreError::ClusterIdDiffers { target, found });
    }
    Ok(())
}

/// As [`prepare`], from checks of what is asked for on.
fn prepare_in(
    stage: Box<dyn ReadableSink>,
    payload: &Payload,
    options: &PrepareOptions,
    progress: &dyn Progress,
) -> Result<(Copied, Published)> {
    in_stage(stage, progress, |stage| {
        let beginning = Beginning { index: options.index.get(), term: options.term.get(), peers: &options.peers };
        write_and_read_back(stage, &beginning, payload, options, progress)
    })
}

/// Where the files grow before the directory has its name.
pub(super) fn begin_stage(data_dir: &Path, options: &PrepareOptions) -> Result<Box<dyn ReadableSink>> {
    Ok(match options.dry_run {
        true => Box::new(DrySink::keeping(data_dir.display().to_string(), options.resources.scratch())),
        false => Box::new(DirSink::create_private(data_dir, Fsync::from(options.fsync))?),
    })
}

/// Writes, reads back and publishes; removes everything if any of it fails.
pub(super) fn in_stage(
    mut stage: Box<dyn ReadableSink>,
    progress: &dyn Progress,
    write: impl FnOnce(&mut dyn ReadableSink) -> Result<Copied>,
) -> Result<(Copied, Published)> {
    match write(stage.as_mut()) {
        Ok(copied) => {
            progress.begin(Phase::Publish, None);
            let published = stage.publish()?;
            Ok((copied, published))
        }
        Err(error) => {
            // What could not be removed is said by the leftover itself; the first error is the one that counts.
            drop(stage.abort());
            Err(error)
        }
    }
}

fn write_and_read_back(
    stage: &mut dyn ReadableSink,
    beginning: &Beginning<'_>,
    payload: &Payload,
    options: &PrepareOptions,
    progress: &dyn Progress,
) -> Result<Copied> {
    progress.begin(Phase::Copy, Some(payload.input.len));
    let copied = beginning.write_payload(stage, payload, options.resources.entries_max, progress)?;
    beginning.write_raft_files(stage, &copied)?;
    progress.begin(Phase::ReadBack, Some(copied.payload_len));
    beginning.read_back(stage, header_of(payload), &copied, progress)?;
    Ok(copied)
}

/// What is told of a data directory, but where its data is from.
pub(super) fn report(
    data_dir: &Path,
    options: &PrepareOptions,
    copied: Copied,
    published: &Published,
) -> PrepareReport {
    let absolute = data_dir.canonicalize().or_else(|_| std::path::absolute(data_dir));
    let data_dir = absolute.unwrap_or_else(|_| data_dir.to_path_buf());
    let (index, term) = (options.index.get(), options.term.get());
    let members = options.peers.peers().iter().map(|peer| MemberReport {
        raft_id: peer.raft_id.clone(),
        address: peer.address.clone(),
        node_id: format!("{:016x}", peer.node_id),
    });
    let last_commit_ts = copied.totals.last_commit_ts;
    let left_behind = published.warnings.iter().map(ToString::to_string);
    PrepareReport {
        format_version: 1,
        placement: Placement::of(&data_dir, &options.peers),
        data_dir,
        dry_run: published.is_nothing(),
        files: Beginning { index, term, peers: &options.peers }.paths().to_vec(),
        index,
        term,
        members: members.collect(),
        records: copied.totals.records,
        payload_bytes: copied.payload_len,
        payload_sha256: format_sha256(&copied.sha256),
        fsm_crc32c: format!("{:08x}", copied.crc32c),
        last_commit: Moment::from(last_commit_ts),
        source_cluster_id: String::new(),
        selection: None,
        losses: 0,
        not_restorable: 0,
        published_by: published.method.name(),
        fsync: published.fsync.name(),
        privacy: published.privacy,
        warnings: timestamp_warning(last_commit_ts).into_iter().chain(left_behind).collect(),
    }
}

#[cfg(test)]
mod tests;
