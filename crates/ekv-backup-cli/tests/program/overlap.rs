//! A command never replaces what it reads, and never writes into it.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::process::Stdio;

use crate::support::{Room, end_of};

/// A snapshot, a dump of it, an archive and a payload, and second names of all.
fn room() -> Room {
    let room = Room::with_small_snapshot();
    room.run(&["decode", "snapshot.fsm", "dump"]).assert_code(0);
    room.run(&["pack", "dump", "dump.tar"]).assert_code(0);
    room.run(&["encode", "dump", "out.fsm"]).assert_code(0);
    fs::create_dir(room.path("node")).unwrap();
    fs::create_dir(room.path("data")).unwrap();
    symlink("dump", room.path("way")).unwrap();
    ["hard", "hard.fsm"].iter().for_each(|name| fs::hard_link(room.path("dump.tar"), room.path(name)).unwrap());
    room
}

/// Everything in the room.
fn everything(room: &Room) -> impl PartialEq + std::fmt::Debug {
    (room.names(), room.tree("."))
}

#[track_caller]
fn assert_refused(room: &Room, arguments: &[&str]) {
    let before = everything(room);
    let run = room.run(arguments);
    run.assert_code(1);
    assert!(run.stderr.contains("is what is read") || run.stderr.contains(" lies in"), "{arguments:?}: {run:?}");
    assert!(everything(room) == before, "{arguments:?}: {run:?}");
}

#[test]
fn target_that_is_read_by_the_same_command_is_refused_on_every_verb() {
    let room = room();
    let peers = ["--peers", "n1=h:1", "--fresh-cluster"];
    for arguments in [
        &["decode", "snapshot.fsm", "snapshot.fsm", "--compression", "zstd", "--force"][..],
        &["decode", "snapshot.fsm", "./snapshot.fsm", "--compression", "none", "--force"],
        &["encode", "hard.fsm", "hard.fsm", "--force"],
        &["encode", "dump.tar", "hard.fsm", "--force"],
        &["encode", "dump.tar", "./way/../hard.fsm", "--force"],
        &["unpack", "dump.tar", "hard", "--force"],
        &["pack", "dump", "dump/inner.tar"],
        &["pack", "dump", "way/inner.tar"],
        &["pack", "dump", "dump/redis/inner.tar", "--force"],
        &["encode", "dump", "dump/out.fsm"],
        &["encode", "way", "dump/redis/out.fsm", "--force"],
        &["restore", "dump", "dump/n1", peers[0], peers[1], peers[2]],
        &["decode", "data", "data/dump"],
        &["decode", "data", "data/missing/dump", "--parents"],
        &["decode", "snapshot.fsm", "node/dump", "--blob-source", "node"],
        &["decode", "snapshot.fsm", "out.fsm", "--blob-source", "out.fsm", "--compression", "none", "--force"],
    ] {
        assert_refused(&room, arguments);
    }
}

#[test]
fn input_inside_of_what_would_be_replaced_is_refused() {
    for (file, verb) in [("snapshot.fsm", "decode"), ("dump.tar", "unpack")] {
        let room = room();
        let inside = format!("dump/{file}");
        fs::rename(room.path(file), room.path(&inside)).unwrap();
        assert_refused(&room, &[verb, &inside, "dump", "--force"]);
        assert_refused(&room, &[verb, &format!("way/{file}"), "dump", "--force"]);
        // A link that lies elsewhere leads into it.
        symlink(&inside, room.path("link")).unwrap();
        assert_refused(&room, &[verb, "link", "dump", "--force"]);
    }
}

#[test]
fn standard_input_from_a_file_counts_as_that_file() {
    let room = room();
    fs::rename(room.path("snapshot.fsm"), room.path("dump/snapshot.fsm")).unwrap();
    for (arguments, input) in [
        (&["decode", "-", "dump", "--force"][..], "dump/snapshot.fsm"),
        (&["decode", "/dev/stdin", "dump", "--force"], "dump/snapshot.fsm"),
        (&["unpack", "-", "hard", "--force"], "dump.tar"),
        (&["encode", "-", "hard.fsm", "--force"], "dump.tar"),
    ] {
        let before = everything(&room);
        let mut command = room.command(arguments);
        let run = end_of(command.stdin(File::open(room.path(input)).unwrap()).spawn().unwrap());
        run.assert_code(1);
        assert!(everything(&room) == before, "{arguments:?}: {run:?}");
    }
}

#[test]
fn standard_output_into_what_is_read_is_refused() {
    let room = room();
    for (arguments, output) in
        [(&["pack", "dump", "-"][..], "dump/inner.tar"), (&["decode", "snapshot.fsm", "-"], "snapshot.fsm")]
    {
        let file = File::options().append(true).create(true).open(room.path(output)).unwrap();
        let before = everything(&room);
        let run = end_of(room.command(arguments).stdout(Stdio::from(file)).spawn().unwrap());
        run.assert_code(1);
        assert!(everything(&room) == before, "{arguments:?}: {run:?}");
    }
}

#[test]
fn old_dump_with_files_of_somebody_is_not_replaced_by_any_verb() {
    let room = room();
    room.write("dump/notes.txt", b"mine");
    for arguments in [&["decode", "snapshot.fsm", "dump", "--force"][..], &["unpack", "dump.tar", "dump", "--force"]] {
        let before = everything(&room);
        room.run(arguments).assert_code(1).assert_says("notes.txt");
        assert!(everything(&room) == before, "{arguments:?}");
    }
    fs::remove_file(room.path("dump/notes.txt")).unwrap();
    room.run(&["decode", "snapshot.fsm", "dump", "--force"]).assert_code(0);
    room.run(&["unpack", "dump.tar", "dump", "--force"]).assert_code(0);
}

#[test]
fn report_says_what_keeps_the_output_private() {
    let room = room();
    for arguments in [
        &["decode", "snapshot.fsm", "d", "--json"][..],
        &["decode", "snapshot.fsm", "d.tar", "--json"],
        &["pack", "dump", "e.tar", "--json"],
        &["unpack", "dump.tar", "u", "--json"],
        &["encode", "dump", "e.fsm", "--json"],
        &["prepare-restore", "out.fsm", "n1", "--peers", "n1=h:1", "--fresh-cluster", "--json"],
        &["restore", "dump", "n2", "--peers", "n1=h:1", "--fresh-cluster", "--json"],
    ] {
        assert_eq!(room.run(arguments).assert_code(0).json()["privacy"], "modes", "{arguments:?}");
    }
}
