//! The bytes of a tar, read by position.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;

use ekv_spill::{Spooled, read_exact_at};

use super::frames::Frames;

/// Bytes read at once: many small files lie one behind the other.
const WINDOW_LEN: usize = 128 << 10;

/// The bytes of a tar.
pub(super) struct Content {
    place: Backing,
    len: u64,
    /// What was read last.
    window: Vec<u8>,
    window_offset: u64,
}

/// Where the bytes are.
enum Backing {
    /// A file of the user.
    File(Arc<File>),
    /// A scratch file.
    Spooled(Spooled),
    /// Compressed frames.
    Frames(Box<Frames>),
}

impl Content {
    /// A file of the user, with its length when it was opened.
    pub(super) fn file(file: Arc<File>, len: u64) -> Self {
        Self::new(Backing::File(file), len)
    }

    /// A scratch file.
    pub(super) fn spooled(spooled: Spooled) -> Self {
        let len = spooled.len();
        Self::new(Backing::Spooled(spooled), len)
    }

    /// Compressed frames.
    pub(super) fn frames(frames: Frames) -> Self {
        let len = frames.content_len();
        Self::new(Backing::Frames(Box::new(frames)), len)
    }

    fn new(place: Backing, len: u64) -> Self {
        Content { place, len, window: Vec::new(), window_offset: 0 }
    }

    /// Length in bytes.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// The `len` bytes from `offset`.
    pub(super) fn part(&mut self, offset: u64, len: u64) -> Part<'_> {
        Part { content: self, offset, left: len }
    }

    /// Fills `buf` as far as one read goes.
    fn read(&mut self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        if let Backing::Frames(frames) = &mut self.place {
            if !frames.are_read_over_and_over() {
                return frames.read(offset, buf);
            }
            self.place = Backing::Spooled(frames.spool()?);
        }
        if buf.len() >= WINDOW_LEN {
            self.read_exact_at(offset, buf)?;
            return Ok(buf.len());
        }
        if self.known_from(offset).is_empty() {
            let left = usize::try_from(self.len.saturating_sub(offset)).unwrap_or(usize::MAX);
            let mut window = std::mem::take(&mut self.window);
            window.resize(left.min(WINDOW_LEN), 0);
            self.read_exact_at(offset, &mut window)?;
            (self.window, self.window_offset) = (window, offset);
        }
        let known = self.known_from(offset);
        let len = known.len().min(buf.len());
        if let (Some(to), Some(from)) = (buf.get_mut(..len), known.get(..len)) {
            to.copy_from_slice(from);
        }
        Ok(len)
    }

    /// The bytes from `offset` on that are in the window.
    fn known_from(&self, offset: u64) -> &[u8] {
        let start = offset.checked_sub(self.window_offset).and_then(|start| usize::try_from(start).ok());
        start.and_then(|start| self.window.get(start..)).unwrap_or_default()
    }

    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        match &self.place {
            Backing::File(file) => read_exact_at(file, buf, offset),
            Backing::Spooled(spooled) => spooled.read_at(offset, buf).map_err(io::Error::other),
            Backing::Frames(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

/// A stretch of bytes, such as a file of the archive.
pub(super) struct Part<'c> {
    content: &'c mut Content,
    offset: u64,
    left: u64,
}

impl Read for Part<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let want = usize::try_from(self.left).unwrap_or(usize::MAX).min(buf.len());
        let Some(buf) = buf.get_mut(..want).filter(|buf| !buf.is_empty()) else { return Ok(0) };
        let len = match self.content.read(self.offset, buf)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            len => len,
        };
        let len_u64 = u64::try_from(len).unwrap_or(u64::MAX);
        self.offset = self.offset.saturating_add(len_u64);
        self.left = self.left.saturating_sub(len_u64);
        Ok(len)
    }
}
