//! Lines of bounded length.

use std::io::{self, BufRead, Read as _};

/// Reads lines that end in one line feed, each into the same buffer.
#[derive(Debug)]
pub struct Lines<R> {
    input: R,
    /// Longest line in bytes, without its line feed.
    len_max: usize,
    line: Vec<u8>,
    number: u64,
}

/// Why there is no line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LineError {
    /// Reading failed.
    #[error("cannot read the line")]
    Io(#[from] io::Error),
    /// The line is longer than the limit.
    #[error("the line is longer than {len_max} bytes")]
    TooLong {
        /// Longest line in bytes.
        len_max: usize,
    },
    /// The last line does not end in a line feed.
    #[error("the last line does not end in a line feed: the file is cut")]
    Cut,
}

impl<R: BufRead> Lines<R> {
    /// Reads lines of at most `len_max` bytes, without their line feed, from `input`.
    pub fn new(input: R, len_max: usize) -> Self {
        Lines { input, len_max, line: Vec::new(), number: 0 }
    }

    /// The next line without its line feed; `None` at the end of the input. Cost: at most `len_max` bytes, whatever the input.
    pub fn next_line(&mut self) -> Result<Option<&[u8]>, LineError> {
        self.line.clear();
        self.number = self.number.saturating_add(1);
        let limit = u64::try_from(self.len_max).unwrap_or(u64::MAX).saturating_add(1);
        self.input.by_ref().take(limit).read_until(b'\n', &mut self.line)?;
        match self.line.pop() {
            None => Ok(None),
            Some(b'\n') => Ok(Some(&self.line)),
            Some(_) if self.line.len() >= self.len_max => Err(LineError::TooLong { len_max: self.len_max }),
            Some(_) => Err(LineError::Cut),
        }
    }

    /// Number of the last line asked for, from 1.
    pub fn number(&self) -> u64 {
        self.number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8], len_max: usize) -> Vec<Result<Vec<u8>, String>> {
        let mut lines = Lines::new(text, len_max);
        let mut seen = Vec::new();
        loop {
            match lines.next_line() {
                Ok(None) => return seen,
                Ok(Some(line)) => seen.push(Ok(line.to_vec())),
                Err(error) => {
                    seen.push(Err(error.to_string()));
                    return seen;
                }
            }
        }
    }

    #[test]
    fn lines_up_to_the_limit_are_read_and_longer_ones_refused() {
        assert_eq!(read(b"", 3), []);
        assert_eq!(read(b"abc\n\nd\n", 3), [Ok(b"abc".to_vec()), Ok(Vec::new()), Ok(b"d".to_vec())]);
        let too_long = "the line is longer than 3 bytes".to_owned();
        assert_eq!(read(b"abcd\n", 3), [Err(too_long.clone())]);
        assert_eq!(read(b"abcd", 3), [Err(too_long)]);
    }

    #[test]
    fn a_last_line_without_line_feed_is_a_cut() {
        let cut = "the last line does not end in a line feed: the file is cut".to_owned();
        assert_eq!(read(b"a\nabc", 3), [Ok(b"a".to_vec()), Err(cut.clone())]);
        assert_eq!(read(b"a", 3), [Err(cut)]);
    }
}
