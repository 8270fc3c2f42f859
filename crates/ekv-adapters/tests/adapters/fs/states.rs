//! What a store may look like between two steps of a server. Source: `docs/format/fs.md`, sections 3.6, 5 and 13.5.

use crate::fs::store::{ROOT, Store, chunk_key, dir_key, id_key, inode};
use crate::trip::Mode;

const CONTENT: &str = "payload!xy";

/// A file of ten bytes in chunks of four at a home.
fn at_home(store: Store, home: u64, chunks: u64) -> Store {
    let pieces = [&b"payl"[..], b"oad!", b"xy"];
    let some = (0..chunks).zip(pieces);
    some.fold(store, |store, (index, piece)| store.put(&chunk_key(home, 2, index), piece))
}

fn moving(home: u64, epoch: u64) -> Store {
    let text = inode(2, ROOT, "file", 10, 1).replace(
        "\"chunk_size\":4194304,\"home_slot\":2,\"epoch\":1",
        &format!("\"chunk_size\":4,\"home_slot\":{home},\"epoch\":{epoch}"),
    );
    Store::new().inode(&text, 2).entry(ROOT, b"f", 2, "file")
}

#[test]
fn content_is_that_of_the_home_of_the_inode_in_every_phase_of_a_move() {
    let home = |text: &str| text.to_owned();
    let job = [&b"!fs|job|move|"[..], b"\0\xff\0\xff\0\xff\0\xff\0\xff\0\xff\0\xffd\0\0"].concat();
    let migrating = home(r#"{"home_slot":10,"target_home_slot":20,"state":"migrating","epoch":2}"#);
    for (name, store, odd) in [
        (
            "target cleanup",
            at_home(moving(10, 2), 10, 3).put(&id_key("!fs|home|", 2), &migrating),
            vec!["fs_home_mismatch"],
        ),
        (
            "copy",
            at_home(at_home(moving(10, 2), 10, 3), 20, 2).put(&id_key("!fs|home|", 2), &migrating),
            vec!["fs_home_mismatch", "fs_ignored_chunks"],
        ),
        (
            "switched",
            at_home(at_home(moving(20, 3), 10, 3), 20, 3)
                .put(&id_key("!fs|home|", 2), r#"{"home_slot":20,"state":"active","epoch":3}"#),
            vec!["fs_ignored_chunks"],
        ),
        (
            "completed",
            at_home(moving(20, 3), 20, 3)
                .put(&id_key("!fs|home|", 2), r#"{"home_slot":20,"state":"active","epoch":3}"#),
            vec![],
        ),
    ] {
        let store = store.put(&job, r#"{"inode":2,"phase":"copy"}"#);
        assert_eq!(store.dump().text("fs/fs_0/tree/f"), CONTENT, "{name}");
        let mut found: Vec<_> = store.findings().into_iter().map(|(name, _)| name).collect();
        found.sort_unstable();
        assert_eq!(found, odd, "{name}");
    }
}

#[test]
fn what_was_announced_and_not_done_is_nothing() {
    let dead = r#"{"id":"Y3JlYXRl","kind":"create","phase":"prepared","parent":1,"name":"Zg=="}"#;
    let store = Store::new()
        .put(b"!fs|intent|create\0\0", dead)
        .put(b"!fs|intent|delete\0\0", dead)
        .put(b"!fs|intent|move/\0\xff\0\0", dead)
        .put(&id_key("!fs|reffence|", ROOT), "1")
        .put(&id_key("!fs|dirv|", ROOT), "1");
    let dump = store.dump();
    assert_eq!(dump.files("fs/fs_0/tree/").len(), 0);
    assert_eq!(dump.files("fs/fs_0/").len(), 1, "entries.jsonl alone");
    assert_eq!(store.findings(), []);
    store.assert_round_trip();
}

#[test]
fn a_store_without_files_has_no_directory_for_them() {
    let dump = Store::default().put(b"!redis|str|k", b"v").dump();
    assert!(dump.entries.keys().all(|path| !path.starts_with(b"fs")));
    assert!(!dump.text("MANIFEST.json").contains("filesystems"));
}

#[test]
fn content_is_what_the_live_server_shows_whatever_rows_there_are() {
    let odd = inode(2, ROOT, "fifo", 6, 1).replace("\"chunk_size\":4194304", "\"chunk_size\":4");
    let store = Store::new()
        .inode(&odd, 2)
        .entry(ROOT, b"odd", 2, "fifo")
        .put(&chunk_key(2, 2, 0), b"abcdefgh")
        .put(&chunk_key(2, 2, 1), b"XYZW")
        .put(&chunk_key(2, 2, 2), b"beyond")
        .put(&chunk_key(2, 2, u64::MAX), b"far beyond");
    assert_eq!(store.dump().text("fs/fs_0/tree/odd"), "abcdXY");
    assert_eq!(store.findings(), [("fs_ignored_chunks", 1), ("fs_unknown_type", 1)]);
    assert!(store.dump().text("fs/fs_0/entries.jsonl").contains("\"type\":\"fifo\""));
    for (size, chunks, expected) in [
        (0, vec![], ""),
        (3, vec![(0, &b"ab"[..])], "ab\0"),
        (8, vec![(0, &b"012"[..])], "012\0\0\0\0\0"),
        (5, vec![(0, &b"0123456789"[..])], "01234"),
        (3, vec![(1, &b"x"[..])], "\0\0\0"),
    ] {
        let store = Store::new().file(2, ROOT, b"f", size, &chunks);
        assert_eq!(store.dump().text("fs/fs_0/tree/f"), expected);
    }
}

#[test]
fn files_without_a_name_are_counted_and_written_only_if_asked_for() {
    let open = inode(3, ROOT, "file", 3, 0).replace('}', ",\"orphaned\":true}");
    let lost = inode(4, 9, "file", 5, 1);
    let store = Store::new()
        .inode(&open, 3)
        .put(&chunk_key(3, 3, 0), b"boo")
        .inode(&lost, 4)
        .put(&chunk_key(4, 4, 0), b"lost")
        .put(&chunk_key(7, 8, 9), b"chunk")
        .put(&[&id_key("!fs|ref|", 3)[..], b"c\0\0", &[0; 8]].concat(), r#"{"expires_nsec":1}"#);
    assert_eq!(store.findings(), [("fs_lost_inode", 1), ("fs_orphan_chunks", 1), ("fs_unlinked_open", 1)]);
    assert_eq!(store.dump().files("fs/fs_0/").len(), 1);
    let mode = Mode { has_orphans: true, ..Mode::default() };
    let (dump, findings) = store.dump_in(mode);
    let open = findings.iter().find(|(finding, _)| finding.name == "fs_unlinked_open").unwrap();
    assert_eq!(open.1.examples[0].detail, "file of 3 bytes, 0 live leases");
    let files = dump.files("fs/fs_0/orphans/");
    assert_eq!(files["0000000000000003.bin"], b"boo");
    assert_eq!(files["0000000000000004.bin"], b"lost\0");
    assert_eq!(files["chunks/0000000000000007_0000000000000008_0000000000000009.bin"], b"chunk");
    let lines = String::from_utf8(files["entries.jsonl"].clone()).unwrap();
    assert!(lines.starts_with(r#"{"ino":"0000000000000003","parent":"0000000000000001","type":"file""#), "{lines}");
    assert!(lines.contains(r#"{"ino":"0000000000000004","parent":"0000000000000009","#), "{lines}");
    let encoded = dump.encode();
    assert!(!encoded.0.contains_key(&id_key("!fs|ino|", 3)) && encoded.0.contains_key(&id_key("!fs|ino|", ROOT)));
}

#[test]
fn counted_usage_that_is_not_what_there_is_is_told() {
    let store = Store::new().file(2, ROOT, b"f", 3, &[(0, b"abc")]);
    let key = |route: &[u8]| [b"!fs|usage|route|", route, b"\0\0"].concat();
    let counted = store
        .put(b"!fs|usage", r#"{"files":1,"bytes":4}"#)
        .put(&key(b"a"), r#"{"files_add":2,"files_sub":1,"bytes_sub":1}"#);
    assert_eq!(counted.findings(), []);
    let missing = counted.without(&chunk_key(2, 2, 0));
    assert_eq!(missing.findings(), [("fs_usage_mismatch", 1)]);
}

#[test]
fn a_root_that_is_missing_is_the_one_that_the_next_mount_would_make() {
    let store =
        Store::new().directory(2, ROOT, b"d", 0).without(&id_key("!fs|ino|", ROOT)).without(&id_key("!fs|home|", ROOT));
    assert_eq!(store.findings(), [("fs_root_missing", 1)]);
    let lines = store.dump().text("fs/fs_0/entries.jsonl").to_owned();
    let root = r#"{"ino":"0000000000000001","parent":"0000000000000001","name":"","type":"directory","mode":493,"uid":0,"gid":0,"size":0,"nlink":3,"atime_nsec":0,"mtime_nsec":0,"ctime_nsec":0,"generation":1,"chunk_size":4194304}"#;
    assert_eq!(lines.lines().next().unwrap(), root);
    assert!(store.dump().encode().0.contains_key(&dir_key(ROOT, b"d")));
}

#[test]
fn members_that_are_not_known_are_kept_as_they_are() {
    let text = inode(2, ROOT, "file", 0, 1).replace('}', ",\"xattr\":{\"b\":[1, 2],\"a\":\"<é\\n\"},\"TARGET\":\"x\"}");
    let store = Store::new().inode(&text, 2).entry(ROOT, b"f", 2, "file");
    assert_eq!(store.findings(), [("fs_unknown_fields", 2)]);
    let extra = "\"extra\":{\"xattr\":{\"b\":[1,2],\"a\":\"<é\\n\"},\"TARGET\":\"x\"}}";
    assert!(store.dump().text("fs/fs_0/entries.jsonl").trim_end().ends_with(extra));
    let encoded = store.dump().encode();
    let stored = String::from_utf8(encoded.0[&id_key("!fs|ino|", 2)].clone()).unwrap();
    assert!(stored.ends_with(&extra[9..extra.len() - 1]), "{stored}");
    assert!(stored.contains("\"generation\":1,\"xattr\""), "{stored}");
}
