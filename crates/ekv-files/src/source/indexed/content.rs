//! The bytes of a tar, read by position.

use std::fs::File;
use std::io::{self, Read};

use ekv_model::ByteSource;
use ekv_spill::{Spooled, read_exact_at};

/// Bytes read at once: many small files lie one behind the other.
const WINDOW_LEN: usize = 128 << 10;

/// Where the bytes are.
pub(super) enum Content {
    /// A file of the user, with its length when it was opened.
    File { file: File, len: u64 },
    /// A scratch file.
    Spooled(Spooled),
}

impl Content {
    /// The `len` bytes from `offset`.
    pub(super) fn part<'c>(&'c self, window: &'c mut Window, offset: u64, len: u64) -> Part<'c> {
        Part { content: self, window, offset, left: len }
    }

    fn len(&self) -> u64 {
        match self {
            Content::File { len, .. } => *len,
            Content::Spooled(spooled) => spooled.len(),
        }
    }

    pub(super) fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        match self {
            Content::File { file, .. } => read_exact_at(file, buf, offset),
            Content::Spooled(spooled) => spooled.read_exact_at(offset, buf).map_err(io::Error::other),
        }
    }
}

/// What was read last.
#[derive(Default)]
pub(super) struct Window {
    bytes: Vec<u8>,
    offset: u64,
}

impl Window {
    /// Fills `buf` as far as one read goes.
    pub(super) fn read(&mut self, content: &Content, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        if buf.len() >= WINDOW_LEN {
            content.read_exact_at(offset, buf)?;
            return Ok(buf.len());
        }
        let mut known = self.from(offset);
        if known.is_empty() {
            let left = usize::try_from(content.len().saturating_sub(offset)).unwrap_or(usize::MAX);
            self.bytes.clear();
            self.bytes.resize(left.min(WINDOW_LEN), 0);
            let read = content.read_exact_at(offset, &mut self.bytes);
            if read.is_err() {
                self.bytes.clear();
            }
            read?;
            self.offset = offset;
            known = self.from(offset);
        }
        let len = known.len().min(buf.len());
        if let (Some(to), Some(from)) = (buf.get_mut(..len), known.get(..len)) {
            to.copy_from_slice(from);
        }
        Ok(len)
    }

    /// The bytes from `offset` on that are here.
    fn from(&self, offset: u64) -> &[u8] {
        let start = offset.checked_sub(self.offset).and_then(|start| usize::try_from(start).ok());
        start.and_then(|start| self.bytes.get(start..)).unwrap_or_default()
    }
}

/// A stretch of bytes, such as a file of the archive.
pub(super) struct Part<'c> {
    content: &'c Content,
    window: &'c mut Window,
    offset: u64,
    left: u64,
}

impl Read for Part<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let want = usize::try_from(self.left).unwrap_or(usize::MAX).min(buf.len());
        let Some(buf) = buf.get_mut(..want).filter(|buf| !buf.is_empty()) else { return Ok(0) };
        let len = match self.window.read(self.content, self.offset, buf)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            len => len,
        };
        let len_u64 = u64::try_from(len).unwrap_or(u64::MAX);
        self.offset = self.offset.saturating_add(len_u64);
        self.left = self.left.saturating_sub(len_u64);
        Ok(len)
    }
}
