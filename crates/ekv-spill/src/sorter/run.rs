//! Sorted runs, one behind the other in a scratch file.
//!
//! A record in a run: key length and payload length as little-endian `u32`, the key, the payload.

use std::sync::Arc;

use crate::file::ScratchFile;
use crate::{Result, Scratch, file_len};

/// Bytes before the key of a record.
pub(super) const HEADER_LEN: usize = 8;

/// Bytes that are gathered before a write.
const WRITE_BUFFER_LEN: usize = 64 * 1024;

/// Where a run lies in its file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) start: u64,
    pub(super) end: u64,
    /// Length of its longest record, header included.
    pub(super) record_len_max: usize,
}

/// Runs under construction, in the order in which their records were pushed.
pub(super) struct Runs {
    file: ScratchFile,
    runs: Vec<Run>,
    buffer: Vec<u8>,
    /// Bytes in the file and in the buffer.
    len: u64,
    open_start: u64,
    open_record_len_max: usize,
    /// Key of the last record of the last run, if it is known.
    last_key: Option<Vec<u8>>,
}

/// Longer keys are not remembered.
const LAST_KEY_LEN_MAX: usize = 4096;

impl Runs {
    pub(super) fn create(scratch: &dyn Scratch) -> Result<Self> {
        Ok(Runs {
            file: ScratchFile::create(scratch)?,
            runs: Vec::new(),
            buffer: Vec::with_capacity(WRITE_BUFFER_LEN),
            len: 0,
            open_start: 0,
            open_record_len_max: 0,
            last_key: None,
        })
    }

    /// Begins a run, or goes on with the last one if the new records all come behind it: records that were pushed in order are merged
    /// already.
    pub(super) fn begin_run(&mut self, first_key: &[u8]) {
        if self.last_key.as_deref().is_some_and(|last| last <= first_key)
            && let Some(last) = self.runs.pop()
        {
            self.open_start = last.start;
            self.open_record_len_max = last.record_len_max;
        }
        self.last_key = None;
    }

    /// Says what the last key of the run is that was just ended.
    pub(super) fn set_last_key(&mut self, key: &[u8]) {
        self.last_key = (key.len() <= LAST_KEY_LEN_MAX).then(|| key.to_vec());
    }

    /// Adds a record to the open run; the caller sees to the order.
    pub(super) fn append(&mut self, key: &[u8], payload: &[u8]) -> Result<()> {
        let record_len = HEADER_LEN.saturating_add(key.len()).saturating_add(payload.len());
        let key_len = u32::try_from(key.len()).unwrap_or(u32::MAX);
        let payload_len = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        self.write(&key_len.to_le_bytes())?;
        self.write(&payload_len.to_le_bytes())?;
        self.write(key)?;
        self.write(payload)?;
        self.len = self.len.saturating_add(file_len(record_len));
        self.open_record_len_max = self.open_record_len_max.max(record_len);
        Ok(())
    }

    /// Ends the open run; the next record begins another.
    pub(super) fn end_run(&mut self) -> Result<()> {
        self.flush()?;
        self.runs.push(Run { start: self.open_start, end: self.len, record_len_max: self.open_record_len_max });
        self.open_start = self.len;
        self.open_record_len_max = 0;
        Ok(())
    }

    /// Ends writing. All runs must have been ended.
    pub(super) fn finish(self) -> (Arc<ScratchFile>, Vec<Run>) {
        (Arc::new(self.file), self.runs)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        if self.buffer.len().saturating_add(bytes.len()) > WRITE_BUFFER_LEN {
            self.flush()?;
        }
        if bytes.len() >= WRITE_BUFFER_LEN {
            self.file.append(bytes)
        } else {
            self.buffer.extend_from_slice(bytes);
            Ok(())
        }
    }

    fn flush(&mut self) -> Result<()> {
        if !self.buffer.is_empty() {
            self.file.append(&self.buffer)?;
            self.buffer.clear();
        }
        Ok(())
    }
}

/// Reads a run record by record.
pub(super) struct RunReader {
    file: Arc<ScratchFile>,
    /// Next byte of the file to read.
    offset: u64,
    end: u64,
    buffer: Vec<u8>,
    /// Bytes read at once.
    read_len: usize,
    /// Where the current record's key begins in the buffer.
    key_start: usize,
    payload_start: usize,
    record_end: usize,
}

impl RunReader {
    /// Opens a run and moves to its first record.
    pub(super) fn open(file: Arc<ScratchFile>, run: Run, read_len: usize) -> Result<Self> {
        let mut reader = RunReader {
            file,
            offset: run.start,
            end: run.end,
            buffer: Vec::with_capacity(read_len.max(run.record_len_max)),
            read_len,
            key_start: 0,
            payload_start: 0,
            record_end: 0,
        };
        reader.advance()?;
        Ok(reader)
    }

    /// Moves to the next record; answers false if there is none.
    pub(super) fn advance(&mut self) -> Result<bool> {
        self.fill(HEADER_LEN)?;
        let Some((key_len, payload_len)) = self.header() else { return Ok(false) };
        let key_end = HEADER_LEN.saturating_add(key_len);
        let record_len = key_end.saturating_add(payload_len);
        self.fill(record_len)?;
        self.key_start = self.record_end.saturating_add(HEADER_LEN);
        self.payload_start = self.record_end.saturating_add(key_end);
        self.record_end = self.record_end.saturating_add(record_len);
        Ok(true)
    }

    pub(super) fn key(&self) -> &[u8] {
        self.buffer.get(self.key_start..self.payload_start).unwrap_or_default()
    }

    pub(super) fn payload(&self) -> &[u8] {
        self.buffer.get(self.payload_start..self.record_end).unwrap_or_default()
    }

    /// Lengths of key and payload of the record behind the current one.
    fn header(&self) -> Option<(usize, usize)> {
        let (key_len, rest) = self.buffer.get(self.record_end..)?.split_first_chunk::<4>()?;
        let payload_len = rest.first_chunk::<4>()?;
        let len = |bytes: [u8; 4]| usize::try_from(u32::from_le_bytes(bytes)).unwrap_or(usize::MAX);
        Some((len(*key_len), len(*payload_len)))
    }

    /// Sees to it that `need` bytes lie behind the current record in the buffer, unless the run ends before that.
    fn fill(&mut self, need: usize) -> Result<()> {
        let have = self.buffer.len().saturating_sub(self.record_end);
        let left = self.end.saturating_sub(self.offset);
        if have >= need || left == 0 {
            return Ok(());
        }
        self.buffer.drain(..self.record_end);
        self.record_end = 0;
        let want = self.read_len.max(need).saturating_sub(have);
        let want = want.min(usize::try_from(left).unwrap_or(usize::MAX));
        self.buffer.resize(have.saturating_add(want), 0);
        let target = self.buffer.get_mut(have..).unwrap_or_default();
        self.file.read_exact_at(target, self.offset)?;
        self.offset = self.offset.saturating_add(file_len(want));
        Ok(())
    }
}
