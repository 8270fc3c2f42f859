use ekv_model::dynamodb::{
    AttributeDefinition, Event, Index, ItemKey, KeyForms, KeySchema, KeyType, KeyValue, Node, Projection, Table,
    put_sort_key,
};
use ekv_model::{Body, Consumer, Event as ModelEvent, Map, Protocol};
use ekv_testkit::selection;
use std::sync::Arc;

use crate::manifest::{Adapters, DynamodbLayout, Manifest};
use crate::replay::tests::{Dump, manifest};
use crate::replay::{Checking, ReplayOptions};

const SCHEMA: &str = "dynamodb/t/_schema.json";
const ITEM: &str = "dynamodb/t/items/a%2Fb.json";
const LINES: &str = "dynamodb/t/items.jsonl";

/// Keeps events as texts: one for each table and item.
#[derive(Default)]
struct Log(Vec<String>);

impl Consumer for Log {
    fn event(&mut self, event: ModelEvent<'_>) -> ekv_model::Result<()> {
        let ModelEvent::DynamoDb(event) = event else { panic!("{event:?}") };
        let text = |body: &Body<'_>| {
            let mut bytes = Vec::new();
            body.for_each_chunk(|chunk| {
                bytes.extend_from_slice(chunk);
                Ok(())
            })?;
            Ok::<_, ekv_model::Error>(bytes.escape_ascii().to_string())
        };
        let key = |value: KeyValue<'_>| format!("{}:{}", value.key_type.letter(), value.bytes.escape_ascii());
        let added = match event {
            Event::TableBegin(table) => {
                self.0.push(format!("table {} {:?}", table.name, table.key_forms));
                return Ok(());
            }
            Event::TableEnd => {
                self.0.push("end".to_owned());
                return Ok(());
            }
            Event::ItemBegin { key: ItemKey { hash, range, .. }, .. } => {
                let range = range.map_or(String::new(), |range| format!("/{}", key(range)));
                self.0.push(format!("{}{range}:", key(hash)));
                return Ok(());
            }
            Event::ItemEnd => return Ok(()),
            Event::Node(node) => match node {
                Node::Name(name) => format!(" {name}="),
                Node::String(body) => format!("S:{}", text(&body)?),
                Node::Number(body) => format!("N:{}", text(&body)?),
                Node::Binary(body) => format!("B:{}", text(&body)?),
                Node::Bool(is_true) => is_true.to_string(),
                Node::Null(is_null) => format!("null:{is_null}"),
                Node::Missing => "missing".to_owned(),
                Node::SetBegin(kind) => format!("{kind:?}("),
                Node::Member(body) => format!("{},", text(&body)?),
                Node::ListBegin => "[".to_owned(),
                Node::MapBegin => "{".to_owned(),
                Node::End => ")".to_owned(),
            },
        };
        self.0.last_mut().unwrap().push_str(&added);
        Ok(())
    }
}

fn ddb_manifest(layout: DynamodbLayout, tables: &[&str]) -> Manifest {
    let adapters = Adapters::default().with(Protocol::DynamoDb, tables);
    Manifest { adapters, dynamodb_layout: layout, ..manifest() }
}

fn options() -> ReplayOptions {
    let included = Map::only(&[Protocol::DynamoDb]);
    ReplayOptions { included, scope: Arc::default(), checking: Checking::All, memory_budget: 1 << 16 }
}

/// A key of type S or N, by its letter.
type Key<'a> = (char, &'a str);

fn value<'a>((letter, text): &Key<'a>) -> KeyValue<'a> {
    let key_type = if *letter == 'N' { KeyType::Number } else { KeyType::String };
    KeyValue { key_type, bytes: text.as_bytes() }
}

/// Sends a table with hash key `h` and, if items have two keys, range key `r`; every item has an attribute `v` too.
fn send_table(target: &mut dyn Consumer, name: &str, key_forms: KeyForms, items: &[&[Key<'_>]]) {
    let definitions = [AttributeDefinition { name: "h", attribute_type: "S" }];
    let has_range = items.first().is_some_and(|keys| keys.len() == 2);
    let key_schema = KeySchema { hash_key: "v", range_key: "" };
    let projection = Projection { projection_type: "INCLUDE", non_key_attributes: &["b", "a"] };
    let table = Table {
        name,
        schema_name: name,
        primary_key: KeySchema { hash_key: "h", range_key: if has_range { "r" } else { "" } },
        attribute_definitions: &definitions,
        indexes: &[Index { name: "by_v", key_schema, projection }],
        key_encoding_version: 2,
        generation: 1,
        migrating_from_generation: 0,
        key_forms,
    };
    let mut send = |event: Event<'_>| target.event(ModelEvent::DynamoDb(event)).unwrap();
    send(Event::TableBegin(&table));
    for keys in items {
        let (hash, range) = (value(&keys[0]), keys.get(1).map(value));
        let mut sort_key = Vec::new();
        put_sort_key(&hash, range.as_ref(), &mut sort_key);
        send(Event::ItemBegin { key: ItemKey { hash, range, sort_key: &sort_key }, commit_ts: 0, bytes: None });
        for (name, value) in [("h", Some(hash)), ("r", range)] {
            let Some(KeyValue { key_type, bytes }) = value else { continue };
            let body = Body::Inline(bytes);
            send(Event::Node(Node::Name(name)));
            send(Event::Node(if key_type == KeyType::Number { Node::Number(body) } else { Node::String(body) }));
        }
        send(Event::Node(Node::Name("v")));
        send(Event::Node(Node::ListBegin));
        send(Event::Node(Node::Binary(Body::Inline(b"\xff"))));
        send(Event::Node(Node::MapBegin));
        send(Event::Node(Node::Name("k")));
        send(Event::Node(Node::Bool(true)));
        send(Event::Node(Node::Name("l")));
        send(Event::Node(Node::SetBegin(ekv_model::dynamodb::SetKind::Number)));
        send(Event::Node(Node::Member(Body::Inline(b"1"))));
        send(Event::Node(Node::End));
        send(Event::Node(Node::End));
        send(Event::Node(Node::End));
        send(Event::ItemEnd);
    }
    send(Event::TableEnd);
}

/// Table `t` with hash keys `a/b` and `c`.
fn sample(layout: DynamodbLayout) -> Dump {
    Dump::sent(&ddb_manifest(layout, &["t"]), |target| {
        send_table(target, "t", KeyForms::Uniform, &[&[('S', "a/b")], &[('S', "c")]]);
    })
}

fn replayed(dump: &Dump) -> Vec<String> {
    let mut log = Log::default();
    dump.replay_to(&options(), &mut log).unwrap();
    log.0
}

fn failure(dump: &Dump) -> String {
    dump.replay_to(&options(), &mut Log::default()).err().unwrap().to_string()
}

const V: &str = " v=[B:\\xff{ k=true l=Number(1,)))";

#[test]
fn tables_come_back_from_both_layouts() {
    for layout in [DynamodbLayout::PerItem, DynamodbLayout::Jsonl] {
        let expected =
            ["table t Uniform".to_owned(), format!("S:a/b: h=S:a/b{V}"), format!("S:c: h=S:c{V}"), "end".to_owned()];
        assert_eq!(replayed(&sample(layout)), expected);
    }
}

#[test]
fn edits_that_mean_nothing_are_refused_with_file_line_and_expectation() {
    let cases = [
        (SCHEMA, "\"format_version\": 1", "\"format_version\": 2", "line 2, byte 22: expected format_version 1"),
        (SCHEMA, "  \"format_version\": 1,\n", "", "the member \"format_version\" is missing"),
        (SCHEMA, "\"table_name\": \"t\"", "\"table_name\": \"\"", "line 3, byte 41: table_name must not be empty"),
        (SCHEMA, "\"table_name\": \"t\"", "\"table_name\": \"u/\"", ": this name belongs into the directory u%2F"),
        (SCHEMA, "  \"table_name\": \"t\",\n", "", "the member \"table_name\" is missing"),
        (SCHEMA, "\"name\": \"h\"", "\"name\": \"\"", "line 6, byte 97: the name of the hash_key must not be empty"),
        (SCHEMA, "\"hash_key\"", "\"hash\"", "line 10, byte 146: expected a hash_key with a name"),
        (SCHEMA, "\"key_schema\"", "\"keys\"", "line 18, byte 271: expected a hash_key with a name"),
        (SCHEMA, "\"name\": \"by_v\"", "\"name\": 7", "line 19, byte 287: expected a string, found '7'"),
        (
            SCHEMA,
            "    {\n      \"name\": \"h\",\n      \"type\": \"S\"\n    }",
            "    {\"name\": \"h\"},\n    {\"name\": \"h\"}",
            "line 13, byte 204: the attribute definition \"h\" comes twice: names must be unique",
        ),
        (
            SCHEMA,
            "\"global_secondary_indexes\": [",
            "\"global_secondary_indexes\": [{\"name\": \"by_v\", \"key_schema\": {\"hash_key\": {\"name\": \"v\"}}},",
            "line 18, byte 331: the index \"by_v\" comes twice: names must be unique",
        ),
        (SCHEMA, "\n  ]\n}", "\n  ]\n}}", "expected the end of the file, found '}'"),
        (ITEM, "\"h\": {", "\"g\": {", "line 1: the item has no attribute \"h\", which is the hash key of its table"),
        (
            ITEM,
            "\"S\": \"a/b\"",
            "\"BOOL\": true",
            "line 2, byte 9: the key attribute \"h\" must have the type S, N or B",
        ),
        (ITEM, "\"S\": \"a/b\"", "\"N\": \"a/b\"", "line 2, byte 9: the key attribute \"h\" must be a decimal number"),
        (ITEM, "\"S\": \"a/b\"", "\"S\": \"d/b\"", ": the key of this item belongs into the file items/d%2Fb.json"),
        (ITEM, "\"S\": \"a/b\"", "\"N\": \"-1.5\"", ": the key of this item belongs into the file items/-3%2F2.json"),
        (
            ITEM,
            "\"S\": \"a/b\"",
            "\"s\": \"a/b\"",
            "line 3, byte 15: unknown member \"s\": expected \"S\", \"N\", \"B\"",
        ),
        (ITEM, "\"S\": \"a/b\"", "\"S\": 7", "line 3, byte 20: expected a string, found '7'"),
        (
            ITEM,
            "\"S\": \"a/b\"",
            "\"S\": \"a/b\", \"N\": \"1\"",
            "line 3, byte 25: expected the end of the value, which has one type, found ','",
        ),
        (ITEM, "\"S\": \"a/b\"", "", "line 4, byte 18: expected a type: S, N, B, BOOL, NULL, SS, NS, BS, L or M"),
        (ITEM, "\"BOOL\": true", "\"BOOL\": \"true\"", "expected true or false, found '\"'"),
        (ITEM, "\"BOOL\": true", "\"NULL\": null", "expected true or false, found 'n'"),
        (ITEM, "\"/w==\"", "\"/w\"", "expected base64 with padding (A-Z a-z 0-9 + / =)"),
        (ITEM, "\"/w==\"", "\"_w==\"", "expected base64 with padding (A-Z a-z 0-9 + / =)"),
        (ITEM, "\"1\"", "1", "expected the text of a number, as a string, found '1'"),
        (ITEM, "\"k\"", "\"l\"", "line 15: the attribute \"l\" on line 12 comes again: names must be unique"),
        (ITEM, "\"k\"", "\"k\\ud800\"", "the escape is half of a surrogate pair"),
        (ITEM, "\n}", "\n}, {}", "expected the end of the file, found ','"),
        (LINES, "\"a/b\"", "\"c\"", "line 2: the item in dynamodb/t/items.jsonl, line 1, has the same key"),
        (LINES, "}\n{\"h\"", "}\n\n{\"h\"", "line 2, byte 86: expected an object with the attributes of an item"),
        (LINES, "}\n{\"h\"", "} {\"h\"", "line 1, byte 86: expected the end of the line, found '{'"),
        (LINES, "\"v\":{\"L\"", "\"h\":{\"L\"", "line 1: the attribute \"h\" on line 1 comes again"),
        (LINES, "[{\"B\"", "[{\"b\"", "line 1, byte 28: unknown member \"b\""),
    ];
    let (files, lines) = (sample(DynamodbLayout::PerItem), sample(DynamodbLayout::Jsonl));
    let mut wrong = Vec::new();
    for (path, from, to, message) in cases {
        let dump = if path == LINES { &lines } else { &files };
        let error = failure(&dump.clone().edited(path, from, to).signed());
        if !error.strip_prefix(path).is_some_and(|rest| rest.contains(message)) {
            wrong.push(format!("{from} -> {to}: {error}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn entries_without_a_meaning_are_refused_with_what_may_be_there() {
    let (files, lines) = (sample(DynamodbLayout::PerItem), sample(DynamodbLayout::Jsonl));
    let cases = [
        (&files, "dynamodb/notes", "dynamodb/notes: nothing in a dump has this name: expected directories only"),
        (&files, "dynamodb/t/notes", "dynamodb/t/notes: nothing in a dump has this name: expected _schema.json"),
        (&files, "dynamodb/t/KEYMAP.jsonl", "dynamodb/t/KEYMAP.jsonl: nothing in a dump has this name"),
        (&files, "dynamodb/t/old/x", "dynamodb/t/old: nothing in a dump has this name: expected _schema.json"),
        (&files, "dynamodb/t/items/x", "dynamodb/t/items/x: nothing in a dump has this name: expected files that end"),
        (&files, "dynamodb/t/items/x/y.json", "dynamodb/t/items/x: nothing in a dump has this name: expected files"),
        (&files, "dynamodb/u/items/x.json", "dynamodb/u: _schema.json is missing in it"),
        (&files, "dynamodb/%75/x", "dynamodb/%75: the name is not in its canonical form"),
        (&files, "dynamodb/b64.AA/x", "dynamodb/b64.AA: the name is not in its canonical form"),
        (
            &files,
            LINES,
            "dynamodb/t/items.jsonl: the manifest says dynamodb_layout \"per-item\", which has no such entry: expected the directory items",
        ),
        (
            &lines,
            "dynamodb/t/items/x.json",
            "dynamodb/t/items: the manifest says dynamodb_layout \"jsonl\", which has no such entry: expected the file items.jsonl",
        ),
    ];
    for (dump, path, message) in cases {
        let error = failure(&dump.clone().with(path, b"{}").signed());
        assert!(error.starts_with(message), "{path}: {error}");
    }
    let ranges = Dump::sent(&ddb_manifest(DynamodbLayout::PerItem, &[]), |target| {
        send_table(target, "t", KeyForms::Uniform, &[&[('S', "a"), ('S', "b")]]);
    });
    let error = failure(&ranges.clone().with("dynamodb/t/items/a/c/d.json", b"{}").signed());
    assert!(error.starts_with("dynamodb/t/items/a/c: nothing in a dump has this name"), "{error}");
    let error = failure(&ranges.edited("dynamodb/t/items/a/b.json", "\"r\"", "\"q\"").signed());
    assert!(error.ends_with("line 1: the item has no attribute \"r\", which is the range key of its table"), "{error}");
}

#[test]
fn tables_that_the_manifest_lists_must_be_there() {
    let listed = |tables: &[&str]| {
        let dump = sample(DynamodbLayout::PerItem);
        let manifest = ddb_manifest(DynamodbLayout::PerItem, tables).to_bytes::<()>(None).unwrap();
        dump.with("MANIFEST.json", &manifest).signed()
    };
    replayed(&listed(&["t"]));
    replayed(&listed(&[]));
    for (tables, missing) in [(&["a", "t"][..], "a"), (&["t", "z/"], "z%2F"), (&["a", "b"], "a")] {
        let expected = format!("dynamodb/{missing}: the manifest lists it, but there is no such directory");
        assert!(failure(&listed(tables)).starts_with(&expected));
    }
    let empty = Dump::sent(&ddb_manifest(DynamodbLayout::Jsonl, &["t"]), |_| ());
    assert_eq!(failure(&empty), "dynamodb/t: the manifest lists it, but there is no such directory");
}

#[test]
fn spacing_order_of_members_unknown_members_and_line_feeds_do_not_matter() {
    let schema = "\u{20}{\"global_secondary_indexes\":[], \"future\": {\"a\": [1]},\r\n\"primary_key\":\t{\"range_key\": {\"type\": \"S\"}, \"hash_key\":{\"type\":\"N\",\"name\":\"h\"}}, \"table_name\":\"t\",\"format_version\" : 1}\n\n";
    let item = "{\"v\":{\"M\":{\"z\":{\"NULL\":true},\"a\": {\"M\" :{\"2\":{\"SS\":[]},\"1\":{\"L\":[]}}}}},\n\n \"h\":{\"S\":\"a/b\"}}\n\n";
    let dump = sample(DynamodbLayout::PerItem).with(SCHEMA, schema.as_bytes()).with(ITEM, item.as_bytes()).signed();
    assert_eq!(replayed(&dump)[1], "S:a/b: h=S:a/b v={ a={ 1=[) 2=String()) z=null:true)");

    let lines = "{\"v\":{\"L\":[]}, \"h\":{\"S\":\"b\"}} \n{\"h\":{\"S\":\"a\"}}";
    let dump = sample(DynamodbLayout::Jsonl).with(LINES, lines.as_bytes()).signed();
    assert_eq!(replayed(&dump)[1..3], ["S:a: h=S:a", "S:b: h=S:b v=[)"]);
    let dump = sample(DynamodbLayout::Jsonl).without(LINES).signed();
    assert_eq!(replayed(&dump), ["table t Uniform", "end"]);
    let dump = sample(DynamodbLayout::PerItem).without(ITEM).without("dynamodb/t/items/c.json");
    assert_eq!(replayed(&dump.signed()), ["table t Uniform", "end"]);
}

#[test]
fn table_whose_empty_directory_of_items_was_lost_on_the_way_has_no_items() {
    let dump = sample(DynamodbLayout::PerItem).without(ITEM).without("dynamodb/t/items/c.json");
    assert_eq!(replayed(&dump.without("dynamodb/t/items").signed()), ["table t Uniform", "end"]);
}

#[test]
fn names_out_of_order_that_come_twice_are_found_before_any_event() {
    let item =
        "{\"v\":{\"M\":{\"b\":{\"NULL\":true},\n\"a\":{\"NULL\":true},\n\"b\":{\"NULL\":true}}},\"h\":{\"S\":\"a/b\"}}";
    let mut log = Log::default();
    let dump = sample(DynamodbLayout::PerItem).with(ITEM, item.as_bytes()).signed();
    let error = dump.replay_to(&options(), &mut log).err().unwrap().to_string();
    assert_eq!(error, format!("{ITEM}, line 3: the attribute \"b\" on line 1 comes again: names must be unique"));
    assert_eq!(log.0, Vec::<String>::new());
}

#[test]
fn items_of_one_name_come_back_from_the_names_that_keep_them_apart() {
    let same_text: &[&[Key<'_>]] = &[&[('N', "1")], &[('S', "1")], &[('S', "2")]];
    let file_and_folder: &[&[Key<'_>]] = &[
        &[('S', ""), ('S', "x")],
        &[('S', "x.json"), ('N', "1.0")],
        &[('S', "x.json"), ('S', "1")],
        &[('S', "y"), ('N', "1.0")],
        &[('S', "y"), ('S', "1")],
    ];
    for items in [same_text, file_and_folder] {
        let dump = Dump::sent(&ddb_manifest(DynamodbLayout::PerItem, &["t"]), |target| {
            send_table(target, "t", KeyForms::Mixed, items);
        });
        let fallbacks = dump.entries.keys().filter(|path| path.windows(2).any(|pair| pair == b"__")).count();
        assert!(fallbacks > 0);
        let events = replayed(&dump);
        assert_eq!((events.len(), events[0].as_str()), (items.len() + 2, "table t Mixed"));
        let again = Dump::sent(&ddb_manifest(DynamodbLayout::PerItem, &["t"]), |target| {
            dump.replay_to(&options(), target).unwrap();
        });
        assert_eq!(again, dump);
    }
}

#[test]
fn equal_keys_in_two_files_are_found() {
    let item = "{\"h\":{\"N\":\"1e2000000\"}}";
    let path = |number: &str| format!("dynamodb/t/items/{number}.json");
    let dump = sample(DynamodbLayout::PerItem)
        .with(&path("1e2000000"), item.as_bytes())
        .with(&path("10e1999999"), item.replace("1e2000000", "10e1999999").as_bytes())
        .signed();
    let expected = "dynamodb/t/items/1e2000000.json, line 1: the item in dynamodb/t/items/10e1999999.json, line 1, has the same key";
    assert_eq!(failure(&dump), expected);
}

#[test]
fn numbers_far_from_one_may_have_the_name_that_the_reference_gives_them() {
    let name = "0123456789abcdef0123456789abcdef__10000";
    let with = |number: &str| {
        let item = format!("{{\"h\":{{\"N\":\"{number}\"}}}}");
        sample(DynamodbLayout::PerItem).with(&format!("dynamodb/t/items/{name}.json"), item.as_bytes()).signed()
    };
    assert_eq!(replayed(&with("1e5000"))[1], "N:1e5000: h=N:1e5000");
    assert!(failure(&with("1e10")).ends_with("belongs into the file items/10000000000.json"));
    assert!(failure(&with("1e2000000")).ends_with("belongs into the file items/1e2000000.json"));
}

#[test]
fn selected_tables_alone_are_read_and_the_rest_need_only_be_there() {
    let long = "k".repeat(300);
    for layout in [DynamodbLayout::PerItem, DynamodbLayout::Jsonl] {
        let dump = Dump::sent(&ddb_manifest(layout, &["a", "t/1"]), |target| {
            for name in ["a", "t/1", &long] {
                send_table(target, name, KeyForms::Uniform, &[&[('S', "k")]]);
            }
        });
        let changed = dump.with("dynamodb/a/_schema.json", b"changed");
        let selection = selection([b"x".to_vec()], [b"t%2F".to_vec()]);
        let mut log = Log::default();
        let replayed = changed.replay_to(&ReplayOptions { scope: selection, ..options() }, &mut log).unwrap();
        assert_eq!((log.0.len(), log.0[0].as_str()), (3, "table t/1 Uniform"));
        // Only the schema of the table tells what a name with a hash stands for.
        assert_eq!((replayed.totals.files, replayed.totals.files_left_out), (4, 3), "{layout:?}");
    }
}

#[test]
fn errors_of_the_target_name_the_file_and_line_of_the_event() {
    struct Refuses;
    impl Consumer for Refuses {
        fn event(&mut self, event: ModelEvent<'_>) -> ekv_model::Result<()> {
            match event {
                ModelEvent::DynamoDb(Event::Node(Node::Bool(_))) => {
                    Err(ekv_model::Error::new(ekv_model::Class::Data, "no"))
                }
                _ => Ok(()),
            }
        }
    }
    let error = |layout| sample(layout).replay_to(&options(), &mut Refuses).err().unwrap().to_string();
    assert_eq!(error(DynamodbLayout::PerItem), format!("{ITEM}, line 12: no"));
    assert_eq!(error(DynamodbLayout::Jsonl), format!("{LINES}, line 1: no"));
}

#[test]
fn a_changed_file_is_named_before_what_it_says_makes_no_sense() {
    let error = failure(&sample(DynamodbLayout::PerItem).edited(ITEM, "\"S\"", "\"X\""));
    assert!(
        error.starts_with(&format!("{ITEM}: the contents do not match CHECKSUMS; then: {ITEM}, line 3")),
        "{error}"
    );
}

/// An item with `levels` lists inside each other.
fn deep(levels: usize) -> Vec<u8> {
    let mut item = b"{\"h\":{\"S\":\"a/b\"},\"v\":".to_vec();
    item.extend(b"{\"L\":[".repeat(levels));
    item.extend(b"]}".repeat(levels));
    item.push(b'}');
    item
}

#[test]
fn sixty_four_levels_are_read_and_more_are_refused() {
    let dump = sample(DynamodbLayout::PerItem);
    assert!(replayed(&dump.clone().with(ITEM, &deep(64)).signed())[1].ends_with(&")".repeat(64)));
    for levels in [65, 20_000] {
        let error = failure(&dump.clone().with(ITEM, &deep(levels)).signed());
        assert!(error.ends_with("line 1, byte 405: lists and maps are nested more than 64 deep"), "{error}");
    }
}

#[test]
fn items_with_more_names_than_can_be_sorted_are_refused() {
    let names: String = (0..1 << 20).map(|n| format!("\"{n}\":{{\"NULL\":true}},")).collect();
    let item = format!("{{{names}\"h\":{{\"S\":\"a/b\"}}}}");
    let error = failure(&sample(DynamodbLayout::PerItem).with(ITEM, item.as_bytes()).signed());
    assert!(error.ends_with("the names of the attributes of the item take more than 32 MiB"), "{error}");
}
