//! Records to a dump in memory, and back.

use std::collections::BTreeMap;
use std::sync::Arc;

use ekv_adapters::{Encoder, Router, Run, dynamodb};
use ekv_dump::manifest::{Adapters, DynamodbLayout, Exclusions, Manifest, Origin, SnapshotOrigin};
use ekv_dump::replay::{Checking, ReadPosition, ReplayOptions, replay};
use ekv_dump::{DumpWriter, TreeOptions, TreeTarget};
use ekv_files::sink::{MemoryDump, MemoryEntries, MemorySink};
use ekv_files::source::MemorySource;
use ekv_model::{Body, Consumer, Map, NoMonitor, Protocol, Result};
use ekv_snapshot::{CommitTs, RecordSink, ScanOptions, View, Writer, Written, WrittenForm, scan};
use ekv_spill::{Scratch, SystemScratch};
use ekv_testkit::SnapshotBuilder;

/// Records by user key.
pub(crate) type Records = BTreeMap<Vec<u8>, Vec<u8>>;

/// Both ways to lay out items.
pub(crate) const LAYOUTS: [DynamodbLayout; 2] = [DynamodbLayout::PerItem, DynamodbLayout::Jsonl];

#[derive(Default)]
struct Collected(Records);

impl RecordSink for Collected {
    fn put(&mut self, user_key: &[u8], parts: &[Body<'_>]) -> Result<()> {
        let value = ekv_testkit::whole_value(parts)?;
        assert!(self.0.insert(user_key.to_vec(), value).is_none(), "{} twice", user_key.escape_ascii());
        Ok(())
    }
}

pub(crate) fn scratch() -> Arc<dyn Scratch> {
    Arc::new(SystemScratch::new())
}

/// What an encoder makes of the events that `send` sends.
pub(crate) fn encoded(send: impl FnOnce(&mut dyn Consumer)) -> Records {
    let mut records = Collected::default();
    send(&mut Encoder::new(&mut records, &scratch()));
    records.0
}

/// The dump of the events that `send` sends.
pub(crate) fn dump_of(layout: DynamodbLayout, send: impl FnOnce(&mut dyn Consumer)) -> MemoryEntries {
    let memory = MemoryDump::new();
    let options = TreeOptions { dynamodb_layout: layout, ..TreeOptions::default() };
    let mut target = TreeTarget::with_options(DumpWriter::new(Box::new(MemorySink::new(&memory))), options);
    send(&mut target);
    let (writer, scopes) = target.finish().unwrap();
    let manifest = Manifest {
        elastickv_version: "test".to_owned(),
        cluster_id: String::new(),
        snapshot_index: 0,
        last_commit_ts: 7 << 16,
        wall_time_iso: "2026-11-22T15:45:07Z".to_owned(),
        origin: Origin::Snapshot(SnapshotOrigin::default()),
        adapters: Adapters::default().with(Protocol::DynamoDb, scopes.of(Protocol::DynamoDb)),
        exclusions: Exclusions::default(),
        dynamodb_layout: layout,
    };
    writer.finish(&manifest.to_bytes::<()>(None).unwrap()).unwrap();
    memory.entries().unwrap()
}

/// Sends what an adapter finds in a snapshot; nothing may be odd about it.
pub(crate) fn send_snapshot(snapshot: Vec<u8>, target: &mut dyn Consumer) {
    let input = ekv_testkit::memory_input(snapshot);
    let options = ScanOptions::default();
    let (scanned, file) = scan(&input, &options, &mut Router::default(), &scratch(), &NoMonitor).unwrap();
    let view = View::of_file(&file, scanned.effective_last_commit_ts);
    let mut run = Run::new(&view, &scanned.families, target, &NoMonitor, scratch());
    dynamodb::decode(&mut run).unwrap();
    let (_, findings) = run.into_books();
    assert_eq!(findings.iter().map(|(finding, _)| finding.name).collect::<Vec<_>>(), Vec::<&str>::new());
}

/// Sends what a dump holds, with little memory.
pub(crate) fn send_dump(dump: &MemoryEntries, target: &mut dyn Consumer) {
    let included = Map::only(&[Protocol::DynamoDb]);
    let options = ReplayOptions { included, scope: Arc::default(), checking: Checking::All, memory_budget: 64 << 10 };
    let mut source = MemorySource::new(dump.clone());
    replay(&mut source, &scratch(), &options, target, &ReadPosition::default(), &NoMonitor).unwrap();
}

/// A snapshot of these records.
pub(crate) fn snapshot(records: &Records) -> Vec<u8> {
    records.iter().fold(SnapshotBuilder::new(), |snapshot, (key, value)| snapshot.put(key, 9 << 16, value)).build()
}

/// The payload that an encode of a dump writes.
pub(crate) fn payload(dump: &MemoryEntries, commit_ts: u64) -> (Vec<u8>, Written) {
    let mut writer = Writer::new(&scratch(), CommitTs(commit_ts), 1 << 20).unwrap();
    send_dump(dump, &mut Encoder::new(&mut writer, &scratch()));
    let mut out = Vec::new();
    let written = writer.finish(WrittenForm::Payload, &mut out, &NoMonitor).unwrap();
    (out, written)
}

/// Checks the laws: records, a dump of them, and the dump of that dump say the same.
pub(crate) fn expect_round_trip(records: &Records) {
    for layout in LAYOUTS {
        let dump = dump_of(layout, |target| send_snapshot(snapshot(records), target));
        let again = encoded(|target| send_dump(&dump, target));
        let shown = |records: &Records| -> Vec<String> {
            records.iter().map(|(key, value)| format!("{} = {}", key.escape_ascii(), value.escape_ascii())).collect()
        };
        assert_eq!(shown(&again), shown(records), "{layout:?}");
        let dump_again = dump_of(layout, |target| send_dump(&dump, target));
        assert_eq!(dump_again, dump, "{layout:?}");
    }
}
