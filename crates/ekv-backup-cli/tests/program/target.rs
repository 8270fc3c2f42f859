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
fn failed_replacement_leaves_the_old_dump_as_it_was() {
    let room = Room::with_small_snapshot();
    room.run(&["decode", "snapshot.fsm", "dump"]).assert_code(0);
    let dump = room.tree("dump");
    room.write("text", b"this is not a snapshot at all");
    room.run(&["decode", "text", "dump", "--force"]).assert_code(2);
    assert_eq!(room.tree("dump"), dump);
}
