//! KEYMAP records in the order of the names.

use std::io::{BufRead, BufReader, Read};
use std::sync::Arc;

use ekv_model::CHUNK_LEN;
use ekv_spill::{Scratch, Sorter, Spool, Spooled, SpooledReader};

use crate::keymap::KeymapRecord;
use ekv_files::Result;
use ekv_files::source::read_error;

/// Memory for writing the sorted records, in bytes.
const WRITE_BUDGET: usize = 64 << 10;

/// The records of a KEYMAP while it is read.
pub(super) struct Keymap {
    sorter: Sorter,
}

impl Keymap {
    pub(super) fn new(sorter: Sorter) -> Self {
        Keymap { sorter }
    }

    pub(super) fn add(&mut self, record: &KeymapRecord) -> Result<()> {
        Ok(self.sorter.push(record.encoded.as_bytes(), &record.original)?)
    }

    /// Sorts the records; equal ones become one.
    pub(super) fn finish(self, scratch: &Arc<dyn Scratch>) -> Result<SortedKeymap> {
        let mut sorted = self.sorter.finish()?;
        let mut spool = Spool::new(Arc::clone(scratch), WRITE_BUDGET);
        let mut last = Vec::new();
        while let Some((segment, original)) = sorted.next()? {
            // Names with one hash stand for one key.
            if segment == last.as_slice() {
                continue;
            }
            last.clear();
            last.extend_from_slice(segment);
            spool.write_all(segment)?;
            spool.write_all(&[0])?;
            spool.write_all(&u64::try_from(original.len()).unwrap_or(u64::MAX).to_le_bytes())?;
            spool.write_all(original)?;
        }
        Ok(SortedKeymap { records: spool.into_reader()? })
    }
}

/// The records of a KEYMAP by name, to be read as often as needed.
pub(super) struct SortedKeymap {
    /// Name, NUL, length of the key as eight bytes, key.
    records: Spooled,
}

impl SortedKeymap {
    /// A cursor before the first record.
    pub(super) fn cursor(&self) -> KeymapCursor<'_> {
        KeymapCursor {
            input: BufReader::with_capacity(CHUNK_LEN, self.records.reader()),
            segment: Vec::new(),
            original: Vec::new(),
            is_on_record: false,
            is_started: false,
        }
    }
}

/// Goes through records in the order of their names.
pub(super) struct KeymapCursor<'k> {
    input: BufReader<SpooledReader<'k>>,
    segment: Vec<u8>,
    original: Vec<u8>,
    is_on_record: bool,
    is_started: bool,
}

impl KeymapCursor<'_> {
    /// The key behind a name; names that are asked for must ascend.
    pub(super) fn find(&mut self, segment: &[u8]) -> Result<Option<&[u8]>> {
        if !self.is_started {
            self.is_started = true;
            self.advance()?;
        }
        while self.is_on_record && self.segment.as_slice() < segment {
            self.advance()?;
        }
        Ok((self.is_on_record && self.segment == segment).then_some(&self.original))
    }

    fn advance(&mut self) -> Result<()> {
        self.segment.clear();
        self.input.read_until(0, &mut self.segment).map_err(read_error)?;
        self.is_on_record = self.segment.pop().is_some();
        if self.is_on_record {
            let mut len = [0; 8];
            self.input.read_exact(&mut len).map_err(read_error)?;
            self.original.clear();
            let mut original = self.input.by_ref().take(u64::from_le_bytes(len));
            original.read_to_end(&mut self.original).map_err(read_error)?;
        }
        Ok(())
    }
}
