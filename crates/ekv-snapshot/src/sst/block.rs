//! Blocks of an SST file: found, compared with their checksums, decompressed. Source: `docs/format/ssti1.md`, sections 3.2 and 6.

use ekv_model::{Monitor, NoMonitor};
use std::sync::Arc;

use ekv_spill::{Scratch, Spool};

use super::bytes::{Bytes, VARINT_LEN_MAX, varint};
use super::faults::{damaged, invalid, unsupported};
use super::snappy;
use crate::format::{RAW_KEY_LEN_MAX, VALUE_LEN_MAX};
use crate::sequential::Sequential;
use crate::stream::{for_each_piece, len_u64};
use crate::{FooterPolicy, Input, Result};

/// Bytes behind a block: its compression and its checksum.
pub(super) const TRAILER_LEN: u64 = 5;
/// Longest block that is held in memory, in bytes, compressed or not.
const IN_MEMORY_LEN_MAX: u64 = 2 << 20;
/// Longest block: 4 KiB of rows and one that is as long as a row may be.
const RAW_LEN_MAX: u64 = (4 << 10) + RAW_KEY_LEN_MAX + VALUE_LEN_MAX + (64 << 10);
/// Snappy makes at most 64 bytes of three.
const EXPANSION_MAX: u64 = 22;
/// What the checksum of a block is increased by.
const CHECKSUM_DELTA: u32 = 0xa282_ead8;
/// Compression of a block: none, and Snappy.
const PLAIN: u8 = 0;
const SNAPPY: u8 = 1;

/// Bytes of the footer of a file.
pub(super) const FOOTER_LEN: usize = 53;

/// A file in the payload.
#[derive(Clone, Copy)]
pub(super) struct SstPlace<'t> {
    pub(super) input: &'t Input,
    pub(super) scratch: &'t Arc<dyn Scratch>,
    pub(super) monitor: &'t dyn Monitor,
    pub(super) number: usize,
    /// Byte offset in the input.
    pub(super) start: u64,
    pub(super) len: u64,
}

impl SstPlace<'_> {
    /// How the manifest calls it.
    pub(super) fn name(&self) -> String {
        format!("{:06}.sst", self.number)
    }

    /// No block reaches beyond this offset.
    pub(super) fn blocks_end(&self) -> u64 {
        self.len.saturating_sub(u64::try_from(FOOTER_LEN).unwrap_or(u64::MAX))
    }
}

/// Where a block lies in its file, without its trailer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Handle {
    pub(super) offset: u64,
    pub(super) len: u64,
}

impl Handle {
    /// Reads a handle; returns what follows it as well.
    pub(super) fn parse(bytes: &[u8]) -> Result<(Handle, &[u8])> {
        let cut = || invalid("the place of a block is cut short");
        let (offset, rest) = varint(bytes).ok_or_else(cut)?;
        let (len, rest) = varint(rest).ok_or_else(cut)?;
        Ok((Handle { offset, len }, rest))
    }

    /// The offset behind the block and its trailer.
    pub(super) fn end(self) -> Option<u64> {
        self.offset.checked_add(self.len)?.checked_add(TRAILER_LEN)
    }
}

/// What a block holds.
pub(super) enum Content<'b> {
    Short(&'b [u8]),
    Long(Input),
}

impl Content<'_> {
    pub(super) fn bytes(&self) -> Bytes<'_> {
        match self {
            Content::Short(bytes) => Bytes::Memory(bytes),
            Content::Long(input) => Bytes::Input(Box::new(Sequential::new(input, &NoMonitor))),
        }
    }

    /// The last four bytes.
    pub(super) fn last_u32(&self) -> Result<Option<u32>> {
        let mut last = [0; 4];
        let got = match self {
            Content::Short(bytes) => bytes.last_chunk().copied(),
            Content::Long(input) => {
                let got = input.fill_at(input.len.saturating_sub(4), &mut last)?;
                (got == last.len()).then_some(last)
            }
        };
        Ok(got.map(u32::from_le_bytes))
    }
}

/// Reads blocks of one file, one after the other.
pub(super) struct Blocks<'t> {
    place: &'t SstPlace<'t>,
    /// So many bytes are read at once.
    window_len: u64,
    window: Vec<u8>,
    /// Offset in the file of the first byte of the window.
    window_start: u64,
    raw: Vec<u8>,
    pieces: snappy::Pieces,
}

impl<'t> Blocks<'t> {
    pub(super) fn new(place: &'t SstPlace<'t>, window_len: u64) -> Self {
        let pieces = snappy::Pieces::default();
        Blocks { place, window_len, window: Vec::new(), window_start: 0, raw: Vec::new(), pieces }
    }

    /// What a block holds, once its checksum was compared.
    pub(super) fn open(&mut self, handle: Handle) -> Result<Content<'_>> {
        let at = self.place.start.saturating_add(handle.offset);
        self.content(handle).map_err(|e| e.at(at))
    }

    fn content(&mut self, handle: Handle) -> Result<Content<'_>> {
        if handle.end().is_none_or(|end| end > self.place.blocks_end()) {
            return Err(invalid(format!(
                "a block of {} bytes at {} of file {} lies outside of it",
                handle.len,
                handle.offset,
                self.place.name()
            )));
        }
        if handle.len > IN_MEMORY_LEN_MAX {
            return self.long(handle);
        }
        let at = self.fill(handle)?;
        let Blocks { window, raw, pieces, place, .. } = self;
        let len = usize::try_from(handle.len).unwrap_or(usize::MAX);
        let block = window.get(at..).and_then(|rest| rest.split_at_checked(len));
        let (stored, [kind, checksum @ ..]) = block
            .and_then(|(stored, trailer)| Some((stored, *trailer.first_chunk::<5>()?)))
            .ok_or_else(|| invalid("a block is cut short"))?;
        place.compare(handle, crc32c::crc32c(stored), kind, checksum)?;
        match kind {
            PLAIN => Ok(Content::Short(stored)),
            _ => {
                let raw_len = raw_len(kind, stored, handle)?;
                if raw_len > IN_MEMORY_LEN_MAX {
                    return Ok(Content::Long(spooled(&mut Bytes::Memory(stored), pieces, place)?));
                }
                raw.clear();
                pieces.decompress(&mut Bytes::Memory(stored), &mut |piece| {
                    raw.extend_from_slice(piece);
                    Ok(())
                })?;
                Ok(Content::Short(raw))
            }
        }
    }

    /// A block that is not held in memory.
    fn long(&mut self, handle: Handle) -> Result<Content<'_>> {
        let SstPlace { input, start, .. } = *self.place;
        let stored = input.part(start.saturating_add(handle.offset), handle.len);
        let mut crc32c = 0;
        for_each_piece(&stored, 0, stored.len, |piece| {
            crc32c = crc32c::crc32c_append(crc32c, piece);
            Ok(self.place.monitor.advance(len_u64(piece))?)
        })?;
        let mut trailer = [0; 5];
        input.fill_at(start.saturating_add(handle.offset).saturating_add(handle.len), &mut trailer)?;
        let [kind, checksum @ ..] = trailer;
        self.place.compare(handle, crc32c, kind, checksum)?;
        if kind == PLAIN {
            if stored.len > RAW_LEN_MAX {
                return Err(too_long(stored.len));
            }
            return Ok(Content::Long(stored));
        }
        let mut bytes = Bytes::Input(Box::new(Sequential::new(&stored, &NoMonitor)));
        raw_len(kind, bytes.ahead_most(VARINT_LEN_MAX)?, handle)?;
        Ok(Content::Long(spooled(&mut bytes, &mut self.pieces, self.place)?))
    }

    /// Makes a block with its trailer available in the window; returns where in it.
    fn fill(&mut self, handle: Handle) -> Result<usize> {
        let len = handle.len.saturating_add(TRAILER_LEN);
        let at =
            handle.offset.checked_sub(self.window_start).filter(|at| at.saturating_add(len) <= len_u64(&self.window));
        if let Some(at) = at {
            return Ok(usize::try_from(at).unwrap_or(usize::MAX));
        }
        let offset = self.place.start.saturating_add(handle.offset);
        let want = self.window_len.min(self.place.blocks_end().saturating_sub(handle.offset)).max(len);
        self.window.resize(usize::try_from(want).unwrap_or(usize::MAX), 0);
        let got = self.place.input.fill_at(offset, &mut self.window)?;
        self.window.truncate(got);
        self.place.monitor.advance(len_u64(&self.window))?;
        self.window_start = handle.offset;
        Ok(0)
    }
}

impl SstPlace<'_> {
    /// Compares the checksum of a block, whose bytes have this CRC32C, with the stored one.
    fn compare(&self, handle: Handle, crc32c: u32, kind: u8, checksum: [u8; 4]) -> Result<()> {
        let crc32c = crc32c::crc32c_append(crc32c, &[kind]);
        let (stored, computed) = (u32::from_le_bytes(checksum), crc32c.rotate_right(15).wrapping_add(CHECKSUM_DELTA));
        if stored != computed {
            return Err(damaged(format!(
                "the checksum of the block at {} of file {} does not match: stored {stored:08x}, computed {computed:08x}",
                handle.offset,
                self.name()
            )));
        }
        Ok(())
    }
}

/// How long a compressed block says it is.
fn raw_len(kind: u8, stored: &[u8], handle: Handle) -> Result<u64> {
    if kind != SNAPPY {
        return Err(unsupported(format_args!("with compression {kind}")));
    }
    let (raw_len, _) = varint(stored).ok_or_else(|| invalid("the length of a compressed block is cut short"))?;
    if raw_len > RAW_LEN_MAX || raw_len > handle.len.saturating_mul(EXPANSION_MAX) {
        return Err(too_long(raw_len));
    }
    Ok(raw_len)
}

fn too_long(len: u64) -> crate::Error {
    invalid(format!("a block says that it has {len} bytes, more than its rows can have"))
}

fn spooled(stored: &mut Bytes<'_>, pieces: &mut snappy::Pieces, place: &SstPlace<'_>) -> Result<Input> {
    let mut spool = Spool::new(Arc::<dyn Scratch>::clone(place.scratch), 0);
    pieces.decompress(stored, &mut |piece| Ok(spool.write_all(piece)?))?;
    let len = spool.len();
    let source = Arc::new(spool.into_file()?);
    Ok(Input { source, len, name: place.input.name.clone(), footer: FooterPolicy::Optional, token_crc32c: None })
}
