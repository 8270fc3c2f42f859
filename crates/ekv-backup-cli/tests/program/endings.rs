//! Names of targets whose ending promises something.

use crate::support::Room;

const NOT_WRITTEN: [&str; 16] = [
    "tar.gz", "tgz", "TGZ", "tar.xz", "txz", "tar.bz2", "tar.zstd", "zip", "Zip", "7z", "gz", "zst", "xz", "tar.lz4",
    "tar.Z", "bz2",
];

#[test]
fn ending_of_an_archive_that_is_not_written_is_a_usage_error_that_names_those_that_are() {
    let room = Room::with_small_snapshot();
    room.run(&["decode", "snapshot.fsm", "dump"]).assert_code(0);
    let before = room.names();
    for ending in NOT_WRITTEN {
        let target = format!("other.{ending}");
        for arguments in [&["decode", "snapshot.fsm", &target][..], &["pack", "dump", &target]] {
            let run = room.run(arguments);
            run.assert_code(1).assert_says(".tar, .tar.zst and .tzst").assert_says(&target);
        }
        room.run(&["unpack", "dump", &target]).assert_code(1);
        room.run(&["encode", "dump", &target]).assert_code(1).assert_says("neither compressed nor an archive");
    }
    room.run(&["decode", "snapshot.fsm", "other.fsm"]).assert_code(1).assert_says("ending of a snapshot");
    room.run(&["pack", "dump", "other.fsm"]).assert_code(1);
    room.run(&["encode", "dump", "other.tar"]).assert_code(1);
    let peers = ["--peers", "n1=127.0.0.1:2380", "--fresh-cluster"];
    room.run(&[&["restore", "dump", "n1.tar"][..], &peers].concat())
        .assert_code(1)
        .assert_says("a directory would be made");
    room.run(&[&["prepare-restore", "snapshot.fsm", "n1.zip"][..], &peers].concat()).assert_code(1);
    assert_eq!(room.names(), before);
}

#[test]
fn standard_output_is_no_target_of_what_writes_a_directory_or_two_files() {
    let room = Room::with_small_snapshot();
    room.run(&["decode", "snapshot.fsm", "dump.tar"]).assert_code(0);
    let before = room.names();
    let peers = ["--peers", "n1=127.0.0.1:2380", "--fresh-cluster"];
    for words in [
        &["encode", "dump.tar", "-"][..],
        &["unpack", "dump.tar", "-"],
        &[&["restore", "dump.tar", "-"][..], &peers].concat(),
    ] {
        room.run(words).assert_code(1).assert_says("does not go to standard output");
    }
    assert_eq!(room.names(), before);
    room.run(&["unpack", "dump.tar", "./-"]).assert_code(0);
    assert!(room.path("-").is_dir());
}

#[test]
fn unpack_refuses_the_name_of_an_archive_for_its_directory() {
    let room = Room::with_small_snapshot();
    room.run(&["decode", "snapshot.fsm", "dump.tar"]).assert_code(0);
    room.run(&["unpack", "dump.tar", "copy.tar.zst"]).assert_code(1).assert_says("a directory would be made");
    room.run(&["unpack", "dump.tar", "copy.tar/"]).assert_code(0);
    assert!(room.path("copy.tar").is_dir());
}

#[test]
fn compression_that_is_asked_for_makes_an_archive_of_any_name_and_a_slash_a_directory() {
    let room = Room::with_small_snapshot();
    for (target, compression) in [("a.tar.gz", "zstd"), ("b.zip", "none"), ("c", "zstd"), ("d.fsm", "none")] {
        room.run(&["decode", "snapshot.fsm", target, "--compression", compression]).assert_code(0);
        assert!(room.path(target).is_file(), "{target}");
        room.run(&["verify", target]).assert_code(0);
    }
    for target in ["e.zip/", "f.tar/", "g.TAR.ZST/"] {
        room.run(&["decode", "snapshot.fsm", target]).assert_code(0);
        assert!(room.path(target).is_dir(), "{target}");
        room.run(&["verify", target]).assert_code(0);
    }
    for target in ["h.tar", "i.TAR", "j.tar.zst", "k.tzst"] {
        room.run(&["decode", "snapshot.fsm", target]).assert_code(0);
        assert!(room.path(target).is_file(), "{target}");
    }
}
