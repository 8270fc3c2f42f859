//! At which time groups are read.

use ekv_backup::{Class, DecodeOptions, ReadOptions};
use ekv_testkit::SnapshotBuilder;

use crate::node::{Node, stored, string, with_catalog};

/// The first timestamp of a second.
fn second(n: u64) -> u64 {
    (n * 1000) << 16
}

fn at(seconds: u64) -> ReadOptions {
    ReadOptions { at: Some((seconds * 1000).to_string().parse().unwrap()), ..ReadOptions::default() }
}

/// Group 1 has commits until second 100, group 2 until second 60 and none before second 30 that can be answered.
fn node() -> Node {
    let node = Node::new();
    let group_1 = with_catalog(SnapshotBuilder::new()).put(&string("a"), second(20), &stored("a20")).put(
        &string("a"),
        second(100),
        &stored("a100"),
    );
    let group_2 = SnapshotBuilder::new()
        .put(&string("z"), second(20), &stored("z20"))
        .put(&string("z"), second(60), &stored("z60"))
        .meta_row("min_retained_ts", second(30));
    node.add(1, 1, &group_1);
    node.add(2, 1, &group_2);
    node
}

#[test]
fn groups_are_read_at_their_own_newest_commit_unless_a_time_is_given() {
    let decoded = node().decode(ReadOptions::default());
    assert_eq!((decoded.get("a"), decoded.get("z")), (Some("a100"), Some("z60")));
    let read: Vec<u64> = decoded.report.books.snapshots.iter().map(|snapshot| snapshot.read.hlc).collect();
    assert_eq!(read, [second(100), second(60)]);
    assert!(decoded.report.notes[0].starts_with("2 groups, each read at its own newest state"));
}

#[test]
fn common_time_is_read_in_all_groups() {
    let decoded = node().decode(at(45));
    assert_eq!((decoded.get("a"), decoded.get("z"), decoded.odd()), (Some("a20"), Some("z20"), vec![]));
    assert!(decoded.report.notes.is_empty());
}

#[test]
fn time_near_or_behind_the_newest_commit_of_a_group_is_warned_about() {
    for (seconds, groups) in [(49, 0), (50, 0), (51, 1), (60, 1), (80, 1), (91, 2), (1000, 2)] {
        let expected = if groups == 0 { vec![] } else { vec![("groups_read_near_newest_commit", groups)] };
        assert_eq!(node().decode(at(seconds)).odd(), expected, "at {seconds}");
    }
}

#[test]
fn time_that_one_group_cannot_answer_is_refused() {
    let node = node();
    let options = DecodeOptions { read: at(29), ..DecodeOptions::default() };
    let error = node.try_decode(&options).unwrap_err();
    assert_eq!(error.class(), Class::Environment);
    let text = error.to_string();
    assert!(text.contains("group-2") && text.contains("has been compacted"), "{text}");
    assert!(!node.dump().exists());
}
