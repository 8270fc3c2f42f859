//! A snapshot of a real server.

use ekv_adapters::Router;
use ekv_adapters::dynamodb::keys;
use ekv_model::ByteSource as _;
use ekv_model::NoMonitor;
use ekv_snapshot::{Range, ScanOptions, View, scan};
use ekv_testkit::fixtures;

use crate::dynamodb::support::{Records, expect_round_trip, scratch};

/// What the snapshot holds of DynamoDB.
fn records() -> Records {
    let input = ekv_testkit::memory_input(fixtures::read("all-3.fsm"));
    let options = ScanOptions::default();
    let (scanned, file) = scan(&input, &options, &mut Router::default(), &scratch(), &NoMonitor).unwrap();
    let view = View::of_file(&file, scanned.effective_last_commit_ts);
    let mut records = Records::new();
    let mut found = view.scan_range(Range::prefix(b"!ddb|")).unwrap();
    while let Some(record) = found.next_visible().unwrap() {
        let mut value = vec![0; usize::try_from(record.body.len()).unwrap()];
        record.body.read_exact_at(0, &mut value).unwrap();
        records.insert(record.user_key.to_vec(), value);
    }
    records
}

#[test]
fn every_record_of_a_real_server_comes_back_byte_for_byte() {
    let mut records = records();
    let schema = |table: &str| records.contains_key(&keys::schema_key(table));
    assert!(schema("users") && schema("events.v2"));
    // The counters of tables that were deleted are lost.
    let names: Vec<String> = records
        .keys()
        .filter_map(|key| key.strip_prefix(b"!ddb|meta|gen|"))
        .map(|name| keys::decode_name(name).unwrap())
        .collect();
    for name in names.iter().filter(|name| !schema(name)).cloned().collect::<Vec<_>>() {
        records.remove(&keys::generation_key(&name));
    }
    let families = ["!ddb|meta|table|", "!ddb|meta|gen|", "!ddb|item|", "!ddb|gsi|"];
    let counts = families.map(|family| records.keys().filter(|key| key.starts_with(family.as_bytes())).count());
    assert_eq!(counts, [2, 2, 31, 21]);
    expect_round_trip(&records);
}
