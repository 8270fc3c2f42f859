//! So many queues that the manifest cannot list them. Source: `docs/format/tree.md`, section 16.

use std::fs;
use std::path::Path;

use ekv_backup::{
    ChecksumsOptions, DecodeOptions, DirOptions, DumpTarget, EncodeOptions, ExistingTarget, Fsync, NoProgress,
    checksums, decode, encode, verify,
};
use ekv_dump::scope_list::{SCOPES_FILE, ScopesReader};
use ekv_testkit::SnapshotBuilder;
use tempfile::TempDir;

use crate::sqs::support::Queues;

/// Names of queues, so long that 1560 of them take 256 KiB in a manifest.
fn name(n: usize) -> String {
    format!("{}{n:04}", "q".repeat(152))
}

/// A dump with that many queues, and its options.
fn dump_of(count: usize) -> TempDir {
    let snapshot = (0..count).fold(SnapshotBuilder::new(), |snapshot, n| snapshot.queue(&name(n), 1, ""));
    let directory = tempfile::tempdir().unwrap();
    let input = directory.path().join("snapshot.fsm");
    fs::write(&input, snapshot.build()).unwrap();
    let unsynced = DirOptions { fsync: Fsync::None, ..DirOptions::default() };
    let target = DumpTarget::directory(directory.path().join("dump"), unsynced);
    decode(&input, target, &DecodeOptions::default(), &NoProgress).unwrap();
    assert_sound(&directory.path().join("dump"));
    directory
}

fn assert_sound(dump: &Path) {
    let report = verify(dump, &NoProgress).unwrap();
    assert!(report.sound, "{:?}", report.problems);
}

/// Every problem of a dump whose CHECKSUMS are brought up to date.
fn problems(dump: &Path) -> Vec<String> {
    checksums(dump, &ChecksumsOptions::default(), &NoProgress).unwrap().problems
}

fn encode_options() -> EncodeOptions {
    let mut options = EncodeOptions { now: "2026-11-23T12:00:00Z".parse().unwrap(), ..EncodeOptions::default() };
    options.sink.fsync = Fsync::None;
    options
}

const FITTING: usize = 1560;

#[test]
fn names_that_fit_stay_in_the_manifest() {
    let directory = dump_of(FITTING);
    let dump = directory.path().join("dump");
    assert!(!dump.join(SCOPES_FILE).exists());
    let manifest = fs::read_to_string(dump.join("MANIFEST.json")).unwrap();
    assert!(manifest.contains(&name(FITTING - 1)) && !manifest.contains("listed_scopes"));
}

#[test]
fn names_that_do_not_fit_are_listed_in_a_file_that_every_command_knows() {
    let directory = dump_of(FITTING + 1);
    let dump = directory.path().join("dump");
    let manifest = fs::read_to_string(dump.join("MANIFEST.json")).unwrap();
    assert!(manifest.len() < 16_000 && !manifest.contains("qqqq"), "{}", manifest.len());
    assert!(manifest.contains("\"sqs\": {}") && manifest.contains("\"listed_scopes\": 1561"));
    let text = fs::read(dump.join(SCOPES_FILE)).unwrap();
    let mut reader = ScopesReader::new(text.as_slice());
    for n in 0..=FITTING {
        let scope = reader.next_scope().unwrap().unwrap();
        assert_eq!((scope.adapter.as_ref(), scope.name.as_ref()), ("sqs", name(n).as_str()));
    }
    assert!(reader.next_scope().unwrap().is_none());
    let forced = DirOptions { existing: ExistingTarget::Replace, fsync: Fsync::None };
    let (input, target) = (directory.path().join("snapshot.fsm"), DumpTarget::directory(&dump, forced));
    decode(&input, target, &DecodeOptions::default(), &NoProgress).unwrap();
    assert_eq!(fs::read(dump.join(SCOPES_FILE)).unwrap(), text, "a dump with such a list is replaced as any other");
    let payload = directory.path().join("out.fsm");
    assert!(encode(&dump, &payload, &encode_options(), &NoProgress).unwrap().payload.self_test.matched);
}

#[test]
fn lost_directory_lost_list_and_changed_lines_are_noticed() {
    let directory = dump_of(FITTING + 1);
    let (dump, list) = (directory.path().join("dump"), directory.path().join("dump").join(SCOPES_FILE));
    let whole = fs::read(&list).unwrap();
    let line_len = whole.len() / (FITTING + 1);
    let less = &whole[line_len..];
    let doubled = [&whole[..line_len], less, &whole[..0]].concat();
    assert_eq!(doubled, whole);
    let other = [&whole[..line_len - 6], b"9999\"}\n", less].concat();
    for (content, expected) in [
        (less, "1560 listed, but MANIFEST.json says 1561"),
        (&other[..], "the manifest lists it, but there is no such directory"),
        (b"{\"adapter\":\"redis\",\"name\":\"x\"}\n", "line 1: the adapter is none of"),
        (&whole[..whole.len() - 1], "the file is cut"),
    ] {
        fs::write(&list, content).unwrap();
        assert!(!verify(&dump, &NoProgress).unwrap().sound, "{expected}");
        let found = problems(&dump);
        assert!(found.iter().any(|problem| problem.contains(expected)), "{expected}: {found:?}");
    }
    fs::remove_file(&list).unwrap();
    assert_eq!(problems(&dump), ["SCOPES.jsonl: nothing listed, but MANIFEST.json says 1561"]);
    fs::write(&list, &whole).unwrap();
    assert_sound(&dump);
    fs::remove_dir_all(dump.join("sqs").join(name(7))).unwrap();
    assert!(problems(&dump).iter().any(|problem| problem.contains("there is no such directory")));
    let error = encode(&dump, &directory.path().join("out.fsm"), &encode_options(), &NoProgress).unwrap_err();
    assert!(error.to_string().contains(&name(7)), "{error}");
}
