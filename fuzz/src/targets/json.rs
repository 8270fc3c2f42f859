//! JSON: our reader against serde_json's, and our writers against both.

use ekv_dump::json::{JsonReader, ValueKind};
use ekv_model::InMemory;
use ekv_text::json::{Base64Stream, EscapeMode, EscapeStream, Utf8Check, escape_into, push_score};
use serde_json::{Map, Number, Value};

/// Deepest nesting that is read here, below the limit of serde_json.
const DEPTH_MAX: usize = 100;
const LEN_MAX: usize = 1 << 20;

/// What our reader accepts, serde_json accepts as the same value.
pub(super) fn run_read(text: &[u8]) {
    let source = InMemory(text);
    let mut reader = JsonReader::document(&source);
    let ours = read_value(&mut reader, 0).and_then(|value| reader.end().map(|()| value));
    if let Ok(ours) = &ours {
        let theirs: Value = serde_json::from_slice(text).expect("what this reader accepts is JSON");
        assert_eq!(*ours, theirs);
    }
    let mut skipper = JsonReader::document(&source);
    let skipped = skipper.skip().and_then(|()| skipper.end());
    assert!(ours.is_err() || skipped.is_ok(), "what can be read can be skipped");
    read_lines(&source);
    seek_back(&source);
}

fn read_value(reader: &mut JsonReader<'_>, depth: usize) -> ekv_files::Result<Value> {
    if depth > DEPTH_MAX {
        return Err(reader.expected("less nesting"));
    }
    Ok(match reader.kind("a value")? {
        ValueKind::Object => {
            let mut members = Map::new();
            reader.members("an object", |reader| {
                let mut name = Vec::new();
                reader.name(LEN_MAX, &mut name)?;
                let name = String::from_utf8(name).expect("names are UTF-8");
                members.insert(name, read_value(reader, depth + 1)?);
                Ok(())
            })?;
            Value::Object(members)
        }
        ValueKind::Array => {
            let mut elements = Vec::new();
            reader.array("an array", |reader| {
                elements.push(read_value(reader, depth + 1)?);
                Ok(())
            })?;
            Value::Array(elements)
        }
        ValueKind::String => {
            let mut text = Vec::new();
            reader.text("a string", LEN_MAX, &mut text)?;
            Value::String(String::from_utf8(text).expect("strings are UTF-8"))
        }
        ValueKind::Number => {
            let text = reader.number("a number")?;
            match serde_json::from_str::<Number>(&text) {
                Ok(number) => Value::Number(number),
                // serde_json refuses what a double cannot hold.
                Err(_) => return Err(reader.expected("a number in the range of a double")),
            }
        }
        ValueKind::Bool => Value::Bool(reader.boolean("true or false")?),
        ValueKind::Null => {
            assert!(reader.null()?, "the kind was null");
            Value::Null
        }
    })
}

/// Lines: each ends, and each is read once.
fn read_lines(source: &InMemory<'_>) {
    let mut reader = JsonReader::lines(source);
    let mut lines = 0;
    while let Ok(false) = reader.is_at_end() {
        if reader.skip().and_then(|()| reader.end()).is_err() {
            return;
        }
        lines += 1;
        assert!(lines <= source.0.len(), "each line has a byte");
    }
    let feeds = source.0.iter().filter(|byte| **byte == b'\n').count();
    assert_eq!(lines, feeds, "every line feed outside a value ends a line");
}

/// After going back the same is read again.
fn seek_back(source: &InMemory<'_>) {
    let mut reader = JsonReader::document(source);
    let Ok(start) = reader.position() else { return };
    let first = read_value(&mut reader, 0).ok();
    reader.seek(start);
    assert_eq!(read_value(&mut reader, 0).ok(), first);
    reader.seek(start);
    let mut decoded = Vec::new();
    let _ = reader.base64("base64url", |piece| {
        decoded.extend_from_slice(piece);
        Ok(())
    });
}

/// What our writers write, both readers read as what was given; in pieces as in one.
pub(super) fn run_write(input: &[u8]) {
    let Some((split, bytes)) = input.split_first() else { return };
    let pieces = bytes.split_at(usize::from(*split).min(bytes.len()));
    let mut utf8 = Utf8Check::default();
    let pushed = utf8.push(pieces.0) && utf8.push(pieces.1);
    assert_eq!(pushed && utf8.is_valid(), std::str::from_utf8(bytes).is_ok(), "UTF-8 in pieces");
    if let Ok(text) = std::str::from_utf8(bytes) {
        for mode in [EscapeMode::Plain, EscapeMode::Html] {
            check_escape(text, pieces, mode);
        }
    }
    check_base64(bytes, pieces);
    if let Some(bits) = bytes.first_chunk() {
        check_score(f64::from_bits(u64::from_le_bytes(*bits)));
    }
}

fn check_escape(text: &str, pieces: (&[u8], &[u8]), mode: EscapeMode) {
    let mut whole = vec![b'"'];
    escape_into(text, mode, &mut whole);
    whole.push(b'"');
    let mut stream = EscapeStream::new(mode);
    let mut piecewise = vec![b'"'];
    stream.push(pieces.0, &mut piecewise);
    stream.push(pieces.1, &mut piecewise);
    stream.finish(&mut piecewise);
    piecewise.push(b'"');
    assert_eq!(piecewise, whole, "escaping in pieces");
    assert_eq!(serde_json::from_slice::<String>(&whole).unwrap(), text);
    let mut read = Vec::new();
    JsonReader::document(&InMemory(&whole)).text("a string", LEN_MAX, &mut read).unwrap();
    assert_eq!(read, text.as_bytes());
}

fn check_base64(bytes: &[u8], pieces: (&[u8], &[u8])) {
    let mut stream = Base64Stream::default();
    let mut text = vec![b'"'];
    stream.push(pieces.0, &mut text);
    stream.push(pieces.1, &mut text);
    stream.finish(&mut text);
    text.push(b'"');
    let mut read = Vec::new();
    let keep = |piece: &[u8]| {
        read.extend_from_slice(piece);
        Ok(())
    };
    JsonReader::document(&InMemory(&text)).base64("base64url", keep).unwrap();
    assert_eq!(read, bytes);
}

fn check_score(score: f64) {
    let mut text = Vec::new();
    push_score(score, &mut text);
    if score.is_finite() {
        let read: f64 = std::str::from_utf8(&text).unwrap().parse().unwrap();
        assert_eq!(read.to_bits(), score.to_bits(), "{}", text.escape_ascii());
        serde_json::from_slice::<Number>(&text).expect("a finite score is a JSON number");
    }
}
