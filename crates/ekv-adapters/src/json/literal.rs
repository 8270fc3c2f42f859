//! Numbers and words.

use super::{JsonReader, JsonResult};

/// Longest number that is looked at as an integer, in bytes; a longer one is out of any range.
const INTEGER_LEN_MAX: usize = 24;

impl JsonReader<'_> {
    /// An integer from 0; `null` is 0.
    ///
    /// # Errors
    /// If there is no integer literal in range: a fraction or an exponent is none.
    pub(crate) fn u64(&mut self) -> JsonResult<u64> {
        self.integer("an integer from 0 to 2^64-1")
    }

    /// A signed integer; `null` is 0.
    ///
    /// # Errors
    /// As [`JsonReader::u64`].
    pub(crate) fn i64(&mut self) -> JsonResult<i64> {
        self.integer("an integer from -2^63 to 2^63-1")
    }

    /// `true` or `false`; `null` is `false`.
    pub(crate) fn boolean(&mut self) -> JsonResult<bool> {
        match self.ahead()? {
            Some(b't') => self.word(b"true").map(|()| true),
            Some(b'f') => self.word(b"false").map(|()| false),
            Some(b'n') => self.word(b"null").map(|()| false),
            _ => Err(self.unexpected("true or false")),
        }
    }

    fn integer<N: std::str::FromStr + Default>(&mut self, expected: &'static str) -> JsonResult<N> {
        if self.null()? {
            return Ok(N::default());
        }
        if !matches!(self.ahead()?, Some(b'-' | b'0'..=b'9')) {
            return Err(self.unexpected(expected));
        }
        let mut text = Vec::new();
        self.number(&mut text)?;
        let number = std::str::from_utf8(&text).ok().filter(|text| text.len() <= INTEGER_LEN_MAX);
        number.and_then(|text| text.parse().ok()).ok_or_else(|| self.unexpected(expected))
    }

    /// Takes a number and keeps its first bytes, one more than [`INTEGER_LEN_MAX`] at most.
    pub(super) fn number(&mut self, text: &mut Vec<u8>) -> JsonResult<()> {
        if self.peek()? == Some(b'-') {
            self.keep(text);
        }
        if self.peek()? == Some(b'0') {
            self.keep(text);
        } else {
            self.digits(text)?;
        }
        if self.peek()? == Some(b'.') {
            self.keep(text);
            self.digits(text)?;
        }
        if matches!(self.peek()?, Some(b'e' | b'E')) {
            self.keep(text);
            if matches!(self.peek()?, Some(b'+' | b'-')) {
                self.keep(text);
            }
            self.digits(text)?;
        }
        Ok(())
    }

    fn digits(&mut self, text: &mut Vec<u8>) -> JsonResult<()> {
        if !matches!(self.peek()?, Some(b'0'..=b'9')) {
            return Err(self.unexpected("a digit"));
        }
        while matches!(self.peek()?, Some(b'0'..=b'9')) {
            self.keep(text);
        }
        Ok(())
    }

    fn keep(&mut self, text: &mut Vec<u8>) {
        if let Some(byte) = self.window.get(self.at)
            && text.len() <= INTEGER_LEN_MAX
        {
            text.push(*byte);
        }
        self.advance();
    }

    pub(super) fn word(&mut self, word: &'static [u8]) -> JsonResult<()> {
        for byte in word {
            if self.peek()? != Some(*byte) {
                return Err(self.unexpected("a JSON value"));
            }
            self.advance();
        }
        Ok(())
    }
}
