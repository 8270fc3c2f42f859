//! Values as they are stored: checked, and passed over or copied.

use super::{JsonError, JsonFault, JsonReader, JsonResult};

/// Objects and arrays inside each other, at most; the server's limit.
const DEPTH_MAX: usize = 10_000;

/// Takes pieces of stored text.
pub(super) type Keep<'k> = &'k mut dyn FnMut(&[u8]) -> JsonResult<()>;

impl JsonReader<'_> {
    /// Passes over any value. Cost: one byte per open bracket.
    ///
    /// # Errors
    /// If there is no value, or it is nested beyond the server's limit.
    pub(crate) fn skip(&mut self) -> JsonResult<()> {
        self.copy(&mut |_| Ok(()))
    }

    /// Passes the text of any value to `keep`, in pieces: as it is stored, without the white space outside strings.
    ///
    /// # Errors
    /// As [`JsonReader::skip`]; the first error of `keep`.
    pub(crate) fn copy(&mut self, keep: &mut dyn FnMut(&[u8]) -> JsonResult<()>) -> JsonResult<()> {
        let mut closers = Vec::new();
        loop {
            let opened = match self.ahead()? {
                Some(b'{') => Some(b'}'),
                Some(b'[') => Some(b']'),
                _ => {
                    self.copy_scalar(keep)?;
                    None
                }
            };
            if let Some(closer) = opened {
                self.copy_byte(keep)?;
                if closers.len() >= DEPTH_MAX {
                    return Err(JsonError::Fault(JsonFault::Nesting { byte_offset: self.byte_offset() }));
                }
                if self.ahead()? == Some(closer) {
                    self.copy_byte(keep)?;
                } else {
                    closers.push(closer);
                    self.copy_name(closer, keep)?;
                    continue;
                }
            }
            // A value has ended: so may what holds it.
            loop {
                let Some(closer) = closers.last().copied() else { return Ok(()) };
                if self.ahead()? == Some(b',') {
                    self.copy_byte(keep)?;
                    self.copy_name(closer, keep)?;
                    break;
                }
                self.expect_ahead(closer, "a comma or a closing bracket")?;
                self.copy_byte(keep)?;
                closers.pop();
            }
        }
    }

    /// In an object, takes the name and the colon before the next value.
    fn copy_name(&mut self, closer: u8, keep: Keep<'_>) -> JsonResult<()> {
        if closer == b'}' {
            self.expect_ahead(b'"', "a member name")?;
            self.copy_string(keep)?;
            self.expect_ahead(b':', "a colon")?;
            self.copy_byte(keep)?;
        }
        Ok(())
    }

    fn copy_scalar(&mut self, keep: Keep<'_>) -> JsonResult<()> {
        let word: &[u8] = match self.ahead()? {
            Some(b'"') => return self.copy_string(keep),
            Some(b'-' | b'0'..=b'9') => return self.copy_number(keep),
            Some(b't') => b"true",
            Some(b'f') => b"false",
            Some(b'n') => b"null",
            _ => return Err(self.unexpected("a JSON value")),
        };
        self.word(word)?;
        keep(word)
    }

    fn copy_string(&mut self, keep: Keep<'_>) -> JsonResult<()> {
        self.expect(b'"', "a string")?;
        keep(b"\"")?;
        loop {
            let plain_len = self.plain_len();
            if plain_len > 0 {
                keep(self.window.get(self.at..).and_then(|rest| rest.get(..plain_len)).unwrap_or_default())?;
                self.at = self.at.saturating_add(plain_len);
            }
            match self.peek()? {
                None | Some(0..0x20) => return Err(self.unexpected("the end of the string")),
                Some(b'"') => return self.copy_byte(keep),
                Some(b'\\') => {
                    self.copy_byte(keep)?;
                    match self.peek()? {
                        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.copy_byte(keep)?,
                        Some(b'u') => {
                            self.copy_byte(keep)?;
                            for _ in 0..4 {
                                if !self.peek()?.is_some_and(|digit| digit.is_ascii_hexdigit()) {
                                    return Err(self.unexpected("four hex digits"));
                                }
                                self.copy_byte(keep)?;
                            }
                        }
                        _ => return Err(self.unexpected("an escape")),
                    }
                }
                Some(_) => {}
            }
        }
    }

    /// Takes a number; its text is only checked, however long it is.
    pub(super) fn copy_number(&mut self, keep: Keep<'_>) -> JsonResult<()> {
        if self.peek()? == Some(b'-') {
            self.copy_byte(keep)?;
        }
        if self.peek()? == Some(b'0') {
            self.copy_byte(keep)?;
        } else {
            self.copy_digits(keep)?;
        }
        if self.peek()? == Some(b'.') {
            self.copy_byte(keep)?;
            self.copy_digits(keep)?;
        }
        if matches!(self.peek()?, Some(b'e' | b'E')) {
            self.copy_byte(keep)?;
            if matches!(self.peek()?, Some(b'+' | b'-')) {
                self.copy_byte(keep)?;
            }
            self.copy_digits(keep)?;
        }
        Ok(())
    }

    fn copy_digits(&mut self, keep: Keep<'_>) -> JsonResult<()> {
        if !matches!(self.peek()?, Some(b'0'..=b'9')) {
            return Err(self.unexpected("a digit"));
        }
        while matches!(self.peek()?, Some(b'0'..=b'9')) {
            self.copy_byte(keep)?;
        }
        Ok(())
    }

    /// Takes the byte that was looked at.
    fn copy_byte(&mut self, keep: Keep<'_>) -> JsonResult<()> {
        if let Some(byte) = self.window.get(self.at) {
            keep(&[*byte])?;
        }
        self.advance();
        Ok(())
    }
}
