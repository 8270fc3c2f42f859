//! Finds names in the index. Nothing that it says is believed beyond what can be checked here: order, bounds, lengths.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;

use ekv_spill::{Scratch, Table, TableBuilder};

use super::row::{EntryPosition, Previous, next_number};
use super::{BLOCK_LEN_MAX, MAGIC, TRAILER_LEN, Trailer};
use crate::archive::fault::IndexFault;
use crate::archive::frame::{FrameDecompressor, frame_len_max};
use crate::archive::options::ArchiveLimits;
use crate::archive::stretches::Stretches;
use crate::archive::{ArchiveFault, BLOCK_LEN};
use crate::compressed::{Beginning, Decompressed};
use crate::error::read_error;
use crate::source::{PATH_LEN_MAX, SourceError};
use crate::{DumpPath, Error, ErrorKind, Result};

/// Bytes read at once to sum up the top.
const CHUNK_LEN: usize = 64 << 10;

/// Bytes of offset and length of a block.
const SPAN_LEN: usize = 16;

/// What becomes of a walk over the names.
pub(crate) enum Step {
    /// The next name is wanted.
    Next,
    /// The next name at or behind this one is.
    SkipTo(Vec<u8>),
    /// That was all.
    Stop,
}

/// The names of an archive, sorted by their bytes.
///
/// Cost: memory for one block and the top's share; to find a name costs reading one block.
pub(crate) struct NameIndex {
    payload: Stretches,
    /// Offset and length of each block, by its first path.
    top: Table<SPAN_LEN>,
    trailer: Trailer,
    tar_len: u64,
    decompressor: FrameDecompressor,
    frame: Vec<u8>,
    rows: Vec<u8>,
    /// The block whose rows are here.
    loaded: Option<Block>,
    /// How far the rows were read for the name that was looked up last.
    resume: Option<(usize, Previous)>,
}

/// A block of rows.
#[derive(Clone, PartialEq, Eq)]
struct Block {
    first_path: Vec<u8>,
    offset: u64,
    len: u64,
    /// The first path of the block behind it.
    end: Option<Vec<u8>>,
}

impl Block {
    /// Whether a path must be in this block if it is anywhere.
    fn may_hold(&self, path: &[u8]) -> bool {
        self.first_path.as_slice() <= path && self.end.as_deref().is_none_or(|end| path < end)
    }
}

impl NameIndex {
    /// Reads what says where the blocks lie. `tar_len` is the length of the tar, in bytes.
    ///
    /// # Errors
    /// [`IndexFault`] if it is malformed or names more entries than allowed.
    pub(crate) fn open(
        payload: Stretches,
        tar_len: u64,
        limits: ArchiveLimits,
        scratch: &Arc<dyn Scratch>,
    ) -> Result<Self> {
        let trailer = read_trailer(&payload)?;
        if trailer.rows > limits.entries {
            return Err(IndexFault::Limits("--max-entries").into());
        }
        let top = read_top(&payload, trailer, limits, scratch).map_err(as_damage)?;
        let decompressor = FrameDecompressor::new().map_err(read_error)?;
        let (frame, rows) = (Vec::new(), Vec::new());
        Ok(NameIndex { payload, top, trailer, tar_len, decompressor, frame, rows, loaded: None, resume: None })
    }

    /// Looks a name up.
    ///
    /// # Errors
    /// [`IndexFault`] if the block in which it should be is malformed.
    pub(crate) fn find(&mut self, path: &[u8]) -> Result<Option<EntryPosition>> {
        if !self.loaded.as_ref().is_some_and(|block| block.may_hold(path)) {
            match self.block_for(path)? {
                Some(block) => self.load(block)?,
                None => return Ok(None),
            }
        }
        let (start, mut previous) =
            self.resume.take().filter(|(_, previous)| previous.path.as_slice() < path).unwrap_or_default();
        let mut left = self.rows.get(start..).unwrap_or_default();
        let mut found = None;
        while !left.is_empty() && previous.path.as_slice() < path {
            let place = next_row(&mut previous, &mut left, self.tar_len)?;
            found = (previous.path == path).then_some(place);
        }
        self.resume = Some((self.rows.len().saturating_sub(left.len()), previous));
        Ok(found)
    }

    /// Where a name stands among all, as a share of a whole: the first number of the second. A guess.
    ///
    /// # Errors
    /// If a scratch file fails.
    pub(crate) fn share_before(&mut self, path: &[u8]) -> Result<(u64, u64)> {
        let offset = self.block_for(path)?.map_or(0, |block| block.offset);
        Ok((offset, self.trailer.top_offset))
    }

    /// Calls `take` for all names in order.
    ///
    /// # Errors
    /// [`IndexFault`] if the index is malformed, and the first error of `take`.
    pub(crate) fn for_each(&mut self, take: &mut dyn FnMut(&DumpPath, EntryPosition) -> Result<()>) -> Result<()> {
        let mut count = 0_u64;
        self.for_each_from(&[], &mut |path, place| {
            count = count.saturating_add(1);
            take(path, place).map(|()| Step::Next)
        })?;
        let is_right = count == self.trailer.rows;
        if is_right { Ok(()) } else { Err(IndexFault::Names("has another number of names than it says").into()) }
    }

    /// Calls `take` for names in order, from `first` on.
    ///
    /// # Errors
    /// [`IndexFault`] at the first block that is malformed, and the first error of `take`.
    pub(crate) fn for_each_from(
        &mut self,
        first: &[u8],
        take: &mut dyn FnMut(&DumpPath, EntryPosition) -> Result<Step>,
    ) -> Result<()> {
        let mut wanted = first.to_vec();
        let mut path = DumpPath::root();
        let mut next = self.block_for(&wanted)?;
        while let Some(block) = next {
            let end = block.end.clone();
            self.load(block)?;
            let mut left = self.rows.as_slice();
            let mut previous = Previous::default();
            while !left.is_empty() {
                let place = next_row(&mut previous, &mut left, self.tar_len)?;
                if end.as_ref().is_some_and(|end| *end <= previous.path) {
                    return Err(IndexFault::Names("is not in order").into());
                }
                if previous.path < wanted {
                    continue;
                }
                path.truncate(0);
                path.extend(&previous.path).map_err(|_| IndexFault::Names("has a name that no entry can have"))?;
                match take(&path, place)? {
                    Step::Next => {}
                    Step::SkipTo(path) => wanted = path,
                    Step::Stop => return Ok(()),
                }
            }
            next = match end {
                Some(end) => self.block_for(if end > wanted { &end } else { &wanted })?,
                None => None,
            };
        }
        Ok(())
    }

    /// The block in which a path must be if it is anywhere; the first one if it would be before all.
    fn block_for(&mut self, path: &[u8]) -> Result<Option<Block>> {
        let mut found: Option<Block> = None;
        self.top.rows_from(path, &mut |first_path, span| {
            match &mut found {
                Some(block) if first_path > path => {
                    block.end = Some(first_path.to_vec());
                    return Ok::<bool, Error>(false);
                }
                _ => {
                    let (offset, len) = span.split_first_chunk().unwrap_or((&[0; 8], &[]));
                    found = Some(Block {
                        first_path: first_path.to_vec(),
                        offset: u64::from_le_bytes(*offset),
                        len: u64::from_le_bytes(len.first_chunk().copied().unwrap_or_default()),
                        end: None,
                    });
                }
            }
            Ok(true)
        })?;
        Ok(found)
    }

    /// Reads the rows of a block.
    fn load(&mut self, block: Block) -> Result<()> {
        self.resume = None;
        if self.loaded.as_ref() == Some(&block) {
            return Ok(());
        }
        self.loaded = None;
        self.frame.resize(usize::try_from(block.len).unwrap_or(0), 0);
        self.payload.read_exact_at(block.offset, &mut self.frame).map_err(read_error)?;
        self.decompressor.decompress(&self.frame, &mut self.rows, BLOCK_LEN_MAX).map_err(IndexFault::Damaged)?;
        let mut first = Previous::default();
        next_row(&mut first, &mut self.rows.as_slice(), self.tar_len)?;
        if first.path != block.first_path {
            return Err(IndexFault::Names("has a block that begins with another name than it should").into());
        }
        self.loaded = Some(block);
        Ok(())
    }
}

/// Reads a row that must be behind the one before, of an entry that lies in the tar.
fn next_row(previous: &mut Previous, rows: &mut &[u8], tar_len: u64) -> Result<EntryPosition, IndexFault> {
    let place = previous.next(rows).ok_or(IndexFault::Names("has a malformed row"))?;
    let block_len = u64::try_from(BLOCK_LEN).unwrap_or(u64::MAX);
    let end = place.header_offset.checked_add(block_len).and_then(|end| end.checked_add(place.len));
    let is_inside = end.is_some_and(|end| end <= tar_len) && !(place.is_directory && place.len > 0);
    if is_inside { Ok(place) } else { Err(IndexFault::Names("names an entry that cannot be in the archive")) }
}

fn read_trailer(payload: &Stretches) -> Result<Trailer> {
    const CUT: IndexFault = IndexFault::Names("is cut off");
    let (mut magic, mut trailer) = ([0; MAGIC.len()], [0; TRAILER_LEN]);
    let [magic_len, trailer_len] = [MAGIC.len(), TRAILER_LEN].map(|len| u64::try_from(len).unwrap_or(u64::MAX));
    let trailer_offset = payload.len().checked_sub(trailer_len).filter(|offset| *offset >= magic_len).ok_or(CUT)?;
    payload.read_exact_at(0, &mut magic).map_err(read_error)?;
    if magic != *MAGIC {
        return Err(IndexFault::Missing.into());
    }
    payload.read_exact_at(trailer_offset, &mut trailer).map_err(read_error)?;
    let trailer = Trailer::from_bytes(&trailer).ok_or(CUT)?;
    let is_between = trailer.top_offset > magic_len
        && trailer.top_offset.checked_add(trailer.top_len) == Some(trailer_offset)
        && trailer.rows > 0;
    if is_between { Ok(trailer) } else { Err(IndexFault::Names("has a malformed end").into()) }
}

fn read_top(
    payload: &Stretches,
    trailer: Trailer,
    limits: ArchiveLimits,
    scratch: &Arc<dyn Scratch>,
) -> Result<Table<SPAN_LEN>> {
    let Trailer { top_offset, top_len, .. } = trailer;
    check_sum(&mut payload.reader(top_offset, top_len), trailer.top_crc32c)?;
    let mut magic = [0; 4];
    payload.read_exact_at(top_offset, &mut magic).map_err(read_error)?;
    if Beginning::of(&magic) != Some(Beginning::Frame) {
        return Err(MALFORMED_TOP.into());
    }
    let frame = Decompressed::new(payload.reader(top_offset, top_len), Beginning::Frame, limits.expansion);
    let mut rows = BufReader::new(frame.map_err(IndexFault::Damaged)?);
    let mut builder = TableBuilder::new(scratch);
    let mut offset = u64::try_from(MAGIC.len()).unwrap_or(u64::MAX);
    let (mut last, mut path) = (Vec::new(), Vec::new());
    while offset < top_offset {
        let path_len = usize::try_from(read_number(&mut rows)?).ok().filter(|len| *len <= PATH_LEN_MAX);
        path.resize(path_len.ok_or(MALFORMED_TOP)?, 0);
        rows.read_exact(&mut path).map_err(read_error)?;
        if path <= last {
            return Err(IndexFault::Names("is not in order").into());
        }
        let len = read_number(&mut rows)?;
        let len_max = u64::try_from(frame_len_max(BLOCK_LEN_MAX)).unwrap_or(u64::MAX);
        let end = offset.checked_add(len).filter(|end| *end <= top_offset && len > 0 && len <= len_max);
        let span = [offset, len].into_iter().flat_map(u64::to_le_bytes);
        let mut payload = [0; SPAN_LEN];
        payload.iter_mut().zip(span).for_each(|(to, from)| *to = from);
        builder.push(&path, &payload)?;
        offset = end.ok_or(MALFORMED_TOP)?;
        std::mem::swap(&mut last, &mut path);
    }
    if rows.read(&mut [0]).map_err(read_error)? != 0 {
        return Err(MALFORMED_TOP.into());
    }
    Ok(builder.finish()?)
}

const MALFORMED_TOP: IndexFault = IndexFault::Names("has a malformed list of blocks");

fn check_sum(bytes: &mut dyn Read, stated: u32) -> Result<()> {
    let mut chunk = vec![0; CHUNK_LEN];
    let mut sum = 0;
    loop {
        match bytes.read(&mut chunk).map_err(read_error)? {
            0 => break,
            len => sum = crc32c::crc32c_append(sum, chunk.get(..len).unwrap_or_default()),
        }
    }
    if sum == stated { Ok(()) } else { Err(IndexFault::Names("has a list of blocks with another checksum").into()) }
}

/// Reads a number, which has at most ten bytes.
fn read_number(input: &mut dyn BufRead) -> Result<u64> {
    let mut bytes = Vec::with_capacity(10);
    for byte in input.bytes().take(10) {
        let byte = byte.map_err(read_error)?;
        bytes.push(byte);
        if byte & 0x80 == 0 {
            break;
        }
    }
    next_number(&mut bytes.as_slice()).ok_or_else(|| MALFORMED_TOP.into())
}

/// What cannot be decompressed, or ends too early, is a fault of the index.
fn as_damage(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Archive(ArchiveFault::Compressed(fault)) => IndexFault::Damaged(fault.clone()).into(),
        ErrorKind::Source(SourceError::Io { source, .. }) if source.kind() == io::ErrorKind::UnexpectedEof => {
            MALFORMED_TOP.into()
        }
        _ => error,
    }
}
