//! JSON that servers stored, read with the leniency of their own reader.
//!
//! Source: `docs/format/s3.md`, section 1, rule C4.

use super::{JsonFault, JsonReader, JsonSource, Policy};
use crate::base64::Base64Form;
use crate::json::Bracket;

/// Longest member name, in bytes.
const NAME_LEN_MAX: usize = 64 << 10;
/// Longest number that is kept as text, in bytes.
const NUMBER_LEN_MAX: usize = 512;

/// Reads one JSON value that a server stored from front to back.
///
/// `null` gives the zero value of any type. Each byte of a string that is not UTF-8 and each half of a surrogate pair becomes U+FFFD.
/// Members may repeat, and have any letter case ([`is_name`]).
pub struct StoredReader<S>(JsonReader<S>);

impl<S: JsonSource> StoredReader<S> {
    /// Begins at the front of `source`.
    pub fn new(source: impl Into<S>) -> Self {
        StoredReader(JsonReader { policy: Policy::AsServer, ..JsonReader::document(source) })
    }

    /// Calls `member` with the name of each member as it is written; it must read the value.
    ///
    /// # Errors
    /// If there is no object; the first error of `member`.
    pub fn object(&mut self, mut member: impl FnMut(&mut Self, &str) -> Result<(), S::Error>) -> Result<(), S::Error> {
        self.elements(Bracket::Object, "an object", |reader| {
            let mut name = Vec::new();
            reader.0.name(NAME_LEN_MAX, &mut name)?;
            member(reader, &lossy(name))
        })
    }

    /// Calls `element` for each element, which must read it.
    ///
    /// # Errors
    /// If there is no array; the first error of `element`.
    pub fn array(&mut self, element: impl FnMut(&mut Self) -> Result<(), S::Error>) -> Result<(), S::Error> {
        self.elements(Bracket::Array, "an array", element)
    }

    fn elements(
        &mut self,
        bracket: Bracket,
        expected: &'static str,
        mut element: impl FnMut(&mut Self) -> Result<(), S::Error>,
    ) -> Result<(), S::Error> {
        if self.0.null()? {
            return Ok(());
        }
        self.0.enter(bracket, expected)?;
        let mut is_first = true;
        while self.0.more(bracket, is_first)? {
            is_first = false;
            element(self)?;
        }
        Ok(())
    }

    /// Checks that nothing follows.
    ///
    /// # Errors
    /// If something does.
    pub fn end(&mut self) -> Result<(), S::Error> {
        if self.0.is_at_end()? { Ok(()) } else { Err(self.0.expected("the end")) }
    }

    /// An integer from 0: no fraction and no exponent.
    ///
    /// # Errors
    /// If there is none in range.
    pub fn u64(&mut self) -> Result<u64, S::Error> {
        self.value(|reader| reader.u64("an integer from 0 to 2^64-1", u64::MAX))
    }

    /// As [`StoredReader::u64`], in the range of 32 bits.
    ///
    /// # Errors
    /// As [`StoredReader::u64`].
    pub fn u32(&mut self) -> Result<u32, S::Error> {
        let number = self.value(|reader| reader.u64("an integer from 0 to 2^32-1", u32::MAX.into()))?;
        Ok(u32::try_from(number).unwrap_or(u32::MAX))
    }

    /// A signed integer.
    ///
    /// # Errors
    /// As [`StoredReader::u64`].
    pub fn i64(&mut self) -> Result<i64, S::Error> {
        self.value(|reader| reader.i64("an integer from -2^63 to 2^63-1"))
    }

    /// `true` or `false`.
    ///
    /// # Errors
    /// If neither comes next.
    pub fn boolean(&mut self) -> Result<bool, S::Error> {
        self.value(|reader| reader.boolean("true or false"))
    }

    /// A number as it is stored.
    ///
    /// # Errors
    /// If there is no number, or its text is not of a length that a server writes.
    pub fn number(&mut self) -> Result<String, S::Error> {
        self.value(|reader| reader.number_within("a number", NUMBER_LEN_MAX))
    }

    /// A string of at most `len_max` bytes.
    ///
    /// # Errors
    /// If there is no string, or it is longer.
    pub fn string(&mut self, len_max: usize) -> Result<String, S::Error> {
        self.value(|reader| {
            let mut text = Vec::new();
            reader.text("a string", len_max, &mut text)?;
            Ok(lossy(text))
        })
    }

    /// The bytes that a string of base64 stands for, at most `len_max`.
    ///
    /// # Errors
    /// If there is no such string, or it stands for more.
    pub fn bytes(&mut self, len_max: usize) -> Result<Vec<u8>, S::Error> {
        let position = self.0.position()?;
        let mut bytes = Vec::new();
        self.base64(|piece| {
            if bytes.len().saturating_add(piece.len()) > len_max {
                return Err(S::refuse(JsonFault::LongString { len_max }, position));
            }
            bytes.extend_from_slice(piece);
            Ok(())
        })?;
        Ok(bytes)
    }

    /// Passes the bytes that a string of standard base64 stands for to `keep`, in pieces; line breaks and unused bits do not count.
    ///
    /// # Errors
    /// If there is no such string; the first error of `keep`.
    pub fn base64(&mut self, keep: impl FnMut(&[u8]) -> Result<(), S::Error>) -> Result<(), S::Error> {
        self.value(|reader| reader.decoded(Base64Form::AsServer, "a string", keep))
    }

    /// Passes over any value.
    ///
    /// # Errors
    /// If there is no value, or it is nested beyond the server's limit.
    pub fn skip(&mut self) -> Result<(), S::Error> {
        self.0.skip()
    }

    /// Passes the text of any value to `keep`, in pieces: as it is stored, without the white space outside strings.
    ///
    /// # Errors
    /// As [`StoredReader::skip`]; the first error of `keep`.
    pub fn copy(&mut self, mut keep: impl FnMut(&[u8]) -> Result<(), S::Error>) -> Result<(), S::Error> {
        self.0.copy(&mut keep)
    }

    /// An error at the next byte.
    pub fn fault(&self, fault: JsonFault) -> S::Error {
        self.0.fault(fault)
    }

    /// Where the next byte stands.
    pub fn here(&self) -> super::Position {
        self.0.here()
    }

    /// The zero value for `null`, else what `read` reads.
    fn value<T: Default>(
        &mut self,
        read: impl FnOnce(&mut JsonReader<S>) -> Result<T, S::Error>,
    ) -> Result<T, S::Error> {
        if self.0.null()? { Ok(T::default()) } else { read(&mut self.0) }
    }
}

/// Whether a member's name means `field`: case does not matter.
pub fn is_name(name: &str, field: &str) -> bool {
    name.eq_ignore_ascii_case(field)
}

/// Bytes as text: each byte that is not UTF-8 becomes U+FFFD.
fn lossy(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| {
        let mut text = String::new();
        for chunk in error.as_bytes().utf8_chunks() {
            text.push_str(chunk.valid());
            text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
        }
        text
    })
}

#[cfg(test)]
mod tests;
