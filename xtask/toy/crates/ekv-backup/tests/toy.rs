//! A fifth protocol goes all ways: into a dump and back, in parts, and into lists.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use ekv_backup::see::{DiffOptions, Difference, Source, diff};
use ekv_backup::{
    DecodeOptions, DirOptions, DumpTarget, EncodeOptions, EventOptions, Fsync, NoProgress, Protocol, ReadOptions,
    Resources, decode, encode, verify,
};
use ekv_model::Scope;
use ekv_testkit::SnapshotBuilder;

fn snapshot() -> Vec<u8> {
    let at = |ms: u64| ms << 16;
    SnapshotBuilder::new()
        .put(b"!toy|attic|bear", at(3), b"brown")
        .put(b"!toy|chest|car", at(5), b"red")
        .put(b"!toy|chest|a/b \xff", at(4), b"")
        .put(b"!redis|str|k", at(2), b"\xff\x01\x00v")
        .build()
}

/// Decodes what is selected and returns the files of the protocol.
fn decoded(input: &Path, dump: &Path, scope: Scope) -> BTreeMap<String, Vec<u8>> {
    let unsynced = DirOptions { fsync: Fsync::None, ..DirOptions::default() };
    let mut options = DecodeOptions::default();
    options.events.scope = Arc::new(scope);
    decode(input, DumpTarget::directory(dump, unsynced), &options, &NoProgress).unwrap();
    let report = verify(dump, &NoProgress).unwrap();
    assert!(report.sound, "{:?}", report.problems);
    let mut files = BTreeMap::new();
    for directory in fs::read_dir(dump.join("toy")).into_iter().flatten() {
        for file in fs::read_dir(directory.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            let name = path.strip_prefix(dump).unwrap().to_str().unwrap().to_owned();
            files.insert(name, fs::read(path).unwrap());
        }
    }
    files
}

/// The addresses of what differs.
fn differences(one: &Path, other: &Path) -> Vec<String> {
    let open = |input| Source::open(input, &ReadOptions::default(), &NoProgress).unwrap();
    let events = EventOptions::default();
    let options = DiffOptions { events, strict_sqs: false, first_only: false, resources: Resources::DEFAULT };
    let mut addresses = Vec::new();
    let mut tell = |difference: &Difference| {
        addresses.push(difference.address.clone());
        Ok(())
    };
    diff(&mut open(one), &mut open(other), &options, &mut tell, &NoProgress).unwrap();
    addresses.sort();
    addresses
}

#[test]
fn fifth_protocol_goes_into_a_dump_and_back_and_every_part_of_it_alone() {
    let room = tempfile::tempdir().unwrap();
    let at = |name: &str| room.path().join(name);
    fs::write(at("in.fsm"), snapshot()).unwrap();
    let all = decoded(&at("in.fsm"), &at("dump"), Scope::everything());
    let expected =
        [("toy/attic/bear.toy", &b"brown"[..]), ("toy/chest/a%2Fb%20%FF.toy", b""), ("toy/chest/car.toy", b"red")];
    let expected = expected.map(|(path, content)| (path.to_owned(), content.to_vec()));
    assert_eq!(all, BTreeMap::from(expected));
    let manifest = fs::read_to_string(at("dump").join("MANIFEST.json")).unwrap();
    assert!(manifest.contains("\"toy\": {\n      \"boxes\": [\n        \"attic\",\n        \"chest\""), "{manifest}");

    let mut options = EncodeOptions { now: "2026-11-23T12:00:00Z".parse().unwrap(), ..EncodeOptions::default() };
    options.sink.fsync = Fsync::None;
    options.adapters = Some(vec![Protocol::Toy]);
    let report = encode(&at("dump"), &at("out.fsm"), &options, &NoProgress).unwrap();
    assert!(report.payload.self_test.matched);
    assert_eq!(decoded(&at("out.fsm"), &at("again"), Scope::everything()), all);

    let other =
        SnapshotBuilder::new().put(b"!toy|chest|car", 7 << 16, b"blue").put(b"!toy|chest|a/b \xff", 4 << 16, b"");
    fs::write(at("other.fsm"), other.build()).unwrap();
    assert_eq!(
        differences(&at("dump"), &at("other.fsm")),
        ["redis:0/k", "toy:attic/", "toy:attic/bear", "toy:chest/car"]
    );

    let mut one = Scope::everything();
    one.add_address(b"toy:chest/car", false).unwrap();
    assert_eq!(decoded(&at("in.fsm"), &at("part"), one).into_keys().collect::<Vec<_>>(), ["toy/chest/car.toy"]);

    fs::write(at("dump").join("toy/chest/car.toy"), b"blue").unwrap();
    assert!(!verify(&at("dump"), &NoProgress).unwrap().sound);
    fs::write(at("dump").join("toy/chest/car.txt"), b"").unwrap();
    let problems = verify(&at("dump"), &NoProgress).unwrap().problems;
    assert!(problems.iter().any(|problem| format!("{problem:?}").contains("files that end in .toy")), "{problems:?}");
}
