//! The parts of an object, of any number. Source: `docs/format/s3.md`, section 2.2.

use std::sync::Arc;

use ekv_model::{ByteSource, Result};
use ekv_spill::{Scratch, Spool, Spooled};

/// Memory for parts and for chunk sizes each, in bytes; more goes to scratch files.
const BUDGET_LEN: usize = 256 << 10;
/// Bytes of a chunk size in its spool.
const SIZE_LEN: u64 = 8;
/// Bytes of a part in its spool: seven numbers.
const PART_LEN: u64 = 56;

/// A part as the object's record lists it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) part_no: u64,
    /// Number of chunks, if no sizes are listed.
    pub(super) chunk_count: u64,
    /// Where the sizes of its chunks begin in the list of all sizes, and how many there are.
    pub(super) sizes_start: u64,
    pub(super) sizes_len: u64,
    pub(super) part_version: u64,
    pub(super) chunk_ref_version: u64,
    pub(super) is_offloaded: bool,
}

impl Part {
    /// Number of chunks that readers look for.
    pub(super) fn chunks(&self) -> u64 {
        if self.sizes_len > 0 { self.sizes_len } else { self.chunk_count }
    }

    fn to_numbers(self) -> [u64; 7] {
        let Part { part_no, chunk_count, sizes_start, sizes_len, part_version, chunk_ref_version, is_offloaded } = self;
        [part_no, chunk_count, sizes_start, sizes_len, part_version, chunk_ref_version, u64::from(is_offloaded)]
    }

    fn from_numbers(numbers: [u64; 7]) -> Self {
        let [part_no, chunk_count, sizes_start, sizes_len, part_version, chunk_ref_version, offloaded] = numbers;
        let is_offloaded = offloaded != 0;
        Part { part_no, chunk_count, sizes_start, sizes_len, part_version, chunk_ref_version, is_offloaded }
    }
}

/// Collects parts and the sizes of their chunks.
pub(super) struct PartsWriter {
    parts: Spool,
    sizes: Spool,
}

impl PartsWriter {
    pub(super) fn new(scratch: &Arc<dyn Scratch>) -> Self {
        let spool = || Spool::new(Arc::clone(scratch), BUDGET_LEN);
        PartsWriter { parts: spool(), sizes: spool() }
    }

    pub(super) fn push(&mut self, part: &Part) -> ekv_spill::Result<()> {
        part.to_numbers().iter().try_for_each(|number| self.parts.write_all(&number.to_be_bytes()))
    }

    pub(super) fn push_size(&mut self, size: u64) -> ekv_spill::Result<()> {
        self.sizes.write_all(&size.to_be_bytes())
    }

    /// Sizes so far.
    pub(super) fn sizes_len(&self) -> u64 {
        self.sizes.len() / SIZE_LEN
    }

    pub(super) fn finish(self) -> ekv_spill::Result<Parts> {
        Ok(Parts { parts: self.parts.into_reader()?, sizes: self.sizes.into_reader()? })
    }
}

/// The parts of an object in the order of its record.
pub(super) struct Parts {
    parts: Spooled,
    sizes: Spooled,
}

impl Parts {
    /// No parts.
    pub(super) fn none(scratch: &Arc<dyn Scratch>) -> Result<Self> {
        Ok(PartsWriter::new(scratch).finish()?)
    }

    pub(super) fn len(&self) -> u64 {
        self.parts.len() / PART_LEN
    }

    /// The part at an index below [`Parts::len`].
    pub(super) fn get(&self, index: u64) -> Result<Part> {
        let mut numbers = [0; 7];
        let mut at = index.saturating_mul(PART_LEN);
        for number in &mut numbers {
            *number = number_at(&self.parts, at)?;
            at = at.saturating_add(SIZE_LEN);
        }
        Ok(Part::from_numbers(numbers))
    }

    /// The size in bytes of a part's chunk; `None` if the record lists no sizes.
    pub(super) fn chunk_size(&self, part: &Part, chunk_no: u64) -> Result<Option<u64>> {
        if chunk_no >= part.sizes_len {
            return Ok(None);
        }
        let index = part.sizes_start.saturating_add(chunk_no);
        number_at(&self.sizes, index.saturating_mul(SIZE_LEN)).map(Some)
    }
}

fn number_at(spooled: &Spooled, byte_offset: u64) -> Result<u64> {
    let mut bytes = [0; 8];
    spooled.read_exact_at(byte_offset, &mut bytes)?;
    Ok(u64::from_be_bytes(bytes))
}
