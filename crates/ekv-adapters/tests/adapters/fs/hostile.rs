//! Records that no server wrote. Source: `docs/format/fs.md`, section 5.

use ekv_adapters::EncodeOptions;

use crate::fs::store::{ROOT, Store, chunk_key, dir_key, id_key, inode};
use crate::trip::{Dump, Mode};

/// The paths of a dump and what was found.
fn outcome(store: &Store) -> (Vec<String>, Vec<(&'static str, u64)>) {
    let lines = store.dump().text("fs/fs_0/entries.jsonl").to_owned();
    let name = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        line["name"].as_str().unwrap_or("(bytes)").to_owned()
    };
    (lines.lines().map(name).collect(), store.findings())
}

#[test]
fn damage_costs_what_it_touches() {
    let good = || {
        Store::new().with_root(1).file(2, ROOT, b"a", 1, &[(0, b"x")]).directory(3, ROOT, b"d", 0).file(
            4,
            3,
            b"in",
            0,
            &[],
        )
    };
    let expected = ["", "a", "d", "in"];
    assert_eq!(outcome(&good()), (expected.map(str::to_owned).into(), vec![]));
    let without_d = ["", "a"];
    for (name, store, left, finding) in [
        ("dangling", good().entry(ROOT, b"z", 99, "file"), &expected[..], "fs_dangling_entry"),
        ("entry to inode 0", good().entry(ROOT, b"z", 0, "file"), &expected, "fs_dangling_entry"),
        ("bad entry", good().put(&dir_key(ROOT, b"z"), b"{\"inode\":"), &expected, "fs_invalid_entry"),
        (
            "number for a type",
            good().put(&dir_key(ROOT, b"z"), b"{\"inode\":2,\"type\":7}"),
            &expected,
            "fs_invalid_entry",
        ),
        ("bad inode", good().put(&id_key("!fs|ino|", 3), b"[]"), &without_d, "fs_invalid_inode"),
        (
            "trailing text",
            good().put(&id_key("!fs|ino|", 3), inode(3, ROOT, "directory", 0, 2) + "x"),
            &without_d,
            "fs_invalid_inode",
        ),
        ("another number", good().inode(&inode(99, ROOT, "directory", 0, 2), 3), &without_d, "fs_inode_mismatch"),
        ("empty name", good().entry(ROOT, b"", 4, "file"), &expected, "fs_illegal_name"),
        ("dot", good().entry(ROOT, b".", 4, "file"), &expected, "fs_illegal_name"),
        ("dots", good().entry(ROOT, b"..", 4, "file"), &expected, "fs_illegal_name"),
        ("slash", good().entry(ROOT, b"a/b", 4, "file"), &expected, "fs_illegal_name"),
        ("zero byte", good().entry(ROOT, b"a\0b", 4, "file"), &expected, "fs_illegal_name"),
        ("loop to the root", good().entry(3, b"z", ROOT, "directory"), &expected, "fs_directory_loop"),
        ("loop to itself", good().entry(3, b"z", 3, "directory"), &expected, "fs_directory_loop"),
        ("two parents", good().entry(ROOT, b"z", 3, "directory"), &expected, "fs_directory_loop"),
    ] {
        let (names, found) = outcome(&store);
        assert_eq!(names, left, "{name}");
        assert!(found.iter().any(|(found, count)| *found == finding && *count == 1), "{name}: {found:?}");
        let payload = store.dump().payload(EncodeOptions::default());
        assert!(Dump::of_snapshot(payload, Mode::default()).1.iter().next().is_none(), "{name}");
    }
}

#[test]
fn oddities_are_told_and_every_file_is_there() {
    let file = |text: String| Store::new().inode(&text, 2).entry(ROOT, b"f", 2, "file");
    let plain = || inode(2, ROOT, "file", 0, 1);
    let short = [&b"!fs|chk|"[..], &[0; 23]].concat();
    let long = [&chunk_key(2, 2, 0)[..], &[0]].concat();
    for (name, store, finding) in [
        ("type", Store::new().inode(&plain(), 2).entry(ROOT, b"f", 2, "directory"), "fs_type_mismatch"),
        ("parent", file(inode(2, 77, "file", 0, 1)), "fs_parent_mismatch"),
        ("mode", file(plain().replace("\"mode\":420", "\"mode\":4294967295")), "fs_odd_mode"),
        ("names", file(inode(2, ROOT, "file", 0, 2)), "fs_nlink_mismatch"),
        ("directories", Store::new().with_root(5), "fs_nlink_mismatch"),
        (
            "size of a directory",
            Store::new()
                .inode(&inode(ROOT, ROOT, "directory", 9, 2), ROOT)
                .with_root(1)
                .inode(&inode(2, ROOT, "directory", 9, 2), 2)
                .entry(ROOT, b"d", 2, "directory"),
            "fs_directory_size",
        ),
        ("no home", file(plain()).without(&id_key("!fs|home|", 2)), "fs_home_mismatch"),
        ("cut key", file(plain()).put(&short, b"x"), "fs_malformed_key"),
        ("long key", file(plain()).put(&long, b"x"), "fs_malformed_key"),
        (
            "key behind the end",
            file(plain()).put(&[&dir_key(ROOT, b"f")[..], b"x"].concat(), b"{}"),
            "fs_malformed_key",
        ),
        (
            "key without end",
            file(plain()).put(&[&id_key("!fs|dir|", ROOT)[..], b"f\0"].concat(), b"{}"),
            "fs_malformed_key",
        ),
        (
            "key with a wrong escape",
            file(plain()).put(&[&id_key("!fs|dir|", ROOT)[..], b"f\0\x01"].concat(), b"{}"),
            "fs_malformed_key",
        ),
        ("inode key", file(plain()).put(b"!fs|ino|1", b"{}"), "fs_malformed_key"),
        ("home key", file(plain()).put(b"!fs|home|1", b"{}"), "fs_malformed_key"),
        ("directory chunks", Store::new().put(&chunk_key(ROOT, ROOT, 0), b"x"), "fs_ignored_chunks"),
    ] {
        let (names, found) = outcome(&store);
        assert!(!names.is_empty(), "{name}");
        assert!(found.contains(&(finding, 1)), "{name}: {found:?}");
    }
}

#[test]
fn further_names_of_a_file_are_links_in_the_dump_and_in_the_payload() {
    let store = Store::new()
        .with_root(1)
        .inode(&inode(2, 3, "file", 3, 3), 2)
        .put(&chunk_key(2, 2, 0), b"abc")
        .entry(3, b"first", 2, "file")
        .entry(ROOT, b"z2", 2, "file")
        .entry(ROOT, b"z3", 2, "file")
        .directory(3, ROOT, b"d", 0);
    assert_eq!(store.findings(), []);
    let dump = store.dump();
    assert_eq!(dump.files("fs/fs_0/tree/").keys().collect::<Vec<_>>(), ["d/first"]);
    let last = dump.text("fs/fs_0/entries.jsonl").lines().last().unwrap().to_owned();
    assert_eq!(last, r#"{"ino":"0000000000000002","parent":"0000000000000001","name":"z3","link":true}"#);
    store.assert_round_trip();
    let stored = dump.encode().0;
    assert!(String::from_utf8(stored[&id_key("!fs|ino|", 2)].clone()).unwrap().contains("\"nlink\":3"));
}

#[test]
fn cycles_and_many_names_end() {
    // A ring of 1000 directories that the root leads into, and 10000 names of one file.
    let mut store = Store::new().with_root(1);
    for id in 2..1002_u64 {
        let (parent, next) = (id - 1, if id == 1001 { 2 } else { id + 1 });
        store = store.inode(&inode(id, parent, "directory", 0, 3), id).entry(id, b"n", next, "directory");
    }
    store = store.entry(ROOT, b"n", 2, "directory");
    for number in 0..10_000_u64 {
        store = store.entry(2, format!("x{number}").as_bytes(), 5000, "file");
    }
    store = store.inode(&inode(5000, 2, "file", 0, 10_000), 5000);
    let (names, found) = outcome(&store);
    assert_eq!(names.len(), 1 + 1000 + 10_000);
    assert!(found.contains(&("fs_directory_loop", 1)), "{found:?}");
}

#[test]
fn huge_sizes_without_data_cost_nothing() {
    let mut store = Store::new();
    for (id, size, chunk_size) in
        [(2, u64::MAX, 1), (3, 1 << 63, 1 << 40), (4, (1 << 30) + 1, 0), (5, u64::MAX, u64::MAX)]
    {
        let text =
            inode(id, ROOT, "file", size, 1).replace("\"chunk_size\":4194304", &format!("\"chunk_size\":{chunk_size}"));
        store = store.inode(&text, id).entry(ROOT, id.to_string().as_bytes(), id, "file");
        store = store.put(&chunk_key(id, id, u64::MAX), b"past everything");
    }
    let dump = store.dump();
    assert_eq!(dump.files("fs/fs_0/packed/").len(), 8);
    assert!(dump.files("fs/fs_0/packed/").values().all(Vec::is_empty));
    assert!(dump.rewritten(Mode::default()) == dump);
    let again = Dump::of_snapshot(dump.payload(EncodeOptions::default()), Mode::default()).0;
    assert_eq!(again.files("fs/fs_0/packed/").len(), 8);
}
