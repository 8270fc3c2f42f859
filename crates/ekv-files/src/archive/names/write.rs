//! Writes the index: sorts the names of all entries, and packs them into blocks.

use std::io::{self, Write};
use std::sync::Arc;

use ekv_spill::{Scratch, Sorter, Spool, Spooled};

use super::row::{EntryPosition, Previous, push_number};
use super::{BLOCK_LEN_MAX, MAGIC, Trailer};
use crate::archive::ZstdLevel;
use crate::archive::frame::{FrameCompressor, compress_stream};
use crate::archive::seekable::{INDEX_FRAME_MAGIC, SKIPPABLE_HEADER_LEN, TableWriter, skippable_header};
use crate::archive::write_error::{WriteError, scratch_failed};
use crate::source::PATH_LEN_MAX;

/// Memory for sorting, in bytes.
const SORT_BUDGET: usize = 4 << 20;

/// Memory for the blocks, and for the rows of the top, in bytes.
const PAYLOAD_BUDGET: usize = 1 << 20;

/// Most bytes of the payload in one skippable frame.
const PART_LEN_MAX: u64 = (4 << 30) - 16;

/// Collects entries in any order.
pub(crate) struct NameSorter {
    sorter: Sorter,
    scratch: Arc<dyn Scratch>,
    /// Whether an entry cannot be in an index: then there is none.
    has_unfit: bool,
}

impl NameSorter {
    pub(crate) fn new(scratch: Arc<dyn Scratch>) -> Self {
        NameSorter { sorter: Sorter::new(Arc::clone(&scratch), SORT_BUDGET), scratch, has_unfit: false }
    }

    pub(crate) fn add(&mut self, path: &[u8], place: EntryPosition) -> Result<(), ekv_spill::Error> {
        if path.len() > PATH_LEN_MAX || place.len > EntryPosition::LEN_MAX {
            self.has_unfit = true;
        }
        if self.has_unfit { Ok(()) } else { self.sorter.push(path, &place.to_payload()) }
    }

    /// Writes the index, and adds its frames to the table. There is none of no entries, or of some that no reader takes.
    ///
    /// # Errors
    /// If two entries have one path, and those of `output` and of scratch files.
    pub(crate) fn write(
        self,
        level: ZstdLevel,
        table: &mut TableWriter,
        output: &mut dyn Write,
    ) -> Result<(), WriteError> {
        let NameSorter { sorter, scratch, has_unfit } = self;
        if has_unfit || sorter.is_empty() {
            return Ok(());
        }
        let payload = payload_of(sorter, &scratch, level)?;
        if table.has_room_for(payload.len().div_ceil(PART_LEN_MAX)) {
            write_parts(&payload, PART_LEN_MAX, table, output)?;
        }
        Ok(())
    }
}

fn payload_of(sorter: Sorter, scratch: &Arc<dyn Scratch>, level: ZstdLevel) -> Result<Spooled, WriteError> {
    let rows = sorter.len();
    let mut sorted = sorter.finish()?;
    let mut blocks = Blocks::new(scratch, level)?;
    while let Some((path, payload)) = sorted.next()? {
        blocks.add(path, EntryPosition::from_payload(payload))?;
    }
    blocks.finish(rows, level)
}

/// Packs sorted entries into blocks.
struct Blocks {
    payload: Spool,
    /// Rows of the top: length of the first path of a block, the path, length of the block.
    top: Spool,
    compressor: FrameCompressor,
    block: Vec<u8>,
    first_path: Vec<u8>,
    previous: Previous,
    row: Vec<u8>,
    frame: Vec<u8>,
}

impl Blocks {
    fn new(scratch: &Arc<dyn Scratch>, level: ZstdLevel) -> Result<Self, WriteError> {
        let spool = || Spool::new(Arc::clone(scratch), PAYLOAD_BUDGET);
        let mut payload = spool();
        payload.write_all(MAGIC)?;
        Ok(Blocks {
            payload,
            top: spool(),
            compressor: FrameCompressor::new(level)?,
            block: Vec::new(),
            first_path: Vec::new(),
            previous: Previous::default(),
            row: Vec::new(),
            frame: Vec::new(),
        })
    }

    fn add(&mut self, path: &[u8], place: EntryPosition) -> Result<(), WriteError> {
        if !self.block.is_empty() && self.previous.path == path {
            return Err(WriteError::Repeated(path.to_vec()));
        }
        self.row.clear();
        self.previous.push(path, place, &mut self.row);
        if self.block.len().saturating_add(self.row.len()) > BLOCK_LEN_MAX {
            self.end_block()?;
            // How long a row is depends on the one before.
            self.row.clear();
            self.previous.push(path, place, &mut self.row);
        }
        if self.block.is_empty() {
            self.first_path.clear();
            self.first_path.extend_from_slice(path);
        }
        self.block.extend_from_slice(&self.row);
        Ok(())
    }

    fn end_block(&mut self) -> Result<(), WriteError> {
        self.compressor.compress(&self.block, &mut self.frame)?;
        self.payload.write_all(&self.frame)?;
        let mut row = Vec::with_capacity(self.first_path.len());
        push_number(len_u64(self.first_path.len()), &mut row);
        row.extend_from_slice(&self.first_path);
        push_number(len_u64(self.frame.len()), &mut row);
        self.top.write_all(&row)?;
        self.block.clear();
        self.previous.clear();
        Ok(())
    }

    fn finish(mut self, rows: u64, level: ZstdLevel) -> Result<Spooled, WriteError> {
        self.end_block()?;
        let Blocks { mut payload, top, .. } = self;
        let top_offset = payload.len();
        let mut with_crc = WithCrc { payload: &mut payload, crc32c: 0 };
        compress_stream(&top.into_reader()?, level, &mut with_crc)?;
        let top_crc32c = with_crc.crc32c;
        let top_len = payload.len().saturating_sub(top_offset);
        payload.write_all(&Trailer { top_offset, top_len, rows, top_crc32c }.to_bytes())?;
        Ok(payload.into_reader()?)
    }
}

/// Writes the payload in skippable frames of at most `part_len_max` bytes of it each.
fn write_parts(
    payload: &Spooled,
    part_len_max: u64,
    table: &mut TableWriter,
    output: &mut dyn Write,
) -> Result<(), WriteError> {
    let mut left = payload.len();
    // Bytes that are missing in the frame that was begun.
    let mut missing = 0_u64;
    payload.for_each_chunk(|mut chunk| {
        while !chunk.is_empty() {
            if missing == 0 {
                missing = left.min(part_len_max);
                left = left.saturating_sub(missing);
                let len = u32::try_from(missing).map_err(|_| io::Error::other("a part of the index is too long"))?;
                output.write_all(&skippable_header(INDEX_FRAME_MAGIC, len))?;
                let part_len = usize::try_from(missing).unwrap_or(usize::MAX);
                table.add(part_len.saturating_add(SKIPPABLE_HEADER_LEN), 0)?;
            }
            let len = usize::try_from(missing).unwrap_or(usize::MAX).min(chunk.len());
            let (now, rest) = chunk.split_at_checked(len).unwrap_or((chunk, &[]));
            output.write_all(now)?;
            missing = missing.saturating_sub(len_u64(now.len()));
            chunk = rest;
        }
        Ok::<(), WriteError>(())
    })
}

/// Appends to the payload and sums up.
struct WithCrc<'p> {
    payload: &'p mut Spool,
    crc32c: u32,
}

impl Write for WithCrc<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.payload.write_all(bytes).map_err(scratch_failed)?;
        self.crc32c = crc32c::crc32c_append(self.crc32c, bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn len_u64(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
