//! An object, read from front to back.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;
use std::thread::JoinHandle;

use crate::{Error, Meta, Remote, Result};

/// What is asked for at once, in bytes.
const BLOCK_LEN: u64 = 8 << 20;
/// Blocks that are asked for ahead.
const AHEAD_MAX: usize = 4;
/// Answers without a new byte, at most.
const TRIES_MAX: u32 = 10;

/// Reads an object from front to back, four blocks of 8 MiB ahead. Memory: 40 MiB.
pub struct Download {
    remote: Arc<dyn Remote>,
    key: String,
    meta: Meta,
    /// Where the next block begins that is asked for.
    next: u64,
    ahead: VecDeque<JoinHandle<Result<Vec<u8>>>>,
    block: io::Cursor<Vec<u8>>,
}

impl Download {
    /// Begins to read the object that `meta` describes.
    pub fn new(remote: Arc<dyn Remote>, key: impl Into<String>, meta: Meta) -> Self {
        Download { remote, key: key.into(), meta, next: 0, ahead: VecDeque::new(), block: io::Cursor::default() }
    }

    fn ask_ahead(&mut self) -> io::Result<()> {
        while self.ahead.len() < AHEAD_MAX && self.next < self.meta.len {
            let range = self.next..self.next.saturating_add(BLOCK_LEN).min(self.meta.len);
            self.next = range.end;
            let (remote, key, tag) = (Arc::clone(&self.remote), self.key.clone(), self.meta.tag.clone());
            let read = move || read_range(remote.as_ref(), &key, &tag, range);
            self.ahead.push_back(std::thread::Builder::new().name("ahead".to_owned()).spawn(read)?);
        }
        Ok(())
    }
}

impl Read for Download {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.block.read(buf)?;
        if read > 0 || buf.is_empty() {
            return Ok(read);
        }
        self.ask_ahead()?;
        let Some(thread) = self.ahead.pop_front() else { return Ok(0) };
        self.block =
            io::Cursor::new(thread.join().map_err(|_| io::Error::other("a thread that read ahead ended early"))??);
        self.ask_ahead()?;
        self.block.read(buf)
    }
}

/// A range of an object. Where an answer breaks off, the rest is asked for anew.
///
/// # Errors
/// As [`Remote::get`]; [`Error::BrokenOff`].
pub(crate) fn read_range(remote: &dyn Remote, key: &str, tag: &str, range: Range<u64>) -> Result<Vec<u8>> {
    let len = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX);
    let mut bytes = Vec::new();
    let mut tries = 0_u32;
    while bytes.len() < len {
        let before = bytes.len();
        let offset = |bytes: &[u8]| range.start.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        let mut answer =
            remote.get(key, offset(&bytes)..range.end, tag)?.take(range.end.saturating_sub(offset(&bytes)));
        let ended = answer.read_to_end(&mut bytes);
        if bytes.len() >= len {
            break;
        }
        tries = if bytes.len() > before { 1 } else { tries.saturating_add(1) };
        if tries >= TRIES_MAX {
            let source = ended.err().unwrap_or_else(|| io::ErrorKind::UnexpectedEof.into());
            return Err(Error::BrokenOff { place: remote.place(key), offset: offset(&bytes), tries, source });
        }
    }
    Ok(bytes)
}
