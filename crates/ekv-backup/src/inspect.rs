//! `inspect`: what a snapshot holds, without writing anything.

use std::path::Path;

use ekv_model::Result;
use serde::Serialize;

use crate::load::ReadOptions;
use crate::progress::Progress;
use crate::report::{
    Accounts, FamilyReport, FindingReport, PrefixReport, SnapshotReport, TransactionsReport, findings, prefixes,
};
use crate::{Completeness, Store};

/// What [`inspect`] learned.
#[derive(Clone, Debug, Serialize)]
pub struct Inspection {
    /// Version of this structure.
    pub format_version: u32,
    /// Whether a decode would have everything, as far as that can be said without one, and what that rests on.
    pub completeness: Completeness,
    /// The snapshots that were read; one per Raft group.
    pub snapshots: Vec<SnapshotReport>,
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
}

/// Reads a snapshot, or the newest snapshot of every group of a data directory, and describes it.
///
/// All checks of a decode are made: structure, order, checksum. Cost: one read; fixed memory.
///
/// # Errors
/// As for a decode; nothing is written but nameless scratch files for standard input and compressed snapshots.
pub fn inspect(input: &Path, options: &ReadOptions, progress: &dyn Progress) -> Result<Inspection> {
    let store = Store::open(input, options, progress)?;
    let snapshots = store.state.reports(&store.loaded);
    let families = store.families();
    Ok(Inspection {
        format_version: 1,
        completeness: store.completeness(),
        records: Accounts::new(&snapshots, &families),
        snapshots,
        notes: store.notes(),
        families,
        unknown_prefixes: prefixes(&store.loaded.unknown_prefixes),
        transactions: store.state.transactions.into(),
        findings: findings(&store.findings()),
    })
}
