//! A part of an input as a stream, for consumers that want one.

use std::io::{self, Read};

use crate::Input;

/// Reads a part of an [`Input`] from front to back; made by [`Input::reader`].
///
/// An error of the input arrives wrapped in an [`io::Error`]; `io::Error::downcast` gives the [`crate::Error`] back.
pub struct InputReader<'i> {
    input: &'i Input,
    offset: u64,
    end: u64,
}

impl Input {
    /// The `len` bytes from `offset` as a stream, or as many of them as there are. Unbuffered.
    pub fn reader(&self, offset: u64, len: u64) -> InputReader<'_> {
        InputReader { input: self, offset, end: offset.saturating_add(len).min(self.len) }
    }
}

impl Read for InputReader<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end.saturating_sub(self.offset)).unwrap_or(usize::MAX);
        let want = left.min(buf.len());
        let got = self.input.fill_at(self.offset, buf.get_mut(..want).unwrap_or(&mut [])).map_err(io::Error::other)?;
        self.offset = self.offset.saturating_add(u64::try_from(got).unwrap_or(u64::MAX));
        Ok(got)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Error, FooterPolicy, MemoryInput};
    use std::sync::Arc;

    fn input(bytes: &[u8], len: u64) -> Input {
        let source = Arc::new(MemoryInput(bytes.into()));
        Input { source, len, name: "memory".into(), footer: FooterPolicy::Optional, token_crc32c: None }
    }

    #[test]
    fn stream_ends_with_its_part_or_with_the_input() {
        for (offset, len, expected) in [(1, 3, "bcd"), (4, 100, "ef"), (9, 1, "")] {
            let mut text = String::new();
            input(b"abcdef", 6).reader(offset, len).read_to_string(&mut text).unwrap();
            assert_eq!(text, expected);
        }
    }

    #[test]
    fn failing_input_gives_its_own_error_back() {
        let error = input(b"abc", 9).reader(0, 9).read_to_end(&mut Vec::new()).unwrap_err();
        let error = error.downcast::<Error>().unwrap();
        assert!(error.to_string().starts_with("memory: cannot read the snapshot"), "{error}");
    }
}
