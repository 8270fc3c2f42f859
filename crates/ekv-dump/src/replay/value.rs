//! The content of a file, or a value in it: in memory while it is small, else in a scratch file.

use std::io::{self, Read};
use std::sync::Arc;

use ekv_files::Result;
use ekv_files::source::{SourceError, SourceOperation};
use ekv_model::{Body, ByteSource, CHUNK_LEN, InMemory};
use ekv_spill::{Scratch, Spool, Spooled};

/// Bytes that are kept in memory, at most.
const INLINE_LEN_MAX: usize = 1 << 20;

/// Collects bytes, and is used again for the next value.
pub(crate) struct ValueBuffer {
    scratch: Arc<dyn Scratch>,
    inline: Vec<u8>,
    spool: Option<Spool>,
    spooled: Option<Spooled>,
    chunk: Vec<u8>,
}

impl ValueBuffer {
    pub(crate) fn new(scratch: &Arc<dyn Scratch>) -> Self {
        ValueBuffer { scratch: Arc::clone(scratch), inline: Vec::new(), spool: None, spooled: None, chunk: Vec::new() }
    }

    /// Begins the next value.
    pub(crate) fn clear(&mut self) {
        self.inline.clear();
        self.spool = None;
        self.spooled = None;
    }

    /// Adds bytes.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Result<()> {
        if self.spool.is_none() && self.inline.len().saturating_add(piece.len()) <= INLINE_LEN_MAX {
            self.inline.extend_from_slice(piece);
            return Ok(());
        }
        let spool = match &mut self.spool {
            Some(spool) => spool,
            None => {
                let mut spool = Spool::new(Arc::clone(&self.scratch), CHUNK_LEN);
                spool.write_all(&self.inline)?;
                self.inline.clear();
                self.spool.insert(spool)
            }
        };
        Ok(spool.write_all(piece)?)
    }

    /// Ends the value.
    pub(crate) fn seal(&mut self) -> Result<()> {
        self.spooled = self.spool.take().map(Spool::into_reader).transpose()?;
        Ok(())
    }

    /// Replaces the value by everything that `input` still has.
    pub(crate) fn fill_from(&mut self, input: &mut dyn Read) -> Result<()> {
        self.clear();
        let mut chunk = std::mem::take(&mut self.chunk);
        chunk.resize(CHUNK_LEN, 0);
        let result = self.copy(input, &mut chunk);
        self.chunk = chunk;
        result?;
        self.seal()
    }

    /// The value as the body of an event.
    pub(crate) fn body(&self) -> Body<'_> {
        match &self.spooled {
            Some(spooled) => Body::Streamed(spooled),
            None => Body::Inline(&self.inline),
        }
    }

    fn copy(&mut self, input: &mut dyn Read, chunk: &mut [u8]) -> Result<()> {
        loop {
            match input.read(chunk) {
                Ok(0) => return Ok(()),
                Ok(len) => self.push(chunk.get(..len).unwrap_or_default())?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(SourceError::Io { operation: SourceOperation::Read, source }.into()),
            }
        }
    }
}

impl ByteSource for ValueBuffer {
    fn len(&self) -> u64 {
        self.body().len()
    }

    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> ekv_model::Result<()> {
        match &self.spooled {
            Some(spooled) => spooled.read_exact_at(offset, buf),
            None => InMemory(&self.inline).read_exact_at(offset, buf),
        }
    }
}

#[cfg(test)]
mod tests {
    use ekv_spill::SystemScratch;

    use super::*;

    #[test]
    fn values_of_any_length_come_back_and_do_not_mix() {
        let scratch: Arc<dyn Scratch> = Arc::new(SystemScratch::new());
        let mut buffer = ValueBuffer::new(&scratch);
        for len in [0, 5, INLINE_LEN_MAX, INLINE_LEN_MAX + 1, 3, 2 * INLINE_LEN_MAX] {
            let value: Vec<u8> = (0..len).map(|n| u8::try_from(n % 251).unwrap()).collect();
            buffer.fill_from(&mut value.as_slice()).unwrap();
            assert_eq!(buffer.len(), u64::try_from(len).unwrap());
            let mut read = Vec::new();
            buffer
                .body()
                .for_each_chunk(|chunk| {
                    read.extend_from_slice(chunk);
                    Ok(())
                })
                .unwrap();
            assert!(read == value, "{len}");
            assert_eq!(matches!(buffer.body(), Body::Inline(_)), len <= INLINE_LEN_MAX);
        }
    }
}
