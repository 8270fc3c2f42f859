//! Which group's records count.

use ekv_backup::{DecodeOptions, ReadOptions, Unowned};
use ekv_testkit::SnapshotBuilder;

use crate::nodes::node::{Node, check_books, stored, string, with_catalog, write_snapshot};

fn keep() -> ReadOptions {
    ReadOptions { unowned: Unowned::Keep, ..ReadOptions::default() }
}

/// Group 1 owns `a` and `b`, of which group 2 has other versions; each group has a key of its own.
fn moved() -> Node {
    let node = Node::new();
    let group_1 = with_catalog(SnapshotBuilder::new())
        .put(&string("a"), 100, &stored("owner"))
        .put(&string("b"), 100, &stored("older at the owner"))
        .put(&string("stale"), 100, &stored("deleted later"))
        .put(&string("z"), 90, &stored("older copy"));
    let group_2 = SnapshotBuilder::new()
        .put(&string("a"), 50, &stored("left behind"))
        .put(&string("b"), 200, &stored("newer elsewhere"))
        .delete(&string("stale"), 150)
        .put(&string("z"), 120, &stored("owner"));
    node.add(1, 7, &group_1);
    node.add(2, 9, &group_2);
    node
}

#[test]
fn records_that_a_group_does_not_own_are_left_out_and_counted() {
    let decoded = moved().decode(ReadOptions::default());
    assert_eq!((decoded.get("a"), decoded.get("b")), (Some("owner"), Some("older at the owner")));
    assert_eq!((decoded.get("z"), decoded.get("stale")), (Some("owner"), None));
    // `stale` belongs to group 2, which has deleted it.
    assert_eq!(decoded.odd(), [("snapshot_unowned_record", 4)]);
    let records = &decoded.report.books.records;
    assert_eq!((records.unowned, records.covered, records.staged), (4, 0, 0));
    let examples = &decoded.report.books.findings[0].examples;
    assert_eq!(examples[0].detail, "committed at 50");
}

#[test]
fn newest_version_of_any_group_counts_where_unowned_records_are_kept() {
    let decoded = moved().decode(keep());
    assert_eq!((decoded.get("a"), decoded.get("b")), (Some("owner"), Some("newer elsewhere")));
    assert_eq!((decoded.get("z"), decoded.get("stale")), (Some("owner"), None));
    assert_eq!(decoded.odd(), []);
    assert_eq!(decoded.report.books.records.covered, 4);
}

#[test]
fn without_a_usable_catalog_the_newest_version_of_any_group_counts_and_strict_refuses() {
    let plain = |value: &str, ts: u64| SnapshotBuilder::new().put(&string("a"), ts, &stored(value));
    let damaged = plain("newer", 200).put(b"!dist|route|x", 1, b"\x01");
    for group_1 in [plain("newer", 200), damaged] {
        let node = Node::new();
        node.add(1, 1, &group_1);
        node.add(2, 1, &plain("older", 100));
        let decoded = node.decode(ReadOptions::default());
        assert_eq!((decoded.get("a"), decoded.odd()), (Some("newer"), vec![("groups_without_routing_catalog", 1)]));
        let error = node.try_decode(&DecodeOptions { strict: true, ..DecodeOptions::default() }).unwrap_err();
        assert!(error.to_string().contains("groups_without_routing_catalog"), "{error}");
        assert!(!node.dump().exists());
    }
}

#[test]
fn clock_group_is_read_and_reported_and_holds_nothing() {
    let node = moved();
    node.add(0, 1, &SnapshotBuilder::new());
    let decoded = node.decode(ReadOptions::default());
    let groups: Vec<_> = decoded.report.books.snapshots.iter().map(|snapshot| snapshot.group_id).collect();
    assert_eq!(groups, [Some(0), Some(1), Some(2)]);
    assert_eq!(decoded.get("a"), Some("owner"));
}

#[test]
fn only_data_group_of_a_node_needs_no_catalog_beside_the_clock_group() {
    let node = Node::new();
    write_snapshot(&node.path(), 3, &SnapshotBuilder::new().put(&string("z"), 100, &stored("v")).build());
    node.add(0, 1, &SnapshotBuilder::new());
    let decoded = node.decode(ReadOptions::default());
    assert_eq!((decoded.get("z"), decoded.odd()), (Some("v"), vec![]));
    assert!(decoded.report.notes.is_empty(), "{:?}", decoded.report.notes);
}

#[test]
fn damaged_newest_snapshot_of_a_group_is_passed_over_and_named() {
    let node = moved();
    let newer = with_catalog(SnapshotBuilder::new()).put(&string("a"), 300, &stored("newer")).build();
    let path = write_snapshot(&node.path().join("group-1"), 8, &newer);
    let mut damaged = newer;
    damaged[40] ^= 1;
    std::fs::write(&path, damaged).unwrap();
    let decoded = node.decode(ReadOptions::default());
    assert_eq!(decoded.get("a"), Some("owner"));
    let snapshot = &decoded.report.books.snapshots[0];
    assert_eq!(snapshot.file.as_deref(), Some("group-1/fsm-snap/0000000000000007.fsm"));
    assert_eq!(snapshot.snapshot_index, Some(7));
    let mut examples = decoded.report.books.findings.iter().flat_map(|finding| &finding.examples);
    let named = examples.find(|example| example.detail.contains("0000000000000008.fsm")).unwrap();
    assert!(named.detail.starts_with("passed over group-1/fsm-snap/"), "{}", named.detail);
    assert!(!decoded.report.notes.iter().any(|note| note.contains("passed over")), "{:?}", decoded.report.notes);
}

#[test]
fn prefixes_of_unknown_keys_are_counted_over_all_groups_that_are_used() {
    let node = Node::new();
    node.add(1, 1, &with_catalog(SnapshotBuilder::new()).put(b"!new|k", 1, b"v"));
    node.add(2, 1, &SnapshotBuilder::new().put(b"!new|l", 1, b"v"));
    let mut cut = SnapshotBuilder::new().put(b"!new|m", 1, b"v").build();
    let path = write_snapshot(&node.path().join("group-2"), 2, &cut);
    cut.truncate(cut.len() - 5);
    std::fs::write(path, cut).unwrap();
    let report = node.try_decode(&DecodeOptions::default()).unwrap();
    check_books(&report);
    let counts: Vec<u64> = report.books.unknown_prefixes.iter().map(|prefix| prefix.records).collect();
    assert_eq!(counts, [2]);
}
