//! Brackets, commas, line breaks and indentation of JSON that is written piece by piece.

use super::{EscapeMode, Style, escape_into};

/// An object or an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bracket {
    /// `{` and `}`.
    Object,
    /// `[` and `]`.
    Array,
}

impl Bracket {
    /// The bytes that open and close it.
    pub fn pair(self) -> (u8, u8) {
        match self {
            Bracket::Object => (b'{', b'}'),
            Bracket::Array => (b'[', b']'),
        }
    }
}

/// Writes what stands between values; the caller writes the values.
///
/// Pretty style: two spaces per level, one element per line, `": "` after a name, `[]` and `{}` when empty, no line feed at the end.
/// Compact style: no white space. Source: `docs/format/redis.md`, sections 6.3 and 6.4. Cost: no memory.
///
/// ```
/// use ekv_text::json::{Bracket, Layout, Style};
///
/// let (mut out, mut layout) = (Vec::new(), Layout::new(Style::Pretty));
/// layout.open(Bracket::Object, &mut out);
/// layout.name("items", &mut out);
/// layout.open(Bracket::Array, &mut out);
/// layout.item(&mut out);
/// out.push(b'7');
/// layout.close(Bracket::Array, &mut out);
/// layout.close(Bracket::Object, &mut out);
/// assert_eq!(out, b"{\n  \"items\": [\n    7\n  ]\n}");
/// ```
#[derive(Clone, Debug)]
pub struct Layout {
    style: Style,
    depth: usize,
    /// Whether the innermost open bracket holds nothing yet.
    empty: bool,
}

impl Layout {
    /// Begins a value.
    pub fn new(style: Style) -> Self {
        Layout { style, depth: 0, empty: true }
    }

    /// Opens an object or array, where a value stands.
    pub fn open(&mut self, bracket: Bracket, out: &mut Vec<u8>) {
        out.push(bracket.pair().0);
        self.depth = self.depth.saturating_add(1);
        self.empty = true;
    }

    /// Closes the innermost object or array.
    pub fn close(&mut self, bracket: Bracket, out: &mut Vec<u8>) {
        self.depth = self.depth.saturating_sub(1);
        if !self.empty {
            self.break_line(out);
        }
        out.push(bracket.pair().1);
        self.empty = false;
    }

    /// Begins an array element.
    pub fn item(&mut self, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.empty, false) {
            out.push(b',');
        }
        self.break_line(out);
    }

    /// Begins an object member: its name and the colon.
    pub fn name(&mut self, name: &str, out: &mut Vec<u8>) {
        self.name_with(name, EscapeMode::Html, out);
    }

    /// As [`Layout::name`], for names that are data and are escaped as their surroundings are.
    pub fn name_with(&mut self, name: &str, mode: EscapeMode, out: &mut Vec<u8>) {
        self.item(out);
        out.push(b'"');
        escape_into(name, mode, out);
        out.extend_from_slice(match self.style {
            Style::Pretty => b"\": ".as_slice(),
            Style::Compact => b"\":",
        });
    }

    fn break_line(&self, out: &mut Vec<u8>) {
        if self.style == Style::Pretty {
            out.push(b'\n');
            out.extend(std::iter::repeat_n(b"  ", self.depth).flatten());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn write(value: &Value, layout: &mut Layout, out: &mut Vec<u8>) {
        match value {
            Value::Array(items) => {
                layout.open(Bracket::Array, out);
                for item in items {
                    layout.item(out);
                    write(item, layout, out);
                }
                layout.close(Bracket::Array, out);
            }
            Value::Object(members) => {
                layout.open(Bracket::Object, out);
                for (name, member) in members {
                    layout.name(name, out);
                    write(member, layout, out);
                }
                layout.close(Bracket::Object, out);
            }
            scalar => out.extend_from_slice(scalar.to_string().as_bytes()),
        }
    }

    #[test]
    fn both_styles_equal_the_serializer() {
        let value =
            json!({"a": [], "b": {}, "c": [[], [{}], {"d": [1, 2, {"e": null}]}], "f": {"g": {"h": [3]}}, "i": 4});
        for style in [Style::Pretty, Style::Compact] {
            let (mut out, mut expected) = (Vec::new(), Vec::new());
            write(&value, &mut Layout::new(style), &mut out);
            super::super::serialize_into(&value, style, EscapeMode::Html, &mut expected).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), String::from_utf8(expected).unwrap());
        }
    }
}
