//! Snapshots of real servers.

use std::collections::BTreeMap;

use ekv_backup::DynamodbLayout;
use ekv_testkit::fixtures;

use crate::dynamodb::support::{Dump, dump, options};

/// The items of every table, parsed, whatever the layout.
fn items(dump: &Dump) -> BTreeMap<String, Vec<String>> {
    let mut tables = BTreeMap::<_, Vec<String>>::new();
    for (path, content) in &dump.files {
        let (table, rest) = path.split_once('/').unwrap();
        let of_table = tables.entry(table.to_owned()).or_default();
        let value = |text: &[u8]| serde_json::from_slice::<serde_json::Value>(text).unwrap().to_string();
        match rest {
            "_schema.json" => {}
            "items.jsonl" => of_table.extend(content.split_inclusive(|byte| *byte == b'\n').map(value)),
            _ => of_table.push(value(content)),
        }
    }
    tables.values_mut().for_each(|items| items.sort());
    tables
}

#[test]
fn real_snapshot_gives_the_tables_of_the_reference_decoder_byte_for_byte() {
    let dump = dump(&fixtures::read("all-3.fsm"), &options(DynamodbLayout::PerItem));
    let reference = fixtures::archive("all-3.reference-tree.tar");
    let reference: BTreeMap<_, _> = reference
        .into_iter()
        .filter_map(|(path, content)| path.strip_prefix("dynamodb/").map(|path| (path.to_owned(), content)))
        .collect();
    assert_eq!(reference.len(), 33);
    assert_eq!(dump.files, reference);
    assert_eq!((dump.report.losses, &dump.manifest["dynamodb_layout"]), (0, &"per-item".into()));
    assert_eq!(dump.manifest["adapters"]["dynamodb"]["tables"], serde_json::json!(["events.v2", "users"]));
}

#[test]
fn both_layouts_of_a_real_snapshot_hold_the_same_items_and_schemas() {
    let snapshot = fixtures::read("all-3.fsm");
    let [files, lines] =
        [DynamodbLayout::PerItem, DynamodbLayout::Jsonl].map(|layout| dump(&snapshot, &options(layout)));
    assert_eq!(items(&files), items(&lines));
    assert_eq!(items(&lines)["users"].len() + items(&lines)["events.v2"].len(), 31);
    let names: Vec<_> = lines.files.keys().map(String::as_str).collect();
    assert_eq!(names, ["events.v2/_schema.json", "events.v2/items.jsonl", "users/_schema.json", "users/items.jsonl"]);
    assert_eq!(files.text("users/_schema.json"), lines.text("users/_schema.json"));
    assert_eq!(lines.manifest["dynamodb_layout"], "jsonl");
}

#[test]
fn items_of_every_table_answer_like_the_live_server() {
    let dump = dump(&fixtures::read("all-3.fsm"), &options(DynamodbLayout::Jsonl));
    let truth: serde_json::Value = serde_json::from_slice(&fixtures::read("all-3.truth.json")).unwrap();
    let moments = truth["at"].as_array().unwrap();
    let tables = &moments.iter().find(|moment| moment["label"] == "end").unwrap()["dynamodb"];
    let have: BTreeMap<_, _> = items(&dump).into_iter().map(|(table, items)| (table, items.len())).collect();
    let want = tables.as_object().unwrap().iter();
    let want: BTreeMap<_, _> = want.map(|(table, t)| (table.clone(), t["items"].as_array().unwrap().len())).collect();
    assert_eq!(have, want);
}

#[test]
fn snapshots_without_tables_make_no_folder() {
    for name in ["redis-1.fsm", "redis-2.fsm"] {
        let mut options = options(DynamodbLayout::PerItem);
        options.read.allow_empty = true;
        let dump = dump(&fixtures::read(name), &options);
        assert!(dump.files.is_empty());
    }
}
