//! S3 bodies, sidecars and KEYMAP records.

use super::tree::{Tree, empty, keymap_line, reference, text};
use crate::keymap::KeymapKind;
use crate::segment::sha_fallback;

/// An object and its sidecar in the bucket `b`.
fn with_object(tree: Tree, path: &str) -> Tree {
    tree.with("s3/b/_bucket.json", b"{}").with(path, b"body").with(&format!("{path}.elastickv-meta.json"), b"{}")
}

#[test]
fn s3_bodies_and_sidecars_must_pair() {
    let base = with_object(with_object(empty(), "s3/b/a"), "s3/b/d/x");
    assert_eq!(base.problems(), [""; 0]);
    assert_eq!(
        base.clone().without("s3/b/a.elastickv-meta.json").problems(),
        ["s3/b/a: the object has no metadata file"]
    );
    assert_eq!(
        base.clone().without("s3/b/d/x").problems(),
        ["s3/b/d/x.elastickv-meta.json: there is no object for this metadata file"]
    );
    for path in ["s3/b/.elastickv-meta.json", "s3/b/d/.elastickv-meta.json"] {
        let expected = format!("{path}: there is no object for this metadata file");
        assert_eq!(base.clone().with(path, b"{}").problems(), [expected]);
    }
}

#[test]
fn s3_keymap_and_files_must_agree() {
    let fallback = text(sha_fallback(b"dir/"));
    let file = format!("s3/b/{fallback}");
    let record = keymap_line(&fallback, b"dir/", KeymapKind::ShaFallback);
    let base = with_object(empty(), &file).with("s3/b/KEYMAP.jsonl", record.as_bytes());
    assert_eq!(base.problems(), [""; 0]);
    let keymap = |content: &str| base.clone().with("s3/b/KEYMAP.jsonl", content.as_bytes()).problems();

    assert_eq!(keymap(&record.repeat(2)), [""; 0]);
    assert_eq!(
        base.clone().without("s3/b/KEYMAP.jsonl").problems(),
        [format!("{file}: KEYMAP.jsonl has no record for this name: the key is lost")]
    );
    let leaf = keymap_line("a.elastickv-leaf-data", b"a", KeymapKind::S3LeafData);
    assert_eq!(
        keymap(&format!("{record}{leaf}")),
        ["s3/b/KEYMAP.jsonl, line 2: the record for a.elastickv-leaf-data has no file"]
    );
    let bad_lines = [
        keymap_line(&fallback, b"dir", KeymapKind::ShaFallback),
        keymap_line("a.elastickv-leaf-data", b"b", KeymapKind::S3LeafData),
        keymap_line(".elastickv-leaf-data", b"", KeymapKind::S3LeafData),
        keymap_line("a.user-data", b"a", KeymapKind::MetaSuffixRename),
        keymap_line("x.elastickv-meta.json.user-data", b"x.elastickv-meta.json", KeymapKind::S3LeafData),
        keymap_line("a\\b.elastickv-leaf-data", b"a\\b", KeymapKind::S3LeafData),
        keymap_line("../a.elastickv-leaf-data", b"../a", KeymapKind::S3LeafData),
        keymap_line("a//b.elastickv-leaf-data", b"a//b", KeymapKind::S3LeafData),
        keymap_line("_orphans/a.elastickv-leaf-data", b"_orphans/a", KeymapKind::S3LeafData),
        keymap_line("a\0.elastickv-leaf-data", b"a\0", KeymapKind::S3LeafData),
        "{}\n".to_owned(),
    ];
    for line in bad_lines {
        let problems = keymap(&format!("{record}{line}"));
        assert!(problems[0].starts_with("s3/b/KEYMAP.jsonl, line 2: "), "{line}: {problems:?}");
        assert_eq!(problems.len(), 1, "{line}: {problems:?}");
    }
}

#[test]
fn records_of_one_path_for_two_keys_are_a_conflict() {
    // A fallback can end like a renamed sidecar, so one path can be right for two kinds of record.
    let key = b"x//a.elastickv-meta.json";
    let path = text(crate::s3_name::object_fallback(key));
    let natural = path.strip_suffix(".user-data").unwrap();
    let records = [
        keymap_line(&path, key, KeymapKind::ShaFallback),
        keymap_line(&path, natural.as_bytes(), KeymapKind::MetaSuffixRename),
    ];
    let tree = with_object(empty(), &format!("s3/b/{path}")).with("s3/b/KEYMAP.jsonl", records.concat().as_bytes());
    assert_eq!(tree.problems(), [format!("s3/b/KEYMAP.jsonl, line 2: {path} has another key on line 1")]);
}

#[test]
fn own_dumps_have_natural_paths_only_where_the_format_leaves_them() {
    for (path, reason) in [
        ("s3/b/a\\b", "it has a NUL or a backslash"),
        ("s3/b/x.elastickv-meta.json/y", "a directory ends like a metadata file"),
    ] {
        let problems = with_object(empty(), path).problems();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].ends_with(&format!("no object key has this path: {reason}")), "{problems:?}");
        assert_eq!(with_object(reference(), path).problems(), [""; 0]);
    }
    let shaped = "s3/b/0123456789abcdef0123456789abcdef__x/y";
    assert_eq!(with_object(empty(), shaped).problems().len(), 1);
    assert_eq!(with_object(reference(), shaped).problems(), [""; 0]);
}

#[test]
fn object_named_like_the_keymap_is_accepted_in_reference_dumps_only() {
    let tracker = with_object(reference(), "s3/b/KEYMAP.jsonl");
    assert_eq!(tracker.problems(), [""; 0]);
    assert!(!with_object(empty(), "s3/b/KEYMAP.jsonl").problems().is_empty());
    let without_sidecar = reference().with("s3/b/_bucket.json", b"{}").with("s3/b/KEYMAP.jsonl", b"body\n");
    assert!(without_sidecar.problems()[0].starts_with("s3/b/KEYMAP.jsonl, line 1: "));
}

#[test]
fn an_object_with_two_files_is_found() {
    let leaf = keymap_line("a.elastickv-leaf-data", b"a", KeymapKind::S3LeafData);
    let tree = with_object(with_object(empty(), "s3/b/a"), "s3/b/a.elastickv-leaf-data");
    let tree = tree.with("s3/b/KEYMAP.jsonl", leaf.as_bytes());
    assert_eq!(tree.problems(), ["s3/b/a.elastickv-leaf-data: s3/b/a is the same object: a key has one file"]);
    let fallback = text(sha_fallback(b"a"));
    let both = format!("{leaf}{}", keymap_line(&fallback, b"a", KeymapKind::ShaFallback));
    let tree = with_object(with_object(empty(), "s3/b/a.elastickv-leaf-data"), &format!("s3/b/{fallback}"));
    assert_eq!(
        tree.with("s3/b/KEYMAP.jsonl", both.as_bytes()).problems(),
        [format!("s3/b/{fallback}: s3/b/a.elastickv-leaf-data is the same object: a key has one file")]
    );
}
