//! Records in the form of an `EKVPBBL1` payload. Source: `docs/format/snapshot.md`, section 4.

use std::sync::Arc;

use ekv_spill::{Scratch, Spool};

use crate::format::{PAYLOAD_MAGIC, VALUE_HEADER_LEN};
use crate::stream::{for_each_piece, len_u64};
use crate::{CommitTs, FooterPolicy, Input, Result, StoredValue};

/// Memory for writing to a scratch file, in bytes.
const WRITE_BUDGET: usize = 64 << 10;

/// Where the body of a value lies in an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BodyPlace {
    pub(crate) offset: u64,
    pub(crate) len: u64,
}

/// Where a payload goes.
pub(crate) trait Output {
    fn write(&mut self, bytes: &[u8]) -> Result<()>;
}

impl Output for Spool {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.write_all(bytes)?)
    }
}

/// Writes entries, which must come in raw-key order.
pub(crate) struct RecordWriter<O = Spool> {
    output: O,
}

impl<O: Output> RecordWriter<O> {
    /// Begins a payload.
    pub(crate) fn begin(mut output: O, last_commit_ts: CommitTs) -> Result<Self> {
        output.write(PAYLOAD_MAGIC)?;
        output.write(&last_commit_ts.0.to_le_bytes())?;
        Ok(RecordWriter { output })
    }

    /// Begins an entry: all but the body, whose `body_len` bytes follow through [`RecordWriter::body`].
    pub(crate) fn head(&mut self, raw_key: &[u8], value_header: [u8; VALUE_HEADER_LEN], body_len: u64) -> Result<()> {
        self.begin_entry(raw_key, body_len.saturating_add(len_u64(&value_header)))?;
        self.output.write(&value_header)
    }

    /// Begins an entry whose value of `value_len` bytes, value header included, follows through [`RecordWriter::body`].
    pub(crate) fn begin_entry(&mut self, raw_key: &[u8], value_len: u64) -> Result<()> {
        self.output.write(&len_u64(raw_key).to_le_bytes())?;
        self.output.write(raw_key)?;
        self.output.write(&value_len.to_le_bytes())
    }

    /// Writes an entry with a value as it is stored elsewhere.
    pub(crate) fn stored(&mut self, raw_key: &[u8], value: &StoredValue<'_>) -> Result<()> {
        self.output.write(&len_u64(raw_key).to_le_bytes())?;
        self.output.write(raw_key)?;
        self.output.write(&value.len().to_le_bytes())?;
        match value.whole() {
            Some(bytes) => self.output.write(bytes),
            None => for_each_piece(value.input(), value.byte_offset(), value.len(), |piece| self.output.write(piece)),
        }
    }

    /// Adds a piece of the body.
    pub(crate) fn body(&mut self, piece: &[u8]) -> Result<()> {
        self.output.write(piece)
    }

    /// What was written to.
    pub(crate) fn output(&self) -> &O {
        &self.output
    }

    /// Ends the payload.
    pub(crate) fn into_output(self) -> O {
        self.output
    }
}

impl RecordWriter<Spool> {
    /// Begins a payload without envelope header in a scratch file.
    pub(crate) fn new(scratch: &Arc<dyn Scratch>, last_commit_ts: CommitTs) -> Result<Self> {
        RecordWriter::begin(Spool::new(scratch.clone(), WRITE_BUDGET), last_commit_ts)
    }

    /// Writes an entry whose body is copied in pieces from `input`.
    pub(crate) fn entry(
        &mut self,
        raw_key: &[u8],
        value_header: [u8; VALUE_HEADER_LEN],
        input: &Input,
        body: BodyPlace,
    ) -> Result<()> {
        self.head(raw_key, value_header, body.len)?;
        for_each_piece(input, body.offset, body.len, |piece| self.body(piece))
    }

    /// Ends the payload, which has no footer and lies in memory if it is small; messages call it `name`.
    pub(crate) fn finish(self, name: String) -> Result<Input> {
        let spooled = self.into_output().into_reader()?;
        let (len, source) = (spooled.len(), Arc::new(spooled));
        Ok(Input { source, len, name, footer: FooterPolicy::Optional, token_crc32c: None })
    }
}
