//! Text of unknown origin, as a person may see it.
//!
//! Keys, names, paths, texts of a manifest, messages of other programs: whoever chose them could steer the terminal on which they are
//! shown. Two functions decide what that means, for everything: [`is_shown_as_it_is`] for a character, [`shorten`] for a length.

use std::fmt::{self, Write};

/// Longest name of which a message shows all, in characters: no system takes a longer path.
const NAME_LEN_MAX: usize = 4096;

/// Whether a character looks like what it is and moves nothing: no control character (C0, DEL, C1), no line or paragraph separator, no
/// bidirectional or zero-width control, and none that has no form at all.
///
/// ```
/// use ekv_text::is_shown_as_it_is as shown;
/// assert!(shown('a') && shown('é') && shown('日') && shown('\u{301}'));
/// assert!(!shown('\n') && !shown('\u{7f}') && !shown('\u{9b}') && !shown('\u{202e}') && !shown('\u{2028}') && !shown('\u{200b}'));
/// ```
pub fn is_shown_as_it_is(character: char) -> bool {
    if character.is_ascii() {
        return !character.is_ascii_control();
    }
    if is_ignorable(character) {
        return false;
    }
    // Behind another character the library escapes what is not printable, and no combining mark.
    let mut pair = ['a'; 2];
    if let Some(last) = pair.last_mut() {
        *last = character;
    }
    let pair = String::from_iter(pair);
    pair.escape_debug().nth(1) == Some(character)
}

/// Whether a character has no form of its own: what Unicode calls default-ignorable, and blanks that are no spaces.
fn is_ignorable(character: char) -> bool {
    matches!(
        character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d159}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
    )
}

/// Bytes for a person, in the escapes of addresses: `%HH` for what is not shown as it is, for bytes that are no text, and for `%` itself.
#[derive(Clone, Copy, Debug)]
pub struct Percent<'a>(pub &'a [u8]);

impl fmt::Display for Percent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for character in chunk.valid().chars() {
                match character != '%' && is_shown_as_it_is(character) {
                    true => f.write_char(character)?,
                    false => write_percent(f, character.encode_utf8(&mut [0; 4]).as_bytes())?,
                }
            }
            write_percent(f, chunk.invalid())?;
        }
        Ok(())
    }
}

/// Writes each byte as `%HH`.
///
/// # Errors
/// Those of the formatter.
pub fn write_percent(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "%{byte:02X}"))
}

/// One line for a person: what is not shown as it is becomes an escape (`\n`, `\u{1b}`), everything else stays.
///
/// A backslash stays, too: the parts of a message may be escaped already.
#[derive(Clone, Copy, Debug)]
pub struct Line<T>(pub T);

impl<T: fmt::Display> fmt::Display for Line<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(LineWriter(f), "{}", self.0)
    }
}

struct LineWriter<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl fmt::Write for LineWriter<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some((at, character)) = rest.char_indices().find(|(_, character)| !is_shown_as_it_is(*character)) {
            let (plain, from_it) = rest.split_at_checked(at).unwrap_or((rest, ""));
            self.0.write_str(plain)?;
            match is_ignorable(character) {
                true => write!(self.0, "{}", character.escape_unicode())?,
                false => write!(self.0, "{}", character.escape_debug())?,
            }
            rest = from_it.get(character.len_utf8()..).unwrap_or("");
        }
        self.0.write_str(rest)
    }
}

/// A name for a person: UTF-8 text as it is, except that what is not shown as it is, bytes that are no text, and backslashes are escaped,
/// so that different names look different. A long one is cut.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a>(pub &'a [u8]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = NAME_LEN_MAX;
        for chunk in self.0.utf8_chunks() {
            for character in chunk.valid().chars() {
                if left == 0 {
                    return f.write_char('…');
                }
                left -= 1;
                match character {
                    '"' | '\'' => f.write_char(character)?,
                    _ if is_ignorable(character) => write!(f, "{}", character.escape_unicode())?,
                    _ => write!(f, "{}", character.escape_debug())?,
                }
            }
            if left == 0 && !chunk.invalid().is_empty() {
                return f.write_char('…');
            }
            left = left.saturating_sub(chunk.invalid().len());
            write!(f, "{}", chunk.invalid().escape_ascii())?;
        }
        Ok(())
    }
}

/// A text of at most `len` characters: of a longer one the middle is left out, so that both ends of a message can be read.
pub fn shorten(text: &str, len: usize) -> String {
    let count = text.chars().count();
    if count <= len {
        return text.to_owned();
    }
    let tail_len = len / 4;
    let head: String = text.chars().take(len.saturating_sub(tail_len).saturating_sub(1)).collect();
    let tail: String = text.chars().skip(count.saturating_sub(tail_len)).collect();
    format!("{head}…{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_steer_a_terminal_or_hide_are_escaped_and_letters_are_not() {
        let steering = (0..0x20)
            .chain(0x7f..0xa0)
            .chain([0x61c, 0x200b, 0x200c, 0x200d, 0x200e, 0x200f, 0x2028, 0x2029, 0xfeff, 0xad])
            .chain(0x202a..=0x202e)
            .chain(0x2060..=0x2064)
            .chain(0x2066..=0x206f)
            .chain(0xfff9..=0xfffb)
            .chain([
                0xe0001, 0xe0020, 0xe007f, 0xe0100, 0xe01ef, 0x34f, 0x115f, 0x1160, 0x17b4, 0x180b, 0x180e, 0x2800,
                0x3164,
            ])
            .chain([0xfe00, 0xfe0f, 0xffa0, 0xfff0, 0x1bca0, 0x1d159, 0x1d173]);
        for code in steering {
            let character = char::from_u32(code).unwrap();
            assert!(!is_shown_as_it_is(character), "U+{code:04X}");
            let line = Line(format!("a{character}b")).to_string();
            assert!(line.starts_with("a\\") && line.chars().all(is_shown_as_it_is), "{line:?}");
        }
        for text in ["plain text: 'with' \"marks\" \\ {}", "über", "日本語", "e\u{301}", "עברית", "🎉", "…"]
        {
            assert_eq!(Line(text).to_string(), text);
        }
    }

    #[test]
    fn line_is_one_line_whatever_it_is_made_of() {
        let name = "x\x1b[2J\r\nSound: forged\u{202e}\u{9b}2J";
        let line = Line(format_args!("written by {name}")).to_string();
        assert_eq!(line, r"written by x\u{1b}[2J\r\nSound: forged\u{202e}\u{9b}2J");
    }

    #[test]
    fn different_names_look_different() {
        assert_eq!(Shown(b"a\nb").to_string(), r"a\nb");
        assert_eq!(Shown(br"a\nb").to_string(), r"a\\nb");
        assert_eq!(Shown(b"a\xff'\"").to_string(), r#"a\xff'""#);
        assert_eq!(Shown(&[b'k'; 5000]).to_string(), format!("{}…", "k".repeat(NAME_LEN_MAX)));
        assert!(Shown(&[0xff; 5000]).to_string().len() < 30_000);
    }

    #[test]
    fn bytes_are_shown_in_the_escapes_of_addresses() {
        assert_eq!(Percent(b"!hs|fld|\0\x01 100% \xc3\xa9\xff\n").to_string(), "!hs|fld|%00%01 100%25 é%FF%0A");
        assert_eq!(Percent("\u{3164}\u{202e}".as_bytes()).to_string(), "%E3%85%A4%E2%80%AE");
    }

    #[test]
    fn long_text_keeps_its_two_ends() {
        assert_eq!(shorten("abc", 3), "abc");
        assert_eq!(shorten("abcdefghij", 8), "abcde…ij");
        assert_eq!(shorten(&"é".repeat(100), 10).chars().count(), 10);
        assert_eq!(shorten("abc", 0), "…");
    }
}
