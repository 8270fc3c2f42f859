//! The value of a key as events.
//!
//! Source: `docs/format/rdb.md`, sections 1.5, 1.6 and 1.8.

use std::sync::Arc;

use ekv_model::redis::{CollectionKind, CollectionSize, Element, Event, Expiry, ExpiryOrigin, ScalarKind, StreamId};
use ekv_model::{Body, ByteSource, Finding, Findings, InMemory, payload};
use ekv_spill::Scratch;

use super::cursor::Cursor;
use super::fault::{Fault, Result, Stop};
use super::findings;
use super::gather::{Gathered, NAME_LEN_MAX};
use super::packed::{PackedReader, Packing};
use super::records::Key;
use super::skip::{Expiring, ValueType, module_name, score_of, score_text, skip_value, stream_end};
use super::stream::entries;
use super::string::{Held, load};

/// Bytes of a node of a list that hold one element as it is.
const PLAIN_NODE: u64 = 1;
/// A node of a list that is a listpack.
const PACKED_NODE: u64 = 2;

/// What happens to a hash whose fields expire one by one, which no dump can hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FieldExpiry {
    /// The hash is lost.
    #[default]
    Lose,
    /// The expiries are.
    Drop,
}

/// Makes events of values.
pub(super) struct Values<'s> {
    pub(super) scratch: Arc<dyn Scratch>,
    pub(super) field_expiry: FieldExpiry,
    pub(super) findings: Findings,
    held: Held<'s>,
    name: Vec<u8>,
    decimal: Vec<u8>,
}

/// Why a key is left out.
struct Lost(Finding, String);

type Emit<'e> = &'e mut dyn FnMut(Event<'_>) -> ekv_model::Result<()>;

impl<'s> Values<'s> {
    pub(super) fn new(scratch: &Arc<dyn Scratch>, field_expiry: FieldExpiry, findings: Findings) -> Self {
        let (held, name, decimal) = (Held::new(scratch), Vec::new(), Vec::new());
        Values { scratch: Arc::clone(scratch), field_expiry, findings, held, name, decimal }
    }

    /// Passes the value of `key` and hands its events to `emit`. A value that cannot be read is a loss: no event of it is handed on.
    pub(super) fn pass(&mut self, cursor: &mut Cursor<'s>, key: &Key, emit: Emit<'_>) -> Result<()> {
        let start = cursor.offset();
        skip_value(cursor, key.value_type)?;
        let end = cursor.offset();
        cursor.seek(start);
        match self.value(cursor, key, emit) {
            Ok(None) => {}
            Ok(Some(Lost(finding, detail))) => self.tell(finding, key, detail),
            Err(Stop::Fault(fault, _)) => self.tell(findings::MALFORMED, key, fault.to_string()),
            Err(error) => return Err(error),
        }
        cursor.seek(end);
        Ok(())
    }

    fn tell(&mut self, finding: Finding, key: &Key, detail: String) {
        self.findings.record(finding, || key.example(detail));
    }

    /// Expiry in Unix milliseconds.
    fn expiry(&mut self, key: &Key) -> Option<u64> {
        let at_ms = key.expire_at_ms?;
        if at_ms == -1 {
            self.tell(findings::NEGATIVE_EXPIRY, key, String::new());
            return None;
        }
        // Whatever else is negative has expired as what expired at once.
        Some(u64::try_from(at_ms).unwrap_or(0))
    }

    fn value(&mut self, cursor: &mut Cursor<'s>, key: &Key, emit: Emit<'_>) -> Result<Option<Lost>> {
        let expire_at_ms = self.expiry(key);
        match key.value_type {
            ValueType::String => self.string(cursor, key, expire_at_ms, emit),
            ValueType::List | ValueType::ListZiplist | ValueType::Quicklist | ValueType::Quicklist2 => {
                self.list(cursor, key, expire_at_ms, emit)
            }
            ValueType::Set | ValueType::SetIntset | ValueType::SetListpack => {
                let mut gathered = Gathered::new(&self.scratch);
                self.members(cursor, key.value_type, &mut gathered)?;
                self.emit_rows(gathered, CollectionKind::Set, key, expire_at_ms, emit)
            }
            ValueType::ZSet | ValueType::ZSetText | ValueType::ZSetZiplist | ValueType::ZSetListpack => {
                let mut gathered = Gathered::new(&self.scratch);
                self.scores(cursor, key.value_type, &mut gathered)?;
                self.emit_rows(gathered, CollectionKind::ZSet, key, expire_at_ms, emit)
            }
            ValueType::Hash
            | ValueType::HashZipmap
            | ValueType::HashZiplist
            | ValueType::HashListpack
            | ValueType::HashExpiring(_)
            | ValueType::HashListpackExpiring { .. } => {
                let mut gathered = Gathered::new(&self.scratch);
                let expiring = self.fields(cursor, key.value_type, &mut gathered)?;
                if expiring > 0 {
                    let detail = format!("{expiring} of its fields expire");
                    match self.field_expiry {
                        FieldExpiry::Lose => return Ok(Some(Lost(findings::FIELD_EXPIRY, detail))),
                        FieldExpiry::Drop => {
                            let dropped = findings::FIELD_EXPIRY.accepted_if(true);
                            self.tell(dropped, key, format!("{detail}: they are kept without expiry"));
                        }
                    }
                }
                self.emit_rows(gathered, CollectionKind::Hash, key, expire_at_ms, emit)
            }
            ValueType::Stream(form) => {
                let start = cursor.offset();
                let mut size = CollectionSize::default();
                let mut top = StreamId::default();
                entries(cursor, &mut self.held, &mut |element| {
                    if let Element::EntryBegin(id) = element {
                        top = id;
                    }
                    add(&mut size, &element);
                    Ok(())
                })?;
                let end = stream_end(cursor, form)?;
                if end.len != size.elements {
                    let detail = format!("it says {}, and has {}", end.len, size.elements);
                    self.tell(findings::STREAM_LENGTH, key, detail);
                }
                if end.last < top {
                    let detail = format!("{}-{} below {}-{}", end.last.ms, end.last.seq, top.ms, top.seq);
                    self.tell(findings::STREAM_LAST, key, detail);
                }
                if end.groups > 0 {
                    let detail = format!("groups: {}, entries not acknowledged: {}", end.groups, end.pending);
                    self.tell(findings::GROUPS, key, detail);
                }
                emit(begin(CollectionKind::Stream { last: end.last.max(top) }, key, expire_at_ms, size))?;
                cursor.seek(start);
                entries(cursor, &mut self.held, &mut |element| Ok(emit(Event::Element(element))?))?;
                emit(Event::End)?;
                Ok(None)
            }
            ValueType::Module => {
                let name = module_name(cursor.length()?);
                Ok(Some(Lost(findings::MODULE_VALUE, format!("module type {name}"))))
            }
        }
    }

    fn string(
        &mut self,
        cursor: &mut Cursor<'s>,
        key: &Key,
        expire_at_ms: Option<u64>,
        emit: Emit<'_>,
    ) -> Result<Option<Lost>> {
        let body = self.held.string(cursor)?;
        let expiry = expire_at_ms.map(|at_ms| Expiry { at_ms, origin: ExpiryOrigin::Inline });
        emit(Event::Scalar { kind: ScalarKind::String, key: &key.bytes, body, expiry, commit_ts: 0 })?;
        Ok(None)
    }

    fn list(
        &mut self,
        cursor: &mut Cursor<'s>,
        key: &Key,
        expire_at_ms: Option<u64>,
        emit: Emit<'_>,
    ) -> Result<Option<Lost>> {
        let start = cursor.offset();
        let mut size = CollectionSize::default();
        self.items(cursor, key.value_type, &mut |item| {
            add(&mut size, &Element::Item(item));
            Ok(())
        })?;
        emit(begin(CollectionKind::List, key, expire_at_ms, size))?;
        cursor.seek(start);
        self.items(cursor, key.value_type, &mut |item| Ok(emit(Event::Element(Element::Item(item)))?))?;
        emit(Event::End)?;
        Ok(None)
    }

    fn items(
        &mut self,
        cursor: &mut Cursor<'s>,
        value_type: ValueType,
        visit: &mut dyn FnMut(Body<'_>) -> Result<()>,
    ) -> Result<()> {
        let nodes = if value_type == ValueType::ListZiplist { 1 } else { cursor.count()? };
        for _ in 0..nodes {
            let packing = match value_type {
                ValueType::List => None,
                ValueType::Quicklist2 => match cursor.length()? {
                    PLAIN_NODE => None,
                    PACKED_NODE => Some(Packing::Listpack),
                    _ => return Err(cursor.fault(Fault::Listpack("a node of a list is neither plain nor packed"))),
                },
                _ => Some(Packing::Ziplist),
            };
            let node = self.held.string(cursor)?;
            let Some(packing) = packing else {
                visit(node)?;
                continue;
            };
            let mut reader = PackedReader::new(packing, node)?;
            while let Some(item) = reader.next()? {
                visit(item.text(&mut self.decimal))?;
            }
        }
        Ok(())
    }

    fn members(&mut self, cursor: &mut Cursor<'s>, value_type: ValueType, to: &mut Gathered) -> Result<()> {
        let Values { held, name, decimal, .. } = self;
        let packing = match value_type {
            ValueType::Set => {
                for _ in 0..cursor.count()? {
                    load_name(held.string(cursor)?, name)?;
                    to.push(name, Body::Inline(&[]))?;
                }
                return Ok(());
            }
            ValueType::SetIntset => Packing::Intset,
            _ => Packing::Listpack,
        };
        let mut reader = PackedReader::new(packing, held.string(cursor)?)?;
        while let Some(member) = reader.next()? {
            load_name(member.text(decimal), name)?;
            to.push(name, Body::Inline(&[]))?;
        }
        Ok(())
    }

    fn scores(&mut self, cursor: &mut Cursor<'s>, value_type: ValueType, to: &mut Gathered) -> Result<()> {
        let Values { held, name, decimal, .. } = self;
        let packing = match value_type {
            ValueType::ZSet | ValueType::ZSetText => {
                for _ in 0..cursor.count()? {
                    load_name(held.string(cursor)?, name)?;
                    let score = match value_type {
                        ValueType::ZSet => cursor.array()?,
                        _ => score_text(cursor)?.to_le_bytes(),
                    };
                    to.push(name, Body::Inline(&score))?;
                }
                return Ok(());
            }
            ValueType::ZSetZiplist => Packing::Ziplist,
            _ => Packing::Listpack,
        };
        let mut reader = PackedReader::new(packing, held.string(cursor)?)?;
        let mut text = Vec::new();
        while let Some(member) = reader.next()? {
            load_name(member.text(decimal), name)?;
            let score = reader.next()?.ok_or(Stop::Fault(Fault::Score, 0))?;
            load(score.text(decimal), "a score", SCORE_LEN_MAX, &mut text)?;
            let score = score_of(&text).ok_or(Stop::Fault(Fault::Score, 0))?;
            to.push(name, Body::Inline(&score.to_le_bytes()))?;
        }
        Ok(())
    }

    /// Gathers the fields of a hash; how many of them expire.
    fn fields(&mut self, cursor: &mut Cursor<'s>, value_type: ValueType, to: &mut Gathered) -> Result<u64> {
        let Values { held, name, decimal, .. } = self;
        let mut expiring = 0_u64;
        let packing = match value_type {
            ValueType::Hash => {
                for _ in 0..cursor.count()? {
                    load_name(held.string(cursor)?, name)?;
                    to.push(name, held.string(cursor)?)?;
                }
                return Ok(0);
            }
            ValueType::HashExpiring(form) => {
                if form == Expiring::AfterMinimum {
                    cursor.array::<8>()?;
                }
                for _ in 0..cursor.count()? {
                    let before = if form == Expiring::Valkey { 0 } else { cursor.length()? };
                    load_name(held.string(cursor)?, name)?;
                    to.push(name, held.string(cursor)?)?;
                    let expires = match form {
                        Expiring::Valkey => i64::from_le_bytes(cursor.array()?) != -1,
                        _ => before != 0,
                    };
                    expiring = expiring.saturating_add(expires.into());
                }
                return Ok(expiring);
            }
            ValueType::HashZipmap => Packing::Zipmap,
            ValueType::HashZiplist => Packing::Ziplist,
            _ => Packing::Listpack,
        };
        let has_expiries = matches!(value_type, ValueType::HashListpackExpiring { .. });
        if value_type == (ValueType::HashListpackExpiring { has_minimum: true }) {
            cursor.array::<8>()?;
        }
        let mut reader = PackedReader::new(packing, held.string(cursor)?)?;
        let cut = || Stop::Fault(Fault::Listpack("a field has no value or expiry"), 0);
        let mut text = Vec::new();
        while let Some(field) = reader.next()? {
            load_name(field.text(decimal), name)?;
            to.push(name, reader.next()?.ok_or_else(cut)?.text(decimal))?;
            if has_expiries {
                load(reader.next()?.ok_or_else(cut)?.text(decimal), "an expiry", SCORE_LEN_MAX, &mut text)?;
                expiring = expiring.saturating_add((text != b"0").into());
            }
        }
        Ok(expiring)
    }

    fn emit_rows(
        &mut self,
        gathered: Gathered,
        kind: CollectionKind,
        key: &Key,
        expire_at_ms: Option<u64>,
        emit: Emit<'_>,
    ) -> Result<Option<Lost>> {
        let rows = gathered.finish()?;
        if rows.repeated > 0 {
            self.tell(findings::REPEATED, key, format!("{} times", rows.repeated));
        }
        let size = CollectionSize { elements: rows.count, bytes: rows.bytes };
        emit(begin(kind, key, expire_at_ms, size))?;
        rows.for_each(&self.scratch, &mut |name, value| {
            let element = match kind {
                CollectionKind::Set => Element::Member(name),
                CollectionKind::ZSet => Element::Scored { member: name, score: score_in(value)? },
                _ => Element::Field { name, value },
            };
            Ok(emit(Event::Element(element))?)
        })?;
        emit(Event::End)?;
        Ok(None)
    }
}

/// Bytes of a number as text at most.
const SCORE_LEN_MAX: usize = 512;

fn load_name(body: Body<'_>, to: &mut Vec<u8>) -> Result<()> {
    load(body, "a field or member", NAME_LEN_MAX, to)
}

fn score_in(value: Body<'_>) -> Result<f64> {
    let mut bytes = [0; 8];
    let Body::Inline(score) = value else { return Err(Stop::Fault(Fault::Score, 0)) };
    InMemory(score).read_exact_at(0, &mut bytes)?;
    Ok(f64::from_le_bytes(bytes))
}

fn add(size: &mut CollectionSize, element: &Element<'_>) {
    size.elements = size.elements.saturating_add(payload::is_element(element).into());
    size.bytes = size.bytes.saturating_add(payload::element_len(element));
}

fn begin<'e>(kind: CollectionKind, key: &'e Key, expire_at_ms: Option<u64>, size: CollectionSize) -> Event<'e> {
    Event::Begin { kind, key: &key.bytes, expire_at_ms, commit_ts: 0, size: Some(size) }
}
