//! `report`: what a store or a dump consists of. Source: `docs/format/tree.md`, section 20.
//!
//! | file | question |
//! |---|---|
//! | `survey.rs` | what is counted while everything passes by once? |
//! | `tree.rs`, `sums.rs` | which scopes and beginnings of names hold how much? |
//! | `largest.rs`, `label.rs` | what are the largest things called? |
//! | `histogram.rs` | how are sizes spread? |
//! | `expiry.rs` | when do keys expire? |
//! | `versions.rs` | what does a snapshot keep beside the state that is read? |
//!
//! Memory is bounded by constants, whatever there is; all sums are exact.

mod expiry;
mod histogram;
mod label;
mod largest;
mod sums;
mod survey;
mod tree;
mod versions;

use std::path::Path;

use ekv_model::Result;
use ekv_snapshot::CommitTs;
use serde::Serialize;

use super::source::{Source, SourceBooks};
use crate::books::BooksReport;
use crate::loaded::ReadOptions;
use crate::losses::LossAccount;
use crate::progress::Progress;
use crate::report::{FindingReport, Moment, findings};
use crate::{Choice, CommandError, EventOptions, Store};

use survey::Survey;
use tree::TreeOptions;
use versions::count_versions;

pub use expiry::ExpiryRow;
pub use histogram::Spread;
pub use label::Label;
pub use sums::Totals;
pub use survey::{Contents, SpreadRow, TopRow};
pub use tree::{ScopeRow, Scopes, TreeNode, TypeRow};
pub use versions::{CommitBar, Commits, FamilyVersions, OverwrittenRow, Versions, Weight};

/// What a report tells.
#[derive(Clone, Debug)]
pub struct ReportOptions {
    /// How a snapshot is read.
    pub read: ReadOptions,
    /// What is selected.
    pub events: EventOptions,
    /// Bytes that end a beginning of names.
    pub separators: Vec<u8>,
    /// Most separators in a beginning.
    pub depth: usize,
    /// How long lists are.
    pub top: usize,
}

impl ReportOptions {
    /// Rows of a list unless something else is asked for.
    pub const TOP: usize = 20;
    /// Most rows of a list.
    pub const TOP_MAX: usize = 1000;
    /// Separators in a beginning of names unless something else is asked for.
    pub const DEPTH: usize = 4;
    /// Most separators in a beginning of names.
    pub const DEPTH_MAX: usize = 64;
    /// Separators unless others are asked for.
    pub const SEPARATORS: &'static str = ":/";
}

impl Default for ReportOptions {
    fn default() -> Self {
        ReportOptions {
            read: ReadOptions::default(),
            events: EventOptions::default(),
            separators: Self::SEPARATORS.as_bytes().to_vec(),
            depth: Self::DEPTH,
            top: Self::TOP,
        }
    }
}

/// What a store or a dump consists of.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Version of this structure.
    pub format_version: u32,
    /// What was read, as it was named.
    pub source: String,
    /// The moment that it shows.
    pub moment: Moment,
    /// Where everything went.
    pub account: Account,
    /// What there is.
    #[serde(flatten)]
    pub contents: Contents,
    /// What a snapshot keeps beside that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub versions: Option<Versions>,
    /// Why there is nothing of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub versions_missing: Option<&'static str>,
    /// What is odd, or lost.
    pub findings: Vec<FindingReport>,
    /// Unusual things about where snapshots were found.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// Where everything went.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Account {
    /// Of a snapshot, or the snapshots of a node.
    Snapshot(Box<BooksReport>),
    /// Of a dump.
    Dump(DumpAccount),
}

/// Where the files of a dump went.
#[derive(Clone, Debug, Serialize)]
pub struct DumpAccount {
    /// The program that wrote it.
    pub written_by: String,
    /// When.
    pub wall_time_iso: String,
    /// Files that were read and compared with CHECKSUMS.
    pub files: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Files that were not read since nothing in them is selected.
    pub files_left_out: u64,
    /// What is missing because the decode that wrote it lost it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub losses: Option<LossAccount>,
    /// What options of that decode left out or accepted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub by_choice: Vec<Choice>,
    /// The filters of that decode.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dump_selection: Option<String>,
    /// The filters of this report.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selection: Option<String>,
}

impl Account {
    /// Whether everything is there that should be.
    pub fn is_complete(&self) -> bool {
        match self {
            Account::Snapshot(books) => books.completeness.is_complete(),
            Account::Dump(dump) => dump.losses.is_none(),
        }
    }

    /// The filters of the report.
    pub fn selection(&self) -> Option<&str> {
        match self {
            Account::Snapshot(books) => books.selection.as_deref(),
            Account::Dump(dump) => dump.selection.as_deref(),
        }
    }
}

/// Why a dump has no versions.
const ONE_VERSION: &str = "a dump, an RDB file and a running server have one version of everything: for versions and commits, name a snapshot or a node";
/// Why a selection has no versions.
const SELECTED: &str = "versions are counted of everything only: leave the filters out";

/// Tells what `input` consists of: a snapshot, the data directory of a node, a dump or an archive, or `-`.
///
/// Cost: what is selected is read once, and of a snapshot all versions once more. Memory is bounded: counters, 16 MiB for sums by name, and 4 KiB
/// for each row of a list. Nothing is written but nameless scratch files.
///
/// # Errors
/// As [`Source::open`] and [`Source::pour`]; [`CommandError::NothingFound`] if nothing is selected.
pub fn report(input: &Path, options: &ReportOptions, progress: &dyn Progress) -> Result<Report> {
    let mut source = Source::open(input, &options.read, progress)?;
    if let Source::Store(store) = &source {
        store.check_has_data(input)?;
    }
    let moment = CommitTs(source.header().read_ts);
    let scratch = options.read.resources.scratch();
    let ReportOptions { separators, depth, top, .. } = options;
    let tree = TreeOptions { separators: separators.clone(), depth: *depth, top: *top };
    let mut survey = Survey::new(tree, moment.unix_ms(), &scratch);
    let books = source.pour(&options.events, &mut survey, &scratch, progress)?;
    let contents = survey.finish()?;
    let EventOptions { scope, adapters, .. } = &options.events;
    let is_nothing = contents.totals.keys == 0 && contents.scopes.count == 0;
    if is_nothing && options.events.is_narrowed() && !options.read.allow_empty {
        return Err(CommandError::NothingFound { filters: scope.describe(adapters), hint: scope.hint() }.into());
    }
    let (account, found) = account(books, &source, options);
    let (versions, versions_missing) = match &source {
        Source::Dump(_) | Source::Rdb(_) | Source::Server(_) => (None, Some(ONE_VERSION)),
        Source::Store(_) if options.events.is_narrowed() => (None, Some(SELECTED)),
        Source::Store(store) => (Some(count_versions(store, entries(&account), *top, &scratch, progress)?), None),
    };
    Ok(Report {
        format_version: 1,
        source: input.display().to_string(),
        moment: moment.into(),
        account,
        contents,
        versions,
        versions_missing,
        findings: found,
        notes: notes(&source),
    })
}

fn notes(source: &Source) -> Vec<String> {
    match source {
        Source::Store(store) => Store::notes(store),
        Source::Dump(_) | Source::Rdb(_) | Source::Server(_) => Vec::new(),
    }
}

fn entries(account: &Account) -> u64 {
    match account {
        Account::Snapshot(books) => books.records.entries,
        Account::Dump(_) => 0,
    }
}

fn account(books: SourceBooks, source: &Source, options: &ReportOptions) -> (Account, Vec<FindingReport>) {
    match (books, source) {
        (SourceBooks::Store(books), _) => {
            let findings = books.report.findings.clone();
            (Account::Snapshot(Box::new(books.report)), findings)
        }
        (SourceBooks::Dump(replayed), source) => {
            let account = match source {
                Source::Dump(dump) => dump.manifest().account.clone(),
                Source::Store(_) | Source::Rdb(_) | Source::Server(_) => Default::default(),
            };
            let EventOptions { scope, adapters, .. } = &options.events;
            let dump = DumpAccount {
                written_by: replayed.manifest.elastickv_version.clone(),
                wall_time_iso: replayed.manifest.wall_time_iso.clone(),
                files: replayed.totals.files,
                bytes: replayed.totals.bytes,
                files_left_out: replayed.totals.files_left_out,
                by_choice: account.choices.clone(),
                dump_selection: account.selection.clone(),
                selection: options.events.is_narrowed().then(|| scope.describe(adapters)),
                losses: (account.loss_count > 0).then(|| account.into()),
            };
            (Account::Dump(dump), findings(&replayed.findings))
        }
    }
}
