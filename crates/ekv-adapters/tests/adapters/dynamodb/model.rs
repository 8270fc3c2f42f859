//! Tables of any shape.

use std::collections::BTreeMap;

use ekv_model::dynamodb::{
    AttributeDefinition, Event, Index, ItemKey, KeyFormCensus, KeySchema, KeyType, KeyValue, Node, Projection, SetKind,
    Table, put_sort_key,
};
use ekv_model::{Body, Consumer, Event as ModelEvent};
use proptest::prelude::*;

use crate::dynamodb::support::{encoded, expect_round_trip};

#[derive(Clone, Debug, PartialEq)]
enum Value {
    S(String),
    N(String),
    B(Vec<u8>),
    Bool(bool),
    Null(bool),
    Ss(Vec<String>),
    Ns(Vec<String>),
    Bs(Vec<Vec<u8>>),
    L(Vec<Value>),
    M(Item),
}

type Item = BTreeMap<String, Value>;

/// A table with hash key `h`, range key `r` or none, and the indexes `i` (key `x`) and `j` (key `x` and `y`).
#[derive(Clone, Debug)]
struct TableModel {
    name: String,
    has_range: bool,
    has_indexes: bool,
    definitions: BTreeMap<String, String>,
    non_key_attributes: Vec<String>,
    items: Vec<Item>,
}

fn node(target: &mut dyn Consumer, node: Node<'_>) {
    target.event(ModelEvent::DynamoDb(Event::Node(node))).unwrap();
}

fn send_value(target: &mut dyn Consumer, value: &Value) {
    let text = |text: &'_ String| text.as_bytes().to_vec();
    let set = |target: &mut dyn Consumer, kind, members: Vec<Vec<u8>>| {
        node(target, Node::SetBegin(kind));
        members.iter().for_each(|member| node(target, Node::Member(Body::Inline(member))));
        node(target, Node::End);
    };
    match value {
        Value::S(text) => node(target, Node::String(Body::Inline(text.as_bytes()))),
        Value::N(text) => node(target, Node::Number(Body::Inline(text.as_bytes()))),
        Value::B(bytes) => node(target, Node::Binary(Body::Inline(bytes))),
        Value::Bool(is_true) => node(target, Node::Bool(*is_true)),
        Value::Null(is_null) => node(target, Node::Null(*is_null)),
        Value::Ss(members) => set(target, SetKind::String, members.iter().map(text).collect()),
        Value::Ns(members) => set(target, SetKind::Number, members.iter().map(text).collect()),
        Value::Bs(members) => set(target, SetKind::Binary, members.clone()),
        Value::L(values) => {
            node(target, Node::ListBegin);
            values.iter().for_each(|value| send_value(target, value));
            node(target, Node::End);
        }
        Value::M(attributes) => {
            node(target, Node::MapBegin);
            send_attributes(target, attributes);
            node(target, Node::End);
        }
    }
}

fn send_attributes(target: &mut dyn Consumer, attributes: &Item) {
    for (name, value) in attributes {
        node(target, Node::Name(name));
        send_value(target, value);
    }
}

fn key_value(value: &Value) -> KeyValue<'_> {
    let (key_type, bytes) = match value {
        Value::S(text) => (KeyType::String, text.as_bytes()),
        Value::N(text) => (KeyType::Number, text.as_bytes()),
        Value::B(bytes) => (KeyType::Binary, bytes.as_slice()),
        other => panic!("{other:?} is no key"),
    };
    KeyValue { key_type, bytes }
}

impl TableModel {
    /// Items by sort key; of equal keys the last one.
    fn sorted(&self) -> BTreeMap<Vec<u8>, &Item> {
        let sort_key = |item: &Item| {
            let mut sort_key = Vec::new();
            let range = self.has_range.then(|| key_value(&item["r"]));
            put_sort_key(&key_value(&item["h"]), range.as_ref(), &mut sort_key);
            sort_key
        };
        self.items.iter().map(|item| (sort_key(item), item)).collect()
    }

    fn send(&self, target: &mut dyn Consumer) {
        let sorted = self.sorted();
        let key = |sort_key: &'_ [u8], item: &'_ Item, f: &mut dyn FnMut(ItemKey<'_>)| {
            let range = self.has_range.then(|| key_value(&item["r"]));
            f(ItemKey { hash: key_value(&item["h"]), range, sort_key });
        };
        let mut census = KeyFormCensus::default();
        sorted.iter().for_each(|(sort_key, item)| key(sort_key, item, &mut |key| census.add(&key)));
        let definitions = self.definitions.iter();
        let definitions: Vec<_> =
            definitions.map(|(name, attribute_type)| AttributeDefinition { name, attribute_type }).collect();
        let non_key_attributes: Vec<&str> = self.non_key_attributes.iter().map(String::as_str).collect();
        let index = |name, range_key| Index {
            name,
            key_schema: KeySchema { hash_key: "x", range_key },
            projection: Projection { projection_type: "INCLUDE", non_key_attributes: &non_key_attributes },
        };
        let indexes = [index("i", ""), index("j", "y")];
        let table = Table {
            name: &self.name,
            schema_name: &self.name,
            primary_key: KeySchema { hash_key: "h", range_key: if self.has_range { "r" } else { "" } },
            attribute_definitions: &definitions,
            indexes: if self.has_indexes { &indexes } else { &[] },
            key_encoding_version: 2,
            generation: 1,
            migrating_from_generation: 0,
            key_forms: census.verdict(),
        };
        let mut send = |event: Event<'_>| target.event(ModelEvent::DynamoDb(event)).unwrap();
        send(Event::TableBegin(&table));
        for (sort_key, item) in &sorted {
            key(sort_key, item, &mut |key| {
                target.event(ModelEvent::DynamoDb(Event::ItemBegin { key, commit_ts: 0, bytes: None })).unwrap()
            });
            send_attributes(target, item);
            target.event(ModelEvent::DynamoDb(Event::ItemEnd)).unwrap();
        }
        target.event(ModelEvent::DynamoDb(Event::TableEnd)).unwrap();
    }
}

fn number() -> impl Strategy<Value = String> {
    let odd = vec![
        "0",
        "-0",
        "1",
        "1.0",
        " 1\t",
        "10e-1",
        "+1",
        "-1.5",
        "-15e-1",
        ".5",
        "5.",
        "007",
        "1e-130",
        "9e125",
        "1e400",
        "1e1001",
        "1e-1001",
        "1e999999",
        "1e2000000",
        "10e1999999",
        "1e 3",
        "-0.001",
    ];
    prop_oneof![prop::sample::select(odd).prop_map(str::to_owned), "-?[0-9]{1,3}(\\.[0-9]{1,3})?(e-?[0-9]{1,2})?"]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        ".{0,6}",
        "[a/.%~<\u{2028} ]{0,4}",
        Just("é".repeat(130)),
        (238_usize..243).prop_map(|len| "k".repeat(len)),
        Just("b64.x".to_owned()),
        Just("x.json".to_owned()),
        "[0-9a-f]{32}__x",
    ]
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![prop::collection::vec(any::<u8>(), 0..5), (175_usize..180).prop_map(|len| vec![0xab; len])]
}

/// A value that can be a key; of one kind in three tables of four.
fn key(kind: u8) -> BoxedStrategy<Value> {
    match kind {
        0 => text().prop_map(Value::S).boxed(),
        1 => number().prop_map(Value::N).boxed(),
        2 => bytes().prop_map(Value::B).boxed(),
        _ => prop_oneof![
            prop::sample::select(&["", "1", "a", "x", "x.json"][..]).prop_map(|text| Value::S(text.to_owned())),
            prop::sample::select(&["1", "1.0", "2"][..]).prop_map(|text| Value::N(text.to_owned())),
            prop::sample::select(vec![&b""[..], b"1", b"a"]).prop_map(|bytes| Value::B(bytes.to_vec())),
        ]
        .boxed(),
    }
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        text().prop_map(Value::S),
        prop_oneof![number(), ".{0,3}".prop_map(|text| text)].prop_map(Value::N),
        bytes().prop_map(Value::B),
        any::<bool>().prop_map(Value::Bool),
        any::<bool>().prop_map(Value::Null),
        prop::collection::vec(".{0,3}", 0..4).prop_map(Value::Ss),
        prop::collection::vec(number(), 0..4).prop_map(Value::Ns),
        prop::collection::vec(bytes(), 0..4).prop_map(Value::Bs),
    ];
    leaf.prop_recursive(4, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::L),
            prop::collection::btree_map(".{0,3}", inner, 0..4).prop_map(Value::M),
        ]
    })
}

fn item(hash: u8, range: u8, has_range: bool) -> impl Strategy<Value = Item> {
    let others = prop::collection::btree_map("[a-gé<\"]{0,3}", value(), 0..5);
    let index_keys = (prop::option::of(key(3)), prop::option::of(key(0)));
    (key(hash), key(range), others, index_keys).prop_map(move |(hash, range, mut item, (x, y))| {
        item.insert("h".to_owned(), hash);
        if has_range {
            item.insert("r".to_owned(), range);
        }
        item.extend(x.map(|x| ("x".to_owned(), x)));
        item.extend(y.map(|y| ("y".to_owned(), y)));
        item
    })
}

fn table() -> impl Strategy<Value = TableModel> {
    (0_u8..4, 0_u8..4, any::<bool>()).prop_flat_map(|(hash, range, has_range)| {
        let name = prop_oneof![Just("..".to_owned()), Just(".".to_owned()), text()];
        let definitions = prop::collection::btree_map(".{0,4}", prop_oneof![Just("S"), Just("")], 0..3)
            .prop_map(|all| all.into_iter().map(|(name, of)| (name, of.to_owned())).collect());
        let non_key_attributes = prop::collection::vec(".{0,3}", 0..3);
        let items = prop::collection::vec(item(hash, range, has_range), 0..8);
        (
            name.prop_filter("a table has a name", |name| !name.is_empty()),
            any::<bool>(),
            definitions,
            non_key_attributes,
            items,
        )
            .prop_map(move |(name, has_indexes, definitions, non_key_attributes, items)| TableModel {
                name,
                has_range,
                has_indexes,
                definitions,
                non_key_attributes,
                items,
            })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn any_tables_come_back_from_a_dump_byte_for_byte(tables in prop::collection::vec(table(), 1..3)) {
        let tables: BTreeMap<String, TableModel> = tables.into_iter().map(|table| (table.name.clone(), table)).collect();
        let records = encoded(|target| tables.values().for_each(|table| table.send(target)));
        expect_round_trip(&records);
    }
}

#[test]
fn items_of_megabytes_and_of_many_levels_come_back_byte_for_byte() {
    let long = "é<".repeat(700_000);
    let deep = (0..62).fold(Value::Null(true), |inner, level| match level % 2 {
        0 => Value::L(vec![inner]),
        _ => Value::M(BTreeMap::from([("m".to_owned(), inner)])),
    });
    let many = Value::L((0..40_000).map(|n| Value::L(vec![Value::N(n.to_string())])).collect());
    let item =
        |key: &str, value: Value| BTreeMap::from([("h".to_owned(), Value::S(key.to_owned())), ("v".to_owned(), value)]);
    let table = TableModel {
        name: "t".to_owned(),
        has_range: false,
        has_indexes: true,
        definitions: BTreeMap::new(),
        non_key_attributes: Vec::new(),
        items: vec![
            item("a", Value::S(long.clone())),
            item("b", Value::B(long.into_bytes())),
            item("c", deep),
            item("d", many),
        ],
    };
    expect_round_trip(&encoded(|target| table.send(target)));
}
