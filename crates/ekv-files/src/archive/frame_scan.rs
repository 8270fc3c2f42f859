//! Tells the frames of compressed data apart as they pass, without decompressing them.
//!
//! Source: RFC 8878, section 3.1.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

use ekv_spill::{Scratch, Spool};

use super::frame_header::{content_len_of, number_of, rest_of_header_len};
use super::seekable::{ENTRY_LEN, FOOTER_LEN, INDEX_FRAME_MAGIC, TABLE_FRAME_MAGIC};
use crate::compressed::Beginning;

/// Memory for what is kept, in bytes; more goes to scratch files.
const KEPT_BUDGET: usize = 256 << 10;

/// Bytes of an index that are kept in any case; a longer one must be shorter than the tar.
const INDEX_FREE_LEN: u64 = 1 << 20;

/// Looks at compressed data as they pass, in pieces of any length. What cannot be told apart is left to the decompressor.
pub(crate) struct FrameScan {
    scratch: Arc<dyn Scratch>,
    step: Step,
    /// What was read of the header at hand, and how much of it is missing.
    header: Vec<u8>,
    missing: usize,
    /// Bytes to pass before the next header.
    skip: u64,
    /// Length of the frame so far, and of its content if it is stated.
    frame_len: u64,
    content_len: u64,
    found: Scanned,
}

/// What was found.
pub(crate) struct Scanned {
    /// Length of each frame but the table and of its content, as a table lists them.
    pub(crate) entries: Spool,
    /// The content of the frames of the index.
    pub(crate) index: Spool,
    /// The content of the table, if it is the last frame.
    pub(crate) table: Option<Spool>,
    /// Bytes of content of all frames.
    content_len: u64,
}

/// What comes next.
#[derive(Clone, Copy)]
enum Step {
    Magic,
    SkippableLen {
        magic: u32,
    },
    InSkippable {
        magic: u32,
    },
    Descriptor,
    Header {
        descriptor: u8,
    },
    Block {
        has_checksum: bool,
    },
    InBlock {
        has_checksum: bool,
        is_last: bool,
    },
    InChecksum,
    /// Nothing can be told any more.
    Lost,
}

impl FrameScan {
    pub(crate) fn new(scratch: &Arc<dyn Scratch>) -> Self {
        let spool = || Spool::new(Arc::clone(scratch), KEPT_BUDGET);
        FrameScan {
            scratch: Arc::clone(scratch),
            step: Step::Magic,
            header: Vec::new(),
            missing: 4,
            skip: 0,
            frame_len: 0,
            content_len: 0,
            found: Scanned { entries: spool(), index: spool(), table: None, content_len: 0 },
        }
    }

    /// Takes what was found in the data that have passed.
    pub(crate) fn take(&mut self) -> Scanned {
        let scratch = Arc::clone(&self.scratch);
        std::mem::replace(self, FrameScan::new(&scratch)).found
    }

    fn pass(&mut self, mut bytes: &[u8]) -> Result<(), ekv_spill::Error> {
        while !bytes.is_empty() && !matches!(self.step, Step::Lost) {
            let want = if self.skip > 0 { self.skip } else { len_u64(self.missing) };
            let len = usize::try_from(want).unwrap_or(usize::MAX).min(bytes.len());
            let (now, rest) = bytes.split_at_checked(len).unwrap_or((bytes, &[]));
            bytes = rest;
            self.frame_len = self.frame_len.saturating_add(len_u64(len));
            if self.skip > 0 {
                self.skip = self.skip.saturating_sub(len_u64(len));
                self.keep(now)?;
            } else {
                self.header.extend_from_slice(now);
                self.missing = self.missing.saturating_sub(len);
            }
            // One step can follow from another without a byte between them.
            while self.skip == 0 && self.missing == 0 && !matches!(self.step, Step::Lost) {
                self.advance()?;
            }
        }
        Ok(())
    }

    fn advance(&mut self) -> Result<(), ekv_spill::Error> {
        let header = std::mem::take(&mut self.header);
        match self.step {
            Step::Magic => match (Beginning::of(&header), header.first_chunk().copied().map(u32::from_le_bytes)) {
                (Some(Beginning::Frame), _) => self.expect(Step::Descriptor, 1),
                (Some(Beginning::SkippableFrame), Some(magic)) => self.expect(Step::SkippableLen { magic }, 4),
                _ => self.step = Step::Lost,
            },
            Step::SkippableLen { magic } => {
                self.found.table =
                    (magic == TABLE_FRAME_MAGIC).then(|| Spool::new(Arc::clone(&self.scratch), KEPT_BUDGET));
                self.pass_by(Step::InSkippable { magic }, number_of(&header));
            }
            Step::Descriptor => {
                let descriptor = header.first().copied().unwrap_or_default();
                self.expect(Step::Header { descriptor }, rest_of_header_len(descriptor));
            }
            Step::Header { descriptor } => {
                self.found.table = None;
                self.content_len = content_len_of(descriptor, &header);
                self.expect(Step::Block { has_checksum: descriptor & 4 != 0 }, 3);
            }
            Step::Block { has_checksum } => {
                let block = number_of(&header);
                let (is_last, kind, len) = (block & 1 == 1, block >> 1 & 3, block >> 3);
                match kind {
                    3 => self.step = Step::Lost,
                    // One byte that is repeated.
                    1 => self.pass_by(Step::InBlock { has_checksum, is_last }, 1),
                    _ => self.pass_by(Step::InBlock { has_checksum, is_last }, len),
                }
            }
            Step::InBlock { has_checksum, is_last: false } => self.expect(Step::Block { has_checksum }, 3),
            Step::InBlock { has_checksum: true, is_last: true } => self.pass_by(Step::InChecksum, 4),
            Step::InBlock { has_checksum: false, is_last: true } | Step::InChecksum | Step::InSkippable { .. } => {
                self.end_frame()?;
            }
            Step::Lost => {}
        }
        Ok(())
    }

    /// A header of `len` bytes is next.
    fn expect(&mut self, step: Step, len: usize) {
        (self.step, self.missing) = (step, len);
    }

    /// Bytes that are no header are next.
    fn pass_by(&mut self, step: Step, len: u64) {
        (self.step, self.skip) = (step, len);
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<(), ekv_spill::Error> {
        let Scanned { entries, index, table, content_len } = &mut self.found;
        match (self.step, table) {
            (Step::InSkippable { magic: INDEX_FRAME_MAGIC }, _)
                if index.len() <= content_len.saturating_add(INDEX_FREE_LEN) =>
            {
                index.write_all(bytes)
            }
            (Step::InSkippable { magic: TABLE_FRAME_MAGIC }, Some(table))
                if table.len() <= entries.len().saturating_add(len_u64(FOOTER_LEN)) =>
            {
                table.write_all(bytes)
            }
            _ => Ok(()),
        }
    }

    fn end_frame(&mut self) -> Result<(), ekv_spill::Error> {
        let is_table = matches!(self.step, Step::InSkippable { magic: TABLE_FRAME_MAGIC });
        if !is_table {
            let mut entry = [0; ENTRY_LEN];
            // What a table cannot hold is in none.
            let lens = [self.frame_len, self.content_len].map(|len| u32::try_from(len).unwrap_or(u32::MAX));
            entry.iter_mut().zip(lens.into_iter().flat_map(u32::to_le_bytes)).for_each(|(to, from)| *to = from);
            self.found.entries.write_all(&entry)?;
        }
        self.found.content_len = self.found.content_len.saturating_add(self.content_len);
        (self.frame_len, self.content_len) = (0, 0);
        self.expect(Step::Magic, 4);
        Ok(())
    }
}

fn len_u64(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

/// Passes compressed data on, and looks at them.
pub(crate) struct Scanning<R> {
    pub(crate) input: R,
    pub(crate) scan: Arc<Mutex<FrameScan>>,
}

impl<R: Read> Read for Scanning<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let len = self.input.read(buf)?;
        // Who looked before and panicked has spoilt nothing that is read again.
        let mut scan = self.scan.lock().unwrap_or_else(PoisonError::into_inner);
        scan.pass(buf.get(..len).unwrap_or_default()).map_err(io::Error::other)?;
        Ok(len)
    }
}
