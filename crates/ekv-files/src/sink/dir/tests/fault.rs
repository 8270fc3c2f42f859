//! One call fails.

use super::faulty::{Call, EDQUOT, EINTR, EIO, EMFILE, ENOSPC};
use super::*;

#[test]
fn any_single_failing_call_leaves_a_whole_dump_or_none_and_no_staging() {
    for options in all_options() {
        for call in Call::ALL {
            fail_every(call, EIO, options);
        }
    }
}

#[test]
fn full_disk_at_any_call_is_reported_as_such_and_leaves_nothing() {
    let options = DirOptions { fsync: Fsync::None, ..DirOptions::default() };
    for code in [ENOSPC, EDQUOT] {
        for call in Call::ALL {
            fail_every(call, code, options);
        }
    }
}

/// Repeats a run with the first, second, … call of a kind failing, until none is left.
fn fail_every(call: Call, code: i32, options: DirOptions) {
    for n in 0.. {
        let parent = parent(options);
        let system = Faulty::failing(call, n, code);
        let result = write_and_publish(&system, &parent.path().join("dump"), options);
        if !system.fired() {
            result.unwrap();
            assert_eq!(found(parent.path()), Found::New);
            break;
        }
        let name = format!("{call:?} {n} failing with {code}, {options:?}: {result:?}");
        check_one_fault(parent.path(), options, code, &result, &name);
    }
}

fn check_one_fault(parent: &Path, options: DirOptions, code: i32, result: &Result<Published>, name: &str) {
    let before = match options.existing {
        ExistingTarget::Refuse => Found::Nothing,
        ExistingTarget::Replace => Found::Old,
    };
    match result {
        Ok(published) => {
            assert_eq!(found(parent), Found::New, "{name}");
            assert_eq!(left_over(parent).is_empty(), published.warnings.is_empty(), "{name}");
        }
        Err(error) if is_not_durable(error) => {
            assert_eq!(found(parent), Found::New, "{name}");
            assert!(class_of(code).contains(&error.class()) || error.class() == Class::WriteIo, "{name}");
        }
        Err(error) => {
            assert_eq!(found(parent), before, "{name}");
            assert!(left_over(parent).is_empty() || !error.later().is_empty(), "{name}: {:?}", left_over(parent));
            assert!(class_of(code).contains(&error.class()), "{name}");
        }
    }
}

#[test]
fn close_error_of_any_file_is_fatal() {
    let options = DirOptions { fsync: Fsync::None, ..DirOptions::default() };
    // The first file is the marker of the staging directory.
    for n in 1..=FILES.len() {
        let parent = parent(options);
        let system = Faulty::failing(Call::Close, n, EIO);
        let error = write_and_publish(&system, &parent.path().join("dump"), options).unwrap_err();
        assert!(matches!(sink_error(&error), SinkError::Io { operation: crate::sink::SinkOperation::Close, .. }));
    }
}

#[test]
fn interrupted_and_short_writes_are_continued() {
    let options = DirOptions::default();
    for n in 0..4 {
        let parent = parent(options);
        let system = Faulty::failing(Call::Write, n, EINTR).with_short_writes(1000);
        write_and_publish(&system, &parent.path().join("dump"), options).unwrap();
        assert!(system.fired());
        assert_eq!(found(parent.path()), Found::New);
    }
}

#[test]
fn error_while_cleaning_up_is_reported_behind_the_first_one() {
    let options = DirOptions::default();
    let parent = parent(options);
    let target = parent.path().join("dump");
    let system = Faulty::default();
    let mut sink = DirWriter::create(system.clone(), &target, options).unwrap();
    sink.begin(&DumpPath::new(b"x").unwrap()).unwrap();
    sink.end().unwrap();
    fs::create_dir(&target).unwrap();
    let removal = system.clone();
    system.before(Call::OpenDirectory, move || removal.freeze());
    let error = sink.publish().unwrap_err();
    assert!(matches!(sink_error(&error), SinkError::TargetExists { .. }));
    assert_eq!(error.later().len(), 1);
    assert!(error.to_string().contains("; then: cannot remove"), "{error}");
}

#[test]
fn running_out_of_descriptors_closes_directories_and_goes_on() {
    let options = DirOptions { fsync: Fsync::File, ..DirOptions::default() };
    for starved in 0..14 {
        for call in [Call::OpenDirectory, Call::CreateFile] {
            let parent = parent(options);
            let system = Faulty::default();
            let target = parent.path().join("dump");
            let mut sink = DirWriter::create(system.clone(), &target, options).unwrap();
            sink.directory(&DumpPath::new(b"d0/e0").unwrap()).unwrap();
            for i in 0..20 {
                if i == starved {
                    system.fail_later(call, EMFILE);
                }
                let path = format!("d{}/e{}/f{i}", i % 3, i % 5);
                sink.begin(&DumpPath::new(path.as_bytes()).unwrap()).unwrap();
                sink.end().unwrap();
            }
            sink.publish().unwrap();
            assert_eq!(entries(&target).values().flatten().count(), 20);
        }
    }
}

#[test]
fn directories_that_were_closed_are_opened_again_and_used() {
    for options in all_options() {
        let parent = parent(options);
        let target = parent.path().join("dump");
        let system = Faulty::default().with_open_files_max(8);
        let mut sink = DirWriter::create(system.clone(), &target, options).unwrap();
        for round in 0..3 {
            for i in 0..7 {
                let path = format!("x/y{i}/z/file{round}");
                sink.begin(&DumpPath::new(path.as_bytes()).unwrap()).unwrap();
                sink.write(path.as_bytes()).unwrap();
                sink.end().unwrap();
            }
        }
        sink.publish().unwrap();
        let entries = entries(&target);
        assert_eq!(entries.values().flatten().count(), 21);
        assert_eq!(entries["x/y3/z/file2"].as_deref(), Some(&b"x/y3/z/file2"[..]));
    }
}

#[test]
fn small_file_costs_one_create_one_write_and_one_close() {
    let options = DirOptions::default();
    let parent = parent(options);
    let system = Faulty::default();
    let mut sink = DirWriter::create(system.clone(), &parent.path().join("dump"), options).unwrap();
    let mut path = DumpPath::new(b"redis/db_0/strings").unwrap();
    sink.directory(&path).unwrap();
    let (before, written, len) = (system.count_all(), system.count(Call::Write), path.len());
    for i in 0..10 {
        path.push(format!("key{i}.bin").as_bytes()).unwrap();
        sink.begin(&path).unwrap();
        for _ in 0..50 {
            sink.write(b"value").unwrap();
        }
        sink.end().unwrap();
        path.truncate(len);
    }
    assert_eq!(system.count_all() - before, 30);
    assert_eq!(system.count(Call::Write) - written, 10);
}

#[test]
fn names_that_differ_only_in_case_collide_with_an_error_that_shows_both() {
    let options = DirOptions::default();
    for (first, second, message) in [
        ("a/case", "a/CASE", "a/CASE exists already in the staged tree: the file system takes it for a/case"),
        ("dir/x", "DIR/y", "DIR exists already in the staged tree: the file system takes it for dir"),
        ("a/same", "a/same", "a/same exists already in the staged tree"),
    ] {
        let parent = parent(options);
        let system = Faulty::default().folding_case();
        let mut sink = DirWriter::create(system, &parent.path().join("dump"), options).unwrap();
        sink.begin(&DumpPath::new(first.as_bytes()).unwrap()).unwrap();
        sink.end().unwrap();
        let error = sink.begin(&DumpPath::new(second.as_bytes()).unwrap()).unwrap_err();
        assert_eq!(error.to_string(), message);
        assert_eq!(error.class(), Class::Data);
    }
}
