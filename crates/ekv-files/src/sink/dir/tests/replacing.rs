//! What was there before stays whole, whatever fails while it is replaced, until what is new has all of its names.

use std::path::PathBuf;

use super::super::files::Files;
use super::faulty::{Call, EINVAL, EIO};
use super::*;
use crate::sink::leftovers;

const REPLACE: DirOptions = DirOptions { existing: ExistingTarget::Replace, fsync: Fsync::None };

/// What is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Dump,
    File,
    Pair,
}

impl What {
    const ALL: [What; 3] = [What::Dump, What::File, What::Pair];

    fn names(self) -> &'static [&'static str] {
        match self {
            What::Dump => &["dump"],
            What::File => &["payload"],
            What::Pair => &["payload", "payload.info"],
        }
    }

    fn parent(self) -> TempDir {
        if self == What::Dump {
            return parent(REPLACE);
        }
        let parent = tempfile::tempdir().unwrap();
        self.names().iter().for_each(|name| fs::write(parent.path().join(name), format!("old {name}")).unwrap());
        parent
    }

    fn run(self, system: &Faulty, parent: &Path) -> Result<Published> {
        if self == What::Dump {
            return write_and_publish(system, &parent.join("dump"), REPLACE);
        }
        let targets: Vec<PathBuf> = self.names().iter().map(|name| parent.join(name)).collect();
        let targets: Vec<&Path> = targets.iter().map(PathBuf::as_path).collect();
        let mut files = Files::create(system.clone(), &targets, REPLACE)?;
        for (index, name) in self.names().iter().enumerate() {
            files.begin(index)?;
            files.writer.step(|writer| writer.write(format!("new {name}").as_bytes()))?;
            files.writer.step(DirWriter::end)?;
        }
        files.publish()
    }

    /// Where what was at each name before is now, wherever that is; `None` if it is gone.
    fn olds(self, parent: &Path) -> Vec<Option<PathBuf>> {
        let entries = entries(parent);
        let find = |end: &str, content: &[u8]| {
            let found = entries.iter().find(|(path, entry)| path.ends_with(end) && entry.as_deref() == Some(content));
            found.map(|(path, _)| PathBuf::from(path.strip_suffix(end).unwrap()))
        };
        match self {
            What::Dump => vec![find("/redis/deep/file", b"old")],
            _ => self.names().iter().map(|name| find("", format!("old {name}").as_bytes())).collect(),
        }
    }

    fn are_at_their_names(self, parent: &Path) -> bool {
        let names: Vec<_> = self.names().iter().map(|name| Some(PathBuf::from(name))).collect();
        self.olds(parent) == names
    }
}

/// Cleans up; what is said of what is kept.
fn clean(parent: &Path) -> Vec<String> {
    let mut kept = Vec::new();
    for leftover in leftovers(parent).unwrap() {
        loop {
            match leftover.remove() {
                Ok(_) => {}
                Err(error) => match sink_error(&error) {
                    // A process that another test starts holds the lock until it has become another program.
                    SinkError::StagingForeign { found, .. } if found == "a run uses it" => {
                        std::thread::yield_now();
                        continue;
                    }
                    SinkError::HoldsOld { .. } => kept.push(error.to_string()),
                    other => panic!("{other}"),
                },
            }
            break;
        }
    }
    kept
}

fn put_mine(path: &Path) {
    fs::create_dir(path).unwrap();
    fs::write(path.join("mine"), b"mine").unwrap();
}

/// After a failure: cleans with names that are taken, then with names that are free.
fn check_clean_ups(what: What, parent: &Path, name: &str) {
    assert!(what.olds(parent).iter().all(Option::is_some), "{name}: {:?}", entries(parent).keys());
    let mut taken = Vec::new();
    for target in what.names().iter().map(|name| parent.join(name)) {
        if fs::symlink_metadata(&target).is_err() {
            put_mine(&target);
            taken.push(target);
        }
    }
    let kept = clean(parent);
    assert!(what.olds(parent).iter().all(Option::is_some), "{name}: {:?}", entries(parent).keys());
    for target in &taken {
        assert_eq!(fs::read(target.join("mine")).unwrap(), b"mine", "{name}");
    }
    if !what.are_at_their_names(parent) {
        assert!(!kept.is_empty(), "{name}: it is said where the old is");
        assert!(kept[0].contains(".ekv-staging-"), "{name}: {kept:?}");
    }
    let aside = parent.join("aside");
    fs::create_dir(&aside).unwrap();
    for (index, old) in what.olds(parent).into_iter().enumerate() {
        let target = parent.join(what.names()[index]);
        if old != Some(PathBuf::from(what.names()[index])) && fs::symlink_metadata(&target).is_ok() {
            fs::rename(&target, aside.join(what.names()[index])).unwrap();
        }
    }
    assert_eq!(clean(parent), [""; 0], "{name}");
    assert!(what.are_at_their_names(parent), "{name}: {:?}", entries(parent).keys());
    assert!(leftovers(parent).unwrap().is_empty(), "{name}");
}

#[test]
fn old_that_could_not_be_put_back_survives_every_clean_up_and_comes_back_once_its_name_is_free() {
    let mut moved = [0; 3];
    let with_flags = [(Call::Exchange, 1), (Call::RenameNoReplace, 0), (Call::RenameNoReplace, 1)];
    let without_flags = [(Call::Rename, 1), (Call::Rename, 2), (Call::Rename, 3)];
    for (kind, what) in What::ALL.into_iter().enumerate() {
        for (has_rename_flags, seconds) in [(true, with_flags), (false, without_flags)] {
            for first in [Call::StatAt, Call::Rename, Call::RenameNoReplace, Call::Exchange, Call::CreateDirectory] {
                for (second, second_n) in seconds {
                    for n in 0.. {
                        let parent = what.parent();
                        let system = Faulty::failing(first, n, EIO).and_failing(second, second_n, EIO);
                        let system = if has_rename_flags { system } else { system.without_rename_flags(EINVAL) };
                        let result = what.run(&system, parent.path());
                        let name = format!("{what:?}: {first:?} {n}, {second:?} {second_n} fail: {result:?}");
                        if let Err(error) = &result
                            && !is_not_durable(error)
                        {
                            moved[kind] += usize::from(std::iter::once(error).chain(error.later()).any(is_moved));
                            check_clean_ups(what, parent.path(), &name);
                        }
                        if !system.fired() {
                            break;
                        }
                    }
                }
            }
        }
    }
    assert!(moved.iter().all(|moved| *moved > 0), "{moved:?}");
}

fn is_moved(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Sink(SinkError::OldDumpMoved { .. }))
}

/// Swaps what is at a name for something else.
fn swap(path: &Path) {
    fs::rename(path, path.with_file_name("swapped")).unwrap();
    put_mine(path);
}

#[test]
fn old_is_kept_where_the_new_one_was_swapped_for_something_else_right_after_it_got_its_name() {
    for what in [What::Dump, What::File, What::Pair] {
        let parent = what.parent();
        let target = parent.path().join(what.names()[0]);
        let system = Faulty::default();
        let (inner, swapped) = (system.clone(), target.clone());
        system.before(Call::Exchange, move || {
            let swapped = swapped.clone();
            inner.before(Call::StatAt, move || swap(&swapped));
        });
        let error = what.run(&system, parent.path()).unwrap_err();
        assert!(matches!(sink_error(&error), SinkError::PublishedForeign { .. }), "{what:?}: {error}");
        assert_eq!(fs::read(target.join("mine")).unwrap(), b"mine", "{what:?}");
        check_clean_ups(what, parent.path(), &format!("{what:?}"));
    }
}

#[test]
fn old_dump_that_was_moved_aside_is_kept_where_the_new_one_was_swapped() {
    let what = What::Dump;
    let parent = what.parent();
    let target = parent.path().join("dump");
    let system = Faulty::default().without_rename_flags(EINVAL);
    let (inner, swapped) = (system.clone(), target.clone());
    // The rename of the new dump follows the creation of its name.
    system.before(Call::Exchange, move || {
        let (innermost, swapped) = (inner.clone(), swapped.clone());
        inner.before(Call::CreateDirectory, move || {
            let (last, swapped) = (innermost.clone(), swapped.clone());
            innermost.before(Call::Rename, move || {
                let swapped = swapped.clone();
                last.before(Call::StatAt, move || swap(&swapped));
            });
        });
    });
    let error = what.run(&system, parent.path()).unwrap_err();
    assert!(matches!(sink_error(&error), SinkError::PublishedForeign { .. }), "{error}");
    check_clean_ups(what, parent.path(), "moved aside");
}

#[test]
fn what_was_swapped_in_before_the_exchange_and_cannot_be_given_back_is_kept() {
    let parent = What::Dump.parent();
    let target = parent.path().join("dump");
    let system = Faulty::failing(Call::Exchange, 1, EIO);
    let swapped = target.clone();
    system.before(Call::Exchange, move || swap(&swapped));
    What::Dump.run(&system, parent.path()).unwrap_err();
    let kept = clean(parent.path());
    assert!(kept[0].contains("/tree is what was at"), "{kept:?}");
    fs::rename(&target, parent.path().join("new")).unwrap();
    assert!(clean(parent.path()).is_empty());
    assert_eq!(fs::read(target.join("mine")).unwrap(), b"mine");
}

#[test]
fn next_run_puts_back_what_a_killed_run_moved_away_and_mixes_nothing() {
    for what in What::ALL {
        for has_rename_flags in [true, false] {
            for calls in 0.. {
                let parent = what.parent();
                let killed = Faulty::frozen_from(calls);
                let killed = if has_rename_flags { killed } else { killed.without_rename_flags(EINVAL) };
                let result = what.run(&killed, parent.path());
                let name = format!("{what:?}, rename flags {has_rename_flags}, killed after {calls} calls");
                // A run that replaces nothing recovers, and then finds its names taken.
                let targets: Vec<PathBuf> = what.names().iter().map(|name| parent.path().join(name)).collect();
                let refusal = match what {
                    What::Dump => write_and_publish(&Faulty::default(), &targets[0], DirOptions::default()).map(|_| ()),
                    _ => {
                        let targets: Vec<&Path> = targets.iter().map(PathBuf::as_path).collect();
                        Files::create(Faulty::default(), &targets, DirOptions::default()).map(|_| ())
                    }
                };
                let error = refusal.unwrap_err();
                assert!(matches!(sink_error(&error), SinkError::TargetExists { .. }), "{name}: {error}");
                let are_new = match what {
                    What::Dump => found(parent.path()) == Found::New,
                    _ => what.names().iter().all(|name| {
                        fs::read(parent.path().join(name)).is_ok_and(|text| text == format!("new {name}").into_bytes())
                    }),
                };
                assert!(
                    are_new || what.are_at_their_names(parent.path()),
                    "{name}: {:?}",
                    entries(parent.path()).keys()
                );
                if result.is_ok_and(|published| published.warnings.is_empty()) {
                    break;
                }
            }
        }
    }
}

#[test]
fn what_nobody_can_tell_the_name_of_is_kept() {
    let parent = What::Dump.parent();
    let system = Faulty::default().without_rename_flags(EINVAL);
    let frozen = system.clone();
    system.before(Call::Exchange, move || {
        let frozen_later = frozen.clone();
        frozen.before(Call::CreateDirectory, move || frozen_later.freeze());
    });
    What::Dump.run(&system, parent.path()).unwrap_err();
    let staging = leftovers(parent.path()).unwrap()[0].path().to_path_buf();
    fs::write(staging.join("replacing"), b"").unwrap();
    let kept = clean(parent.path());
    assert!(kept[0].contains("/replaced is what was at a target"), "{kept:?}");
    assert!(What::Dump.olds(parent.path())[0].is_some());
}
