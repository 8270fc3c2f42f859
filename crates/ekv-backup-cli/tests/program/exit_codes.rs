//! The number with which the program ends, and what is there then.

use std::fs;
use std::process::Command;

use ekv_testkit::{reseal, vectors};

use crate::support::{Room, small_snapshot};

#[test]
fn mistakes_in_the_command_line_end_with_1() {
    let room = Room::with_small_snapshot();
    let before = room.names();
    let mistakes: [&[&str]; 15] = [
        &[],
        &["frobnicate"],
        &["decode"],
        &["decode", "snapshot.fsm"],
        &["decode", "snapshot.fsm", "dump", "--bogus"],
        &["decode", "snapshot.fsm", "dump", "--adapter", "foo"],
        &["decode", "snapshot.fsm", "dump", "--adapter", ","],
        &["decode", "snapshot.fsm", "dump", "--adapter", "redis,all"],
        &["encode", "dump", "x.fsm", "--adapter="],
        &["encode", "dump", "x.fsm", "--prefix", ""],
        &["encode", "dump", "x.fsm", "--key="],
        &["decode", "snapshot.fsm", "dump", "--at", "-5"],
        &["decode", "snapshot.fsm", "dump", "--at", "yesterday"],
        &["decode", "snapshot.fsm", "--output", "dump"],
        &["verify"],
    ];
    for arguments in mistakes {
        let run = room.run(arguments);
        assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""), "{arguments:?}");
        assert!(!run.stderr.is_empty(), "{arguments:?}");
    }
    assert_eq!(room.names(), before);
}

#[test]
fn mistaken_value_is_named_with_its_option() {
    let room = Room::new();
    for (words, option, why) in [
        (&["encode", "d", "x", "--prefix", ""][..], "--prefix", "it is empty"),
        (&["encode", "d", "x", "--key="], "--key", "it is empty"),
        (&["restore", "d", "x", "--peers", "n=h:1", "--adapter="], "--adapter", "expected dynamodb, s3"),
        (&["decode", "s", "d", "--adapter", "redis,all"], "--adapter", "all stands alone"),
        (&["decode", "s", "d", "--at", "-5"], "--at", "cannot read the time"),
        (&["inspect", "s", "--at", "2026-11-22T15:33:50"], "--at", "it lacks a time zone"),
    ] {
        room.run(words).assert_code(1).assert_says(option).assert_says(why);
    }
}

#[test]
fn missing_input_ends_with_1_and_names_it() {
    let room = Room::new();
    room.run(&["decode", "nope.fsm", "dump"]).assert_code(1).assert_says("error: nope.fsm: ");
    room.run(&["inspect", "nope.fsm"]).assert_code(1).assert_says("error: nope.fsm: ");
    room.run(&["verify", "nope"]).assert_code(1).assert_says("error: nope: cannot open the dump");
    room.run(&["clean", "nope"]).assert_code(1).assert_says("nope");
    assert!(room.names().is_empty());
}

#[test]
fn missing_parent_of_the_target_ends_with_1_unless_it_is_to_be_created() {
    let room = Room::with_small_snapshot();
    room.run(&["decode", "snapshot.fsm", "a/b/dump"]).assert_code(1).assert_says("a/b");
    room.run(&["decode", "snapshot.fsm", "a/b/dump", "--parents"]).assert_code(0);
    room.run(&["verify", "a/b/dump"]).assert_code(0);
}

#[test]
fn input_that_fails_leaves_no_parents_of_the_target() {
    let room = Room::new();
    room.write("damaged.fsm", b"this is not a snapshot at all");
    for (input, code) in [("nope.fsm", 1), ("damaged.fsm", 2)] {
        room.run(&["decode", input, "a/b/dump", "--parents"]).assert_code(code);
        assert!(!room.path("a").exists(), "{input}");
    }
}

#[test]
fn moment_that_cannot_be_answered_ends_with_1() {
    let room = Room::new();
    room.write("snapshot.fsm", &vectors::versions());
    let run = room.run(&["decode", "snapshot.fsm", "dump", "--at", "hlc:14"]);
    run.assert_code(1)
        .assert_says("has been compacted away in snapshot.fsm, which answers times from 1970-01-01T00:00:00.000Z");
    room.run(&["decode", "snapshot.fsm", "dump", "--at", "hlc:0"]).assert_code(1);
    assert!(!room.path("dump").exists());
}

#[test]
fn selection_of_nothing_ends_with_6_and_publishes_nothing() {
    let room = Room::new();
    room.write("snapshot.fsm", &small_snapshot().build());
    let select = ["decode", "snapshot.fsm", "dump", "--adapter", "s3,sqs"];
    room.run(&select).assert_code(6).assert_says("there is no data of s3, sqs in it, but of redis");
    assert!(!room.path("dump").exists());
    let run = room.run(&[&select[..], &["--allow-empty"]].concat());
    run.assert_code(0);
    assert!(
        run.stdout.contains("partial, as asked for: without") && !run.stdout.contains("complete: nothing"),
        "{run:?}"
    );
}

#[test]
fn snapshot_that_is_too_old_ends_with_2() {
    let room = Room::new();
    room.write("snapshot.fsm", &small_snapshot().build());
    let run = room.run(&["decode", "snapshot.fsm", "dump", "--max-age", "24h"]);
    run.assert_code(2).assert_says("snapshot.fsm is too old: it ends at 1970-01-01");
    room.run(&["inspect", "snapshot.fsm", "--max-age", "24"]).assert_code(1).assert_says("24h");
    room.run(&["decode", "snapshot.fsm", "dump", "--max-age", "30000d"]).assert_code(0);
}

#[test]
fn damaged_or_foreign_input_ends_with_2_and_publishes_nothing() {
    let good = small_snapshot().build();
    let mut flipped = good.clone();
    flipped[60] ^= 1;
    let mut version = good.clone();
    version[7] = b'3';
    let cases = [
        ("flipped", flipped, "checksum mismatch"),
        ("cut", good[..good.len() - 2].to_vec(), "truncated"),
        ("text", b"this is not a snapshot at all".to_vec(), "unknown payload magic"),
        ("newer", reseal(version), "unknown header version"),
        ("oracle", vectors::timestamp_oracle(), "timestamp oracle"),
    ];
    for (name, bytes, text) in cases {
        let room = Room::new();
        room.write(name, &bytes);
        let run = room.run(&["decode", name, "dump"]);
        run.assert_code(2).assert_says(text).assert_says(name);
        assert_eq!(run.stdout, "");
        assert_eq!(room.names().into_iter().collect::<Vec<_>>(), [name]);
    }
}

#[test]
fn snapshot_without_checksum_is_a_warning_or_on_request_an_error() {
    let room = Room::new();
    let good = small_snapshot().meta_row("last_commit_ts", 60).build();
    room.write("cut.fsm", &good[..good.len() - 4]);
    let run = room.run(&["decode", "cut.fsm", "dump"]);
    assert!(run.assert_code(0).stdout.contains("integrity not verified"), "{run:?}");
    room.run(&["decode", "cut.fsm", "other", "--strict"]).assert_code(2).assert_says("footer is missing");
    room.run(&["decode", "cut.fsm", "other", "--require-checksum"]).assert_code(2).assert_says("footer is missing");
    fs::create_dir(room.path("fsm-snap")).unwrap();
    room.write("fsm-snap/0000000000000001.fsm", &good[..good.len() - 4]);
    room.run(&["decode", "fsm-snap/0000000000000001.fsm", "other"]).assert_code(2).assert_says("footer is missing");
    assert!(!room.path("other").exists());
}

#[test]
fn lost_key_ends_with_5_and_the_rest_is_published() {
    let room = Room::new();
    let damaged = [&b"lost"[..], &(!60_u64).to_be_bytes()].concat();
    room.write("snapshot.fsm", &small_snapshot().raw(&damaged, &[8; 20]).build());
    let run = room.run(&["decode", "snapshot.fsm", "dump"]);
    run.assert_code(5);
    assert!(
        run.stdout.contains("INCOMPLETE: snapshot_damaged_value (1)") && run.stdout.contains("LOSSES.jsonl"),
        "{run:?}"
    );
    let quiet = room.run(&["-q", "decode", "snapshot.fsm", "quiet"]);
    quiet.assert_code(5).assert_says("warning: INCOMPLETE: snapshot_damaged_value (1)");
    assert_eq!(quiet.stdout, "");
    assert_eq!(room.tree("dump/redis/db_0/strings").len(), 3);
    let strict = room.run(&["decode", "snapshot.fsm", "strict", "--strict"]);
    strict.assert_code(2).assert_says("problem: snapshot_damaged_value: redis:0/lost: ");
    let plain = room.run(&["decode", "snapshot.fsm", "plain", "--json"]).json();
    let strict = room.run(&["decode", "snapshot.fsm", "strict", "--strict", "--json"]);
    let strict = strict.assert_code(2).json();
    assert!(strict["status"] == "failed" && strict["lost"][0]["key"] == "lost", "{strict}");
    assert_eq!(strict["lost"], plain["lost"]);
    room.run(&["decode", "snapshot.fsm", "new/parents/strict", "--parents", "--strict"]).assert_code(2);
    assert!(!room.path("strict").exists() && !room.path("new").exists());
}

#[test]
fn dump_with_losses_ends_with_5_wherever_it_is_checked_and_is_refused_where_a_cluster_would_be_made_of_it() {
    let room = Room::new();
    let damaged = [&b"lost"[..], &(!60_u64).to_be_bytes()].concat();
    room.write("snapshot.fsm", &small_snapshot().raw(&damaged, &[8; 20]).build());
    let run = room.run(&["decode", "snapshot.fsm", "dump", "-q", "--fsync", "none"]);
    run.assert_code(5).assert_says("warning: INCOMPLETE: snapshot_damaged_value (1): ");
    assert!(run.stdout.is_empty(), "{run:?}");
    let run = room.run(&["verify", "dump"]);
    assert!(run.assert_code(5).stdout.starts_with("Sound, but written with 1 loss: dump"), "{run:?}");
    room.run(&["verify", "dump", "-q"]).assert_code(5).assert_says("warning: the dump was written with 1 loss");
    assert_eq!(room.run(&["verify", "dump", "--json"]).json()["losses"]["count"], 1);
    for words in [&["pack", "dump", "dump.tar"][..], &["unpack", "dump.tar", "copy"], &["verify", "copy"]] {
        let run = room.run(words);
        assert!(run.assert_code(5).stdout.contains("INCOMPLETE: 1 thing was damaged or missing"), "{run:?}");
    }
    // A list of losses is part of a dump, and replaced with it.
    assert!(room.path("copy/LOSSES.jsonl").exists());
    for words in [["unpack", "dump.tar"], ["decode", "snapshot.fsm"], ["unpack", "dump.tar"]] {
        room.run(&[&words[..], &["copy", "--force", "--fsync", "none"]].concat()).assert_code(5);
    }
    let peers = ["--peers", "n1=127.0.0.1:2380", "--fresh-cluster"];
    for words in [&["encode", "copy", "out.fsm"][..], &[&["restore", "dump.tar", "n1"][..], &peers].concat()] {
        let run = room.run(words);
        run.assert_code(2)
            .assert_says("problem: snapshot_damaged_value: redis:0/lost: ")
            .assert_says("--accept-losses");
        let run = room.run(&[words, &["--accept-losses", "-q"]].concat());
        run.assert_code(0).assert_says("warning: what the decode of the dump lost is missing, as accepted: 1 loss");
    }
}

#[test]
fn what_no_server_restores_ends_with_5_and_is_named_and_strict_refuses_it() {
    let room = Room::new();
    let long = |first: &str| format!("{first}{}", "k".repeat(1 << 20));
    let snapshot = small_snapshot().put(long("one").as_bytes(), 50, b"v").put(long("two").as_bytes(), 50, b"v");
    room.write("snapshot.fsm", &snapshot.build());
    room.run(&["decode", "snapshot.fsm", "dump", "-q", "--fsync", "none"]).assert_code(0);
    let peers = ["--peers", "n1=127.0.0.1:2380", "--fresh-cluster", "--json"];
    let commands = [&["encode", "dump", "out.fsm", "--json"][..], &[&["restore", "dump", "n1"][..], &peers].concat()];
    for words in commands {
        let run = room.run(&[words, &["--strict"]].concat());
        run.assert_code(2).assert_says("problem: not_restorable: one").assert_says("problem: not_restorable: two");
        assert_eq!(run.json()["lost"].as_array().map(Vec::len), Some(2), "{words:?}");
        assert!(!room.path(words[2]).exists(), "{words:?}");
        let run = room.run(words);
        run.assert_code(5).assert_says("warning: not_restorable: one").assert_says("warning: not_restorable: two");
        let json = run.json();
        let mut keys: Vec<&str> =
            json["lost"].as_array().unwrap().iter().map(|loss| loss["key"].as_str().unwrap()).collect();
        keys.sort_unstable();
        assert!(keys == [long("one"), long("two")], "other keys than those two");
    }
}

#[test]
fn help_of_every_command_that_ends_with_5_says_so() {
    let room = Room::new();
    for (command, text) in [
        ("decode", "  5  done, but not everything is there"),
        ("encode", "  5  done, but not everything is there"),
        ("restore", "  5  done, but not everything is there"),
        ("verify", "5 that it is, but the decode that wrote it had to leave something out"),
        ("pack", "Exit code 5 means that the dump was packed as it is"),
        ("unpack", "Exit code 5 means that the dump was unpacked as it is"),
        ("encode", "What no server restores is left out and named, and the exit code is 5"),
        ("restore", "What no server restores is left out and named, and the exit code is 5"),
    ] {
        let help = room.run(&[command, "--help"]).stdout;
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words(&help).contains(&words(text)), "{command}: {help}");
    }
}

#[test]
fn selection_of_nothing_ends_with_6() {
    let room = Room::new();
    room.write("snapshot.fsm", &small_snapshot().build());
    room.run(&["decode", "snapshot.fsm", "dump", "-q", "--fsync", "none"]).assert_code(0);
    room.run(&["encode", "dump", "out.fsm", "--key", "typo"]).assert_code(6).assert_says("--key typo");
    room.run(&["encode", "dump", "out.fsm", "--adapter", "sqs"]).assert_code(6).assert_says("no data of sqs");
    let restore = ["restore", "dump", "n1", "--peers", "n1=127.0.0.1:2380", "--fresh-cluster", "--prefix", "zzz"];
    room.run(&restore).assert_code(6).assert_says("--prefix zzz");
    assert!(!room.path("out.fsm").exists() && !room.path("n1").exists());
    room.run(&[&restore[..], &["--allow-empty"]].concat()).assert_code(0);
}

#[test]
fn changed_missing_or_added_file_in_a_dump_ends_verify_with_2() {
    let room = Room::with_small_snapshot();
    room.run(&["decode", "snapshot.fsm", "dump"]).assert_code(0);
    let file = room.path("dump/redis/db_0/strings/a.bin");
    fs::write(&file, b"9").unwrap();
    let run = room.run(&["verify", "dump"]);
    run.assert_code(2).assert_says("redis/db_0/strings/a.bin");
    assert!(run.stdout.starts_with("NOT SOUND"), "{run:?}");
    fs::remove_file(&file).unwrap();
    room.run(&["verify", "dump"]).assert_code(2).assert_says("redis/db_0/strings/a.bin");
    fs::write(&file, b"1").unwrap();
    room.run(&["verify", "dump"]).assert_code(0);
    fs::write(room.path("dump/extra"), b"").unwrap();
    room.run(&["verify", "dump"]).assert_code(2).assert_says("extra");
    fs::remove_file(room.path("dump/extra")).unwrap();
    fs::remove_file(room.path("dump/CHECKSUMS")).unwrap();
    room.run(&["verify", "dump"]).assert_code(2).assert_says("CHECKSUMS");
}

/// A small file system, unmounted when dropped.
struct SmallDisk<'r>(&'r Room);

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path("disk")).status();
    }
}

#[test]
fn full_disk_ends_with_3_and_gives_its_space_back() {
    let room = Room::with_real_snapshot();
    fs::create_dir(room.path("disk")).unwrap();
    let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=300k", "none"]).arg(room.path("disk")).output();
    if !mount.as_ref().is_ok_and(|mount| mount.status.success()) {
        println!("skipped, cannot mount a tmpfs: {mount:?}");
        return;
    }
    let _disk = SmallDisk(&room);
    let run = room.run(&["decode", "redis-1.fsm", "disk/dump"]);
    run.assert_code(3).assert_says("error: out of space: ");
    assert_eq!(fs::read_dir(room.path("disk")).unwrap().count(), 0);
}
