//! `index` and `--cache`: quicker, or as without; never a failure.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::Command;

use ekv_testkit::SnapshotBuilder;
use ekv_testkit::redis::key;

use crate::support::{Room, Run, end_of};

const USED: &str = "is read by its index";
const KEPT: &str = "its index kept";

/// With `s.fsm`: two keys.
fn room() -> Room {
    let room = Room::new();
    let at = 1_000_000_u64 << 16;
    let snapshot = SnapshotBuilder::new()
        .put(&key::string(b"a"), at, b"\xff\x01\0one")
        .put(&key::string(b"b"), at, b"\xff\x01\0two")
        .build();
    room.write("s.fsm", &snapshot);
    room
}

/// The program, with the user's cache in the room.
fn command(room: &Room, arguments: &[&str]) -> Command {
    let mut command = room.command(arguments);
    command.env("XDG_CACHE_HOME", room.path("cache"));
    command
}

fn run(room: &Room, arguments: &[&str]) -> Run {
    end_of(command(room, arguments).spawn().unwrap())
}

/// The index that was kept.
fn index(room: &Room) -> PathBuf {
    let entries = fs::read_dir(room.path("cache/ekv-backup")).unwrap();
    let [index] = entries.map(|entry| entry.unwrap().path()).collect::<Vec<_>>().try_into().unwrap();
    index
}

const GET: [&str; 5] = ["get", "s.fsm", "a", "--cache", "--verbose"];

#[test]
fn second_run_reads_by_the_index_that_the_first_one_kept_and_says_what_that_means() {
    let room = room();
    let first = run(&room, &GET);
    assert_eq!(first.assert_code(0).assert_says(KEPT).stdout, "one");
    let second = run(&room, &GET);
    assert_eq!(second.assert_code(0).assert_says(USED).assert_says("the rest is not read again").stdout, "one");
    for words in [
        &["ls", "s.fsm", "--cache", "-v"][..],
        &["history", "s.fsm", "a", "--cache", "-v"],
        &["diff", "s.fsm", "s.fsm", "--cache", "-v"],
    ] {
        run(&room, words).assert_code(0).assert_says(USED);
    }
    let quiet = run(&room, &["get", "s.fsm", "b", "--cache"]);
    assert!(quiet.assert_code(0).stderr.is_empty() && quiet.stdout == "two", "{quiet:?}");
    assert_eq!(run(&room, &["get", "s.fsm", "c", "--cache"]).assert_code(6).stdout, "");
}

#[test]
fn script_keeps_nothing_unless_it_asks_for_it() {
    let room = room();
    for words in [
        &["get", "s.fsm", "a"][..],
        &["ls", "s.fsm"],
        &["get", "s.fsm", "a", "--cache", "--no-cache"],
        &["inspect", "s.fsm"],
    ] {
        run(&room, words).assert_code(0);
    }
    assert!(!room.path("cache").exists());
}

#[test]
fn index_is_for_its_owner_alone() {
    let room = room();
    run(&room, &["index", "s.fsm"]).assert_code(0);
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode(room.path("cache/ekv-backup")), mode(index(&room))), (0o700, 0o600));
    // What others could have written is not believed, and not touched.
    let with_mode = |path: PathBuf, mode: u32| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    with_mode(room.path("cache/ekv-backup"), 0o770);
    let get = run(&room, &GET);
    assert_eq!(get.assert_code(0).assert_says("no index of it is kept").stdout, "one");
    with_mode(room.path("cache/ekv-backup"), 0o700);
    with_mode(index(&room), 0o620);
    run(&room, &GET).assert_code(0).assert_says(KEPT).assert_says("others can write to it");
    run(&room, &GET).assert_code(0).assert_says(USED);
}

#[test]
fn index_command_tells_what_it_kept_and_why_it_keeps_nothing() {
    let room = room();
    let first = run(&room, &["index", "s.fsm", "--json"]);
    let row = first.assert_code(0).json()["indexes"][0].clone();
    assert_eq!((row["snapshot"].as_str(), row["index"].as_str()), (Some("s.fsm"), index(&room).to_str()));
    assert_eq!(row["bytes"].as_u64(), Some(fs::metadata(index(&room)).unwrap().len()));
    let second = run(&room, &["index", "s.fsm"]);
    assert!(second.assert_code(0).stdout.starts_with("s.fsm: has "), "{second:?}");
    run(&room, &["get", "s.fsm", "a", "--cache", "-v"]).assert_says(USED);
    let torn = SnapshotBuilder::new().put(&key::string(b"a"), 7 << 16, b"\xff\x01\0one").raw(b"short", b"");
    room.write("odd.fsm", &torn.build());
    run(&room, &["index", "odd.fsm"])
        .assert_code(1)
        .assert_says("odd.fsm: no index is kept: something about it is odd");
    run(&room, &["index", "none.fsm"]).assert_code(1);
    let mut homeless = room.command(["index", "s.fsm"]);
    homeless.env_remove("XDG_CACHE_HOME").env_remove("HOME");
    end_of(homeless.spawn().unwrap()).assert_code(1).assert_says("there is no directory for indexes");
    let mut at_home = room.command(["index", "s.fsm"]);
    at_home.env("XDG_CACHE_HOME", "relative").env("HOME", room.path("home"));
    end_of(at_home.spawn().unwrap()).assert_code(0);
    assert!(room.path("home/.cache/ekv-backup").is_dir());
}

#[test]
fn whatever_lies_where_an_index_is_kept_no_run_fails_and_nothing_is_lost() {
    let room = room();
    run(&room, &["index", "s.fsm"]).assert_code(0);
    let place = index(&room);
    let right = fs::read(&place).unwrap();
    let works = |says: &str| {
        let get = run(&room, &GET);
        assert_eq!(get.assert_code(0).assert_says(says).stdout, "one");
    };
    let none = "no index of it is kept";
    // A link, even to a sound index.
    fs::rename(&place, room.path("elsewhere")).unwrap();
    symlink(room.path("elsewhere"), &place).unwrap();
    works(none);
    assert_eq!(fs::read(room.path("elsewhere")).unwrap(), right);
    fs::remove_file(&place).unwrap();
    fs::create_dir(&place).unwrap();
    fs::write(place.join("mine"), "x").unwrap();
    works(none);
    assert!(place.join("mine").exists());
    fs::remove_dir_all(&place).unwrap();
    assert!(Command::new("mkfifo").arg(&place).status().unwrap().success());
    works(none);
    fs::remove_file(&place).unwrap();
    // Another program's, or a later version's.
    fs::write(&place, [b"EKVSIDX2", &right[8..]].concat()).unwrap();
    works("another version of this program wrote it");
    works(USED);
    // No directory can be made.
    fs::remove_dir_all(room.path("cache")).unwrap();
    room.write("cache", b"a file");
    works(none);
    assert_eq!(fs::read(room.path("cache")).unwrap(), b"a file");
}

#[test]
fn runs_that_keep_an_index_at_the_same_time_leave_one_that_is_sound() {
    let room = room();
    for _ in 0..4 {
        let runs: Vec<_> = (0..4).map(|_| command(&room, &GET).spawn().unwrap()).collect();
        for child in runs {
            assert_eq!(end_of(child).assert_code(0).stdout, "one");
        }
        run(&room, &GET).assert_code(0).assert_says(USED);
        fs::remove_file(index(&room)).unwrap();
    }
}
