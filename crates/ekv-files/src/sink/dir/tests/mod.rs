//! Runs of the directory sink over a system that fails or is interfered with at chosen calls.

mod crash;
mod fault;
mod faulty;
mod files;
mod journal;
mod leftover;
mod places;
mod power;
mod publish;
mod read_back;
mod replacing;

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::path::Path;

use ekv_model::Class;
use tempfile::TempDir;

use self::faulty::Faulty;
use super::sys::System;
use super::{DirWriter, Leftover};
use crate::sink::{DirOptions, ExistingTarget, Fsync, Published, SinkError};
use crate::{DumpPath, Error, ErrorKind, Result};

/// What [`write_and_publish`] writes.
const FILES: [(&str, usize); 5] =
    [("redis/b/one", 3), ("redis/b/two", 0), ("redis/large", 200_000), ("s3/three", 70_000), ("MANIFEST.json", 24)];

/// Every combination of options.
fn all_options() -> impl Iterator<Item = DirOptions> {
    [ExistingTarget::Refuse, ExistingTarget::Replace].into_iter().flat_map(|existing| {
        [Fsync::Full, Fsync::File, Fsync::None].into_iter().map(move |fsync| DirOptions { existing, fsync })
    })
}

fn content(len: usize) -> Vec<u8> {
    let mut content = br#"{"format_version": 1    }"#.to_vec();
    content.truncate(24);
    content.pop();
    content.push(b'}');
    content.resize(len, b'.');
    content
}

/// A whole run: directories, files small and large in several writes, a scratch file, publication.
fn write_and_publish<S: System>(system: &S, target: &Path, options: DirOptions) -> Result<Published> {
    let mut sink = DirWriter::create(system.clone(), target, options)?;
    sink.directory(&DumpPath::new(b"sqs")?)?;
    let mut scratch = sink.staging.scratch().create()?;
    scratch.write_all(b"scratch").unwrap();
    for (path, len) in FILES {
        sink.begin(&DumpPath::new(path.as_bytes())?)?;
        for piece in content(len).chunks(40_000) {
            sink.write(piece)?;
        }
        sink.end()?;
    }
    sink.begin(&DumpPath::new(b"CHECKSUMS")?)?;
    sink.write(&checksums(&FILES.map(|(path, _)| path)))?;
    sink.end()?;
    let mut read_back = Vec::new();
    sink.open_staged(&DumpPath::new(b"redis/large")?)?.read_to_end(&mut read_back).unwrap();
    assert!(read_back == content(200_000));
    sink.publish()
}

/// A directory to write into; where the options say so, with an older dump at the target.
fn parent(options: DirOptions) -> TempDir {
    let parent = tempfile::tempdir().unwrap();
    if options.existing == ExistingTarget::Replace {
        fs::create_dir(parent.path().join("dump")).unwrap();
        fs::write(parent.path().join("dump/MANIFEST.json"), br#"{"format_version":1,"old":true}"#).unwrap();
        fs::create_dir_all(parent.path().join("dump/redis/deep")).unwrap();
        fs::write(parent.path().join("dump/redis/deep/file"), b"old").unwrap();
        fs::write(parent.path().join("dump/CHECKSUMS"), checksums(&["redis/deep/file"])).unwrap();
    }
    parent
}

/// CHECKSUMS that lists these files.
fn checksums(paths: &[&str]) -> Vec<u8> {
    let mut text = Vec::new();
    paths.iter().for_each(|path| crate::checksums::write_line(&[0xab; 32], path.as_bytes(), &mut text));
    text
}

/// What lies at the target.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    Nothing,
    Old,
    New,
    EmptyDirectory,
}

fn found(parent: &Path) -> Found {
    let target = parent.join("dump");
    if fs::symlink_metadata(&target).is_err() {
        return Found::Nothing;
    }
    let entries = entries(&target);
    if entries.is_empty() {
        return Found::EmptyDirectory;
    }
    if entries.contains_key("redis/deep/file") {
        assert_eq!(entries.len(), 5, "the old dump is whole: {entries:?}");
        return Found::Old;
    }
    let mut expected: BTreeMap<String, Option<Vec<u8>>> =
        FILES.iter().map(|(path, len)| (String::from(*path), Some(content(*len)))).collect();
    expected.extend(["redis", "redis/b", "s3", "sqs"].map(|directory| (directory.to_owned(), None)));
    expected.insert("CHECKSUMS".to_owned(), Some(checksums(&FILES.map(|(path, _)| path))));
    assert!(entries == expected, "the new dump is whole: {:?}", entries.keys());
    Found::New
}

/// Everything below a directory.
fn entries(directory: &Path) -> BTreeMap<String, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut open = vec![directory.to_path_buf()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(&next).unwrap().map(|entry| entry.unwrap().path()) {
            let name = entry.strip_prefix(directory).unwrap().to_str().unwrap().to_owned();
            if fs::symlink_metadata(&entry).unwrap().is_dir() {
                found.insert(name, None);
                open.push(entry);
            } else {
                found.insert(name, Some(fs::read(&entry).unwrap()));
            }
        }
    }
    found
}

/// Removes a staging directory. A process that another test starts holds its lock until it has become another program.
fn remove(leftover: &Leftover) {
    while let Err(error) = leftover.remove() {
        assert!(
            matches!(sink_error(&error), SinkError::StagingForeign { found, .. } if found == "a run uses it"),
            "{error}"
        );
        std::thread::yield_now();
    }
}

/// Names in the parent beside the target.
fn left_over(parent: &Path) -> Vec<String> {
    let names = fs::read_dir(parent).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name != "dump").collect()
}

fn sink_error(error: &Error) -> &SinkError {
    match error.kind() {
        ErrorKind::Sink(error) => error,
        other => panic!("not an error of the sink: {other:?}"),
    }
}

fn is_not_durable(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Sink(SinkError::NotDurable { .. }))
}

/// The class that a disk which fails or is full leads to.
fn class_of(code: i32) -> [Class; 2] {
    match code {
        faulty::ENOSPC | faulty::EDQUOT => [Class::OutOfSpace, Class::OutOfSpace],
        _ => [Class::WriteIo, Class::Environment],
    }
}
