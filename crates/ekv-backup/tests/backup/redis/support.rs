//! Snapshots with Redis keys, and their dumps.

use std::collections::BTreeMap;
use std::path::Path;

use ekv_backup::{DecodeOptions, DecodeReport, DirOptions, DumpTarget, Fsync, NoProgress, Result, decode, verify};
use ekv_testkit::redis::RedisRecords;
use ekv_testkit::{SnapshotBuilder, read_files};

/// The files of a dump, and what was reported.
pub(crate) struct Dump {
    /// Bytes of all files below `redis/db_0/`, by path.
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    pub(crate) report: DecodeReport,
}

impl Dump {
    /// Names of the files below `redis/db_0/`.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.files.keys().map(String::as_str).collect()
    }

    /// A file as text.
    pub(crate) fn text(&self, path: &str) -> &str {
        std::str::from_utf8(self.file(path)).unwrap()
    }

    pub(crate) fn file(&self, path: &str) -> &[u8] {
        self.files.get(path).unwrap_or_else(|| panic!("no {path} among {:?}", self.names()))
    }

    /// Names and counts of all findings.
    pub(crate) fn found(&self) -> Vec<(&str, u64)> {
        self.report.books.findings.iter().map(|finding| (finding.name, finding.count)).collect()
    }
}

/// A directory that is not brought to stable storage.
fn unsynced(path: &Path) -> DumpTarget {
    DumpTarget::directory(path, DirOptions { fsync: Fsync::None, ..DirOptions::default() })
}

/// Decodes; checks that the dump verifies and that every record is accounted for.
pub(crate) fn dump_with(snapshot: &SnapshotBuilder, options: &DecodeOptions) -> Result<Dump> {
    let directory = tempfile::tempdir().unwrap();
    let (input, target) = (directory.path().join("snapshot.fsm"), directory.path().join("dump"));
    std::fs::write(&input, snapshot.build()).unwrap();
    let decoded = decode(&input, unsynced(&target), options, &NoProgress);
    if decoded.is_err() {
        let names: Vec<_> =
            std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["snapshot.fsm"], "a failed run leaves nothing behind");
    }
    let report = decoded?;
    let verified = verify(&target, &NoProgress).unwrap();
    assert!(verified.sound, "{:?}", verified.problems);
    for family in &report.books.families {
        let accounted: u64 = family.outcomes.iter().map(|outcome| outcome.records).sum();
        assert_eq!(accounted, family.visible, "{}", family.family);
    }
    let dump = Dump { files: read_files(&target.join("redis/db_0")), report };
    assert!(dump.found().iter().all(|(name, _)| *name != "records_unaccounted"));
    Ok(dump)
}

pub(crate) fn dump_of(snapshot: &SnapshotBuilder) -> Dump {
    dump_with(snapshot, &DecodeOptions::default()).unwrap()
}

pub(crate) fn dump(records: &RedisRecords) -> Dump {
    dump_of(records.snapshot())
}
