//! Data that leaves: what is written is what was there, and what is not is told.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use ekv_backup::leave::{
    ExportOptions, ExportReport, ImportCompression, ImportOptions, ImportReport, export_to_dynamodb,
};
use ekv_backup::{
    Class, Compression, CopyOptions, DecodeOptions, DumpTarget, DynamodbLayout, EventOptions, NewName, NoProgress,
    Protocol, Result, Scope, TreeOptions, decode, pack,
};
use ekv_testkit::fixtures::ALL_3;
use ekv_testkit::read_files;
use serde_json::Value;

fn plain() -> ImportOptions {
    ImportOptions { compression: ImportCompression::None, ..ImportOptions::default() }
}

fn leaving(scope: Scope) -> ExportOptions {
    ExportOptions {
        events: EventOptions { scope: Arc::new(scope), ..EventOptions::of([Protocol::DynamoDb]) },
        ..ExportOptions::default()
    }
}

fn export(
    source: &Path,
    target: &Path,
    import: &ImportOptions,
    options: &ExportOptions,
) -> Result<ExportReport<ImportReport>> {
    export_to_dynamodb(source, target.into(), import, options, &NoProgress)
}

fn lines(file: &Path) -> Vec<String> {
    fs::read_to_string(file).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn items_for_an_import_are_those_of_the_dump_line_by_line() {
    let dir = tempfile::tempdir().unwrap();
    let (dump, made) = (dir.path().join("dump"), dir.path().join("made"));
    let tree = TreeOptions { dynamodb_layout: DynamodbLayout::Jsonl, ..TreeOptions::default() };
    decode(&ALL_3.compressed_path(), &*dump, &DecodeOptions { tree, ..DecodeOptions::default() }, &NoProgress).unwrap();
    let report = export(&ALL_3.compressed_path(), &made, &plain(), &leaving(Scope::everything())).unwrap();
    assert!(report.is_complete());
    assert_eq!((report.made.table_count, report.made.items), (2, 31));
    for table in ["users", "events.v2"] {
        let items = lines(&dump.join("dynamodb").join(table).join("items.jsonl"));
        let expected: Vec<String> = items.iter().map(|item| format!("{{\"Item\":{item}}}")).collect();
        assert_eq!(lines(&made.join(table).join("data-00000.json")), expected, "{table}");
    }
}

#[test]
fn snapshot_dump_and_archive_make_the_same_files() {
    let dir = tempfile::tempdir().unwrap();
    let (dump, archive) = (dir.path().join("dump"), dir.path().join("dump.tar.zst"));
    decode(&ALL_3.compressed_path(), &*dump, &DecodeOptions::default(), &NoProgress).unwrap();
    let packed = DumpTarget::Archive(NewName::new(&archive), Compression::Zstd(Default::default()));
    pack(&dump, packed, &CopyOptions::default(), &NoProgress).unwrap();
    let made: Vec<BTreeMap<_, _>> = [ALL_3.compressed_path(), dump, archive]
        .iter()
        .enumerate()
        .map(|(n, source)| {
            let target = dir.path().join(format!("made-{n}"));
            let report = export(source, &target, &ImportOptions::default(), &leaving(Scope::everything())).unwrap();
            let numbers =
                report.findings.iter().find(|finding| finding.name == "to_dynamodb_numbers_rewritten").unwrap();
            assert_eq!(numbers.count, 24, "each item is told of once, whatever the source");
            read_files(&target)
        })
        .collect();
    assert!(made.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn a_compressed_data_file_holds_the_same_text() {
    let dir = tempfile::tempdir().unwrap();
    let (text, compressed) = (dir.path().join("text"), dir.path().join("compressed"));
    export(&ALL_3.compressed_path(), &text, &plain(), &leaving(Scope::everything())).unwrap();
    export(&ALL_3.compressed_path(), &compressed, &ImportOptions::default(), &leaving(Scope::everything())).unwrap();
    let packed = fs::read(compressed.join("users/data-00000.json.zst")).unwrap();
    assert_eq!(zstd::decode_all(&packed[..]).unwrap(), fs::read(text.join("users/data-00000.json")).unwrap());
}

#[test]
fn the_request_creates_the_table_that_was_under_its_new_name() {
    let dir = tempfile::tempdir().unwrap();
    let made = dir.path().join("made");
    let mut scope = Scope::everything();
    scope.add_scope(Protocol::DynamoDb, b"users", false).unwrap();
    let import = ImportOptions {
        rename: BTreeMap::from([("users".to_owned(), "people".to_owned())]),
        bucket: Some("bkt".to_owned()),
        prefix: "a/b/".to_owned(),
        ..ImportOptions::default()
    };
    let report = export(&ALL_3.compressed_path(), &made, &import, &leaving(scope)).unwrap();
    assert_eq!(report.made.tables.iter().map(|table| table.name.as_str()).collect::<Vec<_>>(), ["people"]);
    let request: Value = serde_json::from_slice(&fs::read(made.join("people/import-table.json")).unwrap()).unwrap();
    assert_eq!(request["S3BucketSource"]["S3Bucket"], "bkt");
    assert_eq!(request["S3BucketSource"]["S3KeyPrefix"], "a/b/people/data-");
    let parameters = &request["TableCreationParameters"];
    assert_eq!(parameters["TableName"], "people");
    assert_eq!(parameters["KeySchema"][0]["AttributeName"], "id");
    assert_eq!(parameters["GlobalSecondaryIndexes"][0]["IndexName"], "by_age");
    assert_eq!(parameters["AttributeDefinitions"].as_array().unwrap().len(), 2, "only attributes that are keys");
}

#[test]
fn nothing_to_export_publishes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let made = dir.path().join("made");
    let mut scope = Scope::everything();
    scope.add_scope(Protocol::DynamoDb, b"nosuch", false).unwrap();
    let error = export(&ALL_3.compressed_path(), &made, &plain(), &leaving(scope)).unwrap_err();
    assert_eq!(error.class(), Class::NoMatch);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is left behind");
}
