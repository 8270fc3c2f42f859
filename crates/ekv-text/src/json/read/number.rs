//! Numbers.

use super::{JsonFault, JsonReader, JsonSource};

/// Longest number, in bytes: enough for every double and every DynamoDB number written in full.
pub(super) const NUMBER_LEN_MAX: usize = 1024;

impl<S: JsonSource> JsonReader<S> {
    /// The text of a number, as JSON allows it.
    ///
    /// # Errors
    /// [`JsonFault::Expected`] if there is none, [`JsonFault::LongString`] beyond 1024 bytes.
    pub fn number(&mut self, expected: &'static str) -> Result<String, S::Error> {
        self.number_within(expected, NUMBER_LEN_MAX)
    }

    /// As [`JsonReader::number`], of at most `len_max` bytes.
    pub(super) fn number_within(&mut self, expected: &'static str, len_max: usize) -> Result<String, S::Error> {
        let mut text = String::new();
        self.number_bytes(expected, len_max, |byte| {
            text.push(char::from(byte));
            Ok(())
        })?;
        Ok(text)
    }

    /// Passes the bytes of a number to `keep`.
    pub(super) fn number_bytes(
        &mut self,
        expected: &'static str,
        len_max: usize,
        mut keep: impl FnMut(u8) -> Result<(), S::Error>,
    ) -> Result<(), S::Error> {
        let first = self.ahead()?;
        if !matches!(first, Some(b'-' | b'0'..=b'9')) {
            return Err(self.expected(expected));
        }
        let mut room = len_max;
        let mut take = |reader: &mut Self, byte: u8| {
            room = room.checked_sub(1).ok_or_else(|| reader.fault(JsonFault::LongString { len_max }))?;
            reader.advance();
            keep(byte)
        };
        if let Some(byte @ b'-') = first {
            take(self, byte)?;
        }
        match self.peek()? {
            Some(byte @ b'0') => take(self, byte)?,
            _ => self.digits(&mut take)?,
        }
        if let Some(byte @ b'.') = self.peek()? {
            take(self, byte)?;
            self.digits(&mut take)?;
        }
        if let Some(byte @ (b'e' | b'E')) = self.peek()? {
            take(self, byte)?;
            if let Some(byte @ (b'+' | b'-')) = self.peek()? {
                take(self, byte)?;
            }
            self.digits(&mut take)?;
        }
        Ok(())
    }

    /// An integer from 0 to `max`, without fraction and exponent.
    ///
    /// # Errors
    /// As [`JsonReader::number`], and [`JsonFault::Number`] for any other number.
    pub fn u64(&mut self, expected: &'static str, max: u64) -> Result<u64, S::Error> {
        self.integer(expected, |number| *number <= max)
    }

    /// A signed integer, without fraction and exponent.
    ///
    /// # Errors
    /// As [`JsonReader::u64`].
    pub fn i64(&mut self, expected: &'static str) -> Result<i64, S::Error> {
        self.integer(expected, |_| true)
    }

    fn integer<N: std::str::FromStr>(
        &mut self,
        expected: &'static str,
        is_in_range: impl FnOnce(&N) -> bool,
    ) -> Result<N, S::Error> {
        let start = self.position()?;
        let text = self.number(expected)?;
        text.parse().ok().filter(is_in_range).ok_or_else(|| {
            self.seek(start);
            self.fault(JsonFault::Number { expected })
        })
    }

    fn digits(&mut self, take: &mut impl FnMut(&mut Self, u8) -> Result<(), S::Error>) -> Result<(), S::Error> {
        if !matches!(self.peek()?, Some(b'0'..=b'9')) {
            return Err(self.expected("a digit"));
        }
        while let Some(byte @ b'0'..=b'9') = self.peek()? {
            take(self, byte)?;
        }
        Ok(())
    }
}
