//! A directory with dumps and payloads.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use ekv_backup::{
    Class, DecodeOptions, DecodeReport, DirOptions, DumpTarget, DynamodbLayout, EncodeOptions, EncodeReport, Error,
    Fsync, NoProgress, Protocol, SqsVisibility, decode, encode, verify,
};
use ekv_testkit::read_files;
use tempfile::TempDir;

/// A directory whose entries are named without their path.
pub(crate) struct Room {
    pub(crate) dir: TempDir,
}

/// Options for tests: nothing is brought to stable storage.
pub(crate) fn options() -> EncodeOptions {
    let mut options = EncodeOptions { now: "2026-11-23T12:00:00Z".parse().unwrap(), ..EncodeOptions::default() };
    options.sink.fsync = Fsync::None;
    options
}

pub(crate) fn decode_options() -> DecodeOptions {
    DecodeOptions { now: "2026-11-22T12:00:00Z".parse().unwrap(), ..DecodeOptions::default() }
}

impl Room {
    pub(crate) fn new() -> Room {
        Room { dir: tempfile::tempdir().unwrap() }
    }

    /// A room with the dump `dump` of a snapshot.
    pub(crate) fn with_dump_of(snapshot: &[u8], options: &DecodeOptions) -> Room {
        let room = Room::new();
        fs::write(room.path("snapshot.fsm"), snapshot).unwrap();
        room.decode("snapshot.fsm", "dump", options);
        room
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Decodes without a loss.
    pub(crate) fn decode(&self, snapshot: &str, dump: &str, options: &DecodeOptions) -> DecodeReport {
        let unsynced = DirOptions { fsync: Fsync::None, ..DirOptions::default() };
        let target = DumpTarget::directory(self.path(dump), unsynced);
        // Some of these payloads hold nothing, and say so in the name of their test.
        let mut options = options.clone();
        options.read.allow_empty = true;
        let report = decode(&self.path(snapshot), target, &options, &NoProgress).unwrap();
        assert_eq!(report.losses, 0, "{:?}", report.books.findings);
        report
    }

    pub(crate) fn encode(&self, dump: &str, payload: &str, options: &EncodeOptions) -> Result<EncodeReport, Error> {
        encode(&self.path(dump), &self.path(payload), options, &NoProgress)
    }

    /// Encodes `dump` into `out.fsm`, which must fail with this class and leave everything as it was.
    pub(crate) fn refusal(&self, class: Class, options: &EncodeOptions) -> Error {
        let before = self.names();
        let error = self.encode("dump", "out.fsm", options).unwrap_err();
        assert_eq!(error.class(), class, "{error}");
        assert_eq!(self.names(), before, "{error}");
        error
    }

    /// Names in the directory.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dir.path()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    pub(crate) fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// The data of a dump: all files but MANIFEST.json and CHECKSUMS, which name the source and the time.
    pub(crate) fn data(&self, dump: &str) -> BTreeMap<String, Vec<u8>> {
        data(&self.path(dump))
    }

    pub(crate) fn assert_sound(&self, dump: &str) {
        let report = verify(&self.path(dump), &NoProgress).unwrap();
        assert!(report.sound, "{:?}", report.problems);
    }
}

fn data(dump: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = read_files(dump);
    files.retain(|path, _| path != "MANIFEST.json" && path != "CHECKSUMS");
    files
}

/// Compares two sets of files and names the first that differs.
pub(crate) fn assert_same_files(found: &BTreeMap<String, Vec<u8>>, expected: &BTreeMap<String, Vec<u8>>) {
    for (path, content) in expected {
        let other = found.get(path).unwrap_or_else(|| panic!("{path} is missing"));
        assert!(
            other == content,
            "{path}:\n{}\nexpected:\n{}",
            String::from_utf8_lossy(other),
            String::from_utf8_lossy(content)
        );
    }
    let extra: Vec<_> = found.keys().filter(|path| !expected.contains_key(*path)).collect();
    assert!(extra.is_empty(), "{extra:?}");
}

/// An adapter, and what tells its dumps from those with default options.
pub(crate) type Row = (&'static str, Protocol, fn(&mut DecodeOptions));

/// Every adapter that can be encoded, in every form that its files have.
pub(crate) const ROWS: [Row; 8] = [
    ("redis", Protocol::Redis, |_| {}),
    ("dynamodb", Protocol::DynamoDb, |_| {}),
    ("dynamodb in lines", Protocol::DynamoDb, |options| options.tree.dynamodb_layout = DynamodbLayout::Jsonl),
    ("s3", Protocol::S3, |_| {}),
    ("s3 with all fields", Protocol::S3, |options| options.tree.extended = true),
    ("sqs", Protocol::Sqs, |_| {}),
    ("sqs with visibility", Protocol::Sqs, |options| options.tree.sqs_visibility = SqsVisibility::Keep),
    ("sqs with all fields", Protocol::Sqs, |options| options.tree.extended = true),
];
