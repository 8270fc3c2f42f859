//! Numbers.

use ekv_files::Result;

use super::{JsonFault, JsonReader};

/// Longest number, in bytes: enough for every double and every DynamoDB number written in full.
const NUMBER_LEN_MAX: usize = 1024;

impl JsonReader<'_> {
    /// The text of a number, as JSON allows it.
    ///
    /// # Errors
    /// [`JsonFault::Expected`] if there is none, [`JsonFault::LongString`] beyond 1024 bytes.
    pub fn number(&mut self, expected: &'static str) -> Result<String> {
        if !matches!(self.ahead()?, Some(b'-' | b'0'..=b'9')) {
            return Err(self.expected(expected));
        }
        let mut text = String::new();
        if self.peek()? == Some(b'-') {
            self.keep(&mut text)?;
        }
        match self.peek()? {
            Some(b'0') => self.keep(&mut text)?,
            _ => self.digits(&mut text)?,
        }
        if self.peek()? == Some(b'.') {
            self.keep(&mut text)?;
            self.digits(&mut text)?;
        }
        if matches!(self.peek()?, Some(b'e' | b'E')) {
            self.keep(&mut text)?;
            if matches!(self.peek()?, Some(b'+' | b'-')) {
                self.keep(&mut text)?;
            }
            self.digits(&mut text)?;
        }
        Ok(text)
    }

    /// An integer from 0 to `max`, without fraction and exponent.
    ///
    /// # Errors
    /// As [`JsonReader::number`], and [`JsonFault::Number`] for any other number.
    pub fn u64(&mut self, expected: &'static str, max: u64) -> Result<u64> {
        self.integer(expected, |number| *number <= max)
    }

    /// A signed integer, without fraction and exponent.
    ///
    /// # Errors
    /// As [`JsonReader::u64`].
    pub fn i64(&mut self, expected: &'static str) -> Result<i64> {
        self.integer(expected, |_| true)
    }

    fn integer<N: std::str::FromStr>(
        &mut self,
        expected: &'static str,
        is_in_range: impl FnOnce(&N) -> bool,
    ) -> Result<N> {
        let start = self.position()?;
        let text = self.number(expected)?;
        text.parse().ok().filter(is_in_range).ok_or_else(|| {
            self.seek(start);
            self.fault(JsonFault::Number { expected })
        })
    }

    fn digits(&mut self, text: &mut String) -> Result<()> {
        if !matches!(self.peek()?, Some(b'0'..=b'9')) {
            return Err(self.expected("a digit"));
        }
        while matches!(self.peek()?, Some(b'0'..=b'9')) {
            self.keep(text)?;
        }
        Ok(())
    }

    /// Takes the byte that was looked at.
    fn keep(&mut self, text: &mut String) -> Result<()> {
        if text.len() >= NUMBER_LEN_MAX {
            return Err(self.fault(JsonFault::LongString { len_max: NUMBER_LEN_MAX }));
        }
        text.extend(self.window.get(self.at).copied().map(char::from));
        self.advance();
        Ok(())
    }
}
