//! Records that no server writes. Source: `docs/format/s3.md`, sections 5 and 10.

use super::support::{Store, blob_key, bucket_key, group, head_key};
use crate::s3::findings;
use crate::{Family, Outcome};

#[test]
fn malformed_keys_of_every_family_are_losses_and_everything_else_is_written() {
    let families = [
        Family::S3Bucket,
        Family::S3Generation,
        Family::S3Object,
        Family::S3Blob,
        Family::S3ChunkRef,
        Family::S3ChunkBlob,
        Family::S3Upload,
        Family::S3UploadPart,
    ];
    let object = group("b", 1, b"k");
    let tails: [&[u8]; 6] = [b"", b"no terminator", b"\0\x01", b"b\0\x02x\0\x01", b"b\0\x01\0\0\x01", b"\xff\0\x01"];
    let mut store = Store::default().bucket("b", 1).object("b", 1, b"k", b"v");
    let mut malformed = 0;
    for family in families {
        for tail in tails {
            store = store.put(&[family.prefix(), tail].concat(), b"{}");
            malformed += 1;
        }
        if family != Family::S3Blob {
            store = store.put(&[family.prefix(), &object, b"trailing"].concat(), b"{}");
            malformed += 1;
        }
    }
    let dump = store.dump();
    assert_eq!(dump.count(findings::MALFORMED_KEY), malformed);
    assert_eq!(dump.bodies("b"), ["k"]);
    assert_eq!(dump.outcome(Family::S3Object, Outcome::Lost), 7);
}

#[test]
fn broken_bucket_record_is_a_loss_and_its_last_generation_is_written() {
    for record in ["", "x", "{", "[]", "{\"generation\":-1}", "{\"generation\":1.5}", "{} {}", "\"text\""] {
        let store = Store::default().object("b", 2, b"k", b"v").object("b", 1, b"k", b"old");
        let dump = store.put(&bucket_key(Family::S3Bucket, "b"), record).dump();
        let is_damage = u64::from(!record.is_empty());
        assert_eq!(dump.count(findings::INVALID_BUCKET), is_damage, "{record}");
        assert_eq!(dump.count(findings::BUCKET_MISSING), 1);
        assert_eq!(dump.files["s3/b/k"], b"v");
        assert!(!dump.files.contains_key("s3/b/_bucket.json"));
    }
}

#[test]
fn absurd_object_records_are_losses() {
    let nested = format!("{{\"x\":{}", "[".repeat(200_000));
    let long = format!("{{\"etag\":\"{}\"}}", "e".repeat(70_000));
    let metadata = format!("{{\"user_metadata\":{{\"a\":\"{}\"}}}}", "m".repeat(2 << 20));
    let invalid =
        ["x", "[]", "{\"size_bytes\":1e3}", "{\"parts\":{}}", "{\"size_bytes\":\"1\"}", &nested, &long, &metadata];
    for record in invalid {
        let dump = Store::default().bucket("b", 1).put(&head_key("b", 1, b"k"), record).dump();
        assert_eq!(dump.count(findings::INVALID_OBJECT), 1, "{:.40}", record);
        assert_eq!(dump.paths(), ["s3/b/_bucket.json"]);
    }
    let incomplete = [
        r#"{"size_bytes":4611686018427387904}"#,
        r#"{"size_bytes":-1}"#,
        r#"{"parts":[{"chunk_count":1152921504606846976}]}"#,
        r#"{"parts":[{"part_no":1,"chunk_sizes":[18446744073709551615,1]}]}"#,
        r#"{"parts":[{"part_no":1,"offloaded":true,"chunk_count":1}]}"#,
    ];
    for record in incomplete {
        let dump = Store::default().bucket("b", 1).put(&head_key("b", 1, b"k"), record).dump();
        assert_eq!(dump.count(findings::INCOMPLETE_OBJECT), 1, "{record}");
        assert_eq!(dump.paths(), ["s3/b/_bucket.json"]);
    }
}

#[test]
fn part_that_is_listed_twice_is_read_twice_and_its_chunks_count_once() {
    let part = r#"{"part_no":1,"chunk_count":1,"chunk_sizes":[3]}"#;
    let record = format!(r#"{{"upload_id":"u","size_bytes":6,"parts":[{part},{part}]}}"#);
    let store = Store::default().bucket("b", 1).put(&head_key("b", 1, b"k"), record);
    let dump = store.put(&blob_key(&group("b", 1, b"k"), "u", [1, 0, 0]), b"abc").dump();
    assert_eq!(dump.files["s3/b/k"], b"abcabc");
    assert!(dump.is_clean());
}

#[test]
fn null_is_an_object_of_no_bytes() {
    let dump = Store::default().bucket("b", 1).put(&head_key("b", 1, b"k"), "null").dump();
    assert!(dump.is_clean());
    assert_eq!(dump.files["s3/b/k"], b"");
    assert_eq!(dump.text("s3/b/k.elastickv-meta.json"), "{\n  \"format_version\": 1,\n  \"size_bytes\": 0\n}");
}

#[test]
fn text_that_is_not_utf8_is_replaced_byte_by_byte() {
    let record = b"{\"etag\":\"\xe2\x82x\",\"user_metadata\":{\"\xff\":\"\\ud800\"}}";
    let dump = Store::default().bucket("b", 1).put(&head_key("b", 1, b"k"), record).dump();
    let sidecar = dump.text("s3/b/k.elastickv-meta.json");
    assert!(
        sidecar.contains("\"etag\": \"\u{fffd}\u{fffd}x\"") && sidecar.contains("\"\u{fffd}\": \"\u{fffd}\""),
        "{sidecar}"
    );
}
