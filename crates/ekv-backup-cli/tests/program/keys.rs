//! Keys of encrypted values, on the command line.

use std::os::unix::fs::PermissionsExt;

use ekv_testkit::{SnapshotBuilder, encrypted_value, sidecar};

use crate::support::Room;

const KEY: [u8; 32] = *b"a data key that nobody must see!";
const KEK: [u8; 32] = *b"a key for it, as little seen....";

const KEYS: [&str; 4] = ["--encryption-keys", "keys.json", "--kek-file", "kek"];

fn private(room: &Room, name: &str, bytes: &[u8]) {
    room.write(name, bytes);
    std::fs::set_permissions(room.path(name), std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// A room with a snapshot of one encrypted string, its sidecar and its KEK.
fn room() -> Room {
    let room = Room::new();
    let raw_key = [&b"!redis|str|k"[..], &(!20_u64).to_be_bytes()].concat();
    let value = encrypted_value(11, &KEY, &raw_key, 0, b"\xff\x01\0plain text");
    room.write("snapshot.fsm", &SnapshotBuilder::new().last_commit_ts(20).raw(&raw_key, &value).build());
    room.write("keys.json", sidecar(&KEK, &[(11, "storage", KEY)]).as_bytes());
    private(&room, "kek", &KEK);
    private(&room, "key11", &KEY);
    room
}

#[test]
fn every_verb_that_reads_values_takes_keys_and_none_shows_them() {
    let room = room();
    let verbs: [(&[&str], &str); 7] = [
        (&["decode", "snapshot.fsm", "dump"], "11"),
        (&["inspect", "snapshot.fsm", "--json"], "data_keys"),
        (&["ls", "snapshot.fsm"], "k"),
        (&["get", "snapshot.fsm", "k"], "plain text"),
        (&["history", "snapshot.fsm", "k"], "10"),
        (&["report", "snapshot.fsm"], "string"),
        (&["diff", "snapshot.fsm", "snapshot.fsm"], ""),
    ];
    for (verb, says) in verbs {
        let run = room.run(&[verb, &KEYS].concat());
        run.assert_code(0);
        assert!(run.stdout.contains(says), "{verb:?}: {}", run.stdout);
        for secret in [KEY, KEK] {
            let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
            for shown in [std::str::from_utf8(&secret).unwrap(), &hex] {
                assert!(!run.stdout.contains(shown) && !run.stderr.contains(shown), "{verb:?} shows a key");
            }
        }
    }
    let run = room.run(&["decode", "snapshot.fsm", "other", "--data-key", "11=key11"]);
    run.assert_code(0).assert_says("the dump is not encrypted");
    assert_eq!(std::fs::read(room.path("other/redis/db_0/strings/k.bin")).unwrap(), b"plain text");
    room.run(&["get", "snapshot.fsm", "k"]).assert_code(2).assert_says("data key 11, which was not given");
    let without = room.run(&["decode", "snapshot.fsm", "none"]);
    assert!(without.assert_code(5).stdout.contains("data key 11, which was not given"), "{without:?}");
}

#[test]
fn key_from_a_pipe_or_standard_input_is_never_on_a_disk() {
    let room = room();
    let from = |kek| ["get", "snapshot.fsm", "k", "--encryption-keys", "keys.json", "--kek-file", kek];
    for kek in ["-", "/dev/fd/0", "/dev/stdin"] {
        room.run_with_input(&from(kek), &KEK).assert_code(0);
    }
    room.run_with_input(&from("-"), &[&KEK[..], b"\n"].concat()).assert_code(1).assert_says("has more");
}

#[cfg(target_os = "linux")]
#[test]
fn nothing_of_a_process_that_has_keys_can_get_into_a_core_file() {
    let room = room();
    let mut child = room
        .command(["get", "snapshot.fsm", "k", "--encryption-keys", "keys.json", "--kek-file", "-"])
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let limits = format!("/proc/{}/limits", child.id());
    // The key that it waits for comes when the limit is set.
    let is_set = || {
        let limits = std::fs::read_to_string(&limits).unwrap();
        let limit = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        limit.split_whitespace().skip(4).take(2).eq(["0", "0"])
    };
    while !is_set() {
        assert!(child.try_wait().unwrap().is_none(), "it ended before its limit was set");
        std::thread::yield_now();
    }
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), &KEK).unwrap();
    crate::support::end_of(child).assert_code(0);
}

#[test]
fn key_files_that_cannot_be_right_are_refused_before_anything_is_read() {
    let room = room();
    private(&room, "short", &KEK[..31]);
    private(&room, "other", &KEY);
    private(&room, "open", &KEK);
    std::fs::set_permissions(room.path("open"), std::fs::Permissions::from_mode(0o640)).unwrap();
    for (kek, says) in [
        ("short", "has 31"),
        ("other", "data key 11 does not open"),
        ("open", "mode 0640"),
        ("missing", "cannot read it"),
    ] {
        let run = room.run(&["inspect", "no.fsm", "--encryption-keys", "keys.json", "--kek-file", kek]);
        run.assert_code(1).assert_says(says);
    }
    room.write(
        "later.json",
        sidecar(&KEK, &[(11, "storage", KEY)]).replace("\"version\":2", "\"version\":3").as_bytes(),
    );
    let run = room.run(&["inspect", "no.fsm", "--encryption-keys", "later.json", "--kek-file", "kek"]);
    run.assert_code(1).assert_says("version 3");
    for arguments in [
        &["--kek-file", "kek"][..],
        &["--encryption-keys", "keys.json"],
        &["--data-key", "key11"],
        &["--data-key", "0=key11"],
        &["--data-key", "011=key11"],
        &["--data-key", "11="],
    ] {
        room.run(&[&["inspect", "snapshot.fsm"], arguments].concat()).assert_code(1);
    }
    let twice = ["inspect", "snapshot.fsm", "--data-key", "11=key11", "--data-key", "11=other"];
    room.run(&twice).assert_code(1).assert_says("data key 11 is given twice");
}

#[test]
fn clear_value_that_was_encrypted_is_refused_under_strict() {
    let room = room();
    let raw_key = [&b"!redis|str|k"[..], &(!20_u64).to_be_bytes()].concat();
    let mut value = encrypted_value(11, &KEY, &raw_key, 0, b"\xff\x01\0plain text");
    value[0] = 0;
    room.write("rebadged.fsm", &SnapshotBuilder::new().last_commit_ts(20).raw(&raw_key, &value).build());
    let run = room.run(&[&["decode", "rebadged.fsm", "dump", "--strict"], &KEYS[..]].concat());
    run.assert_code(2).assert_says("snapshot_encrypted_integrity");
    assert!(!room.path("dump").exists());
}
