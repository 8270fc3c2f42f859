//! Reports as JSON.

use std::io;

use ekv_text::is_shown_as_it_is;
use serde::Serialize;
use serde_json::ser::{CharEscape, Formatter, PrettyFormatter, Serializer};

/// Writes indented JSON with a line feed at its end. What could steer a terminal on which it is shown is a `\u` escape.
///
/// # Errors
/// If the value cannot be JSON, and those of `out`.
pub(crate) fn write_pretty(value: &impl Serialize, out: &mut dyn io::Write) -> io::Result<()> {
    value.serialize(&mut Serializer::with_formatter(&mut *out, Escaping(PrettyFormatter::new())))?;
    out.write_all(b"\n")
}

/// As the formatter of the library, with more escapes.
struct Escaping<'a>(PrettyFormatter<'a>);

impl Formatter for Escaping<'_> {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, character)) = rest.char_indices().find(|(_, character)| !is_shown_as_it_is(*character)) {
            let (plain, from_it) = rest.split_at_checked(at).unwrap_or((rest, ""));
            writer.write_all(plain.as_bytes())?;
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = from_it.get(character.len_utf8()..).unwrap_or("");
        }
        writer.write_all(rest.as_bytes())
    }

    fn write_char_escape<W: ?Sized + io::Write>(&mut self, writer: &mut W, escape: CharEscape) -> io::Result<()> {
        self.0.write_char_escape(writer, escape)
    }

    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pretty(value: &impl Serialize) -> io::Result<String> {
        let mut out = Vec::new();
        write_pretty(value, &mut out)?;
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
