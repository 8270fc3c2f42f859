//! What comes back.

use std::io::{self, Read};

/// Longest answer that is read into memory, in bytes: pages of lists and of items are below a few MiB.
const ANSWER_LEN_MAX: u64 = 32 << 20;

/// The answer to one request: status, headers, and a body that is still to be read.
pub struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Box<dyn Read + Send>,
}

impl Answer {
    /// An answer; header names in lower case.
    pub fn new(status: u16, headers: Vec<(String, String)>, body: Box<dyn Read + Send>) -> Self {
        Answer { status, headers, body }
    }

    /// HTTP status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Whether the status is 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Value of a header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// All headers.
    pub fn headers(&self) -> &[(String, String)] {
        &self.headers
    }

    /// The whole body, in memory.
    ///
    /// # Errors
    /// The connection broke, the body is shorter than it was said to be, or longer than 32 MiB.
    pub fn read_whole(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        (&mut self.body).take(ANSWER_LEN_MAX.saturating_add(1)).read_to_end(&mut bytes)?;
        if u64::try_from(bytes.len()).is_ok_and(|len| len > ANSWER_LEN_MAX) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the answer is longer than 32 MiB"));
        }
        Ok(bytes)
    }

    /// The body, to be read piece by piece.
    pub fn into_body(self) -> Box<dyn Read + Send> {
        self.body
    }
}
