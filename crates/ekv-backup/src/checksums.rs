//! `checksums`: CHECKSUMS of a dump that somebody edited.

use std::path::Path;
use std::sync::Arc;

use ekv_dump::verify::{Relisting, relist};
use ekv_files::checksums::CHECKSUMS_FILE;
use ekv_files::sink::{DirOptions, ExistingTarget, Fsync, LeftoverState, Privacy, StagedFiles};
use ekv_model::Result;
use ekv_spill::Spool;
use serde::Serialize;

use crate::Resources;
use crate::dump_source::open_directory;
use crate::progress::{Phase, Progress};
use crate::verify::{SORT_BUDGET_LEN, follow};

/// Lines that are kept in memory until all are known, in bytes; more goes to a scratch file.
const LINES_IN_MEMORY_LEN: usize = 256 << 10;

/// What [`checksums`] should do.
#[derive(Clone, Debug, Default)]
pub struct ChecksumsOptions {
    /// Whether nothing is written.
    pub dry_run: bool,
    /// What is brought to stable storage.
    pub fsync: Fsync,
    /// What reading may take.
    pub resources: Resources,
}

/// What [`checksums`] found and did.
#[derive(Clone, Debug, Serialize)]
pub struct ChecksumsReport {
    /// Version of this structure.
    pub format_version: u32,
    /// Whether a new CHECKSUMS was written.
    pub rewritten: bool,
    /// Regular files in the dump, MANIFEST.json and CHECKSUMS included.
    pub files: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Files whose contents are not what the old CHECKSUMS says.
    pub changed: u64,
    /// Files that it did not list.
    pub added: u64,
    /// Lines of it for which there is no file.
    pub removed: u64,
    /// How many other things are wrong; with any of them nothing is written.
    pub problem_count: u64,
    /// The first of them, each with its path.
    pub problems: Vec<String>,
    /// What keeps the new CHECKSUMS from others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub privacy: Option<Privacy>,
    /// What could not be cleaned up; CHECKSUMS is whole.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// Brings CHECKSUMS of a dump up to date, unless anything is wrong with the dump that a new CHECKSUMS cannot put right.
///
/// Cost: every file is read once; fixed memory. The new file replaces the old one in one step.
///
/// # Errors
/// If something cannot be read, MANIFEST.json or a line of CHECKSUMS cannot be used, or the new file cannot be written. Everything else
/// is in the report.
pub fn checksums(dump: &Path, options: &ChecksumsOptions, progress: &dyn Progress) -> Result<ChecksumsReport> {
    let scratch = options.resources.scratch();
    if !options.dry_run {
        remove_leftovers(dump);
    }
    let mut source = open_directory(dump, &scratch, &options.resources)?;
    let target = dump.join(CHECKSUMS_FILE);
    // The staging directory lies in the dump: it is made once it is known that there is something to write.
    let mut lines = Spool::new(Arc::clone(&scratch), LINES_IN_MEMORY_LEN);
    let mut write = |line: &[u8]| Ok(lines.write_all(line)?);
    let found =
        follow(progress, Phase::Verify, || relist(&mut source, &scratch, SORT_BUDGET_LEN, progress, &mut write))?;
    let Relisting { files, bytes, changes, problems } = found;
    let mut report = ChecksumsReport {
        format_version: 1,
        rewritten: false,
        files,
        bytes,
        changed: changes.changed,
        added: changes.added,
        removed: changes.removed,
        problem_count: problems.count,
        problems: problems.first.iter().map(ToString::to_string).collect(),
        privacy: None,
        warnings: Vec::new(),
    };
    if problems.count == 0 && !changes.is_none() && !options.dry_run {
        progress.begin(Phase::Publish, None);
        let sink = DirOptions { existing: ExistingTarget::Replace, fsync: options.fsync };
        let mut stage = StagedFiles::create(&[&target], sink)?;
        let lines = lines.into_reader().map_err(ekv_files::Error::from)?;
        stage.begin(0)?;
        lines.for_each_chunk(|chunk| stage.write(chunk))?;
        stage.end()?;
        let published = stage.publish()?;
        report.rewritten = true;
        report.privacy = Some(published.privacy);
        report.warnings = published.warnings.iter().map(ToString::to_string).collect();
    }
    Ok(report)
}

/// Removes what stopped runs of this function left in the dump. What stays is found by the checks.
fn remove_leftovers(dump: &Path) {
    let found = ekv_files::sink::leftovers(dump).unwrap_or_default();
    for leftover in found.iter().filter(|leftover| leftover.state() == LeftoverState::Abandoned) {
        let _ = leftover.remove();
    }
}
