//! JSON objects as servers store them: compact, `<`, `>` and `&` escaped.
//!
//! Source: `docs/format/sqs.md`, sections 2 and 6.

use std::io::Write as _;

use ekv_text::json::{EscapeMode, escape_into};

/// An object that is being written, member by member.
pub(crate) struct ObjectText<'o> {
    out: &'o mut Vec<u8>,
    is_empty: bool,
}

impl<'o> ObjectText<'o> {
    /// Begins an object at the end of `out`.
    pub(crate) fn begin(out: &'o mut Vec<u8>) -> Self {
        out.push(b'{');
        ObjectText { out, is_empty: true }
    }

    /// Ends the object.
    pub(crate) fn end(self) {
        self.out.push(b'}');
    }

    /// Begins a member; its value is to be appended to what is returned.
    pub(crate) fn name(&mut self, name: &str) -> &mut Vec<u8> {
        if !std::mem::replace(&mut self.is_empty, false) {
            self.out.push(b',');
        }
        self.out.push(b'"');
        escape_into(name, EscapeMode::Html, self.out);
        self.out.extend_from_slice(b"\":");
        self.out
    }

    /// A string.
    pub(crate) fn text(&mut self, name: &str, text: &str) {
        let out = self.name(name);
        out.push(b'"');
        escape_into(text, EscapeMode::Html, out);
        out.push(b'"');
    }

    /// A string, unless it is empty.
    pub(crate) fn some_text(&mut self, name: &str, text: &str) {
        if !text.is_empty() {
            self.text(name, text);
        }
    }

    /// A number.
    pub(crate) fn number(&mut self, name: &str, number: impl std::fmt::Display) {
        // Writing to a vector cannot fail.
        let _ = write!(self.name(name), "{number}");
    }

    /// A number, unless it is 0.
    pub(crate) fn some_number<N: std::fmt::Display + Default + PartialEq>(&mut self, name: &str, number: N) {
        if number != N::default() {
            self.number(name, number);
        }
    }

    /// `true`, unless it is not.
    pub(crate) fn flag(&mut self, name: &str, flag: bool) {
        if flag {
            self.name(name).extend_from_slice(b"true");
        }
    }
}

/// Appends JSON text with the characters escaped that servers escape; they can stand in strings only.
pub(crate) fn push_stored(json: &[u8], out: &mut Vec<u8>) {
    let mut rest = json;
    while let Some((byte, after)) = rest.split_first() {
        let (escape, len): (&[u8], _) = match rest {
            [b'<', ..] => (b"\\u003c", 1),
            [b'>', ..] => (b"\\u003e", 1),
            [b'&', ..] => (b"\\u0026", 1),
            [0xe2, 0x80, 0xa8, ..] => (b"\\u2028", 3),
            [0xe2, 0x80, 0xa9, ..] => (b"\\u2029", 3),
            _ => {
                out.push(*byte);
                rest = after;
                continue;
            }
        };
        out.extend_from_slice(escape);
        rest = rest.get(len..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_compact_and_escaped_as_servers_store_them() {
        let mut out = Vec::new();
        let mut object = ObjectText::begin(&mut out);
        object.text("a<", "\"\n\u{2028}&é");
        object.some_text("absent", "");
        object.some_text("b", "x");
        object.number("n", -5);
        object.some_number("zero", 0_u64);
        object.flag("no", false);
        object.flag("yes", true);
        object.name("raw").extend_from_slice(b"null");
        object.end();
        let expected = r#"{"a\u003c":"\"\n\u2028\u0026é","b":"x","n":-5,"yes":true,"raw":null}"#;
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn stored_text_keeps_all_bytes_but_the_escaped_ones() {
        let mut out = Vec::new();
        push_stored(b"[\"<>&\xff\\u003c\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\"]", &mut out);
        assert_eq!(out, b"[\"\\u003c\\u003e\\u0026\xff\\u003c\\u2028\\u2029\xe2\x80\"]");
    }
}
