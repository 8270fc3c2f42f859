//! Runs that are told to stop. The test holds the pipe, so that a run is where the test wants it when the signal comes.

use std::io::Write;
use std::process::{Child, ChildStdin, Stdio};

use ekv_testkit::fixtures::REDIS_2;

use crate::support::{Room, end_of, signal};

/// More bytes than a pipe holds: once they are written the program has begun to read.
const HEAD_LEN: usize = 600_000;

/// A decode that has read a part of its input and waits for more.
fn half_fed(room: &Room) -> (Child, ChildStdin) {
    let mut child = room.command(["decode", "-", "dump"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&REDIS_2.bytes()[..HEAD_LEN]).unwrap();
    (child, stdin)
}

#[test]
fn stopped_run_ends_with_130_and_leaves_nothing_behind() {
    for name in ["TERM", "INT"] {
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
