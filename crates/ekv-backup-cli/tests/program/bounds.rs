//! What hostile input may cost in memory: every run has a limit on its address space. The rows are those of SECURITY.md.

use std::io::Write;
use std::process::{Command, Stdio};

use ekv_testkit::redis::{Wide, key, value};
use ekv_testkit::{SnapshotBuilder, SstLayout};

use crate::support::{Room, Run, end_of};

/// Address space of a run, in MiB: the window of zstd takes 128 of it, the sorts of `encode` as much, and the stacks of threads some.
const ADDRESS_SPACE_MIB: u64 = 400;

const PEERS: [&str; 3] = ["--peers", "n=127.0.0.1:50051", "--fresh-cluster"];

/// What keys of 16 MiB may take besides, in MiB: 40 copies of one.
const LONG_KEYS_MIB: u64 = 640;

/// Runs the program within the limit.
fn run(room: &Room, arguments: &[&str]) -> Run {
    run_within(ADDRESS_SPACE_MIB, room, arguments)
}

/// Runs the program within a limit of its address space.
fn run_within(mib: u64, room: &Room, arguments: &[&str]) -> Run {
    let script = format!("ulimit -v {}; exec \"$0\" \"$@\"", mib << 10);
    let mut command = Command::new("sh");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_ekv-backup")]).args(arguments).current_dir(room.path(""));
    // Each arena reserves address space, which is no memory.
    command.env("MALLOC_ARENA_MAX", "1").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    end_of(command.spawn().unwrap())
}

/// Compresses what `write` writes, with a window of 128 MiB.
fn compressed(write: impl Fn(&mut dyn Write)) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(27).unwrap();
    write(&mut encoder);
    encoder.finish().unwrap()
}

fn zeros(output: &mut dyn Write, mib: usize) {
    let piece = vec![0; 1 << 20];
    (0..mib).for_each(|_| output.write_all(&piece).unwrap());
}

/// A header of a tar archive and what pads it, with a path of any length.
fn tar_entry(path: &str, size: usize) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_size(u64::try_from(size).unwrap());
    header.set_mode(0o600);
    header.set_entry_type(tar::EntryType::Regular);
    tar.append_pax_extensions([("path", path.as_bytes())]).unwrap();
    header.set_path("stand-in").unwrap();
    header.set_cksum();
    let mut bytes = tar.into_inner().unwrap();
    bytes.truncate(bytes.len() - 1024);
    bytes.extend_from_slice(header.as_bytes());
    bytes
}

#[test]
fn snapshot_of_any_size_and_shape_is_read_in_the_same_memory() {
    let room = Room::new();
    let small = SnapshotBuilder::new().put(b"k", 20, b"v").build();
    let no_snapshot = compressed(|output| zeros(output, 450));
    let grows = compressed(|output| {
        output.write_all(&small[..32]).unwrap();
        zeros(output, 450);
    });
    let large = SnapshotBuilder::new().put(b"k", 20, &vec![7; 200 << 20]);
    let plain = SstLayout { is_compressed: false, ..SstLayout::default() };
    room.write("sst.fsm", &large.build_sst(&SstLayout::default(), 1));
    room.write("plain-sst.fsm", &large.build_sst(&plain, 1));
    for (name, bytes) in [("no.zst", no_snapshot), ("grows.zst", grows), ("large.fsm", large.build())] {
        room.write(name, &bytes);
    }
    for command in [&["inspect"][..], &["report"], &["decode"]] {
        let to: &[&str] = match command {
            ["decode"] => &["dump.tar", "--fsync", "none", "--force"],
            ["report"] => &["--html", "page.html", "--force"],
            _ => &[],
        };
        let with = |input| [command, &[input], to].concat();
        run(&room, &with("no.zst")).assert_code(2).assert_says("unknown payload magic");
        run(&room, &with("grows.zst")).assert_code(2).assert_says("--max-expansion allows more");
        run(&room, &with("large.fsm")).assert_code(0);
        run(&room, &with("sst.fsm")).assert_code(0);
    }
    run(&room, &["inspect", "plain-sst.fsm"]).assert_code(0);
}

#[test]
fn archive_of_any_size_and_shape_is_read_in_the_same_memory() {
    let room = Room::with_small_snapshot();
    room.run(&["decode", "snapshot.fsm", "sound.tar"]).assert_code(0);
    let sound = std::fs::read(room.path("sound.tar")).unwrap();
    let sound = &sound[..sound.len() - 1024];
    let with = |more: &dyn Fn(&mut dyn Write)| {
        compressed(|output| {
            output.write_all(sound).unwrap();
            more(output);
            output.write_all(&[0; 1024]).unwrap();
        })
    };
    let many = with(&|output| {
        (0..60_000).for_each(|n| output.write_all(&tar_entry(&format!("s3/b/{n}"), 0)).unwrap());
    });
    let large = with(&|output| {
        output.write_all(&tar_entry("s3/b/large", 450 << 20)).unwrap();
        zeros(output, 450);
    });
    let deep = with(&|output| {
        for n in 0..50 {
            output.write_all(&tar_entry(&format!("s3/b/{}{n}", "a/".repeat(8000)), 0)).unwrap();
            output.write_all(&tar_entry(&format!("s3/c/{n}"), 0)).unwrap();
        }
    });
    for (name, bytes, says) in
        [("many", many, ""), ("large", large, "--max-expansion allows more"), ("deep", deep, "imply directories")]
    {
        room.write(name, &bytes);
        let restore = [&["restore", name, "n"][..], &PEERS].concat();
        for command in [&["verify", name][..], &["unpack", name, "back"], &["encode", name, "x.fsm"], &restore] {
            run(&room, command).assert_code(2).assert_says(says);
        }
    }
    let run = run(&room, &["verify", "large", "--max-expansion", "100000"]);
    run.assert_code(2).assert_says("CHECKSUMS does not list it");
}

#[test]
fn manifest_of_any_size_is_read_in_the_same_memory() {
    let room = Room::with_small_snapshot();
    room.run(&["decode", "snapshot.fsm", "dump"]).assert_code(0);
    let sound = std::fs::read_to_string(room.path("dump/MANIFEST.json")).unwrap();
    let with = |member: &str| sound.replacen('{', &format!("{{\"{member}\": \"{}\",", "A".repeat(40_000_000)), 1);
    let many = format!("{{\"queues\": [{}\"q\"]}}", "\"\",".repeat(4_000_000));
    let many = sound.replacen("\"adapters\": {", &format!("\"adapters\": {{ \"sqs\": {many},"), 1);
    for manifest in [many, with("snapshot_index"), with("cluster_id")] {
        assert!(manifest.len() > 10_000_000);
        room.write("dump/MANIFEST.json", manifest.as_bytes());
        for command in
            [&["verify", "dump"][..], &["encode", "dump", "x.fsm"], &["pack", "dump", "x.tar"], &["checksums", "dump"]]
        {
            let run = run(&room, command);
            run.assert_code(2);
            assert!(run.stderr.len() < 1 << 16, "a message of {} bytes", run.stderr.len());
        }
    }
}

/// Whatever looks at records has copies of a few keys; how many keys there are does not matter.
#[test]
fn keys_of_16_mib_take_a_fixed_number_of_copies_however_many_there_are() {
    let room = Room::new();
    let longest = |prefix: &[u8], byte: u8| [prefix, &vec![byte; (16 << 20) - prefix.len()][..]].concat();
    let (string, field) = (key::string(b""), Wide::Hash.element(b"h", b""));
    let build = |bytes: std::ops::Range<u8>| {
        let with = |snapshot: SnapshotBuilder, byte: u8| {
            snapshot.put(&longest(&string, byte), 20, &value::string(b"v", None)).put(&longest(&field, byte), 20, b"v")
        };
        bytes.fold(SnapshotBuilder::new(), with).build()
    };
    room.write("few.fsm", &build(b'a'..b'b'));
    room.write("many.fsm", &build(b'a'..b'g'));
    for name in ["few", "many"] {
        let [snapshot, dump, payload] = ["fsm", "tar", "out.fsm"].map(|ending| format!("{name}.{ending}"));
        let export = format!("{name}.rdb");
        let commands: [(&[&str], i32); 9] = [
            (&["decode", &snapshot, &dump, "--fsync", "none"], 0),
            (&["verify", &dump], 0),
            // They stay in the dump: no server restores such keys.
            (&["encode", &dump, &payload, "--allow-empty", "--fsync", "none"], 5),
            (&["inspect", &snapshot], 0),
            (&["ls", &snapshot], 0),
            (&["get", &snapshot, "redis:0/h"], 0),
            (&["history", &snapshot, "redis:0/h"], 0),
            (&["report", &snapshot], 0),
            (&["export", &snapshot, &export], 0),
        ];
        for (command, code) in commands {
            run_within(ADDRESS_SPACE_MIB + LONG_KEYS_MIB, &room, command).assert_code(code);
        }
    }
}
