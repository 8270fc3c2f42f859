//! Values that nobody asked for: checked and passed over.

use super::{JsonError, JsonFault, JsonReader, JsonResult};

/// Objects and arrays inside each other, at most; the server's limit.
const DEPTH_MAX: usize = 10_000;

impl JsonReader<'_> {
    /// Passes over any value. Cost: one byte per open bracket.
    ///
    /// # Errors
    /// If there is no value, or it is nested beyond the server's limit.
    pub(crate) fn skip(&mut self) -> JsonResult<()> {
        let mut closers = Vec::new();
        loop {
            let opened = match self.ahead()? {
                Some(b'{') => Some(b'}'),
                Some(b'[') => Some(b']'),
                _ => {
                    self.skip_scalar()?;
                    None
                }
            };
            if let Some(closer) = opened {
                self.advance();
                if closers.len() >= DEPTH_MAX {
                    return Err(JsonError::Fault(JsonFault::Nesting { byte_offset: self.byte_offset() }));
                }
                closers.push(closer);
                if !self.take_if(closer)? {
                    self.skip_name(closer)?;
                    continue;
                }
                closers.pop();
            }
            // A value has ended: so may what holds it.
            loop {
                let Some(closer) = closers.last().copied() else { return Ok(()) };
                if self.take_if(b',')? {
                    self.skip_name(closer)?;
                    break;
                }
                self.expect(closer, "a comma or a closing bracket")?;
                closers.pop();
            }
        }
    }

    /// In an object, takes the name and the colon before the next value.
    fn skip_name(&mut self, closer: u8) -> JsonResult<()> {
        if closer == b'}' {
            self.expect_ahead(b'"', "a member name")?;
            self.skip_string()?;
            self.expect(b':', "a colon")?;
        }
        Ok(())
    }

    fn skip_scalar(&mut self) -> JsonResult<()> {
        match self.ahead()? {
            Some(b'"') => self.skip_string(),
            Some(b't') => self.word(b"true"),
            Some(b'f') => self.word(b"false"),
            Some(b'n') => self.word(b"null"),
            Some(b'-' | b'0'..=b'9') => self.number(&mut Vec::new()),
            _ => Err(self.unexpected("a JSON value")),
        }
    }
}
