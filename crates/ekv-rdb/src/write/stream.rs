//! The nodes of a stream: listpacks of some entries each.
//!
//! Source: `docs/format/rdb.md`, section 1.5.

use std::sync::Arc;

use ekv_model::redis::StreamId;
use ekv_model::{Body, Result};
use ekv_spill::{Scratch, Spool};

use super::refusal::{ENTRY_LEN_MAX, MEMORY_LEN, Refusal, Step, check_len};
use crate::file_len;
use crate::length::push_length;
use crate::listpack::{self, BackLengths, HEADER_LEN};

/// Entries of a node.
const NODE_ENTRIES: u64 = 100;
/// Bytes from which on a node gets no further entry.
const NODE_LEN: u64 = 4096;
/// Elements of the master entry: how many entries, how many deleted ones, how many common fields, and the end.
const MASTER_ELEMENTS: u64 = 4;

/// Gathers entries into nodes. Memory: at most 64 KiB each for a node and an entry.
pub(super) struct StreamNodes {
    scratch: Arc<dyn Scratch>,
    back_lengths: BackLengths,
    node: Option<Node>,
    entry: Option<Entry>,
    head: Vec<u8>,
    count: u64,
    top: Option<StreamId>,
    has_border: bool,
}

/// The node that gets entries.
struct Node {
    master: StreamId,
    entries: u64,
    elements: u64,
    bytes: Spool,
}

/// The entry that has begun, but for what stands before its fields.
struct Entry {
    id: StreamId,
    fields: u64,
    bytes: Spool,
}

impl StreamNodes {
    pub(super) fn new(scratch: Arc<dyn Scratch>, back_lengths: BackLengths) -> Self {
        StreamNodes {
            scratch,
            back_lengths,
            node: None,
            entry: None,
            head: Vec::new(),
            count: 0,
            top: None,
            has_border: false,
        }
    }

    /// Number of nodes that are finished.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Id of the newest entry.
    pub(super) fn top(&self) -> Option<StreamId> {
        self.top
    }

    /// Whether an element has a length at which servers differ.
    pub(super) fn has_border(&self) -> bool {
        self.has_border
    }

    pub(super) fn begin(&mut self, id: StreamId, to: &mut Spool) -> Result<Step> {
        if self.top.is_some_and(|top| id <= top) {
            return Ok(Err(Refusal::NotAscending));
        }
        self.top = Some(id);
        if self.node.as_ref().is_some_and(|node| node.entries >= NODE_ENTRIES) {
            self.finish(to)?;
        }
        self.entry = Some(Entry { id, fields: 0, bytes: self.spool() });
        Ok(Ok(()))
    }

    pub(super) fn field(&mut self, name: Body<'_>, value: Body<'_>) -> Result<Step> {
        let Some(entry) = &mut self.entry else { return Ok(Ok(())) };
        entry.fields = entry.fields.saturating_add(1);
        for text in [name, value] {
            if let Err(refusal) = check_len(text.len()) {
                return Ok(Err(refusal));
            }
            self.has_border |= listpack::is_border(text.len());
            text_element(text, self.back_lengths, &mut self.head, &mut entry.bytes)?;
        }
        Ok(Ok(()))
    }

    pub(super) fn end(&mut self, to: &mut Spool) -> Result<Step> {
        let Some(Entry { id, fields, bytes }) = self.entry.take() else { return Ok(Ok(())) };
        if bytes.len() > ENTRY_LEN_MAX {
            return Ok(Err(Refusal::LongEntry { len: bytes.len() }));
        }
        if self.node.as_ref().is_some_and(|node| node.bytes.len().saturating_add(bytes.len()) > NODE_LEN) {
            self.finish(to)?;
        }
        let spool = self.spool();
        let node = self.node.get_or_insert_with(|| Node { master: id, entries: 0, elements: 0, bytes: spool });
        node.entries = node.entries.saturating_add(1);
        let texts = fields.saturating_mul(2);
        node.elements = node.elements.saturating_add(texts).saturating_add(MASTER_ELEMENTS + 1);
        let head = &mut self.head;
        head.clear();
        // No flags.
        listpack::push_integer(head, 0);
        listpack::push_integer(head, difference(id.ms, node.master.ms));
        listpack::push_integer(head, difference(id.seq, node.master.seq));
        listpack::push_integer(head, signed(fields));
        node.bytes.write_all(head)?;
        bytes.into_reader()?.for_each_chunk(|chunk| node.bytes.write_all(chunk))?;
        head.clear();
        listpack::push_integer(head, signed(texts.saturating_add(MASTER_ELEMENTS)));
        node.bytes.write_all(head)?;
        Ok(Ok(()))
    }

    /// Ends the node that gets entries, if there is one.
    pub(super) fn finish(&mut self, to: &mut Spool) -> Result<()> {
        let Some(node) = self.node.take() else { return Ok(()) };
        self.count = self.count.saturating_add(1);
        let mut master = Vec::new();
        for value in [node.entries, 0, 0, 0] {
            listpack::push_integer(&mut master, signed(value));
        }
        let around = file_len(HEADER_LEN + 1).saturating_add(file_len(master.len()));
        let total_len = node.bytes.len().saturating_add(around);
        let elements = node.elements.saturating_add(MASTER_ELEMENTS);
        let head = &mut self.head;
        head.clear();
        push_length(head, 16);
        head.extend_from_slice(&node.master.ms.to_be_bytes());
        head.extend_from_slice(&node.master.seq.to_be_bytes());
        push_length(head, total_len);
        head.extend_from_slice(&listpack::header(u32::try_from(total_len).unwrap_or(u32::MAX), elements));
        head.extend_from_slice(&master);
        to.write_all(head)?;
        node.bytes.into_reader()?.for_each_chunk(|chunk| to.write_all(chunk))?;
        Ok(to.write_all(&[listpack::END])?)
    }

    fn spool(&self) -> Spool {
        Spool::new(Arc::clone(&self.scratch), MEMORY_LEN)
    }
}

/// How far a number is from that of the master, wrapping.
fn difference(number: u64, master: u64) -> i64 {
    number.wrapping_sub(master).cast_signed()
}

/// A count, which is far below its limit.
fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Writes a text as an element of a listpack.
fn text_element(text: Body<'_>, form: BackLengths, head: &mut Vec<u8>, to: &mut Spool) -> Result<()> {
    head.clear();
    listpack::push_text_head(head, u32::try_from(text.len()).unwrap_or(u32::MAX));
    let element_len = crate::file_len(head.len()).saturating_add(text.len());
    to.write_all(head)?;
    text.for_each_chunk(|chunk| Ok(to.write_all(chunk)?))?;
    head.clear();
    listpack::push_back_length(head, element_len, form);
    Ok(to.write_all(head)?)
}
