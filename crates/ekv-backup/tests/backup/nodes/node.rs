//! Builds the data directory of a node and decodes it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use ekv_backup::{DecodeOptions, DecodeReport, NoProgress, ReadOptions, Result, decode, inspect};
use ekv_node::snapfile::{SnapMetadata, Token, encode};
use ekv_testkit::SnapshotBuilder;
use tempfile::TempDir;

/// A node directory in a temporary directory.
pub(crate) struct Node {
    root: TempDir,
}

/// What a decode told and wrote.
pub(crate) struct Decoded {
    pub(crate) report: DecodeReport,
    pub(crate) strings: BTreeMap<String, String>,
}

impl Node {
    pub(crate) fn new() -> Node {
        Node { root: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.root.path().join("n1")
    }

    /// Adds a snapshot of a group with its `.snap` file; returns the path of the snapshot.
    pub(crate) fn add(&self, group_id: u64, index: u64, snapshot: &SnapshotBuilder) -> PathBuf {
        write_snapshot(&self.path().join(format!("group-{group_id}")), index, &snapshot.build())
    }

    pub(crate) fn try_decode(&self, options: &DecodeOptions) -> Result<DecodeReport> {
        decode(&self.path(), &self.dump(), options, &NoProgress)
    }

    pub(crate) fn dump(&self) -> PathBuf {
        self.root.path().join("dump")
    }

    /// Decodes, checks the books, and reads the strings of the dump, which is then removed.
    pub(crate) fn decode(&self, read: ReadOptions) -> Decoded {
        let report = self.try_decode(&DecodeOptions { read: read.clone(), ..DecodeOptions::default() }).unwrap();
        check_books(&report);
        let inspection = inspect(&self.path(), &read, &NoProgress).unwrap();
        assert_eq!(inspection.records.visible, report.books.records.visible, "inspect sees what decode sees");
        let strings = strings(&self.dump());
        fs::remove_dir_all(self.dump()).unwrap();
        Decoded { report, strings }
    }
}

impl Decoded {
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.strings.get(key).map(String::as_str)
    }

    /// Names and counts of warnings and losses.
    pub(crate) fn odd(&self) -> Vec<(&'static str, u64)> {
        let odd = self.report.books.findings.iter().filter(|finding| finding.severity != "info");
        odd.map(|finding| (finding.name, finding.count)).collect()
    }
}

/// Writes a group's snapshot and the `.snap` file that names it.
pub(crate) fn write_snapshot(group: &Path, index: u64, bytes: &[u8]) -> PathBuf {
    fs::create_dir_all(group.join("fsm-snap")).unwrap();
    fs::create_dir_all(group.join("snap")).unwrap();
    let crc32c = u32::from_be_bytes(*bytes.last_chunk().unwrap());
    let metadata = SnapMetadata { term: 1, index, ..SnapMetadata::default() };
    let snap = encode(&metadata, Token { index, crc32c }).unwrap();
    fs::write(group.join(format!("snap/{:016x}-{index:016x}.snap", 1)), snap).unwrap();
    let path = group.join(format!("fsm-snap/{index:016x}.fsm"));
    fs::write(&path, bytes).unwrap();
    path
}

/// Every record is accounted for exactly once, in each family and altogether.
pub(crate) fn check_books(report: &DecodeReport) {
    let mut entries = 0;
    for family in &report.books.families {
        let outcomes: u64 = family.outcomes.iter().map(|outcome| outcome.records).sum();
        assert_eq!(family.visible, outcomes, "{}", family.family);
        let shown = [family.older, family.newer, family.deleted, family.store_expired, family.damaged];
        let fates: u64 = shown.iter().sum::<u64>() + family.covered + family.unowned + family.visible;
        assert_eq!(family.records + family.staged, fates, "{family:?}");
        entries += family.records;
    }
    let records = &report.books.records;
    assert_eq!(records.entries, entries + records.store_rows + records.short_keys);
}

/// The strings of a dump; their keys need no escapes.
fn strings(dump: &Path) -> BTreeMap<String, String> {
    let Ok(files) = fs::read_dir(dump.join("redis/db_0/strings")) else { return BTreeMap::new() };
    let read = |file: std::io::Result<fs::DirEntry>| {
        let path = file.unwrap().path();
        let key = path.file_stem().unwrap().to_str().unwrap().to_owned();
        (key, String::from_utf8(fs::read(path).unwrap()).unwrap())
    };
    files.map(read).collect()
}

/// User key of a Redis string.
pub(crate) fn string(key: &str) -> Vec<u8> {
    format!("!redis|str|{key}").into_bytes()
}

/// Stored form of a Redis string.
pub(crate) fn stored(value: &str) -> Vec<u8> {
    [b"\xff\x01\0", value.as_bytes()].concat()
}

/// Adds the catalog of a cluster in which group 1 owns the route keys below `m` and group 2 the others.
pub(crate) fn with_catalog(snapshot: SnapshotBuilder) -> SnapshotBuilder {
    let key = |id: u64| [b"!dist|route|", &id.to_be_bytes()[..]].concat();
    snapshot.put(&key(1), 1, &route(1, 1, b"", Some(b"m"))).put(&key(2), 1, &route(2, 2, b"m", None))
}

/// The body of a route record.
pub(crate) fn route(route_id: u64, group_id: u64, start: &[u8], end: Option<&[u8]>) -> Vec<u8> {
    let mut body = vec![1];
    body.extend_from_slice(&route_id.to_be_bytes());
    body.extend_from_slice(&group_id.to_be_bytes());
    body.push(0);
    body.extend_from_slice(&0_u64.to_be_bytes());
    let mut border = |border: &[u8]| {
        body.extend_from_slice(&u64::try_from(border.len()).unwrap().to_be_bytes());
        body.extend_from_slice(border);
    };
    border(start);
    match end {
        None => body.push(0),
        Some(end) => {
            body.push(1);
            body.extend_from_slice(&u64::try_from(end.len()).unwrap().to_be_bytes());
            body.extend_from_slice(end);
        }
    }
    body
}
