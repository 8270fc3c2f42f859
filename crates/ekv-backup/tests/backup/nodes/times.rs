//! At which time groups are read.

use ekv_backup::{Class, Completeness, DecodeOptions, ReadOptions, Status};
use ekv_testkit::SnapshotBuilder;

use crate::nodes::node::{Node, stored, string, with_catalog, write_snapshot};

/// The first timestamp of a second.
fn second(n: u64) -> u64 {
    (n * 1000) << 16
}

fn at(seconds: u64) -> ReadOptions {
    at_ts(second(seconds) | 0xffff)
}

fn at_ts(ts: u64) -> ReadOptions {
    ReadOptions { at: Some(format!("hlc:{ts}").parse().unwrap()), ..ReadOptions::default() }
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
    // The last time that is final in both can be given as it stands there.
    assert!(decoded.report.notes[0].contains("--at 1970-01-01T00:00:50.000Z reads all"), "{:?}", decoded.report.notes);
    let grounds = &decoded.report.books.completeness.rests_on;
    let moments = [&grounds.oldest_moment, &grounds.common_from, &grounds.common_to].map(|at| at.as_ref().unwrap().hlc);
    assert_eq!((moments, grounds.moment.hlc), ([second(60), second(30), second(60)], second(100)));
}

#[test]
fn groups_that_end_more_than_an_hour_apart_are_warned_about() {
    for (seconds, odd) in [(3700, vec![]), (3701, vec![(APART, 1)])] {
        let node = Node::new();
        node.add(1, 1, &with_catalog(SnapshotBuilder::new()).put(&string("a"), second(100), &stored("a")));
        node.add(2, 1, &SnapshotBuilder::new().put(&string("z"), second(seconds), &stored("z")));
        let decoded = node.decode(ReadOptions::default());
        assert_eq!(decoded.odd(), odd, "{seconds}");
        assert!(decoded.report.books.completeness.rests_on.common_from.is_none());
        assert!(decoded.report.notes[0].contains("there is no common time"), "{:?}", decoded.report.notes);
    }
}

#[test]
fn common_time_is_read_in_all_groups() {
    let decoded = node().decode(at(45));
    assert_eq!((decoded.get("a"), decoded.get("z"), decoded.odd()), (Some("a20"), Some("z20"), vec![]));
    assert!(decoded.report.notes.is_empty());
}

const NEAR: &str = "groups_read_near_newest_commit";
const APART: &str = "group_ends_far_apart";
const BEGINS: &str = "group_begins_after_time";
const ENDS: &str = "group_ends_before_time";

#[test]
fn time_near_the_newest_commit_of_a_group_is_warned_about() {
    for (seconds, odd) in [
        (49, vec![]),
        (50, vec![]),
        (51, vec![(NEAR, 1)]),
        (60, vec![(NEAR, 1)]),
        (70, vec![(NEAR, 1)]),
        (91, vec![(ENDS, 1), (NEAR, 1)]),
    ] {
        assert_eq!(node().decode(at(seconds)).odd(), odd, "at {seconds}");
    }
}

#[test]
fn group_that_ends_before_the_time_is_a_loss_and_strict_refuses() {
    for seconds in [71, 80, 90, 110] {
        let decoded = node().decode(at(seconds));
        let Completeness { status, missing, .. } = &decoded.report.books.completeness;
        assert_eq!((*status, missing[0].name.as_str()), (Status::Incomplete, ENDS));
        assert_eq!(missing[0].first.as_deref(), Some("group 2: it ends at 1970-01-01T00:01:00.000Z"));
    }
    let node = node();
    let error = node.try_decode(&DecodeOptions { strict: true, read: at(80), ..DecodeOptions::default() }).unwrap_err();
    assert!(error.to_string().contains(ENDS), "{error}");
    assert!(!node.dump().exists());
}

#[test]
fn time_behind_the_end_of_all_groups_is_refused_and_says_when_they_end() {
    for read in [at(111), at(1000), at_ts(u64::MAX)] {
        let node = node();
        let error = node.try_decode(&DecodeOptions { read, ..DecodeOptions::default() }).unwrap_err();
        assert_eq!(error.class(), Class::Environment);
        let text = error.to_string();
        assert!(text.contains("the snapshot ends before it") && text.contains("to 1970-01-01T00:01:40.000Z"), "{text}");
        assert!(!node.dump().exists());
    }
}

#[test]
fn time_before_the_first_commit_of_a_user_is_refused_and_says_what_can_be_answered() {
    let node = Node::new();
    // The routing catalog is older than all data.
    node.add(1, 1, &with_catalog(SnapshotBuilder::new()).put(&string("a"), second(20), &stored("a")));
    node.add(2, 1, &SnapshotBuilder::new().put(&string("z"), second(60), &stored("z")));
    let decoded = node.decode(at(20));
    assert!(decoded.strings.len() == 1 && decoded.odd().contains(&(BEGINS, 1)), "{:?}", decoded.odd());
    for read in [at(19), at_ts(1), at_ts(0)] {
        let error = node.try_decode(&DecodeOptions { read, ..DecodeOptions::default() }).unwrap_err();
        assert_eq!(error.class(), Class::Environment);
        let text = error.to_string();
        assert!(text.contains("before the first commit") && text.contains("from 1970-01-01T00:00:20.000Z"), "{text}");
        assert!(!node.dump().exists());
    }
}

#[test]
fn clock_of_the_header_answers_times_behind_the_newest_commit_of_a_quiet_store() {
    let snapshot = SnapshotBuilder::new().put(&string("a"), second(20), &stored("a")).ceiling_ms(100_000);
    for (seconds, odd) in [(20, 0), (80, 0), (81, 1), (110, 1)] {
        let node = Node::new();
        write_snapshot(&node.path(), 1, &snapshot.build());
        let decoded = node.decode(at(seconds));
        assert_eq!(decoded.odd().iter().map(|(_, count)| count).sum::<u64>(), odd, "at {seconds}");
        assert_eq!(decoded.report.books.snapshots[0].closed_until.unix_ms, 80_000);
        assert!(node.try_decode(&DecodeOptions { read: at(111), ..DecodeOptions::default() }).is_err());
    }
}

#[test]
fn snapshot_that_ends_before_the_oldest_time_that_is_wanted_is_refused() {
    for (not_before_ms, is_accepted) in [(0, true), (60_000, true), (60_001, false)] {
        let read = ReadOptions { not_before_ms: Some(not_before_ms), ..ReadOptions::default() };
        let node = node();
        let decoded = node.try_decode(&DecodeOptions { read, ..DecodeOptions::default() });
        assert_eq!((decoded.is_ok(), node.dump().exists()), (is_accepted, is_accepted), "{not_before_ms}");
        if let Err(error) = decoded {
            assert_eq!(error.class(), Class::Data);
            assert!(error.to_string().contains("group-2") && error.to_string().contains("is too old"), "{error}");
        }
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
