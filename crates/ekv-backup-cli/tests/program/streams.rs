//! Standard output and standard error that are full, closed, or left by their reader.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::process::{Command, Stdio};

use crate::support::{Room, Run, end_of};

/// A device on which nothing can be written; `None` where there is none.
fn full() -> Option<File> {
    OpenOptions::new().write(true).open("/dev/full").inspect_err(|error| println!("skipped: {error}")).ok()
}

/// A pipe that nobody reads.
fn left_by_its_reader() -> Stdio {
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    Stdio::from(writer)
}

fn run_into(room: &Room, arguments: &[&str], stdout: Stdio) -> Run {
    end_of(room.command(arguments).stdout(stdout).spawn().unwrap())
}

/// Commands that print something, in an order in which each finds what it needs.
const PRINTING: [&[&str]; 14] = [
    &["decode", "snapshot.fsm", "dump"],
    &["verify", "dump"],
    &["inspect", "snapshot.fsm"],
    &["inspect", "snapshot.fsm", "--json"],
    &["checksums", "dump"],
    &["encode", "dump", "out.fsm"],
    &["prepare-restore", "out.fsm", "n1", "--peers", "n1=127.0.0.1:2380", "--fresh-cluster"],
    &["restore", "dump", "n2", "--peers", "n2=127.0.0.1:2380", "--fresh-cluster"],
    &["pack", "dump", "dump.tar"],
    &["unpack", "dump.tar", "again"],
    &["clean"],
    &["completions", "bash"],
    &["manual"],
    &["version"],
];

/// What the parser prints.
const HELP: [&[&str]; 5] = [&["--help"], &["-h"], &["--version"], &["help", "decode"], &["restore", "--help"]];

#[test]
fn full_standard_output_is_told_by_every_command_and_ends_with_3() {
    let room = Room::with_small_snapshot();
    for arguments in PRINTING.into_iter().chain(HELP) {
        let Some(full) = full() else { return };
        let run = run_into(&room, arguments, Stdio::from(full));
        assert_eq!(run.code, Some(3), "{arguments:?}: {run:?}");
        assert!(run.stderr.contains("error: ") && run.stderr.contains("No space left"), "{arguments:?}: {run:?}");
    }
    // What was done stands: only its report is missing.
    assert!(room.path("dump/CHECKSUMS").exists() && room.path("n1").is_dir() && room.path("again").is_dir());
    let Some(full) = full() else { return };
    run_into(&room, &["verify", "dump", "--quiet"], Stdio::from(full)).assert_code(0);
}

#[test]
fn verdict_of_a_check_stands_when_it_cannot_be_printed() {
    let room = Room::with_small_snapshot();
    room.run(&["decode", "snapshot.fsm", "dump"]).assert_code(0);
    room.write("dump/extra", b"");
    let Some(full) = full() else { return };
    run_into(&room, &["verify", "dump"], Stdio::from(full)).assert_code(2).assert_says("problem: ");
}

#[test]
fn reader_that_goes_away_is_no_failure_of_a_report() {
    let room = Room::with_small_snapshot();
    for arguments in PRINTING.into_iter().chain(HELP) {
        let run = run_into(&room, arguments, left_by_its_reader());
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{arguments:?}");
    }
}

#[test]
fn reader_that_goes_away_is_a_failure_of_an_archive() {
    let room = Room::with_small_snapshot();
    room.run(&["decode", "snapshot.fsm", "dump"]).assert_code(0);
    for arguments in [&["decode", "snapshot.fsm", "-"][..], &["pack", "dump", "-"]] {
        let run = run_into(&room, arguments, left_by_its_reader());
        run.assert_code(4).assert_says("stopped reading before the end of the archive");
    }
}

/// Runs a line of `sh` in the room, in which `$0` is the program.
fn run_shell(room: &Room, line: &str) -> Run {
    let mut command = Command::new("sh");
    command.args(["-c", line, env!("CARGO_BIN_EXE_ekv-backup")]).current_dir(room.path(""));
    end_of(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
}

#[test]
fn closed_standard_output_is_told() {
    let room = Room::with_small_snapshot();
    for arguments in PRINTING.into_iter().chain(HELP) {
        let run = run_shell(&room, &format!("\"$0\" {} >&-", arguments.join(" ")));
        run.assert_code(0).assert_says("standard output is closed, or the null device");
    }
    let run = run_shell(&room, "\"$0\" verify dump -q >&-");
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    for line in ["\"$0\" decode snapshot.fsm - >&-", "\"$0\" pack dump - >&-"] {
        run_shell(&room, line).assert_code(1).assert_says("the archive would be kept nowhere");
    }
    for line in ["ls snapshot.fsm", "history snapshot.fsm a", "diff snapshot.fsm snapshot.fsm", "report snapshot.fsm"] {
        let run = run_shell(&room, &format!("\"$0\" {line} >&-"));
        run.assert_code(0).assert_says("standard output is closed, or the null device");
    }
    run_shell(&room, "\"$0\" get snapshot.fsm a >&-").assert_code(1).assert_says("the content would be kept nowhere");
    // A shell that throws the report away knows what it does.
    let run = run_shell(&room, "\"$0\" verify dump >/dev/null");
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    run_shell(&room, "\"$0\" inspect snapshot.fsm 1</dev/null").assert_code(4).assert_says("cannot be printed");
}

#[test]
fn closed_or_full_standard_error_and_closed_standard_input_change_no_exit_code() {
    let room = Room::with_small_snapshot();
    room.run(&["decode", "snapshot.fsm", "dump"]).assert_code(0);
    for (line, code) in [
        ("\"$0\" verify dump 2>&-", 0),
        ("\"$0\" verify nope 2>&-", 1),
        ("\"$0\" verify nope 2>/dev/full", 1),
        ("\"$0\" --bogus 2>/dev/full", 1),
        ("\"$0\" verify dump <&- 2>&- >&-", 0),
        ("\"$0\" decode - other <&-", 1),
    ] {
        assert_eq!(run_shell(&room, line).code, Some(code), "{line}");
    }
    assert!(!room.path("other").exists());
}

#[test]
fn report_beside_an_archive_that_cannot_be_printed_is_told_in_the_exit_code() {
    let room = Room::with_small_snapshot();
    let Some(full) = full() else { return };
    let child = room.command(["decode", "snapshot.fsm", "-"]).stderr(Stdio::from(full)).spawn().unwrap();
    end_of_archive(child, 3);
}

/// Waits for a run whose standard output is an archive.
fn end_of_archive(child: std::process::Child, code: i32) {
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(code));
    assert!(tar::Archive::new(output.stdout.as_slice()).entries().unwrap().count() > 2);
}

#[test]
fn dumb_terminal_gets_neither_colour_nor_progress() {
    let room = Room::with_small_snapshot();
    let on_terminal = |term: &str| {
        let line = format!("TERM={term} {} verify nope", env!("CARGO_BIN_EXE_ekv-backup"));
        let mut command = Command::new("script");
        command.args(["-qec", &line, "/dev/null"]).current_dir(room.path("")).env_remove("NO_COLOR");
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        command.spawn().ok().map(|child| end_of(child).stdout)
    };
    let (Some(dumb), Some(able)) = (on_terminal("dumb"), on_terminal("xterm")) else {
        println!("skipped, there is no `script`");
        return;
    };
    assert!(dumb.contains("error: ") && !dumb.contains('\x1b'), "{dumb:?}");
    assert!(able.contains("\x1b[1;31merror"), "{able:?}");
}

#[test]
fn progress_fits_into_a_narrow_terminal() {
    let room = Room::with_real_snapshot();
    let program = env!("CARGO_BIN_EXE_ekv-backup");
    for columns in [20, 40, 80] {
        // The output of the terminal is what the program drew.
        let line =
            format!("stty rows 24 cols {columns}; TERM=xterm {program} decode redis-1.fsm dump-{columns} >/dev/null");
        let mut command = Command::new("script");
        command.args(["-qec", &line, "/dev/null"]).current_dir(room.path(""));
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let Ok(child) = command.spawn() else {
            println!("skipped, there is no `script`");
            return;
        };
        let drawn = end_of(child).stdout;
        assert!(fs::metadata(room.path(format!("dump-{columns}"))).is_ok(), "{drawn}");
        let text = without_controls(&drawn);
        for row in text.split(['\r', '\n']) {
            assert!(row.chars().count() <= columns, "{columns}: {row:?}");
        }
    }
}

/// What is seen of the output of a terminal: its control sequences (ESC [ … letter) taken out.
fn without_controls(drawn: &str) -> String {
    let mut seen = String::new();
    let mut rest = drawn;
    while let Some((before, after)) = rest.split_once("\x1b[") {
        seen.push_str(before);
        let end = after.find(|c: char| c.is_ascii_alphabetic()).map_or(after.len(), |at| at + 1);
        rest = &after[end..];
    }
    seen + rest
}
