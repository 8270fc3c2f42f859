//! Decodes records and checks the books every time.

use std::collections::BTreeMap;
use std::sync::Arc;

use ekv_adapters::redis::{self, Options};
use ekv_adapters::{Family, Outcome, Owner, Router, Run, Tally};
use ekv_model::{Finding, Findings, NoMonitor, Protocol, Severity};
use ekv_snapshot::{CommitTs, FamilyTotals, ScanOptions, View, scan};
use ekv_spill::{Scratch, SystemScratch};
use ekv_testkit::SnapshotBuilder;
use ekv_testkit::redis::{RecordedKey, Recorder, RedisRecords, RedisValue};

/// What came out of a decode.
pub(crate) struct Decoded {
    pub(crate) keys: BTreeMap<Vec<u8>, RecordedKey>,
    /// Keys in the order of their events.
    pub(crate) order: Vec<Vec<u8>>,
    pub(crate) findings: Findings,
    pub(crate) tally: Tally,
    totals: Vec<FamilyTotals>,
}

/// Decodes the newest state with default options.
pub(crate) fn decode(records: &RedisRecords) -> Decoded {
    decode_snapshot(records.snapshot(), &Options::default(), None)
}

/// Decodes the newest state.
pub(crate) fn decode_with(records: &RedisRecords, options: &Options) -> Decoded {
    decode_snapshot(records.snapshot(), options, None)
}

/// Decodes the state at a read timestamp.
pub(crate) fn decode_at(records: &RedisRecords, read_ts: u64) -> Decoded {
    decode_snapshot(records.snapshot(), &Options::default(), Some(CommitTs(read_ts)))
}

/// Decodes the state at a read timestamp, with options.
pub(crate) fn decode_snapshot(snapshot: &SnapshotBuilder, options: &Options, read_ts: Option<CommitTs>) -> Decoded {
    let scratch: Arc<dyn Scratch> = Arc::new(SystemScratch::new());
    let scan_options = ScanOptions { read_ts, ..ScanOptions::default() };
    let (scan, file) = scan(&snapshot.input(), &scan_options, &mut Router::default(), &scratch, &NoMonitor).unwrap();
    let view = View::of_file(&file, read_ts.unwrap_or(scan.effective_last_commit_ts));
    let mut recorder = Recorder::default();
    let mut run = Run::new(&view, &scan.families, &mut recorder, &NoMonitor, scratch);
    redis::decode(&mut run, options).unwrap();
    let (tally, findings) = run.into_books();
    let decoded = Decoded { keys: recorder.keys, order: recorder.order, findings, tally, totals: scan.families };
    decoded.check_books();
    decoded
}

impl Decoded {
    /// Every visible record of a Redis family has exactly one outcome; losses are told.
    fn check_books(&self) {
        let mut lost = 0;
        for family in Family::ALL.iter().filter(|family| family.owner() == Owner::Protocol(Protocol::Redis)) {
            let visible = self.totals.get(family.number()).map_or(0, |totals| totals.visible);
            let outcomes = self.tally.of(*family);
            assert_eq!(visible, outcomes.total(), "{}: visible records and outcomes {outcomes:?}", family.name());
            lost += outcomes.get(Outcome::Lost);
        }
        let told = self.findings.count_of(Severity::Loss);
        assert_eq!(lost > 0, told > 0, "{lost} lost records, {told} losses told");
    }

    /// The key's value; panics if it was not emitted.
    pub(crate) fn value(&self, key: &[u8]) -> &RedisValue {
        &self.key(key).value
    }

    /// The key's expiry.
    pub(crate) fn expire_at_ms(&self, key: &[u8]) -> Option<u64> {
        self.key(key).expire_at_ms
    }

    fn key(&self, key: &[u8]) -> &RecordedKey {
        let names = self.keys.keys().map(|key| key.escape_ascii().to_string()).collect::<Vec<_>>();
        self.keys.get(key).unwrap_or_else(|| panic!("{} is not among {names:?}", key.escape_ascii()))
    }

    /// All keys that were emitted, in byte order.
    pub(crate) fn names(&self) -> Vec<&[u8]> {
        self.keys.keys().map(Vec::as_slice).collect()
    }

    pub(crate) fn count(&self, finding: Finding) -> u64 {
        self.findings.count(finding)
    }

    /// Names and counts of all findings.
    pub(crate) fn found(&self) -> Vec<(&'static str, u64)> {
        self.findings.iter().map(|(finding, totals)| (finding.name, totals.count)).collect()
    }

    pub(crate) fn losses(&self) -> u64 {
        self.findings.count_of(Severity::Loss)
    }

    pub(crate) fn outcome(&self, family: Family, outcome: Outcome) -> u64 {
        self.tally.of(family).get(outcome)
    }
}

// Values in short form.

pub(crate) fn string(body: &[u8]) -> RedisValue {
    RedisValue::String(body.to_vec())
}

pub(crate) fn hash(fields: &[(&[u8], &[u8])]) -> RedisValue {
    RedisValue::Hash(fields.iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect())
}

pub(crate) fn list(items: &[&[u8]]) -> RedisValue {
    RedisValue::List(items.iter().map(|item| item.to_vec()).collect())
}

pub(crate) fn set(members: &[&[u8]]) -> RedisValue {
    RedisValue::Set(members.iter().map(|member| member.to_vec()).collect())
}

pub(crate) fn zset(members: &[(&[u8], f64)]) -> RedisValue {
    RedisValue::ZSet(members.iter().map(|(member, score)| (member.to_vec(), score.to_bits())).collect())
}
