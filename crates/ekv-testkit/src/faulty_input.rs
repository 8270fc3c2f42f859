//! Inputs that fail.

use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use ekv_snapshot::ReadAt;

/// What goes wrong; reads are counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadFault {
    /// Nothing.
    None,
    /// This read and all after it fail with an I/O error.
    BrokenFrom(u64),
    /// This read alone fails with an I/O error.
    BrokenOnce(u64),
    /// This read is interrupted by a signal.
    Interrupted(u64),
    /// Every read returns one byte.
    OneByte,
    /// From this read on the file has only half of its bytes.
    HalvedFrom(u64),
}

/// Bytes in memory behind a fault. Counts the reads and remembers the longest buffer that was to be filled.
#[derive(Debug)]
pub struct FaultyInput {
    bytes: Vec<u8>,
    fault: ReadFault,
    reads: AtomicU64,
    longest: AtomicUsize,
}

impl FaultyInput {
    /// `bytes` behind `fault`.
    pub fn new(bytes: Vec<u8>, fault: ReadFault) -> Self {
        FaultyInput { bytes, fault, reads: AtomicU64::new(0), longest: AtomicUsize::new(0) }
    }

    /// How many reads there were.
    pub fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }

    /// Length of the longest buffer that a read was to fill, in bytes.
    pub fn longest_buffer(&self) -> usize {
        self.longest.load(Ordering::Relaxed)
    }
}

impl ReadAt for FaultyInput {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.longest.fetch_max(buf.len(), Ordering::Relaxed);
        let number = self.reads.fetch_add(1, Ordering::Relaxed);
        let broken = || Err(io::Error::from_raw_os_error(5));
        let (mut end, mut want) = (self.bytes.len(), buf.len());
        match self.fault {
            ReadFault::BrokenFrom(n) if number >= n => return broken(),
            ReadFault::BrokenOnce(n) if number == n => return broken(),
            ReadFault::Interrupted(n) if number == n => return Err(io::ErrorKind::Interrupted.into()),
            ReadFault::OneByte => want = want.min(1),
            ReadFault::HalvedFrom(n) if number >= n => end /= 2,
            _ => {}
        }
        let start = usize::try_from(offset).unwrap().min(end);
        let n = want.min(end - start);
        buf[..n].copy_from_slice(&self.bytes[start..start + n]);
        Ok(n)
    }
}
