use std::collections::{BTreeMap, BTreeSet};

use ekv_spill::SystemScratch;
use proptest::prelude::*;

use super::*;
use crate::s3_name::{object_fallback, object_path};

/// The paths of a set of keys.
fn assigned(keys: &BTreeSet<Vec<u8>>) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut assigner = PathAssigner::new(Arc::new(SystemScratch::new()));
    keys.iter().try_for_each(|key| assigner.add(key)).unwrap();
    let mut paths = assigner.finish().unwrap();
    keys.iter().map(|key| (key.clone(), object_path(key, paths.kind_of(key).unwrap()))).collect()
}

fn set(keys: &[&str]) -> BTreeSet<Vec<u8>> {
    keys.iter().map(|key| key.as_bytes().to_vec()).collect()
}

fn check(keys: &[(&str, &str)]) {
    let paths = assigned(&set(&keys.iter().map(|(key, _)| *key).collect::<Vec<_>>()));
    for (key, path) in keys {
        assert_eq!(String::from_utf8_lossy(&paths[key.as_bytes()]), *path, "{key}");
    }
}

/// The steps of the specification, word by word, on whole sets.
fn model(keys: &BTreeSet<Vec<u8>>) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let kept: BTreeSet<&Vec<u8>> = keys.iter().filter(|key| check_natural_key(key).is_ok()).collect();
    let below = |path: &[u8]| kept.iter().any(|key| key.starts_with(&[path, b"/"].concat()));
    let mut paths = BTreeMap::new();
    for key in &kept {
        let suffix = if key.ends_with(META_SUFFIX) { Some(USER_SUFFIX) } else { below(key).then_some(LEAF_SUFFIX) };
        paths.insert((*key).clone(), [key, suffix.unwrap_or_default()].concat());
    }
    let before_moving = paths.clone();
    for (key, path) in &mut paths {
        if path == key {
            continue;
        }
        let is_long = path.rsplit(|byte| *byte == b'/').next().unwrap().len() > 235;
        let is_another = before_moving.iter().any(|(other, taken)| other != key && taken == path);
        let is_directory = before_moving.values().any(|taken| taken.starts_with(&[path, &b"/"[..]].concat()));
        if is_long || is_another || is_directory {
            *path = object_fallback(key);
        }
    }
    let renamed = keys.iter().filter(|key| !kept.contains(key)).map(|key| (key.clone(), object_fallback(key)));
    paths.extend(renamed.collect::<Vec<_>>());
    paths
}

#[test]
fn keys_that_are_directories_move_aside() {
    check(&[("a/b", "a/b.elastickv-leaf-data"), ("a/b/c", "a/b/c")]);
    check(&[("a", "a.elastickv-leaf-data"), ("a-b", "a-b"), ("a/b", "a/b")]);
    check(&[
        ("a", "a.elastickv-leaf-data"),
        ("a/b", "a/b.elastickv-leaf-data"),
        ("a/b/c", "a/b/c.elastickv-leaf-data"),
        ("a/b/c/d", "a/b/c/d"),
    ]);
    // Awkward keys are no directories of anything.
    check(&[("a", "a"), ("a/", &String::from_utf8(object_fallback(b"a/")).unwrap())]);
}

#[test]
fn keys_that_look_like_sidecars_move_aside() {
    let user = "x.elastickv-meta.json.user-data";
    check(&[("x.elastickv-meta.json", user)]);
    check(&[("x", "x"), ("x.elastickv-meta.json", user)]);
    check(&[("x", "x"), ("x.elastickv-meta.json/y", "07c572078595e951bb01f114f76409f2__x.elastickv-meta.json%2Fy")]);
    check(&[(".elastickv-meta.json", ".elastickv-meta.json.user-data")]);
}

#[test]
fn a_taken_place_gives_the_fallback() {
    let fallback = "ca978112ca1bbdcafac231b39a23dc4d__a";
    check(&[("a", fallback), ("a/b", "a/b"), ("a.elastickv-leaf-data", "a.elastickv-leaf-data")]);
    check(&[("a", fallback), ("a/b", "a/b"), ("a.elastickv-leaf-data/x", "a.elastickv-leaf-data/x")]);
    check(&[("a", "a.elastickv-leaf-data"), ("a/b", "a/b"), ("a.elastickv-leaf-data-2", "a.elastickv-leaf-data-2")]);
    let meta = "x.elastickv-meta.json";
    let fallback = String::from_utf8(object_fallback(meta.as_bytes())).unwrap();
    assert!(fallback.ends_with("__x.elastickv-meta.json.user-data"));
    let user = "x.elastickv-meta.json.user-data";
    check(&[(meta, &fallback), (user, user)]);
    let below = "x.elastickv-meta.json.user-data/y";
    check(&[(meta, &fallback), (below, below)]);
}

#[test]
fn a_place_without_room_for_the_sidecar_gives_the_fallback() {
    for (len, has_room) in [(215, true), (216, false), (235, false)] {
        let (key, below) = ("k".repeat(len), format!("{}/x", "k".repeat(len)));
        let leaf = format!("{key}.elastickv-leaf-data");
        let fallback = String::from_utf8(object_fallback(key.as_bytes())).unwrap();
        check(&[(&key, if has_room { &leaf } else { &fallback }), (&below, &below)]);
    }
    for (len, has_room) in [(205, true), (206, false), (215, false)] {
        let key = format!("{}.elastickv-meta.json", "k".repeat(len));
        let user = format!("{key}.user-data");
        let fallback = String::from_utf8(object_fallback(key.as_bytes())).unwrap();
        check(&[(&key, if has_room { &user } else { &fallback })]);
    }
}

#[test]
fn keys_out_of_order_are_a_misuse() {
    let mut assigner = PathAssigner::new(Arc::new(SystemScratch::new()));
    assigner.add(b"b").unwrap();
    assert!(assigner.add(b"b").is_err());
    assert!(assigner.add(b"a").is_err());
}

#[test]
fn objects_that_were_lost_do_not_disturb_the_others() {
    let mut assigner = PathAssigner::new(Arc::new(SystemScratch::new()));
    for key in [&b"a"[..], b"a/b", b"c", b"c/d"] {
        assigner.add(key).unwrap();
    }
    let mut paths = assigner.finish().unwrap();
    assert_eq!(paths.kind_of(b"a/b").unwrap(), None);
    assert_eq!(paths.kind_of(b"c").unwrap(), Some(KeymapKind::S3LeafData));
}

/// Keys that are likely to meet: stems of few letters, continued by what other keys are moved to.
fn keys() -> impl Strategy<Value = BTreeSet<Vec<u8>>> {
    let stem = prop::sample::select(vec!["a", "a/b", "a/b/a", "b", "x.elastickv-meta.json", "_orphans", "é", ""]);
    let piece = prop::sample::select(vec![
        "",
        "",
        "/",
        "/a",
        "/b",
        "//",
        "/..",
        "-",
        "\0",
        "\\",
        ".elastickv-meta.json",
        ".elastickv-leaf-data",
        ".user-data",
        "_bucket.json",
        "KEYMAP.jsonl",
        "ca978112ca1bbdcafac231b39a23dc4d__a",
    ]);
    let key = (stem, prop::collection::vec(piece, 0..3))
        .prop_map(|(stem, pieces)| [stem, &pieces.concat()].concat().into_bytes());
    prop::collection::btree_set(key, 0..24)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn paths_follow_the_specification_and_never_meet(keys in keys()) {
        let paths = assigned(&keys);
        prop_assert_eq!(&paths, &model(&keys));
        // Bodies, sidecars and the directories above them never have the same name.
        let mut files = BTreeSet::new();
        for path in paths.values() {
            prop_assert!(files.insert(path.clone()));
            prop_assert!(files.insert([path, META_SUFFIX].concat()));
        }
        for file in &files {
            let slashes = file.iter().enumerate().filter(|(_, byte)| **byte == b'/');
            for (at, _) in slashes {
                prop_assert!(!files.contains(&file[..at]));
            }
            prop_assert!(ekv_files::DumpPath::new(file).is_ok());
        }
    }
}
