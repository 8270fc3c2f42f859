//! What is written only if it is asked for. Source: `docs/format/s3.md`, sections 4.1 and 4.6.

use ekv_dump::TreeOptions;
use ekv_model::Protocol;

use super::support::{Store, blob_key, group, head_key};
use crate::s3::keys::push_segment;
use crate::s3::{Options, findings};
use crate::{Family, Outcome};

fn upload_key(family: Family, bucket: &str, key: &[u8], tail: &[u8]) -> Vec<u8> {
    let mut upload = [family.prefix(), &group(bucket, 1, key)].concat();
    push_segment(b"up", &mut upload);
    upload.extend_from_slice(tail);
    upload
}

fn running_upload() -> Store {
    Store::default()
        .bucket("b", 1)
        .object("b", 1, b"k", b"v")
        .put(&upload_key(Family::S3Upload, "b", b"new", b""), r#"{"bucket":"b"}"#)
        .put(&upload_key(Family::S3UploadPart, "b", b"new", &1_u64.to_be_bytes()), b"\xff\x00")
        .put(&upload_key(Family::S3UploadGc, "b", b"new", b""), b"{}")
        .put(&blob_key(&group("b", 1, b"new"), "up", [1, 0, 9]), b"chunk")
        .put(&upload_key(Family::S3Upload, "gone", b"x", b""), b"")
}

#[test]
fn running_upload_is_left_out_and_its_chunks_are_named_as_orphans() {
    let dump = running_upload().dump();
    assert_eq!(dump.paths(), ["s3/b/_bucket.json", "s3/b/k", "s3/b/k.elastickv-meta.json"]);
    assert_eq!(dump.details(findings::ORPHAN_CHUNKS), ["1 chunks in generation 1"]);
    assert_eq!(dump.outcome(Family::S3Upload, Outcome::NotDecoded), 2);
    assert_eq!(dump.outcome(Family::S3UploadGc, Outcome::Internal), 1);
}

#[test]
fn running_upload_is_written_record_by_record_if_asked_for() {
    let options = Options { include_incomplete_uploads: true, ..Options::default() };
    let dump = running_upload().dump_with(options, TreeOptions::default(), &[]);
    let expected = concat!(
        r#"{"prefix":"!s3|upload|meta|","key":"IXMzfHVwbG9hZHxtZXRhfGIAAQAAAAAAAAABbmV3AAF1cAAB","value":"eyJidWNrZXQiOiJiIn0="}"#,
        "\n",
        r#"{"prefix":"!s3|upload|part|","key":"IXMzfHVwbG9hZHxwYXJ0fGIAAQAAAAAAAAABbmV3AAF1cAABAAAAAAAAAAE=","value":"/wA="}"#,
        "\n",
    );
    assert_eq!(dump.text("s3/b/_incomplete_uploads/records.jsonl"), expected);
    assert!(dump.text("s3/gone/_incomplete_uploads/records.jsonl").ends_with("\"value\":\"\"}\n"));
    assert_eq!(dump.scopes.of(Protocol::S3), ["b", "gone"]);
    assert_eq!(dump.outcome(Family::S3Upload, Outcome::Emitted), 2);
}

#[test]
fn orphans_of_all_generations_are_written_if_asked_for() {
    let options = Options { include_orphans: true, ..Options::default() };
    let store = running_upload()
        .object("b", 3, b"..", b"other generation")
        .put(&blob_key(&group("b", 1, b"k"), "stale", [1, 0, 0]), b"stale chunk of a live object")
        .put(&blob_key(&group("b", 1, b""), "u", [1, 0, 0]), b"empty key")
        .put(&blob_key(&group("gone", 2, b"x"), "u", [1, 2, 3]), b"gone");
    let dump = store.dump_with(options, TreeOptions::default(), &[]);
    let zeros = "0000000000000000";
    let one = "0000000000000001";
    let orphans: Vec<&str> = dump.paths().into_iter().filter(|path| path.contains("_orphans")).collect();
    assert_eq!(
        orphans,
        [
            format!("s3/b/_orphans/%2E%2E/gen-3/u_{one}_{zeros}_{zeros}.bin"),
            format!("s3/b/_orphans/e3b0c44298fc1c149afbf4c8996fb924__/gen-1/u_{one}_{zeros}_{zeros}.bin"),
            format!("s3/b/_orphans/new/gen-1/up_{one}_{zeros}_0000000000000009.bin"),
            format!("s3/gone/_orphans/x/gen-2/u_{one}_0000000000000002_0000000000000003.bin"),
        ]
    );
    assert_eq!(dump.files[orphans[2]], b"chunk");
    assert_eq!(dump.count(findings::ORPHAN_CHUNKS), 4);
    assert_eq!(dump.outcome(Family::S3Blob, Outcome::Emitted), 5);
    assert_eq!(dump.outcome(Family::S3Blob, Outcome::Orphaned), 1);
    assert!(!dump.files.contains_key("s3/gone/_bucket.json"));
}

#[test]
fn creation_time_is_written_in_extended_dumps_only() {
    let store = Store::default().bucket("b", 1);
    assert!(!store.dump().text("s3/b/_bucket.json").contains("creation_time_iso"));
    let extended = TreeOptions { extended: true, ..TreeOptions::default() };
    let dump = store.dump_with(Options::default(), extended, &[]);
    assert_eq!(
        dump.text("s3/b/_bucket.json"),
        "{\n  \"format_version\": 1,\n  \"name\": \"b\",\n  \"creation_time_iso\": \"2026-11-22T14:56:56.793Z\"\n}"
    );
}

#[test]
fn object_without_record_but_with_an_empty_value_counts_as_absent() {
    let store = Store::default().bucket("b", 1).put(&head_key("b", 1, b"k"), b"");
    let store = store.put(&blob_key(&group("b", 1, b"k"), "u", [1, 0, 0]), b"x");
    let dump = store.dump();
    assert!(dump.bodies("b").is_empty());
    assert_eq!(dump.count(findings::ORPHAN_CHUNKS), 1);
}
