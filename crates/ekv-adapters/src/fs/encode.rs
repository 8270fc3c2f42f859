//! Events to records. Source: `docs/format/fs.md`, section 9.

use std::sync::Arc;

use ekv_model::fs::{Entry, Event, Inode, ROOT, Sparse};
use ekv_model::{Body, Event as ModelEvent, Result};
use ekv_snapshot::RecordSink;
use ekv_spill::{Scratch, Sorter, Spool};

use super::keys;
use crate::adapter::EncodeEvents;
use crate::json::begin_object;
use crate::run::scratch_error;
use crate::{EncodeError, Family};

/// Memory for the inodes until their names have been counted, in bytes.
const INODES_BUDGET: usize = 4 << 20;
/// Memory for a chunk, in bytes; what servers store as one fits.
const CHUNK_BUDGET: usize = 4 << 20;
/// Zeros that are written at once.
const ZEROS: [u8; 4096] = [0; 4096];

/// Builds records from the events of the file system.
pub(super) struct Encoder {
    scratch: Arc<dyn Scratch>,
    /// By inode: what is known of it, and a row for each name and directory that counts.
    inodes: Sorter,
    /// Bytes of all chunks.
    bytes: u64,
    has_begun: bool,
    value: Vec<u8>,
}

/// An inode counts a directory in it, or a further name.
const COUNT: &[u8] = b"";

impl EncodeEvents for Encoder {
    fn event(&mut self, sink: &mut dyn RecordSink, event: ModelEvent<'_>) -> Result<()> {
        let ModelEvent::Fs(event) = event else { return Err(misplaced("an event of another protocol")) };
        match event {
            Event::Directory(entry) | Event::Passage(entry) => {
                self.entry(sink, &entry)?;
                if entry.inode.id != ROOT {
                    self.count(entry.parent)?;
                }
                self.inode(sink, &entry)
            }
            Event::File(entry, content) => {
                self.entry(sink, &entry)?;
                self.content(sink, &entry.inode, content)?;
                self.inode(sink, &entry)
            }
            Event::Link(entry) => {
                self.entry(sink, &entry)?;
                self.count(entry.inode.id)
            }
            Event::Orphan(..) => Err(EncodeError::FsLeftover { what: "files without a name" }.into()),
            Event::OrphanChunk { .. } => Err(EncodeError::FsLeftover { what: "chunks without a file" }.into()),
            Event::End => self.finish(sink),
        }
    }
}

impl Encoder {
    pub(super) fn new(scratch: &Arc<dyn Scratch>) -> Self {
        let inodes = Sorter::new(Arc::clone(scratch), INODES_BUDGET);
        Encoder { scratch: Arc::clone(scratch), inodes, bytes: 0, has_begun: false, value: Vec::new() }
    }

    /// The name in its directory. The root has none.
    fn entry(&mut self, sink: &mut dyn RecordSink, entry: &Entry<'_>) -> Result<()> {
        let is_root = entry.inode.id == ROOT;
        if std::mem::replace(&mut self.has_begun, true) == is_root {
            return Err(misplaced("a file or directory outside of the root, or a root in it"));
        }
        if is_root {
            return Ok(());
        }
        self.value.clear();
        let mut members = begin_object(&mut self.value);
        members.number("inode", entry.inode.id);
        members.text("type", entry.inode.kind);
        members.end();
        sink.put(&keys::entry(entry.parent, entry.name), &[Body::Inline(&self.value)])
    }

    fn count(&mut self, inode: u64) -> Result<()> {
        self.inodes.push(&inode.to_be_bytes(), COUNT).map_err(scratch_error)
    }

    /// Puts the home of an inode, and keeps what is stored of it until all names have been counted.
    fn inode(&mut self, sink: &mut dyn RecordSink, entry: &Entry<'_>) -> Result<()> {
        let inode = &entry.inode;
        let value = &mut self.value;
        value.clear();
        let mut members = begin_object(value);
        members.number("home_slot", inode.id);
        members.text("state", "active");
        members.number("epoch", 1);
        members.end();
        sink.put(&keys::of_inode(Family::FsHome, inode.id), &[Body::Inline(value)])?;
        let row = [[u8::from(inode.is_directory())].as_slice(), &halves(entry)].concat();
        self.inodes.push(&inode.id.to_be_bytes(), &row).map_err(scratch_error)
    }

    fn content(&mut self, sink: &mut dyn RecordSink, inode: &Inode<'_>, content: &dyn Sparse) -> Result<()> {
        let mut chunks = Chunks {
            sink,
            scratch: &self.scratch,
            inode: inode.id,
            chunk_len: inode.chunk_len(),
            index: 0,
            open: None,
            bytes: 0,
        };
        content.for_each_part(&mut |offset, body| {
            let mut offset = offset;
            body.for_each_chunk(|piece| {
                chunks.add(offset, piece)?;
                offset = offset.saturating_add(len_of(piece));
                Ok(())
            })
        })?;
        chunks.end()?;
        self.bytes = self.bytes.saturating_add(chunks.bytes);
        Ok(())
    }

    /// Puts the inodes, and how many there are.
    fn finish(&mut self, sink: &mut dyn RecordSink) -> Result<()> {
        let empty = Sorter::new(Arc::clone(&self.scratch), INODES_BUDGET);
        let mut sorted = std::mem::replace(&mut self.inodes, empty).finish().map_err(scratch_error)?;
        let mut files = 0_u64;
        let mut at_hand = (Vec::new(), Vec::new(), 0_u32);
        loop {
            let next = sorted.next().map_err(scratch_error)?;
            let (id, row, count) = &mut at_hand;
            if next.is_none_or(|(next, _)| next != *id) && !id.is_empty() {
                put_inode(sink, id, row, *count)?;
                files = files.saturating_add(1);
                (*count, _) = (0, row.clear());
            }
            let Some((next, own)) = next else { break };
            id.clear();
            id.extend_from_slice(next);
            match own {
                COUNT => *count = count.saturating_add(1),
                own if row.is_empty() => row.extend_from_slice(own),
                _ => return Err(misplaced("an inode that comes twice")),
            }
        }
        self.value.clear();
        let mut members = begin_object(&mut self.value);
        members.number("files", files);
        members.number("bytes", self.bytes);
        members.end();
        sink.put(Family::FsUsage.prefix(), &[Body::Inline(&self.value)])
    }
}

/// The record of an inode before and behind the number of its names, with a zero byte between them.
fn halves(entry: &Entry<'_>) -> Vec<u8> {
    let inode = &entry.inode;
    let mut text = Vec::new();
    let mut members = begin_object(&mut text);
    members.number("inode", inode.id);
    members.number("parent", entry.parent);
    members.text("type", inode.kind);
    members.number("mode", inode.mode);
    members.number("uid", inode.uid);
    members.number("gid", inode.gid);
    members.number("size", inode.size);
    members.number("atime_nsec", inode.atime_nsec);
    members.number("mtime_nsec", inode.mtime_nsec);
    members.number("ctime_nsec", inode.ctime_nsec);
    members.number("chunk_size", inode.chunk_len());
    members.number("home_slot", inode.id);
    members.number("epoch", 1);
    members.name("nlink").push(0);
    members.number("generation", inode.generation);
    members.end();
    if let Some(extra) = inode.extra.strip_prefix('{') {
        text.pop();
        text.push(b',');
        text.extend_from_slice(extra.as_bytes());
    }
    text
}

/// Puts an inode with so many directories in it, or further names.
fn put_inode(sink: &mut dyn RecordSink, id: &[u8], row: &[u8], count: u32) -> Result<()> {
    let Some((is_directory, text)) = row.split_first() else {
        return Err(misplaced("a name of what has not come before"));
    };
    let mut halves = text.splitn(2, |byte| *byte == 0);
    let (before, behind) = (halves.next().unwrap_or_default(), halves.next().unwrap_or_default());
    let nlink = count.saturating_add(if *is_directory == 1 { 2 } else { 1 }).to_string();
    let key = [Family::FsInode.prefix(), id].concat();
    sink.put(&key, &[Body::Inline(before), Body::Inline(nlink.as_bytes()), Body::Inline(behind)])
}

/// Puts the chunks of a file, without the zeros at their ends.
struct Chunks<'c> {
    sink: &'c mut dyn RecordSink,
    scratch: &'c Arc<dyn Scratch>,
    inode: u64,
    chunk_len: u64,
    /// The chunk that is open, if one is.
    index: u64,
    open: Option<Spool>,
    bytes: u64,
}

impl Chunks<'_> {
    /// Adds bytes at an offset in the file, behind all that were added before.
    fn add(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        let (mut offset, mut rest) = (offset, bytes);
        while let Some(zeros) = rest.iter().position(|byte| *byte != 0) {
            rest = rest.get(zeros..).unwrap_or_default();
            offset = offset.saturating_add(u64::try_from(zeros).unwrap_or(u64::MAX));
            let (index, start) = (offset / self.chunk_len, offset % self.chunk_len);
            let room = usize::try_from(self.chunk_len.saturating_sub(start)).unwrap_or(usize::MAX);
            let piece = rest.get(..room).unwrap_or(rest);
            rest = rest.get(piece.len()..).unwrap_or_default();
            offset = offset.saturating_add(len_of(piece));
            let stored = piece.get(..=piece.iter().rposition(|byte| *byte != 0).unwrap_or(0)).unwrap_or_default();
            self.put(index, start, stored)?;
        }
        Ok(())
    }

    /// Adds bytes to a chunk.
    fn put(&mut self, index: u64, start: u64, bytes: &[u8]) -> Result<()> {
        if index != self.index {
            self.end()?;
            self.index = index;
        }
        let scratch = self.scratch;
        let spool = self.open.get_or_insert_with(|| Spool::new(Arc::clone(scratch), CHUNK_BUDGET));
        while spool.len() < start {
            let gap = usize::try_from(start.saturating_sub(spool.len())).unwrap_or(usize::MAX);
            spool.write_all(ZEROS.get(..gap).unwrap_or(&ZEROS)).map_err(scratch_error)?;
        }
        spool.write_all(bytes).map_err(scratch_error)
    }

    /// Puts the chunk that is open.
    fn end(&mut self) -> Result<()> {
        let Some(spool) = self.open.take() else { return Ok(()) };
        self.bytes = self.bytes.saturating_add(spool.len());
        let chunk = spool.into_reader().map_err(scratch_error)?;
        self.sink.put(&keys::chunk(self.inode, self.inode, self.index), &[chunk.body()])
    }
}

fn len_of(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

fn misplaced(what: &'static str) -> ekv_model::Error {
    EncodeError::Misplaced { what }.into()
}
