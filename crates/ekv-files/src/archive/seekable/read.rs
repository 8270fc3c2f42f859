//! Reads the table, and believes nothing of it that the file does not confirm.

use std::fs::File;
use std::io::{BufReader, Read};
use std::sync::Arc;

use ekv_spill::{Scratch, Spool, Spooled};

use super::{
    ENTRY_LEN, FOOTER_LEN, FRAME_LEN, FRAMES_MAX, INDEX_FRAME_MAGIC, SKIPPABLE_HEADER_LEN, TABLE_FRAME_MAGIC,
    TABLE_MAGIC, len_u64, skippable_header,
};
use crate::Result;
use crate::archive::fault::IndexFault;
use crate::archive::frame::frame_len_max;
use crate::archive::frame_header::{FRAME_HEADER_LEN_MAX, stated_content_len};
use crate::archive::options::ArchiveLimits;
use crate::archive::stretches::Stretches;
use crate::compressed::EXPANSION_FREE_LEN;
use crate::error::read_error;

/// Memory for the offsets of frames, in bytes: those of 256 GiB.
const OFFSETS_BUDGET: usize = 1 << 20;
/// Most frames of an index: those of 4 TiB.
const PARTS_MAX: usize = 1024;

const NO_FRAMES_OF_AN_ARCHIVE: IndexFault = IndexFault::Table("lists frames that are none of an archive");

/// Where the frames of an archive lie.
pub(crate) struct FrameTable {
    /// Where each frame begins, and the last one ends, in the file: little-endian `u64`.
    offsets: Spooled,
    frames: u64,
    content_len: u64,
}

impl FrameTable {
    /// Reads the table at the end of a file of this length; gives also where the content of the index lies, in parts with offset and length.
    ///
    /// # Errors
    /// [`IndexFault`] if there is none, or one of other frames than an archive has, or if the limits ask for reading all.
    pub(crate) fn read(
        file: &Arc<File>,
        file_len: u64,
        limits: ArchiveLimits,
        scratch: &Arc<dyn Scratch>,
    ) -> Result<(Self, Vec<(u64, u64)>)> {
        let at = |offset, len| Stretches::File { file: Arc::clone(file), parts: vec![(offset, len)] };
        let (footer_len, header_len) = (len_u64(FOOTER_LEN), len_u64(SKIPPABLE_HEADER_LEN));
        let mut footer = [0; FOOTER_LEN];
        let footer_offset = file_len.checked_sub(footer_len).ok_or(IndexFault::Missing)?;
        at(footer_offset, footer_len).read_exact_at(0, &mut footer).map_err(read_error)?;
        let count = frames_of(&footer)?;
        let entries_len = u64::from(count).saturating_mul(len_u64(ENTRY_LEN));
        let content_len = entries_len.saturating_add(footer_len);
        let table_len = header_len.saturating_add(content_len);
        let table_offset = file_len.checked_sub(table_len).ok_or(IndexFault::Table("is longer than the file"))?;
        let mut header = [0; SKIPPABLE_HEADER_LEN];
        let table = at(table_offset, table_len);
        table.read_exact_at(0, &mut header).map_err(read_error)?;
        let stated_len = u32::try_from(content_len).unwrap_or(u32::MAX);
        if header != skippable_header(TABLE_FRAME_MAGIC, stated_len) {
            return Err(IndexFault::Table("does not begin where it should").into());
        }
        let mut frames = Frames::new(limits, scratch);
        let mut entries = BufReader::new(table.reader(header_len, entries_len));
        let mut entry = [0; ENTRY_LEN];
        for _ in 0..count {
            entries.read_exact(&mut entry).map_err(read_error)?;
            frames.add(entry)?;
        }
        let (table, parts) = frames.finish(table_offset)?;
        for (offset, len) in &parts {
            let mut header = [0; SKIPPABLE_HEADER_LEN];
            at(offset.saturating_sub(header_len), header_len).read_exact_at(0, &mut header).map_err(read_error)?;
            if header != skippable_header(INDEX_FRAME_MAGIC, u32::try_from(*len).unwrap_or(u32::MAX)) {
                return Err(NO_FRAMES_OF_AN_ARCHIVE.into());
            }
        }
        // All others have the same length.
        let (offset, len, content_len) = table.span(table.frames.saturating_sub(1))?;
        let mut first = vec![0; len.min(FRAME_HEADER_LEN_MAX)];
        at(offset, len_u64(len)).read_exact_at(0, &mut first).map_err(read_error)?;
        if stated_content_len(&first) != Some(len_u64(content_len)) {
            return Err(NO_FRAMES_OF_AN_ARCHIVE.into());
        }
        Ok((table, parts))
    }

    /// Bytes of the tar.
    pub(crate) fn content_len(&self) -> u64 {
        self.content_len
    }

    /// Number of frames.
    pub(crate) fn frames(&self) -> u64 {
        self.frames
    }

    /// Where a frame lies in the file, its length, and that of its content.
    pub(crate) fn span(&self, number: u64) -> Result<(u64, usize, usize), ekv_spill::Error> {
        let mut bounds = [0; 16];
        self.offsets.read_at(number.saturating_mul(8), &mut bounds)?;
        let (start, end) = bounds.split_first_chunk().unwrap_or((&[0; 8], &[]));
        let start = u64::from_le_bytes(*start);
        let end = u64::from_le_bytes(end.first_chunk().copied().unwrap_or_default());
        let frame_len = len_u64(FRAME_LEN);
        let content_len = self.content_len.saturating_sub(number.saturating_mul(frame_len)).min(frame_len);
        let [len, content_len] = [end.saturating_sub(start), content_len].map(|len| usize::try_from(len).unwrap_or(0));
        Ok((start, len, content_len))
    }
}

/// Compares the content of a table with the entries of the frames that are there.
///
/// # Errors
/// [`IndexFault::Table`] if it lists others, or if they are not those of an archive.
pub(crate) fn check_table(table: Spool, entries: Spool, scratch: &Arc<dyn Scratch>) -> Result<()> {
    const OTHERS: IndexFault = IndexFault::Table("does not list the frames that are there");
    let (table, entries) = (table.into_reader()?, entries.into_reader()?);
    let entries_len = table.len().checked_sub(len_u64(FOOTER_LEN)).filter(|len| *len == entries.len()).ok_or(OTHERS)?;
    let no_limits = ArchiveLimits { entries: u64::MAX, bytes: u64::MAX, expansion: u64::MAX };
    let mut frames = Frames::new(no_limits, scratch);
    let (mut listed, mut found) = (BufReader::new(table.reader()), BufReader::new(entries.reader()));
    let (mut listed_entry, mut entry) = ([0; ENTRY_LEN], [0; ENTRY_LEN]);
    for _ in 0..entries_len / len_u64(ENTRY_LEN) {
        listed.read_exact(&mut listed_entry).map_err(read_error)?;
        found.read_exact(&mut entry).map_err(read_error)?;
        if listed_entry != entry {
            return Err(OTHERS.into());
        }
        frames.add(entry)?;
    }
    let mut footer = [0; FOOTER_LEN];
    listed.read_exact(&mut footer).map_err(read_error)?;
    if u64::from(frames_of(&footer)?).saturating_mul(len_u64(ENTRY_LEN)) != entries_len {
        return Err(OTHERS.into());
    }
    let end = frames.offset;
    frames.finish(end).map(|_| ())
}

/// The number of frames that the last bytes of a file state.
fn frames_of(footer: &[u8; FOOTER_LEN]) -> Result<u32, IndexFault> {
    let (frames, rest) = footer.split_first_chunk().unwrap_or((&[0; 4], &[]));
    let (descriptor, magic) = rest.split_first_chunk::<1>().unwrap_or((&[0], &[]));
    match (magic == TABLE_MAGIC.to_le_bytes(), u32::from_le_bytes(*frames)) {
        (false, _) => Err(IndexFault::Missing),
        (true, _) if *descriptor != [0] => Err(IndexFault::Table("is of another form")),
        (true, frames) if frames > FRAMES_MAX => Err(IndexFault::Table("lists too many frames")),
        (true, frames) => Ok(frames),
    }
}

/// The frames that a table lists, as they are read.
struct Frames {
    limits: ArchiveLimits,
    offsets: Spool,
    /// Where the next frame begins in the file.
    offset: u64,
    content_len: u64,
    data_frames: u64,
    parts: Vec<(u64, u64)>,
}

impl Frames {
    fn new(limits: ArchiveLimits, scratch: &Arc<dyn Scratch>) -> Self {
        let offsets = Spool::new(Arc::clone(scratch), OFFSETS_BUDGET);
        Frames { limits, offsets, offset: 0, content_len: 0, data_frames: 0, parts: Vec::new() }
    }

    fn add(&mut self, entry: [u8; ENTRY_LEN]) -> Result<()> {
        let (len, content_len) = entry.split_first_chunk().unwrap_or((&[0; 4], &[]));
        let len = u64::from(u32::from_le_bytes(*len));
        let content_len = u64::from(u32::from_le_bytes(content_len.first_chunk().copied().unwrap_or_default()));
        let offset = self.offset;
        self.offset = self.offset.checked_add(len).ok_or(IndexFault::Table("is longer than the file"))?;
        let header_len = len_u64(SKIPPABLE_HEADER_LEN);
        match content_len {
            0 if self.parts.len() >= PARTS_MAX || len < header_len => {
                return Err(NO_FRAMES_OF_AN_ARCHIVE.into());
            }
            0 => self.parts.push((offset.saturating_add(header_len), len.saturating_sub(header_len))),
            _ => self.add_data(offset, len, content_len)?,
        }
        Ok(())
    }

    fn add_data(&mut self, offset: u64, len: u64, content_len: u64) -> Result<()> {
        let frame_len = len_u64(FRAME_LEN);
        let is_next = self.parts.is_empty() && self.content_len.is_multiple_of(frame_len);
        let fits = content_len <= frame_len && len <= len_u64(frame_len_max(FRAME_LEN));
        if !is_next || !fits {
            return Err(NO_FRAMES_OF_AN_ARCHIVE.into());
        }
        self.offsets.write_all(&offset.to_le_bytes())?;
        self.data_frames = self.data_frames.saturating_add(1);
        self.content_len = self.content_len.saturating_add(content_len);
        // As for data that are read from front to back.
        if self.content_len > self.offset.saturating_mul(self.limits.expansion).max(EXPANSION_FREE_LEN) {
            return Err(IndexFault::Limits("--max-expansion").into());
        }
        Ok(())
    }

    fn finish(mut self, table_offset: u64) -> Result<(FrameTable, Vec<(u64, u64)>)> {
        if self.offset != table_offset {
            return Err(IndexFault::Table("does not list all frames").into());
        }
        if self.parts.is_empty() || self.data_frames == 0 {
            return Err(IndexFault::Missing.into());
        }
        if self.content_len > self.limits.bytes {
            return Err(IndexFault::Limits("--max-bytes").into());
        }
        let end =
            self.parts.first().map_or(self.offset, |(offset, _)| offset.saturating_sub(len_u64(SKIPPABLE_HEADER_LEN)));
        self.offsets.write_all(&end.to_le_bytes())?;
        let table = FrameTable {
            offsets: self.offsets.into_reader()?,
            frames: self.data_frames,
            content_len: self.content_len,
        };
        Ok((table, self.parts))
    }
}
