//! Escaping of JSON strings, as files of a dump and stored records have it.

/// Hex digits, in the order of their values.
const HEX_DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Which characters are escaped beyond those that JSON demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EscapeMode {
    /// MANIFEST, KEYMAP, expiry sidecars: U+2028 and U+2029. Source: `docs/format/tree.md`, section 3.
    Plain,
    /// Values, and what servers store: also `<`, `>` and `&`. Source: `docs/format/redis.md`, section 6.3.
    Html,
}

/// Appends `text` escaped, without quotes.
pub fn escape_into(text: &str, mode: EscapeMode, out: &mut Vec<u8>) {
    let mut stream = EscapeStream::new(mode);
    stream.push(text.as_bytes(), out);
    stream.finish(out);
}

/// Escapes a string that arrives in pieces, cut anywhere.
///
/// The pieces together must be valid UTF-8; other bytes pass unchanged. Cost: each piece appends at most
/// six times its length and two bytes.
#[derive(Clone, Debug)]
pub struct EscapeStream {
    mode: EscapeMode,
    held: Held,
}

/// The front of U+2028 or U+2029 (`E2 80 A8`, `E2 80 A9`) at the end of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    Nothing,
    One,
    Two,
}

impl EscapeStream {
    /// Begins a string.
    pub fn new(mode: EscapeMode) -> Self {
        EscapeStream { mode, held: Held::Nothing }
    }

    /// Appends the next piece.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        let mut rest = piece;
        while let Some((&byte, after)) = rest.split_first() {
            if self.held != Held::Nothing {
                if !self.continue_held(byte, out) {
                    continue;
                }
            } else if byte == 0xe2 {
                self.held = Held::One;
            } else if let Some(escape) = Escape::of(byte, self.mode) {
                escape.push(byte, out);
            } else {
                let plain_len =
                    rest.iter().take_while(|&&b| b != 0xe2 && Escape::of(b, self.mode).is_none()).count().max(1);
                let (plain, after_plain) = rest.split_at_checked(plain_len).unwrap_or((rest, &[]));
                out.extend_from_slice(plain);
                rest = after_plain;
                continue;
            }
            rest = after;
        }
    }

    /// Ends the string: appends what was held back.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        match std::mem::replace(&mut self.held, Held::Nothing) {
            Held::Nothing => {}
            Held::One => out.push(0xe2),
            Held::Two => out.extend_from_slice(&[0xe2, 0x80]),
        }
    }

    /// Looks at the byte after a held one; returns whether it was consumed.
    fn continue_held(&mut self, byte: u8, out: &mut Vec<u8>) -> bool {
        match (self.held, byte) {
            (Held::One, 0x80) => self.held = Held::Two,
            (Held::Two, 0xa8 | 0xa9) => {
                out.extend_from_slice(if byte == 0xa8 { b"\\u2028" } else { b"\\u2029" });
                self.held = Held::Nothing;
            }
            _ => {
                self.finish(out);
                return false;
            }
        }
        true
    }
}

/// How a byte is escaped.
#[derive(Clone, Copy)]
enum Escape {
    Short(u8),
    Hex,
}

impl Escape {
    fn of(byte: u8, mode: EscapeMode) -> Option<Self> {
        Some(match byte {
            b'"' | b'\\' => Escape::Short(byte),
            0x08 => Escape::Short(b'b'),
            0x0c => Escape::Short(b'f'),
            b'\n' => Escape::Short(b'n'),
            b'\r' => Escape::Short(b'r'),
            b'\t' => Escape::Short(b't'),
            0..0x20 => Escape::Hex,
            b'<' | b'>' | b'&' if mode == EscapeMode::Html => Escape::Hex,
            _ => return None,
        })
    }

    fn push(self, byte: u8, out: &mut Vec<u8>) {
        match self {
            Escape::Short(letter) => out.extend_from_slice(&[b'\\', letter]),
            Escape::Hex => {
                out.extend_from_slice(b"\\u00");
                out.extend([byte >> 4, byte & 0xf].iter().filter_map(|digit| HEX_DIGITS.get(usize::from(*digit))));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn escaped(text: &str, mode: EscapeMode) -> String {
        let mut out = Vec::new();
        escape_into(text, mode, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn control_characters_quotes_and_line_separators_are_escaped_in_both_modes() {
        let text = "\"\\\u{8}\u{c}\n\r\t\0\u{1}\u{1f}\u{b}\u{2028}\u{2029}";
        let expected = r#"\"\\\b\f\n\r\t\u0000\u0001\u001f\u000b\u2028\u2029"#;
        assert_eq!(escaped(text, EscapeMode::Plain), expected);
        assert_eq!(escaped(text, EscapeMode::Html), expected);
    }

    #[test]
    fn html_mode_alone_escapes_angle_brackets_and_ampersand() {
        assert_eq!(escaped("<a>&", EscapeMode::Plain), "<a>&");
        assert_eq!(escaped("<a>&", EscapeMode::Html), r"\u003ca\u003e\u0026");
    }

    #[test]
    fn everything_else_stays_raw() {
        let text = "/\u{7f}\u{80}é日本\u{feff}\u{fffd}\u{ffff}\u{2027}\u{202a}\u{20a8}\u{10ffff}'";
        assert_eq!(escaped(text, EscapeMode::Html), text);
    }

    #[test]
    fn a_cut_front_of_a_line_separator_is_kept_at_the_end() {
        for tail in [&b"\xe2"[..], b"\xe2\x80", b"\xe2\xe2\x80\x80", b"\xe2\x80\xe2"] {
            let mut out = Vec::new();
            let mut stream = EscapeStream::new(EscapeMode::Html);
            tail.iter().for_each(|byte| stream.push(&[*byte], &mut out));
            stream.finish(&mut out);
            assert_eq!(out, tail);
        }
    }

    proptest! {
        #[test]
        fn cuts_make_no_difference_and_a_parser_reads_the_text_back(
            text in r#"[a-z"\\\x00-\x1f<>&é\u{2027}-\u{202a}\u{10ffff}]{0,40}"#,
            cuts in prop::collection::vec(0_usize..160, 0..6),
            html in any::<bool>(),
        ) {
            let mode = if html { EscapeMode::Html } else { EscapeMode::Plain };
            let whole = escaped(&text, mode);
            prop_assert_eq!(&serde_json::from_str::<String>(&format!("\"{whole}\"")).unwrap(), &text);

            let mut cuts = cuts;
            cuts.sort_unstable();
            let mut out = Vec::new();
            let mut stream = EscapeStream::new(mode);
            let mut begin = 0;
            for cut in cuts.into_iter().map(|cut| cut.min(text.len())).chain([text.len()]) {
                stream.push(&text.as_bytes()[begin..cut], &mut out);
                begin = cut;
            }
            stream.finish(&mut out);
            prop_assert_eq!(String::from_utf8(out).unwrap(), whole);
        }
    }
}
