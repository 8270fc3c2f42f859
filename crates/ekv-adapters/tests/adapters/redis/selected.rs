//! What a scope selects: reading less gives the same as reading everything and leaving the rest out.

use std::collections::BTreeSet;
use std::sync::Arc;

use ekv_adapters::{Family, Outcome, Router, Run, Tally, dynamodb, redis, s3, sqs};
use ekv_model::{Consumer, Event, Filtered, Kind, NoMonitor, Protocol, Result, Scope, Things};
use ekv_snapshot::{Input, RecordFile, Scan, ScanOptions, View, scan};
use ekv_spill::{Scratch, SystemScratch};
use ekv_testkit::redis::{RedisRecords, Wide, key, value};
use ekv_testkit::{FaultyInput, ReadFault, fixtures, input_of, memory_input};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// Writes down every event, and the names in them.
#[derive(Default)]
struct Log {
    events: Vec<String>,
    names: BTreeSet<String>,
    container: String,
}

impl Log {
    fn name(&mut self, key: &[u8]) {
        self.names.insert(format!("{}{}", self.container, ekv_model::Part { bytes: key, is_slash_escaped: false }));
    }

    fn enter(&mut self, container: &[u8]) {
        self.container = format!("{}/", ekv_model::Part { bytes: container, is_slash_escaped: true });
        self.names.insert(self.container.clone());
    }
}

impl Consumer for Log {
    fn event(&mut self, event: Event<'_>) -> Result<()> {
        self.events.push(format!("{event:?}"));
        match event {
            Event::Redis { event: ekv_model::redis::Event::Scalar { key, .. }, .. }
            | Event::Redis { event: ekv_model::redis::Event::Begin { key, .. }, .. } => {
                self.container.clear();
                self.name(key);
            }
            Event::DynamoDb(ekv_model::dynamodb::Event::TableBegin(table)) => self.enter(table.name.as_bytes()),
            Event::DynamoDb(ekv_model::dynamodb::Event::ItemBegin { key, .. }) => self.name(key.hash.bytes),
            Event::S3(ekv_model::s3::Event::Begin(bucket)) => self.enter(bucket.name.as_bytes()),
            Event::S3(ekv_model::s3::Event::Object(object)) => self.name(object.key),
            Event::Sqs(ekv_model::sqs::Event::Queue(queue)) => self.enter(&queue.name),
            Event::Sqs(ekv_model::sqs::Event::Message(message)) => self.name(message.message_id.as_bytes()),
            _ => {}
        }
        Ok(())
    }
}

/// A snapshot after pass 1.
struct Opened {
    scan: Scan,
    view: View,
}

impl Opened {
    fn of(input: &Input) -> Self {
        let scratch: Arc<dyn Scratch> = Arc::new(SystemScratch::new());
        let (scan, file): (Scan, RecordFile) =
            scan(input, &ScanOptions::default(), &mut Router::default(), &scratch, &NoMonitor).unwrap();
        let view = View::of_file(&file, scan.effective_last_commit_ts);
        Opened { scan, view }
    }

    /// Runs the adapters that `scope` includes.
    fn run(&self, scope: &Scope, consumer: &mut dyn Consumer) -> Tally {
        let scratch: Arc<dyn Scratch> = Arc::new(SystemScratch::new());
        let mut run = Run::new(&self.view, &self.scan.families, consumer, &NoMonitor, scratch);
        run.select(Arc::new(scope.clone()));
        if scope.includes(Protocol::DynamoDb) {
            dynamodb::decode(&mut run).unwrap();
        }
        if scope.includes(Protocol::S3) {
            s3::decode(&mut run, &s3::Options::default(), &[]).unwrap();
        }
        if scope.includes(Protocol::Redis) {
            redis::decode(&mut run, &redis::Options::default()).unwrap();
        }
        if scope.includes(Protocol::Sqs) {
            sqs::decode(&mut run, &sqs::Options::default()).unwrap();
        }
        run.into_books().0
    }

    /// What is read with a scope is what is left of everything; returns the number of events.
    fn check(&self, scope: &Scope) -> usize {
        let (mut narrowed, mut filtered) = (Log::default(), Log::default());
        let tally = self.run(scope, &mut narrowed);
        self.run(&Scope::everything(), &mut Filtered::new(scope, 0, &mut filtered));
        assert_eq!(narrowed.events, filtered.events, "{}", scope.describe(&Protocol::IN_DUMPS));
        for family in Family::ALL {
            let Some(owner) = family.owner().protocol() else { continue };
            if scope.includes(owner) {
                let visible = self.scan.families.get(family.number()).map_or(0, |totals| totals.visible);
                assert_eq!(
                    tally.of(*family).total(),
                    visible,
                    "{} {}",
                    family.name(),
                    scope.describe(&Protocol::IN_DUMPS)
                );
            }
        }
        narrowed.events.len()
    }
}

/// Filters made of names that are there, of parts of them and of others.
fn scope_of(names: &[String], seed: &[(u8, usize, usize)]) -> Scope {
    let mut scope = Scope::everything();
    for (what, at, cut) in seed {
        let name = &names[at % names.len()];
        // Escapes are cut as a whole.
        let mut len = cut % (name.len() + 1);
        while !name.is_char_boundary(len) || name[..len].bytes().rev().take(2).any(|byte| byte == b'%') {
            len -= 1;
        }
        let (front, rest) = name.split_at(len);
        match what % 8 {
            0 | 1 => scope.add_key(name.as_bytes(), false).unwrap(),
            2 | 3 if !front.is_empty() => scope.add_prefix(front.as_bytes(), false).unwrap(),
            4 => scope.add_match(format!("*{rest}").as_bytes(), false).unwrap(),
            5 => scope.add_match(format!("{front}*").as_bytes(), false).unwrap(),
            6 => scope.add_exclude(format!("{front}*").as_bytes(), false).unwrap(),
            7 => (0..3).for_each(|n| scope.add_kind(Kind::ALL[(at + n * cut) % Kind::ALL.len()])),
            _ => {}
        }
    }
    scope
}

#[test]
fn reading_what_is_selected_gives_what_is_left_of_everything() {
    for (fixture, cases) in [(&fixtures::REDIS_1, 24), (&fixtures::ALL_3, 8)] {
        let opened = Opened::of(&memory_input(fixture.bytes()));
        let mut all = Log::default();
        opened.run(&Scope::everything(), &mut all);
        let names: Vec<String> = all.names.into_iter().filter(|name| !name.is_empty()).collect();
        let seeds = prop::collection::vec((any::<u8>(), any::<usize>(), 0_usize..40), 1..4);
        let config = Config { cases, failure_persistence: None, ..Config::default() };
        TestRunner::new(config)
            .run(&seeds, |seed| {
                opened.check(&scope_of(&names, &seed));
                Ok(())
            })
            .unwrap();
        for text in ["b", "h", "l", "s", "z", "st", "users/", "events", "bucket-one/", "orders/", "bucket-one/con"] {
            let mut scope = Scope::everything();
            scope.add_prefix(text.as_bytes(), false).unwrap();
            opened.check(&scope);
        }
        for name in names.iter().step_by(names.len() / 4) {
            let mut scope = Scope::everything();
            scope.add_key(name.as_bytes(), false).unwrap();
            assert!(opened.check(&scope) > 0, "{name}");
        }
    }
}

#[test]
fn damage_beside_a_selected_key_is_told_and_that_beside_others_is_not() {
    let records = RedisRecords::new()
        .damaged(key::list_meta(b"a:list"))
        .put(key::list_item(b"a:list", 0), b"x")
        .damaged(Wide::Hash.meta(b"a:hash"))
        .put(key::blob("hash", b"a:hash"), value::hash_blob(&[(b"f", b"v")]))
        .put(key::string(b"b"), value::string(b"1", None));
    let opened = Opened::of(&records.snapshot().input());
    for (prefix, lost) in [("a", [1, 1]), ("b", [0, 0])] {
        let mut scope = Scope::everything();
        scope.add_prefix(prefix.as_bytes(), false).unwrap();
        let tally = opened.run(&scope, &mut Log::default());
        let families = [Family::ListItem, Family::RedisHashBlob];
        assert_eq!(families.map(|family| tally.of(family).get(Outcome::Lost)), lost, "{prefix}");
        opened.check(&scope);
    }
}

#[test]
fn keys_outside_the_ranges_of_a_prefix_are_not_read() {
    let mut records = RedisRecords::new();
    for n in 0..20_000 {
        records = records.put(key::string(format!("key:{n:06}").as_bytes()), value::string(&[b'v'; 100], None));
    }
    let bytes = records.snapshot().build();
    let len = u64::try_from(bytes.len()).unwrap();
    let source = Arc::new(FaultyInput::new(bytes, ReadFault::None));
    let opened = Opened::of(&input_of(source.clone(), len));
    let reads = |scope: &Scope| {
        let before = source.reads();
        let mut log = Log::default();
        opened.run(scope, &mut log);
        (source.reads() - before, log.events.len())
    };
    let (all, events) = reads(&Scope::everything());
    assert_eq!(events, 20_000);
    let mut prefix = Scope::everything();
    prefix.add_prefix(b"key:0071", false).unwrap();
    let mut name = Scope::everything();
    name.add_key(b"key:007123", false).unwrap();
    let mut glob = Scope::everything();
    glob.add_match(b"key:0071?3", false).unwrap();
    for (scope, expected) in [(prefix, 100), (name, 1), (glob, 10)] {
        let (reads, events) = reads(&scope);
        assert_eq!(events, expected, "{}", scope.describe(&Protocol::IN_DUMPS));
        assert!(reads * 4 < all, "{}: {reads} of {all} reads", scope.describe(&Protocol::IN_DUMPS));
    }
}

/// Compares what things tell when they begin with what they turn out to be.
#[derive(Default)]
struct Foretold {
    things: Things,
    told: Option<(u64, Option<u64>)>,
    compared: u64,
}

impl Consumer for Foretold {
    fn event(&mut self, event: Event<'_>) -> Result<()> {
        match event {
            Event::Redis { event: ekv_model::redis::Event::Begin { size, commit_ts, .. }, .. } => {
                let size = size.unwrap();
                self.told = Some((size.bytes, Some(size.elements)));
                assert!(commit_ts > 0);
            }
            Event::DynamoDb(ekv_model::dynamodb::Event::ItemBegin { bytes, commit_ts, .. }) => {
                self.told = Some((bytes.unwrap(), None));
                assert!(commit_ts > 0);
            }
            _ => {}
        }
        if let Some(thing) = self.things.event(&event)
            && let Some(told) = self.told.take()
        {
            assert_eq!(told, (thing.size.bytes, thing.size.elements), "{}", thing.name());
            self.compared += 1;
        }
        Ok(())
    }
}

#[test]
fn collections_and_items_tell_before_they_begin_how_large_they_are_where_that_is_asked() {
    let mut scope = Scope::everything();
    scope.add_smaller_than(u64::MAX);
    let id = ekv_model::redis::StreamId { ms: 5, seq: 1 };
    let old = RedisRecords::new()
        .put(key::blob("hash", b"h"), value::hash_blob(&[(b"f", b"one"), (b"g", b""), (b"f", b"longer")]))
        .put(key::blob("set", b"s"), value::set_blob(&[b"a", b"bb", b"a"]))
        .put(key::blob("zset", b"z"), value::zset_blob(&[(b"m", 1.5), (b"n", 2.0)]))
        .put(key::blob("hash", b"empty"), value::hash_blob(&[]))
        .put(key::list_meta(b"l"), value::old_list_meta(0, 2))
        .put(key::list_item(b"l", 0), b"first")
        .put(key::list_item(b"l", 1), b"")
        .put(key::list_meta(b"none"), value::old_list_meta(0, 0))
        .put(key::stream_meta(b"st"), value::stream_meta_24(1, id))
        .put(key::stream_entry(b"st", id), value::stream_entry("5-1", &[b"name", b"value"]));
    let inputs = [
        (old.snapshot().input(), 7),
        (memory_input(fixtures::REDIS_1.bytes()), 80),
        (memory_input(fixtures::ALL_3.bytes()), 110),
    ];
    for (number, (input, at_least)) in inputs.into_iter().enumerate() {
        let mut foretold = Foretold::default();
        Opened::of(&input).run(&scope, &mut foretold);
        assert!(foretold.compared >= at_least, "{number}: {}", foretold.compared);
    }
}
