//! The commands as programs call them: a file of any bytes, and the data directory of a node with several groups.

use std::fs;
use std::path::Path;

use ekv_backup::{
    DecodeOptions, DirOptions, DumpTarget, EventOptions, Fsync, NoProgress, ReadOptions, Resources, Unowned, decode,
    inspect, verify,
};
use ekv_model::Class;
use ekv_node::snapfile::{SnapMetadata, Token, encode};
use ekv_snapshot::ErrorKind;

use crate::records::{Record, parse, snapshot};

/// Bit of a record's time: it is in the second group.
pub(crate) const SECOND_GROUP: u8 = 0x80;

/// A file of any bytes, compressed ones among them.
pub(super) fn run_file(input: &[u8]) {
    let root = tempfile::tempdir().expect("a temporary directory");
    let file = root.path().join("input.fsm");
    fs::write(&file, input).expect("a file is written");
    let resources = Resources { bytes_max: Some(32 << 20), expansion_max: 100, ..Resources::DEFAULT };
    check_commands(&file, root.path(), ReadOptions { resources, ..ReadOptions::default() }, true);
}

/// Records in two groups, the routing catalog among them. The lowest bit of the first byte says what happens to unowned records.
pub(super) fn run(input: &[u8]) {
    let Some((bits, input)) = input.split_first() else { return };
    let root = tempfile::tempdir().expect("a temporary directory");
    let node = root.path().join("node");
    let (second, first): (Vec<Record>, Vec<Record>) =
        parse(input).into_iter().partition(|record| record.time & SECOND_GROUP != 0);
    for (id, records) in [(1, first), (2, second)] {
        write_group(&node.join(format!("group-{id}")), &snapshot(&records).build());
    }
    let unowned = if bits & 1 == 1 { Unowned::Keep } else { Unowned::Drop };
    check_commands(&node, root.path(), ReadOptions { unowned, ..ReadOptions::default() }, false);
}

fn write_group(group: &Path, bytes: &[u8]) {
    let index = 7;
    fs::create_dir_all(group.join("fsm-snap")).expect("a directory");
    fs::create_dir_all(group.join("snap")).expect("a directory");
    let crc32c = u32::from_be_bytes(*bytes.last_chunk().expect("a footer"));
    let metadata = SnapMetadata { term: 1, index, ..SnapMetadata::default() };
    let snap = encode(&metadata, Token { index, crc32c }).expect("a .snap file");
    fs::write(group.join(format!("snap/{:016x}-{index:016x}.snap", 1)), snap).expect("a file");
    fs::write(group.join(format!("fsm-snap/{index:016x}.fsm")), bytes).expect("a file");
}

/// Whether an error says that a file cannot be read as a snapshot, or that there is nothing in it.
fn is_refusal(error: &ekv_backup::Error) -> bool {
    let snapshot_error = error.get_ref().downcast_ref::<ekv_snapshot::Error>();
    let is_empty = snapshot_error.is_some_and(|error| matches!(error.kind(), ErrorKind::NotFound { .. }));
    error.class() == Class::Data || is_empty
}

/// Inspects, decodes and verifies; they agree with each other.
fn check_commands(input: &Path, root: &Path, read: ReadOptions, may_be_refused: bool) {
    let inspection = match inspect(input, &read, &NoProgress) {
        Ok(inspection) => inspection,
        Err(error) => {
            assert!(may_be_refused && is_refusal(&error), "{error}");
            return;
        }
    };
    let options = DecodeOptions {
        read,
        events: EventOptions { include_unknown: true, ..EventOptions::default() },
        ..DecodeOptions::default()
    };
    let dump = root.join("dump");
    let publication = DirOptions { fsync: Fsync::None, ..DirOptions::default() };
    let target = DumpTarget::directory(&dump, publication);
    let report = match decode(input, target, &options, &NoProgress) {
        Ok(report) => report,
        // The state of a timestamp oracle can be inspected, but holds nothing to decode.
        Err(error) => return assert!(may_be_refused && error.class() == Class::Data, "{error}"),
    };
    assert_eq!(report.books.records.visible, inspection.records.visible, "inspect sees what decode sees");
    let lost = report.books.findings.iter().find(|finding| finding.name == "records_unaccounted");
    assert!(lost.is_none(), "{lost:?}");
    let verified = verify(&dump, &NoProgress).expect("a new dump is read");
    assert!(verified.sound, "{:?}", verified.problems);
}
