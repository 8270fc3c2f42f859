//! SCOPES.jsonl: the tables, buckets and queues of a dump, where they are too many for its manifest.
//!
//! Source: `docs/format/tree.md`, section 16.

use std::borrow::Cow;
use std::io::BufRead;

use ekv_model::Protocol;
use ekv_text::json::{EscapeMode, JsonError, Object, Style, serialize_into};
use ekv_text::{LineError, Lines};
use serde::{Deserialize, Serialize};

pub use ekv_files::root::SCOPES_FILE;

/// Longest line in bytes.
const SCOPE_LINE_LEN_MAX: usize = 32 << 20;

/// One line: a table, bucket or queue that has a directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedScope<'a> {
    /// `dynamodb`, `s3` or `sqs`.
    pub adapter: Cow<'a, str>,
    /// Its name, not encoded.
    pub name: Cow<'a, str>,
}

/// Why a line is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScopeFault {
    /// No whole line could be read.
    #[error(transparent)]
    Line(#[from] LineError),
    /// Not one JSON object with two strings.
    #[error("it is not an object with the strings adapter and name: {0}")]
    Json(JsonError),
    /// An adapter that has no such list.
    #[error("the adapter is none of dynamodb, s3 and sqs")]
    Adapter,
}

impl ListedScope<'_> {
    /// Appends the line, line feed included.
    pub fn write_into(&self, out: &mut Vec<u8>) {
        // Two strings cannot be refused, and writing to a vector cannot fail.
        let _ = serialize_into(self, Style::Compact, EscapeMode::Plain, out);
        out.push(b'\n');
    }

    /// Reads a line without its line feed.
    ///
    /// # Errors
    /// Whatever [`ScopeFault`] says.
    pub fn parse(line: &[u8]) -> Result<ListedScope<'static>, ScopeFault> {
        let Object(scope): Object<ListedScope<'static>> =
            serde_json::from_slice(line).map_err(|error| ScopeFault::Json(JsonError::new(&error)))?;
        match scope.protocol() {
            Some(_) => Ok(scope),
            None => Err(ScopeFault::Adapter),
        }
    }

    /// The adapter, if it has such a list.
    pub(crate) fn protocol(&self) -> Option<Protocol> {
        Protocol::named(self.adapter.as_bytes()).filter(|protocol| !protocol.has_numbered_scopes())
    }
}

/// Reads SCOPES.jsonl line by line. Unknown members are ignored. Cost: one line and its decoded form.
#[derive(Debug)]
pub struct ScopesReader<R> {
    lines: Lines<R>,
}

impl<R: BufRead> ScopesReader<R> {
    /// Begins to read.
    pub fn new(input: R) -> Self {
        ScopesReader { lines: Lines::new(input, SCOPE_LINE_LEN_MAX) }
    }

    /// Number of the line that was read last, from 1.
    pub fn line_number(&self) -> u64 {
        self.lines.number()
    }

    /// The next scope; `None` at the end.
    ///
    /// # Errors
    /// [`ScopeFault`]; after one about a line alone the next line can be read.
    pub fn next_scope(&mut self) -> Result<Option<ListedScope<'static>>, ScopeFault> {
        match self.lines.next_line()? {
            Some(line) => ListedScope::parse(line).map(Some),
            None => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_the_documented_form_and_are_read_back() {
        let scope = ListedScope { adapter: "sqs".into(), name: "or\"ders".into() };
        let mut out = Vec::new();
        scope.write_into(&mut out);
        assert_eq!(out, b"{\"adapter\":\"sqs\",\"name\":\"or\\\"ders\"}\n");
        assert_eq!(ScopesReader::new(out.as_slice()).next_scope().unwrap(), Some(scope));
    }

    #[test]
    fn malformed_lines_are_refused() {
        for text in
            ["", "[]", "{}", r#"{"adapter":"sqs"}"#, r#"{"adapter":"redis","name":"0"}"#, r#"{"adapter":1,"name":"0"}"#]
        {
            assert!(ListedScope::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
