//! Awkward keys from records to files. Source: `docs/format/tree.md`, sections 4, 5 and 11.3.

use ekv_dump::{DumpWriter, TreeTarget};
use ekv_files::sink::{MemoryDump, MemorySink};
use ekv_model::Class;
use ekv_model::Protocol;
use ekv_testkit::FoldingSink;

use super::support::Store;
use crate::s3::Options;

/// Keys of one bucket with the paths that they must get.
type Row<'a> = &'a [(&'a [u8], &'a str)];

const KKKK: &str = "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk";

#[test]
fn awkward_keys_get_their_documented_paths() {
    let fits = "k".repeat(235);
    let long = "k".repeat(236);
    let long_path = format!("fef6f16b7cd582e52049337f96f15bc1__{KKKK}");
    let keymap = (&b"KEYMAP.jsonl"[..], "77a2c66cc38f37859df6338ea505630e__KEYMAP.jsonl");
    let rows: [Row<'_>; 22] = [
        &[(b"a/b", "a/b.elastickv-leaf-data"), (b"a/b/c", "a/b/c")],
        &[(b"x.elastickv-meta.json", "x.elastickv-meta.json.user-data")],
        &[(b"x", "x"), (b"x.elastickv-meta.json", "x.elastickv-meta.json.user-data")],
        &[(b"dir/", "56aa336ce5e484fd6aa17b4e075d5be3__dir%2F")],
        &[(b"a//b", "7a9acf331a5dc1e020c17901e85936a2__a%2F%2Fb")],
        &[(b"/a", "6a50dc8584134c7de537c0052ff6d236__%2Fa")],
        &[(b"a/../b", "900ea8b7e0d8fe30857c1bb629272e28__a%2F..%2Fb")],
        &[(b".", "cdb4ee2aea69cc6a83331bbe96dc2caa__."), (b"..", "5ec1f7e700f37c3d0b2981d04855fc34__..")],
        &[(b"a\\b", "c62016d0f8ee333350283fd879b50b69__a%5Cb"), (b"a\0b", "59b271ae1bbcb1d31d41929817f4b16f__a%00b")],
        &[(b"_bucket.json", "e7b494ff8f7bef050339f83852eadbf4___bucket.json")],
        &[keymap],
        &[keymap, (b"a", "a.elastickv-leaf-data"), (b"a/b", "a/b")],
        &[(b"_orphans/x", "4550c5ab25eb249870a4874caa797c4a___orphans%2Fx")],
        &[(
            b"_incomplete_uploads/records.jsonl",
            "f1f4936d85c0b1cb18b039ad4cf541f1___incomplete_uploads%2Frecords.jsonl",
        )],
        &[(b"x", "x"), (b"x.elastickv-meta.json/y", "07c572078595e951bb01f114f76409f2__x.elastickv-meta.json%2Fy")],
        &[
            (b"a", "ca978112ca1bbdcafac231b39a23dc4d__a"),
            (b"a/b", "a/b"),
            (b"a.elastickv-leaf-data", "a.elastickv-leaf-data"),
        ],
        &[(fits.as_bytes(), &fits)],
        &[(long.as_bytes(), &long_path)],
        &[(b"Foo", "Foo"), (b"foo", "foo"), (b"CON", "CON"), (b"trail.", "trail."), (b"a\nb", "a\nb")],
        &[(
            b"0123456789abcdef0123456789abcdef__x/y",
            "41a26f76fe4cc402c746cb1c79b3b4b3__0123456789abcdef0123456789abcdef__x%2Fy",
        )],
        &[(b"", "e3b0c44298fc1c149afbf4c8996fb924__")],
        &[(b"\xff\xfe", "b3d510ef04275ca8e698e5b3cbb0ece3__%FF%FE")],
    ];
    for row in rows {
        let mut store = Store::default().bucket("bkt", 1);
        for (key, _) in row {
            store = store.object("bkt", 1, key, &[b"body of ", *key].concat());
        }
        let dump = store.dump();
        assert!(dump.is_clean());
        let mut expected: Vec<&str> = row.iter().map(|(_, path)| *path).collect();
        expected.sort_unstable();
        let mut found = dump.bodies("bkt");
        found.sort_unstable();
        assert_eq!(found, expected);
        for (key, path) in row {
            assert_eq!(dump.files[&format!("s3/bkt/{path}")], [b"body of ", *key].concat());
            assert!(dump.files.contains_key(&format!("s3/bkt/{path}.elastickv-meta.json")), "{path}");
        }
        let renamed = row.iter().filter(|(key, path)| *key != path.as_bytes()).count();
        let keymap = dump.files.get("s3/bkt/KEYMAP.jsonl").map_or(0, |file| file.split(|b| *b == b'\n').count() - 1);
        assert_eq!(keymap, renamed);
    }
}

#[test]
fn all_awkward_keys_live_together_in_one_bucket() {
    let keys: [&[u8]; 30] = [
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
    ];
    let mut store = Store::default().bucket("bkt", 1);
    for key in keys {
        store = store.object("bkt", 1, key, key);
    }
    let dump = store.dump();
    assert!(dump.is_clean());
    assert_eq!(dump.bodies("bkt").len(), keys.len());
    let mut bodies: Vec<&[u8]> =
        dump.bodies("bkt").iter().map(|path| dump.files[&format!("s3/bkt/{path}")].as_slice()).collect();
    bodies.sort_unstable();
    let mut expected = keys;
    expected.sort_unstable();
    assert_eq!(bodies, expected);
    let keymap: Vec<&str> = dump.text("s3/bkt/KEYMAP.jsonl").lines().collect();
    assert!(keymap.is_sorted_by(|a, b| a < b), "sorted and unique");
    // Only these are their own paths: a-b, a.elastickv-leaf-data, a/b/c, x.
    assert_eq!(keymap.len(), keys.len() - 4, "{keymap:#?}");
}

#[test]
fn keymap_has_the_documented_lines() {
    let mut store = Store::default().bucket("bkt", 1);
    for key in [&b"a/b"[..], b"a/b/c", b"x.elastickv-meta.json", b"dir/"] {
        store = store.object("bkt", 1, key, b"");
    }
    let expected = concat!(
        r#"{"encoded":"56aa336ce5e484fd6aa17b4e075d5be3__dir%2F","original":"ZGlyLw","kind":"sha-fallback"}"#,
        "\n",
        r#"{"encoded":"a/b.elastickv-leaf-data","original":"YS9i","kind":"s3-leaf-data"}"#,
        "\n",
        r#"{"encoded":"x.elastickv-meta.json.user-data","original":"eC5lbGFzdGlja3YtbWV0YS5qc29u","kind":"meta-suffix-rename"}"#,
        "\n",
    );
    assert_eq!(store.dump().text("s3/bkt/KEYMAP.jsonl"), expected);
}

#[test]
fn a_running_upload_below_a_key_does_not_rename_it() {
    use super::support::{blob_key, group};
    let store = Store::default().bucket("bkt", 1).object("bkt", 1, b"a", b"1");
    let store = store.put(&blob_key(&group("bkt", 1, b"a/b"), "u", [1, 0, 0]), b"part");
    assert_eq!(store.dump().bodies("bkt"), ["a"]);
}

#[test]
fn bucket_names_that_are_no_file_names_are_escaped() {
    let names = ["..", ".", "a/b"];
    let mut store = Store::default();
    for name in names {
        store = store.bucket(name, 1).object(name, 1, b"k", b"v");
    }
    let dump = store.dump();
    for directory in ["%2E%2E", "%2E", "a%2Fb"] {
        assert_eq!(dump.bodies(directory), ["k"]);
    }
    assert_eq!(dump.scopes.of(Protocol::S3), [".", "..", "a/b"]);
}

#[test]
fn names_that_a_file_system_takes_for_one_end_the_run_naming_both() {
    for (first, second, said) in [
        ("Case", "case", ["s3/bkt/case", "s3/bkt/Case"]),
        ("A/x", "a/y", ["s3/bkt/a", "s3/bkt/A"]),
        ("a/B/x", "a/b", ["s3/bkt/a/b", "s3/bkt/a/B"]),
    ] {
        let store = Store::default().bucket("bkt", 1);
        let store = store.object("bkt", 1, first.as_bytes(), b"1").object("bkt", 1, second.as_bytes(), b"2");
        let memory = MemoryDump::new();
        let sink = FoldingSink::new(Box::new(MemorySink::new(&memory)));
        let mut tree = TreeTarget::new(DumpWriter::new(Box::new(sink)));
        store.decode_into(Options::default(), &[], &mut tree).unwrap();
        let error = tree.finish().and_then(|(writer, _)| writer.finish(b"{}")).unwrap_err();
        assert_eq!(error.class(), Class::Data);
        let text = error.to_string();
        assert!(said.iter().all(|name| text.contains(name)), "{text}");
        assert!(memory.entries().is_none());
        // Where names are told apart, both objects are there.
        assert_eq!(store.dump().bodies("bkt").len(), 2);
    }
}
