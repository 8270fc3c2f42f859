//! A published snapshot that becomes the data directory of a new node as it is: no record is read as anything else, and no byte changes.
//!
//! Source: `docs/format/offload.md`, section 4.

use std::num::NonZeroU64;
use std::path::Path;

use ekv_model::Result;
use ekv_node::offload::{self, Manifest, OffloadStore, StoreSelection};
use ekv_snapshot::{Header, RestorableTotals};

use super::data_dir::{Beginning, Copied};
use super::dump::check_group;
use super::prepare::{begin_stage, check_cluster, check_place, check_raft_numbers, in_stage, report};
use super::timestamp::check_last_commit_ts;
use super::{PrepareOptions, PrepareReport, RestoreError};
use crate::ReadOptions;
use crate::load::load;
use crate::loaded::{LoadedSnapshot, OLDER_SNAPSHOT};
use crate::overlap::refuse_overlap;
use crate::progress::{Phase, Progress};

/// Makes the data directory `data_dir` from one snapshot of the offload store at `store`, at the index and term at which it was published; those of
/// `options` do not count.
///
/// Every hash is compared and every record read first, whatever form the payload has. Then its bytes are copied with the footer that they had on
/// their node; encrypted values stay encrypted. Cost: four reads of the payload, fixed memory.
///
/// # Errors
/// [`RestoreError`], what is wrong with the store or the payload, and the errors of writing. Nothing is published then.
pub fn restore_published(
    store: &Path,
    data_dir: &Path,
    read: &ReadOptions,
    options: &PrepareOptions,
    progress: &dyn Progress,
) -> Result<PrepareReport> {
    refuse_overlap(&[store], &[data_dir])?;
    let no_store = || RestoreError::NoStore { path: store.display().to_string() };
    let selection = StoreSelection::of(store).ok_or_else(no_store)?;
    let parents = check_place(data_dir, options)?;
    let scratch = options.resources.scratch();
    let loaded = load(store, read, &scratch, progress)?;
    let groups: Vec<u64> = loaded.snapshots.iter().filter_map(|loaded| loaded.group_id).collect();
    let [snapshot] = loaded.snapshots.as_slice() else { return Err(RestoreError::SeveralGroups { groups }.into()) };
    let opened = OffloadStore::open(&selection)?;
    let manifest = manifest_of(&opened, snapshot).ok_or_else(no_store)?;
    let (group, index, term) = (manifest.group_id, manifest.index, manifest.term);
    if let Some((_, totals)) = snapshot.findings.iter().find(|(finding, _)| finding.name == OLDER_SNAPSHOT.name) {
        let why = totals.examples.first().map(|example| example.detail.clone()).unwrap_or_default();
        return Err(RestoreError::OlderPublished { group, why, index }.into());
    }
    let (entries, last_commit_ts) = (snapshot.scan.totals.entries, snapshot.scan.effective_last_commit_ts);
    check_cluster(&options.target, &manifest.source_cluster)?;
    check_group(data_dir, &groups)?;
    check_last_commit_ts(last_commit_ts, options.now, options.allow_future_timestamps)?;
    let number = |number: u64| NonZeroU64::new(number).unwrap_or(NonZeroU64::MIN);
    let options = PrepareOptions { index: number(index), term: number(term), ..options.clone() };
    check_raft_numbers(&options)?;

    let payload = opened.payload(manifest)?.input;
    progress.begin(Phase::Check, Some(payload.len));
    let (sha256, stated) = (&manifest.payload_sha256, manifest.source_crc32c);
    let crc32c = offload::verify_payload(&payload, sha256, stated, &|len| Ok(progress.advance(len)?))?;
    let header = Header::read(&payload)?;
    let (copied, published) = in_stage(begin_stage(data_dir, &options)?, progress, |stage| {
        let beginning = Beginning { index, term, peers: &options.peers };
        progress.begin(Phase::Copy, Some(payload.len));
        let sha256 = beginning.write_stream(stage, &payload, crc32c, progress)?;
        if sha256 != manifest.payload_sha256 {
            return Err(ekv_snapshot::Error::new(ekv_snapshot::ErrorKind::Changed).in_file(&payload.name).into());
        }
        let totals = RestorableTotals { records: entries, last_commit_ts, ..RestorableTotals::default() };
        let copied = Copied { totals, payload_len: payload.len.saturating_sub(header.len()), sha256, crc32c };
        beginning.write_raft_files(stage, &copied)?;
        progress.begin(Phase::ReadBack, Some(payload.len));
        beginning.read_back(stage, header, &copied, progress)?;
        Ok(copied)
    })?;
    parents.keep();
    Ok(PrepareReport {
        source_cluster_id: manifest.source_cluster.clone(),
        ..report(data_dir, &options, copied, &published)
    })
}

/// The manifest of a snapshot that was read.
fn manifest_of<'s>(store: &'s OffloadStore, snapshot: &LoadedSnapshot) -> Option<&'s Manifest> {
    let told = snapshot.offload.as_ref()?;
    let is_told = |manifest: &&Manifest| {
        manifest.manifest_key == told.manifest_key
            && Some(manifest.group_id) == snapshot.group_id
            && Some(manifest.index) == snapshot.snapshot_index
            && manifest.term == told.term
    };
    store.listed().iter().filter_map(|listed| listed.manifest.as_ref().ok()).find(is_told)
}
