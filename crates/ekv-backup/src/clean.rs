//! `clean`: staging directories that killed runs left behind.

use std::path::Path;

use ekv_model::Result;
use ekv_tree::sink::{LeftoverState, leftovers};
use serde::Serialize;

/// What [`clean`] found and did.
#[derive(Clone, Debug, Serialize)]
pub struct CleanReport {
    /// Version of this structure.
    pub format_version: u32,
    /// Every staging directory, in order of the names.
    pub leftovers: Vec<LeftoverReport>,
}

/// One staging directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftoverReport {
    /// Where it is or was.
    pub path: String,
    /// Whether it is gone now.
    pub removed: bool,
    /// What was done, or why not.
    pub outcome: &'static str,
}

/// Removes the staging directories in `parent` that no run uses and that belong to the caller; with `dry_run` it only looks.
///
/// # Errors
/// If the directory cannot be read, or a leftover cannot be removed.
pub fn clean(parent: &Path, dry_run: bool) -> Result<CleanReport> {
    let mut reports = Vec::new();
    for leftover in leftovers(parent)? {
        let path = leftover.path().display().to_string();
        let (removed, outcome) = match leftover.state() {
            LeftoverState::Abandoned if dry_run => (false, "would be removed"),
            LeftoverState::Abandoned => {
                leftover.remove()?;
                (true, "removed")
            }
            LeftoverState::InUse => (false, "kept: a run uses it"),
            LeftoverState::Foreign => (false, "kept: it belongs to somebody else"),
            _ => (false, "kept: cannot tell whether a run uses it"),
        };
        reports.push(LeftoverReport { path, removed, outcome });
    }
    Ok(CleanReport { format_version: 1, leftovers: reports })
}
