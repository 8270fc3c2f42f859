//! Tables and items through a writer into memory, checked as files.

use ekv_files::sink::{MemoryDump, MemoryEntries, MemorySink};
use ekv_model::dynamodb::{
    AttributeDefinition, Event, Index, ItemKey, KeyForms, KeySchema, KeyType, KeyValue, Node, Projection, SetKind,
    Table,
};
use ekv_model::{Body, Consumer, Event as ModelEvent, Findings, Protocol};

use crate::manifest::DynamodbLayout;
use crate::{DumpWriter, TreeOptions, TreeTarget};

fn table(name: &str, has_range: bool, key_forms: KeyForms) -> Table<'_> {
    Table {
        name,
        schema_name: name,
        primary_key: KeySchema { hash_key: "h", range_key: if has_range { "r" } else { "" } },
        attribute_definitions: &[],
        indexes: &[],
        key_encoding_version: 2,
        generation: 1,
        migrating_from_generation: 0,
        key_forms,
    }
}

fn key(letter: char, bytes: &[u8]) -> KeyValue<'_> {
    let key_type = match letter {
        'S' => KeyType::String,
        'N' => KeyType::Number,
        _ => KeyType::Binary,
    };
    KeyValue { key_type, bytes }
}

type Part<'a> = (char, &'a [u8]);

/// Writes tables with items that have no attributes but their place in the order.
fn write(layout: DynamodbLayout, tables: &[(Table<'_>, &[&[Part<'_>]])]) -> (MemoryEntries, Findings, Vec<String>) {
    let dump = MemoryDump::new();
    let writer = DumpWriter::new(Box::new(MemorySink::new(&dump)));
    let options = TreeOptions { dynamodb_layout: layout, ..TreeOptions::default() };
    let mut target = TreeTarget::with_options(writer, options);
    let mut send = |event: Event<'_>| target.event(ModelEvent::DynamoDb(event)).unwrap();
    for (table, items) in tables {
        send(Event::TableBegin(table));
        for (i, parts) in items.iter().enumerate() {
            let value = |at: usize| parts.get(at).map(|(letter, bytes)| key(*letter, bytes));
            let sort_key: Vec<u8> =
                parts.iter().flat_map(|(letter, bytes)| [letter.to_string().as_bytes(), bytes].concat()).collect();
            send(Event::ItemBegin {
                key: ItemKey { hash: value(0).unwrap(), range: value(1), sort_key: &sort_key },
                commit_ts: 0,
                bytes: None,
            });
            send(Event::Node(Node::Name("i")));
            send(Event::Node(Node::Number(Body::Inline(i.to_string().as_bytes()))));
            send(Event::ItemEnd);
        }
        send(Event::TableEnd);
    }
    let findings = target.findings().clone();
    let (writer, scopes) = target.finish().unwrap();
    writer.finish(b"{}").unwrap();
    (dump.entries().unwrap(), findings, scopes.of(Protocol::DynamoDb).to_vec())
}

/// Paths of the items of table `t` below its folder, with the number of the item in each.
fn placed(has_range: bool, key_forms: KeyForms, items: &[&[Part<'_>]]) -> (Vec<(String, String)>, u64) {
    let (entries, findings, _) = write(DynamodbLayout::PerItem, &[(table("t", has_range, key_forms), items)]);
    let number = |content: &Option<Vec<u8>>| {
        let text = String::from_utf8(content.clone()?).unwrap();
        text.strip_prefix("{\n  \"i\": {\n    \"N\": \"").and_then(|t| t.strip_suffix("\"\n  }\n}")).map(str::to_owned)
    };
    let below_items =
        |path: &[u8]| path.strip_prefix(b"dynamodb/t/items/").map(|name| String::from_utf8(name.to_vec()).unwrap());
    let placed: Vec<_> =
        entries.iter().filter_map(|(path, content)| Some((below_items(path)?, number(content)?))).collect();
    assert_eq!(placed.len(), items.len());
    (placed, findings.iter().map(|(_, totals)| totals.count).sum())
}

fn names(items: &[&[Part<'_>]]) -> Vec<String> {
    let (placed, _) = placed(items[0].len() == 2, KeyForms::Uniform, items);
    placed.into_iter().map(|(name, _)| name).collect()
}

#[test]
fn keys_become_names_by_their_type() {
    let long = [b'k'; 241];
    for (part, name) in [
        (('S', &b"user/3"[..]), "user%2F3.json"),
        (('S', b"%~ \0"), "%25%7E%20%00.json"),
        (('S', "é".as_bytes()), "%C3%A9.json"),
        (('S', b"."), "%2E.json"),
        (('S', b".."), "%2E%2E.json"),
        (('S', b"..."), "....json"),
        (('S', b""), ".json"),
        (('S', b"CON"), "CON.json"),
        (('S', b"b64.foo"), "__b64.foo.json"),
        (('N', b" -1.50 "), "-3%2F2.json"),
        (('N', b"1e3"), "1000.json"),
        (('N', b"-0"), "0.json"),
        (('N', b"1e2000000"), "1e2000000.json"),
        (('N', b"abc"), "abc.json"),
        (('B', b"\0\x01\xff"), "b64.AAH_.json"),
        (('B', b""), "b64..json"),
    ] {
        let found = names(&[&[part]]);
        if name.starts_with("__") {
            assert_eq!(found[0][32..], *name);
        } else {
            assert_eq!(found, [name]);
        }
    }
    assert_eq!(names(&[&[('S', &long[..240])]])[0].len(), 245);
    assert_eq!(names(&[&[('S', &long)]])[0].len(), 34 + 64 + 5);
    let bytes = [0xff; 178];
    assert!(names(&[&[('B', &bytes[..177])]])[0].starts_with("b64."));
    assert_eq!(names(&[&[('B', &bytes)]])[0][32..41], *"__%FF%FF%");
    assert_eq!(names(&[&[('N', b"1e400")]])[0][32..], format!("__1{}.json", "0".repeat(63)));
}

#[test]
fn range_tables_have_a_folder_for_each_hash_key() {
    let found = names(&[&[('B', b"\0"), ('N', b"7")], &[('B', b"\0"), ('N', b"0.5")], &[('B', b"\x01"), ('N', b"7")]]);
    assert_eq!(found, ["b64.AA/1%2F2.json", "b64.AA/7.json", "b64.AQ/7.json"]);
    assert_eq!(names(&[&[('S', b".."), ('S', b"..")]]), ["%2E%2E/%2E%2E.json"]);
    assert_eq!(names(&[&[('S', b"h"), ('S', b"")]]), ["h/.json"]);
    assert_eq!(names(&[&[('S', b""), ('S', b"x")]]), ["x.json"]);
}

#[test]
fn of_two_items_with_one_name_the_first_gets_it_and_the_other_a_name_of_its_own() {
    let (placed, collisions) =
        placed(false, KeyForms::Mixed, &[&[('N', b"1")], &[('N', b"2")], &[('S', b"1")], &[('S', b"x")]]);
    let expected = [("0", "1.json"), ("1", "2.json"), ("2", "#1.json"), ("3", "x.json")];
    assert_eq!(sorted_pairs(placed), expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
    assert_eq!(collisions, 1);
}

fn sorted_pairs(placed: Vec<(String, String)>) -> Vec<(String, String)> {
    // The hash in front of a fallback is left out.
    let short = |name: String| match name.rsplit_once("__") {
        Some((front, shown)) => format!("{}#{shown}", &front[..front.len() - 32]),
        None => name,
    };
    let mut pairs: Vec<_> = placed.into_iter().map(|(name, number)| (number, short(name))).collect();
    pairs.sort();
    pairs
}

#[test]
fn a_folder_and_a_file_of_one_name_are_kept_apart_whichever_comes_first() {
    let expect = |items: &[&[Part<'_>]], expected: &[(&str, &str)]| {
        let (placed, collisions) = placed(true, KeyForms::Mixed, items);
        let expected: Vec<_> = expected.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        assert_eq!(sorted_pairs(placed), expected);
        collisions
    };
    let file: &[Part<'_>] = &[('S', b""), ('S', b"x")];
    let nested: &[Part<'_>] = &[('S', b"x.json"), ('S', b"y")];
    let other: &[Part<'_>] = &[('S', b"x.json"), ('S', b"z")];
    let near: &[Part<'_>] = &[('S', b"x.json-"), ('S', b"y")];
    let first = [("0", "x.json"), ("1", "#y.json"), ("2", "#z.json"), ("3", "x.json-/y.json")];
    assert_eq!(expect(&[file, nested, other, near], &first), 2);
    let second = [("0", "x.json/y.json"), ("1", "#x.json"), ("2", "x.json/z.json")];
    assert_eq!(expect(&[nested, file, other], &second), 1);
    let typed: [&[Part<'_>]; 4] = [
        &[('N', b"1"), ('N', b"1")],
        &[('N', b"1"), ('S', b"1")],
        &[('S', b"1"), ('N', b"1.0")],
        &[('S', b"1"), ('S', b"2")],
    ];
    assert_eq!(expect(&typed, &[("0", "1/1.json"), ("1", "1/#1.json"), ("2", "1/#1.json"), ("3", "1/2.json")]), 2);
}

#[test]
fn uniform_tables_have_the_same_files_if_their_names_are_compared() {
    let items: Vec<Vec<u8>> = (0..300).map(|i: i32| format!("key/{i}").into_bytes()).collect();
    let parts: Vec<[Part<'_>; 1]> = items.iter().map(|key| [('S', key.as_slice())]).collect();
    let items: Vec<&[Part<'_>]> = parts.iter().map(<[Part<'_>; 1]>::as_slice).collect();
    assert_eq!(placed(false, KeyForms::Mixed, &items), placed(false, KeyForms::Uniform, &items));
}

#[test]
fn lines_come_in_the_order_of_items_and_their_file_exists_only_with_an_item() {
    let tables: [(Table<'_>, &[&[Part<'_>]]); 2] = [
        (table("..", false, KeyForms::Mixed), &[&[('N', b"1")], &[('S', b"1")]]),
        (table(".", true, KeyForms::Uniform), &[]),
    ];
    let (entries, findings, names) = write(DynamodbLayout::Jsonl, &tables);
    let lines = entries.get(&b"dynamodb/%2E%2E/items.jsonl"[..]).unwrap().as_deref();
    assert_eq!(lines, Some(&b"{\"i\":{\"N\":\"0\"}}\n{\"i\":{\"N\":\"1\"}}\n"[..]));
    assert!(entries.contains_key(&b"dynamodb/%2E/_schema.json"[..]));
    assert!(
        !entries.contains_key(&b"dynamodb/%2E/items.jsonl"[..]) && !entries.contains_key(&b"dynamodb/%2E/items"[..])
    );
    assert_eq!(findings.iter().count(), 0);
    assert_eq!(names, [".", ".."]);
}

#[test]
fn tables_without_items_have_an_empty_folder_in_the_other_layout() {
    let (entries, _, names) = write(DynamodbLayout::PerItem, &[(table("a/b", false, KeyForms::Uniform), &[])]);
    assert_eq!(entries.get(&b"dynamodb/a%2Fb/items"[..]), Some(&None));
    assert_eq!(names, ["a/b"]);
}

#[test]
fn every_kind_of_value_has_the_text_of_the_format() {
    let inline = |text: &'static [u8]| Body::Inline(text);
    let nodes = [
        Node::Name(""),
        Node::String(inline(b"<a&\xe2\x80\xa8\"\x01\xc3\xa9>")),
        Node::Name("b"),
        Node::Binary(inline(b"\xff\xfe\xfd\xfc")),
        Node::Name("bs"),
        Node::SetBegin(SetKind::Binary),
        Node::Member(inline(b"\0")),
        Node::Member(inline(b"")),
        Node::End,
        Node::Name("f"),
        Node::Bool(false),
        Node::Name("l"),
        Node::ListBegin,
        Node::Number(inline(b" 7 ")),
        Node::ListBegin,
        Node::End,
        Node::MapBegin,
        Node::Name("k"),
        Node::SetBegin(SetKind::String),
        Node::End,
        Node::End,
        Node::Missing,
        Node::End,
        Node::Name("m"),
        Node::MapBegin,
        Node::End,
        Node::Name("ns"),
        Node::SetBegin(SetKind::Number),
        Node::Member(inline(b"1.0")),
        Node::End,
        Node::Name("z"),
        Node::Null(false),
    ];
    let text = |layout| {
        let dump = MemoryDump::new();
        let writer = DumpWriter::new(Box::new(MemorySink::new(&dump)));
        let options = TreeOptions { dynamodb_layout: layout, ..TreeOptions::default() };
        let mut target = TreeTarget::with_options(writer, options);
        let mut send = |event: Event<'_>| target.event(ModelEvent::DynamoDb(event)).unwrap();
        send(Event::TableBegin(&table("t", false, KeyForms::Uniform)));
        send(Event::ItemBegin {
            key: ItemKey { hash: key('S', b"k"), range: None, sort_key: b"k" },
            commit_ts: 0,
            bytes: None,
        });
        nodes.iter().for_each(|node| send(Event::Node(*node)));
        send(Event::ItemEnd);
        send(Event::TableEnd);
        target.finish().unwrap().0.finish(b"{}").unwrap();
        let name = if layout == DynamodbLayout::Jsonl { "items.jsonl" } else { "items/k.json" };
        let content = dump.entries().unwrap().remove(format!("dynamodb/t/{name}").as_bytes()).unwrap();
        String::from_utf8(content.unwrap()).unwrap()
    };
    let line = concat!(
        r#"{"":{"S":"\u003ca\u0026\u2028\"\u0001é\u003e"},"b":{"B":"//79/A=="},"bs":{"BS":["AA==",""]},"f":{"BOOL":false},"#,
        r#""l":{"L":[{"N":" 7 "},{"L":[]},{"M":{"k":{"SS":[]}}},{"NULL":true}]},"m":{"M":{}},"ns":{"NS":["1.0"]},"z":{"NULL":false}}"#,
        "\n"
    );
    assert_eq!(text(DynamodbLayout::Jsonl), line);
    let value: serde_json::Value = serde_json::from_str(line).unwrap();
    let pretty = text(DynamodbLayout::PerItem);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&pretty).unwrap(), value);
    assert!(pretty.contains("\n      {\n        \"L\": []\n      },\n") && pretty.ends_with("\n  }\n}"), "{pretty}");
}

#[test]
fn schema_has_every_field_of_the_format_in_its_order() {
    let definitions = [("a", "N"), ("h", "S"), ("r", "B")];
    let definitions = definitions.map(|(name, attribute_type)| AttributeDefinition { name, attribute_type });
    let index = |name, range_key, projection_type, non_key_attributes| Index {
        name,
        key_schema: KeySchema { hash_key: "a", range_key },
        projection: Projection { projection_type, non_key_attributes },
    };
    let indexes = [
        index("i1", "r", "INCLUDE", &["z", "<y>"][..]),
        index("i2", "", "", &[]),
        index("i3", "undefined", "KEYS_ONLY", &[]),
    ];
    let table = Table {
        schema_name: "another",
        attribute_definitions: &definitions,
        indexes: &indexes,
        ..table("t", true, KeyForms::Uniform)
    };
    let (entries, _, _) = write(DynamodbLayout::PerItem, &[(table, &[])]);
    let text = entries.get(&b"dynamodb/t/_schema.json"[..]).unwrap().clone().unwrap();
    let compact: String = String::from_utf8(text).unwrap().split_whitespace().collect();
    let expected = concat!(
        r#"{"format_version":1,"table_name":"another","primary_key":{"hash_key":{"name":"h","type":"S"},"range_key":{"name":"r","type":"B"}},"#,
        r#""attribute_definitions":[{"name":"a","type":"N"},{"name":"h","type":"S"},{"name":"r","type":"B"}],"#,
        r#""global_secondary_indexes":[{"name":"i1","key_schema":{"hash_key":{"name":"a","type":"N"},"range_key":{"name":"r","type":"B"}},"#,
        r#""projection":{"type":"INCLUDE","non_key_attributes":["z","\u003cy\u003e"]}},"#,
        r#"{"name":"i2","key_schema":{"hash_key":{"name":"a","type":"N"},"range_key":{}},"projection":{"type":""}},"#,
        r#"{"name":"i3","key_schema":{"hash_key":{"name":"a","type":"N"},"range_key":{"name":"undefined"}},"projection":{"type":"KEYS_ONLY"}}]}"#,
    );
    assert_eq!(compact, expected);
}
