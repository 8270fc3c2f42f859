//! `inspect`: what a snapshot holds, without writing anything.

use std::path::Path;

use ekv_model::Result;
use serde::Serialize;

use crate::available::{AvailableSnapshot, available};
use crate::contents::Contents;
use crate::decode::has_damage;
use crate::dump_output::DumpBooks;
use crate::imports::Nowhere;
use crate::input_place::InputPlace;
use crate::loaded::ReadOptions;
use crate::offload::StoreListing;
use crate::pipe::{Books, Events};
use crate::progress::{Phase, Progress};
use crate::rdb::RdbEvents;
use crate::report::{
    Accounts, FamilyReport, FindingReport, PrefixReport, RdbReport, ServerReport, SnapshotReport, TransactionsReport,
    findings, prefixes,
};
use crate::see::Source;
use crate::server::ServerEvents;
use crate::{BooksReport, CommandError, Completeness, EventOptions, StoreEvents};

/// What [`inspect`] learned.
#[derive(Clone, Debug, Serialize)]
pub struct Inspection {
    /// Version of this structure.
    pub format_version: u32,
    /// Whether a decode would have everything, as far as that can be said without one, and what that rests on.
    pub completeness: Completeness,
    /// The snapshots that were read; one per Raft group.
    pub snapshots: Vec<SnapshotReport>,
    /// All snapshots of the node, those of each group newest first, if a data directory was named.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub available: Vec<AvailableSnapshot>,
    /// Unusual things about where they were found.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Where every entry belongs.
    pub records: Accounts,
    /// Records, versions and bytes per key family.
    pub families: Vec<FamilyReport>,
    /// Beginnings of keys that no known family has.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unknown_prefixes: Vec<PrefixReport>,
    /// Staged writes of transactions.
    #[serde(skip_serializing_if = "TransactionsReport::is_empty")]
    pub transactions: TransactionsReport,
    /// What is odd.
    pub findings: Vec<FindingReport>,
    /// Everything that is in the offload store, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreListing>,
    /// The RDB file that was read, if it is no snapshot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rdb: Option<RdbReport>,
    /// The running server, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<ServerReport>,
    /// What the RDB file holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contents: Option<Contents>,
    /// What the filters select, if there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selected: Option<SelectedReport>,
}

/// What filters select.
#[derive(Clone, Debug, Serialize)]
pub struct SelectedReport {
    /// The filters.
    pub filters: String,
    /// How much it is.
    pub contents: Contents,
    /// Whether there is nothing of it, not even something that is damaged.
    pub is_nothing: bool,
}

/// Reads a snapshot, the newest snapshot of every group of a data directory, or an RDB file, and describes it.
///
/// All checks of a decode are made: structure, order, checksum. Of a data directory, older snapshots are checked, too. Cost: one read; fixed
/// memory.
///
/// # Errors
/// As for a decode; nothing is written but nameless scratch files for standard input and compressed snapshots.
pub fn inspect(input: &Path, options: &ReadOptions, progress: &dyn Progress) -> Result<Inspection> {
    inspect_part(input, options, &EventOptions::default(), progress)
}

/// As [`inspect()`], and what the events that are asked for come to, unless that is everything: completeness, families and findings are then
/// those of a decode.
///
/// Cost: another read of what may be selected.
///
/// # Errors
/// As [`inspect()`].
pub fn inspect_part(
    input: &Path,
    read: &ReadOptions,
    events: &EventOptions,
    progress: &dyn Progress,
) -> Result<Inspection> {
    let store = match Source::open_but_dump(input, read, progress)? {
        Source::Store(store) => store,
        Source::Rdb(file) => return inspect_keys(&mut RdbEvents::of(&file, events)?, read, progress),
        Source::Server(mut server) => return inspect_keys(&mut ServerEvents::of(&mut server, events)?, read, progress),
        Source::Dump(_) => return Err(CommandError::IsDump { path: input.display().to_string() }.into()),
    };
    let snapshots = store.state.reports(&store.loaded);
    let families = store.families();
    let available = match InputPlace::of(input) {
        // An offload store lists its own.
        Ok(InputPlace::Directory) if store.loaded.listing.is_none() => {
            available(input, &store.loaded, &store.scratch, progress)?
        }
        _ => Vec::new(),
    };
    let inspection = Inspection {
        format_version: 1,
        completeness: store.completeness(),
        records: Accounts::new(&snapshots, &families),
        snapshots,
        available,
        notes: store.notes(),
        families,
        unknown_prefixes: prefixes(&store.loaded.unknown_prefixes),
        transactions: store.state.transactions.into(),
        findings: findings(&store.findings()),
        store: store.loaded.listing.clone(),
        rdb: None,
        server: None,
        contents: None,
        selected: None,
    };
    if !events.is_narrowed() {
        return Ok(inspection);
    }
    let scratch = read.resources.scratch();
    let books = StoreEvents::of(&store, events, progress)?.pour(&mut Nowhere, Phase::Look, &scratch, progress)?;
    let filters = events.scope.describe(&events.adapters);
    let has_lost = books.has_lost();
    let BooksReport { completeness, records, families, findings, .. } = books.report;
    let contents = books.contents;
    let is_nothing = contents.is_empty() && !has_lost && !has_damage(&store, events);
    let selected = Some(SelectedReport { filters, contents, is_nothing });
    Ok(Inspection { completeness, records, families, findings, selected, ..inspection })
}

/// What a source without versions holds: its keys are read, so that everything that a decode would tell is known.
fn inspect_keys(
    events: &mut dyn Events<Books = Books>,
    read: &ReadOptions,
    progress: &dyn Progress,
) -> Result<Inspection> {
    let books = events.pour(&mut Nowhere, Phase::Look, &read.resources.scratch(), progress)?;
    let (has_lost, contents) = (books.has_lost(), books.contents);
    let BooksReport { completeness, records, findings, rdb, server, selection, transactions, .. } = books.report;
    let selected = selection.map(|filters| {
        let is_nothing = contents.is_empty() && !has_lost;
        SelectedReport { filters, contents: contents.clone(), is_nothing }
    });
    Ok(Inspection {
        format_version: 1,
        completeness,
        snapshots: Vec::new(),
        available: Vec::new(),
        notes: Vec::new(),
        records,
        families: Vec::new(),
        unknown_prefixes: Vec::new(),
        transactions,
        findings,
        store: None,
        rdb,
        server,
        contents: selected.is_none().then_some(contents),
        selected,
    })
}
