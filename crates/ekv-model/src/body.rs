//! Values of any size, read in pieces.

use crate::Result;

/// Length of the buffer in which a streamed body is read, in bytes.
pub const CHUNK_LEN: usize = 64 * 1024;

/// Bytes that lie somewhere else (a snapshot file, a dump file) and are read by position.
pub trait ByteSource {
    /// Length in bytes.
    fn len(&self) -> u64;

    /// Whether there are no bytes.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills `buf` from `offset`; the caller never asks beyond [`ByteSource::len`].
    ///
    /// # Errors
    /// Whatever the source reports; a source that became shorter is an error.
    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> Result<()>;
}

/// Bytes in memory, for what reads any source.
#[derive(Clone, Copy, Debug)]
pub struct InMemory<'a>(pub &'a [u8]);

impl ByteSource for InMemory<'_> {
    fn len(&self) -> u64 {
        u64::try_from(self.0.len()).unwrap_or(u64::MAX)
    }

    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        let rest = usize::try_from(offset).ok().and_then(|offset| self.0.get(offset..)).unwrap_or(&[]);
        match rest.get(..buf.len()) {
            Some(piece) => {
                buf.copy_from_slice(piece);
                Ok(())
            }
            None => Err(crate::Error::new(crate::Class::Data, "reading beyond the end of a value in memory")),
        }
    }
}

/// A value: in memory when it is small, else read in pieces from where it lies.
#[derive(Clone, Copy)]
pub enum Body<'a> {
    /// The whole value.
    Inline(&'a [u8]),
    /// A value too large to hold; read it with [`Body::for_each_chunk`].
    Streamed(&'a dyn ByteSource),
}

impl<'a> Body<'a> {
    /// Length in bytes.
    pub fn len(&self) -> u64 {
        match self {
            Body::Inline(bytes) => u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            Body::Streamed(source) => source.len(),
        }
    }

    /// Whether the value is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Calls `f` with consecutive, non-empty pieces of at most [`CHUNK_LEN`] bytes (an inline body comes as one piece).
    ///
    /// Can be called again: every call starts from the first byte. Cost: one buffer for streamed bodies.
    ///
    /// # Errors
    /// The first error of the source or of `f`; nothing is read after it.
    pub fn for_each_chunk(&self, mut f: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        match self {
            Body::Inline([]) => Ok(()),
            Body::Inline(bytes) => f(bytes),
            Body::Streamed(source) => {
                let mut buf = vec![0; CHUNK_LEN];
                let mut offset = 0_u64;
                let len = source.len();
                while offset < len {
                    let want = usize::try_from(len - offset).unwrap_or(usize::MAX).min(CHUNK_LEN);
                    let Some(piece) = buf.get_mut(..want) else { break };
                    source.read_exact_at(offset, piece)?;
                    f(piece)?;
                    offset = offset.saturating_add(u64::try_from(want).unwrap_or(u64::MAX));
                }
                Ok(())
            }
        }
    }
}

impl std::fmt::Debug for Body<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Body::Inline(bytes) => f.debug_tuple("Inline").field(bytes).finish(),
            Body::Streamed(source) => f.debug_struct("Streamed").field("len", &source.len()).finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Counting(u64);

    impl ByteSource for Counting {
        fn len(&self) -> u64 {
            self.0
        }
        fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
            for (i, b) in buf.iter_mut().enumerate() {
                *b = u8::try_from((offset + u64::try_from(i).unwrap()) % 251).unwrap();
            }
            Ok(())
        }
    }

    #[test]
    fn streamed_body_arrives_whole_and_in_order_on_every_call() {
        let len = u64::try_from(CHUNK_LEN).unwrap() * 2 + 7;
        let source = Counting(len);
        let body = Body::Streamed(&source);
        for _ in 0..2 {
            let mut seen = Vec::new();
            body.for_each_chunk(|c| {
                assert!(!c.is_empty() && c.len() <= CHUNK_LEN);
                seen.extend_from_slice(c);
                Ok(())
            })
            .unwrap();
            assert_eq!(u64::try_from(seen.len()).unwrap(), len);
            assert!(seen.iter().enumerate().all(|(i, b)| i % 251 == usize::from(*b)));
        }
    }

    #[test]
    fn empty_bodies_yield_no_chunk() {
        let source = Counting(0);
        for body in [Body::Inline(b""), Body::Streamed(&source)] {
            assert!(body.is_empty());
            body.for_each_chunk(|_| panic!("no chunk expected")).unwrap();
        }
    }
}
