//! Pieces of text that files of several protocols have.

use std::collections::BTreeMap;

use ekv_files::Result;

use super::ReplayFault;
use super::value::ValueBuffer;
use crate::json::{JsonReader, Refuse as _, ValueKind};
use ekv_text::time::parse_hlc;

/// The member of an object that stands for bytes.
const BASE64: &[&str] = &["base64"];
const BYTES: &str = "a string or {\"base64\": …}";
const BASE64_TEXT: &str = "a string of base64url";
const VERSION: &str = "format_version 1";

/// Reads bytes: a string, or an object with their base64url form. Source: `docs/format/redis.md`, section 6.3.
pub(crate) fn read_bytes(reader: &mut JsonReader<'_>, mut keep: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    match reader.kind(BYTES)? {
        ValueKind::String => reader.string(BYTES, keep),
        ValueKind::Object => reader.object(BYTES, BASE64, |reader, _| reader.base64(BASE64_TEXT, &mut keep)),
        _ => Err(reader.expected(BYTES)),
    }
}

/// Reads bytes of any length.
pub(crate) fn read_value(reader: &mut JsonReader<'_>, value: &mut ValueBuffer) -> Result<()> {
    value.clear();
    read_bytes(reader, |piece| value.push(piece))?;
    value.seal()
}

/// Reads a string of at most `len_max` bytes.
pub(crate) fn read_string(reader: &mut JsonReader<'_>, expected: &'static str, len_max: usize) -> Result<String> {
    let mut text = Vec::new();
    reader.text(expected, len_max, &mut text)?;
    Ok(into_string(text))
}

/// The names of members that are data, each of which may come once.
pub(crate) struct Names {
    /// What they name.
    element: &'static str,
    len_max: usize,
    first_lines: BTreeMap<String, u64>,
}

impl Names {
    /// Names of at most `len_max` bytes.
    pub(crate) fn new(element: &'static str, len_max: usize) -> Self {
        Names { element, len_max, first_lines: BTreeMap::new() }
    }

    /// Reads the name that comes next, and its colon.
    pub(crate) fn read(&mut self, reader: &mut JsonReader<'_>) -> Result<String> {
        let start = reader.position()?;
        let mut name = Vec::new();
        reader.name(self.len_max, &mut name)?;
        let name = into_string(name);
        match self.first_lines.insert(name.clone(), start.line) {
            None => Ok(name),
            Some(first_line) => {
                reader.seek(start);
                Err(reader.refuse(ReplayFault::RepeatedElement { element: self.element, first_line }))
            }
        }
    }
}

/// Text of a reader, which is UTF-8.
fn into_string(text: Vec<u8>) -> String {
    String::from_utf8(text).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// Reads the version of the file.
pub(crate) fn read_version(reader: &mut JsonReader<'_>) -> Result<()> {
    let start = reader.position()?;
    if reader.u64(VERSION, u64::MAX)? == 1 {
        return Ok(());
    }
    reader.seek(start);
    Err(reader.refuse(ReplayFault::FormatVersion))
}

/// Reads a time, of at most `len_max` bytes, as a timestamp (HLC).
pub(crate) fn read_time(reader: &mut JsonReader<'_>, len_max: usize) -> Result<u64> {
    let start = reader.position()?;
    let text = read_string(reader, "a time as RFC 3339", len_max)?;
    parse_hlc(&text).ok_or_else(|| {
        reader.seek(start);
        reader.refuse(ReplayFault::Time)
    })
}
