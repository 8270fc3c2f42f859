//! What a scope selects: reading less gives the same as reading everything and leaving the rest out.

use std::collections::BTreeSet;
use std::sync::Arc;

use ekv_adapters::{Family, Outcome, Router, Run, Tally, dynamodb, redis, s3, sqs};
use ekv_model::{Consumer, Event, Filtered, Kind, NoMonitor, Protocol, Result, Scope};
use ekv_snapshot::{Input, NoWatch, RecordFile, Scan, ScanOptions, View, scan};
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
            Event::Sqs(ekv_model::sqs::Event::Queue(queue)) => self.enter(queue.name),
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
            scan(input, &ScanOptions::default(), &mut Router::default(), &scratch, &NoWatch).unwrap();
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
