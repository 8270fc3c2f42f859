//! Groups that are missing, and snapshots that are not the newest.

use std::fs;

use ekv_backup::{
    Choice, Class, CommandError, Completeness, DecodeOptions, NoProgress, ReadOptions, Resources, Status, decode,
    inspect, verify,
};
use ekv_testkit::SnapshotBuilder;

use ekv_dump::losses::{LOSSES_FILE, Loss, LossesReader};

use crate::nodes::node::{Node, route, stored, string, with_catalog, write_snapshot};

const NO_CATALOG: &str = "groups_without_routing_catalog";

fn strict() -> DecodeOptions {
    DecodeOptions { strict: true, ..DecodeOptions::default() }
}

fn completeness(node: &Node) -> Completeness {
    node.decode(ReadOptions::default()).report.books.completeness
}

/// Names of what is missing, each with its first occurrence; `--strict` refuses it, and inspect tells the same.
fn missing(node: &Node) -> Vec<(String, String)> {
    let found = completeness(node);
    assert_eq!(found.status == Status::Complete, found.missing.is_empty());
    let refused = node.try_decode(&strict());
    assert_eq!(refused.is_err(), !found.missing.is_empty());
    if refused.is_ok() {
        fs::remove_dir_all(node.dump()).unwrap();
    }
    let inspected = inspect(&node.path(), &ReadOptions::default(), &NoProgress).unwrap();
    assert_eq!(inspected.completeness.missing, found.missing);
    found.missing.into_iter().map(|missing| (missing.name, missing.first.unwrap())).collect()
}

/// Names and details of the lines of LOSSES.jsonl; as many losses as the report counts. The dump is removed.
fn listed(node: &Node) -> Vec<(String, String)> {
    let report = node.try_decode(&DecodeOptions::default()).unwrap();
    let lines = fs::read(node.dump().join(LOSSES_FILE)).unwrap_or_default();
    assert!(verify(&node.dump(), &NoProgress).unwrap().sound);
    fs::remove_dir_all(node.dump()).unwrap();
    let mut reader = LossesReader::new(lines.as_slice());
    let losses: Vec<Loss<'_>> = std::iter::from_fn(|| reader.next_loss().unwrap()).collect();
    let of_findings: u64 = report.books.findings.iter().filter(|f| f.severity == "loss").map(|f| f.count).sum();
    assert_eq!((losses.iter().map(|loss| loss.count).sum::<u64>(), report.losses), (of_findings, of_findings));
    losses.into_iter().map(|loss| (loss.finding.into_owned(), loss.detail.into_owned())).collect()
}

#[test]
fn loss_says_in_which_of_several_snapshots_its_byte_offset_is() {
    let damaged = |name: &str| [name.as_bytes(), &(!60_u64).to_be_bytes()].concat();
    let node = Node::new();
    node.add(1, 1, &group_1().raw(&damaged("lost-1"), &[8; 20]));
    node.add(2, 1, &group_2().raw(&damaged("z-lost-2"), &[8; 20]));
    let places = |node: &Node| {
        let report = node.try_decode(&DecodeOptions::default()).unwrap();
        fs::remove_dir_all(node.dump()).unwrap();
        let read: Vec<_> = report.books.snapshots.iter().map(|snapshot| snapshot.file.clone()).collect();
        let lost = serde_json::to_value(&report.lost).unwrap();
        let damaged = lost.as_array().unwrap().iter().filter(|loss| loss["finding"] == "snapshot_damaged_value");
        (damaged.map(|loss| loss["snapshot"].as_str().map(str::to_owned)).collect::<Vec<_>>(), read)
    };
    let (said, read) = places(&node);
    assert!(said == read && said[1].as_deref() == Some("group-2/fsm-snap/0000000000000001.fsm"), "{said:?} {read:?}");
    fs::remove_dir_all(node.path().join("group-2")).unwrap();
    assert_eq!(places(&node).0, [None]);
}

#[test]
fn losses_that_adapters_and_transactions_find_say_of_which_of_several_snapshots_they_are() {
    let node = Node::new();
    let (a, z) = (string("a"), string("z"));
    let broken = b"\xff\x01";
    node.add(1, 1, &group_1().put(&string("b"), 100, broken).put(b"!txn|cmt|bad", 300, b"\x01"));
    let commit = [b"!txn|cmt|", &a[..], &200_u64.to_be_bytes()].concat();
    node.add(1, 2, &group_1().put(&string("b"), 100, broken).put(&commit, 300, b"\x01"));
    let group_2 = group_2().put(&string("y"), 100, broken).prepare(&z, 200, &a, Some(&stored("new")));
    node.add(2, 1, &group_2);
    let expected = |report: &serde_json::Value| {
        let of = |loss: &serde_json::Value, name: &str| loss[name].as_str().unwrap_or_default().to_owned();
        let lost = report.as_array().unwrap().iter();
        lost.map(|loss| (of(loss, "finding"), of(loss, "key"), of(loss, "snapshot"))).collect::<Vec<_>>()
    };
    let in_group = |group: u64, index: u64| format!("group-{group}/fsm-snap/{index:016}.fsm");
    let report = node.try_decode(&DecodeOptions::default()).unwrap();
    let lost = [
        ("txn_damaged_record", "!redis|str|z", in_group(2, 1)),
        ("redis_invalid_string_value", "b", in_group(1, 2)),
        ("redis_invalid_string_value", "y", in_group(2, 1)),
    ];
    let lost: Vec<_> = lost.map(|(finding, key, file)| (finding.to_owned(), key.to_owned(), file)).into();
    assert_eq!(expected(&serde_json::to_value(&report.lost).unwrap()), lost);
    let lines = fs::read_to_string(node.dump().join(LOSSES_FILE)).unwrap();
    let lines: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(expected(&lines.into()), lost);
    fs::remove_dir_all(node.dump()).unwrap();
    let error = node.try_decode(&strict()).unwrap_err();
    let Some(CommandError::Strict { lost: told, .. }) = error.get_ref().downcast_ref() else { panic!("{error}") };
    assert_eq!(expected(&serde_json::to_value(told.as_ref()).unwrap()), lost);
    assert!(told.first(9).unwrap()[1].contains(" of group-1/fsm-snap/0000000000000002.fsm)"));

    // Of one snapshot there is nothing to tell.
    fs::remove_dir_all(node.path().join("group-1")).unwrap();
    let report = node.try_decode(&DecodeOptions::default()).unwrap();
    assert!(expected(&serde_json::to_value(&report.lost).unwrap()).iter().all(|(_, _, file)| file.is_empty()));
}

fn group_1() -> SnapshotBuilder {
    with_catalog(SnapshotBuilder::new()).put(&string("a"), 100, &stored("a"))
}

fn group_2() -> SnapshotBuilder {
    SnapshotBuilder::new().put(&string("z"), 100, &stored("z"))
}

#[test]
fn node_with_all_groups_of_its_catalog_is_complete() {
    let node = Node::new();
    node.add(1, 1, &group_1());
    node.add(2, 1, &group_2());
    node.add(0, 1, &SnapshotBuilder::new());
    assert_eq!(missing(&node), []);
    let found = completeness(&node);
    assert_eq!((found.rests_on.groups_present, found.rests_on.groups_expected), (2, Some(2)));
}

#[test]
fn group_that_the_catalog_names_and_that_is_not_there_is_a_loss() {
    let node = Node::new();
    node.add(1, 1, &group_1());
    let lost = [("group_missing".to_owned(), "group 2 of 2, which owns keys from m on".to_owned())];
    assert_eq!(missing(&node), lost);
    // A folder without any snapshot is no group either.
    fs::create_dir_all(node.path().join("group-2/wal")).unwrap();
    assert_eq!(missing(&node), lost);
    let accepted = ReadOptions { allow_missing_groups: true, ..ReadOptions::default() };
    let found = node.decode(accepted).report.books.completeness;
    assert_eq!(found.status, Status::Complete);
    let what = "group that is missing".to_owned();
    assert_eq!(found.by_choice, [Choice { option: "--allow-missing-groups".to_owned(), count: 1, what }]);
}

#[test]
fn group_without_the_catalog_is_one_group_of_a_cluster() {
    let node = Node::new();
    node.add(2, 1, &group_2());
    let [(name, first)] = missing(&node).try_into().unwrap();
    assert!(name == NO_CATALOG && first.starts_with("group 2: one group of a cluster"), "{first}");
    // So it is for its directory, and for its file.
    let group = node.path().join("group-2");
    for path in [group.clone(), group.join("fsm-snap/0000000000000001.fsm")] {
        let report = decode(&path, &node.dump(), &DecodeOptions::default(), &NoProgress).unwrap();
        assert_eq!(report.books.completeness.missing[0].name, NO_CATALOG);
        assert_eq!(report.books.snapshots[0].group_id, Some(2));
        fs::remove_dir_all(node.dump()).unwrap();
    }
}

#[test]
fn clock_of_a_cluster_alone_is_not_its_data() {
    let node = Node::new();
    node.add(0, 1, &SnapshotBuilder::new());
    let [(name, first)] = missing(&node).try_into().unwrap();
    assert!(name == NO_CATALOG && first.contains("clock"), "{first}");
}

#[test]
fn loose_file_of_one_of_several_groups_says_so() {
    let node = Node::new();
    let loose = node.path().join("loose.fsm");
    fs::create_dir_all(node.path()).unwrap();
    let commit = [&b"!txn|cmt|"[..], &string("a"), &50_u64.to_be_bytes()].concat();
    let of_a_transaction = group_2().put(&commit, 60, &[&b"\x01"[..], &60_u64.to_be_bytes()].concat());
    for (snapshot, name, first) in [
        (group_1(), "group_missing", "this is one group of 2; the routing catalog in it names group 1, group 2"),
        (
            of_a_transaction,
            NO_CATALOG,
            "the only group: one group of a cluster, as its transactions show; the other groups are not here",
        ),
    ] {
        fs::write(&loose, snapshot.build()).unwrap();
        let report = decode(&loose, &node.dump(), &DecodeOptions::default(), &NoProgress).unwrap();
        let [missing] = report.books.completeness.missing.try_into().unwrap();
        assert_eq!((missing.name.as_str(), missing.first.as_deref()), (name, Some(first)));
        fs::remove_dir_all(node.dump()).unwrap();
    }
    // A cluster of one group, whatever its id, and a store without catalog.
    let single = group_2().put(b"!dist|route|1", 1, &route(1, 9, b"", None));
    for snapshot in [single, group_2()] {
        fs::write(&loose, snapshot.build()).unwrap();
        let report = decode(&loose, &node.dump(), &DecodeOptions::default(), &NoProgress).unwrap();
        assert_eq!(report.books.completeness.status, Status::Complete);
        fs::remove_dir_all(node.dump()).unwrap();
    }
}

#[test]
fn group_that_owns_nothing_and_holds_records_is_a_loss() {
    // The directory of group 7 was renamed.
    let node = Node::new();
    let key = |id: u64| [b"!dist|route|", &id.to_be_bytes()[..]].concat();
    let group_1 = |second: u64| {
        let catalog = SnapshotBuilder::new().put(&key(1), 1, &route(1, 1, b"", Some(b"m")));
        catalog.put(&key(2), 1, &route(2, second, b"m", None)).put(&string("a"), 100, &stored("a"))
    };
    node.add(1, 1, &group_1(7));
    node.add(2, 1, &group_2());
    let names: Vec<String> = missing(&node).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["group_missing", "group_not_in_routing_catalog"]);
    // All keys have an owner that is there, but here are records that nobody shows.
    let node = Node::new();
    node.add(1, 1, &group_1(1));
    node.add(2, 1, &group_2());
    let names: Vec<String> = missing(&node).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["group_not_in_routing_catalog"]);
    // A group without keys and without records is none.
    let node = Node::new();
    node.add(1, 1, &group_1(1));
    node.add(2, 1, &SnapshotBuilder::new());
    assert_eq!(missing(&node), []);
}

#[test]
fn group_whose_directory_holds_another_group_is_a_loss() {
    let key = |id: u64| [b"!dist|route|", &id.to_be_bytes()[..]].concat();
    let catalog = || {
        let catalog = SnapshotBuilder::new().put(&key(1), 1, &route(1, 1, b"", Some(b"h")));
        catalog.put(&key(2), 1, &route(2, 2, b"h", Some(b"p"))).put(&key(3), 1, &route(3, 3, b"p", None))
    };
    let holds = |name: &str| SnapshotBuilder::new().put(&string(name), 100, &stored(name));
    let names = |second: &SnapshotBuilder, third: &SnapshotBuilder| {
        let node = Node::new();
        node.add(1, 1, &catalog().put(&string("a"), 100, &stored("a")));
        node.add(2, 1, second);
        node.add(3, 1, third);
        missing(&node)
    };
    let loss = |first: &str| [("group_of_another_directory".to_owned(), first.to_owned())];
    let of_others = |group: u64| format!("group {group} holds only keys of others; --keep-unowned keeps its records");
    assert_eq!(names(&holds("i"), &holds("q")), []);
    // Exchanged.
    assert_eq!(names(&holds("q"), &holds("i")), loss(&of_others(2)));
    // One copied over the other: as the very same file, or taken at another time.
    assert_eq!(names(&holds("i"), &holds("i")), loss("group 3 is a copy of group 2"));
    assert_eq!(names(&holds("i"), &holds("i").put(&string("j"), 110, &stored("j"))), loss(&of_others(3)));
    // Copies of keys that were moved away, beside own ones, are what a split of a range leaves.
    assert_eq!(names(&holds("i"), &holds("q").put(&string("i"), 90, &stored("old"))), []);
    // Groups in which nothing was written yet are equal.
    assert_eq!(names(&SnapshotBuilder::new(), &SnapshotBuilder::new()), []);
}

#[test]
fn records_in_a_gap_of_the_routing_catalog_are_a_loss() {
    let node = Node::new();
    let key = |id: u64| [b"!dist|route|", &id.to_be_bytes()[..]].concat();
    let group_1 = SnapshotBuilder::new()
        .put(&key(1), 1, &route(1, 1, b"", Some(b"m")))
        .put(&key(2), 1, &route(2, 2, b"x", None))
        .put(&string("a"), 100, &stored("a"))
        .put(&string("n"), 100, &stored("n"));
    node.add(1, 1, &group_1);
    node.add(2, 1, &group_2());
    let names: Vec<String> = missing(&node).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["records_of_no_group"]);
}

#[test]
fn older_state_in_place_of_a_damaged_snapshot_is_a_loss_that_the_manifest_names() {
    let damages: [fn(&mut Vec<u8>); 4] =
        [|bytes| bytes[60] ^= 1, |bytes| bytes.truncate(70), Vec::clear, |bytes| bytes.extend_from_slice(b"more")];
    for damage in damages {
        let node = Node::new();
        let group = node.path();
        write_snapshot(&group, 10, &SnapshotBuilder::new().put(&string("old"), 100, &stored("v")).build());
        let mut newer = SnapshotBuilder::new().put(&string("new"), 200, &stored("v")).build();
        let path = write_snapshot(&group, 20, &newer);
        damage(&mut newer);
        fs::write(&path, newer).unwrap();
        let [(name, first)] = missing(&node).try_into().unwrap();
        assert_eq!(name, "group_older_snapshot");
        assert_eq!(completeness(&node).missing[0].count, 1, "one state is missing, by whatever names");
        assert!(first.starts_with("passed over ") && first.contains("0000000000000014."), "{first}");
        assert!(first.ends_with("; took fsm-snap/000000000000000a.fsm"), "{first}");
        node.try_decode(&DecodeOptions::default()).unwrap();
        assert!(fs::read_to_string(node.dump().join("MANIFEST.json")).unwrap().contains("passed over"));
        fs::remove_dir_all(node.dump()).unwrap();
        let read = ReadOptions { allow_older: true, ..ReadOptions::default() };
        let decoded = node.try_decode(&DecodeOptions { read, ..strict() }).unwrap();
        assert_eq!(decoded.books.completeness.by_choice[0].option, "--allow-older");
    }
}

#[test]
fn snapshot_file_that_is_gone_leaves_an_older_state_too() {
    let node = Node::new();
    write_snapshot(&node.path(), 10, &group_2().build());
    fs::remove_file(write_snapshot(&node.path(), 20, &group_2().build())).unwrap();
    assert_eq!(missing(&node)[0].0, "group_older_snapshot");
}

#[test]
fn damaged_snap_file_of_the_same_state_is_no_loss() {
    let node = Node::new();
    write_snapshot(&node.path(), 20, &group_2().build());
    fs::write(node.path().join("snap/0000000000000001-0000000000000014.snap"), b"x").unwrap();
    let decoded = node.decode(ReadOptions::default());
    assert_eq!(decoded.report.books.completeness.status, Status::Complete);
    assert!(decoded.report.notes.iter().any(|note| note.contains("passed over")), "{:?}", decoded.report.notes);
}

#[test]
fn newer_intact_snapshot_that_nothing_names_is_told_and_strict_refuses() {
    let node = Node::new();
    write_snapshot(&node.path(), 10, &group_2().build());
    let newer = write_snapshot(&node.path(), 20, &group_2().put(&string("y"), 200, &stored("v")).build());
    fs::remove_file(node.path().join("snap/0000000000000001-0000000000000014.snap")).unwrap();
    let decoded = node.decode(ReadOptions::default());
    assert_eq!((decoded.strings.len(), decoded.odd()), (1, vec![("group_newer_snapshot_unnamed", 1)]));
    assert_eq!(decoded.report.books.completeness.status, Status::Complete);
    let notes = inspect(&node.path(), &ReadOptions::default(), &NoProgress).unwrap().notes;
    assert!(
        notes.iter().any(|note| note.contains("0000000000000014.fsm") && note.contains("name the file")),
        "{notes:?}"
    );
    assert_eq!(node.try_decode(&strict()).unwrap_err().class(), Class::Data);
    // Where it is damaged, nothing newer was passed over that could be used, but a newer state is lost.
    let mut damaged = fs::read(&newer).unwrap();
    damaged[60] ^= 1;
    fs::write(&newer, damaged).unwrap();
    assert_eq!(missing(&node)[0].0, "group_older_snapshot");
}

#[test]
fn snapshot_with_more_than_was_asked_for_is_no_reason_to_take_an_older_one() {
    let node = Node::new();
    node.add(1, 1, &SnapshotBuilder::new().put(&string("a"), 100, &stored("a")));
    node.add(1, 2, &SnapshotBuilder::new().put(&string("a"), 100, &stored("a")).put(&string("b"), 200, &stored("b")));
    for resources in [
        Resources { entries_max: Some(1), ..Resources::DEFAULT },
        Resources { bytes_max: Some(120), ..Resources::DEFAULT },
    ] {
        let read = ReadOptions { resources, allow_older: true, ..ReadOptions::default() };
        let error = node.try_decode(&DecodeOptions { read, ..DecodeOptions::default() }).unwrap_err();
        assert!(error.to_string().contains("allows more"), "{error}");
    }
}

#[test]
fn every_missing_group_is_listed_however_many_there_are() {
    let node = Node::new();
    let key = |id: u64| [b"!dist|route|", &id.to_be_bytes()[..]].concat();
    let border = |id: u64| format!("m{id:02}").into_bytes();
    let catalog = (1..=30).fold(SnapshotBuilder::new(), |snapshot, id| {
        let start = if id == 1 { Vec::new() } else { border(id) };
        let end = (id < 30).then(|| border(id + 1));
        snapshot.put(&key(id), 1, &route(id, id, &start, end.as_deref()))
    });
    node.add(1, 1, &catalog.put(&string("a"), 100, &stored("a")));
    let expected: Vec<(String, String)> = (2..=30)
        .map(|id| ("group_missing".to_owned(), format!("group {id} of 30, which owns keys from m{id:02} on")))
        .collect();
    assert_eq!(listed(&node), expected);
}

#[test]
fn older_states_and_records_of_groups_without_keys_are_listed() {
    // More groups than examples are kept, each with an older state.
    let node = Node::new();
    let older = SnapshotBuilder::new().put(&string("a"), 100, &stored("a"));
    for id in 1..=12 {
        node.add(id, 1, &older);
        let newer = node.add(id, 2, &SnapshotBuilder::new().put(&string("b"), 200, &stored("b")));
        fs::write(newer, b"cut").unwrap();
    }
    let names: Vec<(String, String)> = listed(&node);
    let older = names.iter().filter(|(name, _)| name == "group_older_snapshot");
    assert_eq!(older.filter(|(_, detail)| detail.starts_with("passed over ")).count(), 12, "{names:?}");

    let node = Node::new();
    let key = |id: u64| [b"!dist|route|", &id.to_be_bytes()[..]].concat();
    let group_1 = SnapshotBuilder::new().put(&key(1), 1, &route(1, 1, b"", Some(b"x")));
    node.add(1, 1, &group_1.put(&string("a"), 100, &stored("a")).put(&string("y"), 100, &stored("y")));
    for id in 2..=12 {
        node.add(id, 1, &group_2().put(&string("b"), 100, &stored("b")));
    }
    let names = listed(&node);
    let count = |wanted: &str| names.iter().filter(|(name, _)| name == wanted).count();
    assert_eq!((count("group_not_in_routing_catalog"), count("records_of_no_group")), (11, 1), "{names:?}");
}

#[test]
fn what_was_lost_in_a_snapshot_that_was_passed_over_is_not_listed() {
    let damaged = |key: &str| [string(key).as_slice(), &(!100_u64).to_be_bytes()].concat();
    let node = Node::new();
    let older = SnapshotBuilder::new().put(&string("a"), 100, &stored("a")).raw(&damaged("taken"), &[8; 20]);
    write_snapshot(&node.path(), 10, &older.build());
    let newer = SnapshotBuilder::new().put(&string("a"), 100, &stored("a")).raw(&damaged("rejected"), &[8; 20]);
    let mut bytes = newer.build();
    let path = write_snapshot(&node.path(), 20, &bytes);
    // The last byte of the last record: all of it is read before the checksum shows that it is not what was written.
    let last = bytes.len() - 5;
    bytes[last] ^= 1;
    fs::write(path, bytes).unwrap();
    let report = node.try_decode(&DecodeOptions::default()).unwrap();
    let mut keys = Vec::new();
    let collect = |loss: &Loss<'static>| {
        keys.push((loss.finding.clone().into_owned(), loss.key.as_ref().map(|key| key.to_bytes())));
        true
    };
    report.lost.for_each(collect).unwrap();
    keys.sort();
    let expected =
        [("group_older_snapshot".to_owned(), None), ("snapshot_damaged_value".to_owned(), Some(string("taken")))];
    assert_eq!(keys, expected);
}
