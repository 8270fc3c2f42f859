//! What addresses and filters select, the same for every command that reads data.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use ekv_testkit::SnapshotBuilder;
use ekv_testkit::fixtures::ALL_3;

use crate::support::{Room, Run, small_snapshot};

const MEMBER: [&str; 3] = ["--peers", "n1=127.0.0.1:2380", "--fresh-cluster"];

/// With `all.fsm`, all four protocols of a real server without its biggest object, and `full` and `full.tar`, the dump of it.
fn room() -> Room {
    let room = Room::new();
    room.write("all-3.fsm", &ALL_3.bytes());
    run(&room, &["decode", "all-3.fsm", "most", "--exclude", "bucket-one/big*"]).assert_code(0);
    run(&room, &["encode", "most", "all.fsm"]).assert_code(0);
    with_dumps(room)
}

fn with_dumps(room: Room) -> Room {
    run(&room, &["decode", "all.fsm", "full"]).assert_code(0);
    run(&room, &["pack", "full", "full.tar"]).assert_code(0);
    room
}

/// The same with three Redis keys.
fn small_room() -> Room {
    let room = Room::new();
    room.write("all.fsm", &small_snapshot().build());
    with_dumps(room)
}

#[track_caller]
fn run(room: &Room, words: &[&str]) -> Run {
    let quick: &[&str] = if ["restore", "ls"].contains(&words[0]) { &[] } else { &["--fsync", "none"] };
    room.run(&[words, quick].concat())
}

/// The commands that read what is selected, with the names of their targets.
fn verbs() -> [(Vec<&'static str>, &'static str); 5] {
    [
        (vec!["decode", "all.fsm", "part"], "part"),
        (vec!["encode", "full", "part.fsm"], "part.fsm"),
        (vec!["pack", "full", "part.tar"], "part.tar"),
        (vec!["unpack", "full.tar", "copy"], "copy"),
        ([&["restore", "full", "n1"], &MEMBER[..]].concat(), "n1"),
    ]
}

/// Those of them that have `--strict`.
fn strict_verbs() -> impl Iterator<Item = (Vec<&'static str>, &'static str)> {
    verbs().into_iter().filter(|(words, _)| !words[0].ends_with("pack"))
}

/// Paths of the files that hold data.
fn data_files(room: &Room, dump: &str) -> BTreeSet<String> {
    let paths = room.tree(dump).into_keys().map(|path| path.into_os_string().into_string().unwrap());
    paths.filter(|path| path.contains('/')).collect()
}

fn is_object(path: &str, key: &str) -> bool {
    let rest = path.strip_prefix("s3/bucket-one/").and_then(|path| path.strip_prefix(key));
    path == "s3/bucket-one/_bucket.json" || rest.is_some_and(|rest| ["", ".elastickv-meta.json"].contains(&rest))
}

#[test]
fn selected_part_holds_the_files_of_the_full_dump_and_makes_the_same_payload() {
    let room = room();
    let full = room.tree("full");
    let all = data_files(&room, "full");
    type Taken = fn(&str) -> bool;
    let selections: [(&[&str], Taken); 18] = [
        (&["redis:"], |path| path.starts_with("redis/")),
        (&["--db", "0"], |path| path.starts_with("redis/")),
        (&["--type", "hash"], |path| path.starts_with("redis/db_0/hashes/")),
        (&["dynamodb:users/"], |path| path.starts_with("dynamodb/users/")),
        (&["--key", "users"], |path| path.starts_with("dynamodb/users/")),
        (&["--match", "users/*"], |path| path.starts_with("dynamodb/users/")),
        (&["--type", "item", "--exclude", "events*"], |path| path.starts_with("dynamodb/users/")),
        (&["dynamodb:users/user%2F8"], |path| {
            ["dynamodb/users/_schema.json", "dynamodb/users/items/user%2F8.json"].contains(&path)
        }),
        (&["dynamodb:events.v2/b64.AAD_/7.0"], |path| {
            ["dynamodb/events.v2/_schema.json", "dynamodb/events.v2/items/b64.AAD_/7.json"].contains(&path)
        }),
        (&["--prefix", "events.v2/b64.AAD_/"], |path| {
            path == "dynamodb/events.v2/_schema.json" || path.starts_with("dynamodb/events.v2/items/b64.AAD_/")
        }),
        (&["s3:bucket-empty/"], |path| path.starts_with("s3/bucket-empty/")),
        (&["--bucket", "bucket-one", "--bucket", "bucket-empty"], |path| path.starts_with("s3/")),
        (&["s3:bucket-one/%2541"], |path| is_object(path, "%41")),
        (&["--raw-names", "s3:bucket-one/%41"], |path| is_object(path, "%41")),
        (&["--adapter", "s3", "--prefix", "bucket-one/con"], |path| is_object(path, "con/CON")),
        (&["--queue", "orders", "--queue", "orders.fifo"], |path| path.starts_with("sqs/")),
        (&["sqs:orders.fifo/", "redis:"], |path| path.starts_with("sqs/orders.fifo/") || path.starts_with("redis/")),
        (&["--exclude", "*", "--allow-empty"], |_| false),
    ];
    for (number, (filters, is_taken)) in selections.into_iter().enumerate() {
        let [part, of_full, of_part] = ["part", "of-full", "of-part"].map(|name| format!("{name}-{number}"));
        run(&room, &[&["decode", "all.fsm", &part], filters].concat()).assert_code(0);
        let expected: BTreeSet<String> = all.iter().filter(|path| is_taken(path)).cloned().collect();
        let found = data_files(&room, &part);
        // Key maps of Redis belong to the keys that are there.
        let is_data = |path: &&String| !path.ends_with("KEYMAP.jsonl");
        assert!(found.iter().filter(is_data).eq(expected.iter().filter(is_data)), "{filters:?}: {found:?}");
        for (path, bytes) in room.tree(&part).into_iter().filter(|(path, _)| found.contains(path.to_str().unwrap())) {
            assert!(path.ends_with("KEYMAP.jsonl") || full.get(&path) == Some(&bytes), "{filters:?}: {path:?}");
        }
        assert!(room.run(&["verify", &part]).assert_code(0).stdout.contains("partial, as asked for"), "{filters:?}");
        run(&room, &[&["encode", "full", &of_full], filters].concat()).assert_code(0);
        run(&room, &["encode", &part, &of_part, "--allow-empty"]).assert_code(0);
        let payload = |name: &str| std::fs::read(room.path(name)).unwrap();
        assert!(payload(&of_full) == payload(&of_part), "{filters:?}");

        let [packed, copy, of_copy] = ["packed", "copy", "of-copy"].map(|name| format!("{name}-{number}"));
        run(&room, &[&["pack", "full", &packed, "--compression", "none"], filters].concat()).assert_code(0);
        run(&room, &[&["unpack", "full.tar", &copy], filters].concat()).assert_code(0);
        run(&room, &["unpack", &packed, "unpacked", "--force"]).assert_code(0);
        let copied = room.tree(&copy);
        assert!(copied == room.tree("unpacked"), "{filters:?}");
        assert_eq!(data_files(&room, &copy), found, "{filters:?}");
        let part = room.tree(&part);
        // The settings of a queue state what the messages that are not there might have told.
        let is_equal = |path: &&String| {
            let path = Path::new(path);
            path.ends_with("_queue.json") || copied[path] == part[path] || is_sorted_otherwise(path, &copied, &part)
        };
        assert_eq!(found.iter().find(|path| !is_equal(path)), None, "{filters:?}");
        for checked in [&packed, &copy] {
            let checked = room.run(&["verify", checked]);
            assert!(
                checked.assert_code(0).stdout.contains("PART of a snapshot: the dump was made with "),
                "{checked:?}"
            );
        }
        run(&room, &["encode", &copy, &of_copy, "--allow-empty"]).assert_code(0);
        assert!(payload(&of_full) == payload(&of_copy), "{filters:?}");
    }
}

/// Whether two files of lines have the same lines.
fn is_sorted_otherwise(path: &Path, one: &BTreeMap<PathBuf, Vec<u8>>, other: &BTreeMap<PathBuf, Vec<u8>>) -> bool {
    let lines = |tree: &BTreeMap<PathBuf, Vec<u8>>| -> BTreeSet<Vec<u8>> {
        tree[path].split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
    };
    path.extension() == Some(OsStr::new("jsonl")) && lines(one) == lines(other)
}

#[test]
fn part_with_hostile_names_goes_into_an_archive_a_payload_and_a_node_and_back() {
    let room = room();
    let names: [&[u8]; 4] =
        [b"redis:0/s::_%FE", b"redis:0/%3C%0A%00_", b"s3:bucket-one/con/CON", b"dynamodb:users/..0"];
    room.write("names", &names.join(&0));
    run(&room, &["decode", "all.fsm", "part", "--from-file", "names", "-0"]).assert_code(0);
    let files = data_files(&room, "part");
    assert_eq!(files.len(), 7, "{files:?}");
    room.run(&["pack", "part", "part.tar"]).assert_code(0);
    let restore = |from: &[&str]| {
        run(&room, &[&["restore"], from, &MEMBER].concat()).assert_code(0);
        run(&room, &["decode", from[1], &format!("{}-again", from[1])]).assert_code(0);
        room.tree(&format!("{}-again", from[1]))
    };
    let nodes = [
        restore(&["part", "n1"]),
        restore(&["part.tar", "n2"]),
        restore(&["full", "n3", "--from-file", "names", "-0"]),
        restore(&["part", "n4", "--exclude", "zzz"]),
    ];
    let part = room.tree("part");
    for node in nodes {
        assert_eq!(node.keys().collect::<Vec<_>>(), part.keys().collect::<Vec<_>>());
        assert!(files.iter().all(|path| node[Path::new(path)] == part[Path::new(path)]));
    }
}

#[test]
fn nothing_selected_is_one_line_ends_with_6_and_publishes_nothing() {
    let room = small_room();
    room.write("empty", b"\n\r\n\n");
    let before = room.names();
    for (filters, said) in [
        (&["typo"][..], "nothing matches redis:0/typo; nothing is published (--allow-empty "),
        (&["--key", "a%2Fb"], "nothing matches --key a%2Fb;"),
        (&["--key", "%41"], "hint: %41 is the letter A; where the name has %41 in it, write %2541"),
        (&["--prefix", "zz", "--db", "0"], "nothing matches --prefix zz --db 0;"),
        (&["--adapter", "redis,s3", "--match", "x*"], "nothing matches --adapter redis,s3 --match x*;"),
        (&["--exclude", "*"], "nothing matches --exclude *;"),
        (&["--type", "hash"], "nothing matches --type hash;"),
        (&["--db", "7"], "nothing matches --db 7;"),
        (&["--table", "a"], "nothing matches --table a;"),
        (&["s3:a/", "--type", "object"], "nothing matches s3:a/ --type object;"),
        (&["--from-file", "empty"], "empty: there is no name in it; nothing is published (--allow-empty "),
        (&["--from-file", "-"], "standard input: there is no name in it;"),
        (&["--match", "\u{1b}[31m\u{202e}\n*"], "nothing matches --match %1B[31m%E2%80%AE%0A*;"),
        (&["redis:0/\u{1b}\n"], "nothing matches redis:0/%1B%0A;"),
    ] {
        for (verb, _) in verbs() {
            let found = run(&room, &[&verb, filters].concat());
            found.assert_code(6).assert_says(said);
            assert_eq!((found.stderr.lines().count(), room.names()), (1, before.clone()), "{filters:?} {found:?}");
        }
    }
    for filters in [&["typo"][..], &["--from-file", "empty"], &["--from-file", "-"]] {
        for (verb, target) in &verbs()[..4] {
            let words = [verb, filters, &["--allow-empty", "--force"]].concat();
            let shown = run(&room, &words).assert_code(0).stdout.clone();
            assert!(shown.contains("selected by ") || shown.contains("PART of a snapshot"), "{words:?}");
            assert!(room.path(target).exists(), "{words:?}");
        }
        assert!(data_files(&room, "part").is_empty() && data_files(&room, "copy").is_empty());
    }
}

#[test]
fn mistakes_in_filters_end_with_1_before_anything_is_read() {
    let room = Room::new();
    room.write("names", b"a\n\nb%4\n");
    let before = room.names();
    for (filters, said) in [
        (&["--adapter", "s3", "--db", "0"][..], "nothing can meet all of these: --adapter s3 --db 0;"),
        (&["--type", "hash", "--table", "t"], "nothing can meet all of these: --type hash --table t;"),
        (&["a", "--bucket", "b"], "nothing can meet all of these: redis:0/a --bucket b;"),
        (
            &["--bucket", "b", "--prefix", "2026/"],
            "nothing can meet all of these: --prefix 2026/ --bucket b; names begin with the bucket they are in: --prefix b/2026/",
        ),
        (&["--db", "0", "--table", "t"], "for several give addresses"),
        (&["100%"], "100%: % begins an escape of two hex digits; write %25 for a percent sign"),
        (&["--key", "%4g"], "write %25"),
        (&["--prefix", "%"], "write %25"),
        (&["--match", "a%z*"], "write %25"),
        (&["--exclude", "%%"], "write %25"),
        (&["--table", "%1"], "write %25"),
        (&["redis:x/y"], "begins with its database"),
        (&["s3:/a"], "names nothing"),
        (&["dynamodb:t/a/b/c"], "write %2F for a slash inside"),
        (&["--key", ""], "it is empty"),
        (&["--queue", ""], "it is empty"),
        (&["--db=-1"], "--db"),
        (&["--db", "4294967296"], "--db"),
        (&["--type", "blob"], "possible values: string, hll, hash"),
        (&["-0"], "--from-file"),
        (&["--from-file", "names"], "names: line 3: b%4: % begins an escape"),
        (&["--from-file", "gone"], "gone: cannot read the names in it: No such file"),
        (&["--from-file", "."], ".: cannot read the names in it: "),
        (&["--larger-than", "1Q"], "expected a number of bytes, such as 4096, 100M or 4T"),
        (&["--more-than", "many"], "--more-than"),
        (&["--limit", "0"], "--limit"),
        (&["--expires-before", "yesterday"], "cannot read the time"),
        (&["--no-expiry", "--only-expired"], "nothing can meet all of these: --no-expiry --only-expired;"),
        (&["--larger-than", "1K", "--smaller-than", "1K"], "--larger-than 1024 --smaller-than 1024;"),
        (&["--more-than", "2", "--adapter", "s3"], "nothing can meet all of these: --adapter s3 --more-than 2;"),
        (&["--expires-after", "1795361771", "--bucket", "b"], "--expires-after 2026-11-22T15:36:11.999Z"),
    ] {
        for (verb, _) in verbs() {
            let found = run(&room, &[&verb, filters].concat());
            found.assert_code(1).assert_says(said);
            assert!(!found.stderr.contains("all.fsm: ") && room.names() == before, "{filters:?} {found:?}");
        }
    }
    for words in [&["decode", "-", "part"][..], &["encode", "-", "part.fsm"]] {
        let found = run(&room, &[words, &["--from-file", "-"]].concat());
        found.assert_code(1).assert_says("standard input cannot be both");
    }
    for (verb, _) in &verbs()[1..] {
        let found = run(&room, &[verb, &["--changed-after", "2026-11-22T15:36:00Z"][..]].concat());
        found.assert_code(1).assert_says("a dump does not say when a key was written");
        assert_eq!(room.names(), before);
    }
    run(&room, &["decode", "all.fsm", "part", "--include-unknown", "a"])
        .assert_code(1)
        .assert_says("goes with everything");
}

#[test]
fn files_of_names_are_lines_or_end_with_nul_from_a_file_or_standard_input() {
    let room = small_room();
    for (number, (list, options, keys)) in [
        (&b"a\nredis:0/b\n"[..], &[][..], &["a", "b"][..]),
        (b"a\r\n\r\n\nb", &[], &["a", "b"]),
        (b"%61\n--key\n", &[], &["a"]),
        (b"a\0redis:0/c\0", &["-0"], &["a", "c"]),
        (b"a\n\0c", &["-0"], &["c"]),
        (b"%61\nb\n", &["--raw-names"], &["b"]),
        (b"\xff\nb\n", &[], &["b"]),
        (b"a\nb\n", &["--exclude", "a"], &["b"]),
        (b"b\n", &["c"], &["b", "c"]),
        (b"\n", &["c"], &["c"]),
    ]
    .into_iter()
    .enumerate()
    {
        let expected: BTreeSet<String> = keys.iter().map(|key| format!("redis/db_0/strings/{key}.bin")).collect();
        room.write("names", list);
        let [of_file, of_input] = ["file", "input"].map(|name| format!("of-{name}-{number}"));
        run(&room, &[&["decode", "all.fsm", &of_file, "--from-file", "names"], options].concat()).assert_code(0);
        let words = [&["decode", "all.fsm", &of_input, "--from-file", "-"], options].concat();
        room.run_with_input(&words, list).assert_code(0);
        assert_eq!(data_files(&room, &of_file), expected, "{:?}", list.escape_ascii().to_string());
        assert_eq!(data_files(&room, &of_input), expected, "{:?}", list.escape_ascii().to_string());
    }
}

#[test]
fn name_that_is_missing_beside_others_is_a_warning_and_with_strict_an_error() {
    let room = small_room();
    for (verb, target) in strict_verbs() {
        let words = [&verb[..], &["a", "typo", "--prefix", "a", "--prefix", "zz"]].concat();
        let strict = run(&room, &[&words[..], &["--strict"]].concat());
        strict.assert_code(2).assert_says("redis:0/typo");
        assert!(!room.path(target).exists(), "{strict:?}");
        let found = run(&room, &[&words[..], &["--json"]].concat());
        let told = [found.assert_code(0).stderr.as_str(), &found.stdout].concat();
        assert!(told.contains("redis:0/typo") && told.contains("--prefix zz"), "{told}");
    }
}

#[test]
fn selection_in_the_report_and_in_the_manifest_reads_back_as_the_same_selection() {
    let room = small_room();
    let glob = OsStr::from_bytes(b"[abc]%*\xff\x1b?[^x]\\*");
    let exclude = ["--raw-names", "--exclude"].map(OsStr::new);
    let words = ["decode", "all.fsm", "part", "--match", "[a-b]"].map(OsStr::new);
    let end = room.command(words.iter().chain(&exclude).chain([&glob])).output().unwrap();
    assert!(end.status.success(), "{end:?}");
    let manifest: serde_json::Value = serde_json::from_slice(&room.tree("part")[Path::new("MANIFEST.json")]).unwrap();
    let selection = manifest["ekv_backup"]["selection"].as_str().unwrap();
    assert_eq!(selection, r"--match [a-b] --exclude [abc]%25*%FF%1B?[^x]\*");
    assert!(String::from_utf8(end.stdout).unwrap().contains(&format!("selected by {selection}")));
    let again: Vec<&str> = ["decode", "all.fsm", "again"].into_iter().chain(selection.split(' ')).collect();
    run(&room, &again).assert_code(0);
    assert_eq!(data_files(&room, "again"), data_files(&room, "part"));
    let encoded = run(&room, &["encode", "part", "part.fsm"]);
    assert!(
        encoded.assert_code(0).stdout.contains(&format!("PART of a snapshot: the dump was made with {selection}")),
        "{encoded:?}"
    );
}

#[test]
fn part_of_a_part_is_told_by_all_that_is_made_of_it() {
    let room = small_room();
    run(&room, &["decode", "all.fsm", "part", "--exclude", "c"]).assert_code(0);
    run(&room, &["pack", "part", "less.tar", "--prefix", "a", "--json"]).assert_code(0).assert_says("");
    let told = "--exclude c | --prefix a";
    let shown = |words: &[&str]| room.run(words).assert_code(0).stdout.clone();
    assert!(shown(&["verify", "less.tar"]).contains(&format!("made with {told}\n")));
    run(&room, &["encode", "less.tar", "less.fsm", "--type", "string"]).assert_code(0);
    let info: serde_json::Value =
        serde_json::from_slice(&std::fs::read(room.path("less.fsm.encode_info.json")).unwrap()).unwrap();
    assert_eq!(info["ekv_backup"]["selection"], format!("{told} | --type string"));
    let prepared = shown(&[&["prepare-restore", "less.fsm", "n1"], &MEMBER[..]].concat());
    assert!(prepared.contains(&format!("PART     of a snapshot: made with {told} | --type string\n")), "{prepared}");
    let whole = room.run(&["pack", "part", "whole.tar"]);
    assert!(whole.assert_code(0).stdout.contains("made with --exclude c\n"), "{whole:?}");
}

#[test]
fn part_keeps_what_the_whole_says_of_its_moment_and_its_losses() {
    let room = Room::new();
    let damaged = small_snapshot().version(b"!redis|str|d", 60, 0x80, 0, b"x").build();
    room.write("all.fsm", &damaged);
    run(&room, &["decode", "all.fsm", "full", "--cluster-id", "lab"]).assert_code(5);
    let copied = run(&room, &["pack", "full", "part.tar", "a"]);
    assert!(copied.assert_code(5).stdout.contains("INCOMPLETE: 1 thing was damaged"), "{copied:?}");
    run(&room, &["unpack", "part.tar", "part"]).assert_code(5);
    let (full, part) = (room.tree("full"), room.tree("part"));
    assert_eq!(part[Path::new("LOSSES.jsonl")], full[Path::new("LOSSES.jsonl")]);
    let manifest = |tree: &BTreeMap<PathBuf, Vec<u8>>| -> serde_json::Value {
        serde_json::from_slice(&tree[Path::new("MANIFEST.json")]).unwrap()
    };
    let (full, part) = (manifest(&full), manifest(&part));
    for member in ["last_commit_ts", "cluster_id", "wall_time_iso", "source", "snapshot_index"] {
        assert_eq!(part[member], full[member], "{member}");
    }
    let (full, part) = (&full["ekv_backup"], &part["ekv_backup"]);
    for member in ["snapshots", "findings", "listed_losses", "records", "families"] {
        assert_eq!(part[member], full[member], "{member}");
    }
    for member in ["status", "missing", "rests_on", "holds_data"] {
        assert_eq!(part["completeness"][member], full["completeness"][member], "{member}");
    }
    let left_out = &part["completeness"]["by_choice"][0];
    assert_eq!((&left_out["option"], &left_out["count"]), (&"filters".into(), &2.into()), "b and c");
    assert_eq!(part["selection"], "redis:0/a");
}

#[test]
fn copy_of_a_part_reads_and_judges_only_what_is_selected() {
    let room = small_room();
    std::fs::write(room.path("full/redis/db_0/strings/a.bin"), "changed").unwrap();
    run(&room, &["pack", "full", "b.tar", "b"]).assert_code(0);
    let names = room.names();
    run(&room, &["pack", "full", "a.tar", "a"]).assert_code(2).assert_says("strings/a.bin");
    run(&room, &["pack", "full", "all.tar"]).assert_code(2).assert_says("strings/a.bin");
    std::fs::remove_file(room.path("full/redis/db_0/strings/c.bin")).unwrap();
    run(&room, &["pack", "full", "b2.tar", "b"]).assert_code(2).assert_says("strings/c.bin");
    std::fs::write(room.path("full/redis/db_0/strings/z.bin"), "new").unwrap();
    run(&room, &["pack", "full", "b2.tar", "b"]).assert_code(2);
    assert_eq!(room.names(), names);
}

#[test]
fn damage_without_a_name_makes_no_selection_of_nothing_a_dump_but_one_of_its_own_does() {
    let room = Room::new();
    let damaged =
        small_snapshot().version(b"!redis|str|d", 60, 0x80, 0, b"x").put(b"!redis|str|e", 60, b"\xff\x01\x07");
    room.write("all.fsm", &damaged.build());
    let only_damage = SnapshotBuilder::new().version(b"!redis|str|d", 60, 0x80, 0, b"x").build();
    room.write("damage.fsm", &only_damage);
    let names = room.names();
    for filters in [&["typo"][..], &["d"], &["--prefix", "zz"], &["--type", "zset"], &["--exclude", "*"]] {
        let found = run(&room, &[&["decode", "all.fsm", "part"], filters].concat());
        found.assert_code(6).assert_says("nothing matches ").assert_says("may be what is meant");
        assert_eq!(room.names(), names, "{filters:?}");
    }
    let own = run(&room, &["decode", "all.fsm", "of-e", "e"]);
    assert!(own.assert_code(5).stdout.contains("redis_invalid_string_value"), "{own:?}");
    for (number, filters) in [&["redis:"][..], &["--adapter", "redis"], &["--db", "0"]].into_iter().enumerate() {
        let found = run(&room, &[&["decode", "damage.fsm", &format!("all-{number}")], filters].concat());
        found.assert_code(if number < 2 { 5 } else { 6 });
    }
}

#[test]
fn addresses_beside_options_that_stand_for_places_are_refused_with_the_way_to_write_them() {
    let room = small_room();
    for (verb, _) in &verbs()[..4] {
        let words = [verb[0], "--input", verb[1], "--output", verb[2], "redis:0/a"];
        room.run(&words).assert_code(1).assert_says("beside --input and --output nothing is told by its place");
        let words = [verb[0], "--input", verb[1], "--output", verb[2], "--key", "a"];
        room.run(&words).assert_code(0);
    }
    run(&room, &["decode", "all.fsm", "of-database", "redis:00/"]).assert_code(0);
    assert_eq!(data_files(&room, "of-database"), data_files(&room, "full"));
}

#[test]
fn filters_by_size_expiry_and_number_make_the_same_part_of_a_snapshot_and_of_its_dump() {
    let room = room();
    for (number, filters) in [
        &["--larger-than", "1K", "--type", "string,hash,object"][..],
        &["--smaller-than", "100", "--exclude", "orders*"],
        &["--more-than", "10"],
        &["--no-expiry", "--adapter", "redis,s3"],
        &["--expires-after", "2026-11-22T15:35:00Z"],
    ]
    .into_iter()
    .enumerate()
    {
        let [part, copy, of_full, of_copy] =
            ["part", "copy", "of-full", "of-copy"].map(|name| format!("{name}-{number}"));
        run(&room, &[&["decode", "all.fsm", &part], filters].concat()).assert_code(0);
        run(&room, &[&["unpack", "full.tar", &copy], filters].concat()).assert_code(0);
        assert_eq!(data_files(&room, &part), data_files(&room, &copy), "{filters:?}");
        room.run(&["verify", &part]).assert_code(0);
        room.run(&["verify", &copy]).assert_code(0);
        run(&room, &[&["encode", "full", &of_full], filters].concat()).assert_code(0);
        run(&room, &["encode", &copy, &of_copy]).assert_code(0);
        let payload = |name: &str| std::fs::read(room.path(name)).unwrap();
        assert!(payload(&of_full) == payload(&of_copy), "{filters:?}");
    }
    let first = run(&room, &["decode", "all.fsm", "first", "--db", "0", "--limit", "2"]);
    first.assert_code(0).assert_says("note: 168 more things are selected than --limit takes");
    let names = room.names();
    for (verb, _) in verbs() {
        let nothing = run(&room, &[&verb, &["--larger-than", "1G"][..]].concat());
        nothing.assert_code(6).assert_says("nothing matches --larger-than 1073741824;");
        assert_eq!(room.names(), names, "{verb:?}");
    }
    let new =
        run(&room, &["decode", "all-3.fsm", "new", "--changed-after", "2026-11-22T15:36:00Z", "--adapter", "sqs"]);
    assert!(new.assert_code(0).stdout.contains("selected by --adapter sqs --changed-after hlc:"), "{new:?}");
    for source in ["all.fsm", "full", "full.tar"] {
        let expired = run(&room, &["ls", source, "--only-expired"]);
        assert_eq!(expired.assert_code(0).stdout.lines().count(), 2, "{expired:?}");
        let large = run(&room, &["ls", source, "--larger-than", "1M"]);
        assert_eq!(large.assert_code(0).stdout, "s3:bucket-one/multi.bin\n", "{large:?}");
    }
}
