//! What may be given as a snapshot.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::process::Command;

use ekv_testkit::fixtures::{REDIS_1, read};

use crate::support::{Room, end_of, small_snapshot};

#[test]
fn file_compressed_file_and_pipe_become_the_same_dump() {
    let room = Room::with_real_snapshot();
    let compressed = fs::read(REDIS_1.compressed_path()).unwrap();
    room.write("redis-1.fsm.zst", &compressed);
    let named = |input, dump| ["decode", input, dump, "--source-name", "redis-1.fsm"];
    room.run(&named("redis-1.fsm", "file")).assert_code(0);
    room.run(&named("redis-1.fsm.zst", "compressed")).assert_code(0);
    room.run_with_input(&named("-", "pipe"), &REDIS_1.bytes()).assert_code(0);
    room.run_with_input(&named("-", "compressed-pipe"), &compressed).assert_code(0);
    let expected = room.timeless_tree("file");
    for dump in ["compressed", "pipe", "compressed-pipe"] {
        assert!(room.timeless_tree(dump) == expected, "{dump} differs");
        room.run(&["verify", dump]).assert_code(0);
    }
}

#[test]
fn empty_or_cut_pipe_is_an_error() {
    let room = Room::new();
    room.run_with_input(&["decode", "-", "dump"], b"").assert_code(1).assert_says("standard input");
    room.run(&["decode", "-", "dump"]).assert_code(1).assert_says("it is empty");
    let bytes = REDIS_1.bytes();
    let run = room.run_with_input(&["decode", "-", "dump"], &bytes[..bytes.len() / 2]);
    run.assert_code(2).assert_says("standard input");
    assert!(room.names().is_empty());
}

#[test]
fn directory_without_snapshots_is_an_error_that_says_what_was_looked_for() {
    let room = Room::new();
    fs::create_dir(room.path("documents")).unwrap();
    let run = room.run(&["decode", "documents", "dump"]);
    run.assert_code(1).assert_says("documents: no snapshot here").assert_says("fsm-snap");
    assert!(!room.path("dump").exists());
}

#[test]
fn data_directory_of_a_node_is_read_without_being_changed() {
    let room = Room::new();
    tar::Archive::new(read("groups-4.data.tar").as_slice()).unpack(room.path("")).unwrap();
    let before = room.tree("n1");
    let run = room.run(&["decode", "n1", "dump", "--json"]);
    assert_eq!(run.assert_code(0).json()["snapshots"].as_array().unwrap().len(), 2);
    room.run(&["verify", "dump"]).assert_code(0);
    assert!(room.tree("n1") == before, "the data directory was changed");
}

#[test]
fn named_pipe_is_refused_without_waiting_for_a_writer() {
    let room = Room::new();
    assert!(Command::new("mkfifo").arg(room.path("pipe")).status().unwrap().success());
    for command in [&["decode", "pipe", "dump"][..], &["inspect", "pipe"]] {
        room.run(command).assert_code(1).assert_says("pipe: it is a named pipe");
    }
}

#[test]
fn device_is_refused() {
    let room = Room::new();
    room.run(&["decode", "/dev/zero", "dump"]).assert_code(1).assert_says("a device");
}

#[test]
fn names_that_are_no_text_are_accepted() {
    let room = Room::new();
    let (snapshot, dump) = (OsStr::from_bytes(b"\xff.fsm"), OsStr::from_bytes(b"dump-\xfe"));
    if fs::write(room.path(snapshot), small_snapshot().build()).is_err() {
        println!("skipped, the file system takes text only");
        return;
    }
    for arguments in [[OsStr::new("decode"), snapshot, dump].as_slice(), &[OsStr::new("verify"), dump]] {
        end_of(room.command(arguments).spawn().unwrap()).assert_code(0);
    }
}
