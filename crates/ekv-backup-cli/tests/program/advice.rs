//! What is said when something else is named than a command takes.

use std::fs;

use ekv_testkit::SnapshotBuilder;
use ekv_testkit::fixtures::{REDIS_1, read};
use ekv_testkit::redis::key;

use crate::support::{Room, small_snapshot};

/// A room with one of everything: `snapshot.fsm`, `dump`, `dump.tar`, `dump.tar.zst`, `n1`, and files of other programs.
fn room() -> Room {
    let room = Room::with_small_snapshot();
    room.run(&["decode", "snapshot.fsm", "dump"]).assert_code(0);
    room.run(&["pack", "dump", "dump.tar"]).assert_code(0);
    room.run(&["pack", "dump", "dump.tar.zst"]).assert_code(0);
    tar::Archive::new(read("groups-4.data.tar").as_slice()).unpack(room.path("")).unwrap();
    fs::write(room.path("packed.fsm.zst"), fs::read(REDIS_1.compressed_path()).unwrap()).unwrap();
    for (name, first) in [
        ("x.gz", &b"\x1f\x8b\x08\0\0\0\0\0"[..]),
        ("n1.tgz", b"\x1f\x8b\x08\0\0\0\0\0"),
        ("x.xz", b"\xfd7zXZ\0\0\x04"),
        ("x.bz2", b"BZh91AY&SY"),
        ("x.zip", b"PK\x03\x04\x14\0\0\0"),
        ("x.rdb", b"REDIS0011\xfa\x09redis-ver"),
        ("x.json", b"{\n  \"format_version\": 1\n}\n"),
    ] {
        room.write(name, first);
    }
    let packed = zstd::encode_all(&b"\x1f\x8b\x08\0\0\0\0\0"[..], 1).unwrap();
    room.write("x.gz.zst", &packed);
    fs::create_dir(room.path("loose")).unwrap();
    room.write("loose/0000000000000002.fsm", &small_snapshot().build());
    room.write("loose/0000000000000001.fsm", &small_snapshot().build());
    room
}

const PEERS: [&str; 3] = ["--peers", "n1=127.0.0.1:2380", "--fresh-cluster"];

#[test]
fn input_of_another_kind_is_named_with_the_command_that_takes_it() {
    let room = room();
    let before = room.names();
    let tips: [(&[&str], &str, &str); 14] = [
        (&["decode"], "x.gz", "compressed with gzip: gzip -dc x.gz | ekv-backup decode - DUMP"),
        (&["inspect"], "x.gz", "gzip -dc x.gz | ekv-backup inspect -\n"),
        (
            &["decode"],
            "n1.tgz",
            "if it holds snapshots or a data directory, unpack it first: tar -xzf n1.tgz; if it is a dump",
        ),
        (&["inspect"], "x.gz.zst", "zstd -dc x.gz.zst | gzip -dc | ekv-backup inspect -"),
        (&["encode"], "x.gz", "gzip -dc x.gz | ekv-backup encode - SNAPSHOT"),
        (&["decode", "inspect"], "x.xz", "compressed with xz: xz -dc x.xz |"),
        (&["decode", "inspect"], "x.bz2", "compressed with bzip2: bzip2 -dc x.bz2 |"),
        (&["decode", "inspect"], "x.zip", "a zip archive: unzip -p x.zip |"),
        (&["decode"], "dump", "dump is a dump: ekv-backup verify dump checks it, ekv-backup restore dump DATA_DIR"),
        (&["inspect"], "dump", "dump is a dump: ekv-backup report dump says what is in it, ekv-backup verify dump"),
        (&["decode", "inspect"], "dump.tar", "a tar archive: if it is a dump, ekv-backup verify dump.tar"),
        (&["decode", "inspect"], "dump.tar.zst", "a tar archive: if it is a dump, ekv-backup verify dump.tar.zst"),
        (&["decode", "inspect"], "loose", "ekv-backup decode loose/0000000000000002.fsm DUMP"),
        (&["unpack"], "x.gz", "gzip -dc x.gz | ekv-backup unpack - DUMP"),
    ];
    let json = ["decode", "inspect", "verify", "encode", "pack", "checksums", "unpack", "restore", "prepare-restore"];
    let dumps = ["verify", "encode", "pack", "checksums", "unpack", "restore"];
    let more: [(&[&str], &str, &str); 9] = [
        (&["decode", "inspect"], "x.rdb", "have the server save another one (BGSAVE)"),
        (&["verify", "pack", "checksums", "unpack"], "x.rdb", "ekv-backup decode x.rdb DUMP makes one of it"),
        (&["prepare-restore"], "x.rdb", "an RDB file of a Redis or Valkey server"),
        (&json, "x.json", "JSON text"),
        (&dumps, "snapshot.fsm", "a snapshot of elastickv, not a dump: ekv-backup decode snapshot.fsm DUMP"),
        (&dumps, "packed.fsm.zst", "a snapshot of elastickv, not a dump: ekv-backup decode packed.fsm.zst DUMP"),
        (
            &["verify", "encode", "pack", "checksums", "restore"],
            "n1",
            "the data directory of a node, not a dump: ekv-backup decode n1 DUMP",
        ),
        (&["pack", "checksums"], "dump.tar", "an archive: ekv-backup unpack dump.tar DUMP"),
        (&["prepare-restore"], "dump", "dump is a dump: ekv-backup verify dump"),
    ];
    for (commands, input, tip) in tips.into_iter().chain(more) {
        for command in commands {
            let target: &[&str] = match *command {
                "decode" | "encode" | "unpack" => &["other"],
                "pack" => &["other.tar"],
                "restore" | "prepare-restore" => &["other", PEERS[0], PEERS[1], PEERS[2]],
                _ => &[],
            };
            let run = room.run(&[&[command, input][..], target].concat());
            assert!(matches!(run.code, Some(1 | 2)), "{command} {input}: {run:?}");
            assert!(run.stderr.starts_with("error: ") && run.stderr.contains("\ntip: "), "{command} {input}: {run:?}");
            assert!(run.stderr.contains(tip), "{command} {input}: {run:?}");
        }
    }
    assert_eq!(room.names(), before);
}

#[test]
fn stream_of_another_kind_is_named() {
    let room = Room::new();
    let run = room.run_with_input(&["decode", "-", "dump"], b"\x1f\x8b\x08\0\0\0\0\0");
    run.assert_code(2).assert_says("standard input: it is compressed with gzip: put gzip -dc before ekv-backup");
    room.run_with_input(&["inspect", "-"], b"REDIS0011\xfa")
        .assert_code(2)
        .assert_says("standard input: at byte 10: it ends too early");
}

#[test]
fn input_of_the_right_kind_gets_no_tip_whatever_is_wrong_with_it() {
    let room = room();
    fs::write(room.path("dump/extra"), b"").unwrap();
    for arguments in [&["verify", "dump"][..], &["verify", "nothing-here"], &["decode", "nothing-here", "other"]] {
        let run = room.run(arguments);
        assert!(run.code != Some(0) && !run.stderr.contains("tip: "), "{run:?}");
    }
}

#[test]
fn damaged_snapshot_is_to_be_copied_again_or_taken_from_another_node() {
    let room = room();
    let mut bytes = small_snapshot().build();
    bytes[60] ^= 1;
    room.write("damaged.fsm", &bytes);
    for verb in [&["decode", "damaged.fsm", "other"][..], &["inspect", "damaged.fsm"]] {
        room.run(verb).assert_code(2).assert_says("tip: ").assert_says("another node");
    }
}

#[test]
fn urls_and_tildes_are_no_names_of_files() {
    let room = room();
    let before = room.names();
    for input in ["https://host/x.fsm", "gs://b/x"] {
        room.run(&["decode", input, "other"])
            .assert_code(1)
            .assert_says("not URLs; through a pipe: ")
            .assert_says(input);
        room.run(&["verify", input]).assert_code(1).assert_says("not URLs");
        for target in [
            &["decode", "snapshot.fsm", input, "--parents"][..],
            &["pack", "dump", input, "--parents"],
            &["unpack", "dump.tar", input],
        ] {
            room.run(target).assert_code(1).assert_says("not URLs");
        }
    }
    room.run(&["decode", "~/x.fsm", "other"]).assert_code(1).assert_says("\"$HOME\"");
    room.run(&["decode", "snapshot.fsm", "~/dump", "--parents"]).assert_code(1).assert_says("\"$HOME\"");
    room.run(&[&["restore", "dump", "~/n1"][..], &PEERS].concat()).assert_code(1).assert_says("\"$HOME\"");
    assert_eq!(room.names(), before);
    // A directory that does have this name is one.
    fs::create_dir(room.path("~")).unwrap();
    room.run(&["decode", "snapshot.fsm", "~/dump"]).assert_code(0);
}

#[test]
fn error_with_a_way_on_says_it() {
    let room = room();
    let peers = |words: &[&'static str]| [words, &PEERS].concat();
    for words in
        [&["decode", "snapshot.fsm", "dump"][..], &["unpack", "dump.tar", "dump"], &["pack", "dump", "dump.tar"]]
    {
        room.run(words).assert_code(1).assert_says("\ntip: --force replaces ");
    }
    let run = room.run(&peers(&["restore", "dump", "n1"]));
    assert!(!run.assert_code(1).stderr.contains("--force"), "{run:?}");
    room.run(&["decode", "snapshot.fsm", "a b/c/dump"]).assert_code(1).assert_says("tip: --parents creates it");
    for words in [peers(&["restore", "dump", "a b/n2"]), vec!["encode", "dump", "a b/x.fsm"]] {
        room.run(&words).assert_code(1).assert_says("tip: --parents creates it, or: mkdir -p 'a b'");
        let dry = room.run(&[&words[..], &["--parents", "--dry-run"]].concat());
        assert!(dry.assert_code(0).stderr.is_empty() && !room.path("a b").exists(), "{dry:?}");
        room.run(&[&words[..], &["--parents", "--strict", "--prefix", "zz"]].concat()).assert_code(6);
        assert!(!room.path("a b").exists());
        room.run(&[&words[..], &["--parents"]].concat()).assert_code(0);
        fs::remove_dir_all(room.path("a b")).unwrap();
    }
    let mut bytes = small_snapshot().build();
    bytes.truncate(bytes.len() - 4);
    room.write("bare.fsm", &bytes);
    for option in ["--strict", "--require-checksum"] {
        let run = room.run(&["decode", "bare.fsm", "other", option]);
        run.assert_code(2).assert_says(&format!("tip: {option} refuses a snapshot without a checksum"));
    }
    fs::write(room.path("dump/redis/db_0/strings/a.bin"), b"edited").unwrap();
    for words in [peers(&["restore", "dump", "n2"]), vec!["encode", "dump", "x.fsm"]] {
        room.run(&words).assert_code(2).assert_says("tip: if you edited it: ekv-backup checksums dump");
    }
}

#[test]
fn messages_name_the_input_that_is_none() {
    let room = room();
    fs::create_dir(room.path("empty")).unwrap();
    room.run(&["verify", "empty"]).assert_code(2).assert_says("error: empty: this is no complete dump");
    let whole = fs::read(room.path("dump.tar")).unwrap();
    room.write("cut.tar", &whole[..700]);
    for words in [&["verify", "cut.tar"][..], &["unpack", "cut.tar", "other"]] {
        room.run(words)
            .assert_code(2)
            .assert_says("error: cut.tar: ")
            .assert_says(", byte 700: the archive is cut off");
    }
    let run = room.run_with_input(&["verify", "-"], &whole[..700]);
    run.assert_code(2).assert_says("error: standard input: ");
}

#[test]
fn dash_is_standard_input_whatever_has_that_name() {
    let room = room();
    fs::create_dir(room.path("-")).unwrap();
    let archive = fs::read(room.path("dump.tar")).unwrap();
    let snapshot = fs::read(room.path("snapshot.fsm")).unwrap();
    for (words, input) in [
        (&["unpack", "-", "unpacked"][..], &archive),
        (&["verify", "-"], &archive),
        (&["encode", "-", "x.fsm"], &archive),
        (&["restore", "-", "n2", PEERS[0], PEERS[1], PEERS[2]], &archive),
        (&["decode", "-", "decoded"], &snapshot),
        (&["inspect", "-"], &snapshot),
    ] {
        room.run_with_input(words, input).assert_code(0);
    }
    for words in [
        &["pack", "-", "y.tar"][..],
        &["checksums", "-"],
        &["prepare-restore", "-", "n3", PEERS[0], PEERS[1], PEERS[2]],
    ] {
        let run = room.run_with_input(words, b"x");
        run.assert_code(1).assert_says("standard input").assert_says("./-");
    }
    let run = room.run_with_input(&["decode", "-", "other"], b"nothing");
    assert!(run.code == Some(2) && !run.stderr.contains("./-"), "{run:?}");
}

#[test]
fn options_of_compression_that_surprise_are_told() {
    let room = room();
    for (words, note) in [
        (&["decode", "snapshot.fsm", "d1", "--level", "5"][..], "--level has no effect on a directory"),
        (
            &["decode", "snapshot.fsm", "d2.tar", "--level", "5"],
            "--level has no effect on an archive that is not compressed",
        ),
        (&["pack", "dump", "d3.tar.zst", "--compression", "none"], "d3.tar.zst is not compressed, as asked for"),
        (&["pack", "dump", "d4.tar", "--compression", "zstd"], "d4.tar is compressed, as asked for"),
        (&["pack", "dump", "d5"], "d5 is compressed with zstd, which its name does not say"),
    ] {
        room.run(words).assert_code(0).assert_says(&format!("note: {note}"));
    }
    for words in [&["pack", "dump", "d6.tar.zst", "--level", "5"][..], &["decode", "snapshot.fsm", "d7"]] {
        assert_eq!(room.run(words).assert_code(0).stderr, "");
    }
    let verified = room.run(&["decode", "snapshot.fsm", "d8", "--verify"]);
    assert!(verified.assert_code(0).stdout.contains("read once more, as asked: every file is what was written"));
}

#[test]
fn words_for_commands_and_options_lead_to_what_is_meant() {
    let room = room();
    room.run(&["check", "dump"]).assert_code(0);
    room.run(&["info", "snapshot.fsm"]).assert_code(0);
    room.run(&["dump", "snapshot.fsm", "again"]).assert_code(0);
    assert_eq!(room.run(&["version"]).assert_code(0).stdout, room.run(&["--version"]).stdout);
    for (word, meant) in [("backup", "decode"), ("keys", "ls"), ("validate", "verify"), ("import", "restore")] {
        let run = room.run(&[word]);
        run.assert_code(1).assert_says(&format!("'{meant}'"));
        assert!(!run.stderr.contains("checksums"), "{run:?}");
    }
    room.run(&["verify", "dump", "--prefix=user:"]).assert_code(1).assert_says("whole; 'pack'");
    let run = room.run(&["verify", "dump", "--bogus"]);
    assert!(!run.assert_code(1).stderr.contains("-- --bogus"), "{run:?}");
    let run = room.run(&["restore", "dump", "n9", "--peers", "n1=h:1"]);
    run.assert_code(1).assert_says("'--fresh-cluster'").assert_says("'--target-cluster-id <ID>'");
}

#[test]
fn time_that_only_an_older_snapshot_answers_is_refused_with_the_command_that_reads_it() {
    let room = Room::new();
    fs::create_dir_all(room.path("n 1/fsm-snap")).unwrap();
    let second = |n: u64| (n * 1000) << 16;
    let put = |builder: SnapshotBuilder, n: u64, value: &str| {
        builder.put(&key::string(b"a"), second(n), format!("\u{1}{value}").as_bytes())
    };
    let old = put(put(SnapshotBuilder::new(), 20, "a"), 40, "b");
    let new = put(put(SnapshotBuilder::new(), 40, "b"), 100, "c").meta_row("min_retained_ts", second(90));
    room.write("n 1/fsm-snap/0000000000000001.fsm", &old.build());
    room.write("n 1/fsm-snap/0000000000000002.fsm", &new.build());
    let at = "1970-01-01T00:00:30Z";
    for (place, command) in [
        ("n 1", "ekv-backup get 'n 1' a --at 1970-01-01T00:00:30Z --allow-older"),
        (
            "n 1/fsm-snap/0000000000000002.fsm",
            "ekv-backup get 'n 1/fsm-snap/0000000000000001.fsm' a --at 1970-01-01T00:00:30Z",
        ),
    ] {
        let refused = room.run(&["get", place, "a", "--at", at]);
        refused.assert_code(1).assert_says("0000000000000001.fsm, an older snapshot of the group, answers it");
        assert!(refused.stderr.trim_end().ends_with(command) && refused.stdout.is_empty(), "{refused:?}");
    }
    let older = room.run(&["get", "n 1", "a", "--at", at, "--allow-older"]);
    older
        .assert_code(0)
        .assert_says("groups_older_snapshot_for_time")
        .assert_says("took fsm-snap/0000000000000001.fsm");
    let inspect = room.run(&["inspect", "n 1"]).assert_code(0).stdout.clone();
    let all = inspect.split_once("All snapshots here\n").unwrap().1;
    let lines: Vec<&str> = all.lines().map(str::trim).collect();
    assert!(lines[0].starts_with("read") && lines[0].ends_with("fsm-snap/0000000000000002.fsm  Raft index 2"), "{all}");
    assert!(lines[1].starts_with("answerable    from 1970-01-01T00:01:30.000Z"), "{all}");
    assert!(
        lines[3].starts_with("sound") && lines[6] == "not read: a newer one is read: to use this one, name the file",
        "{all}"
    );
}
