//! Snappy as SST files have it, in bounded memory. Source: `docs/format/ssti1.md`, section 5.
//!
//! The writer cuts what it compresses into pieces of 65,536 bytes, none of which refers to another. So each is decompressed by itself, once
//! the tags of its elements have told where it ends.

use super::bytes::{Bytes, VARINT_LEN_MAX, varint};
use super::faults::invalid;
use crate::Result;
use crate::stream::len_u64;

/// Bytes of a piece, the last one excepted.
const PIECE_LEN: usize = 1 << 16;
/// Most bytes of a compressed piece.
const COMPRESSED_LEN_MAX: usize = 32 + PIECE_LEN + PIECE_LEN / 6;

/// Decompresses blocks, with buffers that are used again.
#[derive(Default)]
pub(super) struct Pieces {
    decoder: snap::raw::Decoder,
    compressed: Vec<u8>,
    raw: Vec<u8>,
}

impl Pieces {
    /// Calls `f` with what `stored` holds, piece by piece. Whoever calls has looked at the length that comes first.
    pub(super) fn decompress(&mut self, stored: &mut Bytes<'_>, f: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let first = stored.ahead_most(VARINT_LEN_MAX)?;
        let (raw_len, rest) = varint(first).ok_or_else(|| malformed("its length is cut short"))?;
        let prefix_len = len_u64(first).saturating_sub(len_u64(rest));
        stored.skip(prefix_len)?;
        let mut left = raw_len;
        while left > 0 {
            let piece_len = usize::try_from(left).unwrap_or(PIECE_LEN).min(PIECE_LEN);
            let elements = stored.ahead_most(COMPRESSED_LEN_MAX)?;
            let end = elements_end(elements, piece_len)
                .ok_or_else(|| malformed("its elements do not end with a piece of 65536 bytes"))?;
            self.compressed.clear();
            put_varint(&mut self.compressed, piece_len);
            self.compressed.extend_from_slice(elements.get(..end).unwrap_or_default());
            self.raw.resize(piece_len, 0);
            let made = self.decoder.decompress(&self.compressed, &mut self.raw).map_err(|e| match e {
                snap::Error::Offset { offset, .. } => {
                    malformed(&format!("a copy reaches back {offset} bytes, out of its piece of 65536"))
                }
                other => malformed(&other.to_string()),
            })?;
            f(self.raw.get(..made).unwrap_or_default())?;
            stored.skip(u64::try_from(end).unwrap_or(u64::MAX))?;
            left = left.saturating_sub(u64::try_from(piece_len).unwrap_or(u64::MAX));
        }
        match stored.left() {
            0 => Ok(()),
            _ => Err(malformed("more follows than it says")),
        }
    }
}

/// Length of the elements at the front of `bytes` that make `raw_len` bytes.
fn elements_end(bytes: &[u8], raw_len: usize) -> Option<usize> {
    let (mut at, mut made) = (0_usize, 0_usize);
    while made < raw_len {
        let tag = usize::from(*bytes.get(at)?);
        let (element_len, len) = match (tag & 3, tag >> 2) {
            (0, len @ ..60) => (len.checked_add(2)?, len.checked_add(1)?),
            (0, len) => {
                let width = len.checked_sub(59)?;
                let digits = bytes.get(at.checked_add(1)?..)?.get(..width)?;
                let len = digits.iter().rev().fold(0, |len, digit| len << 8 | usize::from(*digit)).checked_add(1)?;
                (len.checked_add(width)?.checked_add(1)?, len)
            }
            (1, len) => (2, (len & 7).checked_add(4)?),
            (2, len) => (3, len.checked_add(1)?),
            (_, len) => (5, len.checked_add(1)?),
        };
        at = at.checked_add(element_len)?;
        made = made.checked_add(len)?;
    }
    (made == raw_len && at <= bytes.len()).then_some(at)
}

fn put_varint(out: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        out.push(u8::try_from(value & 0x7f).unwrap_or(0) | 0x80);
        value >>= 7;
    }
    out.push(u8::try_from(value).unwrap_or(0));
}

fn malformed(reason: &str) -> crate::Error {
    invalid(format!("a block compressed with Snappy is malformed: {reason}"))
}
