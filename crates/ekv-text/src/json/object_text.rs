//! Objects that are written member by member.

use std::fmt::Display;
use std::io::Write as _;

use super::{Bracket, EscapeMode, Layout, Style, escape_into};

/// An object that is being written. Members `some_…` are left out if they are empty or 0.
///
/// ```
/// use ekv_text::json::{EscapeMode, ObjectText, Style};
///
/// let mut out = Vec::new();
/// let mut object = ObjectText::begin(Style::Compact, EscapeMode::Html, &mut out);
/// object.text("name", "<a>");
/// object.some_text("owner", "");
/// object.open("limits");
/// object.number("n", -5);
/// object.close();
/// object.end();
/// assert_eq!(out, br#"{"name":"\u003ca\u003e","limits":{"n":-5}}"#);
/// ```
pub struct ObjectText<'o> {
    layout: Layout,
    mode: EscapeMode,
    out: &'o mut Vec<u8>,
}

impl<'o> ObjectText<'o> {
    /// Begins an object at the end of `out`; names and texts are escaped by `mode`.
    pub fn begin(style: Style, mode: EscapeMode, out: &'o mut Vec<u8>) -> Self {
        let mut layout = Layout::new(style);
        layout.open(Bracket::Object, out);
        ObjectText { layout, mode, out }
    }

    /// Ends the object.
    pub fn end(mut self) {
        self.close();
    }

    /// Begins a member; its value is to be appended to what is returned.
    pub fn name(&mut self, name: &str) -> &mut Vec<u8> {
        self.layout.name_with(name, self.mode, self.out);
        self.out
    }

    /// Begins a member; its value is to be written through what is returned.
    pub fn value(&mut self, name: &str) -> (&mut Layout, &mut Vec<u8>) {
        self.name(name);
        (&mut self.layout, self.out)
    }

    /// A string.
    pub fn text(&mut self, name: &str, text: &str) {
        let mode = self.mode;
        let out = self.name(name);
        out.push(b'"');
        escape_into(text, mode, out);
        out.push(b'"');
    }

    /// A string, unless it is empty.
    pub fn some_text(&mut self, name: &str, text: &str) {
        if !text.is_empty() {
            self.text(name, text);
        }
    }

    /// A number, or what else is written as it is shown.
    pub fn number(&mut self, name: &str, number: impl Display) {
        // Writing to a vector cannot fail.
        let _ = write!(self.name(name), "{number}");
    }

    /// A number, unless it is 0.
    pub fn some_number<N: Display + Default + PartialEq>(&mut self, name: &str, number: N) {
        if number != N::default() {
            self.number(name, number);
        }
    }

    /// `true`, unless it is not.
    pub fn flag(&mut self, name: &str, flag: bool) {
        self.some_number(name, flag);
    }

    /// Begins a member that is an object itself: what follows are its members.
    pub fn open(&mut self, name: &str) {
        let (layout, out) = self.value(name);
        layout.open(Bracket::Object, out);
    }

    /// Ends what [`ObjectText::open`] began.
    pub fn close(&mut self) {
        self.layout.close(Bracket::Object, self.out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_compact_and_escaped_as_servers_store_them() {
        let mut out = Vec::new();
        let mut object = ObjectText::begin(Style::Compact, EscapeMode::Html, &mut out);
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
    fn objects_in_objects_are_indented_and_may_be_empty() {
        let mut out = Vec::new();
        let mut object = ObjectText::begin(Style::Pretty, EscapeMode::Plain, &mut out);
        object.open("a");
        object.text("b<", "c");
        object.close();
        object.open("d");
        object.close();
        object.end();
        assert_eq!(String::from_utf8(out).unwrap(), "{\n  \"a\": {\n    \"b<\": \"c\"\n  },\n  \"d\": {}\n}");
    }
}
