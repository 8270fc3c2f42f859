//! Dumps in memory that are edited by hand, and what a replay makes of them.

use ekv_testkit::selection;
use std::cell::Cell;
use std::sync::Arc;

use ekv_files::checksums::{CHECKSUMS_FILE, write_line};
use ekv_files::sink::{MemoryDump, MemoryEntries, MemorySink};
use ekv_files::source::MemorySource;
use ekv_model::redis::{CollectionKind, Element, Event as RedisEvent, Expiry, ExpiryOrigin, ScalarKind, StreamId};
use ekv_model::{Body, Cancelled, Consumer, Event, Map, Monitor, NoMonitor, Protocol};
use ekv_spill::{Scratch, SystemScratch};
use sha2::{Digest, Sha256};

use super::*;
use crate::manifest::{Adapters, DynamodbLayout, Exclusions, Manifest, Origin, SnapshotOrigin};
use crate::{DumpWriter, TreeOptions, TreeTarget};

pub(crate) fn scratch() -> Arc<dyn Scratch> {
    Arc::new(SystemScratch::new())
}

pub(crate) fn manifest() -> Manifest {
    Manifest {
        elastickv_version: "ekv-backup/0.1.0".to_owned(),
        cluster_id: String::new(),
        snapshot_index: 0,
        last_commit_ts: 7 << 16,
        wall_time_iso: "2026-11-22T15:45:07Z".to_owned(),
        origin: Origin::Snapshot(SnapshotOrigin::default()),
        adapters: Adapters::default().with(Protocol::Redis, ["0"]),
        exclusions: Exclusions::default(),
        dynamodb_layout: DynamodbLayout::default(),
    }
}

/// A dump whose files can be changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dump {
    pub(crate) entries: MemoryEntries,
}

impl Dump {
    /// The dump of these events.
    pub(crate) fn of(events: &[RedisEvent<'_>]) -> Self {
        Dump::sent(&manifest(), |target| {
            for event in events {
                target.event(Event::Redis { database: 0, event: *event }).unwrap();
            }
        })
    }

    /// The dump of the events that `send` sends.
    pub(crate) fn sent(manifest: &Manifest, send: impl FnOnce(&mut dyn Consumer)) -> Self {
        let options = TreeOptions { dynamodb_layout: manifest.dynamodb_layout, ..TreeOptions::default() };
        Dump::sent_with(manifest, options, send)
    }

    /// As [`Dump::sent`], with other files than those of the default.
    pub(crate) fn sent_with(manifest: &Manifest, options: TreeOptions, send: impl FnOnce(&mut dyn Consumer)) -> Self {
        let memory = MemoryDump::new();
        let writer = DumpWriter::new(Box::new(MemorySink::new(&memory)));
        let mut target = TreeTarget::with_options(writer, options);
        send(&mut target);
        let (writer, _) = target.finish().unwrap();
        writer.finish(&manifest.to_bytes::<()>(None).unwrap()).unwrap();
        Dump { entries: memory.entries().unwrap() }
    }

    /// Changes or adds a file, with the directories above it. CHECKSUMS stays as it is.
    pub(crate) fn with(mut self, path: &str, content: &[u8]) -> Self {
        let mut directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
        while !directory.is_empty() {
            self.entries.entry(directory.as_bytes().to_vec()).or_insert(None);
            directory = directory.rsplit_once('/').map_or("", |(directory, _)| directory);
        }
        self.entries.insert(path.as_bytes().to_vec(), Some(content.to_vec()));
        self
    }

    /// Removes a file or directory. CHECKSUMS stays as it is.
    pub(crate) fn without(mut self, path: &str) -> Self {
        assert!(self.entries.remove(path.as_bytes()).is_some(), "{path}");
        self
    }

    pub(crate) fn file(&self, path: &str) -> &[u8] {
        self.entries.get(path.as_bytes()).unwrap_or_else(|| panic!("{path}")).as_deref().unwrap()
    }

    /// Replaces a text in a file. CHECKSUMS stays as it is.
    pub(crate) fn edited(self, path: &str, from: &str, to: &str) -> Self {
        let text = String::from_utf8(self.file(path).to_vec()).unwrap();
        assert!(text.contains(from), "{from:?} is not in {text}");
        self.with(path, text.replacen(from, to, 1).as_bytes())
    }

    /// Makes CHECKSUMS fit the files.
    pub(crate) fn signed(mut self) -> Self {
        self.entries.remove(CHECKSUMS_FILE.as_bytes());
        let mut out = Vec::new();
        for (path, content) in &self.entries {
            if let Some(content) = content {
                write_line(&Sha256::digest(content).into(), path, &mut out);
            }
        }
        self.with(CHECKSUMS_FILE, &out)
    }

    pub(crate) fn replay_with(&self, options: &ReplayOptions) -> Result<(Vec<String>, Replayed)> {
        let mut recorder = Recorder::default();
        let replayed = self.replay_to(options, &mut recorder)?;
        Ok((recorder.0, replayed))
    }

    pub(crate) fn replay_to(&self, options: &ReplayOptions, target: &mut dyn Consumer) -> Result<Replayed> {
        let mut source = MemorySource::new(self.entries.clone());
        replay(&mut source, &scratch(), options, target, &ReadPosition::default(), &NoMonitor)
    }

    /// The events, one text each.
    pub(crate) fn replay(&self) -> Result<Vec<String>> {
        Ok(self.replay_with(&options())?.0)
    }

    pub(crate) fn error(&self) -> String {
        self.replay().unwrap_err().to_string()
    }
}

pub(crate) fn options() -> ReplayOptions {
    let included = Map::only(&[Protocol::Redis]);
    ReplayOptions { included, scope: Arc::default(), checking: Checking::All, memory_budget: 1 << 16 }
}

/// Keeps events as texts.
#[derive(Default)]
pub(crate) struct Recorder(pub(super) Vec<String>);

impl Consumer for Recorder {
    fn event(&mut self, event: Event<'_>) -> ekv_model::Result<()> {
        let Event::Redis { database: 0, event } = event else { panic!("{event:?}") };
        self.0.push(shown(&event)?);
        Ok(())
    }
}

/// An event as a text, bodies in full.
pub(crate) fn shown(event: &RedisEvent<'_>) -> ekv_model::Result<String> {
    let whole = |body: &Body<'_>| -> ekv_model::Result<String> {
        let mut bytes = Vec::new();
        body.for_each_chunk(|chunk| {
            bytes.extend_from_slice(chunk);
            Ok(())
        })?;
        Ok(bytes.escape_ascii().to_string())
    };
    Ok(match event {
        RedisEvent::Scalar { kind, key, body, expiry, .. } => {
            let at_ms = expiry.map(|expiry| expiry.at_ms);
            format!("{kind:?} {} = {} {at_ms:?}", key.escape_ascii(), whole(body)?)
        }
        RedisEvent::Begin { kind, key, expire_at_ms, .. } => {
            format!("{kind:?} {} {expire_at_ms:?}", key.escape_ascii())
        }
        RedisEvent::Element(Element::Field { name, value }) => {
            format!(" field {} = {}", name.escape_ascii(), whole(value)?)
        }
        RedisEvent::Element(Element::Item(value)) => format!(" item {}", whole(value)?),
        RedisEvent::Element(Element::Member(member)) => format!(" member {}", member.escape_ascii()),
        RedisEvent::Element(Element::Scored { member, score }) => {
            format!(" {} scores {score:?}", member.escape_ascii())
        }
        RedisEvent::Element(Element::EntryBegin(id)) => format!(" entry {}-{}", id.ms, id.seq),
        RedisEvent::Element(Element::EntryField { name, value }) => format!("  {} = {}", whole(name)?, whole(value)?),
        RedisEvent::Element(Element::EntryEnd) => " end of entry".to_owned(),
        RedisEvent::End => "end".to_owned(),
    })
}

pub(crate) fn string<'a>(key: &'a [u8], body: &'a [u8], at_ms: Option<u64>) -> RedisEvent<'a> {
    scalar(ScalarKind::String, key, body, at_ms)
}

pub(crate) fn scalar<'a>(kind: ScalarKind, key: &'a [u8], body: &'a [u8], at_ms: Option<u64>) -> RedisEvent<'a> {
    let expiry = at_ms.map(|at_ms| Expiry { at_ms, origin: ExpiryOrigin::Inline });
    RedisEvent::Scalar { kind, key, body: Body::Inline(body), expiry, commit_ts: 0 }
}

pub(crate) fn begin(kind: CollectionKind, key: &[u8], expire_at_ms: Option<u64>) -> RedisEvent<'_> {
    RedisEvent::Begin { kind, key, expire_at_ms, commit_ts: 0, size: None }
}

pub(crate) fn field<'a>(name: &'a [u8], value: &'a [u8]) -> RedisEvent<'a> {
    RedisEvent::Element(Element::Field { name, value: Body::Inline(value) })
}

pub(crate) fn item(value: &[u8]) -> RedisEvent<'_> {
    RedisEvent::Element(Element::Item(Body::Inline(value)))
}

pub(crate) fn member(member: &[u8]) -> RedisEvent<'_> {
    RedisEvent::Element(Element::Member(member))
}

pub(crate) fn scored(member: &[u8], score: f64) -> RedisEvent<'_> {
    RedisEvent::Element(Element::Scored { member, score })
}

pub(crate) fn id(ms: u64, seq: u64) -> StreamId {
    StreamId { ms, seq }
}

pub(crate) fn entry(ms: u64, seq: u64) -> RedisEvent<'static> {
    RedisEvent::Element(Element::EntryBegin(id(ms, seq)))
}

pub(crate) fn entry_field<'a>(name: &'a [u8], value: &'a [u8]) -> RedisEvent<'a> {
    RedisEvent::Element(Element::EntryField { name: Body::Inline(name), value: Body::Inline(value) })
}

pub(crate) const ENTRY_END: RedisEvent<'static> = RedisEvent::Element(Element::EntryEnd);
pub(crate) const END: RedisEvent<'static> = RedisEvent::End;

/// A dump with a key of each type, in the order of a replay.
pub(crate) fn sample() -> Vec<RedisEvent<'static>> {
    let stream = CollectionKind::Stream { last: id(10, 9) };
    vec![
        begin(CollectionKind::Hash, b"h", Some(5)),
        field(b"", b"<e>"),
        field(b"a", b"1"),
        field(b"\xff", b"\0\xff"),
        END,
        scalar(ScalarKind::Hll, b"p", b"\0RS\x01", Some(77)),
        begin(CollectionKind::List, b"l", None),
        item(b"z"),
        item(b"a"),
        item(b"\x80"),
        END,
        begin(CollectionKind::Set, b"s", None),
        member(b"x"),
        member(b"y"),
        END,
        begin(CollectionKind::Stream { last: id(0, 0) }, b"e", Some(1)),
        END,
        begin(stream, b"x", None),
        entry(2, 0),
        entry_field(b"k", b"v"),
        entry_field(b"k", b""),
        ENTRY_END,
        entry(10, 0),
        ENTRY_END,
        END,
        string(b"a/b", b"hi", Some(0)),
        string(b"b", b"\xff\x01", None),
        begin(CollectionKind::ZSet, b"z", Some(crate::expiry::EXPIRE_AT_MS_MAX)),
        scored(b"m", 1.5),
        scored(b"n", f64::NEG_INFINITY),
        scored(b"o", -0.0),
        END,
    ]
}

#[test]
fn another_database_in_the_manifest_must_be_there() {
    for listed in ["1", "0, 1"] {
        let dump = Dump::of(&sample()).edited(MANIFEST_FILE, "0\n      ]", &format!("{listed}\n      ]")).signed();
        assert_eq!(dump.error(), "redis/db_1: the manifest lists it, but there is no such directory");
    }
}

#[test]
fn directory_of_a_protocol_that_the_manifest_leaves_out_is_refused() {
    let dump = Dump::of(&sample()).edited(MANIFEST_FILE, "\"redis\"", "\"other\"").signed();
    let refused = "redis: the manifest says that this was left out, yet it is there";
    assert_eq!(dump.error(), refused);
    // Nor is it passed over where nobody asks for it.
    let options = ReplayOptions { included: Map::default(), ..options() };
    assert_eq!(dump.replay_with(&options).err().unwrap().to_string(), refused);
}

#[test]
fn every_flipped_bit_of_a_dump_is_refused() {
    let stream = CollectionKind::Stream { last: id(9, 0) };
    let dump = Dump::of(&[
        begin(CollectionKind::Hash, b"h", Some(5)),
        field(b"a", b"1"),
        END,
        begin(stream, b"x", None),
        entry(2, 0),
        entry_field(b"k", b"v"),
        ENTRY_END,
        END,
        string(b"a/b", b"hi", Some(8)),
    ]);
    dump.replay().unwrap();
    let mut flips = 0;
    for (path, content) in &dump.entries {
        let Some(content) = content else { continue };
        for at in 0..content.len() {
            let mut changed = content.clone();
            changed[at] ^= 1 << (at % 8);
            let path = std::str::from_utf8(path).unwrap();
            let error = dump.clone().with(path, &changed).replay();
            assert!(error.is_err(), "{path}, byte {at}");
            flips += 1;
        }
    }
    assert!(flips > 500, "{flips}");
}

#[test]
fn changed_files_are_named_before_what_they_say_makes_no_sense() {
    let dump = Dump::of(&sample());
    let error = dump.clone().edited("redis/db_0/hashes/h.json", "fields", "felds").error();
    assert!(
        error.starts_with(
            "redis/db_0/hashes/h.json: the contents do not match CHECKSUMS; then: redis/db_0/hashes/h.json, line 3"
        ),
        "{error}"
    );
    let error = dump.clone().with("redis/db_0/strings/b.bin", b"other").error();
    assert_eq!(error, "redis/db_0/strings/b.bin: the contents do not match CHECKSUMS");
    let error = dump.clone().with("redis/db_0/strings/new.bin", b"new").error();
    assert_eq!(error, "redis/db_0/strings/new.bin: CHECKSUMS does not list it");
    let error = dump.without("redis/db_0/strings/b.bin").error();
    assert_eq!(error, "redis/db_0/strings/b.bin: CHECKSUMS lists it, but there is no such file");
}

#[test]
fn unknown_entries_are_refused_at_every_level() {
    let dump = Dump::of(&sample());
    for (path, message) in [
        ("notes.txt", "notes.txt: nothing in a dump has this name: expected MANIFEST.json"),
        ("ftp/a", "ftp: nothing in a dump has this name: expected MANIFEST.json"),
        ("redis/notes", "redis/notes: nothing in a dump has this name: expected the directory db_0"),
        ("redis/db_01/strings/a.bin", "redis/db_01: nothing in a dump has this name: expected the directory db_0"),
        ("redis/db_0/notes", "redis/db_0/notes: nothing in a dump has this name: expected KEYMAP.jsonl"),
        ("redis/db_0/blobs/a", "redis/db_0/blobs: nothing in a dump has this name: expected KEYMAP.jsonl"),
        (
            "redis/db_0/strings/a.txt",
            "redis/db_0/strings/a.txt: nothing in a dump has this name: expected names that end in .bin",
        ),
        (
            "redis/db_0/hashes/a.jsonl",
            "redis/db_0/hashes/a.jsonl: nothing in a dump has this name: expected names that end in .json",
        ),
        (
            "redis/db_0/strings/sub/a.bin",
            "redis/db_0/strings/sub: nothing in a dump has this name: expected files only",
        ),
    ] {
        let error = dump.clone().with(path, b"x").signed().error();
        assert!(error.starts_with(message), "{path}: {error}");
    }
}

#[test]
fn adapters_that_are_not_asked_for_need_only_be_there() {
    let dump = Dump::of(&sample()).edited(MANIFEST_FILE, "\"redis\"", "\"s3\": {}, \"redis\"");
    let dump = dump.with("s3/b/_bucket.json", b"{}").with("_unknown/fs.jsonl", b"{}\n").signed();
    let (events, replayed) = dump.replay_with(&options()).unwrap();
    assert_eq!(events.len(), sample().len());
    assert_eq!(replayed.totals.files_left_out, 2);
    let dump = dump.with("s3/b/_bucket.json", b"changed");
    dump.replay().unwrap();
    assert!(dump.clone().with("s3/b/new", b"").error().ends_with("CHECKSUMS does not list it"));
    assert!(dump.without("s3/b/_bucket.json").error().ends_with("but there is no such file"));
}

#[test]
fn scopes_that_the_manifest_lists_must_be_there() {
    let dump = Dump::of(&[]);
    assert_eq!(dump.error(), "redis/db_0: the manifest lists it, but there is no such directory");
    let listed = |databases: &[&str]| {
        let adapters = Adapters::default().with(Protocol::Redis, databases);
        let manifest = Manifest { adapters, ..manifest() }.to_bytes::<()>(None).unwrap();
        dump.clone().with("MANIFEST.json", &manifest).signed()
    };
    assert_eq!(listed(&[]).replay().unwrap(), Vec::<String>::new());
    assert_eq!(listed(&["1"]).error(), "redis/db_1: the manifest lists it, but there is no such directory");
}

#[test]
fn directories_without_manifest_or_checksums_are_no_dump() {
    let dump = Dump::of(&sample());
    assert_eq!(dump.clone().without("MANIFEST.json").error(), "this is no complete dump: it has no MANIFEST.json");
    assert_eq!(dump.clone().without("CHECKSUMS").error(), "this is no complete dump: it has no CHECKSUMS");
    assert!(dump.with("CHECKSUMS", b"").error().starts_with("CHECKSUMS, line 1: the file is empty"));
}

#[test]
fn selected_keys_alone_are_read_and_the_rest_need_only_be_there() {
    let dump = Dump::of(&sample());
    let selection = selection([b"h".to_vec()], [b"a/".to_vec()]);
    let options = ReplayOptions { scope: selection, ..options() };
    let changed = dump.clone().with("redis/db_0/strings/b.bin", b"changed");
    let (events, replayed) = changed.replay_with(&options).unwrap();
    assert_eq!(events.len(), 6);
    assert_eq!((events[0].as_str(), events[5].as_str()), ("Hash h Some(5)", "String a/b = hi Some(0)"));
    assert_eq!((replayed.totals.files, replayed.totals.files_left_out), (5, 7));
}

#[test]
fn errors_of_the_target_name_the_file_and_line_of_the_event() {
    struct Refuses;
    impl Consumer for Refuses {
        fn event(&mut self, event: Event<'_>) -> ekv_model::Result<()> {
            match event {
                Event::Redis { event: RedisEvent::Element(Element::Field { name: b"\xff", .. }), .. } => {
                    Err(ekv_model::Error::new(ekv_model::Class::Data, "no"))
                }
                _ => Ok(()),
            }
        }
    }
    let mut source = MemorySource::new(Dump::of(&sample()).entries);
    let place = ReadPosition::default();
    let error = replay(&mut source, &scratch(), &options(), &mut Refuses, &place, &NoMonitor).err().unwrap();
    assert_eq!(error.to_string(), "redis/db_0/hashes/h.json, line 12: no");
    assert_eq!(place.location().line, Some(12));
}

#[test]
fn the_monitor_can_stop_a_replay_and_its_wish_is_the_error_that_counts() {
    struct StopAt(u32, Cell<u32>);
    impl Monitor for StopAt {
        fn advance(&self, _: u64) -> Result<(), Cancelled> {
            self.1.set(self.1.get() + 1);
            if self.1.get() < self.0 { Ok(()) } else { Err(Cancelled) }
        }
    }
    for stop_at in [1, 2, 5] {
        let mut source = MemorySource::new(Dump::of(&sample()).entries);
        let monitor = StopAt(stop_at, Cell::new(0));
        let mut recorder = Recorder::default();
        let error = replay(&mut source, &scratch(), &options(), &mut recorder, &ReadPosition::default(), &monitor);
        let error = error.err().unwrap();
        assert_eq!(
            (error.to_string().as_str(), error.class()),
            ("cancelled", ekv_model::Class::Cancelled),
            "{stop_at}"
        );
    }
}
