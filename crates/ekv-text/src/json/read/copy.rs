//! Values that are passed over, or copied as they are written.

use super::number::NUMBER_LEN_MAX;
use super::text::{AN_ESCAPE, plain};
use super::{JsonFault, JsonReader, JsonSource, Policy, ValueKind};
use crate::json::Bracket;

const A_VALUE: &str = "a value";

/// Takes pieces of text.
type Keep<'k, E> = &'k mut dyn FnMut(&[u8]) -> Result<(), E>;

impl<S: JsonSource> JsonReader<S> {
    /// Passes over any value. Whether its strings are UTF-8 is not asked: what is kept is to be read once more.
    ///
    /// # Errors
    /// [`JsonFault::Expected`] if there is no value, [`JsonFault::Nesting`] beyond 1000 levels, or the server's own limit where
    /// values are read as it does.
    pub fn skip(&mut self) -> Result<(), S::Error> {
        self.copy(&mut |_| Ok(()))
    }

    /// As [`JsonReader::skip`], with another limit.
    ///
    /// # Errors
    /// As [`JsonReader::skip`].
    pub fn skip_within(&mut self, depth_max: usize) -> Result<(), S::Error> {
        self.copy_within(depth_max, &mut |_| Ok(()))
    }

    /// Passes the text of any value to `keep`, in pieces: as it is written, without the white space outside strings.
    ///
    /// Cost: no recursion; a byte for each level.
    ///
    /// # Errors
    /// As [`JsonReader::skip`]; the first error of `keep`.
    pub fn copy(&mut self, keep: Keep<'_, S::Error>) -> Result<(), S::Error> {
        self.copy_within(self.policy.depth_max(), keep)
    }

    fn copy_within(&mut self, depth_max: usize, keep: Keep<'_, S::Error>) -> Result<(), S::Error> {
        let mut open: Vec<Bracket> = Vec::new();
        loop {
            let opened = self.copy_or_enter(keep)?;
            if opened.is_some() && open.len() >= depth_max {
                return Err(self.fault(JsonFault::Nesting { depth_max }));
            }
            let mut is_first = opened.is_some();
            open.extend(opened);
            loop {
                let Some(innermost) = open.last().copied() else { return Ok(()) };
                if self.more(innermost, is_first)? {
                    if !is_first {
                        keep(b",")?;
                    }
                    if innermost == Bracket::Object {
                        self.copy_string("the name of a member", keep)?;
                        self.take(b':', "a colon")?;
                        keep(b":")?;
                    }
                    break;
                }
                keep(&[innermost.pair().1])?;
                open.pop();
                is_first = false;
            }
        }
    }

    /// Takes a value that is neither object nor array, or the bracket that opens one.
    fn copy_or_enter(&mut self, keep: Keep<'_, S::Error>) -> Result<Option<Bracket>, S::Error> {
        let bracket = match self.kind(A_VALUE)? {
            ValueKind::Object => Bracket::Object,
            ValueKind::Array => Bracket::Array,
            scalar => return self.copy_scalar(scalar, keep).map(|()| None),
        };
        self.enter(bracket, A_VALUE)?;
        keep(&[bracket.pair().0])?;
        Ok(Some(bracket))
    }

    fn copy_scalar(&mut self, kind: ValueKind, keep: Keep<'_, S::Error>) -> Result<(), S::Error> {
        match kind {
            ValueKind::Number => {
                let len_max = match self.policy {
                    Policy::Strict => NUMBER_LEN_MAX,
                    Policy::AsServer => usize::MAX,
                };
                self.number_bytes(A_VALUE, len_max, |byte| keep(&[byte]))
            }
            ValueKind::Bool => {
                let text = if self.boolean(A_VALUE)? { b"true".as_slice() } else { b"false" };
                keep(text)
            }
            ValueKind::Null => {
                self.null()?;
                keep(b"null")
            }
            _ => self.copy_string(A_VALUE, keep),
        }
    }

    fn copy_string(&mut self, expected: &'static str, keep: Keep<'_, S::Error>) -> Result<(), S::Error> {
        self.take(b'"', expected)?;
        keep(b"\"")?;
        loop {
            let plain = plain(self.window.ready());
            if !plain.is_empty() {
                keep(plain)?;
                self.window.advance(plain.len());
            }
            match self.peek()? {
                Some(b'"') => {
                    self.advance();
                    return keep(b"\"");
                }
                Some(b'\\') => {
                    self.advance();
                    self.copy_escape(keep)?;
                }
                None => return Err(self.expected("the end of the string")),
                Some(0..0x20) => return Err(self.expected("an escape for the control character")),
                Some(_) => {}
            }
        }
    }

    /// Takes an escape; its backslash was taken.
    fn copy_escape(&mut self, keep: Keep<'_, S::Error>) -> Result<(), S::Error> {
        let (letter, digits) = match self.peek()? {
            Some(letter @ (b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't')) => (letter, 0),
            Some(b'u') => (b'u', 4),
            _ => return Err(self.expected(AN_ESCAPE)),
        };
        keep(&[b'\\', letter])?;
        self.advance();
        for _ in 0..digits {
            match self.peek()? {
                Some(digit) if digit.is_ascii_hexdigit() => keep(&[digit])?,
                _ => return Err(self.expected("four hex digits")),
            }
            self.advance();
        }
        Ok(())
    }
}
