//! Streams: a line for each entry, and one about the stream. Source: `docs/format/redis.md`, section 6.4.

use ekv_files::{Error, Result};
use ekv_model::redis::{CollectionKind, Element, Event, StreamId};
use ekv_model::{Body, ByteSource};

use super::element::{Texts, read_expiry};
use super::emitter::Emitter;
use crate::expiry::EXPIRE_AT_MS_MAX;
use crate::json::{JsonReader, Position, Refuse as _};
use crate::replay::ReplayFault;
use crate::replay::text::read_value;
use crate::replay::value::ValueBuffer;

const META: &[&str] = &["_meta", "length", "last_ms", "last_seq", "expire_at_ms"];
const ENTRY: &[&str] = &["id", "fields"];
const FIELD: &[&str] = &["name", "value"];

const THE_META_LINE: &str = "the line with \"_meta\", which must be the last one";
const TRUE: &str = "true";
const LENGTH: &str = "a whole number from 0 to 2^63-1";
const HALF_ID: &str = "a whole number from 0 to 2^64-1";
const AN_ENTRY: &str = "an object with id and fields";
const AN_ID: &str = "an id as a string";
const FIELDS: &str = "an array of fields";
const A_FIELD: &str = "an object with name and value";

/// Longest text of an id, in bytes: two numbers and a dash.
const ID_LEN_MAX: usize = 41;

/// Replays the stream in `content`.
pub(super) fn replay(key: &[u8], content: &ValueBuffer, texts: &mut Texts, emitter: &mut Emitter<'_>) -> Result<()> {
    let end = last_line(content)?;
    let meta = Meta::read(content, end)?;
    let size = emitter.measure(|meter| entries(&meta, content, end, texts, meter).map(drop))?;
    let kind = CollectionKind::Stream { last: meta.last };
    emitter.emit(Event::Begin { kind, key, expire_at_ms: meta.expire_at_ms, commit_ts: 0, size })?;
    let entries = entries(&meta, content, end, texts, emitter)?;
    if entries != meta.length {
        let fault = ReplayFault::StreamLength { stated: meta.length, entries };
        return Err(Error::from(fault).at_line(end.line));
    }
    emitter.enter_line(end.line);
    emitter.emit(Event::End)
}

/// Emits the entries, which stand before `end`; returns their number.
fn entries(
    meta: &Meta,
    content: &ValueBuffer,
    end: Position,
    texts: &mut Texts,
    emitter: &mut Emitter<'_>,
) -> Result<u64> {
    let mut reader = JsonReader::lines(content);
    let mut entries = 0_u64;
    let mut previous = None;
    while reader.line() < end.line {
        let line = reader.line();
        emitter.enter_line(line);
        previous = Some(entry(&mut reader, meta.last, previous, texts, emitter)?);
        reader.end()?;
        entries = entries.saturating_add(1);
    }
    Ok(entries)
}

/// What the last line says.
struct Meta {
    length: u64,
    last: StreamId,
    expire_at_ms: Option<u64>,
}

impl Meta {
    fn read(content: &ValueBuffer, position: Position) -> Result<Self> {
        let mut meta = Meta { length: 0, last: StreamId::default(), expire_at_ms: None };
        let mut reader = JsonReader::lines(content);
        reader.seek(position);
        reader.object(THE_META_LINE, META, |reader, member| {
            match member {
                0 if reader.boolean(TRUE)? => {}
                0 => return Err(reader.expected(TRUE)),
                1 => meta.length = reader.u64(LENGTH, EXPIRE_AT_MS_MAX)?,
                2 => meta.last.ms = reader.u64(HALF_ID, u64::MAX)?,
                3 => meta.last.seq = reader.u64(HALF_ID, u64::MAX)?,
                _ => meta.expire_at_ms = read_expiry(reader)?,
            }
            Ok(())
        })?;
        reader.end()?;
        Ok(meta)
    }
}

/// Replays an entry and returns its id.
fn entry(
    reader: &mut JsonReader<'_>,
    last: StreamId,
    previous: Option<StreamId>,
    texts: &mut Texts,
    emitter: &mut Emitter<'_>,
) -> Result<StreamId> {
    let mut id = None;
    let mut fields = None;
    let line = reader.line();
    reader.object(AN_ENTRY, ENTRY, |reader, member| match (member, id) {
        (0, _) => {
            id = Some(read_id(reader)?);
            Ok(())
        }
        // The fields of an entry follow its id.
        (_, None) => {
            fields = Some(reader.position()?);
            reader.skip()
        }
        (_, Some(id)) => {
            begin(id, last, previous, line, emitter)?;
            read_fields(reader, texts, emitter)
        }
    })?;
    let id = id.unwrap_or_default();
    if let Some(fields) = fields {
        begin(id, last, previous, line, emitter)?;
        let behind = reader.position()?;
        reader.seek(fields);
        read_fields(reader, texts, emitter)?;
        reader.seek(behind);
    }
    emitter.emit(Event::Element(Element::EntryEnd))?;
    Ok(id)
}

fn begin(id: StreamId, last: StreamId, previous: Option<StreamId>, line: u64, emitter: &mut Emitter<'_>) -> Result<()> {
    let shown = |id: StreamId| format!("{}-{}", id.ms, id.seq);
    let fault = match previous {
        Some(previous) if id <= previous => ReplayFault::StreamOrder { id: shown(id), previous: shown(previous) },
        _ if id > last => ReplayFault::StreamLast { id: shown(id), last: shown(last) },
        _ => return emitter.emit(Event::Element(Element::EntryBegin(id))),
    };
    Err(Error::from(fault).at_line(line))
}

fn read_fields(reader: &mut JsonReader<'_>, texts: &mut Texts, emitter: &mut Emitter<'_>) -> Result<()> {
    reader.array(FIELDS, |reader| {
        let Texts { long_name, value, .. } = &mut *texts;
        reader.object(A_FIELD, FIELD, |reader, member| match member {
            0 => read_value(reader, long_name),
            _ => read_value(reader, value),
        })?;
        let (name, value): (Body<'_>, Body<'_>) = (long_name.body(), value.body());
        emitter.emit(Event::Element(Element::EntryField { name, value }))
    })
}

/// Reads an id in its one spelling.
fn read_id(reader: &mut JsonReader<'_>) -> Result<StreamId> {
    let start = reader.position()?;
    let mut text = Vec::new();
    reader.string(AN_ID, |piece| {
        let room = (ID_LEN_MAX + 1).saturating_sub(text.len());
        text.extend(piece.iter().take(room));
        Ok(())
    })?;
    let id = std::str::from_utf8(&text)
        .ok()
        .and_then(|text| text.split_once('-'))
        .and_then(|(ms, seq)| Some(StreamId { ms: ms.parse().ok()?, seq: seq.parse().ok()? }));
    id.filter(|id| format!("{}-{}", id.ms, id.seq).as_bytes() == text).ok_or_else(|| {
        reader.seek(start);
        reader.refuse(ReplayFault::StreamId)
    })
}

/// Where the last line begins; in an empty text, its end.
fn last_line(content: &ValueBuffer) -> Result<Position> {
    let mut last = Position { byte_offset: 0, line: 1 };
    let len = content.len();
    let mut offset = 0_u64;
    content.body().for_each_chunk(|chunk| {
        let feeds = chunk.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        for (at, _) in feeds {
            let behind = offset.saturating_add(u64::try_from(at).unwrap_or(u64::MAX)).saturating_add(1);
            if behind < len {
                last = Position { byte_offset: behind, line: last.line.saturating_add(1) };
            }
        }
        offset = offset.saturating_add(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
        Ok(())
    })?;
    Ok(last)
}
