//! Payloads that are not what they should be.

use std::cell::Cell;
use std::collections::BTreeSet;

use ekv_adapters::Encoder;
use ekv_dump::replay::{ReadPosition, replay};
use ekv_model::{Body, NoMonitor, Protocol, Result};
use ekv_snapshot::{RecordSink, Writer};
use ekv_testkit::fixtures::{ALL_3, REDIS_2};

use super::super::payload::replay_options;
use super::*;
use crate::digest::{Digester, Sequences};

impl Scene {
    /// Tests a payload for which `defect` had its hand in every record.
    fn verdict(&self, defect: &Defect<'_>) -> Verdict {
        let options = options();
        let mut source = open_dump(&self.dump, &Resources::DEFAULT).unwrap();
        let plan = plan(source.as_mut(), &options).unwrap();
        let mut stage = self.stage();
        let scratch = Stage::scratch(stage.as_ref());
        let mut writer = Writer::new(&scratch, plan.commit_ts, 1 << 20).unwrap();
        let mut sink = DefectiveSink { writer: &mut writer, defect };
        let mut encoder = Encoder::new(&mut sink, &scratch);
        let mut digester = Digester::before(&scratch, Sequences::Highest, &mut encoder);
        let (place, options) = (ReadPosition::default(), &options);
        let replay_options = replay_options(&plan, options);
        replay(source.as_mut(), &scratch, &replay_options, &mut digester, &place, &NoMonitor).unwrap();
        let digests = digester.finish().unwrap();
        let written = write_file(stage.as_mut(), stage::PAYLOAD, |output| {
            Ok(writer.finish(WrittenForm::Payload, output, &NoMonitor)?)
        });
        let written = (&written.unwrap(), digests);
        self_test(stage.as_mut(), &plan, options, WrittenForm::Payload, written, &NoMonitor).unwrap()
    }
}

/// What becomes of a record: its key and value.
type Defect<'d> = dyn Fn(&mut dyn RecordSink, &[u8], Vec<u8>) -> Result<()> + 'd;

/// Puts something else than it is given.
struct DefectiveSink<'w> {
    writer: &'w mut Writer,
    defect: &'w Defect<'w>,
}

impl RecordSink for DefectiveSink<'_> {
    fn put(&mut self, user_key: &[u8], parts: &[Body<'_>]) -> Result<()> {
        let value = ekv_testkit::whole_value(parts)?;
        (self.defect)(self.writer, user_key, value)
    }
}

#[test]
fn defects_of_an_encoder_are_found_and_named() {
    let scene = Scene::new();
    let kept = scene.verdict(&|sink, key, value| sink.put(key, &[Body::Inline(&value)]));
    assert_eq!(kept, Verdict::default());
    let cases: [(&str, &Defect<'_>); 6] = [
        ("redis:0/a (missing in the decoded payload)", &|sink, key, value| {
            if key == b"!redis|str|a" { Ok(()) } else { sink.put(key, &[Body::Inline(&value)]) }
        }),
        ("redis:0/a (the contents differ)", &|sink, key, mut value| {
            if key == b"!redis|str|a" {
                value[4] ^= 1;
            }
            sink.put(key, &[Body::Inline(&value)])
        }),
        ("redis:0/a2 (missing in the dump)", &|sink, key, value| {
            if key == b"!redis|str|a" {
                sink.put(b"!redis|str|a2", &[Body::Inline(&value)])?;
            }
            sink.put(key, &[Body::Inline(&value)])
        }),
        ("redis:0/b (the contents differ)", &|sink, key, value| match value.split_at_checked(11) {
            Some((_, body)) if key == b"!redis|str|b" => {
                sink.put(key, &[Body::Inline(&[b"\xff\x01\x00", body].concat())])
            }
            _ => sink.put(key, &[Body::Inline(&value)]),
        }),
        ("redis:0/LONG (missing in the decoded payload)", &|sink, key, value| {
            let key = if key.len() > 200 { [key, b"k"].concat() } else { key.to_vec() };
            sink.put(&key, &[Body::Inline(&value)])
        }),
        ("1 records of dynamodb_item: not_decoded", &|sink, key, value| {
            if key == b"!redis|str|a" {
                sink.put(b"!ddb|item|x", &[Body::Inline(&value)])?;
            }
            sink.put(key, &[Body::Inline(&value)])
        }),
    ];
    for (expected, defect) in cases {
        let expected = &expected.replace("LONG", &"k".repeat(300));
        let verdict = scene.verdict(defect);
        assert!(verdict.differences.lines.iter().any(|line| line == expected), "{expected}: {verdict:?}");
    }
}

#[test]
fn rows_of_the_store_are_found() {
    let scene = Scene::new();
    let verdict = scene.verdict(&|sink, key, value| {
        if key == b"!redis|str|a" {
            sink.put(b"_meta_applied_index", &[Body::Inline(b"12345678")])?;
        }
        sink.put(key, &[Body::Inline(&value)])
    });
    assert!(verdict.differences.lines[0].starts_with("the payload cannot be decoded: "), "{verdict:?}");
}

/// What a key begins with, up to its second bar.
fn family(key: &[u8]) -> String {
    let bars = key.iter().enumerate().filter(|(_, byte)| **byte == b'|').map(|(at, _)| at + 1);
    let ends: Vec<usize> = bars.take(if key.starts_with(b"!sqs|msg|") { 3 } else { 2 }).collect();
    String::from_utf8_lossy(&key[..*ends.last().unwrap_or(&0)]).into_owned()
}

/// Tests once for each family of records, with a defect that strikes its first record.
fn unnoticed(scene: &Scene, strike: &Defect<'_>) -> Vec<String> {
    let families = std::cell::RefCell::new(BTreeSet::new());
    let sound = scene.verdict(&|sink, key, value| {
        families.borrow_mut().insert(family(key));
        sink.put(key, &[Body::Inline(&value)])
    });
    assert_eq!(sound, Verdict::default());
    let is_unnoticed = |name: &String| {
        let is_struck = Cell::new(false);
        let verdict = scene.verdict(&|sink, key, value| match !is_struck.get() && family(key) == *name {
            true => {
                is_struck.set(true);
                strike(sink, key, value)
            }
            false => sink.put(key, &[Body::Inline(&value)]),
        });
        assert!(is_struck.get());
        verdict.differences.count == 0
    };
    families.into_inner().into_iter().filter(|name| is_unnoticed(name)).collect()
}

#[test]
fn lost_or_changed_record_of_any_family_is_found_if_decode_needs_it() {
    // What decode does not need is not compared: lengths of what can be counted, and rows that lead to others. The families are
    // those of which the first record can be lost, and changed.
    type NotSeen = &'static [&'static str];
    let cases: [(_, _, NotSeen, NotSeen); 4] = [
        (
            REDIS_2,
            Protocol::Redis,
            &["!hs|meta|", "!redis|ttl|", "!st|meta|", "!zs|meta|"],
            &["!redis|ttl|", "!st|mem|", "!zs|scr|"],
        ),
        (ALL_3, Protocol::DynamoDb, &["!ddb|gsi|"], &["!ddb|gsi|"]),
        (ALL_3, Protocol::S3, &[], &[]),
        (ALL_3, Protocol::Sqs, &["!sqs|msg|dedup|"], &["!sqs|msg|byage|", "!sqs|msg|dedup|", "!sqs|msg|vis|"]),
    ];
    for (known, adapter, not_seen_if_lost, not_seen_if_changed) in cases {
        let scene = Scene::of(&known.bytes(), adapter);
        assert_eq!(unnoticed(&scene, &|_, _, _| Ok(())), not_seen_if_lost, "{adapter:?}");
        let changed = unnoticed(&scene, &|sink, key, mut value| {
            match value.last_mut() {
                Some(last) => *last ^= 1,
                None => value.push(1),
            }
            sink.put(key, &[Body::Inline(&value)])
        });
        assert_eq!(changed, not_seen_if_changed, "{adapter:?}");
    }
}
