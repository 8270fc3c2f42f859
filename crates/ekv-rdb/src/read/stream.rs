//! The entries of a stream.
//!
//! Source: `docs/format/rdb.md`, section 1.6.

use ekv_model::redis::{Element, StreamId};
use ekv_model::{Body, KEY_LEN_MAX};

use super::cursor::Cursor;
use super::fault::{Fault, Result, Stop};
use super::packed::{Packed, PackedReader, Packing};
use super::string::{Held, load};

/// The entry is deleted.
const DELETED: i64 = 1;
/// It has the fields of the master entry.
const SAME_FIELDS: i64 = 2;
/// Bytes of an id as the name of a node.
const ID_LEN: usize = 16;
/// Bytes of all fields of a master entry that are kept in memory.
const FIELDS_LEN_MAX: usize = KEY_LEN_MAX;

/// Hands the steps of all entries to `visit`, in ascending order of their ids, deleted ones left out.
pub(super) fn entries<'s>(
    cursor: &mut Cursor<'s>,
    held: &mut Held<'s>,
    visit: &mut dyn FnMut(Element<'_>) -> Result<()>,
) -> Result<()> {
    let mut last = None;
    for _ in 0..cursor.count()? {
        let offset = cursor.offset();
        let mut name = Vec::new();
        load(held.string(cursor)?, "the id of a node", ID_LEN, &mut name)?;
        let node = held.string(cursor)?;
        let done = match name.first_chunk::<ID_LEN>() {
            Some(id) => node_entries(id_of(id), node, &mut last, visit),
            None => Err(malformed("the id of a node is too short")),
        };
        done.map_err(|stop| stop.at(offset))?;
    }
    Ok(())
}

fn id_of(name: &[u8; ID_LEN]) -> StreamId {
    let [ms, seq] = [name.first_chunk::<8>(), name.last_chunk::<8>()].map(|half| half.copied().unwrap_or_default());
    StreamId { ms: u64::from_be_bytes(ms), seq: u64::from_be_bytes(seq) }
}

fn malformed(what: &'static str) -> Stop {
    Stop::Fault(Fault::Stream(what), 0)
}

fn node_entries(
    master: StreamId,
    node: Body<'_>,
    last: &mut Option<StreamId>,
    visit: &mut dyn FnMut(Element<'_>) -> Result<()>,
) -> Result<()> {
    let mut reader = PackedReader::new(Packing::Listpack, node)?;
    let (live, deleted, count) = (number(&mut reader)?, number(&mut reader)?, number(&mut reader)?);
    if live < 0 || deleted < 0 || count < 0 {
        return Err(malformed("a node has a negative number of entries or fields"));
    }
    let mut fields: Vec<Vec<u8>> = Vec::new();
    let mut fields_len = 0_usize;
    let mut decimal = Vec::new();
    for _ in 0..count {
        let mut field = Vec::new();
        load(text(&mut reader, &mut decimal)?, "a field", FIELDS_LEN_MAX.saturating_sub(fields_len), &mut field)?;
        fields_len = fields_len.saturating_add(field.len()).saturating_add(size_of::<Vec<u8>>());
        fields.push(field);
    }
    if number(&mut reader)? != 0 {
        return Err(malformed("the master entry of a node does not end"));
    }
    let (mut live_seen, mut deleted_seen) = (0_i64, 0_i64);
    let mut name = Vec::new();
    loop {
        let flags = match reader.next()? {
            None => break,
            Some(Packed::Integer(flags)) => flags,
            Some(Packed::Text(_)) => return Err(malformed("an entry begins with a text")),
        };
        let ms = master.ms.wrapping_add(number(&mut reader)?.cast_unsigned());
        let seq = master.seq.wrapping_add(number(&mut reader)?.cast_unsigned());
        let id = StreamId { ms, seq };
        let is_deleted = flags & DELETED != 0;
        let has_own = flags & SAME_FIELDS == 0;
        let own = if has_own { number(&mut reader)? } else { count };
        if own < 0 {
            return Err(malformed("an entry has a negative number of fields"));
        }
        if is_deleted {
            deleted_seen = deleted_seen.saturating_add(1);
        } else {
            live_seen = live_seen.saturating_add(1);
            if last.is_some_and(|last| last >= id) {
                return Err(malformed("its entries do not ascend"));
            }
            *last = Some(id);
            visit(Element::EntryBegin(id))?;
        }
        let mut known = fields.iter();
        for _ in 0..own {
            if has_own {
                load(text(&mut reader, &mut decimal)?, "a field", KEY_LEN_MAX, &mut name)?;
            }
            let name = if has_own { &name } else { known.next().ok_or_else(|| malformed("a field has no name"))? };
            let value = text(&mut reader, &mut decimal)?;
            if !is_deleted {
                visit(Element::EntryField { name: Body::Inline(name), value })?;
            }
        }
        let elements = own.saturating_mul(if has_own { 2 } else { 1 }).saturating_add(if has_own { 4 } else { 3 });
        if number(&mut reader)? != elements {
            return Err(malformed("an entry does not have the elements that it says"));
        }
        if !is_deleted {
            visit(Element::EntryEnd)?;
        }
    }
    match (live_seen, deleted_seen) == (live, deleted) {
        true => Ok(()),
        false => Err(malformed("a node does not have the entries that it says")),
    }
}

fn number(reader: &mut PackedReader<'_>) -> Result<i64> {
    match reader.next()? {
        Some(Packed::Integer(value)) => Ok(value),
        Some(Packed::Text(_)) => Err(malformed("a text is where a number belongs")),
        None => Err(malformed("an entry is cut")),
    }
}

fn text<'t>(reader: &'t mut PackedReader<'_>, decimal: &'t mut Vec<u8>) -> Result<Body<'t>> {
    match reader.next()? {
        Some(packed) => Ok(packed.text(decimal)),
        None => Err(malformed("an entry is cut")),
    }
}
