//! The canonical encoding of things, as it is hashed.

use std::cell::RefCell;

use ekv_model::{Body, ByteSource, CHUNK_LEN, Result};
use sha2::{Digest, Sha256};

/// A digest.
pub(crate) type Sum = [u8; 32];

/// Hashes fields one after the other, so that no two things have the same bytes: each text has its length in front of it.
pub(super) struct Canonical(Sha256);

impl Canonical {
    /// Begins a thing of a type.
    pub(super) fn of(thing: &str) -> Self {
        let mut canonical = Canonical(Sha256::new());
        canonical.text(thing);
        canonical
    }

    pub(super) fn finish(self) -> Sum {
        self.0.finalize().into()
    }

    pub(super) fn number(&mut self, number: u64) {
        self.0.update(number.to_le_bytes());
    }

    pub(super) fn signed(&mut self, number: i64) {
        self.number(number.cast_unsigned());
    }

    pub(super) fn len(&mut self, len: usize) {
        self.number(u64::try_from(len).unwrap_or(u64::MAX));
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.len(bytes.len());
        self.0.update(bytes);
    }

    pub(super) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    pub(super) fn texts<const N: usize>(&mut self, texts: [&str; N]) {
        texts.into_iter().for_each(|text| self.text(text));
    }

    pub(super) fn flag(&mut self, flag: bool) {
        self.number(u64::from(flag));
    }

    pub(super) fn maybe(&mut self, number: Option<u64>) {
        self.flag(number.is_some());
        self.number(number.unwrap_or(0));
    }

    pub(super) fn body(&mut self, body: &Body<'_>) -> Result<()> {
        self.number(body.len());
        body.for_each_chunk(|chunk| {
            self.0.update(chunk);
            Ok(())
        })
    }
}

/// Hashes bytes while somebody else reads them from front to back.
pub(super) struct Tee<'a> {
    source: &'a dyn ByteSource,
    /// The digest of what was read, and how much that is.
    read: RefCell<(Sha256, u64)>,
}

impl<'a> Tee<'a> {
    pub(super) fn new(source: &'a dyn ByteSource) -> Self {
        Tee { source, read: RefCell::default() }
    }

    /// The digest of all bytes; those that nobody has read are read now.
    pub(super) fn finish(self) -> Result<Sum> {
        let mut buf = vec![0; CHUNK_LEN];
        loop {
            let at = self.read.borrow().1;
            let left = usize::try_from(self.len().saturating_sub(at)).unwrap_or(usize::MAX).min(CHUNK_LEN);
            let Some(piece) = buf.get_mut(..left).filter(|piece| !piece.is_empty()) else { break };
            self.read_exact_at(at, piece)?;
        }
        Ok(self.read.into_inner().0.finalize().into())
    }
}

impl ByteSource for Tee<'_> {
    fn len(&self) -> u64 {
        self.source.len()
    }

    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        self.source.read_exact_at(offset, buf)?;
        let (hasher, read_len) = &mut *self.read.borrow_mut();
        // What was read before is hashed already.
        let known = usize::try_from(read_len.saturating_sub(offset)).unwrap_or(usize::MAX);
        if let Some(new) = buf.get(known..).filter(|new| offset <= *read_len && !new.is_empty()) {
            hasher.update(new);
            *read_len = read_len.saturating_add(u64::try_from(new.len()).unwrap_or(u64::MAX));
        }
        Ok(())
    }
}
