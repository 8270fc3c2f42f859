use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::json::{EscapeMode, Style, serialize_into};

type Result<T> = std::result::Result<T, String>;
type JsonReader<'t> = super::JsonReader<InMemory<'t>>;

/// A text whose faults are told with their place.
#[derive(Clone, Copy)]
pub(super) struct InMemory<'t>(pub(super) &'t [u8]);

impl BytesAt for InMemory<'_> {
    type Error = String;

    fn byte_count(&self) -> u64 {
        u64::try_from(self.0.len()).unwrap()
    }

    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        let start = usize::try_from(offset).unwrap();
        buf.copy_from_slice(&self.0[start..start + buf.len()]);
        Ok(())
    }
}

impl JsonSource for InMemory<'_> {
    fn refuse(fault: JsonFault, Position { byte_offset, line }: Position) -> String {
        format!("line {line}, byte {byte_offset}: {fault}")
    }
}

fn failure(text: &[u8], read: impl FnOnce(&mut JsonReader<'_>) -> Result<()>) -> String {
    let source = InMemory(text);
    let mut reader = JsonReader::document(source);
    read(&mut reader).and_then(|()| reader.end()).unwrap_err().to_string()
}

fn text_of(json: &[u8]) -> Result<Vec<u8>> {
    let source = InMemory(json);
    let mut reader = JsonReader::document(source);
    let mut out = Vec::new();
    reader.text("a string", 100, &mut out)?;
    reader.end()?;
    Ok(out)
}

fn bytes_of(json: &[u8]) -> Result<Vec<u8>> {
    let source = InMemory(json);
    let mut reader = JsonReader::document(source);
    let mut out = Vec::new();
    reader.base64("a string", |piece| {
        out.extend_from_slice(piece);
        Ok(())
    })?;
    reader.end()?;
    Ok(out)
}

#[test]
fn escapes_are_resolved_and_surrogate_pairs_joined() {
    let text = text_of(br#" "\"\\\/\b\f\n\r\tA\u00e9\u20AC\ud83d\ude00\u0000" "#).unwrap();
    assert_eq!(text, "\"\\/\u{8}\u{c}\n\r\tAé€😀\0".as_bytes());
}

#[test]
fn bad_strings_are_refused_with_line_and_expectation() {
    let cases: [(&[u8], &str); 13] = [
        (b"\n 7", "line 2, byte 2: expected a string, found '7'"),
        (br#""a"#, "line 1, byte 2: expected the end of the string, found the end of the file"),
        (b"\"a\nb\"", "line 1, byte 2: expected an escape for the control character, found the end of the line"),
        (b"\"\x01\"", "line 1, byte 1: expected an escape for the control character, found the byte 0x01"),
        (br#""\x""#, r#"line 1, byte 2: expected one of " \ / b f n r t u after a backslash, found 'x'"#),
        (br#""\u12g4""#, "line 1, byte 5: expected four hex digits, found 'g'"),
        (br#""\ud800""#, "line 1, byte 7: the escape is half of a surrogate pair"),
        (br#""\udc00""#, "line 1, byte 7: the escape is half of a surrogate pair"),
        (br#""\ud800\ud800""#, "line 1, byte 13: the escape is half of a surrogate pair"),
        (b"\"\xff\"", "line 1, byte 1: the string is not UTF-8"),
        (b"\"\xe2\\n\x82\"", "line 1, byte 2: the string is not UTF-8"),
        (b"\"\xe2\x82\"", "line 1, byte 3: the string is not UTF-8"),
        (br#""a" }"#, "line 1, byte 4: expected the end of the file, found '}'"),
    ];
    for (json, message) in cases {
        assert_eq!(text_of(json).unwrap_err().to_string(), message, "{}", json.escape_ascii());
    }
    let long = format!("\n\"{}\"", "k".repeat(101));
    assert_eq!(
        text_of(long.as_bytes()).unwrap_err().to_string(),
        "line 2, byte 1: the string is longer than 100 bytes"
    );
}

#[test]
fn base64url_is_strict() {
    for (json, bytes) in
        [("\"\"", &b""[..]), ("\"_w\"", b"\xff"), (r#""_-8""#, b"\xff\xef"), (r#""AAAA_w""#, b"\0\0\0\xff")]
    {
        assert_eq!(bytes_of(json.as_bytes()).unwrap(), bytes);
    }
    for json in [r#""_w==""#, r#""_x""#, r#""/w""#, r#""_""#, r#""_w ""#, r#""AAAA=AAA""#] {
        let error = bytes_of(json.as_bytes()).unwrap_err().to_string();
        assert_eq!(error, "line 1, byte 0: expected base64url without padding (A-Z a-z 0-9 - _)", "{json}");
    }
}

#[test]
fn padded_base64_is_strict_wherever_the_text_is_cut() {
    let read = |json: &str| {
        let source = InMemory(json.as_bytes());
        let mut reader = JsonReader::document(source);
        let mut bytes = Vec::new();
        reader.padded_base64("base64", |piece| {
            bytes.extend_from_slice(piece);
            Ok(())
        })?;
        reader.end().map(|()| bytes)
    };
    for (json, bytes) in [
        ("\"\"", &b""[..]),
        ("\"/w==\"", b"\xff"),
        (r#""+/8=""#, b"\xfb\xff"),
        (r#""AAAA\u002fw==""#, b"\0\0\0\xff"),
        (r#""\u0041\u0041\u0041\u0041""#, b"\0\0\0"),
    ] {
        assert_eq!(read(json).unwrap(), bytes, "{json}");
    }
    for json in [
        r#""/w""#,
        r#""/w=""#,
        r#""_w==""#,
        r#""/x==""#,
        r#""/w==AAAA""#,
        r#""/w\u003d=AAAA""#,
        r#""====""#,
        r#""AAAA=""#,
        r#""AA AA""#,
    ] {
        let error = read(json).unwrap_err().to_string();
        assert_eq!(error, "line 1, byte 0: expected base64 with padding (A-Z a-z 0-9 + / =)", "{json}");
    }
    let long = vec![0xab; 3 * BUFFER_LEN + 1];
    let mut text = b"\"".to_vec();
    let mut encoder = crate::base64::Base64Stream::standard();
    encoder.push(&long, &mut text);
    encoder.finish(&mut text);
    text.push(b'"');
    let text = String::from_utf8(text).unwrap();
    assert!(read(&text).unwrap() == long);
}

#[test]
fn objects_have_exactly_their_members() {
    let read = |reader: &mut JsonReader<'_>| {
        reader.object("an object", &["format_version", "fields"], |reader, _| reader.skip())
    };
    let text = b"{\"fields\": [1, {}, [[]], null], \"format_version\": true}";
    let source = InMemory(text);
    read(&mut JsonReader::document(source)).unwrap();
    let cases = [
        ("[]", "line 1, byte 0: expected an object, found '['"),
        ("{}", "line 1, byte 2: the member \"format_version\" is missing"),
        ("{\n\"FIELDS\": []}", "line 2, byte 2: unknown member \"FIELDS\": expected \"format_version\" or \"fields\""),
        ("{\"fields\":1,\n\"fields\":2}", "line 2, byte 22: the member \"fields\" comes twice"),
        ("{\"fields\" 1}", "line 1, byte 10: expected a colon, found '1'"),
        ("{\"fields\": 1 2}", "line 1, byte 13: expected a comma or the end of the object, found '2'"),
        ("{\"fields\": 1,}", "line 1, byte 13: expected the name of a member, found '}'"),
        ("{\"fields\": [1,]}", "line 1, byte 14: expected a value, found ']'"),
        ("{\"fields\": [1 2]}", "line 1, byte 14: expected a comma or the end of the array, found '2'"),
        ("{\"fields\": nul}", "line 1, byte 14: expected null, found '}'"),
        ("{\"fields\": 1.}", "line 1, byte 13: expected a digit, found '}'"),
        ("{\"fields\": \"a", "line 1, byte 13: expected the end of the string, found the end of the file"),
    ];
    for (text, message) in cases {
        assert_eq!(failure(text.as_bytes(), read), message, "{text}");
    }
}

#[test]
fn optional_members_may_be_left_out_and_required_ones_may_not() {
    let read = |reader: &mut JsonReader<'_>| {
        reader.object_with_optional("an object", &["a", "b"], 1, |reader, _| reader.skip())
    };
    for text in [&b"{\"a\": 1}"[..], b"{\"b\": 1, \"a\": 2}"] {
        read(&mut JsonReader::document(InMemory(text))).unwrap();
    }
    assert_eq!(failure(b"{\"b\": 1}", read), "line 1, byte 8: the member \"a\" is missing");
    assert_eq!(failure(b"{\"a\": 1, \"c\": 1}", read), "line 1, byte 9: unknown member \"c\": expected \"a\" or \"b\"");
}

#[test]
fn nesting_beyond_the_limit_is_refused_and_up_to_it_is_not() {
    let nested = |depth: usize| [vec![b'['; depth], vec![b']'; depth]].concat();
    let text = nested(1000);
    let source = InMemory(&text);
    JsonReader::document(source).skip().unwrap();
    let deep = nested(100_000);
    JsonReader::document(InMemory(&deep)).skip_within(100_000).unwrap();
    let message = failure(&deep, |reader| reader.skip());
    assert_eq!(message, "line 1, byte 1001: objects and arrays are nested more than 1000 deep");
}

#[test]
fn integers_are_plain_and_in_range() {
    let read = |text: &str| {
        let source = InMemory(text.as_bytes());
        let mut reader = JsonReader::document(source);
        reader.u64("a number up to 100", 100).and_then(|number| reader.end().map(|()| number))
    };
    assert_eq!(read("100").unwrap(), 100);
    assert_eq!(read("0").unwrap(), 0);
    for text in ["101", "-1", "1.0", "1e1", "99999999999999999999", "-0"] {
        assert_eq!(read(text).unwrap_err().to_string(), "line 1, byte 0: expected a number up to 100", "{text}");
    }
    assert_eq!(read("01").unwrap_err().to_string(), "line 1, byte 1: expected the end of the file, found '1'");
    assert_eq!(read("null").unwrap_err().to_string(), "line 1, byte 0: expected a number up to 100, found 'n'");
    let long = format!("1{}", "0".repeat(2000));
    assert_eq!(read(&long).unwrap_err().to_string(), "line 1, byte 1024: the string is longer than 1024 bytes");
}

#[test]
fn each_line_is_a_text_of_its_own_and_ends_in_a_line_feed() {
    let read = |text: &str| -> Result<u64> {
        let source = InMemory(text.as_bytes());
        let mut reader = JsonReader::lines(source);
        while !reader.is_at_end()? {
            reader.skip()?;
            reader.end()?;
        }
        Ok(reader.line())
    };
    assert_eq!(read("").unwrap(), 1);
    assert_eq!(read("{}\n [1, 2] \n").unwrap(), 3);
    for (text, message) in [
        ("1\n\n2\n", "line 2, byte 2: expected a value, found the end of the line"),
        ("1\n{\n}\n", "line 2, byte 3: expected the name of a member, found the end of the line"),
        ("1\n2 3\n", "line 2, byte 4: expected the end of the line, found '3'"),
        ("1\n2", "line 2, byte 3: expected the end of the line, found the end of the file"),
    ] {
        let error = read(text).unwrap_err().to_string();
        assert!(
            error == message || error.ends_with("expected a comma or the end of the object, found the end of the line"),
            "{error}"
        );
    }
}

#[test]
fn the_last_line_may_lack_its_line_feed_where_that_is_allowed() {
    for (text, refused) in [(&b"1\n2"[..], None), (b"1\n2 \n", None), (b"1 2\n", Some("expected the end of the line"))]
    {
        let source = InMemory(text);
        let mut reader = JsonReader::lines(source);
        let mut read = || {
            while !reader.is_at_end()? {
                reader.skip()?;
                reader.end_or_last()?;
            }
            Ok(reader.line())
        };
        let result: Result<u64> = read();
        match refused {
            None => assert!(result.is_ok_and(|line| line >= 2)),
            Some(message) => assert!(result.unwrap_err().to_string().contains(message)),
        }
    }
}

#[test]
fn copies_are_as_written_without_the_white_space_outside_strings() {
    let copy = |text: &[u8]| -> Result<Vec<u8>> {
        let source = InMemory(text);
        let mut reader = JsonReader::document(source);
        let mut out = Vec::new();
        reader.copy(&mut |piece| {
            out.extend_from_slice(piece);
            Ok(())
        })?;
        reader.end()?;
        Ok(out)
    };
    let text = b" { \"a\\u003c \xff\" :\n[ 1.50e+3 ,\ttrue , null, { } , [ ] ] , \"\" : \"\\ud800 \\\" \" } ";
    let copied = b"{\"a\\u003c \xff\":[1.50e+3,true,null,{},[]],\"\":\"\\ud800 \\\" \"}";
    assert_eq!(copy(text).unwrap().escape_ascii().to_string(), copied.escape_ascii().to_string());
    for (text, message) in [
        (&br#""\x""#[..], "byte 2: expected one of"),
        (br#""\u12g4""#, "byte 5: expected four hex digits, found 'g'"),
        (b"[1 2]", "byte 3: expected a comma or the end of the array, found '2'"),
        (b"\"a\nb\"", "byte 2: expected an escape for the control character"),
    ] {
        let error = copy(text).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn signed_integers_reach_both_ends() {
    for number in [i64::MIN, -1, 0, i64::MAX] {
        let text = number.to_string();
        let source = InMemory(text.as_bytes());
        assert_eq!(JsonReader::document(source).i64("a number").unwrap(), number);
    }
    for text in ["9223372036854775808", "-9223372036854775809", "1.0", "1e3"] {
        let error = failure(text.as_bytes(), |reader| reader.i64("a number from -2^63").map(|_| ()));
        assert_eq!(error, "line 1, byte 0: expected a number from -2^63");
    }
}

#[test]
fn a_remembered_place_is_found_again() {
    let text = format!("[\n\"{}\",\n2, 3]", "x".repeat(BUFFER_LEN));
    let source = InMemory(text.as_bytes());
    let mut reader = JsonReader::document(source);
    let mut places = Vec::new();
    reader
        .array("an array", |reader| {
            places.push(reader.position()?);
            reader.skip()
        })
        .unwrap();
    assert_eq!(places.iter().map(|place| place.line).collect::<Vec<_>>(), [2, 3, 3]);
    for place in places.iter().rev() {
        reader.seek(*place);
        assert_eq!(reader.position().unwrap(), *place);
        reader.skip().unwrap();
    }
    reader.seek(places[2]);
    assert_eq!(reader.u64("a number", 9).unwrap(), 3);
}

/// Reads any value.
fn value(reader: &mut JsonReader<'_>) -> Result<Value> {
    Ok(match reader.kind("a value")? {
        ValueKind::Null => {
            reader.null()?;
            Value::Null
        }
        ValueKind::Bool => reader.boolean("a value")?.into(),
        ValueKind::Number => {
            let text = reader.number("a value")?;
            // The other parser rounds fractions in its own way.
            text.parse::<i64>().map_or_else(|_| text.parse::<f64>().unwrap().into(), Value::from)
        }
        ValueKind::String => {
            let mut text = Vec::new();
            reader.text("a value", usize::MAX, &mut text)?;
            String::from_utf8(text).unwrap().into()
        }
        ValueKind::Array => {
            let mut items = Vec::new();
            reader.array("a value", |reader| {
                items.push(value(reader)?);
                Ok(())
            })?;
            items.into()
        }
        ValueKind::Object => {
            let mut members = serde_json::Map::new();
            reader.members("a value", |reader| {
                let mut name = Vec::new();
                reader.name(usize::MAX, &mut name)?;
                members.insert(String::from_utf8(name).unwrap(), value(reader)?);
                Ok(())
            })?;
            members.into()
        }
    })
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e300..1e300).prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(".{0,4}", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_the_writer_writes_is_read_back(expected in any_value(), is_pretty in any::<bool>()) {
        let mut text = Vec::new();
        let style = if is_pretty { Style::Pretty } else { Style::Compact };
        serialize_into(&expected, style, EscapeMode::Html, &mut text).unwrap();
        let source = InMemory(&text);
        let mut reader = JsonReader::document(source);
        prop_assert_eq!(value(&mut reader).unwrap(), expected);
        reader.end().unwrap();
        let mut skipping = JsonReader::document(source);
        skipping.skip().unwrap();
        skipping.end().unwrap();
    }

    #[test]
    fn texts_are_accepted_as_a_strict_parser_accepts_them(
        text in prop::collection::vec(prop::sample::select(b"{}[]\",:\\ntrue0123.eE-+ u\xe2\x82\xac\n".to_vec()), 0..12),
    ) {
        let source = InMemory(&text);
        let mut reader = JsonReader::document(source);
        let read = value(&mut reader).and_then(|value| reader.end().map(|()| value));
        // Numbers beyond the range of a double are no number to that parser, and minus zero is a double to it.
        if let Ok(parsed) = serde_json::from_slice::<Value>(&text) {
            let read = read.unwrap();
            prop_assert!(read == parsed || text.windows(2).any(|pair| pair == b"-0"));
        } else if !text.iter().any(|byte| matches!(byte, b'e' | b'E')) {
            prop_assert!(read.is_err());
        }
    }
}
