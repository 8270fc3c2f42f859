//! Which snapshots a node has, and why each of them is read or not.

use std::path::Path;
use std::sync::Arc;

use ekv_adapters::Router;
use ekv_model::{Class, Result};
use ekv_node::datadir::{self, GroupDir, GroupSnapshot, Note};
use ekv_snapshot::{Scan, ScanOptions, scan};
use ekv_spill::Scratch;
use serde::Serialize;

use crate::loaded::Loaded;
use crate::progress::{Phase, Progress};
use crate::report::Moment;
use crate::snapshot_times::Answerable;

/// Snapshots of a group that are checked besides the one that is read; a server keeps three.
const CHECKED_MAX: usize = 8;

/// A snapshot in the data directory of a node.
#[derive(Clone, Debug, Serialize)]
pub struct AvailableSnapshot {
    /// The file, seen from the data directory that was named.
    pub file: String,
    /// Raft group, if a directory name says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_id: Option<u64>,
    /// Raft index whose effect is included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot_index: Option<u64>,
    /// Raft term of that index, if a `.snap` file says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub term: Option<u64>,
    /// Length in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Whether a usable `.snap` file names it.
    pub has_snap_file: bool,
    /// What it is good for.
    pub state: AvailableState,
    /// Why it is not the one that is read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why_not: Option<String>,
    /// Newest commit; absent if it was not checked, or failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest: Option<Moment>,
    /// Oldest time that can be answered; absent also if there is no data of users.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest_answerable: Option<Moment>,
    /// Newest time that can be answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest_answerable: Option<Moment>,
}

/// What a snapshot in a data directory is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AvailableState {
    /// It is the one of its group that is read.
    Read,
    /// All checks pass.
    Sound,
    /// They do not.
    Unusable,
    /// Nobody looked.
    NotChecked,
}

/// All snapshots of the groups below `argument`, those of each group newest first; of each group at most 8 are checked besides the one in `loaded`.
///
/// # Errors
/// A failing read of the directory; the user's wish to stop.
pub(crate) fn available(
    argument: &Path,
    loaded: &Loaded,
    scratch: &Arc<dyn Scratch>,
    progress: &dyn Progress,
) -> Result<Vec<AvailableSnapshot>> {
    let mut all = Vec::new();
    for group in datadir::groups(argument)? {
        let mut rows = of_group(argument, &group, loaded, scratch, progress)?;
        rows.sort_by_key(|row| std::cmp::Reverse(row.snapshot_index));
        all.append(&mut rows);
    }
    Ok(all)
}

fn of_group(
    argument: &Path,
    group: &GroupDir,
    loaded: &Loaded,
    scratch: &Arc<dyn Scratch>,
    progress: &dyn Progress,
) -> Result<Vec<AvailableSnapshot>> {
    let below = |path: &Path| path.strip_prefix(argument).unwrap_or(path).display().to_string();
    let taken = loaded.snapshots.iter().find(|loaded| loaded.group_id == group.group_id);
    let taken = taken.and_then(|taken| taken.snapshot_index);
    let (mut rows, mut checked) = (Vec::new(), 0);
    let mut candidates = group.candidates();
    while let Some(found) = candidates.next()? {
        let file = below(&found.path);
        let read = loaded.snapshots.iter().find(|loaded| loaded.place.as_ref() == Some(&file));
        let row = row(&found, file);
        rows.push(match read {
            Some(read) => with_times(AvailableSnapshot { state: AvailableState::Read, ..row }, &read.scan),
            None if checked == CHECKED_MAX => {
                AvailableSnapshot { why_not: Some(reason(&found, taken).to_owned()), ..row }
            }
            None => {
                checked += 1;
                progress.begin(Phase::Check, Some(found.input.len));
                match scan(&found.input, &ScanOptions::default(), &mut Router::default(), scratch, progress) {
                    Ok((scan, _)) => {
                        let why_not = Some(reason(&found, taken).to_owned());
                        with_times(AvailableSnapshot { state: AvailableState::Sound, why_not, ..row }, &scan)
                    }
                    Err(error) if error.class() == Class::Cancelled => return Err(error.into()),
                    Err(error) => {
                        let why_not = Some(error.kind().to_string());
                        AvailableSnapshot { state: AvailableState::Unusable, why_not, ..row }
                    }
                }
            }
        });
    }
    rows.extend(candidates.rejected().iter().map(|rejected| AvailableSnapshot {
        snapshot_index: rejected.index(),
        state: AvailableState::Unusable,
        why_not: Some(rejected.error.kind().to_string()),
        ..AvailableSnapshot::at(below(&rejected.path), group.group_id)
    }));
    rows.extend(group.newest_compressed()?.map(|(path, index)| AvailableSnapshot {
        snapshot_index: Some(index),
        why_not: Some("it is compressed, and no server reads it: to use it, name the file".to_owned()),
        ..AvailableSnapshot::at(below(&path), group.group_id)
    }));
    Ok(rows)
}

impl AvailableSnapshot {
    fn at(file: String, group_id: Option<u64>) -> Self {
        AvailableSnapshot {
            file,
            group_id,
            snapshot_index: None,
            term: None,
            bytes: None,
            has_snap_file: false,
            state: AvailableState::NotChecked,
            why_not: None,
            newest: None,
            oldest_answerable: None,
            newest_answerable: None,
        }
    }
}

fn row(found: &GroupSnapshot, file: String) -> AvailableSnapshot {
    AvailableSnapshot {
        snapshot_index: found.file_index,
        term: found.term,
        bytes: Some(found.input.len),
        has_snap_file: found.term.is_some(),
        ..AvailableSnapshot::at(file, found.group_id)
    }
}

fn with_times(row: AvailableSnapshot, scan: &Scan) -> AvailableSnapshot {
    let times = Answerable::of(scan);
    AvailableSnapshot {
        newest: Some(times.newest.into()),
        oldest_answerable: times.from().map(Into::into),
        newest_answerable: Some(times.end.into()),
        ..row
    }
}

/// Why a snapshot that was found is not the one that is read, which has Raft index `taken`.
fn reason(found: &GroupSnapshot, taken: Option<u64>) -> &'static str {
    let is_older = found.file_index < taken;
    match found.notes.contains(&Note::Unreferenced) {
        _ if is_older => "a newer one is read: to use this one, name the file",
        true => "no .snap file names it: to use it, name the file",
        false => "an older one is read, as asked: to use this one, name the file",
    }
}
