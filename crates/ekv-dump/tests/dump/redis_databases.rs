//! Two Redis databases in one dump. Source: `docs/format/redis.md`, section 1.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests may panic")]

use ekv_dump::{DumpWriter, TreeTarget};
use ekv_files::sink::{MemoryDump, MemorySink};
use ekv_model::redis::{CollectionKind, Element, Event, Expiry, ExpiryOrigin, ScalarKind};
use ekv_model::{Body, Consumer, Event as ModelEvent};

fn string<'a>(key: &'a [u8], body: &'a [u8]) -> Event<'a> {
    let expiry = Some(Expiry { at_ms: 7, origin: ExpiryOrigin::Inline });
    Event::Scalar { kind: ScalarKind::String, key, body: Body::Inline(body), expiry, commit_ts: 0 }
}

#[test]
fn two_databases_under_one_root_share_no_file_and_no_line() {
    let dump = MemoryDump::new();
    let mut target = TreeTarget::new(DumpWriter::new(Box::new(MemorySink::new(&dump))));
    let mut send = |database, event| target.event(ModelEvent::Redis { database, event }).unwrap();
    send(1, string(b"k", b"of one"));
    send(10, string(b"k", b"of ten"));
    send(1, Event::Begin { kind: CollectionKind::Set, key: b"b64.s", expire_at_ms: None, commit_ts: 0, size: None });
    send(1, Event::Element(Element::Member(b"m")));
    send(1, Event::End);
    send(10, string(b"only in ten", b""));
    let (writer, _) = target.finish().unwrap();
    writer.finish(b"{}").unwrap();

    let entries = dump.entries().unwrap();
    let files: Vec<String> = entries
        .iter()
        .filter(|(path, content)| content.is_some() && path.starts_with(b"redis/"))
        .map(|(path, _)| path.escape_ascii().to_string())
        .collect();
    assert_eq!(
        files,
        [
            "redis/db_1/KEYMAP.jsonl",
            "redis/db_1/sets/f9d71fc140fd60f5084e2f41f9391e4f__b64.s.json",
            "redis/db_1/strings/k.bin",
            "redis/db_1/strings_ttl.jsonl",
            "redis/db_10/strings/k.bin",
            "redis/db_10/strings/only%20in%20ten.bin",
            "redis/db_10/strings_ttl.jsonl",
        ]
    );
    let content = |path: &str| entries[path.as_bytes()].as_deref().unwrap();
    assert_eq!(content("redis/db_1/strings/k.bin"), b"of one");
    assert_eq!(content("redis/db_10/strings/k.bin"), b"of ten");
    let lines = |path: &str| content(path).split(|byte| *byte == b'\n').count() - 1;
    assert_eq!((lines("redis/db_1/strings_ttl.jsonl"), lines("redis/db_10/strings_ttl.jsonl")), (1, 2));
}
