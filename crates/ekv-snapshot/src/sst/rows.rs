//! Where the rows of SST files go: into records of an `EKVPBBL1` payload.

use ekv_spill::Spool;

use super::manifest::Manifest;
use crate::Result;
use crate::record_writer::RecordWriter;
use crate::stream::len_u64;

/// A row as it is found in a file, value header included.
pub(crate) struct Row<'r> {
    /// Where the row begins in what the payload is rewritten as.
    pub(crate) at: u64,
    pub(crate) raw_key: &'r [u8],
    /// So many bytes of the raw key are known to be those of the row before.
    pub(crate) kept_len: usize,
    /// The first bytes of the value.
    pub(crate) value_head: &'r [u8],
    pub(crate) value_len: u64,
}

/// Where the rows of all files go.
pub(super) struct Rows<'r> {
    pub(super) writer: RecordWriter<Spool>,
    pub(super) manifest: &'r Manifest,
    pub(super) count: &'r mut dyn FnMut(&Row<'_>) -> Result<()>,
    pub(super) entries: u64,
    /// Of raw keys and values.
    pub(super) bytes: u64,
}

impl Rows<'_> {
    /// Takes a row but for its value, which follows through [`Rows::value`].
    pub(super) fn begin(&mut self, row: &Row<'_>) -> Result<()> {
        let row_len = len_u64(row.raw_key).saturating_add(row.value_len);
        self.entries = self.entries.saturating_add(1);
        self.bytes = self.bytes.saturating_add(row_len);
        // Scratch space never grows beyond what was stated.
        self.manifest.check_room(self.entries, self.bytes)?;
        (self.count)(&Row { at: self.writer.output().len(), ..*row })?;
        self.writer.begin_entry(row.raw_key, row.value_len)
    }

    pub(super) fn value(&mut self, piece: &[u8]) -> Result<()> {
        self.writer.body(piece)
    }
}
