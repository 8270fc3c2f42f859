//! KEYMAP.jsonl: what names that cannot be read back stand for.
//!
//! Source: `docs/format/tree.md`, section 3.

use std::io::BufRead;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ekv_text::json::{EscapeMode, JsonError, Object, escape_into};
use ekv_text::{LineError, Lines};
use serde::Deserialize;

/// Name of the file in its scope.
pub const KEYMAP_FILE: &str = "KEYMAP.jsonl";

/// Longest line in bytes: a key of [`ekv_model::KEY_LEN_MAX`] bytes takes 22 369 622 characters.
pub const KEYMAP_LINE_LEN_MAX: usize = 24 << 20;

/// Why a name needs a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeymapKind {
    /// The name is a fallback of the key.
    ShaFallback,
    /// The object's natural path is a directory of other objects.
    S3LeafData,
    /// The object's key ends like the name of a metadata sidecar.
    MetaSuffixRename,
}

impl KeymapKind {
    /// All kinds.
    pub const ALL: [KeymapKind; 3] = [KeymapKind::ShaFallback, KeymapKind::S3LeafData, KeymapKind::MetaSuffixRename];

    /// The text in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            KeymapKind::ShaFallback => "sha-fallback",
            KeymapKind::S3LeafData => "s3-leaf-data",
            KeymapKind::MetaSuffixRename => "meta-suffix-rename",
        }
    }
}

/// One line: the name and the key behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeymapRecord {
    /// Segment without extension (Redis) or path inside the bucket (S3).
    pub encoded: String,
    /// The raw key.
    pub original: Vec<u8>,
    /// Why the name differs.
    pub kind: KeymapKind,
}

impl KeymapRecord {
    /// Appends the line, line feed included.
    pub fn write_into(&self, out: &mut Vec<u8>) {
        write_line(&self.encoded, &self.original, self.kind, out);
    }
}

/// Appends a line, line feed included.
///
/// Source: `docs/format/tree.md`, sections 3 and 3.1.
pub fn write_line(encoded: &str, original: &[u8], kind: KeymapKind, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"encoded\":\"");
    escape_into(encoded, EscapeMode::Plain, out);
    out.extend_from_slice(b"\",\"original\":\"");
    out.extend_from_slice(URL_SAFE_NO_PAD.encode(original).as_bytes());
    out.extend_from_slice(b"\",\"kind\":\"");
    out.extend_from_slice(kind.as_str().as_bytes());
    out.extend_from_slice(b"\"}\n");
}

/// Tells the lines of these names.
pub(crate) fn lines_of(names: &[Vec<u8>]) -> impl Fn(&[u8]) -> bool + use<> {
    let names = names.to_vec();
    move |line| parse_line(line).is_ok_and(|record| names.iter().any(|name| name == record.encoded.as_bytes()))
}

/// Why a KEYMAP is refused.
#[derive(Debug, thiserror::Error)]
#[error("line {line_number} of KEYMAP.jsonl is refused")]
pub struct KeymapError {
    /// Number of the line, from 1.
    pub line_number: u64,
    /// What is wrong with it.
    #[source]
    pub fault: KeymapFault,
}

/// What is wrong with a line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeymapFault {
    /// No whole line could be read.
    #[error(transparent)]
    Line(#[from] LineError),
    /// Not exactly one JSON object with three strings: blank, missing or null field, trailing bytes.
    #[error("it is not an object with the strings encoded, original and kind")]
    Json(#[source] JsonError),
    /// `encoded` is empty.
    #[error("the field encoded is empty")]
    EmptyEncoded,
    /// `original` is not base64url without padding.
    #[error("the field original is not base64url without padding")]
    Base64(#[from] base64::DecodeError),
    /// A kind that this version does not know.
    #[error("unknown kind {kind:?}")]
    Kind {
        /// Its text, at most the first 64 characters.
        kind: String,
    },
}

/// Reads a KEYMAP record by record.
///
/// Checks each line by itself; whether the record fits its file, and whether it repeats, is for the caller to decide. Cost: one line, at
/// most [`KEYMAP_LINE_LEN_MAX`] bytes, and its decoded form.
#[derive(Debug)]
pub struct KeymapReader<R> {
    lines: Lines<R>,
}

/// Unknown fields are ignored.
#[derive(Deserialize)]
struct RawRecord<'a> {
    #[serde(borrow)]
    encoded: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    original: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    kind: std::borrow::Cow<'a, str>,
}

impl<R: BufRead> KeymapReader<R> {
    /// Begins to read.
    pub fn new(input: R) -> Self {
        KeymapReader { lines: Lines::new(input, KEYMAP_LINE_LEN_MAX) }
    }

    /// Number of the line that was read last, from 1.
    pub fn line_number(&self) -> u64 {
        self.lines.number()
    }

    /// The next record; `None` at the end.
    ///
    /// # Errors
    /// [`KeymapError`] with the number of the line. After [`KeymapFault::Line`] nothing more can be read, after any other fault the
    /// next call goes on with the next line.
    pub fn next_record(&mut self) -> Result<Option<KeymapRecord>, KeymapError> {
        let record = match self.lines.next_line() {
            Ok(None) => return Ok(None),
            Ok(Some(line)) => parse_line(line),
            Err(error) => Err(KeymapFault::Line(error)),
        };
        record.map(Some).map_err(|fault| KeymapError { line_number: self.lines.number(), fault })
    }
}

fn parse_line(line: &[u8]) -> Result<KeymapRecord, KeymapFault> {
    let Object(raw) = serde_json::from_slice::<Object<RawRecord<'_>>>(line)
        .map_err(|error| KeymapFault::Json(JsonError::new(&error)))?;
    if raw.encoded.is_empty() {
        return Err(KeymapFault::EmptyEncoded);
    }
    let kind = KeymapKind::ALL
        .into_iter()
        .find(|kind| kind.as_str() == raw.kind)
        .ok_or_else(|| KeymapFault::Kind { kind: raw.kind.chars().take(64).collect() })?;
    let original = URL_SAFE_NO_PAD.decode(raw.original.as_bytes())?;
    Ok(KeymapRecord { encoded: raw.encoded.into_owned(), original, kind })
}

#[cfg(test)]
mod tests {
    use ekv_model::KEY_LEN_MAX;

    use super::*;

    fn read(text: &[u8]) -> Result<Vec<KeymapRecord>, KeymapError> {
        let mut reader = KeymapReader::new(text);
        let mut records = Vec::new();
        while let Some(record) = reader.next_record()? {
            records.push(record);
        }
        Ok(records)
    }

    #[test]
    fn records_have_the_documented_lines_and_are_read_back() {
        let records = [
            ("56aa336ce5e484fd6aa17b4e075d5be3__dir%2F", &b"dir/"[..], KeymapKind::ShaFallback),
            ("a/b.elastickv-leaf-data", b"a/b", KeymapKind::S3LeafData),
            ("x.elastickv-meta.json.user-data", b"x.elastickv-meta.json", KeymapKind::MetaSuffixRename),
        ]
        .map(|(encoded, original, kind)| KeymapRecord {
            encoded: encoded.to_owned(),
            original: original.to_vec(),
            kind,
        });
        let mut out = Vec::new();
        records.iter().for_each(|record| record.write_into(&mut out));
        let expected = concat!(
            r#"{"encoded":"56aa336ce5e484fd6aa17b4e075d5be3__dir%2F","original":"ZGlyLw","kind":"sha-fallback"}"#,
            "\n",
            r#"{"encoded":"a/b.elastickv-leaf-data","original":"YS9i","kind":"s3-leaf-data"}"#,
            "\n",
            r#"{"encoded":"x.elastickv-meta.json.user-data","original":"eC5lbGFzdGlja3YtbWV0YS5qc29u","kind":"meta-suffix-rename"}"#,
            "\n",
        );
        assert_eq!(String::from_utf8(out).unwrap(), expected);
        assert_eq!(read(expected.as_bytes()).unwrap(), records);
    }

    #[test]
    fn awkward_paths_and_empty_originals_are_read_back() {
        let record = KeymapRecord {
            encoded: "\"\\\n\u{1}\u{2028}<>&/é\u{7f}".to_owned(),
            original: Vec::new(),
            kind: KeymapKind::S3LeafData,
        };
        let mut out = Vec::new();
        record.write_into(&mut out);
        let expected =
            "{\"encoded\":\"\\\"\\\\\\n\\u0001\\u2028<>&/é\u{7f}\",\"original\":\"\",\"kind\":\"s3-leaf-data\"}\n";
        assert_eq!(String::from_utf8(out.clone()).unwrap(), expected);
        assert_eq!(read(&out).unwrap(), [record]);
    }

    #[test]
    fn unknown_fields_and_white_space_are_accepted() {
        let text = br#" {"x":[{}], "kind":"sha-fallback","original":"YQ","encoded":"e" } "#;
        assert_eq!(read(&[text, &b"\n"[..]].concat()).unwrap()[0].original, b"a");
    }

    #[test]
    fn malformed_lines_are_refused_with_their_number() {
        let good = r#"{"encoded":"e","original":"YQ","kind":"sha-fallback"}"#;
        let bad = [
            "",
            " ",
            "[\"e\",\"YQ\",\"sha-fallback\"]",
            "null",
            "{",
            r#"{"original":"YQ","kind":"sha-fallback"}"#,
            r#"{"encoded":"e","kind":"sha-fallback"}"#,
            r#"{"encoded":"e","original":"YQ"}"#,
            r#"{"encoded":null,"original":"YQ","kind":"sha-fallback"}"#,
            r#"{"encoded":"e","original":null,"kind":"sha-fallback"}"#,
            r#"{"encoded":"e","original":"YQ","kind":null}"#,
            r#"{"encoded":"","original":"YQ","kind":"sha-fallback"}"#,
            r#"{"encoded":"e","original":"YQ","kind":""}"#,
            r#"{"encoded":"e","original":"YQ","kind":"Sha-Fallback"}"#,
            r#"{"encoded":"e","original":"YQ==","kind":"sha-fallback"}"#,
            r#"{"encoded":"e","original":"YR","kind":"sha-fallback"}"#,
            r#"{"encoded":"e","original":"Y+/","kind":"sha-fallback"}"#,
            r#"{"encoded":"e","original":"Y","kind":"sha-fallback"}"#,
            r#"{"encoded":"e","original":7,"kind":"sha-fallback"}"#,
            r#"{"encoded":"\ud800","original":"YQ","kind":"sha-fallback"}"#,
            r#"{"encoded":"e","encoded":"f","original":"YQ","kind":"sha-fallback"}"#,
            r#"{"encoded":"e","original":"YQ","kind":"sha-fallback"}x"#,
            r#"{"encoded":"e","original":"YQ","kind":"sha-fallback"}{}"#,
        ];
        assert_eq!(read(format!("{good}\n").as_bytes()).unwrap().len(), 1);
        for line in bad {
            let error = read(format!("{good}\n{line}\n{good}\n").as_bytes()).unwrap_err();
            assert_eq!(error.line_number, 2, "{line}");
        }
        let not_utf8 = b"{\"encoded\":\"\xff\",\"original\":\"YQ\",\"kind\":\"sha-fallback\"}\n";
        assert!(matches!(read(not_utf8).unwrap_err().fault, KeymapFault::Json(_)));
        assert!(matches!(read(good.as_bytes()).unwrap_err().fault, KeymapFault::Line(LineError::Cut)));
    }

    #[test]
    fn the_largest_legal_key_fits_a_line_and_a_longer_line_is_refused() {
        let mut out = Vec::new();
        write_line(&"k".repeat(226), &vec![0xff; KEY_LEN_MAX], KeymapKind::ShaFallback, &mut out);
        assert_eq!(read(&out).unwrap()[0].original.len(), KEY_LEN_MAX);
        let long = [&b"{\"encoded\":\""[..], &vec![b'k'; KEYMAP_LINE_LEN_MAX]].concat();
        assert!(matches!(read(&long).unwrap_err().fault, KeymapFault::Line(LineError::TooLong { .. })));
    }

    #[test]
    fn deep_nesting_in_unknown_fields_is_refused_without_a_crash() {
        let line = format!("{{\"x\":{}\n", "[".repeat(100_000));
        assert!(matches!(read(line.as_bytes()).unwrap_err().fault, KeymapFault::Json(_)));
    }
}
