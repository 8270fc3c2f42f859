//! The file system of a store as files and as an archive, as people run it. Source: `docs/format/fs.md`.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

use ekv_testkit::fixtures::FS_9;
use ekv_testkit::truth::{compare_unpacked, observation};

use crate::support::Room;

fn room() -> Room {
    let room = Room::new();
    room.write("fs-9.fsm", &FS_9.bytes());
    room
}

/// Lets the `tar` of the system unpack an archive.
fn unpack(room: &Room, archive: &str, directory: &str) {
    fs::create_dir(room.path(directory)).unwrap();
    let unpacked =
        Command::new("tar").arg("-xpf").arg(room.path(archive)).arg("-C").arg(room.path(directory)).output().unwrap();
    assert!(unpacked.status.success(), "{}", String::from_utf8_lossy(&unpacked.stderr));
}

#[test]
fn archive_that_tar_unpacks_is_what_the_mount_showed() {
    let room = room();
    let truth = FS_9.truth();
    let middle = observation(&truth, "middle")["unix_ms"].to_string();
    for (label, at, least) in [("end", None, 54), ("middle", Some(middle), 26)] {
        let mut words = vec!["decode", "fs-9.fsm", label, "--fs-format", "tar", "--fsync", "none"];
        words.extend(at.iter().flat_map(|at| ["--at", at.as_str()]));
        room.run(&words).assert_code(0);
        let unpacked = format!("{label}-files");
        unpack(&room, &format!("{label}/fs/fs_0/tree.tar"), &unpacked);
        compare_unpacked(&room.path(unpacked), observation(&truth, label)).assert_equal(least);
        room.run(&["verify", label]).assert_code(0);
    }
}

#[test]
fn either_form_and_the_archive_alone_make_the_same_payload() {
    let room = room();
    room.run(&["decode", "fs-9.fsm", "tree", "--fsync", "none"]).assert_code(0);
    room.run(&["decode", "fs-9.fsm", "tar", "--fs-format", "tar", "--fsync", "none"]).assert_code(0);
    let payload = |name: &str, words: &[&str]| {
        let words: Vec<&str> = ["encode"].into_iter().chain(words.iter().copied()).chain([name]).collect();
        room.run(&words).assert_code(0);
        fs::read(room.path(name)).unwrap()
    };
    let of_tree = payload("tree.fsm", &["tree", "--adapter", "fs"]);
    assert!(payload("tar.fsm", &["tar", "--adapter", "fs"]) == of_tree);
    let manifest: serde_json::Value =
        serde_json::from_slice(&fs::read(room.path("tree/MANIFEST.json")).unwrap()).unwrap();
    let moment = manifest["last_commit_ts"].to_string();
    let archive = "tar/fs/fs_0/tree.tar";
    assert!(payload("alone.fsm", &["--fs-from-tar", archive, "--last-commit-ts", &moment]) == of_tree);
    let bytes = fs::read(room.path(archive)).unwrap();
    let piped =
        room.run_with_input(&["encode", "--fs-from-tar", "-", "piped.fsm", "--last-commit-ts", &moment], &bytes);
    piped.assert_code(0);
    assert!(fs::read(room.path("piped.fsm")).unwrap() == of_tree);
    room.write("tree.tar.zst", &zstd::encode_all(&bytes[..], 1).unwrap());
    assert!(payload("zst.fsm", &["--fs-from-tar", "tree.tar.zst", "--last-commit-ts", &moment]) == of_tree);
    assert!(payload("one.fsm", &["--fs-from-tar", archive]) == payload("two.fsm", &["--fs-from-tar", archive]));
    room.run(&["restore", "--fs-from-tar", archive, "n1", "--peers", "n1=127.0.0.1:2380", "--fresh-cluster"])
        .assert_code(0);
    room.run(&["decode", "n1", "again", "--adapter", "fs", "--fsync", "none"]).assert_code(0);
    assert!(room.tree("again/fs") == room.tree("tree/fs"));

    room.run(&["diff", "tree", "tar", "--adapter", "fs"]).assert_code(0);
    let list =
        |dump: &str| room.run(&["ls", dump, "--adapter", "fs", "--long", "--json"]).assert_code(0).stdout.clone();
    assert_eq!(list("tree"), list("tar"));
    room.run(&["pack", "tar", "tar.tar.zst"]).assert_code(0);
    assert_eq!(list("tar.tar.zst"), list("tree"));
}

#[test]
fn archive_that_no_store_can_hold_is_refused_before_anything_is_made() {
    let room = Room::new();
    fs::create_dir(room.path("files")).unwrap();
    room.write("files/a", b"a");
    std::os::unix::fs::symlink("a", room.path("files/link")).unwrap();
    let packed =
        Command::new("tar").arg("-cf").arg(room.path("odd.tar")).arg("-C").arg(room.path("files")).arg(".").status();
    assert!(packed.unwrap().success());
    let names = room.names();
    let refused = room.run(&["encode", "--fs-from-tar", "odd.tar", "out.fsm"]);
    refused.assert_code(2).assert_says("./link: it is or has a symbolic link, which no store holds");
    room.run(&["encode", "dump", "out.fsm", "--fs-from-tar", "odd.tar"])
        .assert_code(1)
        .assert_says("no other source goes with it");
    room.run(&["encode", "--fs-from-tar", "odd.tar"]).assert_code(1).assert_says("need the name");
    room.run(&["encode", "--fs-from-tar", "nothing.tar", "out.fsm"]).assert_code(1);
    room.write("text.tar", b"text");
    room.run(&["encode", "--fs-from-tar", "text.tar", "out.fsm"]).assert_code(2).assert_says("cut off");
    fs::remove_file(room.path("text.tar")).unwrap();
    assert_eq!(room.names(), names);
    let skipping = room.run(&["encode", "--fs-from-tar", "odd.tar", "out.fsm", "--fs-skip-unsupported"]);
    skipping.assert_code(0).assert_says("no store can hold: 1");
    assert_eq!(room.run(&["ls", "out.fsm", "-q"]).assert_code(0).stdout, "fs:0/.\nfs:0/a\n");
}

#[test]
fn holes_take_no_room_on_disk_in_either_form() {
    let room = Room::new();
    fs::create_dir(room.path("files")).unwrap();
    for (name, len) in [("hole", 64 << 20), ("huge", 900 << 20)] {
        let file = fs::File::create(room.path(format!("files/{name}"))).unwrap();
        file.set_len(len).unwrap();
        std::os::unix::fs::FileExt::write_all_at(&file, b"data", len / 2).unwrap();
    }
    let packed =
        Command::new("tar").arg("-Scf").arg(room.path("in.tar")).arg("-C").arg(room.path("files")).arg(".").status();
    assert!(packed.unwrap().success());
    room.run(&["encode", "--fs-from-tar", "in.tar", "out.fsm"]).assert_code(0);
    assert!(fs::metadata(room.path("out.fsm")).unwrap().len() < 16 << 20);
    let on_disk = |path: &str| fs::metadata(room.path(path)).unwrap().blocks() * 512;
    room.run(&["decode", "out.fsm", "tree", "--fsync", "none"]).assert_code(0);
    for (name, len) in [("hole", 64 << 20), ("huge", 900 << 20)] {
        let path = format!("tree/fs/fs_0/tree/{name}");
        assert_eq!(fs::metadata(room.path(&path)).unwrap().len(), len);
        assert!(on_disk(&path) <= 8 << 20, "{name}: {}", on_disk(&path));
    }
    room.run(&["decode", "out.fsm", "tar", "--fs-format", "tar", "--fsync", "none"]).assert_code(0);
    assert!(fs::metadata(room.path("tar/fs/fs_0/tree.tar")).unwrap().len() < 16 << 20);
    unpack(&room, "tar/fs/fs_0/tree.tar", "unpacked");
    for name in ["hole", "huge"] {
        assert!(on_disk(&format!("unpacked/{name}")) <= 8 << 20);
    }
    room.run(&["encode", "tree", "again.fsm"]).assert_code(0);
    room.run(&["diff", "again.fsm", "out.fsm"]).assert_code(0);
}

#[test]
fn store_in_an_archive_or_without_permission_to_write_is_told_or_read_and_never_written_to() {
    use std::os::unix::fs::PermissionsExt;
    let room = Room::new();
    ekv_testkit::fixtures::unpack("offload-6.tar", &room.path("."));
    room.write("store.tar", &ekv_testkit::fixtures::read("offload-6.tar"));
    for verb in ["decode", "inspect"] {
        let words = [verb, "store.tar", "dump"];
        let refused = room.run(&words[..if verb == "decode" { 3 } else { 2 }]);
        assert!(matches!(refused.code, Some(1 | 2)), "{refused:?}");
        assert!(refused.stderr.contains("tar"), "{refused:?}");
    }
    let store = "store/backups/prod";
    let mut places = vec![room.path("store")];
    while let Some(place) = places.pop() {
        if place.is_dir() {
            places.extend(fs::read_dir(&place).unwrap().map(|entry| entry.unwrap().path()));
            fs::set_permissions(&place, fs::Permissions::from_mode(0o500)).unwrap();
        }
    }
    let before = room.tree("store");
    room.run(&["decode", store, "dump", "--fsync", "none"]).assert_code(0);
    let listed = room.run(&["inspect", store]);
    listed.assert_code(0);
    for row in ["474", "229", "263", "146"] {
        assert!(listed.stdout.contains(row), "{row}: {listed:?}");
    }
    let peers = ["--peers", "n1=127.0.0.1:2380", "--fresh-cluster"];
    room.run(&[&["restore", "--from-store", store, "n1", "--group", "1"][..], &peers].concat()).assert_code(0);
    room.run(&[&["restore", "--from-store", store, "n2", "--group", "1", "--dry-run"][..], &peers].concat())
        .assert_code(0);
    let narrowed = [&["restore", "--from-store", store, "n2", "--prefix", "a"][..], &peers].concat();
    room.run(&narrowed).assert_code(1).assert_says("restores a whole group, unchanged");
    // One group of two.
    room.run(&["inspect", "n1"]).assert_code(5);
    assert!(room.tree("store") == before);
    assert!(!room.path("n2").exists());
    let mut places = vec![room.path("store")];
    while let Some(place) = places.pop() {
        if place.is_dir() {
            fs::set_permissions(&place, fs::Permissions::from_mode(0o700)).unwrap();
            places.extend(fs::read_dir(&place).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
}
