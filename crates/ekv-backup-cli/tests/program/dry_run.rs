//! `--dry-run` says what a run would do, and does not do it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::SystemTime;

use ekv_testkit::fixtures::ALL_3;
use serde_json::Value;

use crate::support::{Room, Run, end_of, small_snapshot};

const MEMBER: [&str; 3] = ["--peers", "n1=127.0.0.1:2380", "--fresh-cluster"];

/// The same time in every manifest.
const NOW: &str = "1795361820";

/// With a snapshot of each kind, and dumps, archives and a payload of them.
fn room() -> Room {
    let room = Room::new();
    room.write("all.fsm", &ALL_3.bytes());
    room.write("small.fsm", &small_snapshot().build());
    let lossy = small_snapshot().version(b"!redis|str|d", 60, 0x80, 0, b"x").put(b"!redis|str|e", 60, b"\xff\x01\x07");
    room.write("lossy.fsm", &lossy.build());
    let mut damaged = small_snapshot().build();
    *damaged.last_mut().unwrap() ^= 1;
    room.write("damaged.fsm", &damaged);
    run(&room, &["decode", "small.fsm", "small"]).assert_code(0);
    run(&room, &["decode", "all.fsm", "all", "--exclude", "bucket-one/big*"]).assert_code(0);
    run(&room, &["decode", "lossy.fsm", "lossy"]).assert_code(5);
    for dump in ["small", "lossy", "all"] {
        run(&room, &["pack", dump, &format!("{dump}.tar")]).assert_code(if dump == "lossy" { 5 } else { 0 });
    }
    run(&room, &["encode", "small", "small.payload.fsm"]).assert_code(0);
    run(&room, &["decode", "small.fsm", "changed"]).assert_code(0);
    room.write("changed/redis/db_0/strings/a.bin", b"changed");
    room.write("cut.tar", &std::fs::read(room.path("small.tar")).unwrap()[..1024]);
    run(&room, &["decode", "small.fsm", "there"]).assert_code(0);
    room.write("there.fsm", b"something else");
    room.write("there.tar", b"something else");
    std::fs::create_dir(room.path("n-there")).unwrap();
    room
}

fn run(room: &Room, words: &[&str]) -> Run {
    end_of(room.command(words).env("SOURCE_DATE_EPOCH", NOW).spawn().unwrap())
}

/// Everything in the room: paths, with length and time of the last change.
fn listing(room: &Room) -> BTreeMap<PathBuf, (u64, SystemTime)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![room.path(".")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let about = std::fs::symlink_metadata(&path).unwrap();
            if about.is_dir() {
                folders.push(path.clone());
            }
            found.insert(path, (about.len(), about.modified().unwrap()));
        }
    }
    found
}

/// A report without what must be another one in a dry run.
fn comparable(run: &Run) -> Value {
    let text = [&run.stdout, &run.stderr].into_iter().find(|text| text.starts_with('{')).unwrap();
    let mut report: Value = serde_json::from_str(text).unwrap();
    for name in ["dry_run", "published_by", "fsync", "privacy", "duration_ms", "data_dir", "dump"] {
        report.as_object_mut().unwrap().remove(name);
    }
    report
}

#[test]
fn dry_run_creates_nothing_and_ends_and_counts_as_the_run_does() {
    let room = room();
    let restore = |words: &[&'static str]| [words, &MEMBER].concat();
    let cases: Vec<(Vec<&str>, i32)> = vec![
        (vec!["decode", "all.fsm", "d1"], 0),
        (vec!["decode", "all.fsm", "d2.tar.zst", "--prefix", "s::", "--jobs", "1"], 0),
        (vec!["decode", "small.fsm", "a/b/d3", "--parents"], 0),
        (vec!["decode", "small.fsm", "a/c/d4"], 1),
        (vec!["decode", "lossy.fsm", "d5"], 5),
        (vec!["decode", "lossy.fsm", "d6", "--strict"], 2),
        (vec!["decode", "damaged.fsm", "d7"], 2),
        (vec!["decode", "small.fsm", "d8", "typo"], 6),
        (vec!["decode", "small.fsm", "d9", "typo", "--allow-empty"], 0),
        (vec!["decode", "small.fsm", "there"], 1),
        (vec!["decode", "small.fsm", "there.tar"], 1),
        (vec!["decode", "small.fsm", "gone/d10"], 1),
        (vec!["decode", "small.fsm", "d11", "--max-entries", "1"], 2),
        (vec!["decode", "all.fsm", "d12", "--portable-names", "require"], 2),
        (vec!["encode", "all", "e1.fsm"], 0),
        (vec!["encode", "all.tar", "e2.fsm", "--type", "hash,item", "--form", "file"], 0),
        (vec!["encode", "lossy", "e3.fsm"], 2),
        (vec!["encode", "lossy", "e4.fsm", "--accept-losses"], 0),
        (vec!["encode", "changed", "e5.fsm"], 2),
        (vec!["encode", "small", "e6.fsm", "typo"], 6),
        (vec!["encode", "small", "there.fsm"], 1),
        (vec!["encode", "small", "e7.fsm", "a", "typo", "--strict"], 2),
        (restore(&["restore", "all", "n1"]), 0),
        (restore(&["restore", "small.tar", "n2", "a"]), 0),
        (restore(&["restore", "lossy", "n3"]), 2),
        (restore(&["restore", "changed", "n4"]), 2),
        (restore(&["restore", "small", "n5", "typo"]), 6),
        (restore(&["restore", "small", "n-there"]), 1),
        (restore(&["prepare-restore", "small.payload.fsm", "n6"]), 0),
        (restore(&["prepare-restore", "small.payload.fsm", "n-there"]), 1),
        (vec!["pack", "all", "p1.tar.zst"], 0),
        (vec!["pack", "all", "p2.tar", "--type", "object"], 0),
        (vec!["pack", "lossy", "p3.tar"], 5),
        (vec!["pack", "changed", "p4.tar"], 2),
        (vec!["pack", "changed", "p5.tar", "a"], 2),
        (vec!["pack", "small", "p6.tar", "typo"], 6),
        (vec!["pack", "small", "there.tar"], 1),
        (vec!["unpack", "all.tar", "u1"], 0),
        (vec!["unpack", "all.tar", "u2", "dynamodb:users/"], 0),
        (vec!["unpack", "lossy.tar", "u3", "b"], 5),
        (vec!["unpack", "cut.tar", "u4"], 2),
        (vec!["unpack", "cut.tar", "u5", "a"], 2),
        (vec!["unpack", "small.tar", "u6", "typo"], 6),
        (vec!["unpack", "small.tar", "there"], 1),
        (vec!["decode", "small.fsm", "there", "--force"], 0),
        (vec!["encode", "small", "there.fsm", "--force"], 0),
        (vec!["pack", "small", "there.tar", "--force"], 0),
        (vec!["unpack", "small.tar", "there", "--force"], 0),
    ];
    for (words, code) in cases {
        let before = listing(&room);
        let words = [&words[..], &["--json"]].concat();
        let dry = run(&room, &[&words[..], &["--dry-run"]].concat());
        dry.assert_code(code);
        assert!(listing(&room) == before, "{words:?}");
        let real = run(&room, &words);
        real.assert_code(code);
        let (dry_report, real_report) = (comparable(&dry), comparable(&real));
        for (name, value) in real_report.as_object().unwrap() {
            assert_eq!(&dry_report[name], value, "{name} of {words:?}");
        }
        assert_eq!(dry_report.as_object().unwrap().len(), real_report.as_object().unwrap().len(), "{words:?}");
        if code == 0 || code == 5 {
            assert_eq!(dry.json()["dry_run"], true, "{words:?}");
            assert_eq!(real.json().get("dry_run"), None, "{words:?}");
        }
    }
}

#[test]
fn dry_run_tells_people_what_would_be_there_and_no_command_that_needs_it() {
    let room = room();
    for words in [
        &["decode", "all.fsm", "x"][..],
        &["encode", "all", "x.fsm"],
        &["pack", "all", "x.tar", "--exclude", "zz"],
        &["unpack", "all.tar", "x", "--exclude", "zz"],
        &[&["restore", "all", "x"], &MEMBER[..]].concat(),
    ] {
        let shown = run(&room, &[words, &["--dry-run"]].concat()).assert_code(0).stdout.clone();
        for text in ["Dry run: nothing was created. ", "would hold", "  in redis:0/, ", "  in sqs:orders/, ", "item"] {
            assert!(shown.contains(text), "{text}: {shown}");
        }
        for text in ["ekv-backup verify", "prepare-restore", "Next steps", "fsync"] {
            assert!(!shown.contains(text), "{text}: {shown}");
        }
    }
    let stream = run(&room, &["decode", "all.fsm", "-", "--dry-run"]);
    assert_eq!((stream.assert_code(0).stdout.as_str(), stream.stderr.contains("Dry run")), ("", true));
    run(&room, &["decode", "all.fsm", "x", "--dry-run", "--verify"]).assert_code(1).assert_says("cannot be used with");
}

#[test]
fn inspect_counts_what_is_selected_as_a_decode_of_it_does() {
    let room = room();
    for filters in [
        &["--prefix", "s::"][..],
        &["--type", "hash,item,message"],
        &["s3:bucket-empty/", "redis:"],
        &["--adapter", "sqs"],
        &["dynamodb:users/user%2F8"],
        &["--exclude", "*"],
        &["--exclude", "*", "--allow-empty"],
    ] {
        let words = |words: &[&'static str]| [words, filters, &["--json"]].concat();
        let inspected = run(&room, &words(&["inspect", "all.fsm"]));
        let decoded = run(&room, &words(&["decode", "all.fsm", "x", "--dry-run"]));
        inspected.assert_code(decoded.code.unwrap());
        let selected = &inspected.json()["selected"];
        if decoded.code == Some(0) {
            assert_eq!(selected["contents"], decoded.json()["contents"], "{filters:?}");
            assert_eq!(inspected.json()["completeness"], decoded.json()["completeness"], "{filters:?}");
        } else {
            assert_eq!((decoded.code, &selected["contents"]["things"]), (Some(6), &Value::from(0)), "{filters:?}");
            inspected.assert_says("nothing matches --exclude *");
        }
    }
    assert_eq!(run(&room, &["inspect", "all.fsm", "--json"]).assert_code(0).json().get("selected"), None);
    run(&room, &["inspect", "lossy.fsm"]).assert_code(5);
    run(&room, &["inspect", "lossy.fsm", "e"]).assert_code(5);
    run(&room, &["inspect", "damaged.fsm", "a"]).assert_code(2);
}
