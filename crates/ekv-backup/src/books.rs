//! What is known of a source before its first event, and what became of everything after the last one.

use ekv_adapters::Tally;
use ekv_model::Findings;
use ekv_snapshot::txn::TxnTotals;
use serde::Serialize;

use crate::completeness::Completeness;
use crate::contents::Contents;
use crate::losses::Losses;
use crate::report::{
    self, Accounts, FamilyReport, FindingReport, NamesReport, PrefixReport, RdbReport, ServerReport, SnapshotReport,
    TransactionsReport,
};

/// What is known of a source before its first event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Visible records; `None` = only the end says how many.
    pub visible: Option<u64>,
    /// The moment at which versions were resolved, of several groups the latest (HLC).
    pub read_ts: u64,
    /// Newest commit that the source states (HLC).
    pub last_commit_ts: u64,
    /// Index of the snapshot in the log of its group, if there is one snapshot and its name tells it.
    pub snapshot_index: Option<u64>,
    /// Checksum in the footer of the snapshot, if there is one snapshot and it has one.
    pub footer_crc32c: Option<u32>,
}

/// What became of the records of a snapshot.
#[derive(Debug)]
pub struct Books {
    /// Where every entry went, as reports and manifests have it.
    pub report: BooksReport,
    /// What became of the visible records of each key family.
    pub tally: Tally,
    /// What was odd or lost.
    pub findings: Findings,
    /// How much was handed on.
    pub contents: Contents,
    /// Everything that was left out, one by one.
    pub losses: Losses,
}

/// The account of a run, as MANIFEST.json carries it under `ekv_backup`.
#[derive(Debug, Serialize)]
pub struct BooksReport {
    /// What was read, if it is no snapshot: `rdb`, `server`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_kind: Option<&'static str>,
    /// The RDB file that was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rdb: Option<RdbReport>,
    /// The running server that was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<ServerReport>,
    /// Whether everything is there that was asked for, and what that rests on.
    pub completeness: Completeness,
    /// The filters that were given; absent if everything was taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selection: Option<String>,
    /// The snapshots that were read.
    pub snapshots: Vec<SnapshotReport>,
    /// Where every entry went.
    pub records: Accounts,
    /// The same per key family.
    pub families: Vec<FamilyReport>,
    /// Beginnings of keys that no known family has.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unknown_prefixes: Vec<PrefixReport>,
    /// Staged writes of transactions.
    #[serde(skip_serializing_if = "TransactionsReport::is_empty")]
    pub transactions: TransactionsReport,
    /// What was odd or lost.
    pub findings: Vec<FindingReport>,
    /// How many losses LOSSES.jsonl lists; absent where nothing was lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listed_losses: Option<u64>,
    /// How many tables, buckets and queues SCOPES.jsonl lists; absent where they are few enough for the manifest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listed_scopes: Option<u64>,
    /// File names that other systems refuse or take for each other.
    #[serde(skip_serializing_if = "NamesReport::is_empty")]
    pub names_not_portable: NamesReport,
}

impl BooksReport {
    /// Of a source without records.
    pub(crate) fn new(completeness: Completeness, selection: Option<String>, findings: &Findings) -> Self {
        BooksReport {
            source_kind: None,
            rdb: None,
            server: None,
            completeness,
            selection,
            snapshots: Vec::new(),
            records: Accounts::new(&[], &[]),
            families: Vec::new(),
            unknown_prefixes: Vec::new(),
            transactions: TxnTotals::default().into(),
            findings: report::findings(findings),
            listed_losses: None,
            listed_scopes: None,
            names_not_portable: NamesReport::default(),
        }
    }
}
