//! JSON, read piece by piece.
//!
//! Files of a dump are read strictly. Source: `docs/format/redis.md`, section 9: what the reference's reader lets pass, this one
//! refuses, with the line and what should stand there. Values that servers stored are read as the server does ([`StoredReader`]).

mod base64;
mod copy;
mod fault;
mod number;
mod object;
mod stored;
mod text;

use super::Bracket;
use crate::{BytesAt, Window};

pub use fault::{Found, JsonFault, Position};
pub use stored::{StoredReader, is_name};

/// Length of the buffer in bytes.
const BUFFER_LEN: usize = 64 << 10;

/// Where a JSON text lies, and how its readers are told what is wrong with it.
pub trait JsonSource: BytesAt {
    /// The error about a fault at a place in the text.
    fn refuse(fault: JsonFault, position: Position) -> Self::Error;
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

/// How strings, nesting and numbers are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Policy {
    /// Strings are UTF-8, surrogates come in pairs, sizes are bounded.
    Strict,
    /// Any bytes pass; half a surrogate pair becomes U+FFFD; nesting within the limit of the server.
    AsServer,
}

impl Policy {
    /// Objects and arrays inside each other, at most.
    fn depth_max(self) -> usize {
        match self {
            Policy::Strict => 1000,
            Policy::AsServer => 10_000,
        }
    }
}

/// Reads JSON from front to back; the caller asks for what it expects next.
///
/// Cost: one buffer of 64 KiB or the text's length, whichever is smaller, and what the caller keeps.
pub struct JsonReader<S> {
    window: Window<S>,
    /// Line of the next byte, from 1.
    line: u64,
    /// Whether each line is a text of its own.
    is_lines: bool,
    policy: Policy,
}

impl<S: JsonSource> JsonReader<S> {
    /// Reads one value that is the whole text.
    pub fn document(source: impl Into<S>) -> Self {
        let window = Window::new(source.into(), BUFFER_LEN);
        JsonReader { window, line: 1, is_lines: false, policy: Policy::Strict }
    }

    /// Reads one value on each line.
    pub fn lines(source: impl Into<S>) -> Self {
        JsonReader { is_lines: true, ..JsonReader::document(source) }
    }

    /// Where the next value or bracket begins.
    ///
    /// # Errors
    /// If the text cannot be read.
    pub fn position(&mut self) -> Result<Position, S::Error> {
        self.ahead()?;
        Ok(self.here())
    }

    /// Goes to a place that [`JsonReader::position`] gave.
    pub fn seek(&mut self, position: Position) {
        self.window.seek(position.byte_offset);
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
    pub fn is_at_end(&mut self) -> Result<bool, S::Error> {
        Ok(if self.is_lines { self.peek()?.is_none() } else { self.ahead()?.is_none() })
    }

    /// The kind of value that comes next.
    ///
    /// # Errors
    /// [`JsonFault::Expected`] if none does.
    pub fn kind(&mut self, expected: &'static str) -> Result<ValueKind, S::Error> {
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
    pub fn end(&mut self) -> Result<(), S::Error> {
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
    pub fn end_or_last(&mut self) -> Result<(), S::Error> {
        if self.ahead()?.is_none() { Ok(()) } else { self.end() }
    }

    /// Takes `null` if it comes next.
    ///
    /// # Errors
    /// [`JsonFault::Expected`] for a word that only begins like it.
    pub fn null(&mut self) -> Result<bool, S::Error> {
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
    pub fn boolean(&mut self, expected: &'static str) -> Result<bool, S::Error> {
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
    pub fn array(
        &mut self,
        expected: &'static str,
        mut element: impl FnMut(&mut Self) -> Result<(), S::Error>,
    ) -> Result<(), S::Error> {
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
    pub fn enter(&mut self, bracket: Bracket, expected: &'static str) -> Result<(), S::Error> {
        self.take(bracket.pair().0, expected)
    }

    /// Whether another member or element follows in the innermost open object or array; ends it otherwise.
    ///
    /// # Errors
    /// [`JsonFault::Expected`] if neither another one follows nor the end.
    pub fn more(&mut self, bracket: Bracket, is_first: bool) -> Result<bool, S::Error> {
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
    pub fn leave_object(&mut self, expected: &'static str) -> Result<(), S::Error> {
        self.take(Bracket::Object.pair().1, expected)
    }

    /// An error about what stands at the next byte.
    pub fn expected(&mut self, expected: &'static str) -> S::Error {
        let found = match self.peek() {
            Ok(None) => Found::End,
            Ok(Some(b'\n')) => Found::EndOfLine,
            Ok(Some(byte)) => Found::Byte(byte),
            Err(error) => return error,
        };
        self.fault(JsonFault::Expected { expected, found })
    }

    /// An error at the next byte.
    pub fn fault(&self, fault: JsonFault) -> S::Error {
        S::refuse(fault, self.here())
    }

    /// Where the next byte stands.
    pub fn here(&self) -> Position {
        Position { byte_offset: self.window.offset(), line: self.line }
    }

    fn word(&mut self, word: &'static [u8], expected: &'static str) -> Result<(), S::Error> {
        for byte in word {
            if self.peek()? != Some(*byte) {
                return Err(self.expected(expected));
            }
            self.advance();
        }
        Ok(())
    }

    /// Takes `byte`, which must be the next one that is not white space.
    fn take(&mut self, byte: u8, expected: &'static str) -> Result<(), S::Error> {
        if self.take_if(byte)? { Ok(()) } else { Err(self.expected(expected)) }
    }

    /// Takes `byte` if it is the next one that is not white space.
    fn take_if(&mut self, byte: u8) -> Result<bool, S::Error> {
        let found = self.ahead()? == Some(byte);
        if found {
            self.advance();
        }
        Ok(found)
    }

    /// The next byte that is not white space; a line feed is none where each line is a text of its own.
    fn ahead(&mut self) -> Result<Option<u8>, S::Error> {
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
    fn peek(&mut self) -> Result<Option<u8>, S::Error> {
        self.window.peek()
    }

    fn advance(&mut self) {
        self.window.advance(1);
    }
}

#[cfg(test)]
mod tests;
