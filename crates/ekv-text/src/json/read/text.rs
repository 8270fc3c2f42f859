//! Strings.

use super::{JsonFault, JsonReader, JsonSource, Policy};
use crate::json::Utf8Check;

/// What follows a backslash.
pub(super) const AN_ESCAPE: &str = r#"one of " \ / b f n r t u after a backslash"#;

impl<S: JsonSource> JsonReader<S> {
    /// Passes the bytes of a string to `keep` in pieces, escapes resolved. Strictly read, they are UTF-8 if this succeeds.
    ///
    /// # Errors
    /// [`JsonFault::Expected`] if there is no string, [`JsonFault::Utf8`], [`JsonFault::Surrogate`]; the first error of `keep`.
    pub fn string(
        &mut self,
        expected: &'static str,
        mut keep: impl FnMut(&[u8]) -> Result<(), S::Error>,
    ) -> Result<(), S::Error> {
        self.take(b'"', expected)?;
        let mut utf8 = Utf8Check::default();
        loop {
            let plain = plain(self.window.ready());
            if !plain.is_empty() {
                if self.policy == Policy::Strict && !utf8.push(plain) {
                    return Err(self.fault(JsonFault::Utf8));
                }
                keep(plain)?;
                self.window.advance(plain.len());
            }
            match self.peek()? {
                Some(b'"' | b'\\') if !utf8.is_valid() => return Err(self.fault(JsonFault::Utf8)),
                Some(b'"') => {
                    self.advance();
                    return Ok(());
                }
                Some(b'\\') => {
                    self.advance();
                    self.escape(&mut keep)?;
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
    pub fn text(&mut self, expected: &'static str, len_max: usize, out: &mut Vec<u8>) -> Result<(), S::Error> {
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

    /// Resolves an escape; its backslash was taken.
    fn escape(&mut self, keep: &mut impl FnMut(&[u8]) -> Result<(), S::Error>) -> Result<(), S::Error> {
        let byte = match self.peek()? {
            Some(byte @ (b'"' | b'\\' | b'/')) => byte,
            Some(b'b') => 0x08,
            Some(b'f') => 0x0c,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'u') => {
                self.advance();
                return self.unicode_escape(keep);
            }
            _ => return Err(self.expected(AN_ESCAPE)),
        };
        self.advance();
        keep(&[byte])
    }

    /// Resolves `\uXXXX`, or two of them that are a surrogate pair; the digits come next.
    fn unicode_escape(&mut self, keep: &mut impl FnMut(&[u8]) -> Result<(), S::Error>) -> Result<(), S::Error> {
        let mut keep_char = |character: char| keep(character.encode_utf8(&mut [0; 4]).as_bytes());
        let mut unit = self.hex_unit()?;
        while (0xd800..0xdc00).contains(&unit) {
            if self.peek()? != Some(b'\\') {
                return keep_char(self.half_a_pair()?);
            }
            self.advance();
            if self.peek()? != Some(b'u') {
                keep_char(self.half_a_pair()?)?;
                return self.escape(keep);
            }
            self.advance();
            let low = self.hex_unit()?;
            if (0xdc00..0xe000).contains(&low) {
                unit = 0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
            } else {
                keep_char(self.half_a_pair()?)?;
                unit = low;
            }
        }
        keep_char(match char::from_u32(unit) {
            Some(character) => character,
            None => self.half_a_pair()?,
        })
    }

    /// What stands for half a surrogate pair that ended before the next byte.
    fn half_a_pair(&self) -> Result<char, S::Error> {
        match self.policy {
            Policy::Strict => Err(self.fault(JsonFault::Surrogate)),
            Policy::AsServer => Ok(char::REPLACEMENT_CHARACTER),
        }
    }

    fn hex_unit(&mut self) -> Result<u32, S::Error> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self.peek()?.and_then(|byte| char::from(byte).to_digit(16));
            unit = unit << 4 | digit.ok_or_else(|| self.expected("four hex digits"))?;
            self.advance();
        }
        Ok(unit)
    }
}

/// The front of `bytes` that means nothing to JSON inside a string.
pub(super) fn plain(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20));
    end.and_then(|end| bytes.get(..end)).unwrap_or(bytes)
}
