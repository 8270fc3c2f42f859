//! `index`: keeps what later runs need to read no more of a snapshot than they show.

use std::path::Path;

use ekv_model::Result;
use serde::Serialize;

use crate::index_cache::IndexUse;
use crate::load::load;
use crate::loaded::ReadOptions;
use crate::progress::Progress;

/// What [`keep_indexes`] did.
#[derive(Clone, Debug, Serialize)]
pub struct IndexReport {
    /// A row for each snapshot; one per Raft group.
    pub indexes: Vec<IndexRow>,
    /// Unusual things about where they were found.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// A snapshot and its index.
#[derive(Clone, Debug, Serialize)]
pub struct IndexRow {
    /// The snapshot.
    pub snapshot: String,
    /// Its index; absent if there is none.
    pub index: Option<String>,
    /// Length of the index in bytes, if it was written now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// Checks a snapshot, or the newest sound one of every group of a data directory, and keeps an index of it in `read.index`, unless a sound one
/// is there.
///
/// # Errors
/// As [`crate::Store::open`]. That no index can be kept is none.
pub fn keep_indexes(input: &Path, read: &ReadOptions, progress: &dyn Progress) -> Result<IndexReport> {
    let loaded = load(input, read, &read.resources.scratch(), progress)?;
    let rows = loaded.snapshots.iter().map(|snapshot| {
        let row = IndexRow { snapshot: snapshot.input_name.clone(), index: None, bytes: None, why: None };
        match &snapshot.index {
            Some(IndexUse::Used { index }) => IndexRow { index: Some(index.display().to_string()), ..row },
            Some(IndexUse::Kept { index, len, .. }) => {
                IndexRow { index: Some(index.display().to_string()), bytes: Some(*len), ..row }
            }
            Some(IndexUse::NotKept { why }) => IndexRow { why: Some(why.clone()), ..row },
            None => row,
        }
    });
    Ok(IndexReport { indexes: rows.collect(), notes: loaded.notes().collect() })
}
