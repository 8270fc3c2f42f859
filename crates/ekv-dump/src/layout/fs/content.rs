//! The content of a file of a dump, read once from front to back and compared with its line.

use std::io::{BufReader, Read as _};

use ekv_files::source::read_error;
use ekv_files::{DumpPath, Result};
use ekv_model::fs::Sparse;
use ekv_model::{Body, ByteSource, Class};
use ekv_spill::{Spool, Spooled};

use super::fault::FsFault;
use super::map::{Run, read_map};
use crate::replay::one_way::OneWay;
use crate::replay::reading::Reading;

/// Longest content that is kept in memory, in bytes.
const INLINE_LEN_MAX: u64 = 1 << 20;
/// Memory for a map, in bytes; more goes to a scratch file.
const MAP_BUDGET: usize = 64 << 10;
/// Bytes of a part of a file in a map that is kept: offset and length.
const RUN_LEN: usize = 16;
/// Parts that are looked up at once.
const RUNS_AT_ONCE: usize = 256;

/// Takes the content of a file.
type Take<'t> = &'t mut dyn FnMut(&dyn Sparse) -> Result<()>;

/// A file of which every byte is there.
pub(super) struct Whole<'w>(pub(super) Body<'w>);

impl Sparse for Whole<'_> {
    fn stored_len(&self) -> u64 {
        self.0.len()
    }

    fn for_each_part(&self, take: &mut dyn FnMut(u64, Body<'_>) -> ekv_model::Result<()>) -> ekv_model::Result<()> {
        if self.0.is_empty() { Ok(()) } else { take(0, self.0) }
    }
}

/// Reads a file that has so many bytes, as a line says.
pub(super) fn read_whole(
    reading: &mut Reading<'_>,
    path: &DumpPath,
    size: u64,
    line: u64,
    take: Take<'_>,
) -> Result<()> {
    reading.read_file(path, &mut |file| {
        let check =
            |found| if found == size { Ok(()) } else { Err(FsFault::Size { found, stated: size, line }.into()) };
        if size > INLINE_LEN_MAX {
            let mut watch = |_: &[u8]| {};
            let content = OneWay::new(file, size, &mut watch);
            let taken = take(&Whole(Body::Streamed(&content)));
            return check(content.finish(taken)?);
        }
        let mut bytes = Vec::new();
        file.by_ref().take(size).read_to_end(&mut bytes).map_err(read_error)?;
        let rest = std::io::copy(file, &mut std::io::sink()).map_err(read_error)?;
        check(u64::try_from(bytes.len()).unwrap_or(u64::MAX).saturating_add(rest))?;
        take(&Whole(Body::Inline(&bytes)))
    })
}

/// Reads the stored parts of a file, and where they lie in it.
pub(super) fn read_packed(
    reading: &mut Reading<'_>,
    [parts, map]: [&DumpPath; 2],
    size: u64,
    take: Take<'_>,
) -> Result<()> {
    let mut spool = Some(Spool::new(reading.scratch(), MAP_BUDGET));
    let (mut runs, mut stored_len) = (None, 0_u64);
    reading.read_file(map, &mut |file| {
        let Some(mut spool) = spool.take() else { return Ok(()) };
        read_map(&mut BufReader::new(file), size, &mut |Run { offset, len }| {
            stored_len = stored_len.saturating_add(len);
            Ok(spool.write_all(&[offset.to_le_bytes(), len.to_le_bytes()].concat())?)
        })?;
        runs = Some(spool.into_reader()?);
        Ok(())
    })?;
    let Some(runs) = runs else { return Ok(()) };
    reading.read_file(parts, &mut |file| {
        let mut watch = |_: &[u8]| {};
        let content = OneWay::new(file, stored_len, &mut watch);
        let count = runs.len() / u64::try_from(RUN_LEN).unwrap_or(1);
        let taken = take(&Packed { runs: &runs, first: 0, count, stored_len, content: &content, start: 0 });
        match content.finish(taken)? {
            found if found == stored_len => Ok(()),
            found => Err(FsFault::Parts { found, stated: stored_len }.into()),
        }
    })
}

/// A file of which only the stored parts are there, one behind the other.
pub(super) struct Packed<'p> {
    /// Offset and length of parts of files, each a little-endian `u64`.
    pub(super) runs: &'p Spooled,
    /// Which of these rows are of this file.
    pub(super) first: u64,
    pub(super) count: u64,
    pub(super) stored_len: u64,
    pub(super) content: &'p dyn ByteSource,
    /// Where in the content the first part begins.
    pub(super) start: u64,
}

impl Sparse for Packed<'_> {
    fn stored_len(&self) -> u64 {
        self.stored_len
    }

    fn for_each_part(&self, take: &mut dyn FnMut(u64, Body<'_>) -> ekv_model::Result<()>) -> ekv_model::Result<()> {
        let (mut start, mut row) = (self.start, [0; RUN_LEN]);
        let mut rows = vec![0; RUNS_AT_ONCE * RUN_LEN];
        let mut at = self.first.saturating_mul(u64::try_from(RUN_LEN).unwrap_or(u64::MAX));
        let mut left = self.count;
        while left > 0 {
            let count = usize::try_from(left).unwrap_or(usize::MAX).min(RUNS_AT_ONCE);
            rows.truncate(count.saturating_mul(RUN_LEN));
            self.runs.read_at(at, &mut rows).map_err(|error| ekv_model::Error::new(Class::Environment, error))?;
            at = at.saturating_add(u64::try_from(rows.len()).unwrap_or(u64::MAX));
            left = left.saturating_sub(u64::try_from(count).unwrap_or(u64::MAX));
            for piece in rows.chunks_exact(RUN_LEN) {
                row.copy_from_slice(piece);
                let [offset, len] = halves(row);
                let part = Part { content: self.content, start, len };
                take(offset, Body::Streamed(&part))?;
                start = start.saturating_add(len);
            }
        }
        Ok(())
    }
}

/// The two numbers of a row.
fn halves(row: [u8; RUN_LEN]) -> [u64; 2] {
    let both = u128::from_le_bytes(row);
    [both & u128::from(u64::MAX), both >> u64::BITS].map(|half| u64::try_from(half).unwrap_or(u64::MAX))
}

/// A part of a content.
pub(super) struct Part<'p> {
    pub(super) content: &'p dyn ByteSource,
    pub(super) start: u64,
    pub(super) len: u64,
}

impl ByteSource for Part<'_> {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> ekv_model::Result<()> {
        self.content.read_exact_at(self.start.saturating_add(offset), buf)
    }
}
