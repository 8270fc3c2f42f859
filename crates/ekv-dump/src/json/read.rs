//! Strict JSON, read piece by piece.
//!
//! Source: `docs/format/redis.md`, section 9: what the reference's reader lets pass, this one refuses, with the line and what should
//! stand there.

mod base64;
mod copy;
mod fault;
mod number;
mod object;
mod skip;
mod text;

use ekv_files::{Error, ErrorKind, Result};
use ekv_model::{ByteSource, CHUNK_LEN};

use ekv_text::json::Bracket;

pub use fault::{Found, JsonFault};

/// A place in a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Offset of the byte.
    pub byte_offset: u64,
    /// Its line, from 1.
    pub line: u64,
}

impl Position {
    /// Sixteen bytes, for a sort or a file.
    pub(crate) fn to_bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        let (byte_offset, line) = bytes.split_at_mut(8);
        byte_offset.copy_from_slice(&self.byte_offset.to_be_bytes());
        line.copy_from_slice(&self.line.to_be_bytes());
        bytes
    }

    /// What [`Position::to_bytes`] made.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        let (byte_offset, line) = bytes.split_first_chunk().unwrap_or((&[0; 8], &[]));
        Position {
            byte_offset: u64::from_be_bytes(*byte_offset),
            line: line.first_chunk().map_or(1, |line| u64::from_be_bytes(*line)),
        }
    }
}

/// What kind of value comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueKind {
    /// `{`.
    Object,
    /// `[`.
    Array,
    /// `"`.
    String,
    /// A digit or `-`.
    Number,
    /// `true` or `false`.
    Bool,
    /// `null`.
    Null,
}

/// Reads JSON from front to back; the caller asks for what it expects next.
///
/// Cost: one buffer of [`CHUNK_LEN`] bytes or the text's length, whichever is smaller, and what the caller keeps.
pub struct JsonReader<'s> {
    source: &'s dyn ByteSource,
    window: Vec<u8>,
    /// Offset in the text of `window[0]`.
    window_start: u64,
    /// Index in the window of the next byte.
    at: usize,
    /// Line of the next byte, from 1.
    line: u64,
    /// Whether each line is a text of its own.
    is_lines: bool,
}

impl<'s> JsonReader<'s> {
    /// Reads one value that is the whole text.
    pub fn document(source: &'s dyn ByteSource) -> Self {
        JsonReader { source, window: Vec::new(), window_start: 0, at: 0, line: 1, is_lines: false }
    }

    /// Reads one value on each line.
    pub fn lines(source: &'s dyn ByteSource) -> Self {
        JsonReader { is_lines: true, ..JsonReader::document(source) }
    }

    /// Where the next value or bracket begins.
    ///
    /// # Errors
    /// If the text cannot be read.
    pub fn position(&mut self) -> Result<Position> {
        self.ahead()?;
        Ok(self.here())
    }

    /// Goes to a place that [`JsonReader::position`] gave.
    pub fn seek(&mut self, position: Position) {
        let in_window = position.byte_offset.checked_sub(self.window_start).and_then(|at| usize::try_from(at).ok());
        match in_window.filter(|at| *at <= self.window.len()) {
            Some(at) => self.at = at,
            None => {
                self.window.clear();
                self.window_start = position.byte_offset;
                self.at = 0;
            }
        }
        self.line = position.line;
    }

    /// The line of what was read last, from 1.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// Whether nothing follows. In a text of lines: whether no line follows; to be asked between lines.
    ///
    /// # Errors
    /// If the text cannot be read.
    pub fn is_at_end(&mut self) -> Result<bool> {
        Ok(if self.is_lines { self.peek()?.is_none() } else { self.ahead()?.is_none() })
    }

    /// The kind of value that comes next.
    ///
    /// # Errors
    /// [`JsonFault::Expected`] if none does.
    pub fn kind(&mut self, expected: &'static str) -> Result<ValueKind> {
        Ok(match self.ahead()? {
            Some(b'{') => ValueKind::Object,
            Some(b'[') => ValueKind::Array,
            Some(b'"') => ValueKind::String,
            Some(b'-' | b'0'..=b'9') => ValueKind::Number,
            Some(b't' | b'f') => ValueKind::Bool,
            Some(b'n') => ValueKind::Null,
            _ => return Err(self.expected(expected)),
        })
    }

    /// Ends the text, or the line where each line is one.
    ///
    /// # Errors
    /// [`JsonFault::Expected`] if something else follows.
    pub fn end(&mut self) -> Result<()> {
        match (self.ahead()?, self.is_lines) {
            (None, false) => Ok(()),
            (Some(_), false) => Err(self.expected("the end of the file")),
            (Some(b'\n'), true) => {
                self.advance();
                self.line = self.line.saturating_add(1);
                Ok(())
            }
            (_, true) => Err(self.expected("the end of the line")),
        }
    }

    /// As [`JsonReader::end`], but the last line needs no line feed.
    ///
    /// # Errors
    /// As [`JsonReader::end`].
    pub fn end_or_last(&mut self) -> Result<()> {
        if self.ahead()?.is_none() { Ok(()) } else { self.end() }
    }

    /// Takes `null` if it comes next.
    ///
    /// # Errors
    /// [`JsonFault::Expected`] for a word that only begins like it.
    pub fn null(&mut self) -> Result<bool> {
        if self.ahead()? != Some(b'n') {
            return Ok(false);
        }
        self.word(b"null", "null")?;
        Ok(true)
    }

    /// Takes `true` or `false`.
    ///
    /// # Errors
    /// [`JsonFault::Expected`] if neither comes next.
    pub fn boolean(&mut self, expected: &'static str) -> Result<bool> {
        match self.ahead()? {
            Some(b't') => self.word(b"true", expected).map(|()| true),
            Some(b'f') => self.word(b"false", expected).map(|()| false),
            _ => Err(self.expected(expected)),
        }
    }

    /// Calls `element` for each element of an array, which must read it.
    ///
    /// # Errors
    /// [`JsonFault::Expected`] if there is no array; the first error of `element`.
    pub fn array(&mut self, expected: &'static str, mut element: impl FnMut(&mut Self) -> Result<()>) -> Result<()> {
        self.enter(Bracket::Array, expected)?;
        let mut is_first = true;
        while self.more(Bracket::Array, is_first)? {
            is_first = false;
            element(self)?;
        }
        Ok(())
    }

    /// Begins an object or array whose members or elements are asked for with [`JsonReader::more`], for those who keep track of what
    /// is open themselves.
    ///
    /// # Errors
    /// [`JsonFault::Expected`] if none comes next.
    pub fn enter(&mut self, bracket: Bracket, expected: &'static str) -> Result<()> {
        self.take(bracket.pair().0, expected)
    }

    /// Whether another member or element follows in the innermost open object or array; ends it otherwise.
    ///
    /// # Errors
    /// [`JsonFault::Expected`] if neither another one follows nor the end.
    pub fn more(&mut self, bracket: Bracket, is_first: bool) -> Result<bool> {
        if self.take_if(bracket.pair().1)? {
            return Ok(false);
        }
        if !is_first {
            self.take(
                b',',
                match bracket {
                    Bracket::Object => "a comma or the end of the object",
                    Bracket::Array => "a comma or the end of the array",
                },
            )?;
        }
        Ok(true)
    }

    /// Ends the innermost open object, which must have no further member.
    ///
    /// # Errors
    /// [`JsonFault::Expected`] if it has.
    pub fn leave_object(&mut self, expected: &'static str) -> Result<()> {
        self.take(Bracket::Object.pair().1, expected)
    }

    /// An error about what stands at the next byte.
    pub fn expected(&mut self, expected: &'static str) -> Error {
        let found = match self.peek() {
            Ok(None) => Found::End,
            Ok(Some(b'\n')) => Found::EndOfLine,
            Ok(Some(byte)) => Found::Byte(byte),
            Err(error) => return error,
        };
        self.fault(JsonFault::Expected { expected, found })
    }

    /// An error at the next byte.
    pub fn fault(&self, fault: JsonFault) -> Error {
        self.refuse(fault)
    }

    /// An error at the next byte that is about more than the text.
    pub(crate) fn refuse(&self, kind: impl Into<ErrorKind>) -> Error {
        let Position { byte_offset, line } = self.here();
        Error::new(kind).at_line(line).at_byte_offset(byte_offset)
    }

    fn here(&self) -> Position {
        let at = u64::try_from(self.at).unwrap_or(u64::MAX);
        Position { byte_offset: self.window_start.saturating_add(at), line: self.line }
    }

    fn word(&mut self, word: &'static [u8], expected: &'static str) -> Result<()> {
        for byte in word {
            if self.peek()? != Some(*byte) {
                return Err(self.expected(expected));
            }
            self.advance();
        }
        Ok(())
    }

    /// Takes `byte`, which must be the next one that is not white space.
    fn take(&mut self, byte: u8, expected: &'static str) -> Result<()> {
        if self.take_if(byte)? { Ok(()) } else { Err(self.expected(expected)) }
    }

    /// Takes `byte` if it is the next one that is not white space.
    fn take_if(&mut self, byte: u8) -> Result<bool> {
        let found = self.ahead()? == Some(byte);
        if found {
            self.advance();
        }
        Ok(found)
    }

    /// The next byte that is not white space; a line feed is none where each line is a text of its own.
    fn ahead(&mut self) -> Result<Option<u8>> {
        loop {
            match self.peek()? {
                Some(b' ' | b'\t' | b'\r') => self.advance(),
                Some(b'\n') if !self.is_lines => {
                    self.advance();
                    self.line = self.line.saturating_add(1);
                }
                other => return Ok(other),
            }
        }
    }

    /// The next byte; `None` at the end.
    fn peek(&mut self) -> Result<Option<u8>> {
        if let Some(byte) = self.window.get(self.at) {
            return Ok(Some(*byte));
        }
        let start = self.here().byte_offset;
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
}

#[cfg(test)]
mod tests;
