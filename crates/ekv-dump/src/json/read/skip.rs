//! Values that are passed over.

use ekv_files::Result;
use ekv_text::json::Bracket;

use super::text::plain_len;
use super::{JsonFault, JsonReader, ValueKind};

/// Objects and arrays inside each other, at most.
const DEPTH_MAX: usize = 1000;

const A_VALUE: &str = "a value";

impl JsonReader<'_> {
    /// Passes over any value. Its strings are not looked into: what is kept is to be read once more.
    ///
    /// # Errors
    /// [`JsonFault::Expected`] if there is no value, [`JsonFault::Nesting`] beyond 1000 levels.
    pub fn skip(&mut self) -> Result<()> {
        self.skip_within(DEPTH_MAX)
    }

    /// As [`JsonReader::skip`], with another limit. Cost: no recursion; a few bytes for each level.
    ///
    /// # Errors
    /// As [`JsonReader::skip`].
    pub fn skip_within(&mut self, depth_max: usize) -> Result<()> {
        let mut open: Vec<Bracket> = Vec::new();
        loop {
            let opened = self.skip_or_enter()?;
            if opened.is_some() && open.len() >= depth_max {
                return Err(self.fault(JsonFault::Nesting { depth_max }));
            }
            let mut is_first = opened.is_some();
            open.extend(opened);
            loop {
                let Some(innermost) = open.last() else { return Ok(()) };
                let innermost = *innermost;
                if self.more(innermost, is_first)? {
                    if innermost == Bracket::Object {
                        self.skip_string("the name of a member")?;
                        self.take(b':', "a colon")?;
                    }
                    break;
                }
                open.pop();
                is_first = false;
            }
        }
    }

    /// Passes over a value that is neither object nor array, or over the bracket that opens one.
    fn skip_or_enter(&mut self) -> Result<Option<Bracket>> {
        let bracket = match self.kind(A_VALUE)? {
            ValueKind::Object => Bracket::Object,
            ValueKind::Array => Bracket::Array,
            ValueKind::String => return self.skip_string(A_VALUE).map(|()| None),
            ValueKind::Number => return self.number(A_VALUE).map(|_| None),
            ValueKind::Bool => return self.boolean(A_VALUE).map(|_| None),
            ValueKind::Null => return self.null().map(|_| None),
        };
        self.enter(bracket, A_VALUE)?;
        Ok(Some(bracket))
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
