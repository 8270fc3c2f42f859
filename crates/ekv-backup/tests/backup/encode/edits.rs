//! Dumps that people change, with and without bringing CHECKSUMS up to date.

use std::fs;
use std::os::unix::fs::symlink;

use ekv_backup::{
    ChecksumsOptions, ChecksumsReport, Class, DecodeOptions, EventOptions, Fsync, NoProgress, Protocol, checksums,
};
use ekv_testkit::SnapshotBuilder;
use ekv_testkit::redis::{Wide, key, value};

use crate::encode::room::{Room, decode_options, options};

/// Unix milliseconds 1 700 000 000 000.
const T: u64 = 111_411_200_000_000_007;

const HASH: &str = "dump/redis/db_0/hashes/h.json";
const STRING: &str = "dump/redis/db_0/strings/a.bin";
const EXPIRIES: &str = "dump/redis/db_0/strings_ttl.jsonl";

fn redis_only() -> DecodeOptions {
    DecodeOptions { events: EventOptions::of(vec![Protocol::Redis]), ..decode_options() }
}

/// Strings `a` and `b`, of which `b` expires, and a hash `h`.
fn room() -> Room {
    let snapshot = SnapshotBuilder::new()
        .put(&Wide::Hash.element(b"h", b"f"), T, b"1")
        .put(&Wide::Hash.meta(b"h"), T, &value::meta(1, 0))
        .put(&key::string(b"a"), T, &value::string(b"one", None))
        .put(&key::string(b"b"), T, &value::string(b"two", Some(1_900_000_000_000)))
        .build();
    Room::with_dump_of(&snapshot, &redis_only())
}

impl Room {
    fn write(&self, path: &str, content: &[u8]) {
        fs::write(self.path(path), content).unwrap();
    }

    fn relist(&self) -> ChecksumsReport {
        let options = ChecksumsOptions { fsync: Fsync::None, ..ChecksumsOptions::default() };
        checksums(&self.path("dump"), &options, &NoProgress).unwrap()
    }

    /// Brings CHECKSUMS up to date, encodes and decodes again.
    fn encode_edited(&self) {
        let report = self.relist();
        assert!(report.rewritten, "{report:?}");
        self.assert_sound("dump");
        let report = self.encode("dump", "out.fsm", &options()).unwrap();
        assert!(report.payload.self_test.matched);
        self.decode("out.fsm", "again", &redis_only());
    }
}

#[test]
fn changed_file_is_refused_until_checksums_says_that_it_is_meant() {
    let room = room();
    room.write(STRING, b"edited");
    let error = room.refusal(Class::Data, &options());
    assert!(error.to_string().contains("redis/db_0/strings/a.bin: the contents do not match CHECKSUMS"), "{error}");
    room.encode_edited();
    assert_eq!(room.bytes("again/redis/db_0/strings/a.bin"), b"edited");
}

#[test]
fn text_in_another_layout_is_compared_by_content() {
    let room = room();
    let text = r#"{ "expire_at_ms": null,
        "fields": [{"value": "2", "name": "z"}, {"name":"\u0066","value":"1"}, {"name":"g","value":"x"}],
        "format_version":1 }


"#;
    room.write(HASH, text.as_bytes());
    room.encode_edited();
    let found = String::from_utf8(room.bytes("again/redis/db_0/hashes/h.json")).unwrap();
    let places: Vec<usize> = ["\"f\"", "\"g\"", "\"z\""].iter().map(|name| found.find(name).unwrap()).collect();
    assert!(places.is_sorted(), "{found}");
}

#[test]
fn files_and_lines_may_be_added_and_removed() {
    let room = room();
    room.write("dump/redis/db_0/strings/new.bin", b"n");
    room.write(EXPIRIES, b"{\"key\":\"new\",\"expire_at_ms\":1900000000001}\n");
    fs::remove_file(room.path("dump/redis/db_0/strings/b.bin")).unwrap();
    let before = room.bytes("dump/CHECKSUMS");
    let dry_run = ChecksumsOptions { dry_run: true, fsync: Fsync::None, ..ChecksumsOptions::default() };
    let report = checksums(&room.path("dump"), &dry_run, &NoProgress).unwrap();
    assert_eq!((report.changed, report.added, report.removed, report.rewritten), (1, 1, 1, false));
    assert_eq!(room.bytes("dump/CHECKSUMS"), before);
    room.encode_edited();
    assert_eq!(room.bytes("again/redis/db_0/strings_ttl.jsonl"), b"{\"key\":\"new\",\"expire_at_ms\":1900000000001}\n");
    let report = room.relist();
    assert_eq!((report.changed, report.added, report.removed, report.rewritten), (0, 0, 0, false));
}

#[test]
fn missing_checksums_are_written_anew_and_lines_that_mean_nothing_are_refused() {
    let room = room();
    let whole = room.bytes("dump/CHECKSUMS");
    fs::remove_file(room.path("dump/CHECKSUMS")).unwrap();
    let report = room.relist();
    assert_eq!((report.added, report.rewritten), (5, true));
    assert_eq!(room.bytes("dump/CHECKSUMS"), whole);
    room.write("dump/CHECKSUMS", b"no line\n");
    assert!(checksums(&room.path("dump"), &ChecksumsOptions::default(), &NoProgress).is_err());
    assert_eq!(room.bytes("dump/CHECKSUMS"), b"no line\n");
}

#[test]
fn checksums_puts_nothing_into_a_dump_in_which_it_has_nothing_to_write() {
    let room = room();
    let dump = fs::File::open(room.path("dump")).unwrap();
    let is_untouched = |dry_run: bool| {
        dump.set_modified(std::time::UNIX_EPOCH).unwrap();
        let options = ChecksumsOptions { dry_run, ..ChecksumsOptions::default() };
        let report = checksums(&room.path("dump"), &options, &NoProgress).unwrap();
        assert!(!report.rewritten);
        dump.metadata().unwrap().modified().unwrap() == std::time::UNIX_EPOCH
    };
    assert!(is_untouched(false), "nothing has changed");
    fs::write(room.path("dump/redis/db_0/strings/new.bin"), "x").unwrap();
    assert!(is_untouched(true), "a dry run");
    fs::write(room.path("dump/redis/db_0/nonsense"), "x").unwrap();
    assert!(is_untouched(false), "the dump has a problem");
}

#[test]
fn checksums_are_not_made_for_what_has_no_meaning() {
    let edits: [fn(&Room); 4] = [
        |room| room.write("dump/redis/db_0/strings/a.txt", b""),
        |room| room.write(EXPIRIES, b"{\"key\":\"gone\",\"expire_at_ms\":1}\n"),
        |room| fs::rename(room.path("dump/redis"), room.path("dump/Redis")).unwrap(),
        |room| symlink("a.bin", room.path("dump/redis/db_0/strings/c.bin")).unwrap(),
    ];
    for (n, edit) in edits.into_iter().enumerate() {
        let room = room();
        let before = room.bytes("dump/CHECKSUMS");
        edit(&room);
        let report = room.relist();
        assert!(report.problem_count > 0 && !report.rewritten, "{n}: {report:?}");
        assert_eq!(room.bytes("dump/CHECKSUMS"), before, "{n}");
        assert_eq!(room.names(), ["dump", "snapshot.fsm"]);
        let names = fs::read_dir(room.path("dump")).unwrap().count();
        assert_eq!(names, 3, "{n}: nothing is left behind in the dump");
    }
}

#[test]
fn past_moment_that_the_server_cannot_store_becomes_the_one_after_it() {
    let room = room();
    let text = String::from_utf8(room.bytes(HASH)).unwrap();
    room.write(HASH, text.replace("\"expire_at_ms\": null", "\"expire_at_ms\": 0").as_bytes());
    room.encode_edited();
    let found = String::from_utf8(room.bytes("again/redis/db_0/hashes/h.json")).unwrap();
    assert!(found.contains("\"expire_at_ms\": 1\n"), "{found}");
}

#[test]
fn thousand_names_that_only_keymap_explains_come_back_with_their_expiries() {
    let mut builder = SnapshotBuilder::new();
    for n in 0..1000_u32 {
        let name = format!("{}{n}", "long/".repeat(60));
        builder = builder.put(&key::string(name.as_bytes()), T, &value::string(b"v", Some(u64::from(n) + 1)));
        let name = format!("{}{n}", "hll/".repeat(80));
        builder = builder.put(&key::hll(name.as_bytes()), T, &value::hll(b"v", Some(u64::from(n) + 1)));
        builder = builder.put(&key::expiry(name.as_bytes()), T, &value::expiry(u64::from(n) + 1));
    }
    let room = Room::with_dump_of(&builder.build(), &redis_only());
    // Order and repeats of the lines mean nothing.
    for sidecar in ["KEYMAP.jsonl", "strings_ttl.jsonl", "hll_ttl.jsonl"] {
        let path = format!("dump/redis/db_0/{sidecar}");
        let text = String::from_utf8(room.bytes(&path)).unwrap();
        let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
        lines.reverse();
        if sidecar == "KEYMAP.jsonl" {
            lines.extend(lines.clone());
        }
        room.write(&path, lines.concat().as_bytes());
    }
    room.encode_edited();
}

#[test]
fn trees_that_are_no_whole_dump_are_refused_and_nothing_is_written() {
    type Edit = fn(&Room);
    let edits: [(&str, Edit); 10] = [
        ("no such directory", |room| fs::remove_dir_all(room.path("dump/redis")).unwrap()),
        ("CHECKSUMS lists it, but there is no such file", |room| fs::remove_file(room.path(STRING)).unwrap()),
        ("CHECKSUMS does not list it", |room| room.write("dump/redis/db_0/strings/z.bin", b"")),
        ("CHECKSUMS does not list it", |room| {
            fs::create_dir_all(room.path("dump/redis/db_1/strings")).unwrap();
            room.write("dump/redis/db_1/strings/z.bin", b"");
        }),
        ("nothing in a dump has this name", |room| fs::create_dir(room.path("dump/redis/db_01")).unwrap()),
        ("nothing in a dump has this name", |room| fs::create_dir(room.path("dump/redis/db_0/blobs")).unwrap()),
        ("there is no file strings/gone.bin", |room| room.write(EXPIRIES, b"{\"key\":\"gone\",\"expire_at_ms\":1}\n")),
        ("symbolic link", |room| move_and_link(room, "dump/redis")),
        ("symbolic link", |room| move_and_link(room, "dump/redis/db_0")),
        ("symbolic link", |room| move_and_link(room, "dump/redis/db_0/strings")),
    ];
    for (n, (expected, edit)) in edits.into_iter().enumerate() {
        let room = room();
        edit(&room);
        let error = room.refusal(Class::Data, &options());
        assert!(error.to_string().contains(expected), "{n}: {error}");
    }
}

/// Puts a symbolic link in the place of a directory.
fn move_and_link(room: &Room, path: &str) {
    fs::rename(room.path(path), room.path("moved")).unwrap();
    symlink(room.path("moved"), room.path(path)).unwrap();
}
