//! The process ends in the middle.

use super::faulty::{Call, EINVAL};
use super::*;
use crate::sink::{LeftoverState, leftovers};

/// Stops a run after every call, and checks what is there, what a clean-up leaves, and that the next run succeeds.
fn crash_everywhere(options: DirOptions, has_rename_flags: bool) {
    for calls in 0.. {
        let parent = parent(options);
        let target = parent.path().join("dump");
        let mut system = Faulty::frozen_from(calls);
        if !has_rename_flags {
            system = system.without_rename_flags(EINVAL);
        }
        let result = write_and_publish(&system, &target, options);
        let name = format!("killed after {calls} calls, {options:?}");
        let at_once = found(parent.path());
        if has_rename_flags {
            let old = if options.existing == ExistingTarget::Replace { Found::Old } else { Found::Nothing };
            assert!(at_once == old || at_once == Found::New, "{name}: {at_once:?}");
        }

        for leftover in leftovers(parent.path()).unwrap() {
            assert_eq!(leftover.state(), LeftoverState::Abandoned, "{name}");
            remove(&leftover);
        }
        assert!(left_over(parent.path()).is_empty(), "{name}: {:?}", left_over(parent.path()));
        let cleaned = found(parent.path());
        match options.existing {
            ExistingTarget::Refuse => assert!(matches!(cleaned, Found::Nothing | Found::New), "{name}: {cleaned:?}"),
            ExistingTarget::Replace => assert!(matches!(cleaned, Found::Old | Found::New), "{name}: {cleaned:?}"),
        }

        let again = DirOptions { existing: ExistingTarget::Replace, ..options };
        write_and_publish(&Faulty::default(), &target, again).unwrap();
        assert_eq!(found(parent.path()), Found::New, "{name}");
        if result.is_ok_and(|published| published.warnings.is_empty()) {
            break;
        }
    }
}

#[test]
fn run_killed_after_any_call_leaves_a_whole_dump_or_none() {
    for options in all_options() {
        crash_everywhere(options, true);
    }
}

#[test]
fn run_killed_after_any_call_without_rename_flags_is_put_in_order_by_a_clean_up() {
    for options in all_options() {
        crash_everywhere(options, false);
    }
}

#[test]
fn next_run_at_the_same_target_recovers_without_a_clean_up() {
    for existing in [ExistingTarget::Refuse, ExistingTarget::Replace] {
        let options = DirOptions { existing, fsync: Fsync::None };
        for calls in 0.. {
            let parent = parent(options);
            let target = parent.path().join("dump");
            let killed = Faulty::frozen_from(calls).without_rename_flags(EINVAL);
            let result = write_and_publish(&killed, &target, options);
            let next = write_and_publish(&Faulty::default(), &target, options);
            match (&next, existing) {
                (Err(error), ExistingTarget::Refuse) => {
                    assert!(matches!(sink_error(error), SinkError::TargetExists { .. }));
                    assert_eq!(found(parent.path()), Found::New, "killed after {calls} calls");
                }
                _ => {
                    next.unwrap();
                    assert_eq!(found(parent.path()), Found::New, "killed after {calls} calls");
                }
            }
            if result.is_ok_and(|published| published.warnings.is_empty()) {
                break;
            }
        }
    }
}

#[test]
fn staging_of_a_living_run_is_not_removed() {
    let options = DirOptions::default();
    let parent = parent(options);
    let sink = DirWriter::create(Faulty::default(), &parent.path().join("dump"), options).unwrap();
    let found = leftovers(parent.path()).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].state(), LeftoverState::InUse);
    let error = found[0].remove().unwrap_err();
    assert!(matches!(sink_error(&error), SinkError::StagingForeign { .. }));
    assert!(found[0].path().is_dir());
    drop(sink);
    assert!(leftovers(parent.path()).unwrap().is_empty());
}

#[test]
fn run_whose_new_staging_a_clean_up_finds_first_takes_another_one() {
    use super::super::sys::{Native, System};
    use std::os::fd::AsFd;

    for removes in [false, true] {
        let options = DirOptions::default();
        let parent = parent(options);
        let system = Faulty::default();
        let place = parent.path().to_path_buf();
        system.before(Call::Lock, move || {
            let staging = place.join(&left_over(&place)[0]);
            let directory = Native.open_path(&staging).unwrap();
            assert!(Native.lock(directory.as_fd()).unwrap());
            if removes {
                fs::remove_dir(&staging).unwrap();
            }
            // The lock lives as long as the process of the clean-up.
            std::mem::forget(directory);
        });
        write_and_publish(&system, &parent.path().join("dump"), options).unwrap();
        assert_eq!(found(parent.path()), Found::New);
        assert!(left_over(parent.path()).is_empty());
    }
}
