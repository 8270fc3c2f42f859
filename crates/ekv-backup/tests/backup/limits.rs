//! Filters by size, expiry, time and number: they select the same from a snapshot and from its dump, as far as that can be, and the books
//! still balance.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

use std::path::Path;
use std::sync::Arc;

use ekv_backup::see::{Source, SourceBooks};
use ekv_backup::{
    DecodeOptions, EventOptions, NoProgress, Phase, ReadOptions, Result, Scope, Store, StoreEvents, decode,
    pipe::Events,
};
use ekv_model::{Consumer, Event, Kind, Protocol, Size, Step, Things};
use ekv_testkit::fixtures::ALL_3;

/// A thing as it passed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Passed {
    address: String,
    kind: Kind,
    bytes: u64,
    elements: Option<u64>,
    expire_at_ms: Option<u64>,
    commit_ts: u64,
}

#[derive(Default)]
struct Log {
    things: Things,
    passed: Vec<Passed>,
    scopes: Vec<String>,
}

impl Consumer for Log {
    fn event(&mut self, event: Event<'_>) -> Result<()> {
        if let (Some(protocol), Step::Scope { name, .. }) = (event.protocol(), event.step()) {
            self.scopes.push(format!("{}:{}/", protocol.name(), String::from_utf8_lossy(name)));
        }
        if let Some(thing) = self.things.event(&event) {
            let Size { bytes, elements } = thing.size;
            let (address, kind) = (thing.name().to_string(), thing.kind);
            let (expire_at_ms, commit_ts) = (thing.expire_at_ms, thing.commit_ts);
            self.passed.push(Passed { address, kind, bytes, elements, expire_at_ms, commit_ts });
        }
        Ok(())
    }
}

fn scope(fill: impl FnOnce(&mut Scope)) -> Scope {
    let mut scope = Scope::everything();
    fill(&mut scope);
    scope
}

/// What passes of the snapshot, whose books must balance.
fn of_snapshot(store: &Store, scope: &Scope) -> Log {
    let options = EventOptions { scope: Arc::new(scope.clone()), ..EventOptions::default() };
    let mut log = Log::default();
    let scratch = ReadOptions::default().resources.scratch();
    let mut events = StoreEvents::of(store, &options, &NoProgress).unwrap();
    let books = events.pour(&mut log, Phase::Look, &scratch, &NoProgress).unwrap();
    let records = &books.report.records;
    let told = scope.describe(&Protocol::IN_DUMPS);
    assert_eq!(records.outcomes.iter().map(|outcome| outcome.records).sum::<u64>(), records.visible, "{told}");
    assert!(books.report.findings.iter().all(|finding| finding.name != "records_unaccounted"), "{told}");
    for (name, kind) in [
        ("redis_string", Kind::String),
        ("redis_hll", Kind::Hll),
        ("dynamodb_item", Kind::Item),
        ("s3_object", Kind::Object),
        ("sqs_message", Kind::Message),
    ] {
        let family = books.report.families.iter().find(|family| family.family == name).unwrap();
        let emitted = family.outcomes.iter().find(|outcome| outcome.outcome == "emitted");
        let passed = log.passed.iter().filter(|thing| thing.kind == kind).count();
        assert_eq!(emitted.map_or(0, |outcome| outcome.records), u64::try_from(passed).unwrap(), "{name}: {told}");
    }
    assert_eq!(books.contents.things, u64::try_from(log.passed.len()).unwrap(), "{told}");
    log
}

/// What passes of the dump, and how many things more are selected.
fn of_dump(dump: &Path, scope: &Scope) -> Result<(Log, u64)> {
    let options = EventOptions { scope: Arc::new(scope.clone()), ..EventOptions::default() };
    let read = ReadOptions::default();
    let mut log = Log::default();
    let mut source = Source::open(dump, &read, &NoProgress).unwrap();
    match source.pour(&options, &mut log, &read.resources.scratch(), &NoProgress)? {
        SourceBooks::Dump(replayed) => Ok((log, replayed.beyond_limit)),
        SourceBooks::Store(_) => panic!("a dump is no store"),
    }
}

fn sorted(passed: &[Passed]) -> Vec<Passed> {
    let mut sorted: Vec<Passed> = passed.iter().map(|one| Passed { commit_ts: 0, ..one.clone() }).collect();
    sorted.sort();
    sorted
}

#[test]
fn limits_select_by_what_things_are_like_whatever_the_source_and_the_books_balance() {
    let room = tempfile::tempdir().unwrap();
    let (snapshot, dump) = (ALL_3.compressed_path(), room.path().join("dump"));
    decode(&snapshot, &*dump, &DecodeOptions::default(), &NoProgress).unwrap();
    let store = Store::open(&snapshot, &ReadOptions::default(), &NoProgress).unwrap();
    // Of everything, with sizes and times known beforehand.
    let all = of_snapshot(&store, &scope(|scope| scope.add_smaller_than(u64::MAX))).passed;
    assert!(all.len() > 200 && all.iter().all(|thing| thing.commit_ts > 0), "{}", all.len());
    let now_ms = ALL_3.last_commit_ts >> 16;
    let mut times: Vec<u64> = all.iter().map(|thing| thing.commit_ts).collect();
    times.sort_unstable();
    let middle = times[times.len() / 2];
    let at_ms = all.iter().filter_map(|thing| thing.expire_at_ms).max().unwrap() - 1;
    type Holds = Box<dyn Fn(&Passed) -> bool>;
    let cases: Vec<(Scope, Holds)> = vec![
        (scope(|scope| scope.add_larger_than(0)), Box::new(|thing| thing.bytes > 0)),
        (scope(|scope| scope.add_larger_than(1000)), Box::new(|thing| thing.bytes > 1000)),
        (scope(|scope| scope.add_smaller_than(10)), Box::new(|thing| thing.bytes < 10)),
        (
            scope(|scope| {
                scope.add_larger_than(20);
                scope.add_larger_than(90);
                scope.add_smaller_than(50);
                scope.add_smaller_than(100);
            }),
            Box::new(|thing| (21..100).contains(&thing.bytes)),
        ),
        (scope(|scope| scope.add_more_than(5)), Box::new(|thing| thing.elements.is_some_and(|elements| elements > 5))),
        (scope(|scope| scope.add_more_than(0)), Box::new(|thing| thing.elements.is_some_and(|elements| elements > 0))),
        (scope(Scope::only_without_expiry), Box::new(|thing| thing.expire_at_ms.is_none())),
        (scope(Scope::only_expired), Box::new(move |thing| thing.expire_at_ms.is_some_and(|at| at <= now_ms))),
        (
            scope(|scope| scope.add_expires_before(at_ms, String::new())),
            Box::new(move |thing| thing.expire_at_ms.is_some_and(|at| at <= at_ms)),
        ),
        (
            scope(|scope| scope.add_expires_after(at_ms, String::new())),
            Box::new(move |thing| thing.expire_at_ms.is_some_and(|at| at > at_ms)),
        ),
        (
            scope(|scope| {
                scope.add_larger_than(100);
                scope.add_kind(Kind::Hash);
                scope.add_kind(Kind::Object);
            }),
            Box::new(|thing| thing.bytes > 100 && matches!(thing.kind, Kind::Hash | Kind::Object)),
        ),
        (
            scope(|scope| scope.add_changed_after(middle, String::new())),
            Box::new(move |thing| thing.commit_ts > middle),
        ),
        (
            scope(|scope| scope.add_changed_before(middle, String::new())),
            Box::new(move |thing| thing.commit_ts <= middle),
        ),
    ];
    for (number, (scope, holds)) in cases.into_iter().enumerate() {
        let expected: Vec<Passed> = all.iter().filter(|thing| holds(thing)).cloned().collect();
        assert!(!expected.is_empty() && expected.len() < all.len(), "case {number}: {}", expected.len());
        let found = of_snapshot(&store, &scope);
        assert_eq!(sorted(&found.passed), sorted(&expected), "case {number}");
        // Of a table, bucket or queue there is something, if nothing else was asked for.
        for name in &found.scopes {
            assert!(found.passed.iter().any(|thing| thing.address.starts_with(name)), "case {number}: {name}");
        }
        match of_dump(&dump, &scope) {
            Ok((replayed, 0)) => {
                assert_eq!(sorted(&replayed.passed), sorted(&expected), "case {number}, from the dump");
                assert_eq!(replayed.scopes.len(), found.scopes.len(), "case {number}");
            }
            Ok((_, beyond)) => panic!("case {number}: {beyond} beyond a limit that there is not"),
            Err(error) => {
                assert!(scope.is_about_changes() && error.to_string().contains("does not say when"), "{error}")
            }
        }
    }
}

#[test]
fn first_things_are_taken_in_the_order_of_the_source_and_the_others_are_counted() {
    let room = tempfile::tempdir().unwrap();
    let (snapshot, dump) = (ALL_3.compressed_path(), room.path().join("dump"));
    decode(&snapshot, &*dump, &DecodeOptions::default(), &NoProgress).unwrap();
    let store = Store::open(&snapshot, &ReadOptions::default(), &NoProgress).unwrap();
    let everything = Scope::everything();
    let (all, of_dump_all) = (of_snapshot(&store, &everything), of_dump(&dump, &everything).unwrap().0);
    for count in [1, 15, 33, 100, 1000] {
        let first = scope(|scope| scope.take_first(count));
        let len = all.passed.len().min(usize::try_from(count).unwrap());
        let found = of_snapshot(&store, &first);
        let names = |passed: &[Passed]| passed.iter().map(|thing| thing.address.clone()).collect::<Vec<_>>();
        assert_eq!(names(&found.passed), names(&all.passed[..len]), "{count}");
        let (found, beyond) = of_dump(&dump, &first).unwrap();
        assert_eq!(names(&found.passed), names(&of_dump_all.passed[..len]), "{count}, from the dump");
        assert_eq!(beyond, u64::try_from(all.passed.len() - len).unwrap(), "{count}");
    }
    let both = scope(|scope| {
        scope.add_larger_than(1000);
        scope.take_first(2);
    });
    let large: Vec<&Passed> = all.passed.iter().filter(|thing| thing.bytes > 1000).take(2).collect();
    assert!(of_snapshot(&store, &both).passed.iter().map(|thing| &thing.address).eq(large.iter().map(|t| &t.address)));
}
