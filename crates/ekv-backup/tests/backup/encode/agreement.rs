//! Whether a dump is sound: `verify`, `encode`, `restore`, `pack` and `unpack` say the same. Source: `docs/format/tree.md`, section 18.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use ekv_backup::restore::{PrepareOptions, RestoreTarget, restore};
use ekv_backup::{
    Class, CopyOptions, DecodeOptions, DirOptions, DumpTarget, EncodeOptions, Error, Fsync, NoProgress, pack, unpack,
    verify,
};
use ekv_dump::DumpFault;
use ekv_dump::keymap::{KeymapKind, write_line};
use ekv_dump::segment::sha_fallback;
use ekv_testkit::fixtures::ALL_3;
use ekv_testkit::{EditedDump, edit_dump, read_files, tar_of};

use super::room::{Room, decode_options, options};

/// Longest file that the dump at hand keeps, in bytes: reading the others again and again teaches nothing.
const LEN_MAX: usize = 100_000;

/// Keys of one type that the dump at hand keeps, beside those of which other files tell.
const KEPT_MAX: usize = 2;

const META: &str = ".elastickv-meta.json";

type Edit = fn(&mut EditedDump<'_>);

/// What a user calls a dump of the fixture that holds what is held by default.
fn plain() -> Room {
    small(&decode_options())
}

/// The same with everything that can be asked for.
fn whole() -> Room {
    let mut options = decode_options();
    options.events.s3.include_orphans = true;
    options.events.s3.include_incomplete_uploads = true;
    options.events.sqs.include_orphans = true;
    options.events.sqs.include_side_records = true;
    options.events.include_unknown = true;
    small(&options)
}

fn small(options: &DecodeOptions) -> Room {
    let room = Room::with_dump_of(&ALL_3.bytes(), options);
    edit_dump(&room.path("dump"), |dump| {
        let expiries = String::from_utf8(dump.read("redis/db_0/strings_ttl.jsonl")).unwrap();
        let mut kept: BTreeMap<String, usize> = BTreeMap::new();
        for (path, content) in read_files(dump.root()) {
            let (directory, name) = path.rsplit_once('/').unwrap_or(("", &path));
            if directory.starts_with("s3/") && !path.ends_with(META) && content.len() > LEN_MAX {
                dump.remove(&path);
                dump.remove(&format!("{path}{META}"));
            }
            // Names of which no other file tells.
            let segment = name.rsplit_once('.').map_or(name, |(segment, _)| segment);
            let is_plain = segment.len() < 34 && !expiries.contains(&format!("\"{segment}\""));
            if directory.starts_with("redis/db_0/") && is_plain {
                let count = kept.entry(directory.to_owned()).or_default();
                *count += 1;
                if *count > KEPT_MAX {
                    dump.remove(&path);
                }
            }
        }
    });
    room
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// An edited copy of the dump in a room.
fn edited(original: &Room, edit: Edit) -> Room {
    let room = Room::new();
    copy(&original.path("dump"), &room.path("dump"));
    edit_dump(&room.path("dump"), edit);
    room
}

fn without_self_test() -> EncodeOptions {
    EncodeOptions { self_test: false, accept_losses: true, ..options() }
}

/// What the verbs say about an edited copy of `original`.
struct Verdicts<'r> {
    room: &'r Room,
    problems: Vec<String>,
}

impl<'r> Verdicts<'r> {
    fn of(room: &'r Room) -> Self {
        let problems = verify(&room.path("dump"), &NoProgress).unwrap().problems;
        Verdicts { room, problems }
    }

    fn encode(&self) -> Result<(), Error> {
        self.room.encode("dump", "out.fsm", &without_self_test()).map(|_| ())
    }

    fn restore(&self) -> Result<(), Error> {
        let peers = "n1=127.0.0.1:2380".parse().unwrap();
        let prepare = PrepareOptions { now: options().now, ..PrepareOptions::new(peers, RestoreTarget::FreshCluster) };
        let (dump, data) = (self.room.path("dump"), self.room.path("n1"));
        restore(&dump, &data, &without_self_test(), &prepare, &NoProgress).map(|_| ())
    }

    /// Whether the copies that `pack` and `unpack` make were published.
    fn copies(&self) -> [bool; 2] {
        let unsynced = DirOptions { fsync: Fsync::None, ..DirOptions::default() };
        let all = CopyOptions::default();
        let archive = DumpTarget::directory(self.room.path("packed"), unsynced);
        let packed = pack(&self.room.path("dump"), archive, &all, &NoProgress).unwrap();
        fs::write(self.room.path("dump.tar"), tar_of(&self.room.path("dump"))).unwrap();
        let directory = DumpTarget::directory(self.room.path("unpacked"), unsynced);
        let unpacked = unpack(&self.room.path("dump.tar"), directory, &all, &NoProgress);
        // A link is refused as soon as it is met.
        [packed.copy.is_some(), unpacked.is_ok_and(|report| report.copy.is_some())]
    }

    /// Why not every verb refuses the dump, with a problem that has `text`.
    fn not_refused(&self, text: &str) -> Vec<String> {
        let mut faults = Vec::new();
        if !self.problems.iter().any(|problem| problem.contains(text)) {
            faults.push(format!("verify says {:?}", self.problems));
        }
        for (verb, result) in [("encode", self.encode()), ("restore", self.restore())] {
            match result {
                Ok(()) => faults.push(format!("{verb} accepts it")),
                Err(error) if error.class() != Class::Data => faults.push(format!("{verb}: {error}")),
                Err(_) => {}
            }
        }
        if self.copies() != [false, false] {
            faults.push("there is a copy".to_owned());
        }
        faults
    }

    /// Why not every verb accepts the dump.
    fn not_accepted(&self) -> Vec<String> {
        let mut faults = self.problems.clone();
        for (verb, result) in [("encode", self.encode()), ("restore", self.restore())] {
            faults.extend(result.err().map(|error| format!("{verb}: {error}")));
        }
        if self.copies() != [true, true] {
            faults.push("there is no copy".to_owned());
        }
        faults
    }
}

/// Fails with all that was found, a line each.
fn assert_none(found: Vec<(String, Vec<String>)>) {
    let lines: Vec<_> =
        found.iter().flat_map(|(name, faults)| faults.iter().map(move |fault| format!("{name}: {fault}"))).collect();
    assert!(lines.is_empty(), "\n{}", lines.join("\n"));
}

const EMPTY: &str = "the file is empty, but then it should not exist";
const LEFT_OUT: &str = "the manifest says that this was left out";
const UNKNOWN: &str = "nothing in a dump has this name";

/// Name of an edit, the edit, and what is wrong then.
const REFUSED: &[(&str, Edit, &str)] = &[
    ("messages emptied", |dump| dump.write("sqs/orders/messages.jsonl", b""), EMPTY),
    ("expiries emptied", |dump| dump.write("redis/db_0/strings_ttl.jsonl", b""), EMPTY),
    ("expiries added without a line", |dump| dump.write("redis/db_0/hll_ttl.jsonl", b""), EMPTY),
    ("KEYMAP of a bucket without a line", |dump| dump.write("s3/bucket-empty/KEYMAP.jsonl", b""), EMPTY),
    (
        "uploads that are excluded",
        |dump| dump.write("s3/bucket-one/_incomplete_uploads/records.jsonl", b"{}\n"),
        LEFT_OUT,
    ),
    ("directory of excluded uploads", |dump| dump.directory("s3/bucket-one/_incomplete_uploads"), LEFT_OUT),
    ("directory of excluded chunks", |dump| dump.directory("s3/bucket-one/_orphans"), LEFT_OUT),
    (
        "orphans that are excluded",
        |dump| {
            let messages = dump.read("sqs/orders/messages.jsonl");
            dump.write("sqs/b3RoZXI.orphan/messages.jsonl", &messages);
        },
        LEFT_OUT,
    ),
    ("directory of excluded side records", |dump| dump.directory("sqs/orders/_internals"), LEFT_OUT),
    ("file of no family", |dump| dump.write("_unknown/X.txt", b"x"), UNKNOWN),
    ("directory of raw records in a directory", |dump| dump.directory("_unknown/sub"), UNKNOWN),
    ("raw records without a line", |dump| dump.write("_unknown/x.jsonl", b""), EMPTY),
    ("something in .scratch", |dump| dump.write(".scratch/x", b"x"), UNKNOWN),
    ("directory of items without a range key", |dump| dump.directory("dynamodb/users/items/zz"), UNKNOWN),
    ("directory in a directory of items", |dump| dump.directory("dynamodb/events.v2/items/b64.AAD_/zz"), UNKNOWN),
    (
        "directory of items with a name that is not canonical",
        |dump| dump.directory("dynamodb/events.v2/items/%41"),
        "the name is not in its canonical form",
    ),
    (
        "list of losses that nobody states",
        |dump| dump.write("LOSSES.jsonl", LOSS),
        "1 listed, but MANIFEST.json says nothing",
    ),
    (
        "list of scopes that nobody states",
        |dump| dump.write("SCOPES.jsonl", b"{\"adapter\":\"sqs\",\"name\":\"orders\"}\n"),
        "1 listed, but MANIFEST.json says nothing",
    ),
    ("bucket without record", |dump| dump.remove("s3/bucket-empty/_bucket.json"), "there is no _bucket.json in it"),
    ("table without schema", |dump| dump.remove("dynamodb/users/_schema.json"), "_schema.json is missing in it"),
    ("queue without settings", |dump| dump.remove("sqs/orders/_queue.json"), "_queue.json is missing in it"),
    ("table that is gone", |dump| dump.remove("dynamodb/users"), "there is no such directory"),
    ("bucket that is gone", |dump| dump.remove("s3/bucket-empty"), "there is no such directory"),
    ("queue that is gone", |dump| dump.remove("sqs/orders"), "there is no such directory"),
    ("database that is gone", |dump| dump.remove("redis/db_0"), "there is no such directory"),
    ("protocol that is gone", |dump| dump.remove("redis"), "there is no such directory"),
    (
        "protocol that was left out",
        |dump| dump.replace("MANIFEST.json", "{\n      \"databases\": [\n        0\n      ]\n    }", "null"),
        LEFT_OUT,
    ),
    ("items in the other layout", |dump| dump.write("dynamodb/users/items.jsonl", b"{}\n"), "dynamodb_layout"),
    (
        "key of two types",
        |dump| {
            let string = first(dump, "redis/db_0/strings/", ".bin");
            let segment = string.trim_start_matches("redis/db_0/strings/").trim_end_matches(".bin").to_owned();
            dump.write(&format!("redis/db_0/sets/{segment}.json"), EMPTY_SET);
        },
        "the same key has a file",
    ),
    (
        "names without their records",
        |dump| dump.remove("redis/db_0/KEYMAP.jsonl"),
        "KEYMAP.jsonl has no record for this name",
    ),
    (
        "record of no key",
        |dump| {
            dump.append(
                "redis/db_0/KEYMAP.jsonl",
                "{\"encoded\":\"a\",\"original\":\"YQ\",\"kind\":\"sha-fallback\"}\n",
            )
        },
        "does not have the name",
    ),
    (
        "record without a file",
        |dump| {
            let key = vec![b'k'; 250];
            let encoded = String::from_utf8(sha_fallback(&key)).unwrap();
            let mut line = Vec::new();
            write_line(&encoded, &key, KeymapKind::ShaFallback, &mut line);
            dump.append("redis/db_0/KEYMAP.jsonl", std::str::from_utf8(&line).unwrap());
        },
        "has no file",
    ),
    ("line that is no record", |dump| dump.append("redis/db_0/KEYMAP.jsonl", "{}\n"), "it is not an object"),
    (
        "expiry without a file",
        |dump| dump.append("redis/db_0/strings_ttl.jsonl", "{\"key\":\"none\",\"expire_at_ms\":1}\n"),
        "there is no file strings/none.bin",
    ),
    ("expiry that is none", |dump| dump.append("redis/db_0/strings_ttl.jsonl", "{}\n"), "it is not {\"key\""),
    (
        "expiry that comes again",
        |dump| {
            let text = String::from_utf8(dump.read("redis/db_0/strings_ttl.jsonl")).unwrap();
            let line = text.lines().next().unwrap().to_owned();
            dump.append("redis/db_0/strings_ttl.jsonl", &format!("{line}\n"));
        },
        "has an expiry on line 1 already",
    ),
    ("body alone", |dump| dump.write("s3/bucket-one/alone", b"x"), "the object has no metadata file"),
    (
        "metadata alone",
        |dump| dump.write("s3/bucket-one/alone.elastickv-meta.json", b"{}"),
        "there is no object for this metadata file",
    ),
    ("body with a reserved name", |dump| object(dump, "_orphans"), "no object key has this path"),
    ("body with a name of no key", |dump| object(dump, "a\\b"), "no object key has this path"),
    (
        "record of an object that is none",
        |dump| dump.append("s3/bucket-one/KEYMAP.jsonl", "{}\n"),
        "it is not an object",
    ),
    (
        "record without an object",
        |dump| {
            let line = "{\"encoded\":\"x.elastickv-leaf-data\",\"original\":\"eA\",\"kind\":\"s3-leaf-data\"}\n";
            dump.append("s3/bucket-one/KEYMAP.jsonl", line);
        },
        "has no file",
    ),
    (
        "object with two files",
        |dump| {
            object(dump, "twice");
            object(dump, "twice.elastickv-leaf-data");
            let encoded =
                "{\"encoded\":\"twice.elastickv-leaf-data\",\"original\":\"dHdpY2U\",\"kind\":\"s3-leaf-data\"}\n";
            dump.append("s3/bucket-one/KEYMAP.jsonl", encoded);
        },
        "is the same object",
    ),
    ("link", |dump| symlink("_queue.json", dump.root().join("sqs/orders/link")).unwrap(), "link"),
    ("file in the root", |dump| dump.write("notes.txt", b"x"), UNKNOWN),
    ("directory in the root", |dump| dump.directory("ftp"), UNKNOWN),
    ("file beside databases", |dump| dump.write("redis/notes", b"x"), UNKNOWN),
    ("directory that is no database", |dump| dump.directory("redis/db_01"), UNKNOWN),
    ("file beside tables", |dump| dump.write("dynamodb/notes", b"x"), UNKNOWN),
    ("file beside buckets", |dump| dump.write("s3/notes", b"x"), UNKNOWN),
    ("file beside queues", |dump| dump.write("sqs/notes", b"x"), UNKNOWN),
    ("directory in a queue", |dump| dump.directory("sqs/orders/sub"), UNKNOWN),
    ("directory of a type that Redis has not", |dump| dump.directory("redis/db_0/blobs"), UNKNOWN),
    ("directory in a type", |dump| dump.directory("redis/db_0/strings/sub"), UNKNOWN),
];

const ACCEPTED: &[(&str, Edit)] = &[
    ("as it was written", |_| {}),
    ("leftover of the reference decoder", |dump| dump.directory(".scratch")),
    ("directory for raw records", |dump| dump.directory("_unknown")),
    ("raw records", |dump| dump.write("_unknown/x.jsonl", b"{\"key_b64\":\"\",\"commit_ts\":1,\"value_b64\":\"\"}\n")),
    ("directory without objects", |dump| dump.directory("s3/bucket-one/empty/dir")),
    ("key that was added", |dump| dump.write("redis/db_0/strings/new.bin", b"")),
    ("queue without messages", |dump| dump.remove("sqs/orders/messages.jsonl")),
    ("directory of items that was added", |dump| dump.directory("dynamodb/events.v2/items/b64.AAAA")),
    ("record that comes again", |dump| {
        let text = String::from_utf8(dump.read("redis/db_0/KEYMAP.jsonl")).unwrap();
        dump.append("redis/db_0/KEYMAP.jsonl", &text.clone());
    }),
];

const LOSS: &[u8] = b"{\"finding\":\"redis_invalid_string_value\",\"detail\":\"x\"}\n";
const EMPTY_SET: &[u8] = b"{\"format_version\":1,\"members\":[],\"expire_at_ms\":null}";

/// The first file below `directory` whose name is plain.
fn first(dump: &EditedDump<'_>, directory: &str, extension: &str) -> String {
    let files = read_files(dump.root());
    let is_plain = |path: &&String| {
        path.strip_prefix(directory)
            .and_then(|rest| rest.strip_suffix(extension))
            .is_some_and(|segment| segment.len() < 34)
    };
    files.keys().find(is_plain).unwrap().clone()
}

/// Adds an object of no bytes.
fn object(dump: &mut EditedDump<'_>, path: &str) {
    dump.write(&format!("s3/bucket-one/{path}"), b"");
    dump.write(&format!("s3/bucket-one/{path}.elastickv-meta.json"), b"{\"format_version\":1,\"size_bytes\":0}");
}

#[test]
fn what_verify_refuses_no_verb_reads() {
    let original = plain();
    let edits = REFUSED.iter();
    assert_none(
        edits
            .map(|(name, edit, text)| ((*name).to_owned(), Verdicts::of(&edited(&original, *edit)).not_refused(text)))
            .collect(),
    );
}

#[test]
fn what_verify_accepts_every_verb_reads() {
    let original = plain();
    let mut found: Vec<_> = ACCEPTED
        .iter()
        .map(|(name, edit)| ((*name).to_owned(), Verdicts::of(&edited(&original, *edit)).not_accepted()))
        .collect();
    found.push(("with all that can be asked for".to_owned(), Verdicts::of(&whole()).not_accepted()));
    assert_none(found);
}

/// The text of a file, which only the verbs that use it read.
fn is_about_text(error: &Error, path: &str) -> bool {
    let Some(error) = error.get_ref().downcast_ref::<ekv_files::Error>() else { return false };
    let names = |part: &[u8]| part.starts_with(path.as_bytes());
    matches!(error.content::<DumpFault>(), Some(DumpFault::Json(_) | DumpFault::Replay(_)))
        && error.location().path.as_deref().is_some_and(names)
}

/// One file of each kind: the first in each directory, and all that have a name of their own.
fn one_of_each_kind(dump: &Path) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let kind = |path: &str| {
        let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
        let is_sidecar = name.ends_with(".elastickv-meta.json");
        let has_own_name = directory.is_empty() || name.starts_with('_') || name.ends_with(".jsonl");
        (directory.to_owned(), is_sidecar, has_own_name.then(|| name.to_owned()))
    };
    let files = read_files(dump).into_keys();
    files.filter(|path| path != "MANIFEST.json" && path != "CHECKSUMS" && seen.insert(kind(path))).collect()
}

#[test]
fn every_kind_of_file_dropped_emptied_renamed_or_turned_into_a_directory_is_judged_alike() {
    let original = whole();
    type Edit = fn(&mut EditedDump<'_>, &str);
    let edits: [(&str, Edit); 5] = [
        ("dropped", |dump, path| dump.remove(path)),
        ("emptied", |dump, path| dump.write(path, b"")),
        ("renamed", |dump, path| {
            let content = dump.read(path);
            dump.remove(path);
            dump.write(&format!("{path}.x"), &content);
        }),
        ("copied", |dump, path| {
            let content = dump.read(path);
            dump.write(&format!("{path}.x"), &content);
        }),
        ("turned into a directory", |dump, path| {
            dump.remove(path);
            dump.directory(path);
        }),
    ];
    let paths = one_of_each_kind(&original.path("dump"));
    assert!(paths.len() > 20, "{paths:?}");
    let mut found = Vec::new();
    for path in &paths {
        for (name, edit) in edits {
            let dump = original.path("dump");
            let content = fs::read(dump.join(path)).unwrap();
            edit_dump(&dump, |dump| edit(dump, path));
            let verdicts = Verdicts::of(&original);
            let result = verdicts.encode();
            fs::remove_file(original.path("out.fsm")).unwrap_or_default();
            fs::remove_file(original.path("out.fsm.encode_info.json")).unwrap_or_default();
            for made in [path.clone(), format!("{path}.x")] {
                if dump.join(&made).exists() {
                    edit_dump(&dump, |dump| dump.remove(&made));
                }
            }
            fs::write(dump.join(path), content).unwrap();
            let fault = match (verdicts.problems.is_empty(), result) {
                (true, Err(error)) if !is_about_text(&error, path) => format!("only encode refuses it: {error}"),
                (false, Err(error)) if error.class() != Class::Data => error.to_string(),
                (false, Ok(())) => format!("only verify refuses it: {:?}", verdicts.problems),
                _ => continue,
            };
            found.push((format!("{path} {name}"), vec![fault]));
        }
    }
    assert_none(found);
}
