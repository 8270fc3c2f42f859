//! A file: records of one database after the other, and the checksum.
//!
//! Source: `docs/format/rdb.md`, sections 1.1 and 1.4.

use ekv_model::{CHUNK_LEN, Result};

use super::value::Value;
use crate::length::{push_length, push_string};
use crate::{Crc64, WRITTEN_VERSION, file_len};

const AUX: u8 = 0xfa;
const RESIZE_DATABASE: u8 = 0xfb;
const EXPIRY_MS: u8 = 0xfc;
const SELECT_DATABASE: u8 = 0xfe;
const END: u8 = 0xff;

/// Says who wrote the file, and how; servers pass over names that they do not know.
const PROGRAM: (&[u8], &[u8]) = (b"ekv-backup-ver", b"1");

/// A database of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Database {
    /// Its keys.
    pub keys: u64,
    /// Those of them that expire.
    pub expiring: u64,
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrittenFile {
    /// Bytes.
    pub byte_count: u64,
    /// The checksum, which is in the last eight of them.
    pub crc64: u64,
}

/// Writes a file front to back, in pieces of about 64 KiB. Who calls it makes sure that databases ascend and that no key comes twice:
/// servers end with such a file.
pub struct FileWriter<W> {
    write: W,
    crc: Crc64,
    byte_count: u64,
    buffer: Vec<u8>,
}

impl<W: FnMut(&[u8]) -> Result<()>> FileWriter<W> {
    /// Begins a file, whose bytes `write` takes.
    ///
    /// # Errors
    /// Those of `write`.
    pub fn new(write: W) -> Result<Self> {
        let mut writer = FileWriter { write, crc: Crc64::default(), byte_count: 0, buffer: Vec::new() };
        writer.put(format!("REDIS{WRITTEN_VERSION:04}").as_bytes())?;
        let (name, value) = PROGRAM;
        writer.put_with(|to| {
            to.push(AUX);
            push_string(to, name);
            push_string(to, value);
        })?;
        Ok(writer)
    }

    /// Begins a database.
    ///
    /// # Errors
    /// Those of the file.
    pub fn database(&mut self, number: u32, database: Database) -> Result<()> {
        self.put_with(|to| {
            to.push(SELECT_DATABASE);
            push_length(to, number.into());
            to.push(RESIZE_DATABASE);
            push_length(to, database.keys);
            push_length(to, database.expiring);
        })
    }

    /// Writes a key and its value; expiry in Unix milliseconds.
    ///
    /// # Errors
    /// Those of the file and of scratch files.
    pub fn record(&mut self, key: &[u8], expire_at_ms: Option<u64>, value: &Value) -> Result<()> {
        self.head(key, expire_at_ms, value.value_type())?;
        value.for_each_chunk(|chunk| self.put(chunk))
    }

    /// Writes what stands before a value.
    pub(super) fn head(&mut self, key: &[u8], expire_at_ms: Option<u64>, value_type: u8) -> Result<()> {
        self.put_with(|to| {
            if let Some(at_ms) = expire_at_ms {
                to.push(EXPIRY_MS);
                to.extend_from_slice(&at_ms.to_le_bytes());
            }
            to.push(value_type);
            push_string(to, key);
        })
    }

    /// Writes bytes that are part of a value.
    pub(super) fn put(&mut self, bytes: &[u8]) -> Result<()> {
        if bytes.len() >= CHUNK_LEN {
            self.flush()?;
            self.crc.update(bytes);
            self.byte_count = self.byte_count.saturating_add(file_len(bytes.len()));
            return (self.write)(bytes);
        }
        self.put_with(|to| to.extend_from_slice(bytes))
    }

    fn put_with(&mut self, push: impl FnOnce(&mut Vec<u8>)) -> Result<()> {
        push(&mut self.buffer);
        if self.buffer.len() < CHUNK_LEN { Ok(()) } else { self.flush() }
    }

    fn flush(&mut self) -> Result<()> {
        self.crc.update(&self.buffer);
        self.byte_count = self.byte_count.saturating_add(file_len(self.buffer.len()));
        (self.write)(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    /// Ends the file.
    ///
    /// # Errors
    /// Those of the file.
    pub fn finish(mut self) -> Result<WrittenFile> {
        self.put(&[END])?;
        self.flush()?;
        let crc64 = self.crc.value();
        (self.write)(&crc64.to_le_bytes())?;
        Ok(WrittenFile { byte_count: self.byte_count.saturating_add(8), crc64 })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;

    use ekv_model::redis::{CollectionKind, Element, Event, Expiry, ExpiryOrigin, ScalarKind, StreamId};
    use ekv_model::{Body, InMemory};
    use ekv_spill::SystemScratch;
    use ekv_testkit::vectors::{hex, rdb_of_every_type};

    use super::*;
    use crate::{BackLengths, Encoded, Encoder, Refusal};

    pub(crate) fn encoder() -> Encoder {
        Encoder::new(Arc::new(SystemScratch::new()))
    }

    fn encoded(mut encoder: Encoder, events: &[Event<'_>]) -> Encoded {
        let (last, before) = events.split_last().unwrap();
        for event in before {
            assert!(encoder.event(event).unwrap().is_none());
        }
        encoder.event(last).unwrap().unwrap()
    }

    pub(crate) fn value(events: &[Event<'_>]) -> Value {
        match encoded(encoder(), events) {
            Encoded::Value(value) => value,
            Encoded::Refused(refusal) => panic!("{refusal}"),
        }
    }

    fn refusal(events: &[Event<'_>]) -> Refusal {
        match encoded(encoder(), events) {
            Encoded::Value(value) => panic!("{} bytes", value.byte_count()),
            Encoded::Refused(refusal) => refusal,
        }
    }

    pub(crate) fn string(body: &[u8]) -> [Event<'_>; 1] {
        [scalar(ScalarKind::String, body)]
    }

    fn scalar(kind: ScalarKind, body: &[u8]) -> Event<'_> {
        let expiry = Some(Expiry { at_ms: 1, origin: ExpiryOrigin::Inline });
        Event::Scalar { kind, key: b"k", body: Body::Inline(body), expiry, commit_ts: 0 }
    }

    fn collection<'e>(kind: CollectionKind, elements: &[Element<'e>]) -> Vec<Event<'e>> {
        let begin = Event::Begin { kind, key: b"k", expire_at_ms: None, commit_ts: 0, size: None };
        let elements = elements.iter().map(|element| Event::Element(*element));
        [begin].into_iter().chain(elements).chain([Event::End]).collect()
    }

    fn field<'e>(name: &'e [u8], value: &'e [u8]) -> Element<'e> {
        Element::Field { name, value: Body::Inline(value) }
    }

    fn entry_field<'e>(name: &'e [u8], value: &'e [u8]) -> Element<'e> {
        Element::EntryField { name: Body::Inline(name), value: Body::Inline(value) }
    }

    fn id(ms: u64, seq: u64) -> StreamId {
        StreamId { ms, seq }
    }

    fn stream(last: StreamId) -> CollectionKind {
        CollectionKind::Stream { last }
    }

    fn payload(value: &Value) -> Vec<u8> {
        let mut payload = Vec::new();
        value.restore_payload(&mut payload).unwrap();
        payload
    }

    #[test]
    fn file_of_every_type_is_the_golden_one_byte_for_byte() {
        let expiry = Some(2_000_000_000_123);
        let mut bytes = Vec::new();
        let mut file = FileWriter::new(|piece: &[u8]| {
            bytes.extend_from_slice(piece);
            Ok(())
        })
        .unwrap();
        file.database(0, Database { keys: 5, expiring: 2 }).unwrap();
        file.record(b"s", expiry, &value(&string(b"\0v\xff"))).unwrap();
        let items = [&b"z"[..], b"", b"z"].map(|item| Element::Item(Body::Inline(item)));
        file.record(b"l", None, &value(&collection(CollectionKind::List, &items))).unwrap();
        let members = [&b"x"[..], b"\x80"].map(Element::Member);
        file.record(b"st", None, &value(&collection(CollectionKind::Set, &members))).unwrap();
        file.record(b"h", expiry, &value(&collection(CollectionKind::Hash, &[field(b"", b"e")]))).unwrap();
        let scores = [(&b"n"[..], f64::NEG_INFINITY), (b"p", 0.5)];
        let members = scores.map(|(member, score)| Element::Scored { member, score });
        file.record(b"z", None, &value(&collection(CollectionKind::ZSet, &members))).unwrap();
        file.database(3, Database { keys: 1, expiring: 0 }).unwrap();
        let entries = [
            Element::EntryBegin(id(1, 1)),
            entry_field(b"k", b"v"),
            entry_field(b"k", b""),
            Element::EntryEnd,
            Element::EntryBegin(id(5, 0)),
            entry_field(b"f", b"w"),
            Element::EntryEnd,
        ];
        file.record(b"x", None, &value(&collection(stream(id(9, 9)), &entries))).unwrap();
        let written = file.finish().unwrap();
        assert_eq!(bytes, rdb_of_every_type());
        assert_eq!(written, WrittenFile { byte_count: 199, crc64: 0x4250_c8bd_0cd8_ff73 });
    }

    #[test]
    fn payloads_are_those_that_servers_take() {
        let cases = [
            (value(&string(b"v")), "000176090041fa9f7e4dbee97f"),
            (value(&collection(CollectionKind::Hash, &[field(b"f", b"v")])), "04010166017609007d00129ae5006d4d"),
            (value(&collection(stream(id(9, 9)), &[])), "0f00000909000900059507727982d7d8"),
        ];
        for (value, golden) in cases {
            assert_eq!(payload(&value), hex(golden));
        }
    }

    #[test]
    fn hyperloglog_becomes_the_string_of_a_server() {
        let value = value(&[scalar(ScalarKind::Hll, b"\0RS\x01\x0a\x01a\x0a\x01b")]);
        let golden = "00 18 48594c4c01000000 0000000000000080 71a6 84 4bfb 80 425a";
        assert!(payload(&value).starts_with(&hex(golden)));
        assert_eq!(refusal(&[scalar(ScalarKind::Hll, b"HYLL")]), Refusal::NoMembers);
    }

    #[test]
    fn what_makes_servers_fail_is_refused() {
        let scored = |score| Element::Scored { member: b"m", score };
        let entry = [Element::EntryBegin(id(5, 0)), Element::EntryEnd];
        let cases = [
            (collection(CollectionKind::ZSet, &[scored(f64::NAN)]), Refusal::NanScore),
            (collection(CollectionKind::ZSet, &[scored(1.0), scored(2.0)]), Refusal::NotAscending),
            (collection(CollectionKind::Set, &[Element::Member(b"b"), Element::Member(b"a")]), Refusal::NotAscending),
            (collection(CollectionKind::Hash, &[field(b"", b"1"), field(b"", b"2")]), Refusal::NotAscending),
            (collection(CollectionKind::Set, &[]), Refusal::Empty),
            (collection(CollectionKind::List, &[]), Refusal::Empty),
            (collection(stream(id(4, u64::MAX)), &entry), Refusal::LastBelowTop),
            (collection(stream(id(5, 0)), &[entry, entry].concat()), Refusal::NotAscending),
        ];
        for (events, expected) in cases {
            assert_eq!(refusal(&events), expected);
        }
    }

    #[test]
    fn stream_gets_a_node_for_each_hundred_entries_and_for_large_ones() {
        let text = vec![b'x'; 5000];
        let entries = |count: u64, text: &[u8]| {
            let body = text.to_vec();
            let mut elements = Vec::new();
            for n in 0..count {
                elements.extend([Element::EntryBegin(id(n, 0)), entry_field(b"f", &body), Element::EntryEnd]);
            }
            let value = value(&collection(stream(id(count, 0)), &elements));
            (payload(&value)[1], value.elements())
        };
        assert_eq!(entries(250, b""), (3, 250));
        assert_eq!(entries(4, &text), (4, 4));
    }

    #[test]
    fn border_lengths_are_told_and_written_as_asked() {
        for (len, has_border) in [(16_377, false), (16_378, true), (16_379, false), (2_097_146, true)] {
            let text = vec![b'x'; len];
            let streamed = InMemory(&text);
            let field = Element::EntryField { name: Body::Inline(b"f"), value: Body::Streamed(&streamed) };
            let events = collection(stream(id(1, 0)), &[Element::EntryBegin(id(1, 0)), field, Element::EntryEnd]);
            let payload = |form| match encoded(encoder().with_back_lengths(form), &events) {
                Encoded::Value(value) => {
                    assert_eq!(value.has_border(), has_border, "{len}");
                    payload(&value)
                }
                Encoded::Refused(refusal) => panic!("{refusal}"),
            };
            let differs = payload(BackLengths::Redis) != payload(BackLengths::Valkey9);
            assert_eq!(differs, has_border, "{len}");
        }
    }
}
