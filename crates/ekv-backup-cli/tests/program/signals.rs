//! Runs that are told to stop. The test holds the pipe, so that a run is where the test wants it when the signal comes.

use std::io::Write;
use std::process::{Child, ChildStdin, Stdio};

use ekv_testkit::fixtures::REDIS_2;

use crate::support::{Room, end_of, minding_signals, signal};

/// More bytes than a pipe holds: once they are written the program has begun to read.
const HEAD_LEN: usize = 600_000;

/// A decode that has read a part of its input and waits for more.
fn half_fed(room: &Room) -> (Child, ChildStdin) {
    let mut child = room.command_that_minds_signals(["decode", "-", "dump"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&REDIS_2.bytes()[..HEAD_LEN]).unwrap();
    (child, stdin)
}

#[test]
fn stopped_run_ends_with_130_and_leaves_nothing_behind() {
    for name in ["TERM", "INT", "HUP", "XCPU"] {
        let room = Room::new();
        let (child, mut stdin) = half_fed(&room);
        signal(child.id(), name);
        // The program looks up whenever something arrives; once it is gone nothing can be written any more.
        while stdin.write_all(b"x").is_ok() {}
        end_of(child).assert_code(130).assert_says("error: cancelled");
        assert!(room.names().is_empty(), "{name}: {:?}", room.names());
    }
}

#[test]
fn signals_that_come_at_once_leave_nothing_behind_either() {
    // `timeout` sends SIGTERM to its child and then to the group of both, a session that ends SIGTERM and SIGHUP.
    for (first, second) in [("TERM", "TERM"), ("TERM", "HUP"), ("INT", "TERM")] {
        let room = Room::with_real_snapshot();
        let child = room.command_that_minds_signals(["decode", "redis-1.fsm", "dump", "--jobs", "1"]).spawn().unwrap();
        let id = child.id();
        // Once the staging directory is there, there is something to leave behind.
        while !room.names().iter().any(|name| name.contains("staging") || name == "dump") {
            std::thread::yield_now();
        }
        let line = format!(
            "kill -{first} {id}; i=0; while [ $i -lt 20 ]; do kill -{second} {id} 2>/dev/null; i=$((i+1)); done"
        );
        drop(std::process::Command::new("sh").arg("-c").arg(line).status());
        let run = end_of(child);
        assert!(matches!(run.code, Some(0 | 130)), "{run:?}");
        assert!(!room.names().iter().any(|name| name.contains("staging")), "{first}, {second}: {:?}", room.names());
    }
}

#[test]
fn second_signal_ends_a_run_that_waits_for_a_silent_pipe() {
    let room = Room::new();
    let (child, stdin) = half_fed(&room);
    let id = child.id();
    let waiter = std::thread::spawn(move || end_of(child));
    // Signals that come together count once: send until the program is gone.
    while !waiter.is_finished() {
        drop(std::process::Command::new("sh").arg("-c").arg(format!("kill -TERM {id} 2>/dev/null")).status());
    }
    waiter.join().unwrap().assert_code(130);
    drop(stdin);
    assert!(room.names().is_empty());
}

/// A decode that `sh` starts after `trap`, and that has read a part of its input and waits for more.
fn half_fed_under(room: &Room, trap: &str) -> (Child, ChildStdin) {
    let mut command = minding_signals("sh".as_ref());
    let line = format!("{trap}; exec \"$0\" decode - dump --fsync none");
    command.args(["-c", &line, env!("CARGO_BIN_EXE_ekv-backup")]).current_dir(room.path(""));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&REDIS_2.bytes()[..HEAD_LEN]).unwrap();
    (child, stdin)
}

#[cfg(target_os = "linux")]
#[test]
fn signal_that_was_ignored_at_the_start_stays_ignored_and_the_others_do_not() {
    let stopping = ["HUP", "INT", "TERM", "XCPU"];
    for ignored in stopping {
        let room = Room::new();
        let (child, mut stdin) = half_fed_under(&room, &format!("trap '' {ignored}"));
        for _ in 0..3 {
            signal(child.id(), ignored);
        }
        stdin.write_all(&REDIS_2.bytes()[HEAD_LEN..]).unwrap();
        drop(stdin);
        end_of(child).assert_code(0);
        room.run(&["verify", "dump"]).assert_code(0);

        let other = stopping[(stopping.iter().position(|name| *name == ignored).unwrap() + 1) % stopping.len()];
        let room = Room::new();
        let (child, mut stdin) = half_fed_under(&room, &format!("trap '' {ignored}"));
        signal(child.id(), other);
        while stdin.write_all(b"x").is_ok() {}
        end_of(child).assert_code(130).assert_says("error: cancelled");
        assert!(room.names().is_empty(), "{other}: {:?}", room.names());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn run_in_the_background_of_a_script_is_not_stopped_by_ctrl_c() {
    let room = Room::new();
    room.write("snapshot.fsm", &REDIS_2.bytes());
    // A shell without job control starts a background command with SIGINT and SIGQUIT ignored.
    let line = "mkfifo pipe; \"$0\" decode - dump --fsync none <pipe & exec 3>pipe; kill -INT $!; cat snapshot.fsm >&3; exec 3>&-; wait $!";
    let mut command = std::process::Command::new("sh");
    command.args(["-c", line, env!("CARGO_BIN_EXE_ekv-backup")]).current_dir(room.path(""));
    end_of(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()).assert_code(0);
    room.run(&["verify", "dump"]).assert_code(0);
}
