//! Staged writes of transactions over several groups.

use ekv_backup::{DecodeOptions, ReadOptions, TxnView, Unowned};
use ekv_testkit::SnapshotBuilder;

use crate::nodes::node::{Node, stored, string, with_catalog};

/// A transaction over `a` (group 1, primary) and `z` (group 2); it was committed, but only group 1 knows.
fn half_committed() -> Node {
    let node = Node::new();
    let (a, z) = (string("a"), string("z"));
    let group_1 = with_catalog(SnapshotBuilder::new())
        .prepare(&a, 200, &a, Some(&stored("a new")))
        .resolve(&a, 300)
        .commit_record(&a, 200, 300)
        .put(&a, 300, &stored("a new"));
    let group_2 = SnapshotBuilder::new()
        .put(&z, 100, &stored("z old"))
        .prepare(&z, 200, &a, Some(&stored("z new")))
        .prepare(&string("new"), 200, &a, Some(&stored("created")))
        .put(&string("y"), 100, &stored("y old"))
        .prepare(&string("y"), 200, &a, None);
    node.add(1, 1, &group_1);
    node.add(2, 1, &group_2);
    node
}

#[test]
fn committed_writes_are_in_the_dump_and_the_account_says_so() {
    for unowned in [Unowned::Drop, Unowned::Keep] {
        let decoded = half_committed().decode(ReadOptions { unowned, ..ReadOptions::default() });
        assert_eq!((decoded.get("a"), decoded.get("z")), (Some("a new"), Some("z new")));
        assert_eq!((decoded.get("new"), decoded.get("y"), decoded.odd()), (Some("created"), None, vec![]));
        let books = &decoded.report.books;
        assert_eq!((books.records.staged, books.records.covered, books.records.unowned), (2, 2, 0));
        assert_eq!((books.transactions.open_locks, books.transactions.applied), (3, 3));
        assert_eq!(books.snapshots[1].read.hlc, 300, "the committed writes belong to the newest state");
    }
}

#[test]
fn in_doubt_write_leaves_the_older_value_and_strict_publishes_nothing() {
    let node = Node::new();
    let (a, z) = (string("a"), string("z"));
    node.add(1, 1, &with_catalog(SnapshotBuilder::new()).put(&a, 100, &stored("a old")));
    let group_2 = SnapshotBuilder::new().put(&z, 100, &stored("z old")).prepare(&z, 200, &a, Some(&stored("z new")));
    node.add(2, 1, &group_2);
    let decoded = node.decode(ReadOptions::default());
    assert_eq!((decoded.get("z"), decoded.odd()), (Some("z old"), vec![("txn_in_doubt_snapshot_predates_prepare", 1)]));
    assert_eq!((decoded.report.losses, decoded.report.books.transactions.in_doubt), (0, 1));
    let error = node.try_decode(&DecodeOptions { strict: true, ..DecodeOptions::default() }).unwrap_err();
    assert!(error.to_string().contains("txn_in_doubt_snapshot_predates_prepare"), "{error}");
    assert!(!node.dump().exists());
}

#[test]
fn group_that_is_not_given_leaves_doubt_which_is_named_so() {
    let node = half_committed();
    std::fs::remove_dir_all(node.path().join("group-1")).unwrap();
    let decoded = node.decode(ReadOptions::default());
    let odd = vec![("groups_without_routing_catalog", 1), ("txn_in_doubt_group_not_loaded", 3)];
    assert_eq!((decoded.get("z"), decoded.odd()), (Some("z old"), odd));
}

#[test]
fn damaged_record_of_a_transaction_is_a_loss_of_its_key_alone() {
    let node = half_committed();
    let group_1 = with_catalog(SnapshotBuilder::new()).put(&string("b"), 300, &stored("kept"));
    let key = [b"!txn|cmt|", &string("a")[..], &200_u64.to_be_bytes()].concat();
    node.add(1, 2, &group_1.put(&key, 300, b"\x01"));
    for unowned in [Unowned::Drop, Unowned::Keep] {
        let decoded = node.decode(ReadOptions { unowned, ..ReadOptions::default() });
        assert_eq!((decoded.get("b"), decoded.get("z"), decoded.get("y")), (Some("kept"), None, None));
        assert_eq!((decoded.report.losses, decoded.odd()), (3, vec![("txn_damaged_record", 3)]));
    }
}

#[test]
fn views_differ_where_the_server_misses_a_lock_and_both_say_so() {
    let node = Node::new();
    let (a, z1, z10) = (string("a"), string("z1"), string("z10"));
    node.add(1, 1, &with_catalog(SnapshotBuilder::new()).commit_record(&a, 200, 300));
    let group_2 = SnapshotBuilder::new()
        .put(&z1, 100, &stored("v"))
        .prepare(&z1, 200, &a, Some(&stored("AGAIN")))
        .lock(&z10, 50, &a)
        .delete(&[b"!txn|lock|", &z10[..]].concat(), 60);
    node.add(2, 1, &group_2);
    for (view, value) in [(TxnView::Protocol, "AGAIN"), (TxnView::Live, "v")] {
        let decoded = node.decode(ReadOptions { view, ..ReadOptions::default() });
        assert_eq!((decoded.get("z1"), decoded.odd()), (Some(value), vec![("txn_views_differ", 1)]));
    }
}
