use std::collections::BTreeMap;

use ekv_model::redis::{Expiry, ExpiryOrigin};
use ekv_model::{Consumer, Event as ModelEvent};
use ekv_spill::SystemScratch;

use super::*;

/// Records by user key.
#[derive(Default)]
struct Records(BTreeMap<Vec<u8>, Vec<u8>>);

impl RecordSink for Records {
    fn put(&mut self, user_key: &[u8], parts: &[Body<'_>]) -> Result<()> {
        let value = ekv_testkit::whole_value(parts)?;
        assert!(self.0.insert(user_key.to_vec(), value).is_none(), "{} twice", user_key.escape_ascii());
        Ok(())
    }
}

fn encode(events: &[Event<'_>]) -> Result<BTreeMap<Vec<u8>, Vec<u8>>> {
    let mut records = Records::default();
    let scratch: Arc<dyn Scratch> = Arc::new(SystemScratch::new());
    let mut encoder = crate::Encoder::new(&mut records, &scratch);
    for event in events {
        encoder.event(ModelEvent::Redis { database: 0, event: *event })?;
    }
    Ok(records.0)
}

fn scalar<'a>(kind: ScalarKind, key: &'a [u8], body: &'a [u8], at_ms: Option<u64>) -> Event<'a> {
    let expiry = at_ms.map(|at_ms| Expiry { at_ms, origin: ExpiryOrigin::Inline });
    Event::Scalar { kind, key, body: Body::Inline(body), expiry, commit_ts: 0 }
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        text.bytes().map(|digit| u8::try_from(char::from(digit).to_digit(16).unwrap()).unwrap()).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// Keys of the documented example with their values. Source: `docs/format/redis.md`, section 13, G14.
const GOLDEN: [(&[u8], &str); 30] = [
    ("!redis|str|s:1/é".as_bytes(), "ff0101000001a2091d0e210076ff"),
    (b"!redis|hll|pf", "ff0201000001a4580291bd005253010a01610a0162"),
    (b"!redis|ttl|pf", "000001a4580291bd"),
    (b"!hs|meta|\0\0\0\x02he", "0000000000000003000001a4580291c0"),
    (b"!hs|fld|\0\0\0\x02he", "3c653e"),
    (b"!hs|fld|\0\0\0\x02hea", "31"),
    (b"!hs|fld|\0\0\0\x02heb", "ff"),
    (b"!redis|ttl|he", "000001a4580291c0"),
    (b"!lst|meta|li", "000000000000000000000000000000030000000000000003000001a4580291c4"),
    (b"!lst|itm|li\x80\0\0\0\0\0\0\0", "7a"),
    (b"!lst|itm|li\x80\0\0\0\0\0\0\x01", "61"),
    (b"!lst|itm|li\x80\0\0\0\0\0\0\x02", "63"),
    (b"!redis|ttl|li", "000001a4580291c4"),
    (b"!zs|meta|\0\0\0\x02ze", "0000000000000004"),
    (b"!zs|mem|\0\0\0\x02zen", "fff0000000000000"),
    (b"!zs|mem|\0\0\0\x02zep", "4000000000000000"),
    (b"!zs|mem|\0\0\0\x02zeq", "444b1ae4d6e2ef50"),
    (b"!zs|mem|\0\0\0\x02zezero", "8000000000000000"),
    (b"!zs|scr|\0\0\0\x02ze\x00\x0f\xff\xff\xff\xff\xff\xffn", ""),
    (b"!zs|scr|\0\0\0\x02ze\x80\0\0\0\0\0\0\0zero", ""),
    (b"!zs|scr|\0\0\0\x02ze\xc0\0\0\0\0\0\0\0p", ""),
    (b"!zs|scr|\0\0\0\x02ze\xc4\x4b\x1a\xe4\xd6\xe2\xef\x50q", ""),
    (b"!stream|meta|\0\0\0\x02xs", "000000000000000200000000000000030000000000000001000001a4580291cd"),
    (b"!stream|entry|\0\0\0\x02xs\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x01", "00525845010a03322d3112016b12013212016b120133"),
    (b"!stream|entry|\0\0\0\x02xs\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0\x01", "00525845010a03332d311200120126"),
    (b"!redis|ttl|xs", "000001a4580291cd"),
    (b"!st|meta|\0\0\0\x02se", "0000000000000002"),
    (b"!st|mem|\0\0\0\x02sex", ""),
    (b"!st|mem|\0\0\0\x02se\x80", ""),
    (b"!redis|str|", "ff0100"),
];

#[test]
fn documented_keys_become_the_documented_records() {
    use CollectionKind::{Hash, List, Set, Stream, ZSet};
    let begin = |kind, key, expire_at_ms| Event::Begin { kind, key, expire_at_ms, commit_ts: 0, size: None };
    let field = |name, value| Event::Element(Element::Field { name, value: Body::Inline(value) });
    let item = |value| Event::Element(Element::Item(Body::Inline(value)));
    let scored = |member, score| Event::Element(Element::Scored { member, score });
    let entry = |ms| Event::Element(Element::EntryBegin(StreamId { ms, seq: 1 }));
    let text =
        |name, value| Event::Element(Element::EntryField { name: Body::Inline(name), value: Body::Inline(value) });
    let last = StreamId { ms: 3, seq: 1 };
    let events = [
        scalar(ScalarKind::String, "s:1/é".as_bytes(), b"\0v\xff", Some(1_795_449_228_833)),
        scalar(ScalarKind::String, b"", b"", None),
        scalar(ScalarKind::Hll, b"pf", b"\0RS\x01\n\x01a\n\x01b", Some(1_805_362_827_709)),
        begin(Hash, b"he", Some(1_805_362_827_712)),
        field(b"", b"<e>"),
        field(b"a", b"1"),
        field(b"b", b"\xff"),
        Event::End,
        begin(List, b"li", Some(1_805_362_827_716)),
        item(b"z"),
        item(b"a"),
        item(b"c"),
        Event::End,
        begin(ZSet, b"ze", None),
        scored(b"n", f64::NEG_INFINITY),
        scored(b"p", 2.0),
        scored(b"q", 1e21),
        scored(b"zero", -0.0),
        Event::End,
        begin(Stream { last }, b"xs", Some(1_805_362_827_725)),
        entry(2),
        text(b"k", b"2"),
        text(b"k", b"3"),
        Event::Element(Element::EntryEnd),
        entry(3),
        text(b"", b"&"),
        Event::Element(Element::EntryEnd),
        Event::End,
        begin(Set, b"se", None),
        Event::Element(Element::Member(b"x")),
        Event::Element(Element::Member(b"\x80")),
        Event::End,
    ];
    let records = encode(&events).unwrap();
    for (user_key, value) in GOLDEN {
        let found = records.get(user_key).unwrap_or_else(|| panic!("{} is missing", user_key.escape_ascii()));
        assert_eq!(found, &hex(value), "{}", user_key.escape_ascii());
    }
    assert_eq!(records.len(), GOLDEN.len());
}

#[test]
fn expiry_zero_stays_past_and_is_never_taken_for_none() {
    let records = encode(&[
        scalar(ScalarKind::String, b"s", b"v", Some(0)),
        Event::Begin { kind: CollectionKind::Set, key: b"c", expire_at_ms: Some(0), commit_ts: 0, size: None },
        Event::End,
    ])
    .unwrap();
    assert_eq!(records[b"!redis|str|s".as_slice()], b"\xff\x01\x01\0\0\0\0\0\0\0\0v");
    assert_eq!(records[b"!st|meta|\0\0\0\x01c".as_slice()], hex("00000000000000000000000000000001"));
    assert_eq!(records[b"!redis|ttl|c".as_slice()], hex("0000000000000001"));
}

#[test]
fn streams_refuse_bytes_that_are_no_text() {
    let last = StreamId { ms: 1, seq: 0 };
    let error = encode(&[
        Event::Begin { kind: CollectionKind::Stream { last }, key: b"x", expire_at_ms: None, commit_ts: 0, size: None },
        Event::Element(Element::EntryBegin(last)),
        Event::Element(Element::EntryField { name: Body::Inline(b"k"), value: Body::Inline(b"\xff") }),
    ])
    .unwrap_err();
    assert!(error.to_string().starts_with("stream entry 1-0 holds bytes that are not UTF-8"), "{error}");
}

#[test]
fn entries_larger_than_memory_are_put_together_whole() {
    let last = StreamId { ms: 1, seq: 0 };
    let long = "é".repeat(200_000);
    let records = encode(&[
        Event::Begin { kind: CollectionKind::Stream { last }, key: b"x", expire_at_ms: None, commit_ts: 0, size: None },
        Event::Element(Element::EntryBegin(last)),
        Event::Element(Element::EntryField { name: Body::Inline(b"k"), value: Body::Inline(long.as_bytes()) }),
        Event::Element(Element::EntryEnd),
        Event::End,
    ])
    .unwrap();
    let value = &records[b"!stream|entry|\0\0\0\x01x\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0".as_slice()];
    let head = b"\0RXE\x01\x0a\x031-0\x12\x01k\x12\x80\xb5\x18";
    assert_eq!(value[..head.len()], *head);
    assert_eq!(value[head.len()..], *long.as_bytes());
}

#[test]
fn events_without_meaning_are_refused() {
    let begin = Event::Begin { kind: CollectionKind::Set, key: b"s", expire_at_ms: None, commit_ts: 0, size: None };
    let stream = Event::Begin {
        kind: CollectionKind::Stream { last: StreamId::default() },
        key: b"s",
        expire_at_ms: None,
        commit_ts: 0,
        size: None,
    };
    let entry = Event::Element(Element::EntryBegin(StreamId::default()));
    for events in [
        &[Event::End][..],
        &[Event::Element(Element::Member(b"m"))],
        &[begin, begin],
        &[begin, Event::Element(Element::Item(Body::Inline(b"")))],
        &[begin, scalar(ScalarKind::String, b"k", b"", None)],
        &[stream, entry, entry],
        &[stream, entry, Event::End],
        &[stream, Event::Element(Element::EntryEnd)],
    ] {
        let error = encode(events).unwrap_err();
        assert!(error.to_string().starts_with("an event came where it has no meaning"), "{error}");
    }
    let scratch: Arc<dyn Scratch> = Arc::new(SystemScratch::new());
    let error = Encoder::new(&scratch)
        .event(&mut Records::default(), ModelEvent::Redis { database: 1, event: begin })
        .unwrap_err();
    assert!(error.to_string().contains("database 1"), "{error}");
}
