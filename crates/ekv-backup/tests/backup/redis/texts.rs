//! Bytes and scores as JSON. Source: `docs/format/redis.md`, sections 6.3 and 6.4.

use ekv_model::redis::StreamId;
use ekv_testkit::redis::{RedisRecords, Wide, key, value};
use serde_json::Value;

use crate::redis::support::dump;

/// Bytes that are easy to get wrong.
fn samples() -> Vec<Vec<u8>> {
    let mut samples: Vec<Vec<u8>> = (0_u8..=0xff).map(|byte| vec![byte]).collect();
    samples.extend(
        ["", "\u{7f}", "\u{2027}\u{2028}\u{2029}\u{202a}", "\u{feff}", "\u{fffd}", "\u{ffff}", "😀", "</script>&\"\\/"]
            .map(|text| text.as_bytes().to_vec()),
    );
    samples.extend(
        // A surrogate, overlong forms, beyond the last character, a character cut short.
        [&b"\xed\xa0\x80"[..], b"\xc0\x80", b"\xe0\x80\x80", b"\xf4\x90\x80\x80", b"\xf0\x9f\x98", b"ok\xff"]
            .map(<[u8]>::to_vec),
    );
    samples
}

/// What a JSON value says: a string's bytes, or those behind `base64`.
fn bytes_of(json: &Value) -> Vec<u8> {
    match json.as_str() {
        Some(text) => text.as_bytes().to_vec(),
        None => {
            assert_eq!(json.as_object().unwrap().len(), 1);
            let bytes = ekv_testkit::from_base64url(json["base64"].as_str().unwrap());
            assert!(std::str::from_utf8(&bytes).is_err(), "only what is not UTF-8 is in base64");
            bytes
        }
    }
}

#[test]
fn bytes_come_back_from_every_place_where_they_can_stand() {
    let samples = samples();
    let texts: Vec<&[u8]> = samples.iter().filter(|s| std::str::from_utf8(s).is_ok()).map(Vec::as_slice).collect();
    let id = StreamId { ms: 1, seq: 1 };
    let fields: Vec<&[u8]> = texts.iter().flat_map(|text| [*text, *text]).collect();
    let mut records = RedisRecords::new()
        .put(key::stream_entry(b"k-stream", id), value::stream_entry("1-1", &fields))
        .put(key::stream_meta(b"k-stream"), value::stream_meta_24(1, id));
    for (seq, sample) in (0..).zip(&samples) {
        records = records
            .put(key::list_item(b"k-list", seq), sample)
            .put(Wide::Hash.element(b"k-hash", sample), sample)
            .put(Wide::Set.element(b"k-set", sample), b"")
            .put(Wide::ZSet.element(b"k-zset", sample), value::score(0.0));
    }
    let len = i64::try_from(samples.len()).unwrap();
    let dump = dump(&records.put(key::list_delta(b"k-list", 1, 0), value::list_delta(0, len)));
    let json = |path: &str| serde_json::from_str::<Value>(dump.text(path)).unwrap();
    let items: Vec<Vec<u8>> = json("lists/k-list.json")["items"].as_array().unwrap().iter().map(bytes_of).collect();
    assert_eq!(items, samples);
    let mut sorted = samples.clone();
    sorted.sort();
    sorted.dedup();
    let all = |json: &Value, member: &str| -> Vec<Vec<u8>> {
        json.as_array().unwrap().iter().map(|element| bytes_of(&element[member])).collect()
    };
    let hash = json("hashes/k-hash.json");
    assert_eq!(all(&hash["fields"], "name"), sorted);
    assert_eq!(all(&hash["fields"], "value"), sorted);
    let set = json("sets/k-set.json");
    assert_eq!(set["members"].as_array().unwrap().iter().map(bytes_of).collect::<Vec<_>>(), sorted);
    assert_eq!(all(&json("zsets/k-zset.json")["members"], "member"), sorted);
    let entry: Value = serde_json::from_str(dump.text("streams/k-stream.jsonl").lines().next().unwrap()).unwrap();
    assert_eq!(all(&entry["fields"], "name"), texts);
    assert_eq!(all(&entry["fields"], "value"), texts);
}

/// The text of a list's only item.
fn item(bytes: &[u8]) -> String {
    let records = RedisRecords::new()
        .put(key::list_item(b"k", 0), bytes)
        .put(key::list_delta(b"k", 1, 0), value::list_delta(0, 1));
    let dump = dump(&records);
    let text = dump.text("lists/k.json").strip_prefix("{\n  \"format_version\": 1,\n  \"items\": [\n    ").unwrap();
    text.strip_suffix("\n  ],\n  \"expire_at_ms\": null\n}").unwrap().to_owned()
}

#[test]
fn escapes_are_the_documented_ones_and_everything_else_stands_as_it_is() {
    for (bytes, text) in [
        (&b"\"\\\x08\x0c\n\r\t"[..], r#""\"\\\b\f\n\r\t""#),
        (b"\x00\x01\x1f\x0b", r#""\u0000\u0001\u001f\u000b""#),
        (b"<a href='x'>&</a>", r#""\u003ca href='x'\u003e\u0026\u003c/a\u003e""#),
        ("\u{2028}\u{2029}".as_bytes(), r#""\u2028\u2029""#),
        ("/\u{7f}\u{80}\u{feff}\u{fffd}\u{ffff}😀".as_bytes(), "\"/\u{7f}\u{80}\u{feff}\u{fffd}\u{ffff}😀\""),
        (b"\xff", "{\n      \"base64\": \"_w\"\n    }"),
        (b"\xfb\xff\xbf", "{\n      \"base64\": \"-_-_\"\n    }"),
    ] {
        assert_eq!(item(bytes), text);
    }
}

#[test]
fn text_longer_than_any_buffer_is_escaped_like_a_short_one() {
    // Characters and escapes lie across the ends of all buffers; the last byte decides whether it is text at all.
    let text = "a<é\u{2028}😀".repeat(70_000);
    let expected = "a\\u003cé\\u2028😀".repeat(70_000);
    assert!(item(text.as_bytes()) == format!("\"{expected}\""));
    let broken = [text.as_bytes(), b"\xf0\x9f"].concat();
    let json: Value = serde_json::from_str(&item(&broken)).unwrap();
    assert!(bytes_of(&json) == broken);
}

#[test]
fn scores_are_the_shortest_text_that_reads_back() {
    let scores = [
        (10.0, "10"),
        (-2.5, "-2.5"),
        (0.1, "0.1"),
        (0.000_001, "0.000001"),
        (1e-7, "1e-7"),
        (5e-324, "5e-324"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (1e308, "1e+308"),
        (9_007_199_254_740_992.0, "9007199254740992"),
        (1_234_567.125, "1234567.125"),
        (0.0, "0"),
        (-0.0, "-0"),
        (f64::INFINITY, "\"+inf\""),
        (f64::NEG_INFINITY, "\"-inf\""),
        (f64::NAN, "\"nan\""),
        (f64::MAX, "1.7976931348623157e+308"),
    ];
    let mut records = RedisRecords::new();
    for (n, (score, _)) in (0_u8..).zip(scores) {
        records = records.put(Wide::ZSet.element(b"k", &[b'a' + n]), value::score(score));
    }
    let dump = dump(&records);
    let texts: Vec<&str> =
        dump.text("zsets/k.json").lines().filter_map(|line| line.trim().strip_prefix("\"score\": ")).collect();
    assert_eq!(texts, scores.map(|(_, text)| text));
}

#[test]
fn empty_collections_have_an_empty_array_and_an_empty_stream_its_last_id() {
    let records = RedisRecords::new()
        .put(Wide::Hash.meta(b"h"), value::meta(0, 0))
        .put(key::stream_meta(b"x"), value::stream_meta(0, StreamId { ms: 5, seq: 2 }, 0, StreamId { ms: 5, seq: 2 }));
    let dump = dump(&records);
    assert_eq!(
        dump.text("hashes/h.json"),
        "{\n  \"format_version\": 1,\n  \"fields\": [],\n  \"expire_at_ms\": null\n}"
    );
    assert_eq!(
        dump.text("streams/x.jsonl"),
        "{\"_meta\":true,\"length\":0,\"last_ms\":5,\"last_seq\":2,\"expire_at_ms\":null}\n"
    );
}

#[test]
fn stream_says_the_number_of_its_lines_whatever_its_metadata_says() {
    let id = StreamId { ms: 1, seq: 1 };
    let records = RedisRecords::new()
        .put(key::stream_entry(b"x", id), value::stream_entry("01-01", &[b"\xc3\xa9", b""]))
        .put(key::stream_meta(b"x"), value::stream_meta_24(0, id));
    let dump = dump(&records);
    assert_eq!(
        dump.text("streams/x.jsonl"),
        "{\"id\":\"1-1\",\"fields\":[{\"name\":\"é\",\"value\":\"\"}]}\n{\"_meta\":true,\"length\":1,\"last_ms\":1,\"last_seq\":1,\"expire_at_ms\":null}\n"
    );
    assert_eq!(dump.found(), [("redis_stream_length_mismatch", 1), ("redis_stream_noncanonical_id", 1)]);
}
