//! JSON values as the server stored them, read piece by piece with the leniency of the server's own reader, and written as it does.
//!
//! Source: `docs/format/s3.md`, section 1, rule C4.

mod base64;
mod literal;
mod raw;
mod text;
mod write;

use ekv_model::{ByteSource, CHUNK_LEN};

pub(crate) use write::{ObjectText, push_stored};

/// Why a value is not read.
#[derive(Debug)]
pub(crate) enum JsonError {
    /// The snapshot cannot be read.
    Read(ekv_model::Error),
    /// The value is not what its place demands.
    Fault(JsonFault),
}

/// What is wrong with a value, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JsonFault {
    /// Another byte, or the end, where something else must stand.
    #[error("byte {byte_offset} of the JSON text: expected {expected}")]
    Unexpected {
        /// Offset in the value.
        byte_offset: u64,
        /// What may stand there.
        expected: &'static str,
    },
    /// A string longer than its place allows.
    #[error("byte {byte_offset} of the JSON text: a string is longer than {len_max} bytes")]
    LongString {
        /// Offset in the value at which the limit was passed.
        byte_offset: u64,
        /// The limit in bytes.
        len_max: usize,
    },
    /// Objects and arrays inside each other beyond the server's own limit.
    #[error("byte {byte_offset} of the JSON text: nested too deeply")]
    Nesting {
        /// Offset in the value.
        byte_offset: u64,
    },
}

pub(crate) type JsonResult<T> = Result<T, JsonError>;

impl From<ekv_model::Error> for JsonError {
    fn from(error: ekv_model::Error) -> Self {
        JsonError::Read(error)
    }
}

/// Longest member name of an object with known members, in bytes.
const NAME_LEN_MAX: usize = 64 << 10;

/// Reads one JSON value from front to back.
///
/// The caller asks for what it expects next. `null` gives the zero value of any type. Cost: one buffer of [`CHUNK_LEN`] bytes or the
/// value's length, whichever is smaller, and the strings that the caller keeps.
pub(crate) struct JsonReader<'v> {
    source: &'v dyn ByteSource,
    window: Vec<u8>,
    /// Offset in the value of `window[0]`.
    window_start: u64,
    /// Index in the window of the next byte.
    at: usize,
}

impl<'v> JsonReader<'v> {
    pub(crate) fn new(source: &'v dyn ByteSource) -> Self {
        JsonReader { source, window: Vec::new(), window_start: 0, at: 0 }
    }

    /// Calls `member` with the name of each member, which must then read the value. Names are as written: match them with
    /// [`is_name`].
    ///
    /// # Errors
    /// If there is no object; the first error of `member`.
    pub(crate) fn object(&mut self, mut member: impl FnMut(&mut Self, &str) -> JsonResult<()>) -> JsonResult<()> {
        if self.null()? {
            return Ok(());
        }
        self.expect(b'{', "an object")?;
        if self.take_if(b'}')? {
            return Ok(());
        }
        loop {
            self.expect_ahead(b'"', "a member name")?;
            let name = self.string(NAME_LEN_MAX)?;
            self.expect(b':', "a colon")?;
            member(self, &name)?;
            if self.take_if(b'}')? {
                return Ok(());
            }
            self.expect(b',', "a comma or the end of the object")?;
        }
    }

    /// Calls `element` for each element, which must read it.
    ///
    /// # Errors
    /// If there is no array; the first error of `element`.
    pub(crate) fn array(&mut self, mut element: impl FnMut(&mut Self) -> JsonResult<()>) -> JsonResult<()> {
        if self.null()? {
            return Ok(());
        }
        self.expect(b'[', "an array")?;
        if self.take_if(b']')? {
            return Ok(());
        }
        loop {
            element(self)?;
            if self.take_if(b']')? {
                return Ok(());
            }
            self.expect(b',', "a comma or the end of the array")?;
        }
    }

    /// Checks that nothing follows.
    pub(crate) fn end(&mut self) -> JsonResult<()> {
        match self.ahead()? {
            None => Ok(()),
            Some(_) => Err(self.unexpected("the end")),
        }
    }

    /// Takes `null` if it comes next.
    fn null(&mut self) -> JsonResult<bool> {
        if self.ahead()? != Some(b'n') {
            return Ok(false);
        }
        self.word(b"null")?;
        Ok(true)
    }

    fn expect(&mut self, byte: u8, expected: &'static str) -> JsonResult<()> {
        self.expect_ahead(byte, expected)?;
        self.advance();
        Ok(())
    }

    fn expect_ahead(&mut self, byte: u8, expected: &'static str) -> JsonResult<()> {
        if self.ahead()? == Some(byte) { Ok(()) } else { Err(self.unexpected(expected)) }
    }

    /// Takes `byte` if it is the next one that is not white space.
    fn take_if(&mut self, byte: u8) -> JsonResult<bool> {
        let found = self.ahead()? == Some(byte);
        if found {
            self.advance();
        }
        Ok(found)
    }

    /// The next byte that is not white space.
    fn ahead(&mut self) -> JsonResult<Option<u8>> {
        loop {
            match self.peek()? {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.advance(),
                other => return Ok(other),
            }
        }
    }

    /// The next byte; `None` at the end.
    fn peek(&mut self) -> JsonResult<Option<u8>> {
        if let Some(byte) = self.window.get(self.at) {
            return Ok(Some(*byte));
        }
        let start = self.byte_offset();
        let left = usize::try_from(self.source.len().saturating_sub(start)).unwrap_or(usize::MAX);
        self.window.resize(left.min(CHUNK_LEN), 0);
        self.source.read_exact_at(start, &mut self.window)?;
        self.window_start = start;
        self.at = 0;
        Ok(self.window.first().copied())
    }

    fn advance(&mut self) {
        self.at = self.at.saturating_add(1);
    }

    /// The next byte, taken; the end is an error.
    fn take(&mut self, expected: &'static str) -> JsonResult<u8> {
        match self.peek()? {
            Some(byte) => {
                self.advance();
                Ok(byte)
            }
            None => Err(self.unexpected(expected)),
        }
    }

    /// Offset in the value of the next byte.
    pub(crate) fn byte_offset(&self) -> u64 {
        self.window_start.saturating_add(u64::try_from(self.at).unwrap_or(u64::MAX))
    }

    fn unexpected(&self, expected: &'static str) -> JsonError {
        JsonError::Fault(JsonFault::Unexpected { byte_offset: self.byte_offset(), expected })
    }
}

/// Whether a member's name means `field`: case does not matter.
pub(crate) fn is_name(name: &str, field: &str) -> bool {
    name.eq_ignore_ascii_case(field)
}

#[cfg(test)]
mod tests;
