//! Front-to-back reading with a running checksum.

use crate::checksum::Checksum;
use crate::format::FOOTER_LEN;
use crate::read_ahead::{Block, ReadAhead};
use crate::{Error, ErrorKind, Input, Result};
use ekv_model::Monitor;

/// Bytes read at a time.
const BUFFER_LEN: usize = 256 << 10;

/// Reads an input once from front to back; every byte but the last four goes through CRC32C.
pub(crate) struct Sequential<'i> {
    input: &'i Input,
    monitor: &'i dyn Monitor,
    buffer: Vec<u8>,
    start: usize,
    filled: usize,
    /// Offset in the input of the first unread byte.
    offset: u64,
    /// Bytes of which the monitor knows.
    told: u64,
    checksum: Checksum,
    ahead: Option<ReadAhead>,
}

impl<'i> Sequential<'i> {
    pub(crate) fn new(input: &'i Input, monitor: &'i dyn Monitor) -> Self {
        Sequential {
            input,
            monitor,
            buffer: Vec::new(),
            start: 0,
            filled: 0,
            offset: 0,
            told: 0,
            checksum: Checksum::new(input),
            ahead: None,
        }
    }

    /// Reads and hashes in a thread of its own, if the input is long enough to be worth it and the platform has threads.
    pub(crate) fn reading_ahead(self) -> Self {
        Sequential { ahead: ReadAhead::start(self.input), ..self }
    }

    /// Offset of the next byte.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Bytes from the next one to the end of the input.
    pub(crate) fn left(&self) -> u64 {
        self.input.len.saturating_sub(self.offset)
    }

    /// Makes the next `len` bytes available in memory; the caller has checked that they exist.
    pub(crate) fn ahead(&mut self, len: usize) -> Result<&[u8]> {
        if self.filled.saturating_sub(self.start) < len {
            self.refill(len)?;
        }
        self.buffered(len).ok_or_else(|| self.ended())
    }

    /// The next bytes that are in memory already; may be none.
    pub(crate) fn window(&self) -> &[u8] {
        self.buffer.get(self.start..self.filled).unwrap_or(&[])
    }

    fn buffered(&self, len: usize) -> Option<&[u8]> {
        self.window().get(..len)
    }

    fn ended(&self) -> Error {
        Error::new(ErrorKind::Truncated { what: "entry", needed: 1, available: 0 })
            .at(self.offset)
            .in_file(&self.input.name)
    }

    /// Tells the monitor that everything before `offset` is read.
    fn tell(&mut self, offset: u64) -> Result<()> {
        let more = offset.saturating_sub(self.told);
        self.told = offset;
        Ok(self.monitor.advance(more)?)
    }

    fn refill(&mut self, len: usize) -> Result<()> {
        self.tell(self.offset)?;
        if let Some(mut ahead) = self.ahead.take() {
            let filled = self.fill_from(&mut ahead, len);
            self.ahead = Some(ahead);
            return filled;
        }
        self.buffer.copy_within(self.start..self.filled, 0);
        self.filled = self.filled.saturating_sub(self.start);
        self.start = 0;
        if self.buffer.len() < len.max(BUFFER_LEN) {
            self.buffer.resize(len.max(BUFFER_LEN), 0);
        }
        let at = self.offset.saturating_add(u64::try_from(self.filled).unwrap_or(u64::MAX));
        let room = self.buffer.get_mut(self.filled..).unwrap_or(&mut []);
        let got = self.input.fill_at(at, room)?;
        self.checksum.add(room.get(..got).unwrap_or(&[]));
        self.filled = self.filled.saturating_add(got);
        Ok(())
    }

    fn fill_from(&mut self, ahead: &mut ReadAhead, len: usize) -> Result<()> {
        while self.filled.saturating_sub(self.start) < len {
            let Some(block) = ahead.next()? else { break };
            ahead.give_back(self.put_before(block));
        }
        Ok(())
    }

    /// Makes a block the buffer, with what was left of the old one before it; returns the old one.
    fn put_before(&mut self, mut block: Block) -> Vec<u8> {
        self.checksum = block.checksum;
        let left = self.window();
        if let Some(start) = block.start.checked_sub(left.len())
            && let Some(room) = block.bytes.get_mut(start..block.start)
        {
            room.copy_from_slice(left);
            self.start = start;
            self.filled = block.bytes.len();
            return std::mem::replace(&mut self.buffer, block.bytes);
        }
        self.buffer.truncate(self.filled);
        self.buffer.drain(..self.start);
        self.buffer.extend_from_slice(block.bytes.get(block.start..).unwrap_or(&[]));
        self.start = 0;
        self.filled = self.buffer.len();
        block.bytes
    }

    /// Moves past the next `len` bytes, which may be many; the caller has checked that they exist.
    #[inline]
    pub(crate) fn skip(&mut self, len: u64) -> Result<()> {
        let in_memory = self.filled.saturating_sub(self.start);
        match usize::try_from(len) {
            Ok(step) if step <= in_memory => {
                self.start = self.start.saturating_add(step);
                self.offset = self.offset.saturating_add(len);
                Ok(())
            }
            _ => self.skip_far(len),
        }
    }

    fn skip_far(&mut self, mut len: u64) -> Result<()> {
        loop {
            let in_memory = self.filled.saturating_sub(self.start);
            let step = usize::try_from(len).unwrap_or(usize::MAX).min(in_memory);
            self.start = self.start.saturating_add(step);
            let stepped = u64::try_from(step).unwrap_or(u64::MAX);
            self.offset = self.offset.saturating_add(stepped);
            len = len.saturating_sub(stepped);
            if len == 0 {
                return Ok(());
            }
            self.refill(1)?;
            if self.filled == self.start {
                return Err(self.ended());
            }
        }
    }

    /// Reads what is left; returns the last four bytes as the footer would hold them, and the checksum of all before them.
    ///
    /// `None` if the input is shorter than a footer.
    pub(crate) fn finish(mut self) -> Result<Option<(u32, u32)>> {
        if self.input.len < FOOTER_LEN {
            return Ok(None);
        }
        let to_footer = self.left().saturating_sub(FOOTER_LEN);
        self.skip(to_footer)?;
        // At this point at most the footer is left, and everything before it has been hashed.
        let mut footer = [0_u8; 4];
        self.input.fill_at(self.input.len.saturating_sub(FOOTER_LEN), &mut footer)?;
        self.tell(self.input.len)?;
        Ok(Some((u32::from_be_bytes(footer), self.checksum.crc32c())))
    }
}
