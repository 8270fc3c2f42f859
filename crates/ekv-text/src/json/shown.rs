//! Text in pieces, fit to be shown in JSON on one line.

use super::serialize::escape_unshown;
use super::{EscapeMode, escape_into};

/// Makes text that arrives in pieces, cut anywhere, fit to be shown in JSON on one line: what could steer a terminal is a `\u` escape.
///
/// The pieces together must be valid UTF-8; other bytes pass unchanged.
#[derive(Clone, Debug)]
pub struct ShownStream {
    /// Whether the pieces are JSON, of which white space between the values goes; else they are what a string is made of.
    is_json: bool,
    is_in_string: bool,
    is_escaped: bool,
    /// Of lines that become an array: whether one has ended.
    line_ended: Option<bool>,
    /// Front of a character that the last piece cut.
    cut: Vec<u8>,
}

impl ShownStream {
    /// Of a text that becomes what stands between the quotes of a JSON string.
    pub fn text() -> Self {
        ShownStream { is_json: false, is_in_string: false, is_escaped: false, line_ended: None, cut: Vec::new() }
    }

    /// Of JSON.
    pub fn json() -> Self {
        ShownStream { is_json: true, ..ShownStream::text() }
    }

    /// Of lines of JSON, which become what stands between the brackets of an array.
    pub fn lines() -> Self {
        ShownStream { line_ended: Some(false), ..ShownStream::json() }
    }

    /// Appends the next piece.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        let whole;
        let piece = if self.cut.is_empty() {
            piece
        } else {
            whole = [std::mem::take(&mut self.cut).as_slice(), piece].concat();
            &whole
        };
        for chunk in piece.utf8_chunks() {
            chunk.valid().chars().for_each(|character| self.character(character, out));
            // At the end of the piece it may be the front of a character.
            let is_last = piece.as_ptr_range().end == chunk.invalid().as_ptr_range().end;
            match is_last && chunk.invalid().len() < 4 {
                true => self.cut.extend_from_slice(chunk.invalid()),
                false => out.extend_from_slice(chunk.invalid()),
            }
        }
    }

    fn character(&mut self, character: char, out: &mut Vec<u8>) {
        let mut buffer = [0; 4];
        let text = character.encode_utf8(&mut buffer);
        match character {
            _ if !character.is_ascii() || character == '\u{7f}' => return escape_unshown(text, out),
            _ if !self.is_json => return escape_into(text, EscapeMode::Plain, out),
            _ if self.is_escaped => self.is_escaped = false,
            '\\' => self.is_escaped = self.is_in_string,
            '"' => self.is_in_string = !self.is_in_string,
            ' ' | '\n' | '\r' | '\t' if !self.is_in_string => {
                self.line_ended = self.line_ended.map(|ended| ended || character == '\n');
                return;
            }
            _ => {}
        }
        if self.line_ended == Some(true) {
            out.push(b',');
            self.line_ended = Some(false);
        }
        out.extend_from_slice(text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text, cut at every place.
    fn shown(stream: &ShownStream, text: &[u8]) -> String {
        let texts = (0..=text.len()).map(|at| {
            let (mut stream, mut out) = (stream.clone(), Vec::new());
            stream.push(&text[..at], &mut out);
            stream.push(&text[at..], &mut out);
            String::from_utf8(out).unwrap()
        });
        let mut texts: Vec<String> = texts.collect();
        texts.dedup();
        assert_eq!(texts.len(), 1, "{texts:?}");
        texts.remove(0)
    }

    #[test]
    fn text_in_pieces_becomes_what_a_json_string_holds() {
        let text = "a\"b\\\n\u{7f} é日\u{202e}\u{1f600}";
        let escaped = shown(&ShownStream::text(), text.as_bytes());
        assert_eq!(escaped, "a\\\"b\\\\\\n\\u007f é日\\u202e\u{1f600}");
        assert_eq!(serde_json::from_str::<String>(&format!("\"{escaped}\"")).unwrap(), text);
    }

    #[test]
    fn json_in_pieces_loses_the_space_between_values_and_nothing_else() {
        let json = "{\n  \"a b\": [1, \"\\\" x\", \"\u{202e}\"],\n  \"c\": true\n}\n";
        let line = shown(&ShownStream::json(), json.as_bytes());
        assert_eq!(line, "{\"a b\":[1,\"\\\" x\",\"\\u202e\"],\"c\":true}");
        let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(value(&line), value(json));
    }

    #[test]
    fn lines_in_pieces_become_the_elements_of_an_array() {
        let stream = ShownStream::lines();
        assert_eq!(shown(&stream, b"{\"a\": \"\\n\"}\n[1, 2]\n\n3\n"), "{\"a\":\"\\n\"},[1,2],3");
        assert_eq!(shown(&stream, b""), "");
    }
}
