//! `restore`: from a dump to the data directory of a new node, in one go.

use std::path::Path;

use ekv_dump::manifest::StoredManifest;
use ekv_model::Result;
use ekv_node::datadir;
use serde::Serialize;

use super::prepare::{check_cluster, check_place, check_raft_numbers};
use super::{PrepareOptions, PrepareReport, RestoreError, prepare};
use crate::encode::{UnnamedPayload, encode_unnamed};
use crate::losses::Losses;
use crate::overlap::refuse_overlap;
use crate::progress::Progress;
use crate::{EncodeOptions, PayloadReport};

/// What a restore did.
#[derive(Debug, Serialize)]
pub struct RestoreReport {
    /// The new data directory.
    #[serde(flatten)]
    pub prepared: PrepareReport,
    /// What was read from the dump, and the payload in between, of which nothing is left.
    pub encoded: PayloadReport,
    /// Everything in the dump that no server can restore, one by one, in the form of LOSSES.jsonl.
    #[serde(skip_serializing_if = "Losses::is_empty")]
    pub lost: Losses,
}

/// Makes the data directory `data_dir` from the dump at `dump`: [`encode`](crate::encode()) and [`prepare()`] with a payload that never
/// has a name. It is always decoded again and compared with the dump.
///
/// # Errors
/// As these two.
pub fn restore(
    dump: &Path,
    data_dir: &Path,
    encode: &EncodeOptions,
    prepare_options: &PrepareOptions,
    progress: &dyn Progress,
) -> Result<RestoreReport> {
    check_raft_numbers(prepare_options)?;
    refuse_overlap(&[dump], &[data_dir])?;
    let parents = check_place(data_dir, prepare_options)?;
    let encode = EncodeOptions { self_test: true, dry_run: prepare_options.dry_run, ..encode.clone() };
    let check = |dump: &StoredManifest| {
        check_cluster(&prepare_options.target, &dump.manifest.cluster_id)?;
        Ok(check_group(data_dir, &dump.account.group_ids)?)
    };
    let UnnamedPayload { payload, report, warnings, lost, stage } =
        encode_unnamed(dump, data_dir, &encode, &check, progress)?;
    let mut prepared = prepare(&payload, data_dir, prepare_options, progress)?;
    parents.keep();
    // An open file keeps its directory from being removed on some file systems.
    drop(payload);
    for warning in warnings.into_iter().chain(stage.abort().err().map(|error| error.to_string())) {
        // Both steps warn about the same timestamp.
        if !prepared.warnings.contains(&warning) {
            prepared.warnings.push(warning);
        }
    }
    Ok(RestoreReport { prepared, encoded: report, lost })
}

/// Refuses the directory of one group of a server where the dump was made from other groups, or from more than that.
pub(super) fn check_group(data_dir: &Path, groups: &[u64]) -> Result<(), RestoreError> {
    match datadir::group_id(data_dir) {
        Some(data_dir) if !groups.is_empty() && groups != [data_dir] => {
            Err(RestoreError::OtherGroup { groups: groups.to_vec(), data_dir })
        }
        _ => Ok(()),
    }
}
