//! The last step, with something in its way.

use std::os::fd::AsFd;
use std::os::unix::fs::symlink;

use super::super::sys::{Native, System};
use super::faulty::{Call, EEXIST, EINVAL, ENOSYS};
use super::*;
use crate::sink::PublishMethod;

const REFUSE: DirOptions = DirOptions { existing: ExistingTarget::Refuse, fsync: Fsync::None };
const REPLACE: DirOptions = DirOptions { existing: ExistingTarget::Replace, fsync: Fsync::None };

#[test]
fn target_that_appears_right_before_the_rename_is_not_replaced() {
    for system in [Faulty::default(), Faulty::default().without_rename_flags(EINVAL)] {
        let parent = parent(REFUSE);
        let target = parent.path().join("dump");
        let appearing = target.clone();
        system.before(Call::RenameNoReplace, move || fs::create_dir(&appearing).unwrap());
        let error = write_and_publish(&system, &target, REFUSE).unwrap_err();
        assert!(matches!(sink_error(&error), SinkError::TargetExists { .. }), "{error}");
        assert_eq!(error.class(), Class::Environment);
        assert_eq!(found(parent.path()), Found::EmptyDirectory);
        assert!(left_over(parent.path()).is_empty());
    }
}

#[test]
fn rename_that_finds_the_name_taken_reports_an_existing_target() {
    let parent = parent(REFUSE);
    let system = Faulty::failing(Call::RenameNoReplace, 0, EEXIST);
    let error = write_and_publish(&system, &parent.path().join("dump"), REFUSE).unwrap_err();
    assert!(matches!(sink_error(&error), SinkError::TargetExists { .. }));
    assert!(left_over(parent.path()).is_empty());
}

#[test]
fn method_is_reported_and_falls_back_where_flags_are_missing() {
    for (options, code, expected) in [
        (REFUSE, None, PublishMethod::Rename),
        (REPLACE, None, PublishMethod::Exchange),
        (REFUSE, Some(EINVAL), PublishMethod::CreateThenRename),
        (REFUSE, Some(ENOSYS), PublishMethod::CreateThenRename),
        (REPLACE, Some(EINVAL), PublishMethod::MoveAsideThenRename),
    ] {
        let parent = parent(options);
        let system = match code {
            Some(code) => Faulty::default().without_rename_flags(code),
            None => Faulty::default(),
        };
        let published = write_and_publish(&system, &parent.path().join("dump"), options).unwrap();
        assert_eq!(published.method, expected);
        assert!(published.warnings.is_empty());
        assert_eq!(found(parent.path()), Found::New);
        assert!(left_over(parent.path()).is_empty());
    }
}

#[test]
fn fallback_does_not_replace_what_somebody_puts_into_the_new_name() {
    let parent = parent(REFUSE);
    let target = parent.path().join("dump");
    let system = Faulty::default().without_rename_flags(EINVAL);
    let intruder = target.join("file");
    system.before(Call::Rename, move || fs::write(&intruder, b"mine").unwrap());
    let error = write_and_publish(&system, &target, REFUSE).unwrap_err();
    assert!(matches!(sink_error(&error), SinkError::TargetExists { .. }), "{error}");
    assert_eq!(fs::read(target.join("file")).unwrap(), b"mine");
    assert!(left_over(parent.path()).is_empty());
}

#[test]
fn target_that_changes_right_before_the_exchange_is_given_back() {
    for (system, call) in
        [(Faulty::default(), Call::Exchange), (Faulty::default().without_rename_flags(EINVAL), Call::Rename)]
    {
        let parent = parent(REPLACE);
        let target = parent.path().join("dump");
        let (old, swapped) = (target.clone(), parent.path().join("moved"));
        system.before(call, move || {
            fs::rename(&old, &swapped).unwrap();
            fs::create_dir(&old).unwrap();
            fs::write(old.join("precious"), b"mine").unwrap();
        });
        let error = write_and_publish(&system, &target, REPLACE).unwrap_err();
        assert!(matches!(sink_error(&error), SinkError::NotReplaceable { .. }), "{error}");
        assert_eq!(fs::read(target.join("precious")).unwrap(), b"mine");
        assert_eq!(left_over(parent.path()), ["moved"]);
    }
}

#[test]
fn runs_of_this_program_replace_in_turns() {
    let parent = parent(REPLACE);
    let target = parent.path().join("dump");
    let system = Faulty::default();
    let directory = parent.path().to_owned();
    system.before(Call::Exchange, move || {
        let directory = Native.open_path(&directory).unwrap();
        assert!(!Native.lock(directory.as_fd()).unwrap(), "another run could replace the target now");
    });
    write_and_publish(&system, &target, REPLACE).unwrap();
    let directory = Native.open_path(parent.path()).unwrap();
    assert!(Native.lock(directory.as_fd()).unwrap(), "the turn has no end");
}

#[test]
fn target_that_vanishes_before_the_exchange_is_published_afresh() {
    let parent = parent(REPLACE);
    let target = parent.path().join("dump");
    let system = Faulty::default();
    let vanishing = target.clone();
    system.before(Call::Exchange, move || fs::remove_dir_all(&vanishing).unwrap());
    let published = write_and_publish(&system, &target, REPLACE).unwrap();
    assert_eq!(published.method, PublishMethod::Rename);
    assert_eq!(found(parent.path()), Found::New);
}

#[test]
fn tree_that_is_swapped_right_before_the_rename_is_not_reported_as_published() {
    let parent = parent(REFUSE);
    let target = parent.path().join("dump");
    let system = Faulty::default();
    let inside = parent.path().to_path_buf();
    system.before(Call::RenameNoReplace, move || {
        let staging = inside.join(&left_over(&inside)[0]);
        fs::rename(staging.join("tree"), staging.join("hidden")).unwrap();
        symlink("/etc", staging.join("tree")).unwrap();
    });
    let error = write_and_publish(&system, &target, REFUSE).unwrap_err();
    assert!(matches!(sink_error(&error), SinkError::PublishedForeign { .. }), "{error}");
    assert!(left_over(parent.path()).is_empty());
}

#[test]
fn failed_sync_of_the_parent_is_reported_and_keeps_the_old_dump() {
    for (options, kept) in
        [(DirOptions { fsync: Fsync::Full, ..REFUSE }, false), (DirOptions { fsync: Fsync::Full, ..REPLACE }, true)]
    {
        let counting = Faulty::default();
        write_and_publish(&counting, &parent(options).path().join("dump"), options).unwrap();
        let last = counting.count(Call::Sync) - 1;
        let parent = parent(options);
        let system = Faulty::failing(Call::Sync, last, super::faulty::EIO);
        let error = write_and_publish(&system, &parent.path().join("dump"), options).unwrap_err();
        assert!(is_not_durable(&error), "{error}");
        assert_eq!(error.class(), Class::WriteIo);
        assert_eq!(found(parent.path()), Found::New);
        assert_eq!(left_over(parent.path()).len(), usize::from(kept));
    }
}
