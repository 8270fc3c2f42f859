//! Strings.

use ekv_files::Result;
use ekv_text::json::Utf8Check;

use super::{JsonFault, JsonReader};

/// What follows a backslash.
pub(super) const AN_ESCAPE: &str = r#"one of " \ / b f n r t u after a backslash"#;

impl JsonReader<'_> {
    /// Passes the bytes of a string to `keep` in pieces, escapes resolved. They are UTF-8 if this succeeds.
    ///
    /// # Errors
    /// [`JsonFault::Expected`] if there is no string, [`JsonFault::Utf8`], [`JsonFault::Surrogate`]; the first error of `keep`.
    pub fn string(&mut self, expected: &'static str, mut keep: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        self.take(b'"', expected)?;
        let mut utf8 = Utf8Check::default();
        loop {
            let rest = self.window.get(self.at..).unwrap_or_default();
            let plain_len = plain_len(rest);
            if plain_len > 0 {
                let plain = rest.get(..plain_len).unwrap_or_default();
                if !utf8.push(plain) {
                    return Err(self.fault(JsonFault::Utf8));
                }
                keep(plain)?;
                self.at = self.at.saturating_add(plain_len);
            }
            match self.peek()? {
                Some(b'"') if utf8.is_valid() => {
                    self.advance();
                    return Ok(());
                }
                Some(b'"' | b'\\') if !utf8.is_valid() => return Err(self.fault(JsonFault::Utf8)),
                Some(b'\\') => {
                    let mut character = [0; 4];
                    let character = self.escape()?.encode_utf8(&mut character);
                    keep(character.as_bytes())?;
                }
                None => return Err(self.expected("the end of the string")),
                Some(0..0x20) => return Err(self.expected("an escape for the control character")),
                Some(_) => {}
            }
        }
    }

    /// Appends a string of at most `len_max` bytes to `out`.
    ///
    /// # Errors
    /// As [`JsonReader::string`], and [`JsonFault::LongString`].
    pub fn text(&mut self, expected: &'static str, len_max: usize, out: &mut Vec<u8>) -> Result<()> {
        let start = self.position()?;
        let out_start = out.len();
        let mut is_long = false;
        self.string(expected, |piece| {
            is_long |= out.len().saturating_sub(out_start).saturating_add(piece.len()) > len_max;
            if !is_long {
                out.extend_from_slice(piece);
            }
            Ok(())
        })?;
        if is_long {
            self.seek(start);
            return Err(self.fault(JsonFault::LongString { len_max }));
        }
        Ok(())
    }

    /// Resolves an escape; its backslash comes next.
    fn escape(&mut self) -> Result<char> {
        self.advance();
        let character = match self.peek()? {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.advance();
                return self.unicode_escape();
            }
            _ => return Err(self.expected(AN_ESCAPE)),
        };
        self.advance();
        Ok(character)
    }

    /// Resolves `\uXXXX`, or two of them that are a surrogate pair; the digits come next.
    fn unicode_escape(&mut self) -> Result<char> {
        let unit = self.hex_unit()?;
        if !(0xd800..0xdc00).contains(&unit) {
            return char::from_u32(unit).ok_or_else(|| self.fault(JsonFault::Surrogate));
        }
        for byte in [b'\\', b'u'] {
            if self.peek()? != Some(byte) {
                return Err(self.fault(JsonFault::Surrogate));
            }
            self.advance();
        }
        let low = self.hex_unit()?;
        if !(0xdc00..0xe000).contains(&low) {
            return Err(self.fault(JsonFault::Surrogate));
        }
        let code = 0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
        char::from_u32(code).ok_or_else(|| self.fault(JsonFault::Surrogate))
    }

    fn hex_unit(&mut self) -> Result<u32> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self.peek()?.and_then(|byte| char::from(byte).to_digit(16));
            unit = unit << 4 | digit.ok_or_else(|| self.expected("four hex digits"))?;
            self.advance();
        }
        Ok(unit)
    }
}

/// How many bytes mean nothing to JSON inside a string.
pub(super) fn plain_len(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)).unwrap_or(bytes.len())
}
