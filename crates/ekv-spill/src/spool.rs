//! Bytes written once and read from the start as often as needed.

use std::fs::File;
use std::io;
use std::sync::Arc;

use ekv_model::{Body, ByteSource, CHUNK_LEN};

use crate::file::ScratchFile;
use crate::{Result, Scratch, file_len};

/// Collects bytes: in memory up to a budget, then in a scratch file.
///
/// Memory: at most the budget or [`CHUNK_LEN`] bytes, whichever is larger.
pub struct Spool {
    scratch: Arc<dyn Scratch>,
    memory_budget: usize,
    /// All bytes, or the last ones once there is a file.
    buffer: Vec<u8>,
    file: Option<ScratchFile>,
    len: u64,
}

impl Spool {
    /// Makes an empty spool; no file exists before more than `memory_budget` bytes were written.
    pub fn new(scratch: Arc<dyn Scratch>, memory_budget: usize) -> Self {
        Spool { scratch, memory_budget, buffer: Vec::new(), file: None, len: 0 }
    }

    /// Bytes written so far.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether nothing was written yet.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds bytes at the end.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io); the spool is then useless.
    pub fn write_all(&mut self, bytes: &[u8]) -> Result<()> {
        let limit = if self.file.is_some() { CHUNK_LEN } else { self.memory_budget };
        if self.buffer.len().saturating_add(bytes.len()) > limit {
            self.flush_buffer()?;
        }
        match &mut self.file {
            Some(file) if bytes.len() >= CHUNK_LEN => file.append(bytes)?,
            _ => self.buffer.extend_from_slice(bytes),
        }
        self.len = self.len.saturating_add(file_len(bytes.len()));
        Ok(())
    }

    /// Ends writing.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) if the last bytes cannot be written.
    pub fn into_reader(mut self) -> Result<Spooled> {
        if self.file.is_some() {
            self.flush_buffer()?;
        }
        let storage = match self.file {
            Some(file) => Storage::File(file),
            None => Storage::Memory(self.buffer),
        };
        Ok(Spooled { storage, len: self.len })
    }

    /// Ends writing and gives all bytes as a nameless file, also if they would fit in memory. Its position is undefined.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) if the file cannot be made or written.
    pub fn into_file(mut self) -> Result<File> {
        self.flush_buffer()?;
        match self.file {
            Some(file) => Ok(file.into_file()),
            None => self.scratch.create(),
        }
    }

    /// Moves the buffered bytes to the file, which is made if there is none.
    fn flush_buffer(&mut self) -> Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(ScratchFile::create(self.scratch.as_ref())?),
        };
        if !self.buffer.is_empty() {
            file.append(&self.buffer)?;
            self.buffer.clear();
            self.buffer.shrink_to(CHUNK_LEN);
        }
        Ok(())
    }
}

impl io::Write for Spool {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The finished content of a [`Spool`].
pub struct Spooled {
    storage: Storage,
    len: u64,
}

enum Storage {
    Memory(Vec<u8>),
    File(ScratchFile),
}

impl Spooled {
    /// Length in bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bytes, if they never left memory.
    pub fn as_memory(&self) -> Option<&[u8]> {
        match &self.storage {
            Storage::Memory(bytes) => Some(bytes),
            Storage::File(_) => None,
        }
    }

    /// Reads the bytes from the first one on.
    pub fn reader(&self) -> SpooledReader<'_> {
        SpooledReader { spooled: self, offset: 0 }
    }

    /// The bytes as the value of an event.
    pub fn body(&self) -> Body<'_> {
        match &self.storage {
            Storage::Memory(bytes) => Body::Inline(bytes),
            Storage::File(_) => Body::Streamed(self),
        }
    }

    /// Fills `buf` from `offset`.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) if the file cannot be read or the bytes end before that.
    pub fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        match &self.storage {
            Storage::File(file) => file.read_exact_at(buf, offset),
            Storage::Memory(bytes) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX);
                let piece = bytes.get(start..).and_then(|rest| rest.get(..buf.len()));
                let piece = piece.ok_or_else(|| {
                    let source = io::Error::from(io::ErrorKind::UnexpectedEof);
                    crate::Error::Io { operation: crate::Operation::Read, place: "memory".into(), source }
                })?;
                buf.copy_from_slice(piece);
                Ok(())
            }
        }
    }

    /// Calls `f` with consecutive, non-empty pieces, from the first byte on every call. Bytes in memory come as one piece,
    /// others in pieces of at most [`CHUNK_LEN`] bytes.
    ///
    /// # Errors
    /// The first error of the file or of `f`; nothing is read after it.
    pub fn for_each_chunk<E: From<crate::Error>>(&self, mut f: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        let file = match &self.storage {
            Storage::Memory(bytes) if bytes.is_empty() => return Ok(()),
            Storage::Memory(bytes) => return f(bytes),
            Storage::File(file) => file,
        };
        let mut buf = vec![0; CHUNK_LEN];
        let mut offset = 0_u64;
        while offset < self.len {
            let want = usize::try_from(self.len - offset).unwrap_or(usize::MAX).min(CHUNK_LEN);
            buf.truncate(want);
            file.read_exact_at(&mut buf, offset)?;
            f(&buf)?;
            offset = offset.saturating_add(file_len(want));
        }
        Ok(())
    }
}

/// Reads a [`Spooled`] from front to back; a small read costs a call of the system, so that many of them want a buffer.
pub struct SpooledReader<'s> {
    spooled: &'s Spooled,
    offset: u64,
}

impl io::Read for SpooledReader<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.spooled.len().saturating_sub(self.offset)).unwrap_or(usize::MAX);
        let len = left.min(buf.len());
        let piece = buf.get_mut(..len).unwrap_or_default();
        self.spooled.read_exact_at(self.offset, piece).map_err(io::Error::other)?;
        self.offset = self.offset.saturating_add(file_len(len));
        Ok(len)
    }
}

impl ByteSource for Spooled {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> ekv_model::Result<()> {
        Ok(self.read_at(offset, buf)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::fault::with_fault;
    use crate::{Error, Operation, SystemScratch};

    fn spool(budget: usize, pieces: &[Vec<u8>]) -> Result<Spooled> {
        let mut spool = Spool::new(Arc::new(SystemScratch::new()), budget);
        for piece in pieces {
            spool.write_all(piece)?;
        }
        spool.into_reader()
    }

    fn content(spooled: &Spooled) -> Result<Vec<u8>> {
        let mut all = Vec::new();
        spooled.for_each_chunk(|chunk| -> Result<()> {
            assert!(!chunk.is_empty());
            all.extend_from_slice(chunk);
            Ok(())
        })?;
        Ok(all)
    }

    fn pieces() -> Vec<Vec<u8>> {
        [0, 1, 3, CHUNK_LEN - 1, 7, CHUNK_LEN, 2 * CHUNK_LEN + 5, 1]
            .iter()
            .enumerate()
            .map(|(i, len)| (0..*len).map(|j| u8::try_from((i * 31 + j) % 251).unwrap()).collect())
            .collect()
    }

    #[test]
    fn spooled_bytes_come_back_whole_on_every_read_with_any_budget() {
        let expected = pieces().concat();
        for budget in [0, 1, 4, 100, CHUNK_LEN, expected.len() - 1, expected.len()] {
            let spooled = spool(budget, &pieces()).unwrap();
            assert_eq!(spooled.len(), file_len(expected.len()));
            assert_eq!(spooled.as_memory().is_some(), budget >= expected.len(), "budget {budget}");
            for _ in 0..2 {
                assert_eq!(content(&spooled).unwrap(), expected);
            }
            let mut through_body = Vec::new();
            let append = |chunk: &[u8]| {
                through_body.extend_from_slice(chunk);
                Ok(())
            };
            spooled.body().for_each_chunk(append).unwrap();
            assert_eq!(through_body, expected);
            let mut through_reader = Vec::new();
            io::Read::read_to_end(&mut spooled.reader(), &mut through_reader).unwrap();
            assert_eq!(through_reader, expected);
        }
    }

    #[test]
    fn spool_as_file_holds_all_bytes_even_without_spilling() {
        use std::io::{Read, Seek};
        for budget in [0, 1 << 20] {
            for text in [&b"abc"[..], b""] {
                let mut spool = Spool::new(Arc::new(SystemScratch::new()), budget);
                spool.write_all(text).unwrap();
                let mut file = spool.into_file().unwrap();
                file.rewind().unwrap();
                let mut read = Vec::new();
                file.read_to_end(&mut read).unwrap();
                assert_eq!(read, text);
            }
        }
    }

    #[test]
    fn reading_beyond_the_end_is_an_error() {
        for budget in [0, 10] {
            let spooled = spool(budget, &[b"abc".to_vec()]).unwrap();
            assert!(spooled.read_exact_at(2, &mut [0; 2]).is_err());
            assert!(spooled.read_exact_at(1, &mut [0; 2]).is_ok());
        }
    }

    #[test]
    fn spool_failing_at_any_operation_reports_which_one() {
        for operation in [Operation::Create, Operation::Write, Operation::Read] {
            let mut n = 0;
            loop {
                let (result, fired) = with_fault(operation, n, || content(&spool(10, &pieces())?));
                if !fired {
                    result.unwrap();
                    break;
                }
                assert!(matches!(result, Err(Error::Io { operation: o, .. }) if o == operation));
                n += 1;
            }
            assert!(n > 0, "{operation:?} never happened");
        }
    }
}
