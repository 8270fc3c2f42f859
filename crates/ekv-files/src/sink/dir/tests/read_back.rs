//! Files are read back before they are published.

use std::os::unix::fs::symlink;

use super::*;
use crate::sink::SinkOperation;

fn path(path: &str) -> DumpPath {
    DumpPath::new(path.as_bytes()).unwrap()
}

fn sink_with_a_file(target: &Path) -> DirWriter<Faulty> {
    let mut sink = DirWriter::create(Faulty::default(), target, DirOptions::default()).unwrap();
    sink.begin(&path("a/file")).unwrap();
    sink.write(b"content").unwrap();
    sink.end().unwrap();
    sink
}

fn is_read_back_error(error: &Error) -> bool {
    matches!(sink_error(error), SinkError::Io { operation: SinkOperation::ReadBack, .. })
        && error.class() == Class::WriteIo
}

#[test]
fn staged_file_reads_as_it_was_written_and_only_between_files() {
    let parent = tempfile::tempdir().unwrap();
    let mut sink = sink_with_a_file(&parent.path().join("dump"));
    let mut text = String::new();
    sink.open_staged(&path("a/file")).unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "content");
    sink.begin(&path("b")).unwrap();
    assert!(matches!(sink_error(&sink.open_staged(&path("a/file")).unwrap_err()), SinkError::Misuse { .. }));
}

#[test]
fn file_that_was_never_written_is_not_found_and_nothing_is_made_for_it() {
    let parent = tempfile::tempdir().unwrap();
    let mut sink = sink_with_a_file(&parent.path().join("dump"));
    for missing in ["other/file", "a/other", "missing"] {
        assert!(is_read_back_error(&sink.open_staged(&path(missing)).unwrap_err()), "{missing}");
    }
    sink.publish().unwrap();
    assert_eq!(entries(&parent.path().join("dump")).len(), 2);
}

#[test]
fn link_or_pipe_in_place_of_a_staged_file_is_refused_without_waiting() {
    for replacement in ["link", "pipe"] {
        let parent = tempfile::tempdir().unwrap();
        let mut sink = sink_with_a_file(&parent.path().join("dump"));
        let staged = parent.path().join(&left_over(parent.path())[0]).join("tree/a/file");
        fs::remove_file(&staged).unwrap();
        if replacement == "link" {
            symlink("/etc/hostname", &staged).unwrap();
        } else {
            assert!(std::process::Command::new("mkfifo").arg(&staged).status().unwrap().success());
        }
        assert!(is_read_back_error(&sink.open_staged(&path("a/file")).unwrap_err()), "{replacement}");
    }
}
