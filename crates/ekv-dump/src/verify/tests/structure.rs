//! Names and places.

use super::tree::{Tree, empty, full, manifest, reference};
use crate::manifest::{Adapters, DynamodbLayout, Exclusions, Manifest};
use ekv_model::Protocol;

#[test]
fn names_without_meaning_in_their_place_are_found() {
    let unknown = [
        "x",
        "redis.txt",
        "other/file",
        ".scratch/s3",
        "redis/file",
        "redis/db_0/file",
        "redis/db_0/strings/plain",
        "redis/db_0/strings/a.json",
        "redis/db_0/strings/sub/a.bin",
        "redis/db_0/hashes/a.bin",
        "redis/db_0/streams/a.json",
        "redis/db_0/strings/.bin.tmp-1",
        "dynamodb/file",
        "dynamodb/users/KEYMAP.jsonl",
        "dynamodb/users/items/file",
        "dynamodb/users/items/a/b/c.json",
        "dynamodb/users/items/a/file",
        "s3/file",
        "s3/bkt/_incomplete_uploads/other",
        "s3/bkt/_incomplete_uploads/sub/records.jsonl",
        "s3/bkt/_orphans/file",
        "s3/bkt/_orphans/o/gen-07/u_0000000000000001_0000000000000000_0000000000000000.bin",
        "s3/bkt/_orphans/o/gen-7/u_0000000000000001_0000000000000000.bin",
        "s3/bkt/_orphans/o/gen-7/u_000000000000000A_0000000000000000_0000000000000000.bin",
        "s3/bkt/_orphans/o/gen-7/u_0000000000000001_0000000000000000_0000000000000000",
        "sqs/file",
        "sqs/q.fifo/file",
        "sqs/q.fifo/_internals/file",
        "sqs/q.fifo/sub/messages.jsonl",
    ];
    for path in unknown {
        let expected = format!("{path}: nothing in a dump has this name: expected ");
        let problems = full().with(path, b"x").problems();
        assert!(problems.iter().any(|problem| problem.starts_with(&expected)), "{path}: {problems:?}");
    }
    for directory in
        ["other", "redis/0", "redis/db_", "redis/db_00", "redis/db_+1", "redis/db_4294967296", "redis/db_0/x"]
    {
        let problems = full().with_directory(directory).problems();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].starts_with(&format!("{directory}: nothing in a dump has this name: expected ")));
    }
}

#[test]
fn names_that_are_not_canonical_are_found() {
    let bad = [
        ("redis/db_0/strings/%41.bin", "redis/db_0/strings/%41.bin"),
        ("redis/db_0/strings/%2f.bin", "redis/db_0/strings/%2f.bin"),
        ("redis/db_0/sets/b64.Zm9v.json", "redis/db_0/sets/b64.Zm9v.json"),
        ("redis/db_0/lists/%.json", "redis/db_0/lists/%.json"),
        ("redis/db_0/lists/a b.json", "redis/db_0/lists/a b.json"),
        ("dynamodb/users/items/%41.json", "dynamodb/users/items/%41.json"),
        ("dynamodb/users/items/b64.AB.json", "dynamodb/users/items/b64.AB.json"),
        ("dynamodb/users/items/..json", "dynamodb/users/items/..json"),
        ("dynamodb/events/items/%2f/a.json", "dynamodb/events/items/%2f"),
        ("s3/a b/_bucket.json", "s3/a b"),
        ("s3/b64.YQ/_bucket.json", "s3/b64.YQ"),
        ("sqs/%41/_queue.json", "sqs/%41"),
    ];
    for (path, named) in bad {
        let problems = full().with(path, b"x").problems();
        assert!(
            problems.iter().any(|p| p.starts_with(&format!("{named}: ")) && p.contains("name")),
            "{path}: {problems:?}"
        );
    }
    let long = format!("redis/db_0/strings/{}.bin", "k".repeat(241));
    assert!(full().with(&long, b"").problems()[0].ends_with("the name has 241 bytes, the limit is 240"));
}

#[test]
fn only_what_the_manifest_includes_may_be_there() {
    let excluded = Manifest { exclusions: Exclusions::default(), ..manifest() };
    let left_out: Vec<String> = Tree::new(
        &excluded,
        &full()
            .files
            .iter()
            .map(|(path, content)| (std::str::from_utf8(path).unwrap(), &content[..]))
            .collect::<Vec<_>>(),
    )
    .problems();
    for path in [
        "s3/bkt/_incomplete_uploads/records.jsonl",
        "s3/bkt/_orphans",
        "sqs/q.fifo/_internals/side_records.jsonl",
        "sqs/Z29uZQ.orphan/_internals",
        "sqs/Z29uZQ.orphan/messages.jsonl",
    ] {
        assert!(
            left_out.contains(&format!("{path}: the manifest says that this was left out, yet it is there")),
            "{path}: {left_out:?}"
        );
    }
    let none = Manifest { adapters: Adapters::default(), ..manifest() };
    let tree = Tree::new(&none, &[("redis/db_0/strings/a.bin", b"x")]);
    assert_eq!(tree.problems(), ["redis: the manifest says that this was left out, yet it is there"]);
}

#[test]
fn scopes_of_the_manifest_must_be_there_and_complete() {
    let all = Manifest {
        adapters: Adapters::default()
            .with(Protocol::DynamoDb, ["a/b"])
            .with(Protocol::S3, ["gone"])
            .with(Protocol::Redis, ["0", "3"])
            .with(Protocol::Sqs, ["."]),
        ..manifest()
    };
    let missing = ": the manifest lists it, but there is no such directory";
    assert_eq!(
        Tree::new(&all, &[("redis/db_0/strings/a.bin", b"x")]).problems(),
        ["dynamodb/a%2Fb", "redis/db_3", "s3/gone", "sqs/%2E"].map(|path| format!("{path}{missing}"))
    );
    for (file, problem) in [
        ("dynamodb/users/_schema.json", "dynamodb/users: _schema.json is missing in it"),
        ("sqs/q.fifo/_queue.json", "sqs/q.fifo: _queue.json is missing in it"),
    ] {
        assert_eq!(full().without(file).problems(), [problem]);
    }
    let table = empty().with("dynamodb/t/_schema.json", b"{}");
    assert_eq!(table.problems(), [""; 0], "stores without empty directories lose items");
    assert_eq!(table.with_directory("dynamodb/t/items").problems(), [""; 0]);
    assert_eq!(empty().with_directory("sqs/.orphan").problems(), ["sqs/.orphan: _queue.json is missing in it"]);
    assert_eq!(empty().with("sqs/a.orphan/_queue.json", b"{}").problems(), [""; 0]);
}

#[test]
fn line_layout_of_items_is_accepted_where_the_manifest_says_so() {
    let jsonl = Manifest {
        dynamodb_layout: DynamodbLayout::Jsonl,
        adapters: empty().verify().unwrap().manifest.adapters,
        ..manifest()
    };
    let tree = Tree::new(&jsonl, &[("dynamodb/t/_schema.json", b"{}"), ("dynamodb/t/items.jsonl", b"{}\n")]);
    assert_eq!(tree.problems(), [""; 0]);
    let tree = Tree::new(&jsonl, &[("dynamodb/t/_schema.json", b"{}"), ("dynamodb/t/items/a.json", b"{}")]);
    assert_eq!(
        tree.problems(),
        [
            "dynamodb/t/items: the manifest says dynamodb_layout \"jsonl\", which has no such entry: expected the file items.jsonl",
            "dynamodb/t/items/a.json: the manifest says dynamodb_layout \"jsonl\", which has no such entry: expected the file items.jsonl",
        ]
    );
}

#[test]
fn file_with_the_lines_of_a_table_exists_only_if_there_is_a_line() {
    let jsonl = Manifest {
        dynamodb_layout: DynamodbLayout::Jsonl,
        adapters: empty().verify().unwrap().manifest.adapters,
        ..manifest()
    };
    let tree = Tree::new(&jsonl, &[("dynamodb/t/_schema.json", b"{}")]);
    assert_eq!(tree.problems(), [""; 0]);
    let tree = Tree::new(&jsonl, &[("dynamodb/t/_schema.json", b"{}"), ("dynamodb/t/items.jsonl", b"")]);
    assert_eq!(tree.problems(), ["dynamodb/t/items.jsonl: the file is empty, but then it should not exist"]);
}

#[test]
fn empty_sidecars_are_found() {
    for path in ["redis/db_0/hll_ttl.jsonl", "sqs/q.fifo/messages.jsonl", "s3/bkt/_incomplete_uploads/records.jsonl"] {
        let expected = format!("{path}: the file is empty, but then it should not exist");
        assert_eq!(full().with(path, b"").problems(), [expected]);
    }
    let tree =
        empty().with("s3/b/_bucket.json", b"{}").with("s3/b/KEYMAP.jsonl", b"").with("redis/db_0/KEYMAP.jsonl", b"");
    let empty = ": the file is empty, but then it should not exist";
    assert_eq!(tree.problems(), ["redis/db_0/KEYMAP.jsonl", "s3/b/KEYMAP.jsonl"].map(|path| format!("{path}{empty}")));
}

#[test]
fn empty_leftover_of_the_reference_decoder_is_accepted() {
    assert_eq!(reference().with_directory(".scratch").problems(), [""; 0]);
    assert_eq!(
        reference().with_directory(".scratch/s3").problems(),
        [".scratch/s3: nothing in a dump has this name: expected an empty directory"]
    );
}

#[test]
fn bucket_is_one_by_its_record_or_what_a_decode_has_told_or_is_left_of_it() {
    let problem = "s3/b: there is no _bucket.json in it: without one the server does not see the bucket";
    let without = || empty().with("s3/b/a", b"").with("s3/b/a.elastickv-meta.json", b"{}");
    assert_eq!(without().problems(), [problem]);
    assert_eq!(empty().with_directory("s3/b").problems(), [problem]);
    assert_eq!(without().with("s3/b/_bucket.json", b"{}").problems(), [""; 0]);
    assert_eq!(empty().with("s3/b/_incomplete_uploads/records.jsonl", b"{}\n").problems(), [""; 0]);
    let told = |name: &str| {
        let report = serde_json::json!({ "findings": [{ "name": "s3_bucket_meta_missing", "severity": "warning", "count": 1 }] });
        let manifest = empty().verify().unwrap().manifest.to_bytes(Some(&report)).unwrap();
        let object = format!("s3/{name}/a");
        empty()
            .with("MANIFEST.json", &manifest)
            .with(&object, b"")
            .with(&format!("{object}.elastickv-meta.json"), b"{}")
    };
    assert_eq!(told("b").problems(), [""; 0]);
    let fallback = crate::segment::sha_fallback(&[b'b'; 300]);
    assert_eq!(told(std::str::from_utf8(&fallback).unwrap()).problems().len(), 1, "the name of the bucket is lost");
}

#[test]
fn only_tables_with_a_range_key_have_directories_of_items() {
    let schema = |range_key: &str| {
        format!(
            r#"{{"format_version":1,"table_name":"t","primary_key":{{"hash_key":{{"name":"h"}},"range_key":{{{range_key}}}}},"attribute_definitions":[]}}"#
        )
    };
    let table = |range_key: &str| empty().with("dynamodb/t/_schema.json", schema(range_key).as_bytes());
    assert_eq!(table("").problems(), [""; 0]);
    assert_eq!(table("\"name\":\"r\"").with("dynamodb/t/items/a/b.json", b"{}").problems(), [""; 0]);
    assert_eq!(
        table("").with("dynamodb/t/items/a/b.json", b"{}").problems(),
        [
            "dynamodb/t/items/a: nothing in a dump has this name: expected files that end in .json: this table has no range key"
        ]
    );
}
