//! Documents that are edited by hand.

use super::*;
use std::sync::Arc;

const BUCKET: &str = "s3/more/_bucket.json";
const FULL: &str = "s3/more/full.elastickv-meta.json";

#[test]
fn layout_order_and_a_final_line_feed_mean_nothing() {
    let dump = dump(&sample());
    let sidecar = concat!(
        "\t{\"user_metadata\":{\"b\":\"\",\r\n\"a\":\"1 & \\u0032\"},\"size_bytes\" :4 ,\"content_encoding\":\"gzip\",",
        "\"content_disposition\":\"attachment; filename=\\\"é\u{2028}\\\"\",\"cache_control\":\"no-cache\",",
        "\"content_type\":\"text\\/plain; charset=\\\"<utf-8>\\\"\",\"last_modified\":\"2026-11-22T15:56:56.7930+01:00\",",
        "\"etag\":\"0123456789abcdef0123456789abcdef-2\",\n\"format_version\":1}\n\n",
    );
    let record = "{\"owner\":\"\\u003cowner\\u003e\",\"policy_json\":{\"a\":[1]},\"versioning\":\"\",\"name\":\"more\",\"format_version\":1}\n";
    let edited = dump.with(FULL, sidecar.as_bytes()).with(BUCKET, record.as_bytes()).signed();
    assert_eq!(buckets_of(&edited), sample());
}

#[test]
fn edits_that_mean_nothing_are_refused_with_file_line_and_expectation() {
    let long = format!("\"gzip{}\"", "x".repeat(1 << 16));
    let metadata = format!("\"b\": \"{}\"", "x".repeat(1 << 20));
    let cases = [
        (BUCKET, "\"format_version\": 1", "\"format_version\": 2", "line 2, byte 22: expected format_version 1"),
        (BUCKET, "\"format_version\": 1,", "", "the member \"format_version\" is missing"),
        (BUCKET, "\"name\": \"more\"", "\"name\": \"less\"", ": the directory is not named after the bucket \"less\""),
        (BUCKET, "\"name\": \"more\"", "\"name\": \"\"", "line 3, byte 35: expected the name of the bucket"),
        (BUCKET, "\"name\": \"more\"", "\"name\": null", "line 3, byte 35: expected the name of the bucket, found 'n'"),
        (
            BUCKET,
            "\"name\"",
            "\"Name\"",
            "line 3, byte 27: unknown member \"Name\": expected \"format_version\", \"name\"",
        ),
        (BUCKET, "\"owner\"", "\"creation_time_iso\"", "line 4, byte 66: expected a time as RFC 3339 from 1970 on"),
        (BUCKET, "\n}", "\n}}", "line 5, byte 75: expected the end of the file, found '}'"),
        (
            FULL,
            "\"format_version\": 1",
            "\"format_version\": \"1\"",
            "line 2, byte 22: expected format_version 1, found",
        ),
        (FULL, "\"size_bytes\": 4,", "", "the member \"size_bytes\" is missing"),
        (FULL, "\"size_bytes\": 4", "\"size_bytes\": -4", "line 4, byte 89: expected a size in bytes, a whole number"),
        (FULL, "\"size_bytes\": 4", "\"size_bytes\": 4.0", "line 4, byte 89: expected a size in bytes, a whole number"),
        (FULL, "\"size_bytes\": 4", "\"size_bytes\": \"4\"", "line 4, byte 89: expected a size in bytes"),
        (
            FULL,
            "\"size_bytes\": 4",
            "\"size_bytes\": 9223372036854775808",
            "line 4, byte 89: expected a size in bytes, a whole number from 0 to 2^63-1",
        ),
        (FULL, "\"etag\"", "\"ETag\"", "line 3, byte 27: unknown member \"ETag\": expected \"format_version\", "),
        (FULL, "\"size_bytes\": 4", "\"etag\": \"x\"", "the member \"etag\" comes twice"),
        (FULL, "2026-11-22T", "2026-11-32T", "line 5, byte 111: expected a time as RFC 3339 from 1970 on, such as"),
        (FULL, "2026-11-22T", "1926-11-22T", "line 5, byte 111: expected a time as RFC 3339 from 1970 on, such as"),
        (FULL, "2026-11-22T", "2026-11-22 ", "line 5, byte 111: expected a time as RFC 3339 from 1970 on, such as"),
        (FULL, "\"gzip\"", "7", "line 7, byte 224: expected a string, found '7'"),
        (FULL, "\"gzip\"", &long, "line 7, byte 224: the string is longer than 65536 bytes"),
        (FULL, "\"gzip\"", "\"\\udead\"", "the escape is half of a surrogate pair"),
        (
            FULL,
            "\"b\": \"\"",
            "\"a\": \"\"",
            "line 12, byte 373: the metadata on line 11 comes again: names must be unique",
        ),
        (FULL, "\"b\": \"\"", "\"b\": [\"\"]", "line 12, byte 378: expected a string, found '['"),
        (FULL, "\"b\": \"\"", &metadata, "line 12, byte 373: the user metadata is longer than 1048576 bytes"),
    ];
    let dump = dump(&sample());
    let mut wrong = Vec::new();
    for (path, from, to, message) in cases {
        let error = error_of(&dump.clone().edited(path, from, to).signed());
        if !error.strip_prefix(path).is_some_and(|rest| rest.contains(message)) {
            wrong.push(format!("{from} -> {}: {error}", &to[..to.len().min(40)]));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn records_of_buckets_are_bounded() {
    let text = [&b"{\"format_version\": 1, \"name\": \"more\"}"[..], &vec![b' '; 1 << 20]].concat();
    let error = error_of(&dump(&sample()).with(BUCKET, &text).signed());
    assert_eq!(error, format!("{BUCKET}: the file is longer than 1048576 bytes"));
}

#[test]
fn changed_files_are_named_before_what_they_say_makes_no_sense() {
    let dump = dump(&sample());
    let error = error_of(&dump.clone().edited(FULL, "etag", "tag"));
    let start = format!("{FULL}: the contents do not match CHECKSUMS; then: {FULL}, line 3");
    assert!(error.starts_with(&start), "{error}");
    let error = error_of(&dump.clone().with("s3/more/full", b"fool"));
    assert_eq!(error, "s3/more/full: the contents do not match CHECKSUMS");
    let error = error_of(&dump.with("s3/more/empty", b"x"));
    assert!(error.starts_with("s3/more/empty: the contents do not match CHECKSUMS; then: "), "{error}");
}

#[test]
fn every_flipped_bit_is_refused() {
    let dump = dump(&one(&[(b"a", b"1"), (b"a/b", b"2")]));
    let mut flips = 0;
    for (path, content) in &dump.entries {
        let Some(content) = content else { continue };
        for at in 0..content.len() {
            let mut changed = content.clone();
            changed[at] ^= 1 << (at % 8);
            let path = std::str::from_utf8(path).unwrap();
            assert!(replayed(&dump.clone().with(path, &changed), Arc::default()).is_err(), "{path}, byte {at}");
            flips += 1;
        }
    }
    assert!(flips > 500, "{flips}");
}
