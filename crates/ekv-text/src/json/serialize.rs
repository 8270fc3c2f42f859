//! Whole values through serde, with the escaping and layout of the dump.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{CharEscape, CompactFormatter, Formatter, PrettyFormatter, Serializer};

use super::{EscapeMode, escape_into};

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
    match style {
        Style::Pretty => {
            value.serialize(&mut Serializer::with_formatter(out, Escaping::new(PrettyFormatter::new(), mode)))
        }
        Style::Compact => value.serialize(&mut Serializer::with_formatter(out, Escaping::new(CompactFormatter, mode))),
    }
}

/// A layout with the escaping of the dump; serde_json splits strings at `"`, `\` and control characters, the rest comes as fragments.
struct Escaping<F> {
    layout: F,
    mode: EscapeMode,
    escaped: Vec<u8>,
}

impl<F> Escaping<F> {
    fn new(layout: F, mode: EscapeMode) -> Self {
        Escaping { layout, mode, escaped: Vec::new() }
    }
}

impl<F: Formatter> Formatter for Escaping<F> {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        self.escaped.clear();
        escape_into(fragment, self.mode, &mut self.escaped);
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
}
