//! At which time groups are read.

use std::fs;
use std::path::Path;

use ekv_backup::{
    AvailableSnapshot, AvailableState, Class, CommandError, Completeness, DecodeOptions, NoProgress, ReadOptions,
    Status, Store, inspect,
};
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

const OLDER: &str = "groups_older_snapshot_for_time";

/// Two groups; the newest of three snapshots of group 1 answers times from second 90, the one before from 35.
fn with_older() -> Node {
    let node = Node::new();
    let first = with_catalog(SnapshotBuilder::new()).put(&string("a"), second(20), &stored("a20"));
    let second_one = first.clone().put(&string("a"), second(40), &stored("a40"));
    let newest = with_catalog(SnapshotBuilder::new())
        .put(&string("a"), second(40), &stored("a40"))
        .put(&string("a"), second(100), &stored("a100"))
        .meta_row("min_retained_ts", second(90));
    node.add(1, 1, &first);
    node.add(1, 2, &second_one.put(&string("b"), second(60), &stored("b60")).meta_row("min_retained_ts", second(35)));
    node.add(1, 3, &newest);
    node.add(
        2,
        1,
        &SnapshotBuilder::new().put(&string("z"), second(20), &stored("z20")).put(
            &string("z"),
            second(99),
            &stored("z"),
        ),
    );
    node
}

fn refused(place: &Path, read: &ReadOptions) -> (String, Option<String>) {
    let error = Store::open(place, read, &NoProgress).map(drop).unwrap_err();
    assert_eq!(error.class(), Class::Environment);
    let text = error.to_string();
    let Some(CommandError::TimeNotAnswerable { older, .. }) = error.get_ref().downcast_ref() else { panic!("{text}") };
    (text, older.as_ref().map(|older| older.file_name().unwrap().to_str().unwrap().to_owned()))
}

#[test]
fn time_that_the_newest_snapshot_no_longer_answers_names_the_newest_older_one_that_does() {
    let node = with_older();
    let newest = node.path().join("group-1/fsm-snap/0000000000000003.fsm");
    for (seconds, older) in
        [(60, Some("0000000000000002.fsm")), (36, Some("0000000000000002.fsm")), (80, None), (10, None)]
    {
        for place in [&node.path(), &newest] {
            let (text, found) = refused(place, &at(seconds));
            assert_eq!(found.as_deref(), older, "{text}");
            assert_eq!(text.contains("an older snapshot of the group, answers it"), older.is_some(), "{text}");
            assert!(text.contains("from 1970-01-01T00:01:30.000Z to 1970-01-01T00:01:40.000Z"), "{text}");
        }
    }
    // One that is damaged answers nothing.
    let damaged = node.path().join("group-1/fsm-snap/0000000000000002.fsm");
    let mut bytes = fs::read(&damaged).unwrap();
    bytes[40] ^= 1;
    fs::write(&damaged, bytes).unwrap();
    assert_eq!(refused(&node.path(), &at(60)).1, None);
}

#[test]
fn older_snapshot_that_answers_is_read_where_that_is_accepted_and_said() {
    let node = with_older();
    let read = |seconds| ReadOptions { allow_older: true, ..at(seconds) };
    let decoded = node.decode(read(45));
    assert_eq!((decoded.get("a"), decoded.get("b"), decoded.get("z")), (Some("a40"), None, Some("z20")));
    assert_eq!(decoded.odd(), [(OLDER, 1)]);
    let files: Vec<_> = decoded.report.books.snapshots.iter().map(|snapshot| snapshot.file.as_deref()).collect();
    assert_eq!(files, [Some("group-1/fsm-snap/0000000000000002.fsm"), Some("group-2/fsm-snap/0000000000000001.fsm")]);
    let finding = decoded.report.books.findings.iter().find(|finding| finding.name == OLDER).unwrap();
    let said = serde_json::to_value(finding).unwrap()["examples"][0]["detail"].as_str().unwrap().to_owned();
    assert!(
        said.starts_with("took group-1/fsm-snap/0000000000000002.fsm; group-1/fsm-snap/0000000000000003.fsm answers"),
        "{said}"
    );
    // What the newest one answers, it answers.
    assert_eq!(node.decode(read(95)).get("a"), Some("a40"));
    assert!(node.decode(read(95)).odd().iter().all(|(name, _)| *name != OLDER));
    assert_eq!(refused(&node.path(), &read(80)).1, None);
}

fn available(node: &Node, read: &ReadOptions) -> Vec<AvailableSnapshot> {
    inspect(&node.path(), read, &NoProgress).unwrap().available
}

#[test]
fn inspect_lists_every_snapshot_of_a_node_and_says_why_each_is_read_or_not() {
    use AvailableState::{NotChecked, Read, Sound, Unusable};
    let node = with_older();
    let folder = node.path().join("group-1/fsm-snap");
    let mut torn = fs::read(folder.join("0000000000000001.fsm")).unwrap();
    fs::write(folder.join("0000000000000004.fsm"), &torn).unwrap();
    torn[40] ^= 1;
    fs::write(folder.join("0000000000000001.fsm"), torn).unwrap();
    fs::write(folder.join("0000000000000005.fsm.zst"), "x").unwrap();
    let rows = available(&node, &ReadOptions::default());
    let told: Vec<_> = rows
        .iter()
        .map(|row| (row.group_id.unwrap(), row.snapshot_index.unwrap(), row.state, row.has_snap_file))
        .collect();
    assert_eq!(
        told,
        [
            (1, 5, NotChecked, false),
            (1, 4, Sound, false),
            (1, 3, Read, true),
            (1, 2, Sound, true),
            (1, 1, Unusable, true),
            (2, 1, Read, true)
        ]
    );
    let why: Vec<&str> = rows.iter().map(|row| row.why_not.as_deref().unwrap_or_default()).collect();
    let parts = ["compressed", "no .snap file names it", "", "a newer one is read", "checksum mismatch", ""];
    assert!(
        why.iter().zip(parts).all(|(why, part)| why.contains(part) && why.is_empty() == part.is_empty()),
        "{why:?}"
    );
    let times = |row: &AvailableSnapshot| {
        let hlc = |moment: &Option<ekv_backup::Moment>| moment.as_ref().map(|moment| moment.hlc);
        [hlc(&row.oldest_answerable), hlc(&row.newest)]
    };
    assert_eq!(times(&rows[2]), [Some(second(90)), Some(second(100))]);
    assert_eq!(times(&rows[3]), [Some(second(35)), Some(second(60))]);
    assert_eq!((times(&rows[4]), rows[3].term, rows[3].bytes.is_some()), ([None, None], Some(1), true));
    let at_45 = available(&node, &ReadOptions { allow_older: true, ..at(45) });
    assert_eq!((at_45[2].state, at_45[3].state), (Sound, Read));
    assert!(at_45[2].why_not.as_ref().unwrap().starts_with("an older one is read"));
    // A file is one snapshot.
    assert!(
        inspect(&folder.join("0000000000000003.fsm"), &ReadOptions::default(), &NoProgress)
            .unwrap()
            .available
            .is_empty()
    );
}

#[test]
fn compressed_snapshot_in_a_data_directory_is_told_and_how_it_is_read() {
    let node = Node::new();
    let path = node.add(1, 7, &SnapshotBuilder::new().put(&string("a"), second(20), &stored("a")));
    let folder = path.parent().unwrap();
    fs::write(folder.join("0000000000000006.fsm.gz"), "x").unwrap();
    let notes = node.decode(ReadOptions::default()).report.notes;
    assert!(
        notes.iter().any(|note| note
            .ends_with("0000000000000006.fsm.gz is compressed and was not looked at: to use it, name the file")),
        "{notes:?}"
    );
    fs::rename(&path, folder.join("0000000000000007.fsm.zst")).unwrap();
    fs::remove_dir_all(folder.parent().unwrap().join("snap")).unwrap();
    let error = Store::open(&node.path(), &ReadOptions::default(), &NoProgress).map(drop).unwrap_err();
    assert!(error.to_string().contains("0000000000000007.fsm.zst, which is compressed: name that file"), "{error}");
}
