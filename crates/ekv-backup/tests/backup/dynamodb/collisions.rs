//! Items that would have one file name.

use ekv_adapters::dynamodb::keys::{generation_prefix, push_name, schema_key};
use ekv_backup::DynamodbLayout;
use ekv_model::dynamodb::{KeyType, KeyValue, push_ordered};
use ekv_testkit::SnapshotBuilder;

use crate::dynamodb::support::{dump, options};

/// A table `t` with hash key `h` whose items have keys of these types and texts.
fn snapshot(keys: &[(KeyType, &str)]) -> Vec<u8> {
    let mut prefix = Vec::new();
    push_name(b"t", &mut prefix);
    let prefix = generation_prefix(&prefix, 1);
    let schema = b"\0DS\x01\x0a\x01t\x1a\x03\x0a\x01h\x28\x02\x38\x01";
    let table = SnapshotBuilder::new().put(&schema_key("t"), 9, schema);
    let put = |snapshot: SnapshotBuilder, (key_type, text): &(KeyType, &str)| {
        let mut user_key = prefix.clone();
        push_ordered(&KeyValue { key_type: *key_type, bytes: text.as_bytes() }, &mut user_key);
        let field = if *key_type == KeyType::Number { 0x12 } else { 0x0a };
        let len = u8::try_from(text.len()).unwrap();
        let value =
            [b"\0DI\x01\x0a", &[len + 7][..], b"\x0a\x01h\x12", &[len + 2, field, len], text.as_bytes()].concat();
        snapshot.put(&user_key, 9, &value)
    };
    keys.iter().fold(table, put).build()
}

#[test]
fn string_and_number_of_one_text_are_two_files() {
    let snapshot = snapshot(&[(KeyType::String, "1"), (KeyType::Number, "1.0"), (KeyType::String, "2")]);
    let files = dump(&snapshot, &options(DynamodbLayout::PerItem));
    assert_eq!(files.text("t/items/1.json"), "{\n  \"h\": {\n    \"N\": \"1.0\"\n  }\n}");
    assert_eq!(files.text("t/items/2.json"), "{\n  \"h\": {\n    \"S\": \"2\"\n  }\n}");
    let renamed: Vec<_> = files.files.keys().filter(|name| name.ends_with("__1.json")).collect();
    assert_eq!(renamed.len(), 1);
    // The first half of the hash of the ordered key, 31 00 01.
    assert_eq!(renamed[0], "t/items/9a102241e6e9da51379499f89435b90c__1.json");
    assert_eq!(files.text(renamed[0]), "{\n  \"h\": {\n    \"S\": \"1\"\n  }\n}");
    assert_eq!((files.found("ddb_name_collision"), files.report.losses), (1, 0));

    let lines = dump(&snapshot, &options(DynamodbLayout::Jsonl));
    assert_eq!(lines.text("t/items.jsonl"), "{\"h\":{\"N\":\"1.0\"}}\n{\"h\":{\"S\":\"1\"}}\n{\"h\":{\"S\":\"2\"}}\n");
    assert_eq!(lines.found("ddb_name_collision"), 0);
}
