//! Files and the keys that they stand for.

use ekv_model::s3::OrphanChunk;
use proptest::prelude::*;
use std::sync::Arc;

use super::*;
use crate::keymap::{KeymapKind, write_line};
use crate::manifest::Exclusions;
use crate::replay::S3_SIDE_RECORDS_NOT_RESTORED;
use crate::s3_name::object_fallback;

const KEYMAP: &str = "s3/b/KEYMAP.jsonl";
const META: &str = ".elastickv-meta.json";

fn line(encoded: &str, original: &[u8], kind: KeymapKind) -> Vec<u8> {
    let mut out = Vec::new();
    write_line(encoded, original, kind, &mut out);
    out
}

#[test]
fn awkward_keys_come_back_together() {
    let long = [b'k'; 256];
    let keys: [&[u8]; 32] = [
        b"",
        b"/",
        b"//",
        b".",
        b"..",
        b"../esc",
        b"/abs",
        b"a",
        b"a-b",
        b"a.elastickv-leaf-data",
        b"a/",
        b"a/../b",
        b"a//b",
        b"a/b",
        b"a/b/c",
        b"a\0b",
        b"a\\b",
        b"\xff\xfe",
        b"\xff\xfe/x",
        b"_bucket.json",
        b"_bucket.json/x",
        b"KEYMAP.jsonl",
        b"KEYMAP.jsonl/x",
        b"_orphans/x",
        b"_incomplete_uploads/records.jsonl",
        b"x",
        b"x.elastickv-meta.json",
        b"x.elastickv-meta.json/y",
        b"x//a.elastickv-meta.json",
        b"ca978112ca1bbdcafac231b39a23dc4d__a",
        b"line\nfeed",
        &long,
    ];
    let buckets = one(&keys.map(|key| (key, key)));
    let dump = dump(&buckets);
    assert_eq!(buckets_of(&dump), buckets);
    assert!(dumped_again(&dump, &buckets, TreeOptions::default()) == dump);
}

#[test]
fn buckets_with_odd_names_come_in_the_order_of_their_names() {
    let long = "k".repeat(241);
    let names = [".", "..", "B b", "_orphans", "a%", "b64.x", &long, "é"];
    let buckets: TestBuckets = names.into_iter().map(|name| (name.to_owned(), bucket(&[(b"k", b"v")]))).collect();
    let dump = dump(&buckets);
    assert_eq!(buckets_of(&dump), buckets);
    assert!(dumped_again(&dump, &buckets, TreeOptions::default()) == dump);
}

#[test]
fn names_that_do_not_fit_together_are_refused() {
    let buckets = one(&[(b"a", b"1"), (b"a/b", b"2"), (b"dir/", b""), (b"x", b"3")]);
    let dump = dump(&buckets);
    let dir = String::from_utf8(object_fallback(b"dir/")).unwrap();
    let sidecar = dump.file("s3/b/x.elastickv-meta.json").to_vec();
    let keymap = String::from_utf8(dump.file(KEYMAP).to_vec()).unwrap();
    let first_line = keymap.split_inclusive('\n').next().unwrap();
    let without_dir = keymap.replace(first_line, "");
    let with = |path: &str, content: &[u8]| dump.clone().with(path, content).signed();
    let object = |path: &str| dump.clone().with(path, b"3").with(&format!("{path}{META}"), &sidecar).signed();
    let added = |line: &[u8]| with(KEYMAP, &[keymap.as_bytes(), line].concat());
    let cases = [
        (with("s3/b/new", b""), "s3/b/new: the object has no metadata file".to_owned()),
        (with("s3/b/n/new", b""), "s3/b/n/new: the object has no metadata file".to_owned()),
        (dump.clone().without("s3/b/x").signed(), format!("s3/b/x{META}: there is no object for this metadata file")),
        (dump.clone().without(&format!("s3/b/x{META}")).signed(), "s3/b/x: the object has no metadata file".to_owned()),
        (with(&format!("s3/b/{META}"), b""), format!("s3/b/{META}: there is no object for this metadata file")),
        (with(&format!("s3/b/y/{META}"), b""), format!("s3/b/y/{META}: there is no object for this metadata file")),
        (object("s3/b/y\\z"), "s3/b/y\\\\z: no object key has this path: it has a NUL or a backslash".to_owned()),
        (
            object(&format!("s3/b/y{META}/z")),
            format!("s3/b/y{META}/z: no object key has this path: a directory ends like a metadata file"),
        ),
        (
            with(KEYMAP, without_dir.as_bytes()),
            format!("s3/b/{dir}: KEYMAP.jsonl has no record for this name: the key is lost"),
        ),
        (
            dump.clone().without(KEYMAP).signed(),
            format!("s3/b/{dir}: KEYMAP.jsonl has no record for this name: the key is lost"),
        ),
        (
            added(&line("y.elastickv-leaf-data", b"y", KeymapKind::S3LeafData)),
            format!("{KEYMAP}, line 3: the record for y.elastickv-leaf-data has no file"),
        ),
        (
            added(&line(&dir, b"dir//", KeymapKind::ShaFallback)),
            format!("{KEYMAP}, line 3: the key in original does not have the path in encoded"),
        ),
        (
            added(&line("x", b"x", KeymapKind::S3LeafData)),
            format!("{KEYMAP}, line 3: the key in original does not have the path in encoded"),
        ),
        (
            added(&line("x.user-data", b"x", KeymapKind::MetaSuffixRename)),
            format!("{KEYMAP}, line 3: the key in original does not have the path in encoded"),
        ),
        (
            added(&line("_orphans/x.elastickv-leaf-data", b"_orphans/x", KeymapKind::S3LeafData)),
            format!("{KEYMAP}, line 3: the path in encoded cannot be that of a renamed object"),
        ),
        (
            added(&line("a/../x.elastickv-leaf-data", b"a/../x", KeymapKind::S3LeafData)),
            format!("{KEYMAP}, line 3: the path in encoded cannot be that of a renamed object"),
        ),
        (added(b"\n"), format!("{KEYMAP}, line 3: it is not an object with the strings encoded, original and kind")),
        (added(b"{}"), format!("{KEYMAP}, line 3: the last line does not end in a line feed: the file is cut")),
        (
            added(b"{\"encoded\":\"e\",\"original\":\"YQ==\",\"kind\":\"sha-fallback\"}\n"),
            format!("{KEYMAP}, line 3: the field original is not base64url without padding"),
        ),
        (
            added(b"{\"encoded\":\"e\",\"original\":\"YQ\",\"kind\":\"other\"}\n"),
            format!("{KEYMAP}, line 3: unknown kind \"other\""),
        ),
        (object("s3/b/a"), "s3/b/a.elastickv-leaf-data: s3/b/a is the same object: a key has one file".to_owned()),
        (
            with("s3/b/KEYMAP.jsonl.elastickv-meta.json", &sidecar),
            "s3/b/KEYMAP.jsonl.elastickv-meta.json: there is no object for this metadata file".to_owned(),
        ),
        (with("s3/b/_bucket.json/x", b""), "s3/b/_bucket.json".to_owned()),
        (with("s3/b/KEYMAP.jsonl/x", b""), "s3/b/KEYMAP.jsonl".to_owned()),
        (with("s3/b/_orphans", b""), "s3/b/_orphans: the object has no metadata file".to_owned()),
        (with("s3/notes", b""), "s3/notes: nothing in a dump has this name: expected directories only".to_owned()),
        (object("s3/c/x"), "s3/c: there is no _bucket.json in it".to_owned()),
        (object("s3/_c/x"), "s3/_c: there is no _bucket.json in it".to_owned()),
        (with("s3/c%2f/_bucket.json", b""), "s3/c%2f: the name is not in its canonical form".to_owned()),
    ];
    for (dump, message) in cases {
        let error = error_of(&dump);
        assert!(error.starts_with(&message), "{error}\n{message}");
    }
}

#[test]
fn equal_lines_of_a_keymap_count_once_in_any_order_and_layout() {
    let buckets = one(&[(b"a", b"1"), (b"a/b", b"2"), (b"dir/", b"")]);
    let dump = dump(&buckets);
    let keymap = String::from_utf8(dump.file(KEYMAP).to_vec()).unwrap();
    let mut lines: Vec<&str> = keymap.split_inclusive('\n').collect();
    lines.reverse();
    let edited = [&lines.concat(), keymap.as_str()].concat().replace(":\"", " : \"");
    let (found, _) = replayed(&dump.with(KEYMAP, edited.as_bytes()).signed(), Arc::default()).unwrap();
    assert_eq!(found, buckets);
}

#[test]
fn files_that_no_client_sees_are_left_out_and_said() {
    let buckets = one(&[(b"a", b"1")]);
    let chunk = OrphanChunk {
        key: b"..",
        generation: 7,
        upload_id: b"u",
        part_no: 1,
        chunk_no: 0,
        part_version: 0,
        body: Body::Inline(b"chunk"),
    };
    let exclusions = Exclusions { include_orphans: true, include_incomplete_uploads: true, ..Exclusions::default() };
    let manifest = Manifest { exclusions, ..s3_manifest(&buckets) };
    let dump = Dump::sent_with(&manifest, TreeOptions::default(), |target| {
        let mut give = |event| target.event(ModelEvent::S3(event)).unwrap();
        let record = Some(BucketRecord { created_at_hlc: 0, owner: "", region: "", acl: "" });
        give(Event::Begin(Bucket { name: "b", record }));
        give(Event::OrphanChunk(chunk));
        give(Event::OrphanChunk(OrphanChunk { key: b"", ..chunk }));
        give(Event::UploadRecord(ekv_model::s3::UploadRecord {
            prefix: "p",
            user_key: b"k",
            value: Body::Inline(b"v"),
        }));
        give(Event::End);
    });
    let (found, replayed) = replayed(&dump, Arc::default()).unwrap();
    assert_eq!(found, one(&[]));
    assert_eq!((replayed.totals.files, replayed.totals.files_left_out), (2, 3));
    let (finding, totals) = replayed.findings.iter().next().unwrap();
    assert_eq!((*finding, totals.count), (S3_SIDE_RECORDS_NOT_RESTORED, 2));
    assert_eq!(totals.examples[0].detail, "1 files are left out");
    for path in [
        "s3/b/_orphans/x",
        "s3/b/_orphans/x.elastickv-meta.json",
        "s3/b/_orphans/k/gen-01/u_0000000000000001_0000000000000000_0000000000000000.bin",
        "s3/b/_incomplete_uploads/other.jsonl",
        "s3/b/_incomplete_uploads/a/records.jsonl",
    ] {
        let error = error_of(&dump.clone().with(path, b"").signed());
        assert!(error.contains("nothing in a dump has this name: expected "), "{path}: {error}");
    }
}

#[test]
fn objects_of_the_reference_decoder_at_paths_of_ours_are_read() {
    let buckets = one(&[(b"a", b"1")]);
    let dump = dump(&buckets);
    let sidecar = dump.file("s3/b/a.elastickv-meta.json").to_vec();
    let mut edited = dump.clone();
    let keys = ["KEYMAP.jsonl", "KEYMAP.jsonl.d/x", "x.elastickv-meta.json/y", "0123456789abcdef0123456789abcdef__x"];
    for key in keys {
        edited = edited.with(&format!("s3/b/{key}"), b"1").with(&format!("s3/b/{key}{META}"), &sidecar);
    }
    assert!(error_of(&edited.clone().signed()).contains(": "), "ours has no such names");
    let found = buckets_of(&of_reference(
        edited.with("s3/b/empty/directory/x", b"").without("s3/b/empty/directory/x"),
        &buckets,
    ));
    let mut expected: Vec<&[u8]> = keys.iter().map(|key| key.as_bytes()).chain([&b"a"[..]]).collect();
    expected.sort_unstable();
    assert_eq!(found["b"].objects.keys().map(Vec::as_slice).collect::<Vec<_>>(), expected);
}

#[test]
fn buckets_that_the_manifest_lists_must_be_there() {
    let mut listed = one(&[]);
    listed.insert("..".to_owned(), TestBucket::default());
    let manifest = s3_manifest(&listed).to_bytes::<()>(None).unwrap();
    let without = dump(&one(&[])).with("MANIFEST.json", &manifest).signed();
    assert_eq!(error_of(&without), "s3/%2E%2E: the manifest lists it, but there is no such directory");
    let empty = dump(&TestBuckets::new());
    assert_eq!(buckets_of(&empty), TestBuckets::new());
    let empty = empty.with("MANIFEST.json", &manifest).signed();
    let missing =
        ["s3/%2E%2E", "s3/b"].map(|path| format!("{path}: the manifest lists it, but there is no such directory"));
    assert_eq!(error_of(&empty), missing.join("; "));
}

fn any_key() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop::sample::select(vec![
        &b"a"[..],
        b"b",
        b"/",
        b".",
        b"..",
        b"\\",
        b"\0",
        b"\xff",
        b"%2F",
        b".elastickv-meta.json",
        b".elastickv-leaf-data",
        b".user-data",
        b"_bucket.json",
        b"KEYMAP.jsonl",
        b"_orphans",
        b"_incomplete_uploads",
        b"0123456789abcdef0123456789abcdef__",
    ]);
    prop_oneof![
        8 => prop::collection::vec(pieces, 0..6).prop_map(|pieces| pieces.concat()),
        1 => (230_usize..260).prop_map(|len| vec![b'k'; len]),
        1 => (1015_usize..1030).prop_map(|len| b"k/".iter().copied().cycle().take(len).collect()),
    ]
}

fn any_object() -> impl Strategy<Value = TestObject> {
    let texts = || ("\\PC{0,4}", "[\\x00-\\x20<>&\"\\\\é]{0,4}", "\\PC{0,2}", "\\PC{0,2}");
    (
        prop::collection::vec(any::<u8>(), 0..20),
        prop::option::of("[0-9a-f]{32}-[0-9]{1,3}|[a-z]{1,5}"),
        prop_oneof![Just(0), Just(1), (1_u64..1 << 48).prop_map(|ms| ms << 16)],
        texts(),
        prop::collection::btree_map("\\PC{0,4}", "[\\PC\\x00]{0,6}", 0..4),
    )
        .prop_map(|(body, etag, last_modified_hlc, texts, user_metadata)| TestObject {
            etag: etag.unwrap_or_else(|| md5_hex(&body)),
            last_modified_hlc,
            content_type: texts.0,
            content_encoding: texts.1,
            cache_control: texts.2,
            content_disposition: texts.3,
            user_metadata,
            body,
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_buckets_come_back_and_give_the_same_files_again(
        buckets in prop::collection::btree_map(
            "[a-z]{1,3}|\\PC{1,3}|\\.{1,2}",
            (prop::collection::btree_map(any_key(), any_object(), 0..12), "\\PC{0,3}", "\\PC{0,3}", "private|public-read|"),
            0..3,
        ),
    ) {
        let buckets: TestBuckets = buckets
            .into_iter()
            .map(|(name, (objects, owner, region, acl))| {
                (name, TestBucket { created_at_hlc: 0, owner, region, acl, objects })
            })
            .collect();
        let dump = dump(&buckets);
        prop_assert_eq!(&buckets_of(&dump), &buckets);
        prop_assert!(dumped_again(&dump, &buckets, TreeOptions::default()) == dump);
    }
}
