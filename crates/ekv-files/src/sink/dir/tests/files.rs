//! Files that are published together, over a system that fails or stops at every call.

use super::super::files::Files;
use super::faulty::{Call, EINVAL, EIO};
use super::*;
use crate::sink::{PublishMethod, leftovers};

const NAMES: [&str; 2] = ["payload", "payload.info"];

/// What the file system lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lack {
    Nothing,
    RenameFlags,
    RenameFlagsAndLinks,
}

impl Lack {
    const ALL: [Lack; 3] = [Lack::Nothing, Lack::RenameFlags, Lack::RenameFlagsAndLinks];

    fn of(self, system: Faulty) -> Faulty {
        match self {
            Lack::Nothing => system,
            Lack::RenameFlags => system.without_rename_flags(EINVAL),
            Lack::RenameFlagsAndLinks => system.without_rename_flags(EINVAL).without_links(EINVAL),
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Case {
    options: DirOptions,
    files: usize,
    lack: Lack,
}

/// Every combination, with an old set of files where files are replaced.
fn all_cases() -> impl Iterator<Item = Case> {
    [ExistingTarget::Refuse, ExistingTarget::Replace].into_iter().flat_map(|existing| {
        [Fsync::Full, Fsync::None].into_iter().flat_map(move |fsync| {
            let options = DirOptions { existing, fsync };
            [1, 2].into_iter().flat_map(move |files| Lack::ALL.map(|lack| Case { options, files, lack }))
        })
    })
}

impl Case {
    fn parent(self) -> TempDir {
        let parent = tempfile::tempdir().unwrap();
        if self.options.existing == ExistingTarget::Replace {
            for name in &NAMES[..self.files] {
                fs::write(parent.path().join(name), format!("old {name}")).unwrap();
            }
        }
        parent
    }

    fn run(self, system: &Faulty, parent: &Path) -> Result<Published> {
        let targets: Vec<_> = NAMES[..self.files].iter().map(|name| parent.join(name)).collect();
        let targets: Vec<&Path> = targets.iter().map(|target| target.as_path()).collect();
        let mut files = Files::create(system.clone(), &targets, self.options)?;
        for (index, name) in NAMES[..self.files].iter().enumerate() {
            files.begin(index)?;
            files.writer.step(|writer| writer.write(format!("new {name}").as_bytes()))?;
            files.writer.step(DirWriter::end)?;
        }
        files.publish()
    }

    /// For each name "old", "new", "empty" or "none".
    fn found(self, parent: &Path) -> Vec<&'static str> {
        let state = |name: &&str| match fs::read_to_string(parent.join(name)) {
            Err(_) => "none",
            Ok(text) if text == format!("old {name}") => "old",
            Ok(text) if text == format!("new {name}") => "new",
            Ok(text) if text.is_empty() => "empty",
            Ok(text) => panic!("{name} holds {text:?}"),
        };
        NAMES[..self.files].iter().map(state).collect()
    }

    fn before(self) -> Vec<&'static str> {
        let state = if self.options.existing == ExistingTarget::Replace { "old" } else { "none" };
        vec![state; self.files]
    }

    fn after(self) -> Vec<&'static str> {
        vec!["new"; self.files]
    }

    /// Names that are neither targets nor expected.
    fn left_over(parent: &Path) -> Vec<String> {
        left_over(parent).into_iter().filter(|name| !NAMES.contains(&name.as_str())).collect()
    }
}

#[test]
fn files_are_published_with_each_method_that_a_file_system_offers() {
    for case in all_cases() {
        let parent = case.parent();
        let published = case.run(&case.lack.of(Faulty::default()), parent.path()).unwrap();
        let expected = match (case.options.existing, case.lack, case.files) {
            (ExistingTarget::Refuse, Lack::Nothing, _) => PublishMethod::Rename,
            (ExistingTarget::Refuse, Lack::RenameFlags, _) => PublishMethod::Link,
            (ExistingTarget::Refuse, Lack::RenameFlagsAndLinks, _) => PublishMethod::CreateThenRename,
            (ExistingTarget::Replace, Lack::Nothing, _) => PublishMethod::Exchange,
            (ExistingTarget::Replace, _, 1) => PublishMethod::Replace,
            (ExistingTarget::Replace, ..) => PublishMethod::MoveAsideThenRename,
        };
        assert_eq!(published.method, expected, "{case:?}");
        assert_eq!(case.found(parent.path()), case.after(), "{case:?}");
        assert!(Case::left_over(parent.path()).is_empty() && published.warnings.is_empty(), "{case:?}");
    }
}

#[test]
fn any_single_failing_call_leaves_all_files_or_what_was_there() {
    for case in all_cases() {
        for call in Call::ALL {
            for n in 0.. {
                let parent = case.parent();
                let system = case.lack.of(Faulty::failing(call, n, EIO));
                let result = case.run(&system, parent.path());
                let found = case.found(parent.path());
                let name = format!("{call:?} {n} fails, {case:?}: {result:?}, {found:?}");
                match &result {
                    Ok(published) => {
                        assert_eq!(found, case.after(), "{name}");
                        assert_eq!(Case::left_over(parent.path()).is_empty(), published.warnings.is_empty(), "{name}");
                    }
                    Err(error) if is_not_durable(error) => assert_eq!(found, case.after(), "{name}"),
                    Err(error) => {
                        assert_eq!(found, case.before(), "{name}");
                        let left = Case::left_over(parent.path());
                        assert!(left.is_empty() || !error.later().is_empty(), "{name}: {left:?}");
                    }
                }
                if !system.fired() {
                    break;
                }
            }
        }
    }
}

#[test]
fn run_killed_after_any_call_leaves_no_pair_of_old_and_new() {
    for case in all_cases() {
        for calls in 0.. {
            let parent = case.parent();
            let result = case.run(&case.lack.of(Faulty::frozen_from(calls)), parent.path());
            let name = format!("killed after {calls} calls, {case:?}");
            for leftover in leftovers(parent.path()).unwrap() {
                remove(&leftover);
            }
            assert!(Case::left_over(parent.path()).is_empty(), "{name}");
            let found = case.found(parent.path());
            let is_begun = found.last() == Some(&"none") && case.options.existing == ExistingTarget::Refuse;
            assert!(
                found == case.before() || found == case.after() || (is_begun && case.files > 1),
                "{name}: {found:?}"
            );

            let again = Case { options: DirOptions { existing: ExistingTarget::Replace, ..case.options }, ..case };
            again.run(&Faulty::default(), parent.path()).unwrap();
            assert_eq!(again.found(parent.path()), again.after(), "{name}");
            if result.is_ok_and(|published| published.warnings.is_empty()) {
                break;
            }
        }
    }
}

#[test]
fn file_that_appears_at_the_last_moment_is_not_replaced() {
    let case = Case { options: DirOptions::default(), files: 2, lack: Lack::Nothing };
    for lack in Lack::ALL {
        let case = Case { lack, ..case };
        let parent = case.parent();
        let appearing = parent.path().join("payload");
        let system = case.lack.of(Faulty::default());
        system.before(Call::RenameNoReplace, move || fs::write(&appearing, "old payload").unwrap());
        let error = case.run(&system, parent.path()).unwrap_err();
        assert!(matches!(sink_error(&error), SinkError::TargetExists { .. }), "{lack:?}: {error}");
        assert_eq!(case.found(parent.path()), ["old", "none"]);
        assert!(Case::left_over(parent.path()).is_empty());
    }
}

#[test]
fn file_swapped_during_the_replacement_is_given_back() {
    let options = DirOptions { existing: ExistingTarget::Replace, fsync: Fsync::None };
    let case = Case { options, files: 2, lack: Lack::Nothing };
    let parent = case.parent();
    let payload = parent.path().join("payload");
    let system = Faulty::default();
    let stranger = payload.clone();
    system.before(Call::Exchange, move || {
        fs::rename(&stranger, stranger.with_extension("kept")).unwrap();
        fs::write(&stranger, "somebody else's").unwrap();
    });
    let error = case.run(&system, parent.path()).unwrap_err();
    assert!(matches!(sink_error(&error), SinkError::FileNotReplaceable { .. }), "{error}");
    assert_eq!(fs::read_to_string(&payload).unwrap(), "somebody else's");
    assert_eq!(fs::read_to_string(parent.path().join("payload.info")).unwrap(), "old payload.info");
}

#[test]
fn what_is_no_regular_file_is_never_replaced() {
    let options = DirOptions { existing: ExistingTarget::Replace, fsync: Fsync::None };
    let case = Case { options, files: 2, lack: Lack::Nothing };
    for name in NAMES {
        let parent = tempfile::tempdir().unwrap();
        fs::create_dir(parent.path().join(name)).unwrap();
        let error = case.run(&Faulty::default(), parent.path()).unwrap_err();
        assert!(matches!(sink_error(&error), SinkError::FileNotReplaceable { found: "a directory", .. }));
        let parent = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("elsewhere", parent.path().join(name)).unwrap();
        let error = case.run(&Faulty::default(), parent.path()).unwrap_err();
        assert!(matches!(sink_error(&error), SinkError::FileNotReplaceable { found: "a symbolic link", .. }));
        assert_eq!(error.class(), Class::Environment);
    }
}

#[test]
fn file_that_was_not_written_keeps_all_from_being_published() {
    let parent = tempfile::tempdir().unwrap();
    let targets = NAMES.map(|name| parent.path().join(name));
    let mut files = Files::create(Faulty::default(), &[&targets[0], &targets[1]], DirOptions::default()).unwrap();
    files.begin(0).unwrap();
    files.writer.step(DirWriter::end).unwrap();
    let error = files.publish().unwrap_err();
    assert!(matches!(sink_error(&error), SinkError::Misuse { .. }));
    assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
}

#[test]
fn files_in_two_directories_are_refused() {
    let parent = tempfile::tempdir().unwrap();
    let (one, other) = (parent.path().join("one"), parent.path().join("other/two"));
    let error = Files::create(Faulty::default(), &[&one, &other], DirOptions::default()).map(|_| ()).unwrap_err();
    assert!(matches!(sink_error(&error), SinkError::Misuse { .. }));
}
