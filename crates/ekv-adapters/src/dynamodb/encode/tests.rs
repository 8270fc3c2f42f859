use std::collections::BTreeMap;
use std::sync::Arc;

use ekv_model::dynamodb::{
    ITEM_LEN_MAX, Index, ItemKey, KeySchema, KeyType, KeyValue, Node, Projection, SetKind, put_sort_key,
};
use ekv_model::{Consumer, Event as ModelEvent};
use ekv_spill::{Scratch, SystemScratch};

use super::*;

/// Records by user key.
#[derive(Default)]
struct Records(BTreeMap<Vec<u8>, Vec<u8>>);

impl RecordSink for Records {
    fn put(&mut self, user_key: &[u8], parts: &[Body<'_>]) -> Result<()> {
        let value = ekv_testkit::whole_value(parts)?;
        assert!(self.0.insert(user_key.to_vec(), value).is_none(), "{} twice", user_key.escape_ascii());
        Ok(())
    }
}

const INDEX: Index<'_> = Index {
    name: "i",
    key_schema: KeySchema { hash_key: "x", range_key: "y" },
    projection: Projection { projection_type: "", non_key_attributes: &["", "a"] },
};

const TABLE: Table<'_> = Table {
    name: "t",
    schema_name: "t",
    primary_key: KeySchema { hash_key: "h", range_key: "" },
    attribute_definitions: &[],
    indexes: &[INDEX],
    key_encoding_version: 0,
    generation: 7,
    migrating_from_generation: 6,
    key_forms: ekv_model::dynamodb::KeyForms::Uniform,
};

fn encode(events: &[Event<'_>]) -> Result<BTreeMap<Vec<u8>, Vec<u8>>> {
    let mut records = Records::default();
    let scratch: Arc<dyn Scratch> = Arc::new(SystemScratch::new());
    let mut encoder = crate::Encoder::new(&mut records, &scratch);
    events.iter().try_for_each(|event| encoder.event(ModelEvent::DynamoDb(*event)))?;
    Ok(records.0)
}

/// Encodes one item with hash key `k` and these attributes.
fn item(nodes: &[Node<'_>]) -> Result<BTreeMap<Vec<u8>, Vec<u8>>> {
    let hash = KeyValue { key_type: KeyType::String, bytes: b"k" };
    let mut sort_key = Vec::new();
    put_sort_key(&hash, None, &mut sort_key);
    let mut events = vec![
        Event::TableBegin(&TABLE),
        Event::ItemBegin { key: ItemKey { hash, range: None, sort_key: &sort_key }, commit_ts: 0, bytes: None },
        Event::Node(Node::Name("h")),
        Event::Node(Node::String(Body::Inline(b"k"))),
    ];
    events.extend(nodes.iter().map(|node| Event::Node(*node)));
    events.extend([Event::ItemEnd, Event::TableEnd]);
    encode(&events)
}

fn text(text: &str) -> Node<'_> {
    Node::String(Body::Inline(text.as_bytes()))
}

const KEY: &[u8] = b"!ddb|item|dA|1|k\0\x01";

#[test]
fn every_table_gets_generation_1_and_ordered_keys_and_canonical_bytes() {
    let records = item(&[]).unwrap();
    let schema = b"\0DS\x01\x0a\x01t\x1a\x03\x0a\x01h\x22\x14\x0a\x01i\x12\x0f\x0a\x06\x0a\x01x\x12\x01y\x12\x05\x12\x00\x12\x01a\x28\x02\x38\x01";
    assert_eq!(records[b"!ddb|meta|table|dA".as_slice()].escape_ascii().to_string(), schema.escape_ascii().to_string());
    assert_eq!(records[b"!ddb|meta|gen|dA".as_slice()], b"1");
    assert_eq!(records[KEY], b"\0DI\x01\x0a\x08\x0a\x01h\x12\x03\x0a\x01k");
    assert_eq!(records.len(), 3);
}

#[test]
fn index_rows_exist_for_items_with_all_attributes_of_the_key() {
    let number = |text: &'static str| Node::Number(Body::Inline(text.as_bytes()));
    let both = item(&[Node::Name("x"), text("a\0"), Node::Name("y"), number("-1.50")]).unwrap();
    let row = b"!ddb|gsi|dA|1|aQ|a\0\xff\0\x01\0\xff\xfd\xfe\xfe\xff\xce\xca\0\x01k\0\x01";
    assert_eq!(both[row.as_slice()], KEY);
    assert_eq!(both.len(), 4);
    assert_eq!(item(&[Node::Name("x"), text("a")]).unwrap().len(), 3);
    assert_eq!(item(&[Node::Name("y"), text("a")]).unwrap().len(), 3);
    // Attributes of the same name inside a map are none of the item.
    let nested = [Node::Name("m"), Node::MapBegin, Node::Name("x"), text("a"), Node::Name("y"), text("a"), Node::End];
    assert_eq!(item(&nested).unwrap().len(), 3);
}

#[test]
fn values_that_cannot_be_keys_of_an_index_give_their_item_no_row_there() {
    let long = vec![b'k'; (1 << 20) + 1];
    for value in [
        &[Node::Bool(true)][..],
        &[Node::Missing],
        &[Node::ListBegin, Node::End],
        &[Node::SetBegin(SetKind::String), Node::End],
        &[Node::Number(Body::Inline(b"abc"))],
        &[Node::String(Body::Inline(&long))],
    ] {
        let records = item(&[&[Node::Name("y")], value].concat()).unwrap();
        assert!(records.contains_key(KEY));
        assert!(!records.keys().any(|key| key.starts_with(b"!ddb|gsi|")), "{value:?}");
    }
}

#[test]
fn lengths_of_messages_of_any_size_stand_before_them() {
    for len in [0_usize, 1, 100, 127, 128, 16_383, 16_384, 300_000, 2_100_000] {
        let long = "x".repeat(len);
        let records = item(&[
            Node::Name("l"),
            Node::ListBegin,
            Node::MapBegin,
            Node::Name(&long),
            Node::ListBegin,
            text(&long),
            Node::End,
            Node::End,
            Node::SetBegin(SetKind::Binary),
            Node::Member(Body::Inline(long.as_bytes())),
            Node::End,
            Node::End,
        ])
        .unwrap();
        let field = |number: u8, content: &[u8]| {
            let mut out = vec![number << 3 | 2];
            let mut len = content.len();
            while len >= 128 {
                out.push(u8::try_from(len % 128).unwrap() | 0x80);
                len /= 128;
            }
            out.push(u8::try_from(len).unwrap());
            [out, content.to_vec()].concat()
        };
        let bytes = long.as_bytes();
        let entry = |name: &[u8], value: &[u8]| field(1, &[field(1, name), field(2, value)].concat());
        let inner = field(9, &field(1, &field(1, bytes)));
        let map = field(1, &field(10, &entry(bytes, &inner)));
        let set = field(1, &field(8, &field(1, bytes)));
        let list = field(9, &[map, set].concat());
        let expected = [b"\0DI\x01".to_vec(), entry(b"h", &field(1, b"k")), entry(b"l", &list)].concat();
        assert!(records[KEY] == expected, "{len}");
    }
}

#[test]
fn events_without_meaning_are_refused() {
    let table = Event::TableBegin(&TABLE);
    let hash = KeyValue { key_type: KeyType::String, bytes: b"k" };
    let begin =
        Event::ItemBegin { key: ItemKey { hash, range: None, sort_key: b"k\0\x01" }, commit_ts: 0, bytes: None };
    let node = Event::Node;
    let name = node(Node::Name("a"));
    for events in [
        &[begin][..],
        &[node(Node::End)],
        &[Event::ItemEnd],
        &[Event::TableEnd],
        &[table, table],
        &[table, name],
        &[table, Event::ItemEnd],
        &[table, begin, begin],
        &[table, begin, Event::TableEnd],
        &[table, begin, node(Node::Bool(true))],
        &[table, begin, name, name],
        &[table, begin, name, Event::ItemEnd],
        &[table, begin, node(Node::End)],
        &[table, begin, name, node(Node::ListBegin), name],
        &[table, begin, name, node(Node::ListBegin), Event::ItemEnd],
        &[table, begin, name, node(Node::ListBegin), node(Node::Member(Body::Inline(b"")))],
        &[table, begin, name, node(Node::MapBegin), node(Node::Bool(true))],
        &[table, begin, name, node(Node::MapBegin), name, node(Node::End)],
        &[table, begin, name, node(Node::SetBegin(SetKind::String)), node(Node::Bool(true))],
    ] {
        let error = encode(events).unwrap_err().to_string();
        assert!(error.starts_with("an event came where it has no meaning"), "{error}");
    }
    let mut deep = vec![table, begin, name];
    deep.extend([node(Node::ListBegin); 64]);
    assert!(encode(&deep).is_ok());
    deep.push(node(Node::Missing));
    let error = encode(&deep).unwrap_err().to_string();
    assert!(error.starts_with("the item has a value more than 64 levels deep"), "{error}");
}

#[test]
fn items_of_sixteen_mebibytes_are_encoded_and_longer_ones_are_refused() {
    let text = vec![b'z'; ITEM_LEN_MAX];
    // The hash key has 10 bytes; a tag and a length of the text, the value and the entry, 5 bytes each, and 3 of the name.
    let fits = ITEM_LEN_MAX - (10 + 3 * 5 + 3);
    for (len, is_accepted) in [(fits, true), (fits + 1, false), (ITEM_LEN_MAX, false)] {
        let encoded = item(&[Node::Name("a"), Node::String(Body::Inline(&text[..len]))]);
        assert_eq!(encoded.is_ok(), is_accepted, "{len}");
        if let Err(error) = encoded {
            assert!(error.to_string().starts_with("the item takes more than 16 MiB"), "{error}");
        }
    }
}
