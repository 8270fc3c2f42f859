//! Values that are passed over.

use super::text::plain_len;
use super::{JsonFault, JsonReader, ValueKind};
use crate::Result;

/// Objects and arrays inside each other, at most.
const DEPTH_MAX: usize = 1000;

const A_VALUE: &str = "a value";

impl JsonReader<'_> {
    /// Passes over any value. Its strings are not looked into: what is kept is to be read once more.
    ///
    /// # Errors
    /// [`JsonFault::Expected`] if there is no value, [`JsonFault::Nesting`] beyond 1000 levels.
    pub fn skip(&mut self) -> Result<()> {
        self.skip_below(0)
    }

    fn skip_below(&mut self, depth: usize) -> Result<()> {
        if depth > DEPTH_MAX {
            return Err(self.fault(JsonFault::Nesting { depth_max: DEPTH_MAX }));
        }
        let deeper = depth.saturating_add(1);
        match self.kind(A_VALUE)? {
            ValueKind::Object => self.members(A_VALUE, |reader| {
                reader.skip_string("the name of a member")?;
                reader.take(b':', "a colon")?;
                reader.skip_below(deeper)
            }),
            ValueKind::Array => self.array(A_VALUE, |reader| reader.skip_below(deeper)),
            ValueKind::String => self.skip_string(A_VALUE),
            ValueKind::Number => self.number(A_VALUE).map(|_| ()),
            ValueKind::Bool => self.boolean(A_VALUE).map(|_| ()),
            ValueKind::Null => self.null().map(|_| ()),
        }
    }

    fn skip_string(&mut self, expected: &'static str) -> Result<()> {
        self.take(b'"', expected)?;
        loop {
            self.at = self.at.saturating_add(plain_len(self.window.get(self.at..).unwrap_or_default()));
            match self.peek()? {
                Some(b'"') => {
                    self.advance();
                    return Ok(());
                }
                Some(b'\\') => {
                    self.advance();
                    if self.peek()?.is_some_and(|byte| byte >= b' ') {
                        self.advance();
                    }
                }
                None => return Err(self.expected("the end of the string")),
                Some(0..0x20) => return Err(self.expected("an escape for the control character")),
                Some(_) => {}
            }
        }
    }
}
