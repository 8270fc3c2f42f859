//! Values that are copied as they are written.

use ekv_files::Result;

use super::text::plain_len;
use super::{JsonFault, JsonReader, ValueKind};

/// Objects and arrays inside each other, at most.
const DEPTH_MAX: usize = 1000;

const A_VALUE: &str = "a value";
const A_NAME: &str = "the name of a member";

/// Takes pieces of text.
type Keep<'k> = &'k mut dyn FnMut(&[u8]) -> Result<()>;

impl JsonReader<'_> {
    /// Passes the text of any value to `keep`, in pieces: as it is written, without the white space outside strings. Whether its
    /// strings are UTF-8 is not asked.
    ///
    /// # Errors
    /// [`JsonFault::Expected`] if there is no value, [`JsonFault::Nesting`] beyond 1000 levels; the first error of `keep`.
    pub fn copy(&mut self, keep: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        self.copy_below(0, keep)
    }

    fn copy_below(&mut self, depth: usize, keep: Keep<'_>) -> Result<()> {
        if depth > DEPTH_MAX {
            return Err(self.fault(JsonFault::Nesting { depth_max: DEPTH_MAX }));
        }
        let deeper = depth.saturating_add(1);
        let mut separator = Separator { is_first: true };
        match self.kind(A_VALUE)? {
            ValueKind::Object => {
                keep(b"{")?;
                self.members(A_VALUE, |reader| {
                    separator.put(keep)?;
                    reader.copy_string(A_NAME, keep)?;
                    reader.take(b':', "a colon")?;
                    keep(b":")?;
                    reader.copy_below(deeper, keep)
                })?;
                keep(b"}")
            }
            ValueKind::Array => {
                keep(b"[")?;
                self.array(A_VALUE, |reader| {
                    separator.put(keep)?;
                    reader.copy_below(deeper, keep)
                })?;
                keep(b"]")
            }
            ValueKind::String => self.copy_string(A_VALUE, keep),
            ValueKind::Number => keep(self.number(A_VALUE)?.as_bytes()),
            ValueKind::Bool => keep(if self.boolean(A_VALUE)? { b"true" } else { b"false" }),
            ValueKind::Null => {
                self.null()?;
                keep(b"null")
            }
        }
    }

    fn copy_string(&mut self, expected: &'static str, keep: Keep<'_>) -> Result<()> {
        self.take(b'"', expected)?;
        keep(b"\"")?;
        loop {
            let rest = self.window.get(self.at..).unwrap_or_default();
            let plain_len = plain_len(rest);
            if plain_len > 0 {
                keep(rest.get(..plain_len).unwrap_or_default())?;
                self.at = self.at.saturating_add(plain_len);
            }
            match self.peek()? {
                Some(b'"') => {
                    self.advance();
                    return keep(b"\"");
                }
                Some(b'\\') => self.copy_escape(keep)?,
                None => return Err(self.expected("the end of the string")),
                Some(0..0x20) => return Err(self.expected("an escape for the control character")),
                Some(_) => {}
            }
        }
    }

    /// Takes an escape; its backslash comes next.
    fn copy_escape(&mut self, keep: Keep<'_>) -> Result<()> {
        self.advance();
        let digits = match self.peek()? {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 0,
            Some(b'u') => 4,
            _ => return Err(self.expected(super::text::AN_ESCAPE)),
        };
        keep(b"\\")?;
        self.copy_byte(keep)?;
        for _ in 0..digits {
            if !self.peek()?.is_some_and(|digit| digit.is_ascii_hexdigit()) {
                return Err(self.expected("four hex digits"));
            }
            self.copy_byte(keep)?;
        }
        Ok(())
    }

    /// Takes the byte that was looked at.
    fn copy_byte(&mut self, keep: Keep<'_>) -> Result<()> {
        if let Some(byte) = self.window.get(self.at) {
            keep(&[*byte])?;
        }
        self.advance();
        Ok(())
    }
}

/// Puts commas between elements.
struct Separator {
    is_first: bool,
}

impl Separator {
    fn put(&mut self, keep: Keep<'_>) -> Result<()> {
        if std::mem::replace(&mut self.is_first, false) { Ok(()) } else { keep(b",") }
    }
}
