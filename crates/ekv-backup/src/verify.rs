//! `verify`: is a dump whole?

use std::path::Path;

use ekv_dump::manifest::Choice;
use ekv_dump::verify::Verification;
use ekv_model::Result;
use serde::Serialize;

use crate::Resources;
use crate::dump_source::open_dump_to_check;
use crate::losses::LossAccount;
use crate::progress::{Phase, Progress};

/// Memory for the sorts of a check, in bytes.
pub(crate) const SORT_BUDGET_LEN: usize = 16 << 20;

/// What [`verify`] found.
#[derive(Clone, Debug, Serialize)]
pub struct VerifyReport {
    /// Version of this structure.
    pub format_version: u32,
    /// Whether nothing is wrong.
    pub sound: bool,
    /// Regular files, MANIFEST.json and CHECKSUMS included.
    pub files: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// The program that wrote the dump.
    pub written_by: String,
    /// When it was written.
    pub wall_time_iso: String,
    /// What the decode that wrote the dump lost; absent where nothing was lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub losses: Option<LossAccount>,
    /// The filters with which it was made: it is a part of its snapshot. At most 256 characters of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selection: Option<String>,
    /// What options of that decode left out or accepted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub by_choice: Vec<Choice>,
    /// How many things are wrong.
    pub problem_count: u64,
    /// The first of them, each with its path.
    pub problems: Vec<String>,
}

impl VerifyReport {
    pub(crate) fn new(found: &Verification) -> Self {
        VerifyReport {
            format_version: 1,
            sound: found.is_sound(),
            files: found.files,
            bytes: found.bytes,
            written_by: found.manifest.elastickv_version.clone(),
            wall_time_iso: found.manifest.wall_time_iso.clone(),
            losses: (found.account.loss_count > 0).then(|| found.account.clone().into()),
            selection: found.account.selection.clone(),
            by_choice: found.account.choices.clone(),
            problem_count: found.problems.count,
            problems: found.problems.first.iter().map(ToString::to_string).collect(),
        }
    }
}

/// Checks a dump: manifest, checksums, names and structure; nothing missing, nothing extra.
///
/// It is a directory, an archive, or `-` for an archive on standard input. Cost: every file is read once; fixed memory.
///
/// # Errors
/// If something cannot be read, MANIFEST.json or CHECKSUMS cannot be used, or an archive is refused. Everything else is in the report.
pub fn verify(dump: &Path, progress: &dyn Progress) -> Result<VerifyReport> {
    verify_within(dump, &Resources::DEFAULT, progress)
}

/// As [`verify()`]; the dump may hold as much as `resources` say.
///
/// # Errors
/// As [`verify()`].
pub fn verify_within(dump: &Path, resources: &Resources, progress: &dyn Progress) -> Result<VerifyReport> {
    let scratch = resources.scratch();
    let mut source = open_dump_to_check(dump, &scratch, resources, SORT_BUDGET_LEN / 4)?;
    let found = follow(progress, Phase::Verify, || {
        ekv_dump::verify::verify(source.as_mut(), &scratch, SORT_BUDGET_LEN, progress)
    })?;
    Ok(VerifyReport::new(&found))
}

/// Runs a check of a dump: whatever it fails with once the user wants to stop is that wish.
pub(crate) fn follow<T>(
    progress: &dyn Progress,
    phase: Phase,
    check: impl FnOnce() -> ekv_files::Result<T>,
) -> Result<T> {
    progress.begin(phase, None);
    let checked = check();
    if checked.is_err() {
        progress.advance(0)?;
    }
    Ok(checked?)
}
