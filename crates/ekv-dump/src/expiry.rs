//! Expiry sidecars of Redis: `strings_ttl.jsonl` and `hll_ttl.jsonl`.
//!
//! Source: `docs/format/redis.md`, section 6.2.

use std::io::{BufRead, Write as _};

use ekv_text::{LineError, Lines};

use crate::segment::{Decoded, SEGMENT_LEN_MAX, SegmentError, decode_segment};

/// Latest expiry, in Unix milliseconds.
pub const EXPIRE_AT_MS_MAX: u64 = u64::MAX >> 1;

/// An expiry sidecar of a Redis database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpirySidecar {
    /// Of strings.
    Strings,
    /// Of HyperLogLogs.
    Hll,
}

impl ExpirySidecar {
    /// All of them.
    pub const ALL: [ExpirySidecar; 2] = [ExpirySidecar::Strings, ExpirySidecar::Hll];

    /// The sidecar with a file name.
    pub fn of(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|sidecar| sidecar.file_name().as_bytes() == name)
    }

    /// Name of the file in its database.
    pub fn file_name(self) -> &'static str {
        match self {
            ExpirySidecar::Strings => "strings_ttl.jsonl",
            ExpirySidecar::Hll => "hll_ttl.jsonl",
        }
    }
}

/// Longest line: the longest segment, the longest number and the text around them.
pub(crate) const LINE_LEN_MAX: usize = SEGMENT_LEN_MAX + 64;

const FRONT: &[u8] = b"{\"key\":\"";
const MIDDLE: &[u8] = b"\",\"expire_at_ms\":";

/// Appends a line, line feed included. `segment` is the file name of the key without extension; it needs no escape.
pub fn write_line(segment: &[u8], expire_at_ms: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(FRONT);
    out.extend_from_slice(segment);
    out.extend_from_slice(MIDDLE);
    // Writing to a vector cannot fail.
    let _ = write!(out, "{expire_at_ms}");
    out.extend_from_slice(b"}\n");
}

/// Tells the lines of these segments.
pub(crate) fn lines_of(segments: &[Vec<u8>]) -> impl Fn(&[u8]) -> bool + use<> {
    let fronts: Vec<Vec<u8>> = segments.iter().map(|segment| [FRONT, segment, b"\""].concat()).collect();
    move |line| fronts.iter().any(|front| line.starts_with(front))
}

/// A line: when a key expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpiryLine<'a> {
    /// File name of the key without extension.
    pub segment: &'a [u8],
    /// Unix milliseconds, at most [`EXPIRE_AT_MS_MAX`].
    pub expire_at_ms: u64,
}

/// Why an expiry sidecar is refused.
#[derive(Debug, thiserror::Error)]
#[error("line {line_number} is refused")]
pub struct ExpiryError {
    /// Number of the line, from 1.
    pub line_number: u64,
    /// What is wrong with it.
    #[source]
    pub fault: ExpiryFault,
}

/// What is wrong with a line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExpiryFault {
    /// No whole line could be read.
    #[error(transparent)]
    Line(#[from] LineError),
    /// Not exactly what [`write_line`] writes.
    #[error("it is not {{\"key\":\"…\",\"expire_at_ms\":…}} without blanks")]
    Form,
    /// The key is no segment of a Redis key.
    #[error(transparent)]
    Segment(#[from] SegmentError),
    /// The time is not a plain decimal of at most 2^63-1.
    #[error("the time is not a plain number of milliseconds of at most 2^63-1")]
    Time,
}

/// Reads an expiry sidecar line by line; accepts what [`write_line`] writes.
///
/// Whether a file belongs to each line, and whether lines repeat, is for the caller to find. Cost: one line of bounded length.
#[derive(Debug)]
pub struct ExpiryReader<R> {
    lines: Lines<R>,
}

impl<R: BufRead> ExpiryReader<R> {
    /// Begins to read.
    pub fn new(input: R) -> Self {
        ExpiryReader { lines: Lines::new(input, LINE_LEN_MAX) }
    }

    /// The next line; `None` at the end.
    ///
    /// # Errors
    /// [`ExpiryError`] with the number of the line. After [`ExpiryFault::Line`] nothing more can be read, after any other fault the
    /// next call goes on with the next line.
    pub fn next_line(&mut self) -> Result<Option<ExpiryLine<'_>>, ExpiryError> {
        let line_number = self.lines.number().saturating_add(1);
        let line = match self.lines.next_line() {
            Ok(None) => return Ok(None),
            Ok(Some(line)) => parse_line(line),
            Err(error) => Err(ExpiryFault::Line(error)),
        };
        line.map(Some).map_err(|fault| ExpiryError { line_number, fault })
    }
}

fn parse_line(line: &[u8]) -> Result<ExpiryLine<'_>, ExpiryFault> {
    let rest = line.strip_prefix(FRONT).and_then(|rest| rest.strip_suffix(b"}")).ok_or(ExpiryFault::Form)?;
    let quote = rest.iter().position(|byte| *byte == b'"').ok_or(ExpiryFault::Form)?;
    let (segment, rest) = rest.split_at_checked(quote).ok_or(ExpiryFault::Form)?;
    let digits = rest.strip_prefix(MIDDLE).ok_or(ExpiryFault::Form)?;
    if let Decoded::Binary(_) = decode_segment(segment)? {
        return Err(SegmentError::NotCanonical.into());
    }
    Ok(ExpiryLine { segment, expire_at_ms: parse_time(digits).ok_or(ExpiryFault::Time)? })
}

/// A decimal number without sign and leading zeros.
fn parse_time(digits: &[u8]) -> Option<u64> {
    let is_plain = digits.iter().all(u8::is_ascii_digit) && (digits.first() != Some(&b'0') || digits.len() == 1);
    let number: u64 = std::str::from_utf8(digits).ok().filter(|_| is_plain)?.parse().ok()?;
    (number <= EXPIRE_AT_MS_MAX).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_the_documented_form_and_are_read_back() {
        let mut out = Vec::new();
        write_line(b"ttl", 1_893_456_000_000, &mut out);
        write_line(b"", 0, &mut out);
        write_line(&[b'k'; 240], EXPIRE_AT_MS_MAX, &mut out);
        assert!(
            out.starts_with(b"{\"key\":\"ttl\",\"expire_at_ms\":1893456000000}\n{\"key\":\"\",\"expire_at_ms\":0}\n")
        );
        let mut reader = ExpiryReader::new(&out[..]);
        for (segment, expire_at_ms) in [(&b"ttl"[..], 1_893_456_000_000), (b"", 0), (&[b'k'; 240], EXPIRE_AT_MS_MAX)] {
            assert_eq!(reader.next_line().unwrap(), Some(ExpiryLine { segment, expire_at_ms }));
        }
        assert_eq!(reader.next_line().unwrap(), None);
    }

    #[test]
    fn lines_that_no_writer_makes_are_refused_and_the_next_one_is_read() {
        let bad = [
            "",
            "{}",
            r#"{"key": "a","expire_at_ms":1}"#,
            r#"{"expire_at_ms":1,"key":"a"}"#,
            r#"{"key":"a","expire_at_ms":1,"x":2}"#,
            r#"{"key":"a","expire_at_ms":1} "#,
            r#"{"key":"a","expire_at_ms":}"#,
            r#"{"key":"a","expire_at_ms":01}"#,
            r#"{"key":"a","expire_at_ms":-1}"#,
            r#"{"key":"a","expire_at_ms":+1}"#,
            r#"{"key":"a","expire_at_ms":1.0}"#,
            r#"{"key":"a","expire_at_ms":null}"#,
            r#"{"key":"a","expire_at_ms":9223372036854775808}"#,
            r#"{"key":"a","expire_at_ms":99999999999999999999}"#,
            r#"{"key":"a b","expire_at_ms":1}"#,
            r#"{"key":"%41","expire_at_ms":1}"#,
            r#"{"key":"%2f","expire_at_ms":1}"#,
            r#"{"key":"b64.YQ","expire_at_ms":1}"#,
            "{\"key\":\"a\",\"expire_at_ms\":1}\r",
        ];
        for line in bad {
            let text = format!("{line}\n{{\"key\":\"a\",\"expire_at_ms\":1}}\n");
            let mut reader = ExpiryReader::new(text.as_bytes());
            assert_eq!(reader.next_line().unwrap_err().line_number, 1, "{line}");
            assert_eq!(reader.next_line().unwrap(), Some(ExpiryLine { segment: b"a", expire_at_ms: 1 }), "{line}");
        }
        let long = format!("{{\"key\":\"{}", "k".repeat(1 << 16));
        let error = ExpiryReader::new(long.as_bytes()).next_line().unwrap_err();
        assert!(matches!(error.fault, ExpiryFault::Line(LineError::TooLong { .. })));
    }
}
