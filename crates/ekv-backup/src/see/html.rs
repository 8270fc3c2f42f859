//! A report as a page for a browser: one file that needs no network and no scripts.
//!
//! | file | question |
//! |---|---|
//! | `page.rs` | what stands on it, in which order? |
//! | `tables.rs`, `charts.rs` | how is a list shown, how a course of numbers? |
//! | `treemap.rs` | how is an area shared out? |
//! | `markup.rs` | how does foreign text stay text? |
//! | `style.css`, `script.js` | how does it look, how are rows sorted and filtered? |
//!
//! Source: `docs/format/tree.md`, section 21.1.

mod charts;
mod markup;
mod page;
mod tables;
mod treemap;

use std::path::{Path, PathBuf};

use ekv_files::sink::{DirOptions, Privacy, StagedFiles};
use ekv_model::Result;
use serde::Serialize;

use super::report::{Report, ReportOptions, report};
use crate::overlap::refuse_overlap;
use crate::progress::{Phase, Progress};

/// A page that is to be written.
#[derive(Clone, Debug)]
pub struct PageOptions {
    /// Its name.
    pub path: PathBuf,
    /// What happens to an older one, and what is brought to stable storage.
    pub publication: DirOptions,
}

/// A page that is there.
#[derive(Clone, Debug, Serialize)]
pub struct PageReport {
    /// Its name.
    pub path: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// What keeps it from others: `modes`, or why that could not be had.
    pub privacy: Privacy,
    /// What could not be cleaned up; the page is whole.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// As [`report()`], and writes it as a page, which is there as a whole or not at all. At most 1 MiB: where lists are longer, the page says so.
///
/// # Errors
/// As [`report()`]; a name that is taken or cannot be written, before anything is read where that can be known then.
pub fn report_page(
    input: &Path,
    options: &ReportOptions,
    page: &PageOptions,
    progress: &dyn Progress,
) -> Result<(Report, PageReport)> {
    refuse_overlap(&[input], &[&page.path])?;
    StagedFiles::check_targets(&[&page.path], page.publication)?;
    let report = report(input, options, progress)?;
    progress.begin(Phase::Publish, None);
    let text = page::page(&report);
    let mut stage = StagedFiles::create(&[&page.path], page.publication)?;
    stage.begin(0)?;
    stage.write(text.as_bytes())?;
    stage.end()?;
    let published = stage.publish()?;
    let written = PageReport {
        path: page.path.display().to_string(),
        bytes: ekv_snapshot::len_u64(text.as_bytes()),
        privacy: published.privacy,
        warnings: published.warnings.iter().map(ToString::to_string).collect(),
    };
    Ok((report, written))
}
