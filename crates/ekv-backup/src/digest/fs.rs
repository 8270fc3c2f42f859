//! Files and directories as they are compared.
//!
//! Not among it: what follows from other files, as the number of names, or from how something is stored. Content is compared by its blocks that
//! are not all zeros, so that it does not matter which zeros are stored.

use std::cell::RefCell;

use ekv_model::fs::{Entry, Event, Inode, SCOPE, Sparse};
use ekv_model::{Body, ByteSource, Event as ModelEvent, Protocol, Result};

use super::Digester;
use super::aspects::{Aspects, Fingerprint};
use super::canonical::{Canonical, Sum};
use super::compare::Part;

/// Longest path that a row is known by, in bytes; a longer one by directory and name.
const PATH_LEN_MAX: usize = 4 << 10;
/// Bytes that are zeros together, or not.
const BLOCK_LEN: usize = 4 << 10;

impl Digester<'_> {
    pub(super) fn fs(&mut self, event: &Event<'_>) -> Result<()> {
        match event {
            Event::Directory(entry) | Event::Passage(entry) => self.put_entry(entry, b"fs directory", None),
            Event::File(entry, content) => self.put_entry(entry, b"fs file", Some(sum_of(*content)?)),
            Event::Link(entry) => self.put_entry(entry, b"fs link", None),
            Event::Orphan(..) | Event::OrphanChunk { .. } | Event::End => Ok(()),
        }
    }

    /// Takes a file on its way, whose content whoever is next reads.
    pub(super) fn fs_file(&mut self, entry: &Entry<'_>, content: &dyn Sparse) -> Result<()> {
        let tee = Tee { content, blocks: RefCell::new(Some(Blocks::new())), sum: RefCell::new(None) };
        self.pass_on(ModelEvent::Fs(Event::File(*entry, &tee)))?;
        let sum = tee.sum.into_inner();
        let sum = match sum {
            Some(sum) => sum,
            // Nobody wanted it.
            None => sum_of(content)?,
        };
        self.put_entry(entry, b"fs file", Some(sum))
    }

    fn put_entry(&mut self, entry: &Entry<'_>, kind: &[u8], content: Option<Sum>) -> Result<()> {
        self.set_scope(SCOPE);
        let mut canonical = Canonical::of("fs");
        canonical.bytes(kind);
        canonical.number(entry.inode.id);
        canonical.number(entry.inode.generation);
        if kind != b"fs link" {
            canonical.inode(&entry.inode);
        }
        canonical.bytes(&content.unwrap_or_default());
        if entry.path.len() <= PATH_LEN_MAX {
            return self.put(Protocol::Fs, Part::Itself, entry.path, b"", canonical);
        }
        let name = [format!("…{:016x}/", entry.parent).as_bytes(), entry.name].concat();
        self.put(Protocol::Fs, Part::Itself, &name, b"", canonical)
    }
}

impl Aspects {
    pub(super) fn fs(&mut self, event: &Event<'_>) -> Result<Option<Fingerprint>> {
        let of = |inode: &Inode<'_>, value: Sum| {
            let mut metadata = Canonical::of("fs inode");
            metadata.inode(inode);
            Ok(Some(Fingerprint { value, ..Fingerprint::of_metadata(metadata) }))
        };
        match event {
            Event::Directory(entry) => of(&entry.inode, Sum::default()),
            Event::File(entry, content) => of(&entry.inode, sum_of(*content)?),
            Event::Link(entry) => of(&entry.inode, Sum::default()),
            _ => Ok(None),
        }
    }
}

impl Canonical {
    /// What is stored about a file or directory, but its number and what others decide.
    fn inode(&mut self, inode: &Inode<'_>) {
        self.texts([inode.kind, inode.extra]);
        [inode.mode, inode.uid, inode.gid].into_iter().for_each(|number| self.number(number.into()));
        self.number(if inode.is_directory() { 0 } else { inode.size });
        // The server does not keep the time of an access.
        [inode.atime_nsec, inode.mtime_nsec, inode.ctime_nsec].into_iter().for_each(|time| self.signed(time));
    }
}

fn sum_of(content: &dyn Sparse) -> Result<Sum> {
    let mut blocks = Blocks::new();
    content.for_each_part(&mut |offset, body| {
        let mut at = offset;
        body.for_each_chunk(|piece| {
            blocks.add(at, piece);
            at = at.saturating_add(len_of(piece));
            Ok(())
        })
    })?;
    Ok(blocks.finish())
}

/// Hashes content block by block, but for blocks that are all zeros.
struct Blocks {
    canonical: Canonical,
    /// Number of the block at hand, and its bytes.
    number: u64,
    block: Vec<u8>,
}

impl Blocks {
    fn new() -> Self {
        Blocks { canonical: Canonical::of("fs content"), number: 0, block: vec![0; BLOCK_LEN] }
    }

    /// Adds bytes at an offset behind all that were added.
    fn add(&mut self, offset: u64, bytes: &[u8]) {
        let block_len = len_of(&self.block);
        let (mut offset, mut rest) = (offset, bytes);
        while !rest.is_empty() {
            let (number, start) = (offset / block_len, usize::try_from(offset % block_len).unwrap_or(usize::MAX));
            if number != self.number {
                self.end_block();
                self.number = number;
            }
            let room = self.block.get_mut(start..).unwrap_or_default();
            let len = room.len().min(rest.len());
            let (piece, after) = rest.split_at_checked(len).unwrap_or((rest, &[]));
            room.iter_mut().zip(piece).for_each(|(into, from)| *into = *from);
            offset = offset.saturating_add(len_of(piece));
            rest = after;
        }
    }

    fn end_block(&mut self) {
        let Some(last) = self.block.iter().rposition(|byte| *byte != 0) else { return };
        self.canonical.number(self.number);
        self.canonical.bytes(self.block.get(..=last).unwrap_or_default());
        self.block.fill(0);
    }

    fn finish(mut self) -> Sum {
        self.end_block();
        self.canonical.finish()
    }
}

/// Hashes content while somebody else reads it.
struct Tee<'a> {
    content: &'a dyn Sparse,
    /// Until it has been read once.
    blocks: RefCell<Option<Blocks>>,
    sum: RefCell<Option<Sum>>,
}

impl Sparse for Tee<'_> {
    fn stored_len(&self) -> u64 {
        self.content.stored_len()
    }

    fn for_each_part(&self, take: &mut dyn FnMut(u64, Body<'_>) -> Result<()>) -> Result<()> {
        let Some(blocks) = self.blocks.borrow_mut().take() else { return self.content.for_each_part(take) };
        let blocks = RefCell::new(blocks);
        self.content.for_each_part(&mut |offset, body| {
            let part = TeePart { offset, body, at: RefCell::new(0), blocks: &blocks };
            match body {
                Body::Inline(bytes) => {
                    blocks.borrow_mut().add(offset, bytes);
                    take(offset, body)
                }
                Body::Streamed(_) => {
                    take(offset, Body::Streamed(&part))?;
                    part.read_rest()
                }
            }
        })?;
        *self.sum.borrow_mut() = Some(blocks.into_inner().finish());
        Ok(())
    }
}

/// A part of it, which is read from front to back.
struct TeePart<'a> {
    offset: u64,
    body: Body<'a>,
    /// How much of it has been read.
    at: RefCell<u64>,
    blocks: &'a RefCell<Blocks>,
}

impl TeePart<'_> {
    fn read_rest(&self) -> Result<()> {
        let mut buffer = vec![0; BLOCK_LEN];
        loop {
            let at = *self.at.borrow();
            let left = usize::try_from(self.len().saturating_sub(at)).unwrap_or(usize::MAX).min(BLOCK_LEN);
            let Some(piece) = buffer.get_mut(..left).filter(|piece| !piece.is_empty()) else { return Ok(()) };
            self.read_exact_at(at, piece)?;
        }
    }
}

impl ByteSource for TeePart<'_> {
    fn len(&self) -> u64 {
        self.body.len()
    }

    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        if let Body::Streamed(source) = self.body {
            source.read_exact_at(offset, buf)?;
        }
        let mut at = self.at.borrow_mut();
        // What was read before is hashed already.
        let known = usize::try_from(at.saturating_sub(offset)).unwrap_or(usize::MAX);
        if let Some(new) = buf.get(known..).filter(|new| offset <= *at && !new.is_empty()) {
            self.blocks.borrow_mut().add(self.offset.saturating_add(*at), new);
            *at = at.saturating_add(len_of(new));
        }
        Ok(())
    }
}

fn len_of(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}
