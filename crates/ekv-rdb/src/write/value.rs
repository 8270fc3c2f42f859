//! The value of one key, made of its events.
//!
//! Source: `docs/format/rdb.md`, section 1.5.

use std::sync::Arc;

use ekv_model::redis::{CollectionKind, Element, Event, ScalarKind};
use ekv_model::{Body, Class, Error, Result};
use ekv_spill::{Scratch, Spool, Spooled};

use super::refusal::{MEMORY_LEN, Refusal, Step, check_len};
use super::stream::StreamNodes;
use crate::hll::{MembersError, Registers};
use crate::length::{push_length, push_string};
use crate::listpack::BackLengths;
use crate::{Crc64, WRITTEN_VERSION};

const STRING: u8 = 0;
const LIST: u8 = 1;
const SET: u8 = 2;
const HASH: u8 = 4;
const ZSET: u8 = 5;
const STREAM: u8 = 15;

/// What became of a key.
pub enum Encoded {
    /// Its value.
    Value(Value),
    /// It cannot be given to a server.
    Refused(Refusal),
}

/// The value of a key, as it stands in files and payloads.
pub struct Value {
    value_type: u8,
    /// What stands before the elements.
    head: Vec<u8>,
    body: Spooled,
    /// What stands behind the elements.
    tail: Vec<u8>,
    elements: u64,
    has_border: bool,
}

impl Value {
    /// Its type as files and payloads name it.
    pub fn value_type(&self) -> u8 {
        self.value_type
    }

    /// Bytes behind the type.
    pub fn byte_count(&self) -> u64 {
        let ends = crate::file_len(self.head.len().saturating_add(self.tail.len()));
        self.body.len().saturating_add(ends)
    }

    /// Number of its elements; of a stream, entries. 1 for a string or HyperLogLog.
    pub fn elements(&self) -> u64 {
        self.elements
    }

    /// Whether an element of a stream has one of the lengths at which no form suits all servers: some end when they get the other one
    /// (`docs/format/rdb.md`, section 1.6).
    pub fn has_border(&self) -> bool {
        self.has_border
    }

    /// Calls `f` with its bytes, piece by piece, without the type.
    ///
    /// # Errors
    /// Those of scratch files and of `f`.
    pub fn for_each_chunk<E: From<ekv_spill::Error>>(
        &self,
        mut f: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        f(&self.head)?;
        self.body.for_each_chunk(&mut f)?;
        if self.tail.is_empty() { Ok(()) } else { f(&self.tail) }
    }

    /// Bytes of what `RESTORE` takes.
    pub fn payload_len(&self) -> u64 {
        self.byte_count().saturating_add(1 + 2 + 8)
    }

    /// Calls `f` with what `RESTORE` takes, piece by piece: type, value, version, checksum.
    ///
    /// # Errors
    /// Those of scratch files and of `f`.
    pub fn for_each_payload_chunk<E: From<ekv_spill::Error>>(
        &self,
        mut f: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut crc = Crc64::default();
        let mut counted = |chunk: &[u8]| {
            crc.update(chunk);
            f(chunk)
        };
        counted(&[self.value_type])?;
        self.for_each_chunk(&mut counted)?;
        counted(&WRITTEN_VERSION.to_le_bytes())?;
        f(&crc.value().to_le_bytes())
    }

    /// Appends what `RESTORE` takes. Cost: as many bytes as the value has.
    ///
    /// # Errors
    /// Those of scratch files.
    pub fn restore_payload(&self, to: &mut Vec<u8>) -> Result<()> {
        self.for_each_payload_chunk(|chunk| {
            to.extend_from_slice(chunk);
            Ok(())
        })
    }
}

/// Makes values of events: the elements of a collection are counted on the way, and spooled where they are many.
pub struct Encoder {
    scratch: Arc<dyn Scratch>,
    back_lengths: BackLengths,
    open: Option<OpenCollection>,
    head: Vec<u8>,
}

/// The collection that has begun.
struct OpenCollection {
    kind: CollectionKind,
    body: Spool,
    elements: u64,
    /// The last field or member.
    last: Vec<u8>,
    nodes: StreamNodes,
    refusal: Option<Refusal>,
}

impl Encoder {
    /// An encoder; `scratch` takes values of more than 64 KiB.
    pub fn new(scratch: Arc<dyn Scratch>) -> Self {
        Encoder { scratch, back_lengths: BackLengths::default(), open: None, head: Vec::new() }
    }

    /// Writes elements of the lengths at which servers differ in this form.
    #[must_use]
    pub fn with_back_lengths(self, back_lengths: BackLengths) -> Self {
        Encoder { back_lengths, ..self }
    }

    /// Takes the next event of a key; answers with its last one.
    ///
    /// Cost: at most 256 KiB of memory, and twice the longest member.
    ///
    /// # Errors
    /// Those of the body and of scratch files, and events out of turn.
    pub fn event(&mut self, event: &Event<'_>) -> Result<Option<Encoded>> {
        match *event {
            Event::Scalar { kind, body, .. } => self.scalar(kind, body).map(Some),
            Event::Begin { kind, .. } => {
                self.open = Some(OpenCollection {
                    kind,
                    body: self.spool(),
                    elements: 0,
                    last: Vec::new(),
                    nodes: StreamNodes::new(Arc::clone(&self.scratch), self.back_lengths),
                    refusal: None,
                });
                Ok(None)
            }
            Event::Element(element) => {
                let open = self.open.as_mut().ok_or_else(out_of_turn)?;
                if open.refusal.is_none() {
                    open.refusal = open.element(&element, &mut self.head)?.err();
                }
                Ok(None)
            }
            Event::End => self.open.take().ok_or_else(out_of_turn)?.finish().map(Some),
        }
    }

    fn spool(&self) -> Spool {
        Spool::new(Arc::clone(&self.scratch), MEMORY_LEN)
    }

    fn scalar(&self, kind: ScalarKind, body: Body<'_>) -> Result<Encoded> {
        let registers;
        let body = match kind {
            ScalarKind::String => body,
            ScalarKind::Hll => match Registers::of_members(body) {
                Ok(members) => {
                    registers = members.to_value();
                    Body::Inline(&registers)
                }
                Err(MembersError::Read(error)) => return Err(error),
                Err(_) => return Ok(Encoded::Refused(Refusal::NoMembers)),
            },
        };
        if let Err(refusal) = check_len(body.len()) {
            return Ok(Encoded::Refused(refusal));
        }
        let mut head = Vec::new();
        push_length(&mut head, body.len());
        let mut spool = self.spool();
        body.for_each_chunk(|chunk| Ok(spool.write_all(chunk)?))?;
        let body = spool.into_reader()?;
        Ok(Encoded::Value(Value { value_type: STRING, head, body, tail: Vec::new(), elements: 1, has_border: false }))
    }
}

impl OpenCollection {
    fn element(&mut self, element: &Element<'_>, head: &mut Vec<u8>) -> Result<Step> {
        head.clear();
        let is_counted = !matches!(element, Element::EntryField { .. } | Element::EntryEnd);
        self.elements = self.elements.saturating_add(u64::from(is_counted));
        let step = match *element {
            Element::Field { name, value } => match self.name(name, head).and_then(|()| check_len(value.len())) {
                Ok(()) => return self.value(value, head),
                Err(refusal) => Err(refusal),
            },
            Element::Item(value) => match check_len(value.len()) {
                Ok(()) => return self.value(value, head),
                Err(refusal) => Err(refusal),
            },
            Element::Member(member) => self.name(member, head),
            Element::Scored { score, .. } if score.is_nan() => Err(Refusal::NanScore),
            Element::Scored { member, score } => {
                let step = self.name(member, head);
                head.extend_from_slice(&score.to_le_bytes());
                step
            }
            Element::EntryBegin(id) => return self.nodes.begin(id, &mut self.body),
            Element::EntryField { name, value } => return self.nodes.field(name, value),
            Element::EntryEnd => return self.nodes.end(&mut self.body),
        };
        self.body.write_all(head)?;
        Ok(step)
    }

    /// A field or member, which must be above the last one.
    fn name(&mut self, name: &[u8], to: &mut Vec<u8>) -> Step {
        if self.elements > 1 && self.last.as_slice() >= name {
            return Err(Refusal::NotAscending);
        }
        self.last.clear();
        self.last.extend_from_slice(name);
        push_string(to, name);
        check_len(crate::file_len(name.len()))
    }

    fn value(&mut self, value: Body<'_>, head: &mut Vec<u8>) -> Result<Step> {
        push_length(head, value.len());
        self.body.write_all(head)?;
        value.for_each_chunk(|chunk| Ok(self.body.write_all(chunk)?))?;
        Ok(Ok(()))
    }

    fn finish(mut self) -> Result<Encoded> {
        let (mut head, mut tail) = (Vec::new(), Vec::new());
        let (value_type, count) = match self.kind {
            CollectionKind::List => (LIST, self.elements),
            CollectionKind::Set => (SET, self.elements),
            CollectionKind::Hash => (HASH, self.elements),
            CollectionKind::ZSet => (ZSET, self.elements),
            CollectionKind::Stream { last } => {
                self.nodes.finish(&mut self.body)?;
                if self.nodes.top().is_some_and(|top| last < top) {
                    self.refusal = self.refusal.or(Some(Refusal::LastBelowTop));
                }
                for length in [self.elements, last.ms, last.seq, 0] {
                    push_length(&mut tail, length);
                }
                (STREAM, self.nodes.count())
            }
        };
        if self.elements == 0 && value_type != STREAM {
            self.refusal = self.refusal.or(Some(Refusal::Empty));
        }
        if let Some(refusal) = self.refusal {
            return Ok(Encoded::Refused(refusal));
        }
        push_length(&mut head, count);
        let (body, elements, has_border) = (self.body.into_reader()?, self.elements, self.nodes.has_border());
        Ok(Encoded::Value(Value { value_type, head, body, tail, elements, has_border }))
    }
}

/// An error of whoever makes the events.
fn out_of_turn() -> Error {
    Error::new(Class::Data, "an element comes outside of a collection")
}
