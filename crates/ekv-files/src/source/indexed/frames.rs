//! The bytes of a tar in compressed frames, each read when it is needed.

use std::fs::File;
use std::io;
use std::sync::Arc;

use ekv_spill::{Scratch, Spool, Spooled, read_exact_at};

use crate::archive::frame::FrameDecompressor;
use crate::archive::seekable::{FRAME_LEN, FrameTable};
use crate::compressed::CompressedFault;

/// Decompressed frames that are kept.
const KEPT_FRAMES: usize = 4;

/// Frames that may be read beyond twice each before they are taken to be read in no order.
const FREE_LOADS: u64 = 64;

/// Reads the tar frame by frame.
///
/// Cost: memory for five frames; to read somewhere costs reading a frame, unless it is one of the last four.
pub(super) struct Frames {
    file: Arc<File>,
    table: FrameTable,
    scratch: Arc<dyn Scratch>,
    decompressor: FrameDecompressor,
    compressed: Vec<u8>,
    /// The frames that were used last, the last one at the end.
    kept: Vec<Frame>,
    /// Frames that were read.
    loads: u64,
}

/// A decompressed frame.
#[derive(Default)]
struct Frame {
    number: u64,
    content: Vec<u8>,
}

impl Frames {
    pub(super) fn new(file: Arc<File>, table: FrameTable, scratch: Arc<dyn Scratch>) -> io::Result<Self> {
        let decompressor = FrameDecompressor::new()?;
        Ok(Frames { file, table, scratch, decompressor, compressed: Vec::new(), kept: Vec::new(), loads: 0 })
    }

    pub(super) fn content_len(&self) -> u64 {
        self.table.content_len()
    }

    /// Whether frames were read so often that decompressing all of them once is cheaper.
    pub(super) fn are_read_over_and_over(&self) -> bool {
        self.loads > self.table.frames().saturating_mul(2).saturating_add(FREE_LOADS)
    }

    /// Decompresses all of the tar into a scratch file.
    pub(super) fn spool(&mut self) -> io::Result<Spooled> {
        let mut spool = Spool::new(Arc::clone(&self.scratch), 0);
        for number in 0..self.table.frames() {
            self.load(number)?;
            let content = self.kept.last().map_or(&[][..], |frame| &frame.content);
            spool.write_all(content).map_err(io::Error::other)?;
        }
        self.kept.clear();
        spool.into_reader().map_err(io::Error::other)
    }

    /// Fills `buf` as far as one frame goes.
    pub(super) fn read(&mut self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let frame_len = u64::try_from(FRAME_LEN).unwrap_or(u64::MAX);
        self.load(offset / frame_len)?;
        let start = usize::try_from(offset % frame_len).unwrap_or(usize::MAX);
        let known = self.kept.last().and_then(|frame| frame.content.get(start..)).unwrap_or_default();
        let len = known.len().min(buf.len());
        if let (Some(to), Some(from)) = (buf.get_mut(..len), known.get(..len)) {
            to.copy_from_slice(from);
        }
        Ok(len)
    }

    /// Sees to it that a frame is the last one of those that are kept.
    fn load(&mut self, number: u64) -> io::Result<()> {
        if let Some(at) = self.kept.iter().position(|frame| frame.number == number) {
            let behind = self.kept.get_mut(at..).unwrap_or_default();
            behind.rotate_left(1);
            return Ok(());
        }
        let (offset, len, content_len) = self.table.span(number).map_err(io::Error::other)?;
        self.compressed.resize(len, 0);
        read_exact_at(&self.file, &mut self.compressed, offset)?;
        let mut frame = if self.kept.len() < KEPT_FRAMES { Frame::default() } else { self.kept.remove(0) };
        self.decompressor.decompress(&self.compressed, &mut frame.content, content_len).map_err(io::Error::other)?;
        if frame.content.len() != content_len {
            let reason = "a frame holds less than it should".to_owned();
            return Err(io::Error::other(CompressedFault::Damaged { reason }));
        }
        frame.number = number;
        self.kept.push(frame);
        self.loads = self.loads.saturating_add(1);
        Ok(())
    }
}
