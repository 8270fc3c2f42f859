//! Bodies: chunks, parts, sizes, entity tags. Source: `docs/format/s3.md`, sections 2.2 and 4.3.

use super::support::{Store, TestPart, blob_key, group, head, head_key, md5_hex};
use crate::s3::findings;
use crate::{Family, Outcome};

const MIB: usize = 1 << 20;

/// Bytes that tell when they are in the wrong place.
fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| u8::try_from((i / 7 + i / 65_536) % 251).unwrap()).collect()
}

fn part(part_no: u64, version: u64, body: &[u8]) -> TestPart {
    TestPart { part_no, version, chunks: body.chunks(MIB).map(<[u8]>::to_vec).collect() }
}

#[test]
fn bodies_around_the_chunk_length_come_back_whole() {
    let mut store = Store::default().bucket("b", 1);
    let lens = [0, 1, 65_535, 65_536, 65_537, MIB - 1, MIB, MIB + 1, 3 * MIB];
    for len in lens {
        let body = pattern(len);
        store = store.parts("b", 1, format!("{len:08}").as_bytes(), &md5_hex(&body), &[part(1, 0, &body)]);
    }
    let dump = store.dump();
    assert!(dump.is_clean(), "no entity tag differs");
    for len in lens {
        assert!(dump.files[&format!("s3/b/{len:08}")] == pattern(len), "{len}");
    }
    assert_eq!(dump.outcome(Family::S3Blob, Outcome::Emitted), dump.tally.of(Family::S3Blob).total());
}

#[test]
fn parts_of_a_multipart_object_follow_each_other_in_the_order_of_the_record() {
    let body = pattern(2 * MIB + 5);
    let (first, second) = body.split_at(MIB + 2);
    let parts = [part(1, 117_660_676_706_271_235, first), part(2, 117_660_676_706_271_239, second)];
    let store =
        Store::default().bucket("b", 1).parts("b", 1, b"multi.bin", "d41d8cd98f00b204e9800998ecf8427e-2", &parts);
    // The same part, uploaded before under another version, and once without version.
    let group = group("b", 1, b"multi.bin");
    let store = store.put(&blob_key(&group, "u", [1, 0, 5]), b"old").put(&blob_key(&group, "u", [1, 1, 0]), b"older");
    let dump = store.dump();
    assert!(dump.is_clean());
    assert!(dump.files["s3/b/multi.bin"] == body);
    assert_eq!(dump.outcome(Family::S3Blob, Outcome::Emitted), 4);
    assert_eq!(dump.outcome(Family::S3Blob, Outcome::Orphaned), 2);
}

#[test]
fn leftover_chunks_of_a_shorter_upload_are_ignored() {
    let store = Store::default().bucket("b", 1).object("b", 1, b"k", b"short");
    let store = store.put(&blob_key(&group("b", 1, b"k"), "u", [1, 1, 0]), b"leftover");
    let store = store.put(&blob_key(&group("b", 1, b"k"), "other", [1, 0, 0]), b"overwritten");
    let dump = store.dump();
    assert!(dump.is_clean());
    assert_eq!(dump.files["s3/b/k"], b"short");
}

#[test]
fn record_without_chunk_sizes_uses_the_chunk_count_and_checks_the_total() {
    let record =
        |size: u64| format!(r#"{{"upload_id":"u","size_bytes":{size},"parts":[{{"part_no":1,"chunk_count":2}}]}}"#);
    let group = group("b", 1, b"k");
    let store = Store::default()
        .bucket("b", 1)
        .put(&blob_key(&group, "u", [1, 0, 0]), b"abc")
        .put(&blob_key(&group, "u", [1, 1, 0]), b"de")
        .put(&blob_key(&group, "u", [1, 2, 0]), b"leftover");
    let dump = store.clone().put(&head_key("b", 1, b"k"), record(5)).dump();
    assert!(dump.is_clean());
    assert_eq!(dump.files["s3/b/k"], b"abcde");
    let dump = store.put(&head_key("b", 1, b"k"), record(6)).dump();
    assert_eq!(dump.details(findings::INCOMPLETE_OBJECT), ["the chunks have 5 bytes, the record says 6"]);
}

#[test]
fn incomplete_object_is_a_loss_and_the_others_are_written() {
    let whole = [part(1, 0, b"abcdef"), part(2, 0, b"ghi")];
    let record = head("u", "e", &whole);
    let place = |key: &[u8], part_no| blob_key(&group("b", 1, key), "u", [part_no, 0, 0]);
    let store = Store::default()
        .bucket("b", 1)
        .object("b", 1, b"fine", b"fine")
        .put(&head_key("b", 1, b"missing"), &record)
        .put(&place(b"missing", 1), b"abcdef")
        .put(&head_key("b", 1, b"short"), &record)
        .put(&place(b"short", 1), b"abcde")
        .put(&place(b"short", 2), b"ghi")
        .put(&head_key("b", 1, b"size"), record.replace("\"size_bytes\":9", "\"size_bytes\":-9"))
        .put(&place(b"size", 1), b"abcdef")
        .put(&place(b"size", 2), b"ghi");
    let dump = store.dump();
    assert_eq!(dump.bodies("b"), ["fine"]);
    assert_eq!(
        dump.details(findings::INCOMPLETE_OBJECT),
        [
            "part 2, chunk 0: it is missing",
            "part 1, chunk 0: it has 5 bytes, the record says 6",
            "the chunks have 9 bytes, the record says -9",
        ]
    );
    assert_eq!(dump.outcome(Family::S3Object, Outcome::Lost), 3);
    assert_eq!(dump.outcome(Family::S3Blob, Outcome::Lost), 5);
}

#[test]
fn lost_object_still_decides_about_the_paths_of_others() {
    let store = Store::default().bucket("b", 1).object("b", 1, b"a", b"1");
    let store = store.put(&head_key("b", 1, b"a/b"), "{broken");
    let dump = store.dump();
    assert_eq!(dump.bodies("b"), ["a.elastickv-leaf-data"]);
    assert_eq!(dump.count(findings::INVALID_OBJECT), 1);
}

#[test]
fn entity_tag_that_is_no_md5_of_the_body_is_a_warning() {
    let parts = [part(1, 0, b"body")];
    let store = Store::default().bucket("b", 1).parts("b", 1, b"wrong", &md5_hex(b"other"), &parts);
    let store = store.parts("b", 1, b"odd", "not-a-digest", &parts);
    let store = store.parts("b", 1, b"upper", &md5_hex(b"body").to_uppercase(), &parts);
    let large = pattern(MIB + 1);
    let store = store.parts("b", 1, b"large", &md5_hex(b"other"), &[part(1, 0, &large)]);
    let dump = store.dump();
    assert_eq!(dump.count(findings::ETAG_MISMATCH), 2);
    assert_eq!(dump.bodies("b").len(), 4);
    assert!(dump.details(findings::ETAG_MISMATCH)[0].ends_with(&md5_hex(&large)));
}

#[test]
fn object_of_a_million_parts_passes() {
    let count = 1_000_000_u64;
    let mut record = r#"{"upload_id":"u","size_bytes":0,"parts":["#.to_owned();
    for part_no in 1..=count {
        record.push_str(if part_no == 1 { "" } else { "," });
        record.push_str(&format!("{{\"part_no\":{part_no}}}"));
    }
    record.push_str("]}");
    let dump = Store::default().bucket("b", 1).put(&head_key("b", 1, b"k"), record).dump();
    assert!(dump.is_clean());
    assert_eq!(dump.files["s3/b/k"], b"");
}

#[test]
fn sidecar_says_what_the_record_says() {
    let record = concat!(
        r#"{"Upload_ID":"u","etag":"e<&>","size_bytes":2,"last_modified_hlc":117660674732195840,"content_type":"text/\u2028","#,
        r#""content_encoding":"gzip","cache_control":"no-cache","content_disposition":"inline","future":[{}],"#,
        r#""user_metadata":{"z":"1","a":"\u0001<é","z":"2"},"parts":[{"part_no":1,"chunk_count":1,"chunk_sizes":[2]}]}"#,
    );
    let store = Store::default().bucket("b", 1).put(&head_key("b", 1, b"k"), record);
    let store = store.put(&blob_key(&group("b", 1, b"k"), "u", [1, 0, 0]), b"hi");
    let expected = r#"{
  "format_version": 1,
  "etag": "e\u003c\u0026\u003e",
  "size_bytes": 2,
  "last_modified": "2026-11-22T14:56:56.69Z",
  "content_type": "text/\u2028",
  "content_encoding": "gzip",
  "cache_control": "no-cache",
  "content_disposition": "inline",
  "user_metadata": {
    "a": "\u0001\u003cé",
    "z": "2"
  }
}"#;
    let dump = store.dump();
    assert_eq!(dump.text("s3/b/k.elastickv-meta.json"), expected);
}
