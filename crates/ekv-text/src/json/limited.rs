//! What a reader of JSON says and keeps, in bounded length.

use std::fmt;
use std::io;

/// Why a text is refused as JSON: what its reader says, which repeats some of the text, in bounded length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonError {
    message: String,
}

impl JsonError {
    /// Longest message, in characters.
    const LEN_MAX: usize = 240;

    /// Keeps what a reader says; of a long message the middle is left out, for its end tells the place.
    pub fn new(error: &impl fmt::Display) -> Self {
        JsonError { message: crate::shorten(&error.to_string(), Self::LEN_MAX) }
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for JsonError {}

/// Passes JSON text on until a string in it is too long, so that no reader of it must keep a longer one: then an error of kind
/// [`InvalidData`](io::ErrorKind::InvalidData) with [`StringTooLong`] inside.
#[derive(Debug)]
pub struct LimitedStrings<R> {
    input: R,
    len_max: usize,
    place: InText,
}

/// Why [`LimitedStrings`] ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StringTooLong;

impl fmt::Display for StringTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string is too long")
    }
}

impl std::error::Error for StringTooLong {}

/// Where in a JSON text a byte stands.
#[derive(Clone, Copy, Debug)]
enum InText {
    Outside,
    /// In a string, with the number of its bytes so far.
    Inside(usize),
    /// Behind a backslash in it.
    Escaped(usize),
}

impl InText {
    fn after(self, byte: u8) -> InText {
        match (self, byte) {
            (InText::Outside, b'"') => InText::Inside(0),
            (InText::Outside, _) | (InText::Inside(_), b'"') => InText::Outside,
            (InText::Inside(len), b'\\') => InText::Escaped(len.saturating_add(1)),
            (InText::Inside(len) | InText::Escaped(len), _) => InText::Inside(len.saturating_add(1)),
        }
    }
}

impl<R: io::Read> LimitedStrings<R> {
    /// Reads from `input`, whose strings have up to `len_max` bytes between their quotes.
    pub fn new(input: R, len_max: usize) -> Self {
        LimitedStrings { input, len_max, place: InText::Outside }
    }
}

impl<R: io::Read> io::Read for LimitedStrings<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let len = self.input.read(buf)?;
        for byte in buf.get(..len).unwrap_or_default() {
            self.place = self.place.after(*byte);
            if let InText::Inside(len) | InText::Escaped(len) = self.place
                && len > self.len_max
            {
                return Err(io::Error::new(io::ErrorKind::InvalidData, StringTooLong));
            }
        }
        Ok(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_readers_are_cut_in_the_middle() {
        let text = format!("\"{}\"", "é".repeat(100_000));
        let error = serde_json::from_str::<u32>(&text).unwrap_err();
        let message = JsonError::new(&error).to_string();
        assert!(
            message.starts_with("invalid type: string \"éé") && message.ends_with("line 1 column 200002"),
            "{message}"
        );
        assert_eq!(message.chars().count(), JsonError::LEN_MAX);
        assert_eq!(JsonError::new(&"short").to_string(), "short");
    }
}
