//! Content stored by its digest. Source: `docs/format/s3.md`, section 2.5.

use ekv_dump::TreeOptions;
use sha2::{Digest, Sha256};

use super::support::{Store, TS, chunk_blob_key, chunk_key, group, head_key};
use crate::s3::{Options, findings};
use crate::{Family, Outcome};

fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

fn reference(content: &[u8], version: u8) -> Vec<u8> {
    let size = u64::try_from(content.len()).unwrap();
    let peers: &[u8] = if version == 2 { b"\0\x01\0\x02n2\0\x04host" } else { b"" };
    [&[version][..], &digest(content), &size.to_be_bytes(), b"\0\x02n1", peers].concat()
}

fn reference_key(key: &[u8], chunk_no: u64, version: u64) -> Vec<u8> {
    chunk_key(Family::S3ChunkRef, &group("b", 1, key), "u", [1, chunk_no, version])
}

/// An object with one offloaded part.
fn object(store: Store, key: &[u8], chunks: &[&[u8]], reference_version: u8) -> Store {
    let sizes: Vec<String> = chunks.iter().map(|chunk| chunk.len().to_string()).collect();
    let size: usize = chunks.iter().map(|chunk| chunk.len()).sum();
    let record = format!(
        r#"{{"upload_id":"u","size_bytes":{size},"parts":[{{"part_no":1,"chunk_count":{},"chunk_sizes":[{}],"part_version":8,"chunk_ref_version":9,"offloaded":true}}]}}"#,
        chunks.len(),
        sizes.join(",")
    );
    let mut store = store.put(&head_key("b", 1, key), record);
    for (chunk, chunk_no) in chunks.iter().zip(0..) {
        store = store.put(&reference_key(key, chunk_no, 9), reference(chunk, reference_version));
    }
    store
}

fn blob(store: Store, content: &[u8]) -> Store {
    store.put(&chunk_blob_key(digest(content)), content)
}

#[test]
fn offloaded_content_is_found_by_digest_also_if_it_is_shared_or_newer_than_the_snapshot() {
    let store = object(Store::default().bucket("b", 1), b"one", &[b"first", b"second"], 1);
    let store = object(store, b"two", &[b"second", b"second"], 2);
    let store = blob(blob(store, b"first"), b"unused");
    let newer = store.0.put(&chunk_blob_key(digest(b"second")), TS + (1 << 40), b"second");
    let store = Store(newer.last_commit_ts(TS));
    let dump = store.dump();
    assert!(dump.is_clean());
    assert_eq!(dump.files["s3/b/one"], b"firstsecond");
    assert_eq!(dump.files["s3/b/two"], b"secondsecond");
    assert_eq!(dump.outcome(Family::S3ChunkBlob, Outcome::Emitted), 2);
    assert_eq!(dump.outcome(Family::S3ChunkBlob, Outcome::Orphaned), 1);
    assert_eq!(dump.outcome(Family::S3ChunkRef, Outcome::Joined), 4);
}

#[test]
fn plain_and_offloaded_parts_mix() {
    let record = r#"{"upload_id":"u","size_bytes":6,"parts":[{"part_no":1,"chunk_count":1,"chunk_sizes":[3],"chunk_ref_version":7},{"part_no":2,"chunk_count":1,"chunk_sizes":[3],"offloaded":true}]}"#;
    let group = group("b", 1, b"k");
    let store = Store::default().bucket("b", 1).put(&head_key("b", 1, b"k"), record);
    let store = store.put(&chunk_key(Family::S3Blob, &group, "u", [1, 0, 0]), b"abc");
    let store = store.put(&chunk_key(Family::S3ChunkRef, &group, "u", [2, 0, 0]), reference(b"def", 1));
    let dump = blob(store, b"def").dump();
    assert!(dump.is_clean());
    assert_eq!(dump.files["s3/b/k"], b"abcdef");
}

#[test]
fn content_that_is_on_other_nodes_only_is_a_loss_unless_their_snapshots_are_given() {
    let store = object(Store::default().bucket("b", 1), b"k", &[b"here", b"away"], 2);
    let store = blob(store, b"here");
    let dump = store.dump();
    assert!(dump.bodies("b").is_empty());
    let details = dump.details(findings::INCOMPLETE_OBJECT);
    assert_eq!(details.len(), 1);
    assert!(details[0].starts_with("part 1, chunk 1: no sound copy of its content "), "{}", details[0]);
    assert!(details[0].ends_with("recorded at n1, n2 at host"), "{}", details[0]);
    assert_eq!(dump.outcome(Family::S3ChunkBlob, Outcome::Lost), 1);

    let others = [Store::default(), blob(Store::default().object("other", 1, b"ignored", b"x"), b"away")];
    let dump = store.dump_with(Options::default(), TreeOptions::default(), &others);
    assert!(dump.is_clean());
    assert_eq!(dump.files["s3/b/k"], b"hereaway");
    assert_eq!(dump.paths().len(), 3);
}

#[test]
fn damaged_copy_counts_as_missing_only_where_it_is_needed() {
    let damaged = |content: &[u8]| (chunk_blob_key(digest(content)), b"damaged".to_vec());
    let store = object(Store::default().bucket("b", 1), b"k", &[b"content"], 1);
    let (key, value) = damaged(b"unused");
    let store = store.put(&key, value);
    let dump = blob(store.clone(), b"content").dump();
    assert!(dump.is_clean());

    let (key, value) = damaged(b"content");
    let store = store.put(&key, value);
    let dump = store.dump();
    assert_eq!((dump.count(findings::BLOB_HASH_MISMATCH), dump.count(findings::INCOMPLETE_OBJECT)), (1, 1));
    let dump = store.dump_with(Options::default(), TreeOptions::default(), &[blob(Store::default(), b"content")]);
    assert_eq!((dump.count(findings::BLOB_HASH_MISMATCH), dump.count(findings::INCOMPLETE_OBJECT)), (1, 0));
    assert_eq!(dump.files["s3/b/k"], b"content");
}

#[test]
fn malformed_reference_is_a_loss_where_it_is_needed_and_a_warning_where_not() {
    let store = object(Store::default().bucket("b", 1), b"k", &[b"content"], 3);
    let dump = blob(store, b"content").dump();
    assert_eq!(dump.count(findings::INCOMPLETE_OBJECT), 1);
    let store = object(Store::default().bucket("b", 1), b"k", &[b"content"], 1);
    let store = store.put(&reference_key(b"k", 1, 9), b"short").put(&reference_key(b"gone", 0, 9), b"\x09");
    let dump = blob(store, b"content").dump();
    assert_eq!((dump.count(findings::INCOMPLETE_OBJECT), dump.count(findings::INVALID_CHUNK_REF)), (0, 2));
    assert_eq!(dump.bodies("b"), ["k"]);
}

#[test]
fn sizes_in_reference_and_record_must_agree() {
    let store = object(Store::default().bucket("b", 1), b"k", &[b"content"], 1);
    let wrong = head_key("b", 1, b"k");
    let record = r#"{"upload_id":"u","size_bytes":6,"parts":[{"part_no":1,"chunk_sizes":[6],"chunk_ref_version":9,"offloaded":true}]}"#;
    let store = Store(store.0.put(&wrong, TS + 1, record.as_bytes()));
    let dump = blob(store, b"content").dump();
    assert_eq!(
        dump.details(findings::INCOMPLETE_OBJECT),
        ["part 1, chunk 0: its reference says 7 bytes, the record says 6"]
    );
}
