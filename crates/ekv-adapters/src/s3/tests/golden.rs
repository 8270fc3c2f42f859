//! The documented example. Source: `docs/format/s3.md`, section 9.

use ekv_model::Protocol;
use ekv_testkit::SnapshotBuilder;
use sha2::{Digest, Sha256};

use super::support::{Store, blob_key, bucket_key, group, head_key};
use crate::Family;
use ekv_text::hex::hex;

const M0: &str = r#"{"bucket_name":"bucket-one","generation":1,"created_at_hlc":117660674738946185,"region":"us-east-1","acl":"private"}"#;
const M1: &str = r#"{"upload_id":"c9a96c2c433374d511e82452d58c4721","etag":"6b83e711a8f381f9cd83a34a7d6549ff","size_bytes":12,"last_modified_hlc":117660674738946193,"content_type":"application/octet-stream","parts":[{"part_no":1,"etag":"6b83e711a8f381f9cd83a34a7d6549ff","size_bytes":12,"chunk_count":1,"chunk_sizes":[12]}]}"#;
const M2: &str = r#"{"upload_id":"905c22fc21b1b2b68693b76086225b96","etag":"8542826a2140ed720ced048317133643","size_bytes":8,"last_modified_hlc":117660674738946190,"content_type":"text/plain","user_metadata":{"x":"z"},"parts":[{"part_no":1,"etag":"8542826a2140ed720ced048317133643","size_bytes":8,"chunk_count":1,"chunk_sizes":[8]}]}"#;
const M3: &str = r#"{"upload_id":"8a1586b136be11ad578f95a8adbbefe3","etag":"99914b932bd37a50b983c5e7c90ae93b","size_bytes":2,"last_modified_hlc":117660674738946197,"content_type":"application/octet-stream","parts":[{"part_no":1,"etag":"99914b932bd37a50b983c5e7c90ae93b","size_bytes":2,"chunk_count":1,"chunk_sizes":[2]}]}"#;

const FILES: [(&str, usize, &str); 8] = [
    ("KEYMAP.jsonl", 194, "3f6af7ce7b262197c71b17ecca2705c6325e5970ec6625c6795bab15c119fb8b"),
    ("_bucket.json", 94, "e601a7fa1160b463f75aee6aa69faf37edb9b04320441012702b3a58c5816e8d"),
    ("a/b.elastickv-leaf-data", 12, "c68c6d4d9abfd148d3b12f3390072a8d71983fb7775f7213aec8cf5dd23df544"),
    (
        "a/b.elastickv-leaf-data.elastickv-meta.json",
        184,
        "7d79d4727df6059dbc69c13b13ebe9b7fe707c98331f355bb03a4f0ca2f23207",
    ),
    ("a/b/c.txt", 8, "c6b8a0e85411f4e19fce551fc8fe3919eb4411c046b2252e1665d411d04c1ed1"),
    ("a/b/c.txt.elastickv-meta.json", 208, "90deb3d2f448ad1d7993de37956f181abc1d0536013d21054c367ba4c30aa4b8"),
    ("x.elastickv-meta.json.user-data", 2, "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"),
    (
        "x.elastickv-meta.json.user-data.elastickv-meta.json",
        183,
        "b0b383044fd435378b702543c811e5c81055007325a2cf3535526ffdf371d2d8",
    ),
];

/// One object: key, upload id, body, commit timestamp of the chunk, record. The record's own is one later.
type Row<'a> = (&'a [u8], &'a str, &'a [u8], u64, &'a str);

pub(super) fn store() -> Store {
    let objects: [Row<'_>; 3] = [
        (b"a/b", "c9a96c2c433374d511e82452d58c4721", b"leaf and dir", 117660674738946192, M1),
        (b"a/b/c.txt", "905c22fc21b1b2b68693b76086225b96", b"hello v2", 117660674738946189, M2),
        (b"x.elastickv-meta.json", "8a1586b136be11ad578f95a8adbbefe3", b"{}", 117660674738946196, M3),
    ];
    let mut builder = SnapshotBuilder::new()
        .bare()
        .last_commit_ts(117660676771872972)
        .put(&bucket_key(Family::S3Generation, "bucket-one"), 117660674738946185, &1_u64.to_be_bytes())
        .put(&bucket_key(Family::S3Bucket, "bucket-one"), 117660676771872770, M0.as_bytes());
    for (key, upload_id, body, ts, record) in objects {
        let blob = blob_key(&group("bucket-one", 1, key), upload_id, [1, 0, 0]);
        builder = builder.put(&blob, ts, body).put(&head_key("bucket-one", 1, key), ts + 1, record.as_bytes());
    }
    Store(builder)
}

#[test]
fn the_documented_records_give_the_documented_snapshot() {
    let bytes = store().0.build();
    assert_eq!(bytes.len(), 1813);
    let digest = hex(&Sha256::digest(&bytes));
    assert_eq!(digest, "c10320f1efcc0984287daf2bcf12b019cccf8381ac0d96434e95c1ed9e980394");
}

#[test]
fn the_documented_snapshot_gives_the_documented_files() {
    let dump = store().dump();
    let found: Vec<(&str, usize, String)> = dump
        .files
        .iter()
        .map(|(path, content)| {
            (path.strip_prefix("s3/bucket-one/").unwrap(), content.len(), hex(&Sha256::digest(content)))
        })
        .collect();
    let expected: Vec<(&str, usize, String)> =
        FILES.iter().map(|(path, len, digest)| (*path, *len, (*digest).to_owned())).collect();
    assert_eq!(found, expected);
    assert!(dump.is_clean());
    assert_eq!(dump.scopes.of(Protocol::S3), ["bucket-one"]);
    assert!(dump.scopes.has_s3_meta_suffix_rename);
    assert_eq!(
        dump.text("s3/bucket-one/a/b/c.txt.elastickv-meta.json"),
        r#"{
  "format_version": 1,
  "etag": "8542826a2140ed720ced048317133643",
  "size_bytes": 8,
  "last_modified": "2026-11-22T14:56:56.793Z",
  "content_type": "text/plain",
  "user_metadata": {
    "x": "z"
  }
}"#
    );
}
