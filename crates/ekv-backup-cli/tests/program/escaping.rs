//! Text of others on the screen: nothing that stands in a file or a name steers the terminal or forges a line.

use std::fs;
use std::path::Path;

use ekv_testkit::SnapshotBuilder;
use serde_json::Value;

use crate::support::{Room, Run};

/// Clears the screen, sets a title, colours, turns the direction of writing, begins a line, in C0 and C1 form.
const EVIL: &str = "x\u{1b}[2J\u{1b}]0;PWNED\u{7}\u{1b}[31m\u{202e}\u{9b}2J\u{2028}\u{200b}\r\nSound: forged";

#[track_caller]
fn assert_harmless(run: &Run) {
    for text in [&run.stdout, &run.stderr] {
        let is_foreign = |c: char| c != '\n' && !ekv_text::is_shown_as_it_is(c);
        assert!(!text.chars().any(is_foreign), "{text:?}");
        assert!(!text.lines().any(|line| line.trim_start().starts_with("Sound: forged")), "{text}");
    }
}

fn room_with_dump() -> Room {
    let room = Room::with_small_snapshot();
    room.run(&["decode", "snapshot.fsm", "dump"]).assert_code(0);
    room
}

/// Changes the manifest of the dump and brings its checksum up to date by hand.
fn edit_manifest(room: &Room, edit: impl FnOnce(&mut Value)) {
    let path = room.path("dump/MANIFEST.json");
    let mut manifest: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    edit(&mut manifest);
    fs::write(&path, serde_json::to_vec_pretty(&manifest).unwrap()).unwrap();
}

#[test]
fn texts_of_a_manifest_are_escaped_by_every_command_that_reads_a_dump() {
    for member in ["elastickv_version", "cluster_id", "wall_time_iso", "phase", "checksum_algorithm", "dynamodb_layout"]
    {
        let room = room_with_dump();
        edit_manifest(&room, |manifest| manifest[member] = Value::from(EVIL));
        let peers = ["--peers", "n1=127.0.0.1:2380", "--target-cluster-id", "prod"];
        let commands: [&[&str]; 6] = [
            &["verify", "dump"],
            &["verify", "dump", "--json"],
            &["checksums", "dump"],
            &["encode", "dump", "out.fsm"],
            &["pack", "dump", "dump.tar"],
            &["restore", "dump", "n1"],
        ];
        for words in commands {
            let with_peers = if words[0] == "restore" { &peers[..] } else { &[] };
            assert_harmless(&room.run(&[words, with_peers].concat()));
        }
    }
}

#[test]
fn names_of_members_and_faults_in_a_dump_are_escaped() {
    let room = room_with_dump();
    let name = EVIL.replace('/', "");
    if fs::write(room.path(format!("dump/{name}")), b"").is_err() {
        println!("skipped, the file system takes no such name");
        return;
    }
    for words in
        [&["verify", "dump"][..], &["verify", "dump", "--json"], &["checksums", "dump"], &["pack", "dump", "d.tar"]]
    {
        let run = room.run(words);
        assert_harmless(run.assert_code(2));
    }
    let mut lines = fs::read_to_string(room.path("dump/CHECKSUMS")).unwrap();
    lines.push_str(EVIL);
    fs::write(room.path("dump/CHECKSUMS"), lines).unwrap();
    for words in [&["verify", "dump"][..], &["encode", "dump", "out.fsm"]] {
        let run = room.run(words);
        assert_harmless(run.assert_code(2));
    }
}

#[test]
fn keys_and_names_in_a_snapshot_are_escaped() {
    let room = Room::new();
    let evil = EVIL.as_bytes();
    let key = |prefix: &[u8]| [prefix, evil].concat();
    let snapshot = SnapshotBuilder::new()
        .put(&key(b"!redis|str|"), 20, b"\xff\x01\x00v")
        .put(&key(b"!sqs|queue|meta|"), 21, evil)
        .put(&key(b"!ddb|meta|table|"), 22, evil)
        .put(&key(b"!s3|bucket|meta|"), 23, evil)
        .put(&key(b"!zz|"), 24, evil)
        .put(&key(b"!fs|"), 25, evil);
    room.write("evil.fsm", &snapshot.build());
    for words in [
        &["inspect", "evil.fsm"][..],
        &["inspect", "evil.fsm", "--json"],
        &["decode", "evil.fsm", "dump"],
        &["decode", "evil.fsm", "dump2", "--json", "--include-unknown"],
        &["decode", "evil.fsm", "dump3", "--strict"],
        &["verify", "dump"],
    ] {
        assert_harmless(&room.run(words));
    }
}

#[test]
fn words_of_the_command_line_are_escaped_in_messages_about_them() {
    let room = room_with_dump();
    let option = format!("--{EVIL}");
    let value = format!("--adapter={EVIL}");
    let peers = format!("--peers={EVIL}");
    for words in [
        &["verify", EVIL][..],
        &["decode", EVIL, "other"],
        &["decode", "snapshot.fsm", &format!("no/such/{EVIL}")],
        &["encode", EVIL, "out.fsm"],
        &["prepare-restore", EVIL, "n1", "--peers", "n1=h:1", "--fresh-cluster"],
        &["clean", EVIL],
        &[EVIL],
        &["verify", "dump", &option],
        &["decode", "snapshot.fsm", "other", &value],
        &["decode", "snapshot.fsm", "other", "--at", EVIL],
        &["restore", "dump", "n1", "--fresh-cluster", &peers],
        &["decode", "snapshot.fsm", &format!("{EVIL}.zip")],
    ] {
        let run = room.run(words);
        assert_harmless(&run);
        run.assert_code(1).assert_says("error: ");
    }
}

#[test]
fn names_of_input_and_output_are_escaped_in_reports_and_quoted_in_commands() {
    let room = Room::with_small_snapshot();
    let dump = format!("dump {}", EVIL.replace('/', ""));
    let run = room.run(&["decode", "snapshot.fsm", &dump]);
    if run.code != Some(0) {
        println!("skipped, the file system takes no such name");
        return;
    }
    assert_harmless(&run);
    for words in
        [&["verify", &dump][..], &["checksums", &dump], &["encode", &dump, "out.fsm"], &["verify", &dump, "--json"]]
    {
        assert_harmless(room.run(words).assert_code(0));
    }
    assert!(room.path(&dump).join(Path::new("CHECKSUMS")).exists());
}

#[test]
fn message_about_a_very_long_text_is_cut() {
    let room = room_with_dump();
    edit_manifest(&room, |manifest| manifest["elastickv_version"] = Value::from("v".repeat(1 << 20)));
    let run = room.run(&["verify", "dump"]);
    assert!(run.stdout.len() + run.stderr.len() < 64 << 10, "{}", run.stdout.len() + run.stderr.len());
    let long = "n".repeat(100_000);
    let run = room.run(&["verify", &long]);
    assert!(run.assert_code(1).stderr.len() < 16 << 10, "{}", run.stderr.len());
    assert!(run.stderr.contains('…') && run.stderr.ends_with(")\n"), "{}", run.stderr);
    for words in [&["verify", "dump", &format!("--{long}")][..], &["decode", "a", "b", "--at", &long], &[&long]] {
        let run = room.run(words);
        assert!(run.assert_code(1).stderr.len() < 32 << 10, "{}", run.stderr.len());
    }
}
