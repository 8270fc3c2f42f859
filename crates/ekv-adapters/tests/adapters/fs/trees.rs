//! Trees of any names, depth and content, there and back.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use ekv_adapters::EncodeOptions;
use ekv_model::Scope;
use proptest::prelude::*;

use crate::fs::store::{ROOT, Store, inode};
use crate::trip::{Dump, Mode};

#[test]
fn every_name_of_one_byte_and_awkward_longer_ones_come_back() {
    let mut store = Store::new();
    let mut names: Vec<Vec<u8>> = (1..=255_u8).filter(|byte| !b"/.".contains(byte)).map(|byte| vec![byte]).collect();
    names.extend(
        [
            &b"..."[..],
            b"a\nb",
            b"back\\slash",
            b" lead",
            b"trail. ",
            b"entries.jsonl",
            b"tree",
            b"CHECKSUMS",
            b"KEYMAP.jsonl",
        ]
        .map(<[u8]>::to_vec),
    );
    names.extend([255, 256, 1024, 4095, 100_000].map(|len| vec![b'n'; len]));
    names.extend(["é", "e\u{301}", "A", "a"].map(|name| name.as_bytes().repeat(2)));
    names.push(b"0123456789abcdef0123456789ABCDEF__x".to_vec());
    names.push(b"0123456789abcdef0123456789abcdef__".to_vec());
    // The name that another name gets.
    names.push(b"a8100ae6aa1940d0b663bb31cd466142__%FF".to_vec());
    for (name, id) in names.iter().zip(2..) {
        store = store.file(id, ROOT, name, 8, &[(0, &id.to_be_bytes())]);
    }
    store.assert_round_trip();
    store.assert_round_trip_as_archive();
    assert_eq!(store.findings(), []);
    let encoded = store.dump().encode();
    for (name, id) in names.iter().zip(2_u64..) {
        let entry = &encoded.0[&crate::fs::store::dir_key(ROOT, name)];
        assert_eq!(String::from_utf8_lossy(entry), format!(r#"{{"inode":{id},"type":"file"}}"#));
    }
}

#[test]
fn deep_directories_take_time_in_proportion_and_no_stack() {
    const DEPTH: u64 = 3_000;
    let mut store = Store::new().with_root(1);
    for id in 2..DEPTH + 2 {
        store = store.directory(id, id - 1, b"d", u32::from(id < DEPTH + 1));
    }
    let store = store.file(DEPTH + 2, DEPTH + 1, b"leaf", 4, &[(0, b"deep")]);
    let dump = store.dump();
    let longest = dump.entries.keys().map(Vec::len).max().unwrap();
    assert!(longest <= 1023, "{longest}");
    assert_eq!(dump.files("fs/fs_0/deep/").values().filter(|content| content.as_slice() == b"deep").count(), 1);
    store.assert_round_trip();
    store.assert_round_trip_as_archive();
    assert_eq!(store.findings(), []);
}

#[test]
fn parts_of_a_tree_have_the_directories_around_them_and_nothing_else() {
    let store = Store::new()
        .with_root(2)
        .directory(2, ROOT, b"a", 1)
        .directory(3, 2, b"b", 0)
        .file(4, 3, b"c", 1, &[(0, b"x")])
        .file(5, 2, b"b-", 1, &[(0, b"y")])
        .directory(6, ROOT, b"other", 0)
        .file(7, 6, b"c", 1, &[(0, b"z")]);
    let dump = store.dump();
    let selected = |fill: &dyn Fn(&mut Scope)| {
        let mut scope = Scope::everything();
        fill(&mut scope);
        let files = Dump::write(Mode::default(), |target| {
            dump.replay_to(Arc::new(scope.clone()), target).unwrap();
        });
        let of_snapshot = Dump::of_snapshot_in(store.snapshot(), Mode::default(), scope).0;
        assert_eq!(of_snapshot.files("fs/"), files.files("fs/"));
        let lines = if files.entries.contains_key(&b"fs/fs_0/entries.jsonl"[..]) {
            files.text("fs/fs_0/entries.jsonl")
        } else {
            ""
        };
        let names = lines
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["name"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    assert_eq!(selected(&|scope| scope.add_address(b"fs:0/a/b/c", false).unwrap()), ["", "a", "b", "c"]);
    assert_eq!(selected(&|scope| scope.add_address(b"fs:0/a/b", false).unwrap()), ["", "a", "b"]);
    assert_eq!(selected(&|scope| scope.add_address(b"fs:0/.", false).unwrap()), [""]);
    assert_eq!(selected(&|scope| scope.add_prefix(b"a/b", false).unwrap()), ["", "a", "b", "c", "b-"]);
    assert_eq!(selected(&|scope| scope.add_match(b"*c", false).unwrap()), ["", "a", "b", "c", "other", "c"]);
    assert_eq!(selected(&|scope| scope.add_kind(ekv_model::Kind::Directory)), ["", "a", "b", "other"]);
    assert_eq!(
        selected(&|scope| {
            scope.add_address(b"fs:0/a/b-", false).unwrap();
            scope.add_address(b"fs:0/a/b/c", false).unwrap();
            scope.add_address(b"fs:0/nothing/there", false).unwrap();
        }),
        ["", "a", "b", "c", "b-"]
    );
    assert_eq!(selected(&|scope| scope.add_address(b"fs:0/nothing", false).unwrap()), [""; 0]);
}

#[test]
fn changed_dumps_are_refused_by_encoding_and_by_verifying() {
    let store = Store::new().with_root(1).directory(2, ROOT, b"d", 0).file(3, 2, b"f", 3, &[(0, b"abc")]).file(
        4,
        ROOT,
        b"g",
        1 << 40,
        &[(0, b"x")],
    );
    let dump = store.dump();
    let lines = "fs/fs_0/entries.jsonl";
    let line = |name: &str| {
        dump.text(lines).lines().find(|line| line.contains(&format!("\"name\":\"{name}\""))).unwrap().to_owned() + "\n"
    };
    for (what, changed, error) in [
        ("no root", dump.clone().edited(lines, &line(""), ""), "first line"),
        ("two roots", dump.clone().edited(lines, &line("d"), &(line("") + &line("d"))), "first line"),
        ("line twice", dump.clone().edited(lines, &line("f"), &line("f").repeat(2)), "must ascend"),
        ("order", dump.clone().edited(lines, &(line("d") + &line("f")), &(line("f") + &line("d"))), "is not open here"),
        ("name", dump.clone().edited(lines, "\"name\":\"f\"", "\"name\":\"e/f\""), "can be no name"),
        (
            "disk",
            dump.clone().edited(lines, "\"name\":\"f\"", "\"name\":\"f\",\"disk\":\"x\""),
            "disk must be left out",
        ),
        (
            "number twice",
            dump.clone().edited(lines, "\"ino\":\"0000000000000003\"", "\"ino\":\"0000000000000004\""),
            "already",
        ),
        ("upper case", dump.clone().edited(lines, "0000000000000003", "000000000000000A"), "16 lower-case"),
        ("missing member", dump.clone().edited(lines, "\"uid\":1,", ""), "uid must be there"),
        ("unknown member", dump.clone().edited(lines, "\"uid\":1", "\"uid\":1,\"x\":1"), "x"),
        (
            "link to nothing",
            dump.clone().edited(
                lines,
                &line("f"),
                "{\"ino\":\"0000000000000009\",\"parent\":\"0000000000000002\",\"name\":\"f\",\"link\":true}\n",
            ),
            "no line before",
        ),
        ("size", dump.clone().with("fs/fs_0/tree/d/f", b"abcd"), "4 bytes, but line 3"),
        ("missing file", dump.clone().without("fs/fs_0/tree/d/f"), "no such file"),
        ("missing parts", dump.clone().without("fs/fs_0/packed/0000000000000004.bin"), "no such file"),
        ("further file", dump.clone().with("fs/fs_0/tree/d/z", b""), "no line"),
        ("further directory", dump.clone().with("fs/fs_0/tree/e/z", b"").without("fs/fs_0/tree/e/z"), "no line"),
        ("map order", dump.clone().with("fs/fs_0/packed/0000000000000004.map", b"5 1\n0 1\n"), "offset and length"),
        (
            "map beyond",
            dump.clone().with("fs/fs_0/packed/0000000000000004.map", b"1099511627776 1\n"),
            "offset and length",
        ),
        ("map touching", dump.clone().with("fs/fs_0/packed/0000000000000004.map", b"0 1\n1 1\n"), "offset and length"),
        ("parts", dump.clone().with("fs/fs_0/packed/0000000000000004.bin", b"xy"), "parts have 2 bytes"),
        ("no lines", dump.clone().without(lines), "entries.jsonl"),
        ("another place", dump.clone().with("fs/fs_0/x", b""), "expected entries.jsonl"),
    ] {
        let refused = changed.error();
        assert!(refused.contains(error), "{what}: {refused}");
        let problems = changed.problems();
        assert!(problems.iter().any(|problem| problem.contains(error)), "{what}: {problems:?}");
    }
    assert_eq!(dump.problems(), [""; 0]);
    let lost_on_the_way = Store::new().with_root(1).directory(2, ROOT, b"d", 0).dump().without("fs/fs_0/tree/d");
    assert_eq!(lost_on_the_way.problems(), [""; 0]);
    assert_eq!(lost_on_the_way.encode().0.len(), 6);
}

/// The content that section 4 describes, row by row.
fn model(size: usize, chunk_size: usize, rows: &BTreeMap<u64, Vec<u8>>) -> Vec<u8> {
    let mut content = vec![0; size];
    for (index, row) in rows {
        let start = usize::try_from(*index).unwrap() * chunk_size;
        for (at, byte) in row.iter().take(chunk_size).enumerate() {
            if let Some(into) = content.get_mut(start + at) {
                *into = *byte;
            }
        }
    }
    content
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn content_of_any_rows_is_that_of_the_model_and_comes_back(
        size in 0..40_usize,
        chunk_size in 1..9_usize,
        rows in prop::collection::btree_map(0..12_u64, prop::collection::vec(prop_oneof![Just(0_u8), any::<u8>()], 1..12), 0..8),
    ) {
        let text = inode(2, ROOT, "file", u64::try_from(size).unwrap(), 1).replace("4194304", &chunk_size.to_string());
        let store = rows.iter().fold(Store::new().inode(&text, 2).entry(ROOT, b"f", 2, "file"), |store, (index, row)| {
            store.put(&crate::fs::store::chunk_key(2, 2, *index), row)
        });
        let dump = store.dump();
        prop_assert_eq!(&dump.files("fs/fs_0/tree/")["f"], &model(size, chunk_size, &rows));
        let again = Dump::of_snapshot(dump.payload(EncodeOptions::default()), Mode::default()).0;
        prop_assert_eq!(again.files("fs/"), dump.files("fs/"));
    }

    #[test]
    fn any_tree_comes_back(
        tree in prop::collection::vec((any::<prop::sample::Index>(), prop::collection::vec(1..255_u8, 1..6), any::<bool>()), 0..40),
    ) {
        let mut directories = vec![ROOT];
        let mut names = BTreeMap::new();
        for ((around, name, is_directory), id) in tree.into_iter().zip(2_u64..) {
            let parent = *around.get(&directories);
            let is_legal = !name.contains(&b'/') && name != b"." && name != b"..";
            // A name that is taken stays what it is: something may be in it.
            if let (true, Entry::Vacant(free)) = (is_legal, names.entry((parent, name.clone()))) {
                free.insert((id, is_directory));
                directories.extend(is_directory.then_some(id));
            }
        }
        let kept: std::collections::BTreeSet<u64> = names.values().map(|(id, _)| *id).collect();
        let count = |of: u64| {
            let own = names.iter().filter(|((parent, _), (_, is_directory))| *parent == of && *is_directory);
            u32::try_from(own.count()).unwrap()
        };
        let mut store = Store::new().with_root(count(ROOT));
        for ((parent, name), (id, is_directory)) in &names {
            prop_assert!(*parent == ROOT || kept.contains(parent));
            store = match is_directory {
                true => store.directory(*id, *parent, name, count(*id)),
                false => store.file(*id, *parent, name, 3, &[(0, b"abc")]),
            };
        }
        prop_assert_eq!(store.findings(), []);
        store.assert_round_trip();
    store.assert_round_trip_as_archive();
    }
}
