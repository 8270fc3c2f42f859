//! File systems that are other than most.

use super::super::files::Files;
use super::faulty::{Call, EINVAL, EIO, Fixed, Renumbering};
use super::*;
use crate::sink::{Privacy, PublishMethod, leftovers};

const REFUSE: DirOptions = DirOptions { existing: ExistingTarget::Refuse, fsync: Fsync::None };
const REPLACE: DirOptions = DirOptions { existing: ExistingTarget::Replace, fsync: Fsync::None };

/// Writes a file as an archive or a payload is written.
fn write_file(system: &Faulty, target: &Path, options: DirOptions) -> Result<Published> {
    let mut files = Files::create(system.clone(), &[target], options)?;
    files.begin(0)?;
    files.writer.step(|writer| writer.write(b"new"))?;
    files.writer.step(DirWriter::end)?;
    files.publish()
}

/// What a file system with fixed modes shows, by the way it was mounted, and what of it is said.
fn fixed_places() -> [(Fixed, Privacy); 4] {
    let me = Faulty::default().effective_user();
    let fixed = |owner, directory, file| Fixed { owner, directory, file };
    [
        // exFAT, NTFS, CIFS, vboxsf with their usual options.
        (fixed(None, Some(0o755), Some(0o644)), Privacy::FixedModes { permissions: 0o755, owner: None }),
        // The same, mounted for somebody else.
        (
            fixed(Some(me + 7), Some(0o777), Some(0o777)),
            Privacy::FixedModes { permissions: 0o777, owner: Some(me + 7) },
        ),
        // Directories alone are open to others.
        (fixed(None, Some(0o755), Some(0o600)), Privacy::FixedModes { permissions: 0o755, owner: None }),
        // NFS that makes root nobody.
        (fixed(Some(65_534), None, None), Privacy::OtherOwner { owner: 65_534 }),
    ]
}

#[test]
fn place_with_fixed_modes_or_owner_is_written_to_and_its_privacy_is_told() {
    for (fixed, privacy) in fixed_places() {
        for options in [REFUSE, REPLACE] {
            let parent = parent(options);
            let system = Faulty::default().with_fixed(fixed);
            let published = write_and_publish(&system, &parent.path().join("dump"), options).unwrap();
            assert_eq!((published.privacy, found(parent.path())), (privacy, Found::New));
            assert!(published.privacy.warning("dump").is_some(), "{privacy}");
            assert!(left_over(parent.path()).is_empty());
            let archive = parent.path().join("dump.tar");
            assert_eq!(write_file(&system, &archive, REFUSE).unwrap().privacy, privacy);
            assert_eq!(write_file(&system, &archive, REPLACE).unwrap().privacy, privacy);
            fs::remove_file(archive).unwrap();
        }
    }
}

#[test]
fn file_that_leaves_a_private_directory_is_told_by_its_own_mode() {
    let parent = parent(REFUSE);
    let system = Faulty::default().with_fixed(Fixed { owner: None, directory: None, file: Some(0o644) });
    let published = write_file(&system, &parent.path().join("dump.tar"), REFUSE).unwrap();
    assert_eq!(published.privacy, Privacy::FixedModes { permissions: 0o644, owner: None });
    assert_eq!(write_and_publish(&system, &parent.path().join("dump"), REFUSE).unwrap().privacy, Privacy::Modes);
}

#[test]
fn usual_place_is_private_by_its_modes_and_nothing_is_said() {
    let parent = parent(REFUSE);
    let published = write_and_publish(&Faulty::default(), &parent.path().join("dump"), REFUSE).unwrap();
    assert_eq!(published.privacy, Privacy::Modes);
    assert!(published.warnings.is_empty() && published.privacy.warning("dump").is_none());
}

#[test]
fn staging_directory_that_somebody_replaced_is_refused_where_modes_are_kept() {
    use std::os::unix::fs::PermissionsExt;
    let parent = parent(REFUSE);
    let system = Faulty::default();
    let place = parent.path().to_path_buf();
    system.before(Call::OpenDirectory, move || {
        let staging = place.join(&left_over(&place)[0]);
        fs::set_permissions(staging, fs::Permissions::from_mode(0o755)).unwrap();
    });
    let error = write_and_publish(&system, &parent.path().join("dump"), REFUSE).unwrap_err();
    assert!(
        matches!(sink_error(&error), SinkError::StagingForeign { found, .. } if found.contains("umask")),
        "{error}"
    );
    assert!(left_over(parent.path()).is_empty());
}

#[test]
fn leftover_on_a_place_with_fixed_modes_is_found_by_the_next_run() {
    for (fixed, _) in fixed_places() {
        for calls in 0.. {
            let parent = parent(REPLACE);
            let target = parent.path().join("dump");
            let killed = Faulty::frozen_from(calls).without_rename_flags(EINVAL).with_fixed(fixed);
            let result = write_and_publish(&killed, &target, REPLACE);
            let next = Faulty::default().without_rename_flags(EINVAL).with_fixed(fixed);
            write_and_publish(&next, &target, REPLACE).unwrap();
            assert_eq!(found(parent.path()), Found::New, "killed after {calls} calls");
            if result.is_ok_and(|published| published.warnings.is_empty()) {
                break;
            }
        }
    }
}

#[test]
fn file_systems_that_number_a_new_name_anew_are_not_taken_for_an_attack() {
    for what in [Renumbering::Links, Renumbering::LinksAndRenames] {
        for has_rename_flags in [true, false] {
            for options in [REFUSE, REPLACE] {
                let parent = parent(options);
                let system = Faulty::default().renumbering(what);
                let system = if has_rename_flags { system } else { system.without_rename_flags(EINVAL) };
                let archive = parent.path().join("dump.tar");
                let name = format!("{what:?}, rename flags {has_rename_flags}, {options:?}");
                for file_options in [REFUSE, REPLACE] {
                    write_file(&system, &archive, file_options).unwrap_or_else(|error| panic!("{name}: {error}"));
                }
                fs::remove_file(archive).unwrap();
                let published = write_and_publish(&system, &parent.path().join("dump"), options);
                assert!(published.unwrap_or_else(|error| panic!("{name}: {error}")).warnings.is_empty(), "{name}");
                assert_eq!(found(parent.path()), Found::New, "{name}");
                assert!(left_over(parent.path()).is_empty(), "{name}: {:?}", left_over(parent.path()));
            }
        }
    }
}

#[test]
fn what_is_not_the_written_file_is_noticed_also_where_new_names_are_numbered_anew() {
    let parent = parent(REFUSE);
    let target = parent.path().join("dump.tar");
    let system = Faulty::default().without_rename_flags(EINVAL).renumbering(Renumbering::LinksAndRenames);
    let foreign = target.clone();
    // The first removal is that of the staged name, right after the file got its second one.
    system.before(Call::RemoveFile, move || {
        fs::remove_file(&foreign).unwrap();
        fs::write(&foreign, "somebody else's").unwrap();
    });
    let error = write_file(&system, &target, REFUSE).unwrap_err();
    assert!(matches!(sink_error(&error), SinkError::PublishedForeign { .. }), "{error}");
    assert_eq!(fs::read_to_string(&target).unwrap(), "somebody else's");
}

#[test]
fn directories_whose_numbers_are_forgotten_are_entered_again() {
    let parent = parent(REFUSE);
    let target = parent.path().join("dump");
    let system = Faulty::default().with_open_files_max(8);
    let mut sink = DirWriter::create(system.clone(), &target, REFUSE).unwrap();
    system.forget_ids();
    for round in 0..3 {
        for i in 0..7 {
            sink.begin(&DumpPath::new(format!("x/y{i}/z/file{round}").as_bytes()).unwrap()).unwrap();
            sink.end().unwrap();
        }
    }
    sink.publish().unwrap();
    assert_eq!(entries(&target).values().flatten().count(), 21);
}

#[test]
fn mount_point_is_refused_before_anything_is_made_and_the_way_out_is_named() {
    let parent = tempfile::tempdir().unwrap();
    let target = parent.path().join("dump");
    fs::create_dir(&target).unwrap();
    for (options, way_out) in [(REFUSE, "name something new inside of it"), (REPLACE, "/dump/dump")] {
        let system = Faulty::default().with_mount_point(b"dump");
        let error = write_and_publish(&system, &target, options).unwrap_err();
        assert!(error.to_string().contains("mount point") && error.to_string().contains(way_out), "{error}");
        assert_eq!((error.class(), system.count(Call::CreateDirectory)), (Class::Environment, 0));
    }
    fs::remove_dir(&target).unwrap();
    fs::write(&target, "old").unwrap();
    let system = Faulty::default().with_mount_point(b"dump");
    let error = write_file(&system, &target, REPLACE).unwrap_err();
    assert!(matches!(sink_error(&error), SinkError::MountPoint { .. }), "{error}");
    assert_eq!((fs::read_to_string(&target).unwrap().as_str(), system.count(Call::CreateDirectory)), ("old", 0));
}

#[test]
fn old_dump_that_the_file_system_cannot_move_stays_whole_and_is_not_called_an_attack() {
    const EXDEV: i32 = 18;
    for call in [Call::Exchange, Call::Rename] {
        let parent = parent(REPLACE);
        let system = Faulty::failing(call, 0, EXDEV);
        let system = if call == Call::Rename { system.without_rename_flags(EINVAL) } else { system };
        let error = write_and_publish(&system, &parent.path().join("dump"), REPLACE).unwrap_err();
        assert!(matches!(sink_error(&error), SinkError::NotMovable { .. }), "{error}");
        assert_eq!((error.class(), found(parent.path())), (Class::Environment, Found::Old));
        assert!(left_over(parent.path()).is_empty());
    }
}

#[test]
fn file_system_with_short_names_gets_a_short_staging_name() {
    let parent = parent(REFUSE);
    let target = parent.path().join("d".repeat(140));
    let system = Faulty::default().with_name_len_max(143);
    write_and_publish(&system, &target, REFUSE).unwrap();
    assert!(target.is_dir());
}

#[test]
fn name_that_the_file_system_does_not_take_is_told_with_a_way_out() {
    let parent = parent(REFUSE);
    let mut sink = DirWriter::create(Faulty::default(), &parent.path().join("dump"), REFUSE).unwrap();
    sink.system.fail_later(Call::CreateFile, EINVAL);
    let error = sink.begin(&DumpPath::new(b"redis/a:b").unwrap()).unwrap_err();
    assert!(matches!(sink_error(&error), SinkError::NameRefused { .. }), "{error}");
    assert!(error.to_string().contains("archive"), "{error}");
}

#[test]
fn file_whose_check_fails_after_it_got_its_name_is_withdrawn_or_known_to_be_right() {
    for has_rename_flags in [true, false] {
        for n in 0.. {
            let parent = parent(REFUSE);
            let targets = ["payload", "payload.info"].map(|name| parent.path().join(name));
            let system = Faulty::failing(Call::StatAt, n, EIO);
            let system = if has_rename_flags { system } else { system.without_rename_flags(EINVAL) };
            let result = (|| {
                let mut files = Files::create(system.clone(), &[&targets[0], &targets[1]], REFUSE)?;
                for index in 0..2 {
                    files.begin(index)?;
                    files.writer.step(DirWriter::end)?;
                }
                files.publish()
            })();
            let there = targets.each_ref().map(|target| target.exists());
            match &result {
                Ok(_) => assert_eq!(there, [true, true], "{n}"),
                Err(error) if is_not_durable(error) => assert_eq!(there, [true, true], "{n}"),
                Err(error) => assert_eq!(there, [false, false], "{n}: {error}"),
            }
            if !system.fired() {
                assert!(result.is_ok());
                break;
            }
        }
    }
}

#[test]
fn old_file_is_not_put_back_over_what_took_its_name() {
    for has_rename_flags in [true, false] {
        let parent = tempfile::tempdir().unwrap();
        let targets = ["payload", "payload.info"].map(|name| parent.path().join(name));
        targets.iter().for_each(|target| fs::write(target, "old").unwrap());
        let system = Faulty::default();
        let system = if has_rename_flags { system } else { system.without_rename_flags(EINVAL) };
        let mut files = Files::create(system.clone(), &[&targets[0], &targets[1]], REPLACE).unwrap();
        for index in 0..2 {
            files.begin(index).unwrap();
            files.writer.step(DirWriter::end).unwrap();
        }
        // The old info file is moved away first; then somebody takes its name.
        let taken = targets[1].clone();
        system.before(Call::Exchange, move || fs::write(&taken, "somebody else's").unwrap());
        let error = files.publish().unwrap_err();
        assert!(error.to_string().contains("could not be put back"), "{error}");
        assert_eq!(fs::read_to_string(&targets[1]).unwrap(), "somebody else's");
        let kept = leftovers(parent.path()).unwrap();
        assert_eq!(fs::read_to_string(kept[0].path().join("replaced-1")).unwrap(), "old");
        assert_eq!(fs::read_to_string(&targets[0]).unwrap(), "old", "rename flags {has_rename_flags}");
    }
}

#[test]
fn each_way_to_publish_is_named_where_the_usual_one_is_missing() {
    let parent = parent(REFUSE);
    let system = Faulty::default().without_rename_flags(EINVAL).renumbering(Renumbering::Links);
    let published = write_file(&system, &parent.path().join("dump.tar"), REFUSE).unwrap();
    assert_eq!(published.method, PublishMethod::Link);
}

#[test]
fn removal_ends_where_open_files_come_back_under_hidden_names() {
    let parent = parent(REFUSE);
    let system = Faulty::default();
    let mut sink = DirWriter::create(system.clone(), &parent.path().join("dump"), REFUSE).unwrap();
    sink.begin(&DumpPath::new(b"redis/a").unwrap()).unwrap();
    sink.end().unwrap();
    system.hide_removed();
    let error = sink.abort().unwrap_err();
    assert!(error.to_string().contains("cannot remove"), "{error}");
    assert!(system.count(Call::RemoveFile) < 100);
}
