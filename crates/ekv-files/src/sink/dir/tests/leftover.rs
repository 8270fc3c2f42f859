//! What a clean-up takes for a staging directory, and what not.

use std::fs::DirBuilder;
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::PathBuf;

use super::super::names::MARKER_TEXT;
use super::faulty::EINVAL;
use super::*;
use crate::sink::{LeftoverState, leftovers};

const NAME: &str = ".dump.ekv-staging-0123456789abcdef";

fn staging(parent: &TempDir) -> PathBuf {
    let path = parent.path().join(NAME);
    DirBuilder::new().mode(0o700).create(&path).unwrap();
    path
}

fn marked(parent: &TempDir) -> PathBuf {
    let path = staging(parent);
    fs::write(path.join("ekv-staging"), MARKER_TEXT).unwrap();
    path
}

/// The two directories that every run makes at once.
fn make_both(place: &Path) {
    fs::create_dir(place.join("tree")).unwrap();
    fs::create_dir(place.join("scratch")).unwrap();
}

/// What a clean-up does with the only staging directory, and whether it is still there.
fn cleaned(parent: &TempDir) -> (LeftoverState, bool) {
    let found = leftovers(parent.path()).unwrap();
    assert_eq!(found.len(), 1);
    match found[0].state() {
        LeftoverState::Abandoned => remove(&found[0]),
        _ => {
            assert!(found[0].reason().is_some());
            found[0].remove().unwrap_err();
        }
    }
    (found[0].state(), fs::symlink_metadata(found[0].path()).is_ok())
}

#[test]
fn dump_or_private_directory_that_somebody_renamed_survives() {
    let makers: [fn(&Path); 6] = [
        |at| fs::write(at.join("MANIFEST.json"), br#"{"format_version":1}"#).unwrap(),
        |at| fs::write(at.join("thesis.txt"), b"years of work").unwrap(),
        // Names that a staging directory has, and something else.
        |at| {
            fs::create_dir(at.join("tree")).unwrap();
            fs::create_dir(at.join("scratch")).unwrap();
            fs::write(at.join("thesis.txt"), b"years of work").unwrap();
        },
        // One of the names alone.
        |at| {
            fs::create_dir(at.join("tree")).unwrap();
            fs::write(at.join("tree/oak.jpg"), b"oak").unwrap();
        },
        // The names with other kinds.
        |at| {
            fs::create_dir(at.join("scratch")).unwrap();
            fs::write(at.join("tree"), b"oak").unwrap();
        },
        |at| {
            fs::create_dir(at.join("scratch")).unwrap();
            symlink("/etc", at.join("tree")).unwrap();
        },
    ];
    for (number, make) in makers.into_iter().enumerate() {
        for has_marker in [false, true] {
            // One of the names alone is what a killed run leaves, if there is the marker.
            if number == 3 && has_marker {
                continue;
            }
            let parent = tempfile::tempdir().unwrap();
            let place = if has_marker { marked(&parent) } else { staging(&parent) };
            make(&place);
            let before = fs::read_dir(&place).unwrap().count();
            assert_eq!(cleaned(&parent), (LeftoverState::NotStaging, true), "{number}, marker {has_marker}");
            assert_eq!(fs::read_dir(&place).unwrap().count(), before);
        }
    }
}

#[test]
fn staging_directory_is_known_by_its_marker_or_by_what_each_run_makes_at_once() {
    let makers: [fn(&TempDir); 4] = [
        |parent| drop(staging(parent)),
        |parent| drop(marked(parent)),
        |parent| fs::create_dir(marked(parent).join("tree")).unwrap(),
        // A loss of power took the marker's text.
        |parent| {
            let place = staging(parent);
            fs::write(place.join("ekv-staging"), "").unwrap();
            make_both(&place);
        },
    ];
    for (number, make) in makers.into_iter().enumerate() {
        let parent = tempfile::tempdir().unwrap();
        make(&parent);
        assert_eq!(cleaned(&parent), (LeftoverState::Abandoned, false), "{number}");
    }
}

#[test]
fn directory_without_the_marker_is_kept_although_it_is_laid_out_like_a_staging_directory() {
    let parent = tempfile::tempdir().unwrap();
    let place = staging(&parent);
    make_both(&place);
    fs::write(place.join("tree/thesis.txt"), "years").unwrap();
    assert_eq!(cleaned(&parent), (LeftoverState::NotStaging, true));
    assert_eq!(fs::read(place.join("tree/thesis.txt")).unwrap(), b"years");
}

#[test]
fn marker_of_another_form_is_left_to_who_knows_it() {
    let parent = tempfile::tempdir().unwrap();
    let place = staging(&parent);
    fs::write(place.join("ekv-staging"), "A staging directory of ekv-backup, form 2.\n").unwrap();
    make_both(&place);
    assert_eq!(cleaned(&parent), (LeftoverState::NotStaging, true));
}

#[test]
fn directory_that_is_not_private_is_left_alone_where_modes_are_kept() {
    use std::os::unix::fs::PermissionsExt;
    let parent = tempfile::tempdir().unwrap();
    let place = marked(&parent);
    fs::set_permissions(&place, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(cleaned(&parent), (LeftoverState::Foreign, true));
    assert_eq!(entries(&place).len(), 1);
}

#[test]
fn old_dump_that_was_moved_aside_is_kept_while_its_name_leads_to_something_else() {
    let options = DirOptions { existing: ExistingTarget::Replace, fsync: Fsync::None };
    let mut kept = 0;
    for calls in 0.. {
        let parent = parent(options);
        let target = parent.path().join("dump");
        let killed = Faulty::frozen_from(calls).without_rename_flags(EINVAL);
        let result = write_and_publish(&killed, &target, options);
        let is_absent = found(parent.path()) == Found::Nothing;
        if is_absent {
            fs::create_dir(&target).unwrap();
            fs::write(target.join("mine"), b"mine").unwrap();
            kept += 1;
        }
        for leftover in leftovers(parent.path()).unwrap() {
            match is_absent {
                true => drop(leftover.remove().unwrap_err()),
                false => remove(&leftover),
            }
        }
        if is_absent {
            // Nobody can say which of the two is wanted.
            assert_eq!(fs::read(target.join("mine")).unwrap(), b"mine");
            let staging = leftovers(parent.path()).unwrap()[0].path().to_path_buf();
            assert_eq!(fs::read(staging.join("replaced/redis/deep/file")).unwrap(), b"old", "after {calls} calls");
        }
        if result.is_ok_and(|published| published.warnings.is_empty()) {
            break;
        }
    }
    assert!(kept > 0);
}

#[test]
fn what_somebody_put_into_the_tree_of_a_killed_run_and_no_run_makes_stays() {
    let parent = tempfile::tempdir().unwrap();
    let outside = parent.path().join("precious");
    fs::write(&outside, b"mine").unwrap();
    let staging = marked(&parent);
    make_both(&staging);
    fs::create_dir(staging.join("tree/redis")).unwrap();
    fs::write(staging.join("tree/redis/k.bin"), b"ours").unwrap();
    symlink(&outside, staging.join("tree/redis/link")).unwrap();
    let found = leftovers(parent.path()).unwrap();
    let error = found[0].remove().unwrap_err();
    assert!(format!("{:?}", error).contains("link is neither a file nor a directory"), "{error:?}");
    assert!(
        fs::symlink_metadata(staging.join("tree/redis/link")).is_ok() && !staging.join("tree/redis/k.bin").exists()
    );
    // It is known as one until it is gone.
    fs::remove_file(staging.join("tree/redis/link")).unwrap();
    remove(&leftovers(parent.path()).unwrap()[0]);
    assert!(!staging.exists() && outside.exists());
}
