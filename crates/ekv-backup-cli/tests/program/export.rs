//! `export`, and RDB files where backups are read, as people and scripts run them.

use std::fs;

use ekv_testkit::vectors::rdb_of_every_type;

use crate::support::{Room, Run};

/// With `a.rdb`, which does not say when it was saved, and a dump of it.
fn room() -> Room {
    let room = Room::new();
    room.write("a.rdb", &rdb_of_every_type());
    room.run(&["decode", "a.rdb", "dump", "--at", "2026-11-30T00:00:00Z"]).assert_code(0);
    room
}

fn prints(run: &Run, text: &str) {
    assert!(run.stdout.contains(text), "{run:?}");
}

#[test]
fn rdb_file_is_looked_into_as_any_backup() {
    let room = room();
    prints(room.run(&["get", "a.rdb", "l"]).assert_code(0), "\"items\"");
    let list = room.run(&["ls", "a.rdb", "-q", "--sort", "name"]).assert_code(0).stdout.clone();
    assert_eq!(list, "redis:0/h\nredis:0/l\nredis:0/s\nredis:0/st\nredis:0/z\nredis:3/x\n");
    assert_eq!(room.run(&["ls", "a.rdb", "-q", "--type", "set"]).assert_code(0).stdout, "redis:0/st\n");
    room.run(&["get", "a.rdb", "nothing"]).assert_code(6);
    room.run(&["diff", "a.rdb", "dump"]).assert_code(0);
    prints(room.run(&["report", "a.rdb"]).assert_code(0), "RDB file 199 B");
    prints(room.run(&["inspect", "a.rdb"]).assert_code(0), "checksum 4250c8bd0cd8ff73 verified");
    room.run(&["history", "a.rdb", "s"]).assert_code(1);
    room.run(&["decode", "a.rdb", "other"]).assert_code(1).assert_says("--at TIME");
    let piped = room.run_with_input(&["ls", "-", "--count"], &rdb_of_every_type());
    assert_eq!(piped.assert_code(0).stdout, "6\n");
}

#[test]
fn export_writes_the_whole_or_nothing_and_says_what_it_did() {
    let room = room();
    prints(room.run(&["export", "dump", "b.rdb"]).assert_code(0), "RDB file b.rdb\n  6 keys, 199 B");
    let bytes = fs::read(room.path("b.rdb")).unwrap();
    room.run(&["export", "dump", "b.rdb"]).assert_code(1).assert_says("--force replaces");
    room.run(&["export", "a.rdb", "b.rdb", "--force", "--json"]).assert_code(0);
    assert!(fs::read(room.path("b.rdb")).unwrap() == bytes);
    let before = room.names();
    prints(room.run(&["export", "dump", "c.rdb", "--dry-run"]).assert_code(0), "Dry run");
    room.run(&["export", "dump", "c.rdb", "--prefix", "nothing"]).assert_code(6);
    room.run(&["export", "dump", "c"]).assert_code(1).assert_says("--format rdb");
    room.run(&["export", "dump", "c.rdb", "--to-db", "3=0", "--to-db", "4=0"]).assert_code(1);
    room.run(&["export", "a.rdb", "c.rdb", "--to-db", "3=99"]).assert_code(1);
    assert_eq!(room.names(), before);
    room.run(&["export", "dump", "c.rdb", "redis:3/", "--to-db", "3=0"]).assert_code(0);
    assert_eq!(room.run(&["ls", "c.rdb", "-q"]).assert_code(0).stdout, "redis:0/x\n");
    let json = room.run(&["export", "dump", "d.rdb", "--json"]).assert_code(0).json();
    assert_eq!((json["written"].as_u64(), json["bytes"].as_u64()), (Some(6), Some(199)));
}

#[test]
fn expiries_are_kept_or_put_off_as_asked() {
    let room = room();
    let expiries = |file: &str| -> Vec<u64> {
        let lines =
            room.run(&["ls", file, "--json", "--sort", "name", "--expired", "keep"]).assert_code(0).stdout.clone();
        let rows = lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        rows.filter_map(|row| row["expire_at_ms"].as_u64()).collect()
    };
    assert_eq!(expiries("a.rdb"), [2_000_000_000_123; 2]);
    let late = ["--at", "2040-01-01T00:00:00Z"];
    let run = room.run(&[&["export", "a.rdb", "late.rdb"][..], &late].concat());
    run.assert_code(0).assert_says("2 Redis keys had expired and stay behind");
    assert_eq!(expiries("late.rdb"), [0; 0]);
    room.run(&[&["export", "a.rdb", "kept.rdb", "--keep-expired"][..], &late].concat()).assert_code(0);
    assert_eq!(expiries("kept.rdb"), [2_000_000_000_123; 2]);
    let early = ["--at", "2000-01-01T00:00:00Z"];
    room.run(&[&["export", "a.rdb", "shifted.rdb", "--shift-expiry"][..], &early].concat()).assert_code(0);
    let shifted = expiries("shifted.rdb");
    assert!(shifted.len() == 2 && shifted.iter().all(|at_ms| *at_ms > 2_800_000_000_000), "{shifted:?}");
}
