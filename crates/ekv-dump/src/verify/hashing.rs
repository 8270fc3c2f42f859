//! Reading that hashes, counts and reports.

use std::io::{self, Read};

use ekv_files::checksums::FileDigest;
use ekv_model::Monitor;
use sha2::{Digest, Sha256};

/// Bytes read at once.
const BUFFER_LEN: usize = 64 * 1024;

/// Passes the contents of a file through to a parser and hashes them.
pub(crate) struct HashingReader<'a> {
    content: &'a mut dyn Read,
    monitor: &'a dyn Monitor,
    hasher: Sha256,
    len: u64,
}

impl<'a> HashingReader<'a> {
    pub(crate) fn new(content: &'a mut dyn Read, monitor: &'a dyn Monitor) -> Self {
        HashingReader { content, monitor, hasher: Sha256::new(), len: 0 }
    }

    /// Bytes read so far.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Reads what is left; gives the digest and the length of the whole file.
    pub(crate) fn finish(mut self, buffer: &mut Vec<u8>) -> io::Result<(FileDigest, u64)> {
        buffer.resize(BUFFER_LEN, 0);
        loop {
            match self.read(buffer) {
                Ok(0) => return Ok((self.hasher.finalize().into(), self.len)),
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
        }
    }
}

impl Read for HashingReader<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read_len = self.content.read(buf)?;
        self.hasher.update(buf.get(..read_len).unwrap_or_default());
        let read_len_u64 = u64::try_from(read_len).unwrap_or(u64::MAX);
        self.len = self.len.saturating_add(read_len_u64);
        self.monitor.advance(read_len_u64).map_err(io::Error::other)?;
        Ok(read_len)
    }
}
