//! Staging directories that killed runs left behind.

use std::fs;
use std::os::unix::fs::DirBuilderExt;

use crate::support::Room;

const LEFTOVER: &str = ".dump.ekv-staging-0123456789abcdef";

fn room_with_leftover() -> Room {
    let room = Room::with_small_snapshot();
    fs::DirBuilder::new().mode(0o700).create(room.path(LEFTOVER)).unwrap();
    room.write(&format!("{LEFTOVER}/half"), b"half of a file");
    room
}

#[test]
fn abandoned_staging_directory_is_removed_and_nothing_else() {
    let room = room_with_leftover();
    fs::create_dir(room.path(".dump.ekv-staging-short")).unwrap();
    let dry = room.run(&["clean", "--dry-run"]);
    assert!(dry.assert_code(0).stdout.contains(LEFTOVER) && dry.stdout.contains("would be removed"), "{dry:?}");
    assert!(room.path(LEFTOVER).exists());
    let run = room.run(&["clean", "--json"]);
    let leftovers = run.assert_code(0).json()["leftovers"].clone();
    assert_eq!((leftovers.as_array().unwrap().len(), &leftovers[0]["removed"]), (1, &true.into()));
    assert_eq!(room.names().into_iter().collect::<Vec<_>>(), [".dump.ekv-staging-short", "snapshot.fsm"]);
    assert!(room.run(&["clean"]).assert_code(0).stdout.contains("nothing to clean"));
}

#[test]
fn leftover_of_another_run_does_not_disturb_the_next_one() {
    let room = room_with_leftover();
    room.run(&["decode", "snapshot.fsm", "dump"]).assert_code(0);
    room.run(&["verify", "dump"]).assert_code(0);
}
