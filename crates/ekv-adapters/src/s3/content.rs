//! The content of an object, read from the chunks that its record lists. Source: `docs/format/s3.md`, sections 2.2 and 4.3.

use std::cell::{Cell, RefCell};

use ekv_model::{Body, ByteSource, Monitor, Result};
use ekv_snapshot::{Error, ErrorKind, Input};
use ekv_spill::Spooled;
use ekv_text::hex::hex;
use md5::{Digest, Md5};

/// Bytes of a [`Piece`] in the plan: four numbers.
pub(super) const PIECE_LEN: u64 = 32;
/// Hex digits of an MD5.
const MD5_HEX_LEN: usize = 32;

/// A chunk in its place: where in the object it begins, and where its bytes lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Piece {
    /// Offset in the object.
    pub(super) start: u64,
    /// Number of the input.
    pub(super) input: u64,
    /// Offset in the input.
    pub(super) byte_offset: u64,
    pub(super) len: u64,
}

impl Piece {
    pub(super) fn to_bytes(self) -> Vec<u8> {
        [self.start, self.input, self.byte_offset, self.len].into_iter().flat_map(u64::to_be_bytes).collect()
    }

    fn from_bytes(bytes: &[u8; 32]) -> Self {
        let number = |at: usize| bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |b| u64::from_be_bytes(*b));
        Piece { start: number(0), input: number(8), byte_offset: number(16), len: number(24) }
    }

    fn end(self) -> u64 {
        self.start.saturating_add(self.len)
    }
}

/// The bytes of an object whose chunks are all there.
///
/// Cost: nothing per chunk in memory; one positioned read of the plan per chunk that is entered.
pub(super) struct Content<'c> {
    /// Pieces without gaps, none of them empty.
    pub(super) plan: Spooled,
    pub(super) inputs: &'c [Input],
    pub(super) len: u64,
    /// All bytes, if they are few and were at hand.
    pub(super) inline: Option<Vec<u8>>,
    /// The piece that was read last, and its index.
    pub(super) last: Cell<(u64, Piece)>,
    pub(super) checksum: RefCell<Checksum>,
    pub(super) monitor: &'c dyn Monitor,
}

/// MD5 of the bytes that were read so far, as long as they are read in order.
#[derive(Default)]
pub(super) struct Checksum {
    md5: Md5,
    len: u64,
}

impl Checksum {
    /// Takes bytes if they are the next ones.
    fn offer(&mut self, offset: u64, bytes: &[u8]) {
        if offset == self.len {
            self.md5.update(bytes);
            self.len = offset.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        }
    }
}

impl Content<'_> {
    pub(super) fn body(&self) -> Body<'_> {
        match &self.inline {
            Some(bytes) => Body::Inline(bytes),
            None => Body::Streamed(self),
        }
    }

    /// The MD5 of the content in hex, if it is not what the entity tag says; tags of multipart objects say nothing about it.
    ///
    /// Cost: nothing if the content has been read from front to back, else one read.
    pub(super) fn differs_from(&self, etag: &str) -> Result<Option<String>> {
        if etag.len() != MD5_HEX_LEN || !etag.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Ok(None);
        }
        let mut checksum = self.checksum.take();
        if checksum.len < self.len {
            checksum = Checksum::default();
            self.body().for_each_chunk(|piece| {
                checksum.offer(checksum.len, piece);
                Ok(())
            })?;
        }
        let md5 = hex(&checksum.md5.finalize());
        Ok((!md5.eq_ignore_ascii_case(etag)).then_some(md5))
    }

    /// The piece that holds the byte at `offset`, which is below the length.
    fn piece_at(&self, offset: u64) -> Result<Piece> {
        let (index, last) = self.last.get();
        if (last.start..last.end()).contains(&offset) {
            return Ok(last);
        }
        let next = index.saturating_add(1);
        let found = if offset == last.end() && last.len > 0 { next } else { self.search(offset)? };
        let piece = self.piece(found)?;
        self.last.set((found, piece));
        self.monitor.advance(0)?;
        Ok(piece)
    }

    /// Index of the last piece that starts at or before `offset`.
    fn search(&self, offset: u64) -> Result<u64> {
        let (mut low, mut high) = (0, self.plan.len() / PIECE_LEN);
        while high.saturating_sub(low) > 1 {
            let middle = low.midpoint(high);
            if self.piece(middle)?.start <= offset {
                low = middle;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    fn piece(&self, index: u64) -> Result<Piece> {
        let mut bytes = [0; 32];
        self.plan.read_exact_at(index.saturating_mul(PIECE_LEN), &mut bytes)?;
        Ok(Piece::from_bytes(&bytes))
    }
}

impl ByteSource for Content<'_> {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        let mut at = offset;
        let mut rest = &mut *buf;
        while !rest.is_empty() {
            let piece = self.piece_at(at)?;
            let inside = at.saturating_sub(piece.start);
            let left = usize::try_from(piece.len.saturating_sub(inside)).unwrap_or(usize::MAX);
            let want = rest.len().min(left);
            let (part, tail) = rest.split_at_mut_checked(want).unwrap_or_default();
            let input = usize::try_from(piece.input).ok().and_then(|input| self.inputs.get(input));
            let from = piece.byte_offset.saturating_add(inside);
            let got = input.map_or(Ok(0), |input| input.fill_at(from, part))?;
            if got < want || want == 0 {
                let needed = u64::try_from(want).unwrap_or(u64::MAX);
                let available = u64::try_from(got).unwrap_or(u64::MAX);
                return Err(Error::new(ErrorKind::Truncated { what: "chunk", needed, available }).at(from).into());
            }
            at = at.saturating_add(u64::try_from(want).unwrap_or(u64::MAX));
            rest = tail;
        }
        self.checksum.borrow_mut().offer(offset, buf);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ekv_model::NoMonitor;
    use ekv_spill::{Spool, SystemScratch};
    use proptest::prelude::*;

    use super::*;

    /// Pieces of these lengths, stored in reverse order in one input; returns the content's parts and its bytes.
    fn stored(lens: &[usize], budget: usize) -> (Spooled, Vec<Input>, Vec<u8>) {
        let total: usize = lens.iter().sum();
        let whole: Vec<u8> = (0..total).map(|i| u8::try_from(i % 251).unwrap()).collect();
        let mut plan = Spool::new(Arc::new(SystemScratch::new()), budget);
        let mut file = Vec::new();
        let mut start = total;
        let mut pieces = Vec::new();
        for len in lens.iter().rev() {
            let end = start;
            start -= len;
            let numbers = [start, 0, file.len(), *len].map(|n| u64::try_from(n).unwrap());
            let [start, input, byte_offset, len] = numbers;
            pieces.push(Piece { start, input, byte_offset, len });
            file.extend_from_slice(&whole[usize::try_from(start).unwrap()..end]);
        }
        pieces.iter().rev().for_each(|piece| plan.write_all(&piece.to_bytes()).unwrap());
        (plan.into_reader().unwrap(), vec![ekv_testkit::memory_input(file)], whole)
    }

    proptest! {
        #[test]
        fn any_range_is_read_and_the_checksum_holds_in_whatever_order(
            lens in prop::collection::vec(1_usize..40, 1..12),
            reads in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..12),
            budget in prop::sample::select(vec![0, 1 << 16]),
        ) {
            let (plan, inputs, whole) = stored(&lens, budget);
            let content = Content {
                plan,
                inputs: &inputs,
                len: u64::try_from(whole.len()).unwrap(),
                inline: None,
                last: Cell::default(),
                checksum: RefCell::default(),
                monitor: &NoMonitor,
            };
            for (from, to) in reads {
                let (from, to) = (from.index(whole.len()), to.index(whole.len()));
                let (from, to) = (from.min(to), from.max(to));
                let mut read = vec![0; to - from];
                content.read_exact_at(u64::try_from(from).unwrap(), &mut read).unwrap();
                prop_assert_eq!(&read, &whole[from..to]);
            }
            let md5 = hex(&Md5::digest(&whole));
            prop_assert_eq!(content.differs_from(&md5).unwrap(), None);
            prop_assert_eq!(content.differs_from(&"0".repeat(32)).unwrap(), Some(md5));
        }
    }
}
