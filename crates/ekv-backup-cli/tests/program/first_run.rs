//! What a newcomer does first.

use std::fs;
use std::process::Command;

use crate::support::Room;

#[test]
fn decode_then_check_then_look_works_without_options() {
    let room = Room::with_real_snapshot();
    let decode = room.run(&["decode", "redis-1.fsm", "dump"]);
    decode.assert_code(0);
    assert_eq!(decode.stderr, "");
    for text in
        ["checksum 04d9a3ae verified", "Holds: 174 things", "complete: nothing was lost", "ekv-backup verify dump"]
    {
        assert!(decode.stdout.contains(text), "{}", decode.stdout);
    }
    assert!(room.path("dump/MANIFEST.json").exists() && room.path("dump/redis/db_0/strings").is_dir());
    match Command::new("sha256sum").args(["--check", "--quiet", "CHECKSUMS"]).current_dir(room.path("dump")).output() {
        Ok(checked) => assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr)),
        Err(error) => println!("skipped, no sha256sum: {error}"),
    }
    let verify = room.run(&["verify", "dump"]);
    verify.assert_code(0);
    assert!(verify.stdout.starts_with("Sound: dump,"), "{}", verify.stdout);
    let inspect = room.run(&["inspect", "redis-1.fsm"]);
    inspect.assert_code(0);
    assert!(inspect.stdout.contains("  75  strings\n") && !inspect.stdout.contains("redis_"), "{}", inspect.stdout);
    for command in [&["inspect", "redis-1.fsm", "--families"][..], &["decode", "redis-1.fsm", "again", "--families"]] {
        let run = room.run(command);
        assert!(run.assert_code(0).stdout.contains("redis_string ") && run.stdout.contains("3 778 records"), "{run:?}");
    }
}

#[test]
fn dump_holds_what_the_snapshot_shows() {
    let room = Room::with_small_snapshot();
    room.run(&["decode", "snapshot.fsm", "dump"]).assert_code(0);
    let strings: Vec<(String, Vec<u8>)> = room
        .tree("dump/redis/db_0/strings")
        .into_iter()
        .map(|(path, bytes)| (path.display().to_string(), bytes))
        .collect();
    let expected = [("a.bin", b"1"), ("b.bin", b"2"), ("c.bin", b"3")];
    assert_eq!(strings, expected.map(|(name, bytes)| (name.to_owned(), bytes.to_vec())));
}

#[test]
fn earlier_moment_shows_the_earlier_state() {
    let room = Room::with_small_snapshot();
    room.run(&["decode", "snapshot.fsm", "dump", "--at", "hlc:30"]).assert_code(0);
    assert_eq!(room.tree("dump/redis/db_0/strings").len(), 2);
}

#[test]
fn names_of_the_reference_decoder_work() {
    let room = Room::with_small_snapshot();
    let arguments = ["--input", "snapshot.fsm", "--output", "dump", "--adapter", "redis,s3", "--rename-collisions"];
    room.run(&[&["decode"], &arguments[..]].concat()).assert_code(0);
    room.run(&["decode", "snapshot.fsm", "other", "--adapter", "redis,s3", "--source-name", "snapshot.fsm"])
        .assert_code(0);
    assert_eq!(room.timeless_tree("dump"), room.timeless_tree("other"));
    room.run(&["decode", "--input=snapshot.fsm", "--output=third", "--rename-collisions=true"]).assert_code(0);
}

#[test]
fn completions_and_manual_pages_are_made() {
    let room = Room::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = room.run(&["completions", shell]);
        assert!(script.assert_code(0).stdout.contains("ekv-backup"));
    }
    assert!(room.run(&["manual"]).assert_code(0).stdout.contains(".TH ekv-backup"));
    fs::create_dir(room.path("man")).unwrap();
    room.run(&["manual", "man"]).assert_code(0);
    for page in ["ekv-backup.1", "ekv-backup-decode.1", "ekv-backup-verify.1"] {
        assert!(room.path(format!("man/{page}")).exists(), "{page}");
    }
    let mode = fs::metadata(room.path("man/ekv-backup.1")).unwrap().permissions();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode) & 0o777, 0o644);
}

#[test]
fn manual_pages_are_written_over_nothing_but_older_pages_with_force() {
    let room = Room::new();
    fs::create_dir(room.path("man")).unwrap();
    fs::create_dir(room.path("linked")).unwrap();
    room.write("mine", b"mine");
    room.write("man/notes", b"mine");
    room.run(&["manual", "missing"]).assert_code(1);
    room.write("man/ekv-backup-verify.1", b"mine");
    let before = room.tree("man");
    room.run(&["manual", "man"]).assert_code(1).assert_says("man/ekv-backup-verify.1 exists already");
    assert_eq!(room.tree("man"), before, "nothing is written");
    room.run(&["manual", "man", "--force"]).assert_code(0);
    assert!(fs::read_to_string(room.path("man/ekv-backup-verify.1")).unwrap().contains(".TH"));
    let pages = room.tree("man");
    room.run(&["manual", "man", "--force"]).assert_code(0);
    assert_eq!(room.tree("man"), pages);
    assert_eq!(fs::read(room.path("man/notes")).unwrap(), b"mine");
    // Links are neither followed nor replaced; a hard link's other name keeps what it leads to.
    std::os::unix::fs::symlink("../mine", room.path("linked/ekv-backup.1")).unwrap();
    fs::hard_link(room.path("mine"), room.path("linked/ekv-backup-verify.1")).unwrap();
    for options in [&[][..], &["--force"]] {
        room.run(&[&["manual", "linked"], options].concat()).assert_code(1).assert_says("linked/ekv-backup");
        assert_eq!(fs::read_dir(room.path("linked")).unwrap().count(), 2);
    }
    fs::remove_file(room.path("linked/ekv-backup.1")).unwrap();
    room.run(&["manual", "linked", "--force"]).assert_code(0);
    assert_eq!(fs::read(room.path("mine")).unwrap(), b"mine");
}
