//! Environments that a shell, a container or a service manager may give the program.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::inputs::Data;
use super::plan::{DECODE, ENCODE, PACK, RESTORE};
use super::subject::Subject;
use crate::support::{Room, Run, end_of, signal, small_snapshot};

/// Runs a shell script in the room, with the program as `$program`.
fn shell(room: &Room, script: &str) -> Run {
    let program = room.command(["--version"]);
    let mut command = Command::new("sh");
    command.args(["-c", script]).current_dir(room.path(".")).env("program", program.get_program());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    end_of(command.spawn().unwrap())
}

#[test]
fn environment_does_not_change_a_byte_of_the_dump() {
    let room = Room::with_small_snapshot();
    room.run(&["decode", "snapshot.fsm", "plain", "--fsync", "none"]).assert_code(0);
    let plain = room.timeless_tree("plain");
    for (number, environment) in [
        "TZ=Pacific/Kiritimati",
        "TZ=:/nonexistent",
        "LC_ALL=tr_TR.UTF-8 LANG=tr_TR.UTF-8",
        "LC_ALL=C",
        "TMPDIR=/nonexistent",
        "TMPDIR=/proc",
        "TMPDIR=",
        "HOME=/nonexistent",
        "PATH=",
        "TERM=",
        "COLUMNS=1",
    ]
    .iter()
    .enumerate()
    {
        let script = format!("{environment} \"$program\" decode snapshot.fsm out{number} --fsync none");
        shell(&room, &script).assert_code(0);
        assert_eq!(room.timeless_tree(&format!("out{number}")), plain, "{environment}");
    }
    shell(&room, "exec env -i \"$program\" decode snapshot.fsm bare --fsync none").assert_code(0);
    assert_eq!(room.timeless_tree("bare"), plain);
}

#[test]
fn umask_and_descriptor_limits_do_not_change_the_dump() {
    let room = Room::with_small_snapshot();
    room.run(&["decode", "snapshot.fsm", "plain"]).assert_code(0);
    let plain = room.timeless_tree("plain");
    for (number, limit) in ["umask 0", "umask 0777", "umask 0077", "ulimit -n 20", "ulimit -s 256"].iter().enumerate() {
        let out = format!("out{number}");
        let run = shell(&room, &format!("{limit}; exec \"$program\" decode snapshot.fsm {out}"));
        if *limit == "umask 0777" && run.code != Some(0) {
            // A directory without any permission is none that anybody else could not have made.
            assert!(matches!(run.code, Some(1 | 4)) && run.stderr.contains(&out), "{run:?}");
            assert!(!room.path(&out).exists());
            continue;
        }
        run.assert_code(0);
        assert_eq!(room.timeless_tree(&out), plain, "{limit}");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&room.path(&out).join("CHECKSUMS")) & 0o077, 0, "{limit}");
    }
    shell(&room, "ulimit -n 20; exec \"$program\" encode plain payload").assert_code(0);
    shell(&room, "ulimit -n 20; exec \"$program\" verify plain").assert_code(0);
}

#[test]
fn target_paths_of_every_shape_are_taken_or_refused_with_a_reason() {
    let room = Room::with_small_snapshot();
    fs::create_dir_all(room.path("a/b/c")).unwrap();
    let longest = "n".repeat(255);
    let too_long = "n".repeat(256);
    let deep = "../".repeat(30) + "nowhere/at/all/out";
    let cwd = room.path(".").display().to_string();
    let winding = format!("a/b/../../a/./b//c/{longest}");
    let absolute = format!("{cwd}/a/absolute");
    for (target, code) in [
        ("a/b/../up", 0),
        ("./here/", 0),
        (winding.as_str(), 0),
        (absolute.as_str(), 0),
        ("-dash", 1),
        (too_long.as_str(), 1),
        (deep.as_str(), 1),
        ("..", 1),
        (".", 1),
        ("/", 1),
        ("", 1),
        ("snapshot.fsm/below-a-file", 1),
    ] {
        let run = room.run(&["decode", "snapshot.fsm", target, "--fsync", "none"]);
        assert_eq!(run.code, Some(code), "{target}: {run:?}");
        if code == 0 {
            room.run(&["verify", target]).assert_code(0);
        } else {
            assert!(run.stderr.contains("error: "), "{target}: {run:?}");
        }
    }
    room.run(&["decode", "snapshot.fsm", "--fsync", "none", "--", "-dash"]).assert_code(0);
    let found = room.names();
    assert_eq!(found.into_iter().collect::<Vec<_>>(), ["-dash", "a", "here", "snapshot.fsm"]);
}

#[test]
fn snapshot_from_the_future_is_decoded_and_restored_only_on_demand() {
    let room = Room::new();
    // The year 2100 in Unix milliseconds, with 16 bits for the logical clock.
    let future = 4_102_444_800_000_u64 << 16;
    room.write("snapshot.fsm", &small_snapshot().put(b"late", future, b"value").build());
    room.run(&["decode", "snapshot.fsm", "dump"]).assert_code(0);
    room.run(&["verify", "dump"]).assert_code(0);
    let node = |extra: &[&'static str]| {
        let words = ["restore", "dump", "n1", "--peers", "n1=127.0.0.1:2380", "--fresh-cluster"];
        room.run(&words.into_iter().chain(extra.iter().copied()).collect::<Vec<_>>())
    };
    node(&[]).assert_code(2).assert_says("--allow-future-timestamps");
    assert!(!room.path("n1").exists());
    node(&["--allow-future-timestamps"]).assert_code(0);
}

#[test]
fn directory_without_permission_is_refused_with_its_name() {
    let room = Room::with_small_snapshot();
    fs::create_dir(room.path("locked")).unwrap();
    fs::set_permissions(room.path("locked"), fs::Permissions::from_mode(0o555)).unwrap();
    let is_root = shell(&room, "id -u").stdout.trim() == "0";
    // Root may do anything: it becomes nobody first, for whom the rest of the directory is open.
    let become_nobody = if is_root { "setpriv --reuid 65534 --regid 65534 --clear-groups " } else { "" };
    if is_root {
        for (name, mode) in [(".", 0o777), ("snapshot.fsm", 0o644)] {
            fs::set_permissions(room.path(name), fs::Permissions::from_mode(mode)).unwrap();
        }
        shell(&room, "cp \"$program\" program && chmod 755 program");
    }
    let program = if is_root { "./program" } else { "\"$program\"" };
    let run = shell(&room, &format!("exec {become_nobody}{program} decode snapshot.fsm locked/dump"));
    run.assert_code(1).assert_says("locked").assert_says("Permission denied");
    fs::set_permissions(room.path("snapshot.fsm"), fs::Permissions::from_mode(0o000)).unwrap();
    let run = shell(&room, &format!("exec {become_nobody}{program} decode snapshot.fsm dump"));
    run.assert_code(1).assert_says("snapshot.fsm").assert_says("Permission denied");
    assert!(!room.path("dump").exists());
}

#[test]
fn reader_of_the_report_that_goes_away_is_no_failure() {
    let subject = Subject::new(&DECODE, Data::Much);
    let room = subject.room();
    let words = subject.words.join(" ");
    let run = shell(&room, &format!("{{ \"$program\" {words} --json; echo $? >code; }} | true"));
    run.assert_code(0);
    assert_eq!(fs::read_to_string(room.path("code")).unwrap(), "0\n");
    room.run(&["verify", "out"]).assert_code(0);
}

#[test]
fn signal_at_any_moment_leaves_a_whole_output_or_nothing() {
    for plan in [&DECODE, &PACK, &ENCODE, &RESTORE] {
        let subject = Subject::new(plan, Data::Much);
        for (round, name) in ["TERM", "INT", "HUP", "TERM", "INT", "TERM"].iter().enumerate() {
            let room = subject.room();
            let mut child = room.command_that_minds_signals(&subject.words).spawn().unwrap();
            // A moment that differs: so many looks at whether the run has ended.
            for _ in 0..round * 300 {
                if child.try_wait().unwrap().is_some() {
                    break;
                }
            }
            signal(child.id(), name);
            let run = end_of(child);
            let context = format!("{} and SIG{name}: {run:?}", subject.name);
            subject.found(&room, &context);
            match run.code {
                // The signal came before the program listened, or after it was done.
                None | Some(0) => {}
                Some(130) => {
                    assert!(run.stderr.contains("cancelled"), "{context}");
                    assert!(subject.leftovers(&room).is_empty(), "{context}");
                }
                _ => panic!("{context}"),
            }
        }
    }
}
