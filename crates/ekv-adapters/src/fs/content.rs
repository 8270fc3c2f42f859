//! The content of a file. Source: `docs/format/fs.md`, section 4.

use std::cell::RefCell;

use ekv_model::{Body, Result, fs};
use ekv_snapshot::{Lookup, Range, RangeScan, VersionKind, VersionScan};

use super::keys::{self, ChunkKey};
use super::values::Inode;
use crate::{Family, Run};

/// Reads the chunks of one file after the other.
pub(super) struct Chunks {
    scan: RefCell<RangeScan>,
    lookup: Lookup,
}

/// The chunks of a file.
pub(super) struct Content<'c> {
    scan: &'c RefCell<RangeScan>,
    range: Range,
    shape: Shape,
    pub(super) rows: Rows,
}

/// How a file is cut into chunks.
#[derive(Clone, Copy)]
struct Shape {
    size: u64,
    chunk_len: u64,
}

/// Rows of chunks, and bytes in them.
#[derive(Clone, Copy, Default)]
pub(super) struct Rows {
    /// Those that clients see, and what they see of them.
    pub(super) seen: u64,
    pub(super) seen_len: u64,
    /// Those that clients do not see.
    pub(super) unseen: u64,
    /// How many of those that clients see are longer than that.
    pub(super) cut: u64,
    /// All bytes of all rows.
    pub(super) len: u64,
    /// Whether one of them is damaged.
    pub(super) has_damage: bool,
}

impl Shape {
    /// Offset and length of what clients see of a chunk; `None` if they see nothing.
    fn place(self, index: u64, row_len: u64) -> Option<(u64, u64)> {
        let Shape { size, chunk_len } = self;
        // Compared before anything is multiplied: the product is below the size then.
        let offset = (index < size.div_ceil(chunk_len)).then(|| index.checked_mul(chunk_len))??;
        Some((offset, row_len.min(chunk_len).min(size.saturating_sub(offset))))
    }
}

impl Chunks {
    pub(super) fn new(run: &Run<'_>) -> Self {
        Chunks { scan: RefCell::new(run.view().probe()), lookup: run.view().lookup() }
    }

    /// Looks at the chunks of a file, but not at what is in them.
    pub(super) fn of(&mut self, run: &Run<'_>, inode: &Inode) -> Result<Content<'_>> {
        let shape = Shape { size: inode.size, chunk_len: inode.event().chunk_len() };
        let range = Range::prefix(&keys::chunks(inode.home_slot, inode.id));
        let mut rows = Rows { has_damage: self.has_damage(run, &range)?, ..Rows::default() };
        if run.visible(Family::FsChunk) > 0 {
            let mut scan = self.scan.borrow_mut();
            scan.seek(range.clone())?;
            while let Some(found) = scan.next_visible()? {
                run.monitor().advance(0)?;
                // Keys that do not parse are told of at the end.
                let Some(ChunkKey { index, .. }) = ChunkKey::parse(found.user_key) else { continue };
                let row_len = found.body.len();
                rows.len = rows.len.saturating_add(row_len);
                match shape.place(index, row_len) {
                    Some((_, len)) => {
                        rows.seen = rows.seen.saturating_add(1);
                        rows.seen_len = rows.seen_len.saturating_add(len);
                        rows.cut = rows.cut.saturating_add(u64::from(len < row_len));
                    }
                    None => rows.unseen = rows.unseen.saturating_add(1),
                }
            }
        }
        Ok(Content { scan: &self.scan, range, shape, rows })
    }

    /// Whether the visible version of a chunk is damaged: it must not read as a hole.
    fn has_damage(&mut self, run: &Run<'_>, range: &Range) -> Result<bool> {
        if !run.has_damage(Family::FsChunk) {
            return Ok(false);
        }
        for (_, file) in run.view().files() {
            let mut scan = VersionScan::new(std::slice::from_ref(file), range.clone())?;
            while let Some(version) = scan.next_version()? {
                run.monitor().advance(0)?;
                if version.kind == VersionKind::Damaged
                    && self.lookup.get(version.user_key)?.is_some_and(|found| found.is_damaged)
                {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

impl fs::Sparse for Content<'_> {
    fn stored_len(&self) -> u64 {
        self.rows.seen_len
    }

    fn for_each_part(&self, take: &mut dyn FnMut(u64, Body<'_>) -> Result<()>) -> Result<()> {
        if self.rows.seen == 0 {
            return Ok(());
        }
        let mut scan = self.scan.borrow_mut();
        scan.seek(self.range.clone())?;
        while let Some(found) = scan.next_visible()? {
            let place = ChunkKey::parse(found.user_key).and_then(|key| self.shape.place(key.index, found.body.len()));
            if let Some((offset, len)) = place.filter(|(_, len)| *len > 0) {
                let part = found.body.slice(0, len);
                take(offset, part.body())?;
            }
        }
        Ok(())
    }
}
