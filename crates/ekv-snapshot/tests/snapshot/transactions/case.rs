//! Resolves and reads snapshots that a test has built.

use std::collections::BTreeMap;
use std::sync::Arc;

use ekv_model::{Findings, NoMonitor};
use ekv_snapshot::txn::{ReadPoint, Transactions, TxnGroup, TxnOptions, TxnTotals, TxnView, findings, resolve};
use ekv_snapshot::{CommitTs, Group, OneFamily, Range, ScanOptions, View, scan};
use ekv_spill::{Scratch, SystemScratch};
use ekv_testkit::SnapshotBuilder;

/// Owner of every key by its first byte, as a routing catalog might say: `a` to `m` = group 1, others = group 2.
pub(crate) fn owner(key: &[u8]) -> Option<u64> {
    let first = key.iter().find(|b| b.is_ascii_alphanumeric()).copied().unwrap_or(b'a');
    Some(if first < b'n' { 1 } else { 2 })
}

pub(crate) fn nobody(_: &[u8]) -> Option<u64> {
    None
}

/// Which group owns a user key.
pub(crate) type OwnerOf<'a> = &'a dyn Fn(&[u8]) -> Option<u64>;

pub(crate) struct Case<'a> {
    pub(crate) view: TxnView,
    pub(crate) read_point: ReadPoint,
    pub(crate) owner_of: OwnerOf<'a>,
}

impl Default for Case<'_> {
    fn default() -> Self {
        Case { view: TxnView::Protocol, read_point: ReadPoint::NewestOfEach, owner_of: &nobody }
    }
}

pub(crate) struct Outcome {
    pub(crate) visible: BTreeMap<String, String>,
    pub(crate) totals: TxnTotals,
    pub(crate) findings: Findings,
}

impl Outcome {
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.visible.get(key).map(String::as_str)
    }

    /// All findings, without those that only say what was applied.
    pub(crate) fn odd(&self) -> Vec<(&'static str, u64)> {
        let odd = self.findings.iter().filter(|(finding, _)| **finding != findings::APPLIED);
        odd.map(|(finding, totals)| (finding.name, totals.count)).collect()
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

impl Case<'_> {
    pub(crate) fn at(read_ts: u64) -> Self {
        Case { read_point: ReadPoint::At(CommitTs(read_ts)), ..Case::default() }
    }

    pub(crate) fn live() -> Self {
        Case { view: TxnView::Live, ..Case::default() }
    }

    /// Resolves and reads groups, given with their ids.
    pub(crate) fn run(&self, snapshots: &[(Option<u64>, SnapshotBuilder)]) -> Outcome {
        let scratch: Arc<dyn Scratch> = Arc::new(SystemScratch::new());
        let load = |(group_id, snapshot): &(Option<u64>, SnapshotBuilder)| {
            let (pass, file) =
                scan(&snapshot.input(), &ScanOptions::default(), &mut OneFamily, &scratch, &NoMonitor).unwrap();
            TxnGroup { file, group_id: *group_id, last_commit_ts: pass.effective_last_commit_ts }
        };
        let groups: Vec<TxnGroup> = snapshots.iter().map(load).collect();
        let options =
            TxnOptions { view: self.view, read_point: self.read_point, owner_of: self.owner_of, losses: None };
        let Transactions { groups: states, totals, findings } =
            resolve(&groups, &options, &scratch, &NoMonitor).unwrap();
        let view = groups.iter().zip(states).map(|(group, state)| Group {
            files: state.overlay.into_iter().chain([group.file.clone()]).collect(),
            read_ts: state.read_ts,
            owns: None,
        });
        let view = View::new(view.collect());
        let mut visible = BTreeMap::new();
        let mut records = view.scan_range(Range::default()).unwrap();
        let mut lookup = view.lookup();
        while let Some(record) = records.next_visible().unwrap() {
            if record.user_key.starts_with(b"!txn|") {
                continue;
            }
            let body = text(record.body.whole().unwrap());
            let looked_up = lookup.get(record.user_key).unwrap().unwrap();
            assert_eq!(text(looked_up.body.whole().unwrap()), body);
            assert!(visible.insert(text(record.user_key), body).is_none(), "a key came twice");
        }
        let TxnTotals { open_locks, applied, already_applied, committed_later, rolled_back, .. } = totals;
        let TxnTotals { in_doubt, without_intent, damaged, .. } = totals;
        let fates = [applied, already_applied, committed_later, rolled_back, in_doubt, without_intent, damaged];
        assert_eq!(open_locks, fates.iter().sum::<u64>(), "every lock has one fate: {totals:?}");
        Outcome { visible, totals, findings }
    }

    pub(crate) fn run_one(&self, snapshot: &SnapshotBuilder) -> Outcome {
        self.run(&[(None, snapshot.clone())])
    }
}

/// A transaction over `k` and `z` with primary `p`, started at 200; its writes still wait.
pub(crate) fn staged() -> SnapshotBuilder {
    SnapshotBuilder::new()
        .put(b"k", 100, b"old")
        .put(b"z", 101, b"zold")
        .prepare(b"k", 200, b"p", Some(b"K1"))
        .prepare(b"z", 200, b"p", None)
}

pub(crate) fn committed() -> SnapshotBuilder {
    staged().commit_record(b"p", 200, 300).put(b"p", 300, b"P1")
}
