//! Staging directories that killed runs left behind.

use std::fs;
use std::os::unix::fs::DirBuilderExt;

use crate::support::Room;

const LEFTOVER: &str = ".dump.ekv-staging-0123456789abcdef";

fn room_with_leftover() -> Room {
    let room = Room::with_small_snapshot();
    leave(&room, LEFTOVER);
    room.write(&format!("{LEFTOVER}/tree/half"), b"half of a file");
    room
}

/// What a killed run leaves.
fn leave(room: &Room, name: &str) {
    for directory in [name.to_owned(), format!("{name}/tree"), format!("{name}/scratch")] {
        fs::DirBuilder::new().mode(0o700).create(room.path(directory)).unwrap();
    }
    let marker = "A staging directory of ekv-backup, form 1. `ekv-backup clean` removes it.\n";
    room.write(&format!("{name}/ekv-staging"), marker.as_bytes());
}

#[test]
fn dump_and_private_directory_that_somebody_renamed_survive_and_are_told() {
    let room = room_with_leftover();
    room.run(&["decode", "snapshot.fsm", "dump"]).assert_code(0);
    fs::DirBuilder::new().mode(0o700).create(room.path("private")).unwrap();
    room.write("private/thesis.txt", b"years of work");
    let dump = room.tree("dump");
    let (renamed, private) = (".dump.ekv-staging-0123456789abcd00", ".p.ekv-staging-0000000000000000");
    fs::rename(room.path("dump"), room.path(renamed)).unwrap();
    fs::rename(room.path("private"), room.path(private)).unwrap();
    for _ in 0..2 {
        let run = room.run(&["clean", "--json"]);
        let leftovers = run.assert_code(0).json()["leftovers"].clone();
        for leftover in leftovers.as_array().unwrap() {
            let (path, outcome) = (leftover["path"].as_str().unwrap(), leftover["outcome"].as_str().unwrap());
            assert_eq!(leftover["removed"], path.contains(LEFTOVER), "{run:?}");
            assert!(path.contains(LEFTOVER) || outcome.starts_with("kept: it holds "), "{run:?}");
        }
    }
    assert_eq!(room.tree(renamed), dump);
    assert_eq!(fs::read(room.path(private).join("thesis.txt")).unwrap(), b"years of work");
    assert!(!room.path(LEFTOVER).exists());
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
fn dry_run_says_that_what_was_moved_aside_would_be_put_back_or_kept() {
    let room = room_with_leftover();
    let replacing = ".other.ekv-staging-0123456789abcdee";
    leave(&room, replacing);
    room.write(&format!("{replacing}/replacing"), b"{\"is_dump\":true,\"entries\":[]}");
    let outcomes = room.run(&["clean", "--dry-run", "--json"]).assert_code(0).json()["leftovers"].clone();
    assert_eq!(outcomes[0]["outcome"], "would be removed");
    let outcome = outcomes[1]["outcome"].as_str().unwrap();
    assert!(outcome.contains("is back at its name") && outcome.contains("would be kept"), "{outcome}");
    assert!(room.path(LEFTOVER).exists() && room.path(replacing).exists());
}

#[test]
fn leftover_of_another_run_does_not_disturb_the_next_one() {
    let room = room_with_leftover();
    room.run(&["decode", "snapshot.fsm", "dump"]).assert_code(0);
    room.run(&["verify", "dump"]).assert_code(0);
}

/// A run of `checksums` works inside of the dump: what a killed one leaves must not look like damage.
#[test]
fn staging_directory_in_a_dump_is_told_as_what_it_is_and_removed_by_the_next_run_of_checksums() {
    let room = Room::with_small_snapshot();
    room.run(&["decode", "snapshot.fsm", "dump"]).assert_code(0);
    let sound = room.tree("dump");
    let staging = "dump/.CHECKSUMS.ekv-staging-0123456789abcdef";
    let leave = || {
        leave(&room, staging);
        room.write(&format!("{staging}/tree/CHECKSUMS"), b"half of a f");
    };
    leave();
    let told = ".CHECKSUMS.ekv-staging-0123456789abcdef: a run of ekv-backup checksums is using it, or was stopped and left it";
    let run = room.run(&["verify", "dump"]);
    run.assert_code(2).assert_says(told);
    assert_eq!(run.stderr.matches("problem: ").count(), 1, "{run:?}");
    room.run(&["encode", "dump", "out.fsm"]).assert_code(2).assert_says(told);
    room.run(&["pack", "dump", "dump.tar"]).assert_code(2).assert_says(told);
    room.run(&["checksums", "dump", "--dry-run"]).assert_code(2).assert_says(told);
    room.run(&["checksums", "dump"]).assert_code(0);
    assert_eq!(room.tree("dump"), sound);
    leave();
    room.run(&["clean", "dump"]).assert_code(0);
    assert_eq!(room.tree("dump"), sound);
}
