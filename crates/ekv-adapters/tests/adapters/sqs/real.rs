//! A snapshot of a real server.

use std::collections::BTreeMap;

use ekv_adapters::sqs::keys::{Key, QueueRecord};
use ekv_testkit::fixtures;

use crate::trip::{Dump, Mode, Records};

fn snapshot() -> Vec<u8> {
    fixtures::read("all-3.fsm")
}

#[test]
fn dumps_of_a_real_snapshot_are_written_again_byte_for_byte() {
    for mode in [Mode::default(), Mode { extended: true, ..Mode::default() }, Mode::FULL] {
        let (dump, _) = Dump::of_snapshot(snapshot(), mode);
        assert!(dump.entries.len() > 6, "{:?}", dump.entries.keys());
        assert!(dump.rewritten(mode) == dump, "{mode:?}");
    }
}

#[test]
fn payloads_from_dumps_of_a_real_snapshot_give_the_same_dumps() {
    for mode in
        [Mode::default(), Mode { extended: true, ..Mode::default() }, Mode { has_side_records: false, ..Mode::FULL }]
    {
        let (dump, _) = Dump::of_snapshot(snapshot(), mode);
        let again = Dump::of_snapshot(dump.payload(ekv_adapters::EncodeOptions::default()), mode).0;
        assert!(again == dump, "{mode:?}");
    }
}

/// All records but those that clients cannot reach.
#[test]
fn records_of_a_real_snapshot_come_back_byte_for_byte() {
    let visible = visible_records();
    let present = generations(&visible);
    assert!(present.len() >= 2, "{present:?}");
    let (dump, _) = Dump::of_snapshot(snapshot(), Mode::FULL);
    let encoded = dump.encode();
    let mut differing = Vec::new();
    for (key, value) in &encoded.0 {
        if visible.0.get(key) != Some(value) {
            let had = visible.0.get(key).map(|value| value.escape_ascii().to_string());
            differing.push(format!("{}: {had:?}, now {}", key.escape_ascii(), value.escape_ascii()));
        }
    }
    assert_eq!(differing, [""; 0]);
    let missing =
        visible.0.keys().filter(|key| !encoded.0.contains_key(*key)).filter(|key| !is_out_of_reach(key, &present));
    assert_eq!(missing.map(|key| key.escape_ascii().to_string()).collect::<Vec<_>>(), [""; 0]);
    assert!(encoded.0.len() > 10, "{}", encoded.0.len());
}

/// Whether a record marks a generation that is over, or belongs to a queue that is gone or to such a generation.
fn is_out_of_reach(key: &[u8], present: &BTreeMap<Vec<u8>, u64>) -> bool {
    match Key::parse(key) {
        Some(Key::Tombstone { .. }) => true,
        Some(Key::Message(key)) => present.get(&key.queue) != Some(&key.row.generation),
        Some(Key::Queue { queue, .. }) => !present.contains_key(&queue),
        None => false,
    }
}

/// The generation of each queue that there is.
fn generations(records: &Records) -> BTreeMap<Vec<u8>, u64> {
    let mut generations = BTreeMap::new();
    for (key, value) in &records.0 {
        if let Some(Key::Queue { record: QueueRecord::Settings, queue }) = Key::parse(key) {
            let settings: serde_json::Value = serde_json::from_slice(&value[4..]).unwrap();
            generations.insert(queue, settings["generation"].as_u64().unwrap());
        }
    }
    generations
}

fn visible_records() -> Records {
    let input = ekv_testkit::memory_input(snapshot());
    let (scan, file) = ekv_testkit::scan_input(&input).unwrap();
    let visible = ekv_testkit::visible_at(&file, scan.effective_last_commit_ts.0).unwrap();
    let sqs = visible.into_iter().filter(|(key, _)| key.starts_with(b"!sqs|"));
    Records(sqs.map(|(key, (value, _))| (key, value)).collect())
}
