//! `encode`, `restore` and `checksums` as a user runs them.

use std::fs;

use crate::support::{Room, small_snapshot};

const PEERS: [&str; 3] = ["--peers", "n1=127.0.0.1:2380", "--fresh-cluster"];

/// A room with the dump of a small snapshot.
fn room() -> Room {
    let room = Room::with_small_snapshot();
    room.run(&["decode", "snapshot.fsm", "dump", "--adapter", "redis", "--fsync", "none"]).assert_code(0);
    room
}

fn with_peers<'a>(words: &[&'a str]) -> Vec<&'a str> {
    words.iter().copied().chain(PEERS).collect()
}

#[test]
fn dump_becomes_a_payload_and_the_payload_a_node() {
    let room = room();
    let run = room.run(&["encode", "dump", "out.fsm"]);
    run.assert_code(0);
    assert!(run.stdout.contains("every key, item, object and message is what the dump says"), "{}", run.stdout);
    assert!(run.stdout.contains("ekv-backup prepare-restore out.fsm DATA_DIR"), "{}", run.stdout);
    room.run(&with_peers(&["prepare-restore", "out.fsm", "n1"])).assert_code(0);
    room.run(&["decode", "out.fsm", "again", "--fsync", "none"]).assert_code(0);
    room.run(&["encode", "dump", "out.fsm"]).assert_code(1).assert_says("out.fsm exists already");
    room.run(&["encode", "dump", "out.fsm", "--force", "--json"]).assert_code(0);
}

#[test]
fn server_file_is_decoded_and_prepared_as_a_payload_is() {
    let room = room();
    room.run(&["encode", "dump", "out.fsm", "--form", "file"]).assert_code(0);
    room.run(&["inspect", "out.fsm", "--require-checksum"]).assert_code(0);
    room.run(&with_peers(&["prepare-restore", "out.fsm", "n1"])).assert_code(0);
}

#[test]
fn restore_makes_the_node_at_once_and_prints_what_is_left_to_do() {
    let room = room();
    let run = room.run(&with_peers(&["restore", "dump", "n1"]));
    run.assert_code(0);
    for text in [
        "every key, item, object and message is what the dump says",
        "-raftId n1 -address 127.0.0.1:2380",
        "keep every old data directory",
    ] {
        assert!(run.stdout.contains(text), "{text}: {}", run.stdout);
    }
    assert!(!room.names().iter().any(|name| name.contains("staging")));
    room.run(&with_peers(&["restore", "dump", "n1"])).assert_code(1).assert_says("n1 exists already");
    room.run(&["restore", "dump", "n2", "--peers", "n1=127.0.0.1:2380"]).assert_code(1);
    let words = ["restore", "dump", "n2", "--peers", "n1=127.0.0.1:2380", "--target-cluster-id", "prod"];
    room.run(&words).assert_code(2).assert_says("does not say from which cluster");
}

#[test]
fn edited_dump_is_refused_with_a_way_on_until_checksums_are_brought_up_to_date() {
    let room = room();
    let name = room.tree("dump").into_keys().find(|path| path.extension().is_some_and(|end| end == "bin")).unwrap();
    std::fs::write(room.path("dump").join(&name), b"edited").unwrap();
    room.run(&["encode", "dump", "out.fsm"]).assert_code(2).assert_says("do not match CHECKSUMS");
    room.run(&["checksums", "dump", "--dry-run"]).assert_code(0);
    room.run(&["verify", "dump"]).assert_code(2);
    let run = room.run(&["checksums", "--input", "dump"]);
    run.assert_code(0);
    assert!(run.stdout.contains("CHECKSUMS rewritten") && run.stdout.contains("1  changed\n"), "{}", run.stdout);
    room.run(&["verify", "dump"]).assert_code(0);
    room.run(&["encode", "dump", "out.fsm"]).assert_code(0);
    room.write("dump/stray", b"");
    room.run(&["checksums", "dump"]).assert_code(2).assert_says("nothing in a dump has this name");
}

#[test]
fn options_of_the_reference_tool_are_understood() {
    let room = room();
    let run = room.run(&[
        "encode",
        "-input",
        "dump",
        "-output=out.fsm",
        "-adapter",
        "all",
        "-last-commit-ts",
        "0xffffffffffff",
        "-self-test",
        "-scratch-root",
        "/nowhere",
        "--json",
    ]);
    run.assert_code(0);
    let report = run.json();
    assert_eq!(report["last_commit"]["hlc"], 0xffff_ffff_ffff_u64);
    assert_eq!(report["self_test"]["matched"], true);
    room.run(&["encode", "--input", "dump", "--output", "b.fsm", "--self-test=false"]).assert_code(0);
    room.run(&with_peers(&["prepare-restore", "b.fsm", "n1"]))
        .assert_code(2)
        .assert_says("run encode again with its self test");
}

#[test]
fn mistakes_end_with_1_and_refusals_with_2() {
    let room = room();
    let before = room.names();
    let mistakes: [&[&str]; 7] = [
        &["encode", "dump"],
        &["encode", "--input", "dump"],
        &["encode", "nope", "out.fsm"],
        &["encode", "dump", "nope/out.fsm"],
        &["encode", "dump", "out.fsm", "--last-commit-ts", "12zz"],
        &["encode", "dump", "out.fsm", "--sort-memory", "0"],
        &["checksums", "nope"],
    ];
    for words in mistakes {
        room.run(words).assert_code(1);
    }
    room.run(&["encode", "dump", "out.fsm", "--adapter", "s3"]).assert_code(2).assert_says("does not hold it");
    room.run(&["encode", "dump", "out.fsm", "--last-commit-ts", "1"]).assert_code(2).assert_says("is below");
    assert_eq!(room.names(), before);
}

#[test]
fn group_by_itself_is_restored_as_the_help_says_and_every_command_says_that_it_is_a_part() {
    const ALLOW: &str = "--allow-missing-groups";
    let room = Room::new();
    fs::create_dir_all(room.path("node/group-2/fsm-snap")).unwrap();
    room.write("node/group-2/fsm-snap/0000000000000001.fsm", &small_snapshot().build());
    fs::create_dir(room.path("n1")).unwrap();
    let inspected = room.run(&["inspect", "node/group-2", "--json"]);
    assert_eq!(inspected.assert_code(5).json()["status"], "incomplete");
    room.run(&["inspect", "node/group-2", ALLOW]).assert_code(0);
    room.run(&["decode", "node/group-2", "lossy"]).assert_code(5);
    room.run(&with_peers(&["restore", "lossy", "n1/group-2"])).assert_code(2);

    let recipe = ["decode", "NODE/group-2", "dump-2", ALLOW];
    let help = room.run(&["restore", "--help"]).stdout;
    assert!(help.contains(&recipe.join(" ")), "{help}");
    let decoded = room.run(&["decode", "node/group-2", "dump-2", ALLOW]);
    let partial = "partial, as asked for: without 1 routing catalog that names the groups (--allow-missing-groups)";
    for run in [
        decoded,
        room.run(&["verify", "dump-2"]),
        room.run(&["encode", "dump-2", "out.fsm"]),
        room.run(&with_peers(&["restore", "dump-2", "n1/group-2"])),
    ] {
        run.assert_code(0);
        assert!(run.stdout.contains(partial), "{}", run.stdout);
    }
    for words in [&["verify", "dump-2", "--json"][..], &["encode", "dump-2", "out.fsm", "--force", "--json"]] {
        assert_eq!(room.run(words).assert_code(0).json()["by_choice"][0]["option"], ALLOW);
    }
}
