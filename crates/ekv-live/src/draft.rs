//! The elements of a collection, kept until it is known how it is written: in memory, or in a scratch file.

use std::sync::Arc;

use ekv_model::redis::{CollectionKind, CollectionSize, Element, Event, StreamId};
use ekv_model::{Body, ByteSource, Consumer, Event as AnyEvent};
use ekv_spill::{Scratch, Spool, Spooled};

use crate::error::Result;

/// Longest collection that is written by one command, in bytes as they are kept here: the server works on nothing else meanwhile.
pub const SMALL_LEN_MAX: usize = 512 << 10;
/// Longest part that is read into memory.
const INLINE_LEN_MAX: u64 = 1 << 20;
/// Bytes that are read ahead from a scratch file.
const READ_LEN: usize = 64 << 10;

const ENTRY_END: u8 = 0;
const ENTRY: u8 = 1;
const FIELD: u8 = 2;

/// Gathers the elements of a collection.
pub struct DraftWriter {
    kind: CollectionKind,
    spool: Spool,
    elements: u64,
    bytes: u64,
}

impl DraftWriter {
    /// An empty collection; what is longer than [`SMALL_LEN_MAX`] goes to `scratch`.
    pub fn new(kind: CollectionKind, scratch: &Arc<dyn Scratch>) -> Self {
        DraftWriter { kind, spool: Spool::new(Arc::clone(scratch), SMALL_LEN_MAX), elements: 0, bytes: 0 }
    }

    /// Adds an element.
    ///
    /// # Errors
    /// Of the scratch file, or of a body that cannot be read.
    pub fn push(&mut self, element: &Element<'_>) -> Result<()> {
        self.elements = self.elements.saturating_add(u64::from(ekv_model::payload::is_element(element)));
        self.bytes = self.bytes.saturating_add(ekv_model::payload::element_len(element));
        match element {
            Element::Field { name, value } => {
                self.part(&Body::Inline(name))?;
                self.part(value)
            }
            Element::Item(value) => self.part(value),
            Element::Member(member) => self.part(&Body::Inline(member)),
            Element::Scored { member, score } => {
                self.spool.write_all(&score.to_bits().to_le_bytes())?;
                self.part(&Body::Inline(member))
            }
            Element::EntryBegin(StreamId { ms, seq }) => {
                self.spool.write_all(&[ENTRY])?;
                self.spool.write_all(&ms.to_le_bytes())?;
                Ok(self.spool.write_all(&seq.to_le_bytes())?)
            }
            Element::EntryField { name, value } => {
                self.spool.write_all(&[FIELD])?;
                self.part(name)?;
                self.part(value)
            }
            Element::EntryEnd => Ok(self.spool.write_all(&[ENTRY_END])?),
        }
    }

    fn part(&mut self, body: &Body<'_>) -> Result<()> {
        self.spool.write_all(&body.len().to_le_bytes())?;
        Ok(body.for_each_chunk(|chunk| Ok(self.spool.write_all(chunk)?))?)
    }

    /// The whole collection.
    ///
    /// # Errors
    /// Of the scratch file.
    pub fn finish(self) -> Result<Draft> {
        let DraftWriter { kind, spool, elements, bytes } = self;
        Ok(Draft { kind, content: spool.into_reader()?, elements, bytes })
    }
}

/// The elements of a collection, to be read as often as needed.
pub struct Draft {
    kind: CollectionKind,
    content: Spooled,
    elements: u64,
    bytes: u64,
}

impl Draft {
    /// Its kind.
    pub fn kind(&self) -> CollectionKind {
        self.kind
    }

    /// Number of elements; of a stream, entries.
    pub fn elements(&self) -> u64 {
        self.elements
    }

    /// Payload, as `ekv_model` counts it, in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What it takes in memory, in bytes; `None` = it is in a scratch file.
    pub fn memory_len(&self) -> Option<usize> {
        self.content.as_memory().map(<[u8]>::len)
    }

    /// Its elements from the first one on.
    pub fn reader(&self) -> DraftReader<'_> {
        DraftReader {
            content: &self.content,
            kind: self.kind,
            buffer: Vec::new(),
            buffer_start: 0,
            offset: 0,
            first: Part::default(),
            second: Part::default(),
        }
    }

    /// Hands all of it to `consumer`, as the key `key` of a logical database, with its size at the beginning.
    ///
    /// # Errors
    /// Of the scratch file and of the consumer.
    pub fn replay(
        &self,
        database: u32,
        key: &[u8],
        expire_at_ms: Option<u64>,
        consumer: &mut dyn Consumer,
    ) -> Result<()> {
        let mut put = |event: Event<'_>| consumer.event(AnyEvent::Redis { database, event });
        let size = Some(CollectionSize { elements: self.elements, bytes: self.bytes });
        put(Event::Begin { kind: self.kind, key, expire_at_ms, commit_ts: 0, size })?;
        let mut reader = self.reader();
        while let Some(element) = reader.next()? {
            put(Event::Element(element))?;
        }
        Ok(put(Event::End)?)
    }
}

/// Reads the elements of a [`Draft`]. Memory: 64 KiB, and at most 1 MiB for each part of an element.
pub struct DraftReader<'d> {
    content: &'d Spooled,
    kind: CollectionKind,
    buffer: Vec<u8>,
    buffer_start: u64,
    offset: u64,
    first: Part<'d>,
    second: Part<'d>,
}

/// A part of an element: in memory, or where it lies.
#[derive(Default)]
struct Part<'d> {
    bytes: Vec<u8>,
    long: Option<LongPart<'d>>,
}

struct LongPart<'d> {
    content: &'d Spooled,
    offset: u64,
    len: u64,
}

impl ByteSource for LongPart<'_> {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> ekv_model::Result<()> {
        Ok(self.content.read_at(self.offset.saturating_add(offset), buf)?)
    }
}

impl Part<'_> {
    fn body(&self) -> Body<'_> {
        self.long.as_ref().map_or(Body::Inline(&self.bytes), |long| Body::Streamed(long))
    }
}

impl<'d> DraftReader<'d> {
    /// The next element.
    ///
    /// # Errors
    /// Of the scratch file.
    #[expect(clippy::should_implement_trait, reason = "what it returns borrows from the reader")]
    pub fn next(&mut self) -> Result<Option<Element<'_>>> {
        if self.offset >= self.content.len() {
            return Ok(None);
        }
        Ok(Some(match self.kind {
            CollectionKind::Hash => {
                self.part(|reader| &mut reader.first, u64::MAX)?;
                self.part(|reader| &mut reader.second, INLINE_LEN_MAX)?;
                Element::Field { name: &self.first.bytes, value: self.second.body() }
            }
            CollectionKind::List => {
                self.part(|reader| &mut reader.first, INLINE_LEN_MAX)?;
                Element::Item(self.first.body())
            }
            CollectionKind::Set => {
                self.part(|reader| &mut reader.first, u64::MAX)?;
                Element::Member(&self.first.bytes)
            }
            CollectionKind::ZSet => {
                let score = f64::from_bits(self.number()?);
                self.part(|reader| &mut reader.first, u64::MAX)?;
                Element::Scored { member: &self.first.bytes, score }
            }
            CollectionKind::Stream { .. } => {
                let mut tag = [0];
                self.take(&mut tag)?;
                match tag {
                    [ENTRY] => Element::EntryBegin(StreamId { ms: self.number()?, seq: self.number()? }),
                    [FIELD] => {
                        self.part(|reader| &mut reader.first, INLINE_LEN_MAX)?;
                        self.part(|reader| &mut reader.second, INLINE_LEN_MAX)?;
                        Element::EntryField { name: self.first.body(), value: self.second.body() }
                    }
                    _ => Element::EntryEnd,
                }
            }
        }))
    }

    /// Reads the part that `place` says; a longer one than `len_max` is left where it is.
    fn part(&mut self, place: fn(&mut Self) -> &mut Part<'d>, len_max: u64) -> Result<()> {
        let len = self.number()?;
        if len > len_max {
            let long = LongPart { content: self.content, offset: self.offset, len };
            self.offset = self.offset.saturating_add(len);
            *place(self) = Part { bytes: Vec::new(), long: Some(long) };
            return Ok(());
        }
        // The memory of the part before it will do.
        let mut bytes = std::mem::take(&mut place(self).bytes);
        bytes.clear();
        bytes.resize(usize::try_from(len).unwrap_or(usize::MAX), 0);
        self.take(&mut bytes)?;
        *place(self) = Part { bytes, long: None };
        Ok(())
    }

    fn number(&mut self) -> Result<u64> {
        let mut number = [0; 8];
        self.take(&mut number)?;
        Ok(u64::from_le_bytes(number))
    }

    fn take(&mut self, to: &mut [u8]) -> Result<()> {
        let len = u64::try_from(to.len()).unwrap_or(u64::MAX);
        let at = usize::try_from(self.offset.saturating_sub(self.buffer_start)).unwrap_or(usize::MAX);
        let memory = self.content.as_memory();
        let (known, at) = match memory {
            Some(memory) => (memory, usize::try_from(self.offset).unwrap_or(usize::MAX)),
            None => (self.buffer.as_slice(), at),
        };
        let ready = known.get(at..).and_then(|rest| rest.get(..to.len())).filter(|_| self.offset >= self.buffer_start);
        match ready {
            Some(ready) => to.copy_from_slice(ready),
            None if memory.is_some() || to.len() >= READ_LEN => self.content.read_at(self.offset, to)?,
            None => {
                let left = self.content.len().saturating_sub(self.offset);
                let read = usize::try_from(left).unwrap_or(usize::MAX).min(READ_LEN).max(to.len());
                self.buffer.resize(read, 0);
                self.content.read_at(self.offset, &mut self.buffer)?;
                self.buffer_start = self.offset;
                to.copy_from_slice(self.buffer.get(..to.len()).unwrap_or_default());
            }
        }
        self.offset = self.offset.saturating_add(len);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use ekv_spill::SystemScratch;

    use super::*;

    fn texts(draft: &Draft) -> Vec<String> {
        let (mut reader, mut texts) = (draft.reader(), Vec::new());
        while let Some(element) = reader.next().unwrap() {
            let text = |body: &Body<'_>| {
                let mut bytes = Vec::new();
                body.for_each_chunk(|chunk| {
                    bytes.extend_from_slice(chunk);
                    Ok(())
                })
                .unwrap();
                format!("{}:{}", bytes.len(), bytes.iter().take(5).map(|byte| char::from(*byte)).collect::<String>())
            };
            texts.push(match element {
                Element::Field { name, value } => format!("{} {}", text(&Body::Inline(name)), text(&value)),
                Element::Item(value) => text(&value),
                Element::Member(member) => text(&Body::Inline(member)),
                Element::Scored { member, score } => format!("{score} {}", text(&Body::Inline(member))),
                Element::EntryBegin(id) => format!("{}-{}", id.ms, id.seq),
                Element::EntryField { name, value } => format!("{} {}", text(&name), text(&value)),
                Element::EntryEnd => "end".to_owned(),
            });
        }
        texts
    }

    #[test]
    fn elements_of_every_kind_and_length_come_back_in_their_order_every_time() {
        let scratch: Arc<dyn Scratch> = Arc::new(SystemScratch::new());
        let long = vec![b'x'; usize::try_from(INLINE_LEN_MAX).unwrap() + 1];
        let draft = |kind, elements: &[Element<'_>]| {
            let mut writer = DraftWriter::new(kind, &scratch);
            elements.iter().for_each(|element| writer.push(element).unwrap());
            writer.finish().unwrap()
        };
        let inline = |text: &'static str| Body::Inline(text.as_bytes());
        let field = |name: &'static str, value| Element::Field { name: name.as_bytes(), value };
        let hash = draft(
            CollectionKind::Hash,
            &[
                field("", inline("a")),
                field("b", Body::Inline(&long)),
                field("c", inline("")),
                field("d", Body::Inline(&long)),
            ],
        );
        assert_eq!((hash.memory_len(), hash.elements()), (None, 4));
        for _ in 0..2 {
            assert_eq!(texts(&hash), ["0: 1:a", "1:b 1048577:xxxxx", "1:c 0:", "1:d 1048577:xxxxx"]);
        }
        let list = draft(CollectionKind::List, &[Element::Item(inline("1")), Element::Item(inline(""))]);
        assert_eq!((texts(&list), list.memory_len()), (vec!["1:1".to_owned(), "0:".to_owned()], Some(17)));
        let zset = draft(CollectionKind::ZSet, &[Element::Scored { member: b"m", score: -0.5 }]);
        assert_eq!(texts(&zset), ["-0.5 1:m"]);
        let members: Vec<Vec<u8>> = (0..100_000_u32).map(|number| number.to_be_bytes().to_vec()).collect();
        let set = draft(CollectionKind::Set, &members.iter().map(|member| Element::Member(member)).collect::<Vec<_>>());
        assert_eq!(set.memory_len(), None);
        let mut reader = set.reader();
        for member in &members {
            assert!(matches!(reader.next().unwrap(), Some(Element::Member(read)) if read == member));
        }
        assert!(reader.next().unwrap().is_none());
        let id = StreamId { ms: 7, seq: u64::MAX };
        let stream = draft(
            CollectionKind::Stream { last: id },
            &[
                Element::EntryBegin(StreamId { ms: 1, seq: 2 }),
                Element::EntryField { name: inline("f"), value: Body::Inline(&long) },
                Element::EntryEnd,
                Element::EntryBegin(id),
                Element::EntryEnd,
            ],
        );
        let expected = ["1-2", "1:f 1048577:xxxxx", "end", "7-18446744073709551615", "end"];
        assert_eq!((texts(&stream), stream.elements()), (expected.map(str::to_owned).to_vec(), 2));
    }
}
