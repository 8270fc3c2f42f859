//! Strings.

use super::{JsonError, JsonFault, JsonReader, JsonResult};

/// What stands for a byte that is not UTF-8, and for half a surrogate pair.
const REPLACEMENT: char = '\u{fffd}';

impl JsonReader<'_> {
    /// A string of at most `len_max` bytes; `null` is empty.
    ///
    /// Each byte that is not UTF-8 and each half of a surrogate pair becomes U+FFFD.
    ///
    /// # Errors
    /// If there is no string, or it is longer.
    pub(crate) fn string(&mut self, len_max: usize) -> JsonResult<String> {
        if self.null()? {
            return Ok(String::new());
        }
        let mut raw = Vec::new();
        self.characters(|piece, byte_offset| {
            raw.extend_from_slice(piece);
            if raw.len() > len_max {
                return Err(JsonError::Fault(JsonFault::LongString { byte_offset, len_max }));
            }
            Ok(())
        })?;
        Ok(decode_utf8(raw))
    }

    /// Passes the bytes of a string to `keep`, escapes resolved, with the offset at which each piece ends.
    pub(super) fn characters(&mut self, mut keep: impl FnMut(&[u8], u64) -> JsonResult<()>) -> JsonResult<()> {
        self.expect(b'"', "a string")?;
        loop {
            let plain_len = self.plain_len();
            if plain_len > 0 {
                let end = self.byte_offset().saturating_add(u64::try_from(plain_len).unwrap_or(u64::MAX));
                keep(self.window.get(self.at..).and_then(|rest| rest.get(..plain_len)).unwrap_or_default(), end)?;
                self.at = self.at.saturating_add(plain_len);
            }
            match self.peek()? {
                None | Some(0..0x20) => return Err(self.unexpected("the end of the string")),
                Some(b'"') => {
                    self.advance();
                    return Ok(());
                }
                Some(b'\\') => {
                    self.advance();
                    self.escape(&mut keep)?;
                }
                Some(_) => {}
            }
        }
    }

    /// How many of the bytes in the window mean nothing to JSON inside a string: they go as one piece.
    pub(super) fn plain_len(&self) -> usize {
        let rest = self.window.get(self.at..).unwrap_or_default();
        rest.iter().take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..0x20)).count()
    }

    /// Resolves an escape; its backslash was taken.
    fn escape(&mut self, keep: &mut impl FnMut(&[u8], u64) -> JsonResult<()>) -> JsonResult<()> {
        let byte = match self.take("an escape")? {
            byte @ (b'"' | b'\\' | b'/') => byte,
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => return self.unicode_escape(keep),
            _ => return Err(self.unexpected("an escape")),
        };
        keep(&[byte], self.byte_offset())
    }

    /// Resolves `\u` escapes: a pair of surrogates is one character, half a pair is replaced.
    fn unicode_escape(&mut self, keep: &mut impl FnMut(&[u8], u64) -> JsonResult<()>) -> JsonResult<()> {
        let mut keep_char =
            |character: char, byte_offset| keep(character.encode_utf8(&mut [0; 4]).as_bytes(), byte_offset);
        let mut unit = self.hex_unit()?;
        loop {
            let is_high = (0xd800..0xdc00).contains(&unit);
            if !is_high || self.peek()? != Some(b'\\') {
                return keep_char(char::from_u32(unit).unwrap_or(REPLACEMENT), self.byte_offset());
            }
            self.advance();
            if self.peek()? != Some(b'u') {
                keep_char(REPLACEMENT, self.byte_offset())?;
                return self.escape(keep);
            }
            self.advance();
            let next = self.hex_unit()?;
            if (0xdc00..0xe000).contains(&next) {
                let pair = 0x1_0000 + ((unit - 0xd800) << 10) + (next - 0xdc00);
                return keep_char(char::from_u32(pair).unwrap_or(REPLACEMENT), self.byte_offset());
            }
            keep_char(REPLACEMENT, self.byte_offset())?;
            unit = next;
        }
    }

    /// Four hex digits.
    fn hex_unit(&mut self) -> JsonResult<u32> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = char::from(self.take("four hex digits")?).to_digit(16);
            unit = unit << 4 | digit.ok_or_else(|| self.unexpected("four hex digits"))?;
        }
        Ok(unit)
    }
}

/// Bytes as text: each byte that is not UTF-8 becomes U+FFFD.
fn decode_utf8(raw: Vec<u8>) -> String {
    String::from_utf8(raw).unwrap_or_else(|error| {
        let mut text = String::new();
        for chunk in error.as_bytes().utf8_chunks() {
            text.push_str(chunk.valid());
            text.extend(chunk.invalid().iter().map(|_| REPLACEMENT));
        }
        text
    })
}
