//! Limits and habits of the place in which the program runs.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use crate::support::{Room, Run, end_of};

/// Runs a line of `bash` in the room, in which `$0` is the program.
fn run_bash(room: &Room, line: &str) -> Option<Run> {
    let mut command = Command::new("bash");
    command.args(["-c", line, env!("CARGO_BIN_EXE_ekv-backup")]).current_dir(room.path(""));
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    child.inspect_err(|error| println!("skipped, no bash: {error}")).ok().map(end_of)
}

#[test]
fn file_size_limit_is_an_error_like_a_full_disk_on_every_command_and_leaves_nothing() {
    let room = Room::with_real_snapshot();
    room.run(&["decode", "redis-1.fsm", "dump", "--fsync", "none"]).assert_code(0);
    room.run(&["encode", "dump", "payload", "--fsync", "none"]).assert_code(0);
    room.run(&["pack", "dump", "dump.tar", "--fsync", "none"]).assert_code(0);
    let before = room.names();
    let peers = "--peers n1=127.0.0.1:2380 --fresh-cluster";
    for line in [
        "decode redis-1.fsm other".to_owned(),
        "decode redis-1.fsm other.tar".to_owned(),
        "decode - other <redis-1.fsm".to_owned(),
        "encode dump other".to_owned(),
        "pack dump other.tar".to_owned(),
        "unpack dump.tar other".to_owned(),
        format!("prepare-restore payload other {peers}"),
        format!("restore dump other {peers}"),
    ] {
        // In blocks of 1 KiB: less than any of them needs for one file.
        for ignored in ["", "trap '' XFSZ; "] {
            let Some(run) = run_bash(&room, &format!("{ignored}ulimit -f 4; \"$0\" {line}")) else { return };
            assert_eq!(run.code, Some(3), "{ignored}{line}: {run:?}");
            run.assert_says("error: out of space: ").assert_says("File too large");
            assert_eq!(room.names(), before, "{line}");
        }
    }
}

#[test]
fn small_stack_of_the_caller_is_enough() {
    let room = Room::with_small_snapshot();
    for kib in [64, 128, 1024] {
        let Some(run) = run_bash(&room, &format!("ulimit -s {kib}; \"$0\" decode snapshot.fsm dump-{kib}")) else {
            return;
        };
        run.assert_code(0);
        run_bash(&room, &format!("ulimit -s {kib}; \"$0\" verify dump-{kib} && \"$0\" --help")).unwrap().assert_code(0);
    }
}

#[test]
fn clock_after_the_year_9999_is_refused_by_what_states_the_time_and_no_matter_to_the_rest() {
    let room = Room::with_small_snapshot();
    room.run(&["decode", "snapshot.fsm", "dump"]).assert_code(0);
    let libraries = ["/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1", "/usr/lib/faketime/libfaketime.so.1"];
    let Some(library) = libraries.into_iter().find(|path| fs::metadata(path).is_ok()) else {
        println!("skipped, there is no libfaketime");
        return;
    };
    let late = |arguments: &[&str]| {
        let mut command = room.command(arguments);
        end_of(command.env("LD_PRELOAD", library).env("FAKETIME", "+8100y").spawn().unwrap())
    };
    late(&["decode", "snapshot.fsm", "other"])
        .assert_code(1)
        .assert_says("clock shows a time outside the years 0 to 9999");
    late(&["decode", "snapshot.fsm", "other.tar"]).assert_code(1);
    assert!(!room.path("other").exists() && !room.path("other.tar").exists());
    late(&["verify", "dump"]).assert_code(0);
    late(&["inspect", "snapshot.fsm"]).assert_code(0);
    late(&["pack", "dump", "dump.tar"]).assert_code(0);
    late(&["unpack", "dump.tar", "again"]).assert_code(0);
    late(&["encode", "dump", "out.fsm"]).assert_code(0);
    late(&["restore", "dump", "n1", "--peers", "n1=127.0.0.1:2380", "--fresh-cluster"]).assert_code(0);
    late(&["clean"]).assert_code(0);
}

#[test]
fn snapshot_from_after_the_year_9999_is_read_and_written() {
    let room = Room::new();
    let late = 281_474_000_000_000_u64 << 16;
    room.write(
        "late.fsm",
        &ekv_testkit::SnapshotBuilder::new().put(b"a", late, b"1").put(b"b", 253_402_300_800_000 << 16, b"2").build(),
    );
    room.run(&["inspect", "late.fsm"]).assert_code(0);
    room.run(&["inspect", "late.fsm", "--json"]).assert_code(0);
    room.run(&["decode", "late.fsm", "dump", "--verify"]).assert_code(0);
    room.run(&["encode", "dump", "out.fsm"]).assert_code(2).assert_says("ahead of this machine's clock");
    room.run(&["encode", "dump", "out.fsm", "--allow-future-timestamps"]).assert_code(0);
}

#[test]
fn missing_home_and_nameless_program_do_not_matter_and_a_missing_tmpdir_is_named_where_it_is_needed() {
    let room = Room::with_small_snapshot();
    let bare = |arguments: &[&str]| {
        let mut command = room.command(arguments);
        command.env_clear().arg0("");
        end_of(command.spawn().unwrap())
    };
    bare(&["decode", "snapshot.fsm", "dump"]).assert_code(0);
    bare(&["verify", "dump"]).assert_code(0);
    bare(&["--help"]).assert_code(0);
    bare(&[]).assert_code(1).assert_says("Usage: ekv-backup");
    let without_scratch =
        |arguments: &[&str]| end_of(room.command(arguments).env("TMPDIR", "/nonexistent/scratch").spawn().unwrap());
    without_scratch(&["inspect", "snapshot.fsm"]).assert_code(0);
    let mut child = room.command(["inspect", "-"]);
    child.env("TMPDIR", "/nonexistent/scratch").stdin(fs::File::open(room.path("snapshot.fsm")).unwrap());
    end_of(child.spawn().unwrap()).assert_says("/nonexistent/scratch");
}

#[test]
fn numbers_at_their_ends_are_refused_or_work() {
    let room = Room::with_small_snapshot();
    room.run(&["decode", "snapshot.fsm", "dump"]).assert_code(0);
    room.run(&["encode", "dump", "payload"]).assert_code(0);
    let before = room.names();
    let with_peers = |words: &[&str]| room.run(&[words, &["--peers", "n1=127.0.0.1:2380", "--fresh-cluster"]].concat());
    for number in
        ["18446744073709551615", "18446744073709551614", "9223372036854775808", "0", "18446744073709551616", "-1", "x"]
    {
        for (command, input) in [("restore", "dump"), ("prepare-restore", "payload")] {
            for option in ["--index", "--term"] {
                let run = with_peers(&[command, input, "n1", &format!("{option}={number}")]);
                run.assert_code(1).assert_says("from 1 to 9223372036854775807");
            }
        }
    }
    for number in ["0", "-1", "x", "18446744073709551616"] {
        let run = room.run(&["decode", "snapshot.fsm", "other", "--jobs", number]);
        if number != "-1" {
            run.assert_says("expected a number of threads, from 1 on");
        }
        run.assert_code(1);
    }
    assert_eq!(room.names(), before);
    with_peers(&["restore", "dump", "n1", "--index", "9223372036854775807", "--term", "9223372036854775807"])
        .assert_code(0);
    room.run(&["decode", "snapshot.fsm", "other", "--jobs", "10000"]).assert_code(0);
}
