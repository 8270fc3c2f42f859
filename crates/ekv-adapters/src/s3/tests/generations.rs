//! Buckets that were deleted and made again. Source: `docs/format/s3.md`, section 3.

use super::support::{Store, TS, blob_key, bucket_key, group, head_key};
use crate::s3::findings;
use crate::{Family, Outcome};
use ekv_model::Protocol;

#[test]
fn objects_and_chunks_of_other_generations_are_left_out_and_counted_as_objects() {
    let store = Store::default()
        .bucket("b", 2)
        .object("b", 1, b"old", b"1")
        .object("b", 2, b"new", b"2")
        .object("b", 2, b"both", b"2")
        .object("b", 1, b"both", b"1")
        .put(&blob_key(&group("b", 3, b"later"), "u", [1, 0, 0]), b"3");
    let dump = store.dump();
    assert_eq!(dump.bodies("b"), ["both", "new"]);
    assert_eq!(dump.files["s3/b/both"], b"2");
    assert_eq!(dump.count(findings::STALE_GENERATION), 1);
    assert_eq!(dump.details(findings::STALE_GENERATION), ["3 objects outside the active generation 2"]);
    assert_eq!(dump.count(findings::ORPHAN_CHUNKS), 0);
    assert_eq!(dump.outcome(Family::S3Object, Outcome::Orphaned), 2);
    assert_eq!(dump.outcome(Family::S3Blob, Outcome::Orphaned), 3);
}

#[test]
fn bucket_without_record_shows_its_last_generation_that_has_objects() {
    let store = Store::default()
        .object("b", 1, b"k", b"1")
        .object("b", 2, b"k", b"2")
        .put(&head_key("b", 3, b"emptied"), b"")
        .put(&blob_key(&group("b", 4, b"k"), "u", [1, 0, 0]), b"4");
    let dump = store.dump();
    assert_eq!(dump.paths(), ["s3/b/k", "s3/b/k.elastickv-meta.json"]);
    assert_eq!(dump.files["s3/b/k"], b"2");
    assert_eq!(dump.details(findings::BUCKET_MISSING), ["generation 2 is written"]);
    assert_eq!(dump.count(findings::STALE_GENERATION), 1);
    assert_eq!(dump.scopes.of(Protocol::S3), ["b"]);
}

#[test]
fn deleted_bucket_with_leftovers_has_no_directory() {
    let store = Store::default()
        .put(&bucket_key(Family::S3Generation, "gone"), b"7")
        .put(&blob_key(&group("gone", 1, b"k"), "u", [1, 0, 0]), b"x")
        .put(&bucket_key(Family::S3Bucket, "emptied"), b"");
    let dump = store.dump();
    assert!(dump.files.is_empty() && dump.scopes.of(Protocol::S3).is_empty());
    assert_eq!(dump.count(findings::BUCKET_MISSING), 0);
    assert_eq!(dump.details(findings::STALE_GENERATION), ["1 objects, the bucket is deleted"]);
}

#[test]
fn generation_zero_and_text_in_the_generation_counter_are_fine() {
    let store = Store::default().object("b", 0, b"k", b"0");
    let store = store.put(&bucket_key(Family::S3Bucket, "b"), r#"{"bucket_name":"b"}"#);
    let store = store.put(&bucket_key(Family::S3Generation, "b"), b"12345");
    let dump = store.dump();
    assert!(dump.is_clean());
    assert_eq!(dump.paths(), ["s3/b/_bucket.json", "s3/b/k", "s3/b/k.elastickv-meta.json"]);
}

#[test]
fn empty_bucket_has_its_record_only() {
    let dump = Store::default().bucket("b", 1).dump();
    assert_eq!(dump.paths(), ["s3/b/_bucket.json"]);
    assert_eq!(dump.text("s3/b/_bucket.json"), "{\n  \"format_version\": 1,\n  \"name\": \"b\"\n}");
}

#[test]
fn deleted_objects_stay_deleted_and_old_versions_stay_hidden() {
    let store = Store::default().bucket("b", 1).object("b", 1, b"gone", b"1").object("b", 1, b"kept", b"2");
    let store = Store(store.0.delete(&head_key("b", 1, b"gone"), TS + 1));
    let rewritten = head_key("b", 1, b"kept");
    let blob = blob_key(&group("b", 1, b"kept"), "v", [1, 0, 0]);
    let record = r#"{"upload_id":"v","size_bytes":3,"parts":[{"part_no":1,"chunk_count":1,"chunk_sizes":[3]}]}"#;
    let store = Store(store.0.put(&blob, TS + 2, b"new").put(&rewritten, TS + 3, record.as_bytes()));
    let dump = store.dump();
    assert_eq!(dump.bodies("b"), ["kept"]);
    assert_eq!(dump.files["s3/b/kept"], b"new");
    assert_eq!(dump.count(findings::ORPHAN_CHUNKS), 1, "the chunk of the deleted object");
    assert_eq!(dump.outcome(Family::S3Blob, Outcome::Orphaned), 2);
}
