//! Dumps of DynamoDB tables.

use std::collections::BTreeMap;

use ekv_backup::{
    DecodeOptions, DecodeReport, DynamodbLayout, EventOptions, NoProgress, Protocol, TreeOptions, decode, verify,
};
use ekv_testkit::read_files;

/// The files of a dump below `dynamodb/`, and what was reported.
pub(crate) struct Dump {
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    pub(crate) report: DecodeReport,
    /// Lines of CHECKSUMS: digest by path.
    pub(crate) digests: BTreeMap<String, String>,
    pub(crate) manifest: serde_json::Value,
}

impl Dump {
    pub(crate) fn text(&self, path: &str) -> &str {
        let bytes = self.files.get(path).unwrap_or_else(|| panic!("no {path} in {:?}", self.files.keys()));
        std::str::from_utf8(bytes).unwrap()
    }

    /// How often a finding occurred.
    pub(crate) fn found(&self, name: &str) -> u64 {
        self.report.books.findings.iter().find(|finding| finding.name == name).map_or(0, |finding| finding.count)
    }
}

/// Options for DynamoDB alone.
pub(crate) fn options(dynamodb_layout: DynamodbLayout) -> DecodeOptions {
    DecodeOptions {
        events: EventOptions::of([Protocol::DynamoDb]),
        tree: TreeOptions { dynamodb_layout, ..TreeOptions::default() },
        ..DecodeOptions::default()
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
    let files = read_files(&target.join("dynamodb"));
    let checksums = std::fs::read_to_string(target.join("CHECKSUMS")).unwrap();
    let digests =
        checksums.lines().map(|line| line.split_once("  ").unwrap()).map(|(digest, path)| (path.into(), digest.into()));
    let manifest = serde_json::from_slice(&std::fs::read(target.join("MANIFEST.json")).unwrap()).unwrap();
    Dump { files, digests: digests.collect(), report, manifest }
}
