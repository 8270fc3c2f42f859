//! Bytes that lie somewhere and are read by position, through one buffer.

/// Bytes of any number, read by position, with the errors of those who read them.
pub trait BytesAt {
    /// Why reading fails, and why what was read is refused.
    type Error;

    /// Number of bytes.
    fn byte_count(&self) -> u64;

    /// Fills `buf` from `offset`; never asked beyond [`BytesAt::byte_count`].
    ///
    /// # Errors
    /// Whatever the source reports; a source that became shorter is an error.
    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), Self::Error>;
}

/// A buffer that moves over a source. Cost: its length or that of the source, whichever is smaller.
#[derive(Debug)]
pub struct Window<S> {
    source: S,
    buffer: Vec<u8>,
    buffer_len_max: usize,
    /// Offset in the source of the buffer's first byte.
    buffer_start: u64,
    /// Index in the buffer of the next byte.
    at: usize,
}

impl<S: BytesAt> Window<S> {
    /// Begins at the front of `source`, with a buffer of at most `buffer_len_max` bytes.
    pub fn new(source: S, buffer_len_max: usize) -> Self {
        Window { source, buffer: Vec::new(), buffer_len_max, buffer_start: 0, at: 0 }
    }

    /// The next byte; `None` at the end.
    pub fn peek(&mut self) -> Result<Option<u8>, S::Error> {
        if let Some(byte) = self.buffer.get(self.at) {
            return Ok(Some(*byte));
        }
        let start = self.offset();
        let left = usize::try_from(self.source.byte_count().saturating_sub(start)).unwrap_or(usize::MAX);
        self.buffer.resize(left.min(self.buffer_len_max), 0);
        self.source.read_exact_at(start, &mut self.buffer)?;
        self.buffer_start = start;
        self.at = 0;
        Ok(self.buffer.first().copied())
    }

    /// What the buffer holds from the next byte on.
    pub fn ready(&self) -> &[u8] {
        self.buffer.get(self.at..).unwrap_or_default()
    }

    /// Moves over bytes that are [`Window::ready`].
    pub fn advance(&mut self, len: usize) {
        self.at = self.at.saturating_add(len);
    }

    /// Offset of the next byte.
    pub fn offset(&self) -> u64 {
        self.buffer_start.saturating_add(u64::try_from(self.at).unwrap_or(u64::MAX))
    }

    /// Goes to an offset.
    pub fn seek(&mut self, offset: u64) {
        let in_buffer = offset.checked_sub(self.buffer_start).and_then(|at| usize::try_from(at).ok());
        match in_buffer.filter(|at| *at <= self.buffer.len()) {
            Some(at) => self.at = at,
            None => {
                self.buffer.clear();
                self.buffer_start = offset;
                self.at = 0;
            }
        }
    }
}
