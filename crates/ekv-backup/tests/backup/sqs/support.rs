//! Snapshots with queues, and their dumps.

use std::collections::BTreeMap;

use ekv_adapters::Family;
use ekv_adapters::sqs::keys::{Key, MessageKey, MessageRow, QueueRecord, Subject};
use ekv_backup::{DecodeOptions, DecodeReport, NoProgress, decode, verify};
use ekv_testkit::{SnapshotBuilder, read_files};

/// The files of a dump below `sqs/`, and what was reported.
pub(crate) struct Dump {
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    pub(crate) report: DecodeReport,
    /// Lines of CHECKSUMS: digest by path.
    pub(crate) digests: BTreeMap<String, String>,
    pub(crate) manifest: String,
}

impl Dump {
    pub(crate) fn text(&self, path: &str) -> &str {
        let bytes = self.files.get(path).unwrap_or_else(|| panic!("no {path} in {:?}", self.files.keys()));
        std::str::from_utf8(bytes).unwrap()
    }

    /// Names of the files.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.files.keys().map(String::as_str).collect()
    }

    /// The ids of a queue's messages, as the file has them.
    pub(crate) fn ids(&self, queue: &str) -> Vec<String> {
        let path = format!("{queue}/messages.jsonl");
        if !self.files.contains_key(&path) {
            return Vec::new();
        }
        let id = |line: &str| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["message_id"].as_str().unwrap().to_owned()
        };
        self.text(&path).lines().map(id).collect()
    }

    /// How often a finding occurred.
    pub(crate) fn found(&self, name: &str) -> u64 {
        self.report.books.findings.iter().find(|finding| finding.name == name).map_or(0, |finding| finding.count)
    }

    /// The details of a finding's first occurrence.
    pub(crate) fn detail(&self, name: &str) -> &str {
        let finding = self.report.books.findings.iter().find(|finding| finding.name == name).unwrap();
        &finding.examples[0].detail
    }

    /// Outcomes of a family's records.
    pub(crate) fn outcomes(&self, family: Family) -> Vec<(&'static str, u64)> {
        let report = self.report.books.families.iter().find(|report| report.family == family.name());
        report.map_or(Vec::new(), |report| {
            report.outcomes.iter().map(|o| (o.outcome, o.records)).filter(|o| o.1 > 0).collect()
        })
    }
}

/// Decodes, checks that the dump verifies, and that every record is accounted for.
pub(crate) fn dump(snapshot: &[u8], options: &DecodeOptions) -> Dump {
    let directory = tempfile::tempdir().unwrap();
    let input = directory.path().join("snapshot.fsm");
    std::fs::write(&input, snapshot).unwrap();
    let target = directory.path().join("dump");
    let report = decode(&input, &target, options, &NoProgress).unwrap();
    let verified = verify(&target, &NoProgress).unwrap();
    assert!(verified.sound, "{verified:?}");
    for family in &report.books.families {
        let accounted: u64 = family.outcomes.iter().map(|outcome| outcome.records).sum();
        assert_eq!(accounted, family.visible, "{}", family.family);
    }
    let mut files = read_files(&target.join("sqs"));
    let unknown = read_files(&target.join("_unknown"));
    files.extend(unknown.into_iter().map(|(path, content)| (format!("_unknown/{path}"), content)));
    let checksums = std::fs::read_to_string(target.join("CHECKSUMS")).unwrap();
    let digests =
        checksums.lines().map(|line| line.split_once("  ").unwrap()).map(|(d, p)| (p.to_owned(), d.to_owned()));
    let manifest = std::fs::read_to_string(target.join("MANIFEST.json")).unwrap();
    let dump = Dump { files, report, digests: digests.collect(), manifest };
    assert_eq!(dump.found("records_unaccounted"), 0);
    dump
}

/// With default options.
pub(crate) fn dump_of(snapshot: &SnapshotBuilder) -> Dump {
    dump(&snapshot.build(), &DecodeOptions::default())
}

pub(crate) fn queue_key(record: QueueRecord, queue: &[u8]) -> Vec<u8> {
    Key::Queue { record, queue: queue.to_vec() }.to_bytes()
}

pub(crate) fn row_key(queue: &[u8], partition: Option<u32>, generation: u64, subject: Subject) -> Vec<u8> {
    let row = MessageRow { partition, generation, subject };
    Key::Message(MessageKey { queue: queue.to_vec(), row }).to_bytes()
}

pub(crate) fn message_key(queue: &[u8], partition: Option<u32>, generation: u64, id: &str) -> Vec<u8> {
    row_key(queue, partition, generation, Subject::Message { id: id.as_bytes().to_vec() })
}

/// A settings value.
pub(crate) fn settings(json: &str) -> Vec<u8> {
    [b"\0SQ\x01", json.as_bytes()].concat()
}

/// A message value.
pub(crate) fn message(json: &str) -> Vec<u8> {
    [b"\0SM\x01", json.as_bytes()].concat()
}

/// The JSON of a message with an empty body.
pub(crate) fn message_json(id: &str, send_ms: i64, sequence: u64) -> String {
    format!(
        r#"{{"message_id":"{id}","body":"","md5_of_body":"","send_timestamp_millis":{send_ms},"sequence_number":{sequence}}}"#
    )
}

/// What tests add to snapshots.
pub(crate) trait Queues {
    /// A queue with a generation counter.
    fn queue(self, name: &str, generation: u64, more: &str) -> Self;
    /// A message in a key without partition.
    fn message(self, queue: &str, generation: u64, id: &str, send_ms: i64) -> Self;
}

impl Queues for SnapshotBuilder {
    fn queue(self, name: &str, generation: u64, more: &str) -> Self {
        let json = format!(r#"{{"name":"{name}","generation":{generation}{more}}}"#);
        self.put(&queue_key(QueueRecord::Settings, name.as_bytes()), 10, &settings(&json)).put(
            &queue_key(QueueRecord::Generation, name.as_bytes()),
            10,
            generation.to_string().as_bytes(),
        )
    }

    fn message(self, queue: &str, generation: u64, id: &str, send_ms: i64) -> Self {
        let key = message_key(queue.as_bytes(), None, generation, id);
        self.put(&key, 10, &message(&message_json(id, send_ms, 0)))
    }
}
