//! Whole values through serde, with the escaping and layout of the dump.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{CharEscape, CompactFormatter, Formatter, PrettyFormatter, Serializer};

use super::{EscapeMode, escape_into};
use crate::is_shown_as_it_is;

/// White space between the parts of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Two-space indent, one element per line.
    Pretty,
    /// None.
    Compact,
}

/// Appends a value; members in the order in which `value` serializes them, no line feed at the end.
///
/// Source: `docs/format/tree.md`, section 6; `docs/format/redis.md`, section 6.3. Cost: the text in memory.
///
/// # Errors
/// Only what the value itself refuses, such as a map key that is not text.
pub fn serialize_into<T: Serialize + ?Sized>(
    value: &T,
    style: Style,
    mode: EscapeMode,
    out: &mut Vec<u8>,
) -> serde_json::Result<()> {
    let escape = |text: &str, escaped: &mut Vec<u8>| escape_into(text, mode, escaped);
    match style {
        Style::Pretty => write_with(value, PrettyFormatter::new(), escape, out),
        Style::Compact => write_with(value, CompactFormatter, escape, out),
    }
}

/// Writes indented JSON with a line feed at its end. What could steer a terminal on which it is shown is a `\u` escape.
///
/// # Errors
/// If the value cannot be JSON, and those of `out`.
pub fn write_shown(value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    write_with(value, PrettyFormatter::new(), escape_unshown, &mut *out)?;
    out.write_all(b"\n")
}

/// Writes JSON on one line, with a line feed at its end. What could steer a terminal on which it is shown is a `\u` escape.
///
/// # Errors
/// As [`write_shown`].
pub fn write_shown_line(value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    write_with(value, CompactFormatter, escape_unshown, &mut *out)?;
    out.write_all(b"\n")
}

/// Writes the front of a JSON object on one line, without the brace that closes it, so that more members can follow.
///
/// # Errors
/// As [`write_shown`].
pub fn write_shown_object(value: &impl Serialize, out: &mut Vec<u8>) -> io::Result<()> {
    write_with(value, CompactFormatter, escape_unshown, &mut *out)?;
    match out.pop() {
        Some(b'}') => Ok(()),
        _ => Err(io::ErrorKind::InvalidInput.into()),
    }
}

/// Appends text with `\u` escapes for the characters that are not shown as they are.
pub(super) fn escape_unshown(text: &str, escaped: &mut Vec<u8>) {
    for character in text.chars() {
        if is_shown_as_it_is(character) {
            escaped.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            // Writing to a vector cannot fail.
            let _ = write!(escaped, "\\u{unit:04x}");
        }
    }
}

fn write_with<T: Serialize + ?Sized>(
    value: &T,
    layout: impl Formatter,
    escape: impl FnMut(&str, &mut Vec<u8>),
    out: impl Write,
) -> serde_json::Result<()> {
    let formatter = Escaping { layout, escape, escaped: Vec::new() };
    value.serialize(&mut Serializer::with_formatter(out, formatter))
}

/// A layout with an escaping; serde_json splits strings at `"`, `\` and control characters, the rest comes as fragments.
struct Escaping<F, E> {
    layout: F,
    escape: E,
    escaped: Vec<u8>,
}

impl<F: Formatter, E: FnMut(&str, &mut Vec<u8>)> Formatter for Escaping<F, E> {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        self.escaped.clear();
        (self.escape)(fragment, &mut self.escaped);
        writer.write_all(&self.escaped)
    }

    fn write_char_escape<W: ?Sized + Write>(&mut self, writer: &mut W, char_escape: CharEscape) -> io::Result<()> {
        self.layout.write_char_escape(writer, char_escape)
    }

    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.layout.begin_array(writer)
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.layout.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.layout.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.layout.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.layout.begin_object(writer)
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.layout.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.layout.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.layout.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.layout.end_object_value(writer)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_have_the_layout_and_escapes_of_the_dump() {
        let value = json!({"a": ["<\u{2028}\n\"\u{1}é", 1], "b": [], "c": {}});
        let mut out = Vec::new();
        serialize_into(&value, Style::Pretty, EscapeMode::Html, &mut out).unwrap();
        let expected =
            "{\n  \"a\": [\n    \"\\u003c\\u2028\\n\\\"\\u0001é\",\n    1\n  ],\n  \"b\": [],\n  \"c\": {}\n}";
        assert_eq!(String::from_utf8(out).unwrap(), expected);

        let mut out = Vec::new();
        serialize_into(&value, Style::Compact, EscapeMode::Plain, &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "{\"a\":[\"<\\u2028\\n\\\"\\u0001é\",1],\"b\":[],\"c\":{}}");
    }

    fn pretty(value: &impl Serialize) -> io::Result<String> {
        let mut out = Vec::new();
        write_shown(value, &mut out)?;
        String::from_utf8(out).map_err(io::Error::other)
    }

    #[test]
    fn report_steers_no_terminal_and_reads_back_as_what_it_was() {
        let text = "a\x1b[2J\n\u{7f}\u{9b}é\u{202e}\u{2028}\u{e0001}日\"\\";
        let value = json!({ text: [text, { "b": 1, "c": [] }, {}], "d": null });
        let shown = pretty(&value).unwrap();
        assert!(shown.chars().all(|character| character == '\n' || is_shown_as_it_is(character)), "{shown:?}");
        assert!(shown.contains(r"\u007f\u009bé\u202e\u2028\udb40\udc01日"), "{shown}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
    }

    #[test]
    fn plain_report_has_the_form_of_the_library() {
        let value = json!({ "a": [1, "x"], "b": { "c": "é" }, "d": [] });
        assert_eq!(pretty(&value).unwrap(), serde_json::to_string_pretty(&value).unwrap() + "\n");
    }
}
