//! A checksum for every 16 KiB of an input: taken while it is read from front to back, compared whenever a part is read again.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use ekv_spill::{Scratch, Spool, Spooled};

use crate::input::{FileIdentity, Stamp};
use crate::{Error, ErrorKind, ReadAt};

/// Bytes of the input that have a checksum; the last ones may be fewer.
pub(super) const BLOCK_LEN: u64 = 16 << 10;
/// Checksums that are kept in memory, in bytes; more go to a scratch file.
const BUDGET_BYTES: usize = 512 << 10;
/// Bytes of a checksum.
pub(super) const SUM_LEN: u64 = 4;

/// How many blocks so many bytes are.
pub(super) fn blocks_in(len: u64) -> u64 {
    len.div_ceil(BLOCK_LEN)
}

/// An empty place for checksums.
pub(super) fn new_sums(scratch: &Arc<dyn Scratch>) -> Spool {
    Spool::new(Arc::clone(scratch), BUDGET_BYTES)
}

/// An input that takes the checksums of what is read of it from front to back.
pub(super) struct Summing {
    inner: Arc<dyn ReadAt>,
    len: u64,
    taken: Mutex<Taken>,
}

struct Taken {
    /// Everything before this offset has been read.
    next: u64,
    /// Of the bytes of the block at hand.
    crc32c: u32,
    /// `None` once a scratch file has failed.
    sums: Option<Spool>,
}

impl Summing {
    /// The first `len` bytes of `inner`.
    pub(super) fn new(inner: Arc<dyn ReadAt>, len: u64, scratch: &Arc<dyn Scratch>) -> Self {
        Summing { inner, len, taken: Mutex::new(Taken { next: 0, crc32c: 0, sums: Some(new_sums(scratch)) }) }
    }

    /// The checksums, little-endian; `None` if not everything was read, or scratch space has failed.
    pub(super) fn take(&self) -> Option<Spooled> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let sums = taken.sums.take().filter(|_| taken.next == self.len)?;
        sums.into_reader().ok()
    }
}

impl Taken {
    /// Takes bytes that were read at an offset, as far as they are the next ones.
    fn see(&mut self, offset: u64, bytes: &[u8], len: u64) {
        let known = self.next.checked_sub(offset).and_then(|known| usize::try_from(known).ok());
        let mut rest = known.and_then(|known| bytes.get(known..)).unwrap_or(&[]);
        while !rest.is_empty() && self.next < len {
            let room = BLOCK_LEN.saturating_sub(self.next % BLOCK_LEN).min(len.saturating_sub(self.next));
            let room = usize::try_from(room).unwrap_or(usize::MAX).min(rest.len());
            let (piece, behind) = rest.split_at_checked(room).unwrap_or((rest, &[]));
            self.crc32c = crc32c::crc32c_append(self.crc32c, piece);
            self.next = self.next.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
            if self.next.is_multiple_of(BLOCK_LEN) || self.next == len {
                let sum = std::mem::take(&mut self.crc32c).to_le_bytes();
                if self.sums.as_mut().is_some_and(|sums| sums.write_all(&sum).is_err()) {
                    self.sums = None;
                }
            }
            rest = behind;
        }
    }
}

impl ReadAt for Summing {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let got = self.inner.read_at(buf, offset)?;
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.see(offset, buf.get(..got).unwrap_or(&[]), self.len);
        Ok(got)
    }

    fn stamp(&self) -> io::Result<Option<Stamp>> {
        self.inner.stamp()
    }

    fn identity(&self) -> io::Result<Option<FileIdentity>> {
        self.inner.identity()
    }
}

/// An input of which nothing is given that does not have its checksum.
pub(super) struct Checked {
    inner: Arc<dyn ReadAt>,
    len: u64,
    sums: Spooled,
}

impl Checked {
    /// The first `len` bytes of `inner`; there is a checksum for each of their blocks.
    pub(super) fn new(inner: Arc<dyn ReadAt>, len: u64, sums: Spooled) -> Self {
        Checked { inner, len, sums }
    }

    /// Bytes of the block that begins at an offset.
    fn block_len(&self, start: u64) -> usize {
        usize::try_from(self.len.saturating_sub(start).min(BLOCK_LEN)).unwrap_or(0)
    }

    /// Fills `buf`, whole blocks, from an offset at which one begins.
    fn read_blocks(&self, buf: &mut [u8], start: u64) -> io::Result<()> {
        let mut done = 0_usize;
        while let Some(rest) = buf.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let position = start.saturating_add(u64::try_from(done).unwrap_or(u64::MAX));
            match self.inner.read_at(rest, position) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(got) => done = done.saturating_add(got),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let block_len = usize::try_from(BLOCK_LEN).unwrap_or(usize::MAX);
        for (number, block) in (start / BLOCK_LEN..).zip(buf.chunks(block_len)) {
            let mut stored = [0; 4];
            self.sums.read_at(number.saturating_mul(SUM_LEN), &mut stored).map_err(io::Error::other)?;
            let (stored, computed) = (u32::from_le_bytes(stored), crc32c::crc32c(block));
            if stored != computed {
                let len = u64::try_from(block.len()).unwrap_or(u64::MAX);
                let error = Error::new(ErrorKind::BlockCrc { len, stored, computed });
                return Err(io::Error::other(error.at(number.saturating_mul(BLOCK_LEN))));
            }
        }
        Ok(())
    }
}

impl ReadAt for Checked {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let within = offset % BLOCK_LEN;
        let start = offset.saturating_sub(within);
        let block_len = self.block_len(start);
        if within == 0 && block_len > 0 && buf.len() >= block_len {
            // As many blocks as have room.
            let left = usize::try_from(self.len.saturating_sub(start)).unwrap_or(usize::MAX);
            let len = match buf.len() >= left {
                true => left,
                false => buf.len().saturating_sub(buf.len() % block_len),
            };
            self.read_blocks(buf.get_mut(..len).unwrap_or_default(), start)?;
            return Ok(len);
        }
        let mut block = vec![0; block_len];
        self.read_blocks(&mut block, start)?;
        let wanted = usize::try_from(within).ok().and_then(|within| block.get(within..)).unwrap_or(&[]);
        let len = wanted.len().min(buf.len());
        if let (Some(to), Some(from)) = (buf.get_mut(..len), wanted.get(..len)) {
            to.copy_from_slice(from);
        }
        Ok(len)
    }

    fn stamp(&self) -> io::Result<Option<Stamp>> {
        self.inner.stamp()
    }
}

#[cfg(test)]
mod tests {
    use ekv_spill::SystemScratch;

    use super::*;
    use crate::MemoryInput;

    fn scratch() -> Arc<dyn Scratch> {
        Arc::new(SystemScratch::new())
    }

    fn long(len: usize) -> u64 {
        u64::try_from(len).unwrap()
    }

    fn bytes(len: usize) -> Arc<[u8]> {
        (0..len).map(|i| u8::try_from(i.wrapping_mul(2_654_435_761) >> 9 & 0xff).unwrap()).collect()
    }

    /// The checksums of all of `bytes`, which are read in pieces of `step` bytes.
    fn sums(bytes: &Arc<[u8]>, step: usize) -> Option<Spooled> {
        let summing = Summing::new(Arc::new(MemoryInput(Arc::clone(bytes))), long(bytes.len()), &scratch());
        // Who asks what it is reads its beginning first.
        summing.read_at(&mut [0; 26], 0).unwrap();
        for start in (0..bytes.len()).step_by(step) {
            let len = step.min(bytes.len() - start);
            assert_eq!(summing.read_at(&mut vec![0; len], long(start)).unwrap(), len);
        }
        summing.take()
    }

    const LENGTHS: [usize; 6] = [30, 16 << 10, (16 << 10) + 1, (32 << 10) - 1, 100_000, 160 << 10];

    #[test]
    fn checked_input_gives_what_was_summed_at_every_place_and_length() {
        for len in LENGTHS {
            let bytes = bytes(len);
            for step in [7000, 16 << 10, 256 << 10] {
                let sums = sums(&bytes, step).unwrap();
                assert_eq!(sums.len(), blocks_in(long(len)) * SUM_LEN);
                let checked = Checked::new(Arc::new(MemoryInput(Arc::clone(&bytes))), long(len), sums);
                for start in (0..len).step_by(1234).chain([0, len - 1, (16 << 10).min(len)]) {
                    for want in [1, 9, 5000, 16 << 10, 40_000, len] {
                        let (mut got, mut at) = (Vec::new(), long(start));
                        while got.len() < want {
                            let mut buf = vec![0; want - got.len()];
                            let read = checked.read_at(&mut buf, at).unwrap();
                            if read == 0 {
                                break;
                            }
                            got.extend_from_slice(&buf[..read]);
                            at += long(read);
                        }
                        assert_eq!(got, bytes[start..len.min(start + want)]);
                    }
                }
            }
        }
    }

    #[test]
    fn changed_byte_is_never_given_and_bytes_of_other_blocks_are() {
        let original = bytes(40_000);
        let mut changed = original.to_vec();
        changed[20_000] ^= 1;
        let checked = Checked::new(Arc::new(MemoryInput(changed.into())), 40_000, sums(&original, 256 << 10).unwrap());
        for (offset, len) in [(16_384, 1), (20_000, 1), (0, 40_000), (16_384, 16_384), (10_000, 30_000)] {
            let mut buf = vec![0; len];
            let mut at = offset;
            let error = loop {
                match checked.read_at(&mut buf, at) {
                    Ok(got) => at += long(got),
                    Err(error) => break error,
                }
            };
            let error = error.downcast::<Error>().unwrap();
            assert!(matches!(error.kind(), ErrorKind::BlockCrc { len: 16_384, .. }), "{error}");
            assert_eq!(error.location().byte_offset, Some(16_384));
        }
        assert_eq!(checked.read_at(&mut [0; 100], 16_383).unwrap(), 1);
        assert_eq!(checked.read_at(&mut [0; 100], 39_990).unwrap(), 10);
    }

    #[test]
    fn input_that_was_not_read_to_its_end_or_with_a_gap_has_no_checksums() {
        let bytes = bytes(50_000);
        let summing = || Summing::new(Arc::new(MemoryInput(Arc::clone(&bytes))), 50_000, &scratch());
        let short = summing();
        short.read_at(&mut vec![0; 49_999], 0).unwrap();
        assert!(short.take().is_none());
        let gap = summing();
        gap.read_at(&mut vec![0; 20_000], 0).unwrap();
        gap.read_at(&mut vec![0; 29_999], 20_001).unwrap();
        assert!(gap.take().is_none());
    }
}
