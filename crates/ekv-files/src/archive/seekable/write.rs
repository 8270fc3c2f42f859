//! Writes the table.

use std::io::{self, Write};
use std::sync::Arc;

use ekv_spill::{Scratch, Spool};

use super::{FOOTER_LEN, FRAMES_MAX, TABLE_FRAME_MAGIC, TABLE_MAGIC, len_u64, skippable_header};
use crate::archive::write_error::{WriteError, scratch_failed};

/// Memory for the entries, in bytes; more go to a scratch file.
const ENTRIES_BUDGET: usize = 64 << 10;

/// Collects the table while frames are written.
pub(crate) struct TableWriter {
    entries: Spool,
    frames: u32,
}

impl TableWriter {
    pub(crate) fn new(scratch: Arc<dyn Scratch>) -> Self {
        TableWriter { entries: Spool::new(scratch, ENTRIES_BUDGET), frames: 0 }
    }

    /// Adds the next frame: its own length, and that of its content, in bytes.
    ///
    /// # Errors
    /// If a scratch file fails, or one of the lengths is none of a frame.
    pub(crate) fn add(&mut self, frame_len: usize, content_len: usize) -> io::Result<()> {
        for len in [frame_len, content_len] {
            let len = u32::try_from(len).map_err(|_| io::Error::other("a frame is too long for the table"))?;
            self.entries.write_all(&len.to_le_bytes()).map_err(scratch_failed)?;
        }
        self.frames = self.frames.saturating_add(1);
        Ok(())
    }

    /// Whether as many frames and `more` fit into a table.
    pub(crate) fn has_room_for(&self, more: u64) -> bool {
        u64::from(self.frames).saturating_add(more) <= u64::from(FRAMES_MAX)
    }

    /// Writes the table.
    ///
    /// # Errors
    /// Those of `output` and of the scratch file.
    pub(crate) fn finish(self, output: &mut dyn Write) -> Result<(), WriteError> {
        let entries = self.entries.into_reader()?;
        let len = u32::try_from(entries.len().saturating_add(len_u64(FOOTER_LEN)))
            .map_err(|_| io::Error::other("the table of frames is too long"))?;
        output.write_all(&skippable_header(TABLE_FRAME_MAGIC, len))?;
        entries.for_each_chunk(|chunk| Ok::<(), WriteError>(output.write_all(chunk)?))?;
        output.write_all(&self.frames.to_le_bytes())?;
        // No checksums: each frame has its own.
        output.write_all(&[0])?;
        Ok(output.write_all(&TABLE_MAGIC.to_le_bytes())?)
    }
}
