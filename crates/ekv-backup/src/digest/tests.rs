use ekv_dump::TreeOptions;
use ekv_dump::manifest::DynamodbLayout;
use ekv_dump::replay::{Checking, ReplayOptions, read_manifest};
use ekv_files::sink::{DirOptions, Fsync};
use ekv_model::redis::{CollectionKind, Element, Event as RedisEvent, ScalarKind};
use ekv_model::s3::{Bucket, Object};
use ekv_model::{InMemory, Map, redis, s3};
use ekv_spill::SystemScratch;
use ekv_testkit::fixtures::{ALL_3, SNAPSHOTS};
use std::sync::Arc;

use super::*;
use crate::pipe::Events as _;
use crate::{
    DecodeOptions, DumpEvents, DumpTarget, EventOptions, NoProgress, Phase, Protocol, ReadOptions, Resources, Store,
    StoreEvents,
};

fn scratch() -> Arc<dyn Scratch> {
    Arc::new(SystemScratch::new())
}

fn differences(first: Digests, second: Digests) -> Vec<(String, Part, Difference)> {
    let mut found = Vec::new();
    first.compare(second, |thing, difference| found.push((thing.name.to_string(), thing.part, difference))).unwrap();
    found
}

fn digests_of(events: &[Event<'_>]) -> Digests {
    let mut digester = Digester::new(&scratch(), Sequences::Stated);
    events.iter().for_each(|event| digester.event(*event).unwrap());
    digester.finish().unwrap()
}

#[test]
fn snapshot_and_its_dump_have_the_same_digests_in_every_layout() {
    let dir = tempfile::tempdir().unwrap();
    let (snapshot, unsynced) =
        (dir.path().join("snapshot.fsm"), DirOptions { fsync: Fsync::None, ..DirOptions::default() });
    for (known, dynamodb_layout) in SNAPSHOTS
        .iter()
        .map(|known| (known, DynamodbLayout::PerItem))
        .chain([(&ALL_3, DynamodbLayout::PerItem), (&ALL_3, DynamodbLayout::Jsonl)])
    {
        std::fs::write(&snapshot, known.bytes()).unwrap();
        let tree = TreeOptions {
            dynamodb_layout,
            extended: true,
            sqs_visibility: ekv_dump::SqsVisibility::Keep,
            ..TreeOptions::default()
        };
        let options = DecodeOptions { tree, ..DecodeOptions::default() };
        let dump = tempfile::tempdir().unwrap();
        let dump = dump.path().join("dump");
        crate::decode(&snapshot, DumpTarget::directory(&dump, unsynced), &options, &NoProgress).unwrap();

        let store = Store::open(&snapshot, &ReadOptions::default(), &NoProgress).unwrap();
        let mut of_store = Digester::new(&scratch(), Sequences::Stated);
        let wanted = EventOptions::default();
        let mut events = StoreEvents::of(&store, &wanted, &NoProgress).unwrap();
        events.pour(&mut of_store, Phase::Decode, &scratch(), &NoProgress).unwrap();
        let mut of_dump = Digester::new(&scratch(), Sequences::Stated);
        let mut source = crate::open_dump(&dump, &Resources::DEFAULT).unwrap();
        let replay_options = ReplayOptions {
            included: Map::only(&Protocol::ALL),
            scope: Arc::default(),
            checking: Checking::All,
            memory_budget: 1 << 20,
        };
        let manifest = read_manifest(source.as_mut(), &scratch()).unwrap().manifest;
        let mut events = DumpEvents::of(source.as_mut(), &manifest, replay_options);
        events.pour(&mut of_dump, Phase::Encode, &scratch(), &NoProgress).unwrap();
        let (of_store, of_dump) = (of_store.finish().unwrap(), of_dump.finish().unwrap());
        assert_eq!(differences(of_store, of_dump), [], "{} {dynamodb_layout:?}", known.name);
    }
}

#[test]
fn differences_are_named_by_address_and_come_in_its_order() {
    let set = |key: &'static [u8], members: &'static [&'static [u8]]| {
        let begin = RedisEvent::Begin { kind: CollectionKind::Set, key, expire_at_ms: None, commit_ts: 0, size: None };
        let members = members.iter().map(|member| RedisEvent::Element(Element::Member(member)));
        let events = [begin].into_iter().chain(members).chain([RedisEvent::End]);
        events.map(|event| Event::Redis { database: 0, event }).collect::<Vec<_>>()
    };
    let first = [set(b"b", &[b"1", b"2"]), set(b"", &[b"x"])].concat();
    let second = [set(b"a b", &[]), set(b"b", &[b"12"]), set(b"", &[b"x"])].concat();
    let expected = [
        ("redis:0/a%20b".to_owned(), Part::Itself, Difference::OnlySecond),
        ("redis:0/b".to_owned(), Part::Itself, Difference::Contents),
    ];
    assert_eq!(differences(digests_of(&first), digests_of(&second)), expected);
    assert_eq!(differences(digests_of(&first), digests_of(&first)), []);
}

#[test]
fn kind_expiry_and_borders_of_elements_count_and_the_pattern_of_nan_does_not() {
    let scalar = |kind, expire: Option<u64>| {
        let origin = redis::ExpiryOrigin::Inline;
        let expiry = expire.map(|at_ms| redis::Expiry { at_ms, origin });
        let event = RedisEvent::Scalar { kind, key: b"k", body: Body::Inline(b"v"), expiry, commit_ts: 0 };
        vec![Event::Redis { database: 0, event }]
    };
    let list = |items: &[&'static [u8]]| {
        let begin =
            RedisEvent::Begin { kind: CollectionKind::List, key: b"k", expire_at_ms: None, commit_ts: 0, size: None };
        let items = items.iter().map(|item| RedisEvent::Element(Element::Item(Body::Inline(item))));
        let events = [begin].into_iter().chain(items).chain([RedisEvent::End]);
        events.map(|event| Event::Redis { database: 0, event }).collect()
    };
    let zset = |score| {
        let begin =
            RedisEvent::Begin { kind: CollectionKind::ZSet, key: b"k", expire_at_ms: None, commit_ts: 0, size: None };
        let scored = RedisEvent::Element(Element::Scored { member: b"m", score });
        [begin, scored, RedisEvent::End].map(|event| Event::Redis { database: 0, event }).to_vec()
    };
    let all: Vec<Vec<Event<'_>>> = vec![
        scalar(ScalarKind::String, None),
        scalar(ScalarKind::Hll, None),
        scalar(ScalarKind::String, Some(0)),
        scalar(ScalarKind::String, Some(1)),
        list(&[b"ab"]),
        list(&[b"a", b"b"]),
        list(&[b"ab", b""]),
        zset(0.0),
        zset(-0.0),
        zset(f64::NAN),
    ];
    for (at, first) in all.iter().enumerate() {
        for (other, second) in all.iter().enumerate() {
            assert_eq!(differences(digests_of(first), digests_of(second)).is_empty(), at == other, "{at} {other}");
        }
    }
    assert_eq!(differences(digests_of(&zset(f64::NAN)), digests_of(&zset(-f64::NAN))), []);
}

/// Reads the body of an object, or part of it, in pieces of an odd size.
struct Reader(u64);

impl Consumer for Reader {
    fn event(&mut self, event: Event<'_>) -> Result<()> {
        let Event::S3(s3::Event::Object(object)) = event else { return Ok(()) };
        let Body::Streamed(source) = object.body else { return Ok(()) };
        let mut at = 0;
        while at < self.0.min(source.len()) {
            let len = 7.min(source.len() - at);
            source.read_exact_at(at, &mut vec![0; usize::try_from(len).unwrap()])?;
            at += len;
        }
        Ok(())
    }
}

#[test]
fn content_is_hashed_while_somebody_else_reads_it_and_to_its_end() {
    let (content, other) = (vec![1; 200_000], [vec![1; 199_999], vec![2]].concat());
    let metadata = std::collections::BTreeMap::new();
    let digests = |content: &[u8], is_streamed: bool, reads: Option<u64>| {
        let source = InMemory(content);
        let object = Object {
            key: b"o",
            etag: "",
            last_modified_hlc: 0,
            commit_ts: 0,
            content_type: "",
            content_encoding: "",
            cache_control: "",
            content_disposition: "",
            user_metadata: &metadata,
            body: if is_streamed { Body::Streamed(&source) } else { Body::Inline(content) },
        };
        let mut reader = Reader(reads.unwrap_or(0));
        let mut digester = match reads {
            Some(_) => Digester::before(&scratch(), Sequences::Stated, &mut reader),
            None => Digester::new(&scratch(), Sequences::Stated),
        };
        digester.event(Event::S3(s3::Event::Begin(Bucket { name: "b", record: None }))).unwrap();
        digester.event(Event::S3(s3::Event::Object(object))).unwrap();
        digester.finish().unwrap()
    };
    for reads in [None, Some(0), Some(70_000), Some(u64::MAX)] {
        assert_eq!(differences(digests(&content, false, None), digests(&content, true, reads)), [], "{reads:?}");
        let expected = [("s3:b/o".to_owned(), Part::Itself, Difference::Contents)];
        assert_eq!(differences(digests(&other, false, None), digests(&content, true, reads)), expected, "{reads:?}");
    }
}
