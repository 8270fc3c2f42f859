//! Dumps as archives: written, read, packed and unpacked.

use std::fs::{self, File};
use std::io::Write;
use std::process::Stdio;

use ekv_testkit::SnapshotBuilder;

use crate::support::{Room, Run, end_of, small_snapshot};

/// Runs the program with standard output in a file.
fn run_into(room: &Room, file: &str, arguments: &[&str]) -> Run {
    let output = File::create(room.path(file)).unwrap();
    end_of(room.command(arguments).stdout(Stdio::from(output)).spawn().unwrap())
}

#[test]
fn decode_writes_the_same_dump_into_a_directory_and_an_archive() {
    let room = Room::with_real_snapshot();
    room.run(&["decode", "redis-1.fsm", "dump"]).assert_code(0);
    for archive in ["dump.tar", "dump.tar.zst"] {
        let run = room.run(&["decode", "redis-1.fsm", archive, "--verify"]);
        run.assert_code(0);
        assert!(run.stdout.contains(&format!("check it any time: ekv-backup verify {archive}")), "{run:?}");
        room.run(&["verify", archive]).assert_code(0);
        let unpacked = archive.replace('.', "-");
        room.run(&["unpack", archive, &unpacked]).assert_code(0);
        assert_eq!(room.timeless_tree(&unpacked), room.timeless_tree("dump"));
        room.run(&["verify", &unpacked]).assert_code(0);
    }
    assert!(
        fs::metadata(room.path("dump.tar.zst")).unwrap().len() < fs::metadata(room.path("dump.tar")).unwrap().len()
    );
}

#[test]
fn decode_to_standard_output_is_a_tar_stream_and_the_report_goes_elsewhere() {
    let room = Room::with_small_snapshot();
    let run = run_into(&room, "stream.tar", &["decode", "snapshot.fsm", "-", "--json"]);
    run.assert_code(0).assert_says("\"published_by\": \"stream\"");
    run_into(&room, "stream.zst", &["decode", "snapshot.fsm", "-", "--compression", "zstd"]).assert_code(0);
    for stream in ["stream.tar", "stream.zst"] {
        let bytes = fs::read(room.path(stream)).unwrap();
        let run = room.run_with_input(&["verify", "-"], &bytes);
        assert!(run.assert_code(0).stdout.starts_with("Sound: -"), "{run:?}");
    }
    room.run(&["decode", "snapshot.fsm", "-", "--verify"]).assert_code(1).assert_says("--verify cannot read");
}

#[test]
fn two_packs_are_equal_and_unpacking_gives_the_dump_back() {
    let room = Room::with_real_snapshot();
    room.run(&["decode", "redis-1.fsm", "dump"]).assert_code(0);
    room.run(&["pack", "dump", "one.tar.zst"]).assert_code(0);
    room.run(&["pack", "--input", "dump", "--output", "two.tar.zst"]).assert_code(0);
    run_into(&room, "three", &["pack", "dump", "-"]).assert_code(0);
    let one = fs::read(room.path("one.tar.zst")).unwrap();
    assert!(one == fs::read(room.path("two.tar.zst")).unwrap() && one == fs::read(room.path("three")).unwrap());
    room.run_with_input(&["unpack", "-", "back"], &one).assert_code(0);
    assert_eq!(room.tree("back"), room.tree("dump"));
    room.run(&["pack", "back", "four.tar", "--level", "9", "--compression", "zstd"]).assert_code(0);
    assert!(fs::read(room.path("four.tar")).unwrap().starts_with(&[0x28, 0xb5, 0x2f, 0xfd]));
}

#[test]
fn dump_that_is_not_sound_is_neither_packed_nor_unpacked() {
    let room = Room::with_small_snapshot();
    room.run(&["decode", "snapshot.fsm", "dump"]).assert_code(0);
    room.run(&["pack", "dump", "sound.tar"]).assert_code(0);
    let mut bytes = fs::read(room.path("sound.tar")).unwrap();
    fs::write(room.path("dump/redis/db_0/strings/a.bin"), "changed").unwrap();
    let names = room.names();
    let run = room.run(&["pack", "dump", "broken.tar"]);
    run.assert_code(2).assert_says("problem: redis/db_0/strings/a.bin: the contents do not match CHECKSUMS");
    assert_eq!(room.names(), names);
    run_into(&room, "stream", &["pack", "dump", "-", "--compression", "none"]).assert_code(2);
    let stream = fs::read(room.path("stream")).unwrap();
    room.run_with_input(&["verify", "-"], &stream).assert_code(2).assert_says("the archive is cut off");
    fs::remove_file(room.path("stream")).unwrap();

    let content = bytes.windows(2).position(|pair| pair == b"1\0").unwrap();
    bytes[content] = b'2';
    room.write("sound.tar", &bytes);
    room.run(&["verify", "sound.tar"]).assert_code(2);
    room.run(&["unpack", "sound.tar", "back"]).assert_code(2);
    assert_eq!(room.names(), names);
}

#[test]
fn limits_are_kept_by_every_command_that_reads() {
    let room = Room::with_small_snapshot();
    room.run(&["decode", "snapshot.fsm", "dump.tar"]).assert_code(0);
    room.run(&["unpack", "dump.tar", "dump"]).assert_code(0);
    room.run(&["encode", "dump", "payload.fsm"]).assert_code(0);
    room.run(&["export", "snapshot.fsm", "keys.rdb"]).assert_code(0);
    let names = room.names();
    let peers = ["--peers", "n=127.0.0.1:50051", "--fresh-cluster"];
    let with_peers = |command: &[&'static str]| [command, &peers].concat();
    let mut commands: Vec<Vec<&str>> = Vec::new();
    for dump in ["dump", "dump.tar"] {
        commands.extend([vec!["verify", dump], vec!["encode", dump, "x.fsm"], with_peers(&["restore", dump, "n"])]);
    }
    commands.extend([vec!["unpack", "dump.tar", "back"], vec!["pack", "dump", "x.tar"], vec!["checksums", "dump"]]);
    commands.extend([vec!["decode", "snapshot.fsm", "back"], vec!["inspect", "snapshot.fsm"]]);
    commands.push(with_peers(&["prepare-restore", "payload.fsm", "n"]));
    for source in ["snapshot.fsm", "dump", "dump.tar", "keys.rdb"] {
        commands.extend([vec!["ls", source], vec!["report", source], vec!["diff", source, "snapshot.fsm"]]);
        commands.extend([vec!["export", source, "y.rdb"], vec!["load", source, "redis://127.0.0.1:1"]]);
    }
    commands.extend([vec!["history", "snapshot.fsm", "a"], vec!["index", "snapshot.fsm"], vec!["inspect", "keys.rdb"]]);
    commands.extend([vec!["decode", "keys.rdb", "back"], vec!["encode", "keys.rdb", "x.fsm"]]);
    for command in commands {
        for (limit, option) in [("48", "--max-bytes"), ("2", "--max-entries")] {
            let run = room.run(&[&command[..], &[option, limit]].concat());
            run.assert_code(2).assert_says(&format!("{option} allows more"));
        }
    }
    assert_eq!(room.names(), names);
}

#[test]
fn input_that_grows_beyond_its_limit_is_refused_with_the_option_that_allows_more() {
    let room = Room::new();
    let value = vec![0; 17 << 20];
    let snapshot = SnapshotBuilder::new().put(b"zeros", 20, &value).build();
    room.write("snapshot.fsm.zst", &zstd::encode_all(&snapshot[..], 3).unwrap());
    room.write("snapshot.fsm", &snapshot);
    // What it wrote itself, it reads again.
    room.run(&["decode", "snapshot.fsm", "dump.tar.zst", "--verify"]).assert_code(0);
    let names = room.names();
    let peers = ["--peers", "n=127.0.0.1:50051", "--fresh-cluster"];
    let restore = [&["restore", "dump.tar.zst", "n"][..], &peers].concat();
    let commands: [&[&str]; 6] = [
        &["decode", "snapshot.fsm.zst", "back"],
        &["inspect", "snapshot.fsm.zst"],
        &["verify", "dump.tar.zst"],
        &["unpack", "dump.tar.zst", "back"],
        &["encode", "dump.tar.zst", "x.fsm"],
        &restore,
    ];
    for command in commands {
        room.run(command).assert_code(2).assert_says("--max-expansion allows more");
        assert_eq!(room.names(), names);
    }
    for command in [&["inspect", "snapshot.fsm.zst"], &["verify", "dump.tar.zst"]] {
        room.run(&[&command[..], &["--max-expansion", "40000"]].concat()).assert_code(0);
    }
}

#[test]
fn scratch_files_go_where_that_was_asked_for() {
    let room = Room::with_small_snapshot();
    room.write("snapshot.fsm.zst", &zstd::encode_all(&small_snapshot().build()[..], 3).unwrap());
    room.run(&["decode", "snapshot.fsm", "dump.tar"]).assert_code(0);
    // Without an index it is decompressed into a scratch file.
    room.write("dump.tar.zst", &zstd::encode_all(&fs::read(room.path("dump.tar")).unwrap()[..], 3).unwrap());
    let peers = ["--peers", "n=127.0.0.1:50051", "--fresh-cluster"];
    let restore = [&["restore", "dump.tar.zst", "n"][..], &peers].concat();
    let commands: [&[&str]; 4] = [
        &["inspect", "snapshot.fsm.zst"],
        &["decode", "snapshot.fsm.zst", "dump"],
        &["encode", "dump.tar.zst", "x.fsm"],
        &restore,
    ];
    let names = room.names();
    for command in commands {
        let run = room.run(&[command, &["--scratch-dir", "no/such/place"]].concat());
        run.assert_code(1).assert_says("cannot create a scratch file in no/such/place");
        assert_eq!(room.names(), names);
    }
    fs::create_dir(room.path("place")).unwrap();
    for command in commands {
        // The directory of the environment is not asked.
        let arguments = [command, &["--scratch-dir", "place"]].concat();
        end_of(room.command(arguments).env("TMPDIR", room.path("none")).spawn().unwrap()).assert_code(0);
    }
    assert!(fs::read_dir(room.path("place")).unwrap().next().is_none(), "nothing is left there");
}

#[test]
fn archive_with_a_damaged_index_is_read_whole_with_a_warning_and_verify_refuses_it() {
    let room = Room::with_small_snapshot();
    room.run(&["decode", "snapshot.fsm", "dump.tar.zst"]).assert_code(0);
    room.run(&["verify", "dump.tar.zst"]).assert_code(0);
    room.run(&["encode", "dump.tar.zst", "a.fsm", "--strict"]).assert_code(0);
    let mut bytes = fs::read(room.path("dump.tar.zst")).unwrap();
    let frames_stated = bytes.len() - 9;
    bytes[frames_stated] ^= 1;
    room.write("dump.tar.zst", &bytes);
    let told = "the table of frames of the archive";
    room.run(&["verify", "dump.tar.zst"]).assert_code(2).assert_says(told);
    room.run_with_input(&["verify", "-"], &bytes).assert_code(2).assert_says(told);
    room.run(&["encode", "dump.tar.zst", "b.fsm"]).assert_code(0).assert_says("all of the archive was read");
    for command in [&["ls", "dump.tar.zst"][..], &["get", "dump.tar.zst", "a"]] {
        room.run(command).assert_code(0).assert_says(told);
    }
    room.run(&["unpack", "dump.tar.zst", "dump"]).assert_code(0);
    assert_eq!(fs::read(room.path("a.fsm")).unwrap(), fs::read(room.path("b.fsm")).unwrap());
}

#[test]
fn archive_without_an_index_is_listed_with_a_note_and_one_with_it_without() {
    let room = Room::with_small_snapshot();
    room.run(&["decode", "snapshot.fsm", "dump.tar.zst"]).assert_code(0);
    let tar = zstd::decode_all(&fs::read(room.path("dump.tar.zst")).unwrap()[..]).unwrap();
    room.write("again.tar.zst", &zstd::encode_all(&tar[..], 3).unwrap());
    for command in [&["ls", "dump.tar.zst"][..], &["ls", "again.tar.zst", "--quiet"]] {
        assert_eq!(room.run(command).assert_code(0).stderr, "");
    }
    room.run(&["ls", "again.tar.zst"]).assert_code(0).assert_says("the archive has no index: all of it was read");
}

#[test]
fn archive_of_the_folder_itself_is_read_by_every_command() {
    let room = Room::with_real_snapshot();
    room.run(&["decode", "redis-1.fsm", "dump", "--adapter", "redis"]).assert_code(0);
    let mut tar = tar::Builder::new(Vec::new());
    tar.append_dir_all("backups/my dump", room.path("dump")).unwrap();
    let bytes = tar.into_inner().unwrap();
    room.write("dump.tar", &bytes);
    room.write("dump.tar.zst", &zstd::encode_all(&bytes[..], 3).unwrap());
    room.run(&["encode", "dump", "a.fsm"]).assert_code(0);
    for archive in ["dump.tar", "dump.tar.zst"] {
        room.run(&["verify", archive]).assert_code(0);
        room.run_with_input(&["verify", "-"], &fs::read(room.path(archive)).unwrap()).assert_code(0);
        room.run(&["unpack", archive, "back"]).assert_code(0);
        assert!(room.tree("back") == room.tree("dump"));
        fs::remove_dir_all(room.path("back")).unwrap();
        room.run(&["encode", archive, "b.fsm", "--force"]).assert_code(0);
        assert!(fs::read(room.path("a.fsm")).unwrap() == fs::read(room.path("b.fsm")).unwrap());
        let peers = ["--peers", "n=127.0.0.1:50051", "--fresh-cluster"];
        room.run(&[&["restore", archive, "n"][..], &peers].concat()).assert_code(0);
        fs::remove_dir_all(room.path("n")).unwrap();
    }
    let mut two = tar::Builder::new(Vec::new());
    two.append_dir_all("one", room.path("dump")).unwrap();
    two.append_dir_all("two", room.path("dump")).unwrap();
    room.write("two.tar", &two.into_inner().unwrap());
    room.run(&["verify", "two.tar"]).assert_code(2).assert_says("an archive holds one dump");
}

#[test]
fn archives_are_encoded_as_directories_are() {
    let room = Room::with_real_snapshot();
    room.run(&["decode", "redis-1.fsm", "dump", "--adapter", "redis"]).assert_code(0);
    room.run(&["pack", "dump", "dump.tar"]).assert_code(0);
    room.run(&["pack", "dump", "dump.tar.zst"]).assert_code(0);
    for (dump, payload) in [("dump", "a.fsm"), ("dump.tar", "b.fsm"), ("dump.tar.zst", "c.fsm")] {
        room.run(&["encode", dump, payload]).assert_code(0);
    }
    let bytes = fs::read(room.path("dump.tar.zst")).unwrap();
    room.run_with_input(&["encode", "-", "d.fsm"], &bytes).assert_code(0);
    let payload = fs::read(room.path("a.fsm")).unwrap();
    for other in ["b.fsm", "c.fsm", "d.fsm"] {
        assert!(fs::read(room.path(other)).unwrap() == payload, "{other}");
    }
    room.run(&["restore", "dump.tar.zst", "node", "--peers", "node=127.0.0.1:50051", "--fresh-cluster"]).assert_code(0);
}

#[test]
fn archive_that_exists_is_replaced_only_if_it_is_a_file_and_that_was_asked_for() {
    let room = Room::with_small_snapshot();
    room.run(&["decode", "snapshot.fsm", "dump.tar"]).assert_code(0);
    let first = fs::read(room.path("dump.tar")).unwrap();
    room.run(&["decode", "snapshot.fsm", "dump.tar"]).assert_code(1).assert_says("dump.tar exists already");
    room.run(&["decode", "snapshot.fsm", "dump.tar", "--force", "--at", "hlc:20"]).assert_code(0);
    assert!(fs::read(room.path("dump.tar")).unwrap() != first);
    fs::create_dir(room.path("directory.tar")).unwrap();
    room.run(&["decode", "snapshot.fsm", "directory.tar", "--force"]).assert_code(1);
    room.run(&["decode", "snapshot.fsm", "a/b/dump.tar"]).assert_code(1);
    room.run(&["decode", "snapshot.fsm", "a/b/dump.tar", "--parents"]).assert_code(0);
    room.run(&["verify", "a/b/dump.tar"]).assert_code(0);
}

#[test]
fn archive_is_never_made_inside_the_dump_that_it_holds() {
    let room = Room::with_small_snapshot();
    room.run(&["decode", "snapshot.fsm", "dump"]).assert_code(0);
    let dump = room.tree("dump");
    for target in ["dump/x.tar", "dump/redis/x.tar"] {
        room.run(&["pack", "dump", target]).assert_code(1).assert_says("lies inside the dump");
    }
    assert_eq!(room.tree("dump"), dump);
    room.run(&["unpack", "dump", "back"]).assert_code(1).assert_says("dump is a directory, not an archive");
}

#[test]
fn reader_that_goes_away_ends_a_stream_with_an_error() {
    let room = Room::with_real_snapshot();
    let mut child = room.command(["decode", "redis-1.fsm", "-"]).spawn().unwrap();
    drop(child.stdout.take());
    end_of(child).assert_code(4).assert_says("cannot write standard output: Broken pipe");
}

#[test]
fn killed_pack_leaves_nothing_that_looks_like_an_archive_and_clean_removes_what_it_left() {
    let room = Room::with_small_snapshot();
    // The run waits for input that does not come, with its staging directory in place.
    room.run(&["decode", "snapshot.fsm", "dump.tar"]).assert_code(0);
    let half = fs::read(room.path("dump.tar")).unwrap()[..1024].to_vec();
    let mut child = room.command(["unpack", "-", "back"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&half).unwrap();
    while !room.names().iter().any(|name| name.contains(".ekv-staging-")) {
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    drop(stdin);
    assert!(!room.names().contains("back"));
    room.run(&["clean"]).assert_code(0);
    assert_eq!(room.names().into_iter().collect::<Vec<_>>(), ["dump.tar", "snapshot.fsm"]);
}

#[test]
fn error_about_a_path_in_an_archive_names_the_archive() {
    let room = Room::with_small_snapshot();
    room.run(&["decode", "snapshot.fsm", "sound.tar"]).assert_code(0);
    let sound = fs::read(room.path("sound.tar")).unwrap();
    let mut header = tar::Header::new_ustar();
    header.as_old_mut().name[..4].copy_from_slice(b"../x");
    header.set_size(0);
    header.set_cksum();
    let odd = [&sound[..sound.len() - 1024], header.as_bytes(), &[0; 1024]].concat();
    room.write("odd.tar", &odd);
    for words in [&["verify", "odd.tar"][..], &["unpack", "odd.tar", "back"], &["encode", "odd.tar", "x.fsm"]] {
        room.run(words).assert_code(2).assert_says("error: odd.tar, byte ");
    }
}
