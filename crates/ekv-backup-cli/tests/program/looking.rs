//! `ls` and `get`, as people and scripts run them.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Stdio};

use ekv_testkit::SnapshotBuilder;
use ekv_testkit::fixtures::ALL_3;
use ekv_testkit::redis::{Wide, key};

use crate::support::{Room, end_of};

/// A string value in the current form, perhaps with an expiry in Unix milliseconds.
fn string(expire_at_ms: Option<u64>, value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0xff, 0x01, u8::from(expire_at_ms.is_some())];
    bytes.extend(expire_at_ms.into_iter().flat_map(u64::to_be_bytes));
    bytes.extend_from_slice(value);
    bytes
}

/// With keys of all sorts, one that had expired, and one whose value is torn.
fn room() -> Room {
    let room = Room::new();
    let at = 1_000_000_u64 << 16;
    let snapshot = SnapshotBuilder::new()
        .put(&key::string(b"plain"), at, &string(None, b"text"))
        .put(&key::string(b"gone"), at, &string(Some(999_999), b"old"))
        .put(&key::string(b"later"), at, &string(Some(1_000_001), b"new"))
        .put(&key::string(b"a b'\"$(x)\n\xff"), at, &string(None, b"\x1b[2J\0\xff"));
    room.write("sound.fsm", &snapshot.build());
    let torn = snapshot.put(&key::string(b"torn"), at, b"\xff\x01\x01\0");
    room.write("torn.fsm", &torn.build());
    room
}

#[test]
fn list_prints_addresses_that_a_shell_gives_back_as_they_are() {
    let room = room();
    let list = room.run(&["ls", "sound.fsm", "-q"]);
    assert_eq!(list.assert_code(0).stdout, "redis:0/a%20b%27%22%24%28x%29%0A%FF\nredis:0/later\nredis:0/plain\n");
    let script =
        format!("for address in {}; do \"$0\" get sound.fsm $address | wc -c; done", list.stdout.replace('\n', " "));
    let mut command = Command::new("sh");
    command.arg("-c").arg(script).arg(env!("CARGO_BIN_EXE_ekv-backup")).current_dir(room.path("."));
    let lengths = end_of(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
    assert_eq!(lengths.stdout.split_whitespace().collect::<Vec<_>>(), ["6", "3", "4"]);
    let zeros = room.run(&["ls", "sound.fsm", "-q", "-0", "--prefix", "l"]);
    assert_eq!(zeros.assert_code(0).stdout, "redis:0/later\0");
    let part = room.run_with_input(&["decode", "sound.fsm", "part", "--from-file", "-", "-0"], zeros.stdout.as_bytes());
    part.assert_code(0);
    assert_eq!(fs::read(room.path("part/redis/db_0/strings/later.bin")).unwrap(), b"new");
}

#[test]
fn key_with_the_empty_name_has_an_address_of_its_own_in_snapshot_and_dump() {
    let room = Room::new();
    let at = 1_000_000_u64 << 16;
    let snapshot = SnapshotBuilder::new().put(&key::string(b""), at, &string(None, b"nameless")).put(
        &key::string(b"%empty"),
        at,
        &string(None, b"named"),
    );
    room.write("s.fsm", &snapshot.build());
    room.run(&["decode", "s.fsm", "dump"]).assert_code(0);
    for source in ["s.fsm", "dump"] {
        let list = room.run(&["ls", source]);
        let addresses: BTreeSet<&str> = list.assert_code(0).stdout.lines().collect();
        assert_eq!(addresses, ["redis:0/%25empty", "redis:0/%empty"].into(), "{source}");
        for (address, value) in [("redis:0/%empty", "nameless"), ("redis:0/%25empty", "named")] {
            assert_eq!(room.run(&["get", source, address]).assert_code(0).stdout, value, "{source}");
            let named = room.run(&["ls", source, "--key", address.trim_start_matches("redis:0/")]);
            assert_eq!(named.assert_code(0).stdout.trim_end(), address, "{source}");
        }
    }
    let history = room.run(&["history", "s.fsm", "redis:0/%empty"]);
    assert!(history.assert_code(0).stdout.contains("string"), "{history:?}");
    room.run(&["decode", "s.fsm", "part", "%empty"]).assert_code(0);
    assert_eq!(room.run(&["ls", "part"]).assert_code(0).stdout, "redis:0/%empty\n");
}

#[test]
fn expired_key_is_passed_over_unless_it_is_asked_for() {
    let room = room();
    room.run(&["ls", "sound.fsm"]).assert_code(0).assert_says("1 Redis key had expired");
    assert_eq!(room.run(&["ls", "sound.fsm", "--count", "--expired", "keep"]).assert_code(0).stdout, "4\n");
    let get = room.run(&["get", "sound.fsm", "gone"]);
    get.assert_code(6).assert_says("redis:0/gone has expired at 1970-01-01T00:16:39.999Z; --expired keep shows it");
    assert_eq!(get.stdout, "");
    assert_eq!(room.run(&["get", "sound.fsm", "gone", "--expired", "keep"]).assert_code(0).stdout, "old");
}

#[test]
fn what_is_not_there_ends_with_6_and_prints_nothing() {
    let room = room();
    for words in [
        &["get", "sound.fsm", "nope"][..],
        &["get", "sound.fsm", "s3:b/k", "--json"],
        &["ls", "sound.fsm", "nope"],
        &["ls", "sound.fsm", "--prefix", "z", "--json"],
        &["ls", "sound.fsm", "--table", "t", "--count"],
    ] {
        let run = room.run(words);
        run.assert_code(6).assert_says("nothing matches");
        assert!(run.stdout.is_empty() || run.stdout == "0\n", "{run:?}");
    }
    let some = room.run(&["ls", "sound.fsm", "plain", "nope", "-q"]);
    assert_eq!(some.assert_code(0).assert_says("nothing matches redis:0/nope").stdout, "redis:0/plain\n");
    assert_eq!(room.run(&["ls", "sound.fsm", "--key", "plain", "--json"]).assert_code(0).json()["bytes"], 4);
}

#[test]
fn damaged_value_is_told_and_damaged_snapshot_prints_nothing() {
    let room = room();
    let list = room.run(&["ls", "torn.fsm", "-q"]);
    list.assert_code(5).assert_says("missing: redis_invalid_string_value: redis:0/torn");
    assert_eq!(list.stdout.lines().count(), 3);
    let get = room.run(&["get", "torn.fsm", "torn"]);
    get.assert_code(2).assert_says("redis:0/torn cannot be read: redis_invalid_string_value");
    assert_eq!(get.stdout, "");
    // What it was is not known, which is not that it was deleted.
    let history = room.run(&["history", "torn.fsm", "torn"]);
    assert!(history.assert_code(5).stdout.contains("damaged   redis_invalid_string_value: "), "{history:?}");
    // What is damaged elsewhere does not concern it.
    assert_eq!(room.run(&["get", "torn.fsm", "plain"]).assert_code(0).stdout, "text");
    let mut bytes = fs::read(room.path("sound.fsm")).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    room.write("flipped.fsm", &bytes);
    for words in [&["ls", "flipped.fsm"][..], &["get", "flipped.fsm", "plain"], &["ls", "flipped.fsm", "--json"]] {
        let run = room.run(words);
        assert_eq!(run.assert_code(2).stdout, "");
    }
}

/// `history` said that a value was deleted which it could not read.
#[test]
fn version_that_cannot_be_read_is_not_told_as_a_deletion() {
    let room = Room::new();
    let (odd, field) = (key::string(b"odd"), |name: &[u8]| Wide::Hash.element(b"h", name));
    let hlc = |ms: u64| (1_000_000 + ms) << 16;
    let snapshot = SnapshotBuilder::new()
        .put(&odd, hlc(1), &string(None, b"first"))
        .version(&odd, hlc(2), 0x80, 0, b"unreadable")
        .put(&odd, hlc(3), &string(None, b"third"))
        .version(&odd, hlc(4), 0x80, 0, b"unreadable")
        .put(&field(b"a"), hlc(1), b"1")
        .version(&field(b"b"), hlc(2), 0x80, 0, b"unreadable")
        .put(&field(b"a"), hlc(3), b"2")
        .delete(&field(b"b"), hlc(4));
    room.write("s.fsm", &snapshot.build());
    let told = |name: &str, code: i32| {
        let run = room.run(&["history", "s.fsm", name, "--json"]);
        let line = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap();
        let change = |line: serde_json::Value| line["change"].as_str().map(str::to_owned);
        run.assert_code(code).stdout.lines().map(line).filter_map(change).collect::<Vec<_>>()
    };
    assert_eq!(told("odd", 5), ["damaged", "written", "damaged", "written"]);
    assert_eq!(told("h", 5), ["written", "damaged", "damaged", "written"]);
}

#[test]
fn key_that_was_damaged_is_told_in_the_same_way_of_snapshot_and_dump() {
    let room = room();
    room.run(&["decode", "torn.fsm", "dump"]).assert_code(5);
    room.run(&["decode", "torn.fsm", "dump.tar"]).assert_code(5);
    for source in ["torn.fsm", "dump", "dump.tar"] {
        let get = room.run(&["get", source, "torn"]);
        get.assert_code(2).assert_says("redis_invalid_string_value: redis:0/torn:");
        assert_eq!(get.stdout, "", "{source}");
        // Another name that is not there is not said to be damaged.
        room.run(&["get", source, "nope"]).assert_code(6).assert_says("nothing matches redis:0/nope");
        assert_eq!(room.run(&["get", source, "plain"]).assert_code(0).stdout, "text");
    }
    room.run(&["get", "dump", "torn"])
        .assert_says("redis:0/torn is not in the dump: it could not be read when that was made");
    let losses = fs::read_to_string(room.path("dump/LOSSES.jsonl")).unwrap();
    assert!(losses.contains(r#""key":"torn","address":"redis:0/torn","#), "{losses}");
    // A value that no one reads is known by the record that holds it.
    let at = 1_000_000_u64 << 16;
    let flags =
        SnapshotBuilder::new().version(&key::string(b"odd"), at, 0x80, 0, b"x").put(&key::string(b"a"), at, b"1");
    room.write("flags.fsm", &flags.build());
    assert!(room.run(&["decode", "flags.fsm", "flags"]).assert_code(5).stdout.contains("redis:0/odd: value flags"));
    for source in ["flags.fsm", "flags"] {
        room.run(&["get", source, "odd"]).assert_code(2).assert_says("snapshot_damaged_value: redis:0/odd:");
    }
}

#[test]
fn list_of_a_dump_that_is_not_what_was_written_never_looks_complete() {
    let room = room();
    room.run(&["decode", "sound.fsm", "dump"]).assert_code(0);
    room.write("dump/redis/db_0/strings/plain.bin", b"other");
    let said = "do not match CHECKSUMS; the lines that were printed before are not all, and nothing vouches for them";
    let list = room.run(&["ls", "dump"]);
    assert!(!list.assert_code(2).assert_says(said).stdout.is_empty());
    let json = room.run(&["ls", "dump", "--json"]);
    let last: serde_json::Value = serde_json::from_str(json.assert_code(2).stdout.lines().last().unwrap()).unwrap();
    assert_eq!((&last["status"], &last["exit_code"]), (&"failed".into(), &2.into()));
    assert!(last["error"].as_str().unwrap().contains(said) && last["address"].is_null(), "{last}");
    for words in ["--count", "--sort", "--scopes"] {
        let more = if words == "--sort" { &["name"][..] } else { &[] };
        let run = room.run(&[&["ls", "dump", words], more].concat());
        assert_eq!(run.assert_code(2).stdout, "", "{words}");
    }
    let lossy = room.run(&["ls", "torn.fsm", "--json"]);
    let last: serde_json::Value = serde_json::from_str(lossy.assert_code(5).stdout.lines().last().unwrap()).unwrap();
    assert_eq!(last["exit_code"], 5);
}

#[test]
fn what_goes_not_together_is_refused_and_what_does_is_done() {
    let room = two_rooms();
    room.run(&["decode", "one.fsm", "dump"]).assert_code(0);
    for (words, said) in [
        (&["ls", "one.fsm", "-0", "--json"][..], "give one of them"),
        (&["ls", "dump", "--sort", "changed"], "a dump does not say when a key was written"),
    ] {
        room.run(words).assert_code(1).assert_says(said);
    }
    let stat = room.run(&["diff", "one.fsm", "two.fsm", "--stat", "--json"]);
    let lines: Vec<serde_json::Value> =
        stat.assert_code(6).stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let sums = serde_json::json!({ "added": 1, "removed": 1, "changed": 3, "bytes": 4 });
    assert_eq!(lines[1], serde_json::json!({ "summary": sums }));
    assert_eq!((&lines[0]["scope"], &lines[0]["changed"], lines.len()), (&"redis:0/".into(), &3.into(), 2));
}

#[test]
fn snapshot_at_a_moment_is_compared_with_a_dump_as_it_is() {
    let room = Room::new();
    let (first, second) = (1_000_000_u64 << 16, 2_000_000_u64 << 16);
    let snapshot =
        SnapshotBuilder::new().put(&key::string(b"a"), first, b"old").put(&key::string(b"a"), second, b"newer");
    room.write("s.fsm", &snapshot.build());
    let at = format!("hlc:{first}");
    room.run(&["decode", "s.fsm", "dump", "--at", &at]).assert_code(0);
    for (one, other) in [("s.fsm", "dump"), ("dump", "s.fsm")] {
        room.run(&["diff", one, other]).assert_code(6);
        let run = room.run(&["diff", one, other, "--at", &at]);
        assert!(!run.assert_code(0).stderr.contains("is a dump of"), "{run:?}");
    }
    let later = room.run(&["diff", "dump", "s.fsm", "--at", &format!("hlc:{second}")]);
    later.assert_code(6).assert_says("the first is a dump of 1970-01-01T00:16:40.000Z, and compared as it is");
    room.run(&["diff", "dump", "dump", "--at", &at]).assert_code(1).assert_says("a dump holds one moment");
}

#[test]
fn nothing_of_an_adapter_is_the_same_answer_as_nothing_of_its_address() {
    let room = room();
    for words in [&["--adapter", "sqs"][..], &["sqs:"], &["--adapter", "sqs", "--json"], &["sqs:", "--scopes"]] {
        let run = room.run(&[&["ls", "sound.fsm"], words].concat());
        assert_eq!(run.assert_code(6).assert_says("nothing matches").stdout, "", "{words:?}");
    }
}

#[test]
fn many_losses_are_counted_and_the_first_ones_told() {
    let room = Room::new();
    let at = 1_000_000_u64 << 16;
    let names: Vec<String> = (0..60).map(|n| format!("k{n}")).collect();
    let put =
        |snapshot: SnapshotBuilder, name: &String| snapshot.put(&key::string(name.as_bytes()), at, b"\xff\x01\x01\0");
    room.write("s.fsm", &names.iter().fold(SnapshotBuilder::new().put(b"plain", at, b"1"), put).build());
    let list = room.run(&["ls", "s.fsm"]);
    assert_eq!(list.assert_code(5).assert_says("… and 50 more, which `decode` lists").stderr.lines().count(), 11);
}

#[test]
fn snapshots_and_archives_are_looked_into_through_a_pipe() {
    let room = Room::new();
    room.write("all-3.fsm", &ALL_3.bytes());
    room.run(&["decode", "all-3.fsm", "dump.tar.zst"]).assert_code(0);
    room.run(&["decode", "all-3.fsm", "dump.tar"]).assert_code(0);
    let compressed = fs::read(ALL_3.compressed_path()).unwrap();
    room.write("all-3.fsm.zst", &compressed);
    let scopes = room.run(&["ls", "all-3.fsm", "--scopes", "--long", "-q"]);
    assert_eq!(scopes.assert_code(0).stdout.lines().count(), 7);
    assert!(scopes.stdout.contains("bucket              0 objects        0 B  s3:bucket-empty/\n"), "{scopes:?}");
    for name in ["all-3.fsm", "all-3.fsm.zst", "dump.tar", "dump.tar.zst"] {
        let bytes = fs::read(room.path(name)).unwrap();
        let piped = room.run_with_input(&["ls", "-", "--scopes", "--long", "-q"], &bytes);
        assert_eq!(piped.assert_code(0).stdout, scopes.stdout, "{name}");
        assert_eq!(room.run(&["ls", name, "--scopes", "--long", "-q"]).assert_code(0).stdout, scopes.stdout, "{name}");
        let json = room.run_with_input(&["get", "-", "s3:bucket-one/%2541", "--json", "-q"], &bytes);
        assert_eq!(json.assert_code(0).json()["bytes"], 3003, "{name}");
    }
    // `decode --force` and the like are for dumps only; a dump has one moment.
    room.run(&["ls", "dump.tar", "--at", "2026-11-22T15:34:25Z"]).assert_code(1).assert_says("a dump holds one moment");
}

#[test]
fn long_list_says_how_far_an_expiry_is_from_the_moment_that_is_read() {
    let room = room();
    let long = room.run(&["ls", "sound.fsm", "--long", "--expired", "keep", "-q"]);
    let line = |name: &str| long.stdout.lines().find(|line| line.ends_with(name)).unwrap().to_owned();
    assert!(line("redis:0/later").contains("1970-01-01T00:16:40.001Z in 1 ms"), "{long:?}");
    assert!(line("redis:0/gone").contains("1970-01-01T00:16:39.999Z 1 ms ago"), "{long:?}");
    // Headings are for people: not where the lines go into a pipe.
    assert!(!long.assert_code(0).stdout.contains("ADDRESS"));
}

#[test]
fn file_is_written_whole_and_never_replaced() {
    let room = room();
    room.run(&["get", "sound.fsm", "plain", "-o", "out"]).assert_code(0);
    assert_eq!(fs::read(room.path("out")).unwrap(), b"text");
    room.run(&["get", "sound.fsm", "later", "-o", "out"]).assert_code(1);
    assert_eq!(fs::read(room.path("out")).unwrap(), b"text");
    let before = room.names();
    room.run(&["get", "sound.fsm", "nope", "-o", "none"]).assert_code(6);
    room.run(&["get", "torn.fsm", "torn", "-o", "none"]).assert_code(2);
    assert_eq!(room.names(), before);
}

#[test]
fn reader_who_leaves_ends_the_list_in_peace() {
    let room = Room::new();
    room.write("all-3.fsm", &ALL_3.bytes());
    for words in ["ls all-3.fsm --json", "get all-3.fsm s3:bucket-one/multi.bin"] {
        let script = format!("{{ \"$0\" {words} -q; echo $? >&2; }} | head -c 10 >/dev/null");
        let mut command = Command::new("sh");
        command.arg("-c").arg(script).arg(env!("CARGO_BIN_EXE_ekv-backup")).current_dir(room.path("."));
        let run = end_of(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
        assert_eq!(run.stderr, "0\n", "{words}");
    }
}

#[test]
fn what_could_steer_a_terminal_is_an_escape_in_lists_and_json() {
    let room = room();
    let address = "redis:0/a%20b%27%22%24%28x%29%0A%FF";
    let json = room.run(&["get", "sound.fsm", address, "--json"]);
    assert_eq!(json.assert_code(0).json()["value"]["base64"], "G1sySgD/");
    for words in [&["ls", "sound.fsm", "--json", "-q"][..], &["ls", "sound.fsm", "--long", "-q"]] {
        let run = room.run(words);
        let is_plain = |byte: u8| byte == b'\n' || (b' '..=b'~').contains(&byte);
        assert!(run.assert_code(0).stdout.bytes().all(is_plain), "{run:?}");
    }
}

/// Two snapshots: in the second a key is new, one gone, one of another value, one of another type, one of another expiry.
fn two_rooms() -> Room {
    let room = Room::new();
    let at = 1_000_000_u64 << 16;
    let first = SnapshotBuilder::new()
        .put(&key::string(b"same"), at, &string(None, b"s"))
        .put(&key::string(b"gone"), at, &string(None, b"g"))
        .put(&key::string(b"value"), at, &string(None, b"one"))
        .put(&key::string(b"kind"), at, &string(None, b"k"))
        .put(&key::string(b"expiry"), at, &string(Some(2_000_000), b"e"));
    let second = SnapshotBuilder::new()
        .put(&key::string(b"same"), at + 7, &string(None, b"s"))
        .put(&key::string(b"new"), at, &string(None, b"new"))
        .put(&key::string(b"value"), at, &string(None, b"other"))
        .put(&key::hll(b"kind"), at, b"k")
        .put(&key::string(b"expiry"), at, &string(Some(3_000_000), b"e"));
    room.write("one.fsm", &first.build());
    room.write("two.fsm", &second.build());
    room
}

#[test]
fn diff_marks_what_happened_to_each_thing_and_ends_with_6() {
    let room = two_rooms();
    let run = room.run(&["diff", "one.fsm", "two.fsm"]);
    let expected = "E redis:0/expiry  string  expires 1970-01-01T00:33:20.000Z -> expires 1970-01-01T00:50:00.000Z\n\
                    - redis:0/gone  string  1 B\n\
                    T redis:0/kind  string -> hll  1 B -> 1 B\n\
                    + redis:0/new  string  3 B\n\
                    ~ redis:0/value  string  3 B -> 5 B\n";
    assert_eq!(run.assert_code(6).stdout, expected);
    let stat = room.run(&["diff", "one.fsm", "two.fsm", "--stat"]);
    assert_eq!(
        stat.assert_code(6).stdout.split_whitespace().collect::<Vec<_>>(),
        ["redis:0/", "+1", "-1", "~3", "+4", "B"]
    );
    let json = room.run(&["diff", "one.fsm", "two.fsm", "--json"]);
    let lines: Vec<serde_json::Value> =
        json.assert_code(6).stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 6);
    assert_eq!(
        (&lines[1]["change"], &lines[1]["before"]["bytes"], &lines[1]["after"]),
        (&"removed".into(), &1.into(), &serde_json::Value::Null)
    );
    assert_eq!(lines[5]["summary"], serde_json::json!({ "added": 1, "removed": 1, "changed": 3, "bytes": 4 }));
    let quiet = room.run(&["diff", "one.fsm", "two.fsm", "-q"]);
    assert_eq!((quiet.assert_code(6).stdout.as_str(), quiet.stderr.as_str()), ("", ""));
}

#[test]
fn diff_of_the_same_ends_with_0_and_of_nothing_with_6() {
    let room = two_rooms();
    room.run(&["decode", "one.fsm", "dump"]).assert_code(0);
    for words in
        [&["diff", "one.fsm", "dump"][..], &["diff", "one.fsm", "one.fsm"], &["diff", "one.fsm", "two.fsm", "same"]]
    {
        assert_eq!(room.run(words).assert_code(0).stdout, "");
    }
    room.run(&["diff", "one.fsm", "two.fsm", "--prefix", "zz"])
        .assert_code(6)
        .assert_says("nothing matches --prefix zz");
    room.run(&["diff", "one.fsm", "--at", "2h ago"]).assert_code(1).assert_says("give --at twice");
    room.run(&["diff", "dump", "--at", "2h ago", "--at", "1h ago"])
        .assert_code(1)
        .assert_says("a dump holds one moment");
    room.run(&["decode", "one.fsm", "part", "--prefix", "s"]).assert_code(0);
    room.run(&["diff", "part", "one.fsm"]).assert_code(6).assert_says("the first is a part, selected by --prefix s");
}

#[test]
fn history_tells_what_a_thing_was_at_every_commit() {
    let room = Room::new();
    room.write("all-3.fsm", &ALL_3.bytes());
    let run = room.run(&["history", "all-3.fsm", "redis:0/s::_%FE"]);
    let expected = "2026-11-22T15:34:24.742Z  hlc:117660822060531712  string          30 B\n\
                    2026-11-22T15:34:24.598Z  hlc:117660822051094528  set              0 B  0 elements\n\
                    2026-11-22T15:34:24.597Z  hlc:117660822051028992  set              7 B  1 element\n\
                    2026-11-22T15:34:24.586Z  hlc:117660822050308096  deleted\n\
                    2026-11-22T15:34:24.560Z  hlc:117660822048604160  string      68.3 KiB\n\
                    nothing was dropped: the store was never compacted\n";
    assert_eq!(run.assert_code(0).stdout, expected);
    let json = room.run(&["history", "all-3.fsm", "dynamodb:dropped/x", "--json"]);
    let first = "{\"address\":\"dynamodb:dropped/x\",\"commit\":{\"hlc\":117660827470594212,\"unix_ms\":1795361747293,\
                 \"time\":\"2026-11-22T15:35:47.293Z\"},\"change\":\"deleted\"}";
    assert_eq!(json.assert_code(0).stdout.lines().next(), Some(first));
    let nothing = room.run(&["history", "all-3.fsm", "nope"]);
    assert_eq!(nothing.assert_code(6).stdout, "");
    let old = room.run(&["get", "all-3.fsm", "redis:0/s::_%FE", "--at", "hlc:117660822048604160", "--json"]);
    assert_eq!(old.assert_code(0).json()["bytes"], 70_000);
}

#[test]
fn mistakes_with_names_are_told_with_what_to_write() {
    let room = Room::new();
    room.write("all-3.fsm", &ALL_3.bytes());
    for (words, hint) in [
        (
            &["ls", "all-3.fsm", "--prefix", "s3:bucket-one/a/"][..],
            "names have no protocol in front: --prefix bucket-one/a/",
        ),
        (&["ls", "all-3.fsm", "--match", "redis:0/s*"], "names have no protocol in front: --match s*"),
        (&["ls", "all-3.fsm", "s3:bucket-one/a/"], "an address names one thing; --prefix bucket-one/a/ takes"),
    ] {
        room.run(words).assert_code(6).assert_says(hint);
    }
    let moments = ["--at", "2026-11-22T15:35:00Z", "--at", "2026-11-22T15:36:00Z"];
    let run = room.run(&[&["diff", "all-3.fsm", "dynamodb:users/"][..], &moments].concat());
    assert!(run.assert_code(6).stdout.lines().all(|line| line.contains(" dynamodb:users/")), "{run:?}");
    room.run(&["decode", "all-3.fsm", "dump.tar"]).assert_code(0);
    let run = room.run(&["history", "dump.tar", "boot"]);
    assert!(!run.assert_code(1).stderr.contains("tip:"), "{run:?}");
    // Commits are not applied in the order of their stamps.
    let near = room.run(&["get", "all-3.fsm", "boot", "--at", "2026-11-22T15:36:58Z"]);
    near.assert_says("groups_read_near_newest_commit");
}

#[test]
fn dump_of_an_earlier_moment_is_judged_at_that_moment() {
    let room = Room::new();
    let at = 1_000_000_u64;
    let snapshot = SnapshotBuilder::new().put(&key::string(b"soon"), at << 16, &string(Some(at + 50), b"x")).put(
        &key::string(b"later"),
        (at + 100) << 16,
        &string(None, b"y"),
    );
    room.write("s.fsm", &snapshot.build());
    let moment = format!("hlc:{}", (at + 10) << 16);
    room.run(&["decode", "s.fsm", "dump", "--at", &moment]).assert_code(0);
    for words in [&["ls", "s.fsm", "--at", &moment][..], &["ls", "dump"]] {
        assert_eq!(room.run(words).assert_code(0).stdout, "redis:0/soon\n", "{words:?}");
    }
    assert_eq!(room.run(&["get", "dump", "soon"]).assert_code(0).stdout, "x");
    room.run(&["ls", "dump", "--only-expired"]).assert_code(6);
    assert_eq!(room.run(&["ls", "s.fsm"]).assert_code(0).stdout, "redis:0/later\n");
}

#[test]
fn what_was_not_compared_is_not_called_the_same() {
    let room = Room::new();
    room.write("all-3.fsm", &ALL_3.bytes());
    for adapter in ["s3", "redis"] {
        room.run(&["decode", "all-3.fsm", adapter, "--adapter", adapter]).assert_code(0);
    }
    room.run(&["diff", "s3", "redis", "-q"]).assert_code(5);
    room.run(&["diff", "all-3.fsm", "redis"]).assert_code(5).assert_says("s3 is not compared");
    let same = room.run(&["diff", "all-3.fsm", "redis", "--adapter", "redis"]);
    assert!(!same.assert_code(0).stderr.contains("not compared"), "{same:?}");
    for words in ["diff s3 all-3.fsm --json", "get all-3.fsm sqs:orders/"] {
        let script = format!("{{ \"$0\" {words} -q; echo $? >&2; }} | true");
        let mut command = Command::new("sh");
        command.arg("-c").arg(script).arg(env!("CARGO_BIN_EXE_ekv-backup")).current_dir(room.path("."));
        let run = end_of(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
        assert!(!run.stderr.contains("error"), "{words}: {run:?}");
    }
}
