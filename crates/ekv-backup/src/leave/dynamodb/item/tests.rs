//! Texts, lengths, and everything that is refused.

use ekv_model::dynamodb::{AttributeDefinition, Index, KeyForms, KeySchema, KeyValue, Projection};

use super::*;

const DEFINITIONS: [AttributeDefinition<'static>; 3] = [
    AttributeDefinition { name: "g", attribute_type: "S" },
    AttributeDefinition { name: "h", attribute_type: "S" },
    AttributeDefinition { name: "r", attribute_type: "N" },
];

fn builder() -> ItemBuilder {
    let index = Index {
        name: "by-g",
        key_schema: KeySchema { hash_key: "g", range_key: "" },
        projection: Projection { projection_type: "ALL", non_key_attributes: &[] },
    };
    ItemBuilder::new(&Table {
        name: "t",
        schema_name: "t",
        primary_key: KeySchema { hash_key: "h", range_key: "r" },
        attribute_definitions: &DEFINITIONS,
        indexes: &[index],
        key_encoding_version: 2,
        generation: 1,
        migrating_from_generation: 0,
        key_forms: KeyForms::Uniform,
    })
}

fn string(text: &str) -> Node<'_> {
    Node::String(Body::Inline(text.as_bytes()))
}

fn number(text: &str) -> Node<'_> {
    Node::Number(Body::Inline(text.as_bytes()))
}

fn member(text: &str) -> Node<'_> {
    Node::Member(Body::Inline(text.as_bytes()))
}

fn key<'k>(hash: &'k str, range: &'k str) -> ItemKey<'k> {
    ItemKey {
        hash: KeyValue { key_type: KeyType::String, bytes: hash.as_bytes() },
        range: Some(KeyValue { key_type: KeyType::Number, bytes: range.as_bytes() }),
        sort_key: b"",
    }
}

/// The text, length and changes of an item, or why it is refused.
fn built(builder: &mut ItemBuilder, key: &ItemKey<'_>, nodes: &[Node<'_>]) -> Result<(String, u64, Changed), Unfit> {
    builder.begin(key);
    for node in nodes {
        builder.node(*node).unwrap();
    }
    match builder.end().unwrap() {
        Built::Item { json, len, changed } => Ok((json.to_owned(), len, changed)),
        Built::Unfit(unfit) => Err(unfit),
    }
}

fn of(nodes: &[Node<'_>]) -> Result<(String, u64, Changed), Unfit> {
    built(&mut builder(), &key("a", "1"), nodes)
}

#[test]
fn an_item_is_one_line_and_its_length_is_that_of_names_and_values() {
    let nodes = [
        Node::Name("h"),
        string("a"),
        Node::Name("r"),
        number("1"),
        Node::Name("l"),
        Node::ListBegin,
        Node::Bool(true),
        Node::End,
    ];
    let (json, len, changed) = of(&nodes).unwrap();
    assert_eq!(json, r#"{"h":{"S":"a"},"r":{"N":"1"},"l":{"L":[{"BOOL":true}]}}"#);
    // h a, r and a number of one digit, l and a list of one Boolean.
    assert_eq!((len, changed), (1 + 1 + 1 + 2 + 1 + 3 + 1 + 1, Changed::default()));
}

#[test]
fn a_member_that_a_set_has_twice_goes_once_and_numbers_are_told_by_value() {
    let nodes = [Node::Name("s"), Node::SetBegin(SetKind::Number), member("1"), member("2"), member("1.0"), Node::End];
    let (json, _, changed) = of(&nodes).unwrap();
    assert_eq!(json, r#"{"s":{"NS":["1","2"]}}"#);
    assert_eq!(changed, Changed { numbers: true, repeats: true });
    let strings = [Node::Name("s"), Node::SetBegin(SetKind::String), member("1"), member("1.0"), Node::End];
    assert_eq!(of(&strings).unwrap().2, Changed::default());
}

#[test]
fn what_the_service_refuses_is_refused_with_its_reason() {
    let deep: Vec<Node<'_>> = std::iter::once(Node::Name("x"))
        .chain((0..33).map(|_| Node::ListBegin))
        .chain((0..33).map(|_| Node::End))
        .collect();
    let cases: [(&[Node<'_>], Unfit); 9] = [
        (&[Node::Name("x"), Node::Null(false)], Unfit::NullFalse),
        (&[Node::Name("x"), Node::Missing], Unfit::NoType),
        (&[Node::Name("x"), Node::SetBegin(SetKind::String), Node::End], Unfit::EmptySet),
        (&[Node::Name("x"), number("1e400")], Unfit::NumberRange),
        (&[Node::Name("x"), Node::ListBegin, number("nan"), Node::End], Unfit::NoNumber),
        (&[Node::Name("g"), number("1")], Unfit::IndexKey),
        (&[Node::Name("g"), string("")], Unfit::IndexKey),
        (&[Node::Name("x"), Node::SetBegin(SetKind::Number), member("x"), Node::End], Unfit::NoNumber),
        (&deep, Unfit::TooDeep),
    ];
    for (nodes, unfit) in cases {
        assert_eq!(of(nodes), Err(unfit));
    }
    let long = "x".repeat(400 << 10);
    assert_eq!(of(&[Node::Name("x"), string(&long)]), Err(Unfit::TooLong));
    assert!(of(&[Node::Name("x"), string(&long[1..])]).is_ok(), "exactly 400 KiB");
    assert!(
        of(&[Node::Name("m"), Node::MapBegin, Node::Name("g"), number("1"), Node::End]).is_ok(),
        "an index looks at attributes alone"
    );
}

#[test]
fn keys_are_judged_by_type_and_length() {
    let of_key = |key: &ItemKey<'_>| built(&mut builder(), key, &[]).map(|_| ());
    assert_eq!(of_key(&key("a", "1")), Ok(()));
    assert_eq!(of_key(&key("", "1")), Err(Unfit::EmptyKey));
    assert_eq!(of_key(&key(&"a".repeat(2048), "1")), Ok(()));
    assert_eq!(of_key(&key(&"a".repeat(2049), "1")), Err(Unfit::LongKey));
    assert_eq!(of_key(&key("a", "x")), Err(Unfit::NoNumber));
    let binary = KeyValue { key_type: KeyType::Binary, bytes: b"a" };
    assert_eq!(of_key(&ItemKey { hash: binary, ..key("a", "1") }), Err(Unfit::KeyType));
}

#[test]
fn an_item_after_a_refused_one_is_as_if_it_had_not_been() {
    let mut builder = builder();
    assert!(
        built(
            &mut builder,
            &key("a", "1"),
            &[Node::Name("x"), Node::SetBegin(SetKind::String), member("a"), Node::Missing]
        )
        .is_err()
    );
    let item = built(&mut builder, &key("b", "1"), &[Node::Name("h"), string("b")]).unwrap();
    assert_eq!(item, (r#"{"h":{"S":"b"}}"#.to_owned(), 2, Changed::default()));
}
