//! Records in the form of an `EKVPBBL1` payload in a scratch file. Source: `docs/format/snapshot.md`, section 4.

use std::sync::Arc;

use ekv_spill::{Scratch, Spool};

use crate::format::{PAYLOAD_MAGIC, VALUE_HEADER_LEN};
use crate::stream::{for_each_piece, len_u64};
use crate::{CommitTs, FooterPolicy, Input, Result};

/// Memory for writing, in bytes.
const WRITE_BUDGET: usize = 64 << 10;

/// Where the body of a value lies in an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BodyPlace {
    pub(crate) offset: u64,
    pub(crate) len: u64,
}

/// Writes entries, which must come in raw-key order.
pub(crate) struct RecordWriter {
    spool: Spool,
}

impl RecordWriter {
    /// Begins a payload without envelope header.
    pub(crate) fn new(scratch: &Arc<dyn Scratch>, last_commit_ts: CommitTs) -> Result<RecordWriter> {
        let mut spool = Spool::new(scratch.clone(), WRITE_BUDGET);
        spool.write_all(PAYLOAD_MAGIC)?;
        spool.write_all(&last_commit_ts.0.to_le_bytes())?;
        Ok(RecordWriter { spool })
    }

    /// Writes an entry whose body is copied in pieces from `input`.
    pub(crate) fn entry(
        &mut self,
        raw_key: &[u8],
        value_header: [u8; VALUE_HEADER_LEN],
        input: &Input,
        body: BodyPlace,
    ) -> Result<()> {
        let spool = &mut self.spool;
        spool.write_all(&len_u64(raw_key).to_le_bytes())?;
        spool.write_all(raw_key)?;
        spool.write_all(&body.len.saturating_add(len_u64(&value_header)).to_le_bytes())?;
        spool.write_all(&value_header)?;
        for_each_piece(input, body.offset, body.len, |piece| Ok(spool.write_all(piece)?))
    }

    /// Ends the payload, which has no footer; messages call it `name`.
    pub(crate) fn finish(self, name: String) -> Result<Input> {
        let len = self.spool.len();
        let source = Arc::new(self.spool.into_file()?);
        Ok(Input { source, len, name, footer: FooterPolicy::Optional, token_crc32c: None })
    }
}
