//! GNU tar, which is on every machine that builds this, reads our archives, and we read what it writes.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use ekv_files::archive::{ArchiveLimits, Compression};
use ekv_files::sink::{ArchiveSink, DirOptions, DirSink, ExistingTarget, Fsync, MemoryDump, MemorySink};
use ekv_files::source::{ArchiveSource, DirSource, ScopedSource};
use ekv_model::NoMonitor;
use ekv_spill::SystemScratch;

use super::support::*;

/// Runs tar in a directory; answers whether it exists.
fn tar(place: &Path, arguments: &[&str]) -> bool {
    match Command::new("tar").args(arguments).current_dir(place).output() {
        Ok(output) => {
            assert!(output.status.success(), "tar {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
            true
        }
        Err(error) => {
            eprintln!("skipped: cannot run tar: {error}");
            false
        }
    }
}

fn unsynced() -> DirOptions {
    DirOptions { existing: ExistingTarget::Refuse, fsync: Fsync::None }
}

#[test]
fn tar_unpacks_our_archives_and_sha256sum_accepts_them() {
    let room = tempfile::tempdir().unwrap();
    let sink = ArchiveSink::create(&room.path().join("dump.tar"), &options(Compression::None), unsynced()).unwrap();
    write_dump(Box::new(sink));
    if !tar(room.path(), &["-xf", "dump.tar", "--one-top-level=dump"]) {
        return;
    }
    let mut source = DirSource::open(&room.path().join("dump"), Arc::new(SystemScratch::new())).unwrap();
    let verification = ekv_dump::verify::verify(&mut source, &scratch(), 1 << 20, &NoMonitor).unwrap();
    assert!(verification.is_sound(), "{}", verification.problems);
    let mut sums = Command::new("sha256sum");
    sums.args(["--check", "--strict", "--quiet", "CHECKSUMS"]).current_dir(room.path().join("dump"));
    assert!(sums.status().unwrap().success());
    let listed = Command::new("tar").args(["-tvf", "dump.tar"]).current_dir(room.path()).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(listed.lines().all(|line| line.contains(" 0/0 ")), "{listed}");
}

#[test]
fn we_read_what_tar_writes_in_each_of_its_formats() {
    let room = tempfile::tempdir().unwrap();
    let dump = room.path().join("dump");
    write_dump(Box::new(DirSink::create(&dump, unsynced()).unwrap()));
    for format in ["gnu", "pax", "posix", "oldgnu"] {
        for root in [".", "CHECKSUMS MANIFEST.json redis"] {
            let format_argument = format!("--format={format}");
            let mut arguments = vec!["-cf", "theirs.tar", format_argument.as_str(), "-C", "dump"];
            arguments.extend(root.split(' '));
            if !tar(room.path(), &arguments) {
                return;
            }
            let bytes = fs::read(room.path().join("theirs.tar")).unwrap();
            assert_eq!(unpack(&bytes, ArchiveLimits::default()).unwrap(), Some(entries()), "{format}, {root}");
        }
    }
}

#[test]
fn we_read_archives_of_version_7_and_those_with_a_label_or_lists_of_names() {
    let room = tempfile::tempdir().unwrap();
    let dump = room.path().join("dump");
    write_dump(Box::new(DirSink::create(&dump, unsynced()).unwrap()));
    let lists = ["--listed-incremental", "names"];
    for options in [&["--format=gnu", "--label", "of a tape"][..], &["--format=posix", "--label", "x"], &lists] {
        if !tar(room.path(), &[&["-cf", "theirs.tar"][..], options, &["-C", "dump", "."]].concat()) {
            return;
        }
        let bytes = fs::read(room.path().join("theirs.tar")).unwrap();
        assert_eq!(unpack(&bytes, ArchiveLimits::default()).unwrap(), Some(entries()), "{options:?}");
    }
    // Names of more than 99 bytes, as this dump has them, do not fit into version 7.
    fs::remove_dir_all(dump.join("redis")).unwrap();
    assert!(tar(room.path(), &["-cf", "old.tar", "--format=v7", "-C", "dump", "."]));
    let mut bytes = fs::read(room.path().join("old.tar")).unwrap();
    let problems = check(&bytes, ArchiveLimits::default()).unwrap().problems;
    assert!(!problems.first.is_empty() && problems.to_string().contains("redis"), "{problems}");
    bytes[0] ^= 1;
    let error = check(&bytes, ArchiveLimits::default()).unwrap_err();
    assert!(error.to_string().contains("neither like a tar archive"), "{error}");
}

#[test]
fn packing_a_directory_writes_its_entries_in_byte_order_of_their_paths() {
    let room = tempfile::tempdir().unwrap();
    let dump = room.path().join("dump");
    write_dump(Box::new(DirSink::create(&dump, unsynced()).unwrap()));
    let mut source = DirSource::open(&dump, Arc::new(SystemScratch::new())).unwrap();
    let output = Shared::default();
    let sink = ArchiveSink::stream(Box::new(output.clone()), "a stream", &options(Compression::None)).unwrap();
    let mut ordered = source.in_path_order();
    let copied = ekv_dump::copy(&mut ordered, Box::new(sink), &scratch(), 1 << 20, &NoMonitor, &mut |_| Ok(()));
    assert!(copied.unwrap().published.is_some());
    let bytes = output.bytes();
    let mut archive = tar::Archive::new(bytes.as_slice());
    let paths: Vec<Vec<u8>> =
        archive.entries().unwrap().map(|entry| entry.unwrap().path_bytes().into_owned()).collect();
    assert!(paths.is_sorted());
    let expected: Vec<Vec<u8>> = entries().into_keys().collect();
    assert_eq!(paths, expected);

    let copy = MemoryDump::new();
    let mut source = ArchiveSource::new(bytes.as_slice(), ArchiveLimits::default()).unwrap();
    let sink = Box::new(MemorySink::new(&copy));
    ekv_dump::copy(&mut source, sink, &scratch(), 1 << 20, &NoMonitor, &mut |_| Ok(())).unwrap();
    assert_eq!(copy.entries(), Some(entries()));
}

#[test]
fn archive_of_the_folder_itself_is_read_from_the_top_of_the_dump_in_it() {
    let room = tempfile::tempdir().unwrap();
    let dump = room.path().join("in/a.folder/redis dump");
    fs::create_dir_all(dump.parent().unwrap()).unwrap();
    write_dump(Box::new(DirSink::create(&dump, unsynced()).unwrap()));
    let files: Vec<String> = entries()
        .into_iter()
        .filter(|(_, content)| content.is_some())
        .map(|(path, _)| format!("redis dump/{}", String::from_utf8(path).unwrap()))
        .collect();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let ways: [(&str, &[&str]); 5] = [
        ("in/a.folder", &["redis dump"]),
        ("in/a.folder", &["./redis dump/"]),
        ("in", &["."]),
        ("", &["in"]),
        ("in/a.folder", &files),
    ];
    for (number, (place, names)) in ways.into_iter().enumerate() {
        for format in ["gnu", "pax"] {
            let format_argument = format!("--format={format}");
            let mut arguments = vec!["-cf", "theirs.tar", format_argument.as_str()];
            let place = format!("./{place}");
            arguments.extend(["-C", &place]);
            arguments.extend(names);
            if !tar(room.path(), &arguments) {
                return;
            }
            let bytes = fs::read(room.path().join("theirs.tar")).unwrap();
            assert_eq!(unpack(&bytes, ArchiveLimits::default()).unwrap(), Some(entries()), "way {number}, {format}");
            let mut indexed = index(&bytes, ArchiveLimits::default()).unwrap();
            let mut content = Vec::new();
            indexed.open_file(&path("CHECKSUMS")).unwrap().read_to_end(&mut content).unwrap();
            assert_eq!(Some(&Some(content)), entries().get(b"CHECKSUMS".as_slice()), "way {number}, {format}");
        }
    }
}
