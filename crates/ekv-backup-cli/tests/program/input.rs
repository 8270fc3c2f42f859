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
fn named_pipe_and_a_pipe_that_a_descriptor_names_are_read_as_standard_input_is() {
    let room = Room::with_small_snapshot();
    let snapshot = small_snapshot().build();
    room.run(&["decode", "snapshot.fsm", "dump.tar"]).assert_code(0);
    assert!(Command::new("mkfifo").arg(room.path("pipe")).status().unwrap().success());
    let through_the_pipe = |arguments: &[&str], bytes: &[u8]| {
        let child = room.command(arguments).spawn().unwrap();
        // Waits for the reader.
        let written = fs::write(room.path("pipe"), bytes);
        let run = end_of(child);
        written.unwrap();
        run
    };
    through_the_pipe(&["inspect", "pipe"], &snapshot).assert_code(0);
    through_the_pipe(&["decode", "pipe", "dump"], &snapshot).assert_code(0);
    through_the_pipe(&["verify", "pipe"], &fs::read(room.path("dump.tar")).unwrap()).assert_code(0);
    through_the_pipe(&["inspect", "pipe"], b"").assert_code(1).assert_says("pipe: no snapshot here: it is empty");
    for (file, command) in [("snapshot.fsm", "inspect"), ("dump.tar", "verify")] {
        let bytes = fs::read(room.path(file)).unwrap();
        room.run_with_input(&[command, "/dev/stdin"], &bytes).assert_code(0);
        for script in [
            format!("cat {file} | \"$0\" {command} /dev/fd/3 3<&0 </dev/null"),
            format!("\"$0\" {command} /dev/fd/3 3<{file}"),
            format!("\"$0\" {command} /dev/stdin <{file}"),
            format!("{{ cat {file}; }} | \"$0\" {command} /dev/fd/0"),
        ] {
            let mut shell = Command::new("sh");
            shell.args(["-c", &script, env!("CARGO_BIN_EXE_ekv-backup")]).current_dir(room.path(""));
            let output = shell.output().unwrap();
            assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
        }
    }
}

#[test]
fn device_is_read_as_a_stream_and_nothing_is_kept_of_one_that_holds_no_snapshot() {
    let room = Room::new();
    let missing = ["--scratch-dir", "missing"];
    let run = room.run(&[&["decode", "/dev/zero", "dump"][..], &missing].concat());
    run.assert_code(2).assert_says("/dev/zero: unknown payload magic");
    room.run(&["inspect", "/dev/null"]).assert_code(1).assert_says("it is empty");
}

#[test]
fn compressed_stream_of_nothing_is_refused_as_nothing_is_by_every_command_that_reads_one() {
    let room = Room::new();
    let skippable = b"\x50\x2a\x4d\x18\x01\0\0\0x".to_vec();
    for nothing in [zstd::encode_all(&b""[..], 3).unwrap(), skippable] {
        room.write("nothing.zst", &nothing);
        for input in ["-", "nothing.zst"] {
            for command in [&["decode", input, "dump"][..], &["inspect", input]] {
                room.run_with_input(command, &nothing).assert_code(1).assert_says("it is empty");
            }
            let peers = ["--peers", "n=127.0.0.1:50051", "--fresh-cluster"];
            let restore = [&["restore", input, "n"][..], &peers].concat();
            let others = [&["verify", input][..], &["unpack", input, "dump"], &["encode", input, "x.fsm"], &restore];
            for command in others {
                let run = room.run_with_input(command, &nothing);
                run.assert_code(2).assert_says("the archive is cut off: it ends before its first byte");
            }
        }
    }
    assert_eq!(room.names().into_iter().collect::<Vec<_>>(), ["nothing.zst"]);
}

#[test]
fn compressed_file_that_begins_with_a_skippable_frame_is_read_by_every_command() {
    let room = Room::with_small_snapshot();
    let skippable = b"\x5e\x2a\x4d\x18\x04\0\0\0size";
    let framed = |bytes: &[u8]| [skippable, &zstd::encode_all(bytes, 3).unwrap()[..], skippable].concat();
    room.write("snapshot.fsm.zst", &framed(&small_snapshot().build()));
    let named = |input, dump| ["decode", input, dump, "--source-name", "snapshot.fsm"];
    room.run(&named("snapshot.fsm", "plain")).assert_code(0);
    room.run(&named("snapshot.fsm.zst", "dump")).assert_code(0);
    assert_eq!(room.timeless_tree("dump"), room.timeless_tree("plain"));
    room.run(&["pack", "dump", "dump.tar"]).assert_code(0);
    // The bytes decide, whatever the name says.
    room.write("dump.zip", &framed(&fs::read(room.path("dump.tar")).unwrap()));
    room.run(&["verify", "dump.zip"]).assert_code(0);
    room.run(&["unpack", "dump.zip", "back"]).assert_code(0);
    assert_eq!(room.tree("back"), room.tree("dump"));
    room.run(&["encode", "dump.zip", "x.fsm"]).assert_code(0);
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
