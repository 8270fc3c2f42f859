//! Snapshots of DynamoDB records, decoded into a log of events.

mod generations;
mod hostile;
mod values;

use std::fmt::Write as _;
use std::sync::Arc;

use ekv_model::dynamodb::{Event, Node, push_ordered};
use ekv_model::{Body, Consumer, Event as ModelEvent, Findings, NoMonitor, Protocol, Result};
use ekv_snapshot::{ScanOptions, View, scan};
use ekv_spill::{Scratch, SystemScratch};
use ekv_testkit::SnapshotBuilder;

use super::keys::{generation_key, generation_prefix, push_name, schema_key};
use crate::{Family, Outcome, Owner, Router, Run, Tally};
use ekv_model::dynamodb::{KeyType, KeyValue};

const TS: u64 = 1 << 20;

/// Writes every event as text: a line for each table and item.
#[derive(Default)]
struct Log {
    lines: Vec<String>,
    item: String,
}

fn text(body: &Body<'_>) -> String {
    let mut bytes = Vec::new();
    body.for_each_chunk(|chunk| {
        bytes.extend_from_slice(chunk);
        Ok(())
    })
    .unwrap();
    if bytes.len() > 100 { format!("<{} bytes>", bytes.len()) } else { bytes.escape_ascii().to_string() }
}

impl Consumer for Log {
    fn event(&mut self, event: ModelEvent<'_>) -> Result<()> {
        let ModelEvent::DynamoDb(event) = event else { panic!("an event of another protocol") };
        match event {
            Event::TableBegin(table) => self.lines.push(format!("table {} {:?}", table.name, table.key_forms)),
            Event::TableEnd => self.lines.push("end".to_owned()),
            Event::ItemBegin { .. } => self.item.clear(),
            Event::Node(node) => {
                let _ = match node {
                    Node::Name(name) => write!(self.item, "{name}="),
                    Node::String(body) => write!(self.item, "S:{} ", text(&body)),
                    Node::Number(body) => write!(self.item, "N:{} ", text(&body)),
                    Node::Binary(body) => write!(self.item, "B:{} ", text(&body)),
                    Node::Bool(is_true) => write!(self.item, "{is_true} "),
                    Node::Null(is_null) => write!(self.item, "null:{is_null} "),
                    Node::Missing => write!(self.item, "missing "),
                    Node::SetBegin(kind) => write!(self.item, "{kind:?}("),
                    Node::Member(body) => write!(self.item, "{},", text(&body)),
                    Node::ListBegin => write!(self.item, "[ "),
                    Node::MapBegin => write!(self.item, "{{ "),
                    Node::End => write!(self.item, ") "),
                };
            }
            Event::ItemEnd => self.lines.push(self.item.trim_end().to_owned()),
        }
        Ok(())
    }
}

/// What a decode told.
struct Decoded {
    lines: Vec<String>,
    findings: Findings,
    tally: Tally,
}

impl Decoded {
    fn count(&self, name: &str) -> u64 {
        self.findings.iter().filter(|(finding, _)| finding.name == name).map(|(_, totals)| totals.count).sum()
    }

    fn details(&self, name: &str) -> Vec<String> {
        let found = self.findings.iter().find(|(finding, _)| finding.name == name);
        found.map_or(Vec::new(), |(_, totals)| totals.examples.iter().map(|e| e.detail.clone()).collect())
    }

    fn items(&self, outcome: Outcome) -> u64 {
        self.tally.of(Family::DdbItem).get(outcome)
    }
}

/// Decodes, and checks that every visible record got one outcome.
fn decode(snapshot: &SnapshotBuilder) -> Decoded {
    decode_bytes(snapshot.build())
}

fn decode_bytes(bytes: Vec<u8>) -> Decoded {
    let scratch: Arc<dyn Scratch> = Arc::new(SystemScratch::new());
    let input = ekv_testkit::memory_input(bytes);
    let options = ScanOptions::default();
    let (scanned, file) = scan(&input, &options, &mut Router::default(), &scratch, &NoMonitor).unwrap();
    let view = View::of_file(&file, scanned.effective_last_commit_ts);
    let mut log = Log::default();
    let mut run = Run::new(&view, &scanned.families, &mut log, &NoMonitor, scratch);
    super::decode(&mut run).unwrap();
    for family in Family::ALL.iter().filter(|family| family.owner() == Owner::Protocol(Protocol::DynamoDb)) {
        assert_eq!(run.unaccounted(*family), 0, "{}", family.name());
    }
    let visible: Vec<u64> = Family::ALL.iter().map(|family| run.visible(*family)).collect();
    let (tally, findings) = run.into_books();
    for (family, visible) in
        Family::ALL.iter().zip(visible).filter(|(family, _)| family.owner() == Owner::Protocol(Protocol::DynamoDb))
    {
        assert_eq!(tally.of(*family).total(), visible, "{}", family.name());
    }
    Decoded { lines: log.lines, findings, tally }
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(u8::try_from(value & 0x7f).unwrap() | 0x80);
        value >>= 7;
    }
    out.push(u8::try_from(value).unwrap());
    out
}

/// A field of bytes.
fn field(number: u64, bytes: &[u8]) -> Vec<u8> {
    [varint(number << 3 | 2), varint(u64::try_from(bytes.len()).unwrap()), bytes.to_vec()].concat()
}

/// A field with a number.
fn number(field_number: u64, value: u64) -> Vec<u8> {
    [varint(field_number << 3), varint(value)].concat()
}

fn entry(name: &str, value: &[u8]) -> Vec<u8> {
    field(1, &[field(1, name.as_bytes()), field(2, value)].concat())
}

fn s(text: &str) -> Vec<u8> {
    field(1, text.as_bytes())
}

fn n(text: &str) -> Vec<u8> {
    field(2, text.as_bytes())
}

fn b(bytes: &[u8]) -> Vec<u8> {
    field(3, bytes)
}

/// The value of an item record.
fn item(attributes: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let entries: Vec<Vec<u8>> = attributes.iter().map(|(name, value)| entry(name, value)).collect();
    [b"\0DI\x01".to_vec(), entries.concat()].concat()
}

/// The value of a schema record with hash key `h` and perhaps range key `r`.
fn schema(table: &str, has_range: bool, numbers: [u64; 3]) -> Vec<u8> {
    let range = if has_range { field(2, b"r") } else { Vec::new() };
    let [version, source, generation] = numbers;
    [
        b"\0DS\x01".to_vec(),
        field(1, table.as_bytes()),
        field(3, &[field(1, b"h"), range].concat()),
        number(5, version),
        number(6, source),
        number(7, generation),
    ]
    .concat()
}

fn with_table(snapshot: SnapshotBuilder, table: &str, has_range: bool, numbers: [u64; 3]) -> SnapshotBuilder {
    snapshot.put(&schema_key(table), TS, &schema(table, has_range, numbers)).put(
        &generation_key(table),
        TS,
        numbers[2].to_string().as_bytes(),
    )
}

/// What item keys of a generation begin with.
fn prefix(table: &str, generation: u64) -> Vec<u8> {
    let mut encoded = Vec::new();
    push_name(table.as_bytes(), &mut encoded);
    generation_prefix(&encoded, generation)
}

/// The user key of an item with ordered key; letters S, N and B stand for types.
fn ordered(table: &str, generation: u64, parts: &[(char, &[u8])]) -> Vec<u8> {
    let mut key = prefix(table, generation);
    for (letter, bytes) in parts {
        let key_type = match letter {
            'S' => KeyType::String,
            'N' => KeyType::Number,
            _ => KeyType::Binary,
        };
        push_ordered(&KeyValue { key_type, bytes }, &mut key);
    }
    key
}

/// The user key of an item with legacy key.
fn legacy(table: &str, generation: u64, hash: &str, range: &str) -> Vec<u8> {
    let mut key = prefix(table, generation);
    push_name(hash.as_bytes(), &mut key);
    key.push(b'|');
    push_name(range.as_bytes(), &mut key);
    key
}
