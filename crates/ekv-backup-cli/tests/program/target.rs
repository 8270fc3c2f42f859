//! What may be at the place of the dump.

use std::fs;

use crate::support::Room;

#[test]
fn existing_target_of_any_kind_is_refused_and_untouched() {
    let room = Room::with_small_snapshot();
    room.run(&["decode", "snapshot.fsm", "dump"]).assert_code(0);
    fs::create_dir(room.path("empty")).unwrap();
    fs::create_dir(room.path("photos")).unwrap();
    room.write("photos/cat.jpg", b"cat");
    room.write("file", b"text");
    std::os::unix::fs::symlink("nowhere", room.path("link")).unwrap();
    let (names, dump) = (room.names(), room.tree("dump"));
    for target in ["dump", "empty", "photos", "file", "link", "snapshot.fsm", "."] {
        let run = room.run(&["decode", "snapshot.fsm", target]);
        assert_eq!(run.assert_code(1).stdout, "", "{target}");
    }
    assert_eq!((room.names(), room.tree("dump")), (names, dump));
    assert_eq!(fs::read(room.path("photos/cat.jpg")).unwrap(), b"cat");
    assert_eq!(fs::read_dir(room.path("empty")).unwrap().count(), 0);
}

#[test]
fn force_replaces_a_dump_or_an_empty_directory_and_nothing_else() {
    let room = Room::with_small_snapshot();
    room.run(&["decode", "snapshot.fsm", "dump", "--at", "hlc:20"]).assert_code(0);
    assert_eq!(room.tree("dump/redis").len(), 1);
    room.run(&["decode", "snapshot.fsm", "dump", "--force"]).assert_code(0);
    assert_eq!(room.tree("dump/redis").len(), 3);
    fs::create_dir(room.path("empty")).unwrap();
    room.run(&["decode", "snapshot.fsm", "empty", "--force"]).assert_code(0);
    fs::create_dir(room.path("photos")).unwrap();
    room.write("photos/cat.jpg", b"cat");
    room.write("file", b"text");
    for target in ["photos", "file"] {
        room.run(&["decode", "snapshot.fsm", target, "--force"]).assert_code(1);
    }
    assert_eq!(fs::read(room.path("photos/cat.jpg")).unwrap(), b"cat");
    let expected = ["dump", "empty", "file", "photos", "snapshot.fsm"];
    assert_eq!(room.names().into_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn force_refuses_a_dump_with_files_of_others_on_every_verb_that_writes_dumps() {
    let room = Room::with_small_snapshot();
    room.run(&["decode", "snapshot.fsm", "dump"]).assert_code(0);
    room.run(&["pack", "dump", "dump.tar"]).assert_code(0);
    room.run(&["encode", "dump", "out.fsm"]).assert_code(0);
    room.write("dump/redis/notes.txt", b"mine");
    let dump = room.tree("dump");
    for words in [["decode", "snapshot.fsm"], ["unpack", "dump.tar"]] {
        let run = room.run(&[&words[..], &["dump", "--force"]].concat());
        run.assert_code(1).assert_says("redis/notes.txt");
        assert_eq!(room.tree("dump"), dump, "{words:?}");
    }
    // A data directory is never replaced.
    room.run(&["restore", "dump", "dump/", "--peers", "n1=h:1", "--fresh-cluster"]).assert_code(1);
    fs::create_dir(room.path("node")).unwrap();
    let new = ["node", "--peers", "n1=h:1", "--fresh-cluster"];
    for words in [["prepare-restore", "out.fsm"], ["unpack", "dump.tar"]] {
        let options = if words[0] == "unpack" { &new[..1] } else { &new[..] };
        room.run(&[&words[..], options].concat()).assert_code(1);
    }
    assert_eq!((room.tree("dump"), fs::read_dir(room.path("node")).unwrap().count()), (dump, 0));
    fs::remove_file(room.path("dump/redis/notes.txt")).unwrap();
    room.run(&["unpack", "dump.tar", "dump", "--force"]).assert_code(0);
}

#[test]
fn failed_replacement_leaves_the_old_dump_as_it_was() {
    let room = Room::with_small_snapshot();
    room.run(&["decode", "snapshot.fsm", "dump"]).assert_code(0);
    let dump = room.tree("dump");
    room.write("text", b"this is not a snapshot at all");
    room.run(&["decode", "text", "dump", "--force"]).assert_code(2);
    assert_eq!(room.tree("dump"), dump);
}
