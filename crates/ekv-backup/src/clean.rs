//! `clean`: staging directories that killed runs left behind.

use std::path::Path;

use ekv_files::ErrorKind;
use ekv_files::sink::{SinkError, leftovers};
use ekv_model::Result;
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
    pub outcome: String,
}

/// What would become of a staging directory whose run was replacing something.
const WOULD_BE_SETTLED: &str = "would be removed once what was moved into it while being replaced, if anything was, is back at its name; \
                                where something else has that name, it would be kept";

/// Removes the staging directories in `parent` that no run uses, that belong to the caller, and that are known to be staging directories
/// by what is in them; with `dry_run` it only looks. A dump or files that were moved aside while they were replaced are put back. Everything
/// else is kept and said.
///
/// # Errors
/// If the directory cannot be read, or a leftover cannot be removed; the others were removed then.
pub fn clean(parent: &Path, dry_run: bool) -> Result<CleanReport> {
    let mut reports = Vec::new();
    let mut failure = None;
    for leftover in leftovers(parent)? {
        let path = leftover.path().display().to_string();
        let (removed, outcome) = match leftover.reason() {
            Some(reason) => (false, format!("kept: {reason}")),
            None if dry_run && leftover.was_replacing() => (false, WOULD_BE_SETTLED.to_owned()),
            None if dry_run => (false, "would be removed".to_owned()),
            None => match leftover.remove() {
                Ok(returned) if returned.is_empty() => (true, "removed".to_owned()),
                Ok(returned) => (true, format!("removed; put back what was at {} before", returned.join(", "))),
                // Somebody changed it since it was looked at, or it holds what is still needed.
                Err(error) if is_foreign(&error) => (false, format!("kept: {error}")),
                Err(error) => {
                    let outcome = format!("not removed: {error}");
                    failure.get_or_insert(error);
                    (false, outcome)
                }
            },
        };
        reports.push(LeftoverReport { path, removed, outcome });
    }
    match failure {
        Some(error) => Err(error.into()),
        None => Ok(CleanReport { format_version: 1, leftovers: reports }),
    }
}

fn is_foreign(error: &ekv_files::Error) -> bool {
    matches!(error.kind(), ErrorKind::Sink(SinkError::StagingForeign { .. } | SinkError::HoldsOld { .. }))
}
