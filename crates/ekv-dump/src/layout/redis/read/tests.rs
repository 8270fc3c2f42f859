use ekv_model::redis::{CollectionKind, Event, ScalarKind};
use proptest::prelude::*;

use crate::replay::tests::*;
use crate::segment::sha_fallback;

const HASH: &str = "redis/db_0/hashes/h.json";
const LIST: &str = "redis/db_0/lists/l.json";
const SET: &str = "redis/db_0/sets/s.json";
const ZSET: &str = "redis/db_0/zsets/z.json";
const STREAM: &str = "redis/db_0/streams/x.jsonl";
const STRINGS_TTL: &str = "redis/db_0/strings_ttl.jsonl";
const KEYMAP: &str = "redis/db_0/KEYMAP.jsonl";

fn shown_all(events: &[Event<'_>]) -> Vec<String> {
    events.iter().map(|event| shown(event).unwrap()).collect()
}

#[test]
fn events_of_every_type_come_back_from_their_files() {
    assert_eq!(Dump::of(&sample()).replay().unwrap(), shown_all(&sample()));
}

#[test]
fn edits_that_mean_nothing_are_refused_with_file_line_and_expectation() {
    let cases = [
        (HASH, "\"format_version\": 1,", "", "line 22, byte 267: the member \"format_version\" is missing"),
        (HASH, "\"format_version\": 1", "\"format_version\": 2", "line 2, byte 22: expected format_version 1"),
        (
            HASH,
            "\"format_version\": 1",
            "\"format_version\": null",
            "line 2, byte 22: expected format_version 1, found 'n'",
        ),
        (
            HASH,
            "\"fields\"",
            "\"FIELDS\"",
            "line 3, byte 27: unknown member \"FIELDS\": expected \"format_version\", \"fields\" or \"expire_at_ms\"",
        ),
        (
            HASH,
            "\"expire_at_ms\": 5",
            "\"expire_at_ms\": -5",
            "expected expire_at_ms as null or a whole number from 0 to 2^63-1",
        ),
        (
            HASH,
            "\"expire_at_ms\": 5",
            "\"expire_at_ms\": 5.5",
            "expected expire_at_ms as null or a whole number from 0 to 2^63-1",
        ),
        (
            HASH,
            "\"expire_at_ms\": 5",
            "\"expire_at_ms\": 9223372036854775808",
            "expected expire_at_ms as null or a whole number from 0 to 2^63-1",
        ),
        (
            HASH,
            "\"expire_at_ms\": 5",
            "\"expire_at_ms\": \"5\"",
            "expected expire_at_ms as null or a whole number from 0 to 2^63-1, found '\"'",
        ),
        (HASH, "\"expire_at_ms\": 5\n}", "\"expire_at_ms\": 5\n}}", "expected the end of the file, found '}'"),
        (HASH, "\"name\": \"a\"", "\"name\": \"\\ud800\"", "the escape is half of a surrogate pair"),
        (HASH, "\"name\": \"a\"", "\"name\": 7", "line 9, byte 121: expected a string or {\"base64\": …}, found '7'"),
        (HASH, "\"name\": \"a\"", "\"name\": \"\"", "line 8: the field on line 4 comes again: names must be unique"),
        (
            HASH,
            "\"value\": \"1\"",
            "\"value\": null",
            "line 10, byte 141: expected a string or {\"base64\": …}, found 'n'",
        ),
        (HASH, "\"_w\"", "\"_w==\"", "expected base64url without padding"),
        (HASH, "\"_w\"", "\"/w\"", "expected base64url without padding"),
        (HASH, "\"_w\"", "\"_x\"", "expected base64url without padding"),
        (
            LIST,
            "\"items\": [\n    \"z\",\n    \"a\",\n    {\n      \"base64\": \"gA\"\n    }\n  ]",
            "\"items\": null",
            "expected an array, found 'n'",
        ),
        (LIST, "\"items\"", "\"members\"", "unknown member \"members\""),
        (LIST, "\"z\"", "\"z", "line 4, byte 45: expected an escape for the control character"),
        (SET, "\"y\"", "\"x\"", "line 5: the member on line 4 comes again: names must be unique"),
        (ZSET, "1.5", "null", "line 6, byte 82: expected a score: a number, \"+inf\", \"-inf\" or \"nan\", found 'n'"),
        (ZSET, "1.5", "1e999", "line 6, byte 82: expected a score: a number in the range of a double"),
        (ZSET, "1.5", "\"inf\"", "line 6, byte 82: expected a score: a number in the range of a double"),
        (ZSET, "1.5", "\"NaN\"", "line 6, byte 82: expected a score: a number in the range of a double"),
        (
            STREAM,
            "{\"_meta\":true,\"length\":2,\"last_ms\":10,\"last_seq\":9,\"expire_at_ms\":null}\n",
            "",
            "line 2, byte 74: unknown member \"id\": expected \"_meta\"",
        ),
        (
            STREAM,
            "{\"_meta\"",
            "{\"_meta\":true,\"length\":2,\"last_ms\":10,\"last_seq\":9,\"expire_at_ms\":null}\n{\"_meta\"",
            "line 3, byte 100: unknown member \"_meta\": expected \"id\" or \"fields\"",
        ),
        (STREAM, "\"length\":2", "\"length\":3", "line 3: length is 3, but there are 2 entries above this line"),
        (STREAM, "\"length\":2", "\"length\":-1", "line 3, byte 122: expected a whole number from 0 to 2^63-1"),
        (STREAM, "\"last_ms\":10", "\"last_ms\":3", "line 2: entry 10-0 is above 3-9"),
        (STREAM, "\"2-0\"", "\"02-0\"", "line 1, byte 6: expected an id as <ms>-<seq>"),
        (STREAM, "\"2-0\"", "\"2\"", "line 1, byte 6: expected an id as <ms>-<seq>"),
        (STREAM, "\"2-0\"", "\"10-0\"", "line 2: entry 10-0 follows 10-0: ids must ascend, each once"),
        (STREAM, "\"2-0\"", "\"11-0\"", "line 1: entry 11-0 is above 10-9"),
        (STREAM, "\"name\":\"k\"", "\"Name\":\"k\"", "unknown member \"Name\": expected \"name\" or \"value\""),
        (
            STREAM,
            "}\n{\"id\":\"10-0\"",
            "} {\"id\":\"10-0\"",
            "line 1, byte 73: expected the end of the line, found '{'",
        ),
        (STREAM, "null}\n", "null}", "line 3, byte 170: expected the end of the line, found the end of the file"),
        (
            STRINGS_TTL,
            "a%2Fb",
            "missing",
            "line 1: there is no file strings/missing.bin that this expiry could belong to",
        ),
        (STRINGS_TTL, "a%2Fb", "zz", "line 1: there is no file strings/zz.bin that this expiry could belong to"),
        (STRINGS_TTL, ":0}", ":-1}", "line 1: the time is not a plain number of milliseconds of at most 2^63-1"),
        (
            STRINGS_TTL,
            ":0}",
            ":9223372036854775808}",
            "line 1: the time is not a plain number of milliseconds of at most 2^63-1",
        ),
        (
            STRINGS_TTL,
            ":0}\n",
            ":0}\n{\"key\":\"a%2Fb\",\"expire_at_ms\":1}\n",
            "line 2: the key a%2Fb has an expiry on line 1 already",
        ),
        (
            STRINGS_TTL,
            ":0}\n",
            ":0}\n{\"key\":\"a%2Fb\",\"expire_at_ms\":0}\n",
            "line 2: the key a%2Fb has an expiry on line 1 already",
        ),
        (STRINGS_TTL, ":0}\n", ":0}", "line 1: the last line does not end in a line feed: the file is cut"),
        (STRINGS_TTL, "a%2Fb", "a%2fb", "line 1: the name is not in its canonical form"),
    ];
    let dump = Dump::of(&sample());
    let mut wrong = Vec::new();
    for (path, from, to, message) in cases {
        let error = dump.clone().edited(path, from, to).signed().error();
        if !error.strip_prefix(path).is_some_and(|rest| rest.contains(message)) {
            wrong.push(format!("{from} -> {to}: {error}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn names_that_no_encoder_writes_are_refused() {
    let dump = Dump::of(&sample());
    let lower = "0123456789abcdef0123456789abcdef__x";
    for (name, message) in [
        ("%2f", "the name is not in its canonical form"),
        ("%41", "the name is not in its canonical form"),
        ("b64.Zm9v", "the name is not in its canonical form"),
        ("a b", "byte 0x20 at position 1 of the name must be escaped"),
        ("%zz", "the escape at position 0 of the name is not % and two hex digits"),
        (lower, "KEYMAP.jsonl has no record for this name: the key is lost"),
        (&lower.to_uppercase(), "the name is not in its canonical form"),
    ] {
        let path = format!("redis/db_0/strings/{name}.bin");
        assert_eq!(dump.clone().with(&path, b"").signed().error(), format!("{path}: {message}"));
    }
}

#[test]
fn long_keys_of_every_type_come_back_through_the_keymap() {
    let long = [b'k'; 241];
    let other = [b'\xff'; 100];
    let events = [
        begin(CollectionKind::Hash, &long, Some(1)),
        field(b"f", b"v"),
        END,
        scalar(ScalarKind::Hll, &other, b"", Some(2)),
        begin(CollectionKind::ZSet, b"b64.x", None),
        END,
    ];
    let dump = Dump::of(&events);
    assert_eq!(dump.replay().unwrap(), shown_all(&events));
    assert_eq!(dump.file(KEYMAP).iter().filter(|byte| **byte == b'\n').count(), 4, "one line is repeated");

    let text = String::from_utf8(dump.file(KEYMAP).to_vec()).unwrap();
    let without_first = text.split_once('\n').unwrap().1;
    let missing = dump.clone().with(KEYMAP, without_first.split_once('\n').unwrap().1.as_bytes()).signed().error();
    assert!(missing.ends_with("KEYMAP.jsonl has no record for this name: the key is lost"), "{missing}");

    let segment = String::from_utf8(sha_fallback(&[b'q'; 300])).unwrap();
    let mut extra = Vec::new();
    crate::keymap::write_line(&segment, &[b'q'; 300], crate::keymap::KeymapKind::ShaFallback, &mut extra);
    let orphan = dump.clone().with(KEYMAP, &[text.as_bytes(), &extra].concat()).signed().error();
    assert_eq!(orphan, format!("{KEYMAP}, line {}: the record for {segment} has no file", text.lines().count() + 1));

    let mut wrong = Vec::new();
    crate::keymap::write_line(&segment, b"other", crate::keymap::KeymapKind::ShaFallback, &mut wrong);
    let wrong = dump.with(KEYMAP, &[text.as_bytes(), &wrong].concat()).signed().error();
    assert_eq!(wrong, format!("{KEYMAP}, line 5: the key in \"original\" does not have the name in \"encoded\""));
}

#[test]
fn a_key_with_two_types_is_refused() {
    let dump = Dump::of(&sample()).with("redis/db_0/strings/h.bin", b"v").signed();
    let error = dump.error();
    assert_eq!(error, "redis/db_0/strings/h.bin: the same key has a file in hashes/ already: a key has one type");
}

#[test]
fn expiries_without_a_type_directory_are_refused() {
    let dump =
        Dump::of(&[string(b"a", b"", None)]).with("redis/db_0/hll_ttl.jsonl", b"{\"key\":\"p\",\"expire_at_ms\":1}\n");
    let error = dump.signed().error();
    assert_eq!(error, "redis/db_0/hll_ttl.jsonl, line 1: there is no file hll/p.bin that this expiry could belong to");
}

#[test]
fn expiries_find_their_files_in_the_order_of_file_names() {
    // By name `a-` comes behind `a`, as a file name before it.
    let events = [
        string(b"a-", b"", Some(2)),
        string(b"a", b"", Some(1)),
        string(b"a.c", b"", None),
        string(b"a0", b"", Some(3)),
    ];
    assert_eq!(Dump::of(&events).replay().unwrap(), shown_all(&events));
}

#[test]
fn elements_added_by_hand_in_any_place_are_sorted_and_repeats_among_them_found() {
    let dump = Dump::of(&sample());
    let added = dump.clone().edited(SET, "\"y\"", "\"y\",\n    \"b\",\n    \"a\"").signed();
    let events = added.replay().unwrap();
    let from = events.iter().position(|event| event == "Set s None").unwrap();
    assert_eq!(events[from + 1..from + 5], [" member a", " member b", " member x", " member y"]);

    let repeated = dump.edited(SET, "\"y\"", "\"y\",\n    \"b\",\n    \"y\"").signed();
    assert_eq!(repeated.error(), format!("{SET}, line 7: the member on line 5 comes again: names must be unique"));
}

#[test]
fn members_of_objects_and_white_space_come_in_any_order() {
    let text = "{\"expire_at_ms\":null ,\r\n\t\"fields\":[{\"value\":\"1\",\"name\":\"a\"}],\"format_version\":1}\n";
    let dump = Dump::of(&sample()).with(HASH, text.as_bytes());
    let stream = "{\"fields\": [{\"value\":\"v\",\"name\":\"k\"}], \"id\": \"1-1\"} \n{\"expire_at_ms\":1,\"last_seq\":1,\"last_ms\":1,\"length\":1,\"_meta\":true}\n";
    let events = dump.with(STREAM, stream.as_bytes()).signed().replay().unwrap();
    assert_eq!(events[..3], ["Hash h None", " field a = 1", "end"]);
    let from = events.iter().position(|event| event.ends_with(" x Some(1)")).unwrap();
    assert_eq!(events[from + 1..from + 5], [" entry 1-1", "  k = v", " end of entry", "end"]);
}

#[test]
fn values_larger_than_memory_pass_through() {
    let large: Vec<u8> = (0..3_000_000_u32).map(|n| u8::try_from(n % 251).unwrap()).collect();
    let text = "é\"\n<".repeat(600_000);
    let events = [
        begin(CollectionKind::Hash, b"h", None),
        field(b"a", &large),
        field(b"b", text.as_bytes()),
        END,
        begin(CollectionKind::Stream { last: id(1, 1) }, b"x", None),
        entry(1, 1),
        entry_field(text.as_bytes(), text.as_bytes()),
        ENTRY_END,
        END,
        string(b"s", &large, Some(1)),
    ];
    assert!(Dump::of(&events).replay().unwrap() == shown_all(&events));
}

proptest! {
    #[test]
    fn any_keys_and_values_come_back(
        strings in prop::collection::btree_map(any_key(), (prop::collection::vec(any::<u8>(), 0..20), any_expiry()), 0..6),
        fields in prop::collection::btree_map(any_key(), prop::collection::vec(any::<u8>(), 0..8), 0..8),
        expiry in any_expiry(),
        scores in prop::collection::vec(any::<f64>(), 0..4),
        texts in prop::collection::vec((".{0,6}", ".{0,6}"), 0..4),
    ) {
        let mut events = vec![begin(CollectionKind::Hash, b"\xffhash", expiry)];
        events.extend(fields.iter().map(|(name, value)| field(name, value)));
        events.push(END);
        events.push(begin(CollectionKind::List, b"\xfflist", expiry));
        events.extend(fields.values().map(|value| item(value)));
        events.push(END);
        events.push(begin(CollectionKind::Set, b"\xffset", expiry));
        events.extend(fields.keys().map(|name| member(name)));
        events.push(END);
        events.push(begin(CollectionKind::Stream { last: id(7, 9) }, b"\xffstream", expiry));
        for (n, (name, value)) in (1_u64..).zip(&texts) {
            events.extend([entry(n, 0), entry_field(name.as_bytes(), value.as_bytes()), ENTRY_END]);
        }
        events.push(END);
        let names: Vec<Vec<u8>> = (b'a'..).take(scores.len()).map(|letter| vec![letter]).collect();
        let file_name = |key: &[u8]| [crate::segment::encode_segment(key).as_slice(), b".bin"].concat();
        let mut sorted: Vec<_> = strings.iter().collect();
        sorted.sort_by_key(|(key, _)| file_name(key));
        events.extend(sorted.iter().map(|(key, (body, at_ms))| string(key, body, *at_ms)));
        events.push(begin(CollectionKind::ZSet, b"\xffzset", expiry));
        events.extend(names.iter().zip(&scores).map(|(name, score)| scored(name, *score)));
        events.push(END);
        prop_assert_eq!(Dump::of(&events).replay().unwrap(), shown_all(&events));
    }
}

fn any_key() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(prop::sample::select(b"ab/%.-\0\x80 ".to_vec()), 0..5),
        prop::collection::vec(any::<u8>(), 0..4),
        (236_usize..245).prop_map(|len| vec![b'k'; len]),
        "b64\\.[a-z]{0,3}".prop_map(String::into_bytes),
        "[0-9a-fA-F]{32}__".prop_map(String::into_bytes),
    ]
}

fn any_expiry() -> impl Strategy<Value = Option<u64>> {
    prop::option::of(prop_oneof![Just(0), Just(crate::expiry::EXPIRE_AT_MS_MAX), 1_u64..1 << 50])
}
