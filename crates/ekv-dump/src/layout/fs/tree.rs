//! The content of files, with their holes. Source: `docs/format/fs.md`, section 6.3.

use ekv_files::{DumpPath, Result};
use ekv_model::fs::Sparse;
use ekv_spill::{Spool, Spooled};

use super::map::Run;
use crate::DumpWriter;

/// Most zeros that a file is written with, in bytes; with more only what is stored.
pub(super) const HOLES_MAX: u64 = 1 << 30;
/// Zeros that become a hole lie on such bounds, in bytes.
const BLOCK_LEN: u64 = 4 << 10;
/// Shortest run of stored zeros that becomes a hole, in bytes.
const ZEROS_LEN_MIN: usize = 64 << 10;
/// Memory for a map, in bytes.
const MAP_BUDGET: usize = 64 << 10;

/// Writes a file of `size` bytes.
pub(super) fn write_whole(writer: &mut DumpWriter, path: &DumpPath, size: u64, content: &dyn Sparse) -> Result<()> {
    writer.begin(path)?;
    let mut end = 0_u64;
    content.for_each_part(&mut |offset, body| {
        writer.hole(offset.saturating_sub(end))?;
        end = offset;
        body.for_each_chunk(|piece| {
            let len = u64::try_from(piece.len()).unwrap_or(u64::MAX);
            let is_hole =
                piece.len() >= ZEROS_LEN_MIN && end.is_multiple_of(BLOCK_LEN) && piece.iter().all(|byte| *byte == 0);
            match is_hole {
                true => writer.hole(len)?,
                false => writer.write(piece)?,
            }
            end = end.saturating_add(len);
            Ok(())
        })
    })?;
    writer.hole(size.saturating_sub(end))?;
    writer.end()
}

/// Writes the stored parts of a file alone, and returns where they lie.
pub(super) fn write_parts(writer: &mut DumpWriter, path: &DumpPath, content: &dyn Sparse) -> Result<Spooled> {
    let mut map = Spool::new(writer.scratch(), MAP_BUDGET);
    let (mut open, mut line) = (Run { offset: 0, len: 0 }, Vec::new());
    writer.begin(path)?;
    content.for_each_part(&mut |offset, body| {
        if let Some(run) = open.join(Run { offset, len: body.len() }) {
            line.clear();
            run.push_line(&mut line);
            map.write_all(&line)?;
        }
        Ok(writer.write_body(&body)?)
    })?;
    writer.end()?;
    if open.len > 0 {
        line.clear();
        open.push_line(&mut line);
        map.write_all(&line)?;
    }
    Ok(map.into_reader()?)
}
