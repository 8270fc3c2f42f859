//! Numbers and words.

use super::{JsonReader, JsonResult};

/// Longest number that is looked at as an integer, in bytes; a longer one is out of any range.
const INTEGER_LEN_MAX: usize = 24;
/// Longest number that is kept as text, in bytes.
const NUMBER_LEN_MAX: usize = 512;

impl JsonReader<'_> {
    /// An integer from 0; `null` is 0.
    ///
    /// # Errors
    /// If there is no integer literal in range: a fraction or an exponent is none.
    pub(crate) fn u64(&mut self) -> JsonResult<u64> {
        self.integer("an integer from 0 to 2^64-1")
    }

    /// As [`JsonReader::u64`], in the range of 32 bits.
    ///
    /// # Errors
    /// As [`JsonReader::u64`].
    pub(crate) fn u32(&mut self) -> JsonResult<u32> {
        self.integer("an integer from 0 to 2^32-1")
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
        let text = self.number_text(INTEGER_LEN_MAX)?;
        text.and_then(|text| text.parse().ok()).ok_or_else(|| self.unexpected(expected))
    }

    /// A number as it is stored; `null` is empty.
    ///
    /// # Errors
    /// If there is no number, or its text is not of a length that a server writes.
    pub(crate) fn number(&mut self) -> JsonResult<String> {
        if self.null()? {
            return Ok(String::new());
        }
        self.ahead()?;
        self.number_text(NUMBER_LEN_MAX)?.ok_or_else(|| self.unexpected("a shorter number"))
    }

    /// Takes a number; `None` if its text is longer than `len_max`.
    fn number_text(&mut self, len_max: usize) -> JsonResult<Option<String>> {
        let mut text = String::new();
        self.copy_number(&mut |piece| {
            if text.len() <= len_max {
                text.extend(piece.iter().copied().map(char::from));
            }
            Ok(())
        })?;
        Ok(Some(text).filter(|text| text.len() <= len_max))
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
