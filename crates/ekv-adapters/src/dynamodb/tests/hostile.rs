//! Damaged and hostile records: one loss each, and the rest is emitted.

use ekv_model::dynamodb::ITEM_LEN_MAX;
use proptest::prelude::*;

use super::*;

/// Decodes an item `k` with this value beside a sound one.
fn beside_a_sound_item(value: &[u8]) -> Decoded {
    let snapshot = with_table(SnapshotBuilder::new(), "t", false, [2, 0, 1])
        .put(&ordered("t", 1, &[('S', b"k")]), TS, value)
        .put(&ordered("t", 1, &[('S', b"sound")]), TS, &item(&[("h", s("sound"))]));
    let decoded = decode(&snapshot);
    assert_eq!(decoded.lines.last().map(String::as_str), Some("end"));
    assert_eq!(decoded.lines[decoded.lines.len() - 2], "h=S:sound");
    decoded
}

/// A value inside so many lists that it is at this level.
fn at_level(level: usize, is_list: bool) -> Vec<u8> {
    // From inside out, lengths first, so that building is linear.
    let mut parts = vec![s("deep")];
    let mut len = parts[0].len();
    for _ in 1..level {
        for number in if is_list { [1, 9].as_slice() } else { &[2, 1, 10] } {
            let head = [varint(number << 3 | 2), varint(u64::try_from(len).unwrap())].concat();
            len += head.len();
            parts.push(head);
        }
    }
    parts.reverse();
    parts.concat()
}

#[test]
fn damaged_items_are_losses_with_their_key_and_place() {
    let sound = item(&[("h", s("k")), ("x", s("y"))]);
    let with = |tail: &[u8]| [sound.as_slice(), tail].concat();
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("empty", Vec::new()),
        ("magic alone is an item without key", b"\0DI\x01".to_vec()),
        ("magic of a schema", [b"\0DS\x01", &sound[4..]].concat()),
        ("cut inside a value", sound[..sound.len() - 1].to_vec()),
        ("cut varint", with(&[0x80])),
        ("varint of 11 bytes", with(&[&[0x08][..], &[0x80; 10], &[1]].concat())),
        ("varint beyond 64 bits", with(&[&[0x08][..], &[0xff; 9], &[2]].concat())),
        ("field number 0", with(&[0x02, 0])),
        ("field number too large", with(&[&varint(1 << 33)[..], &[0]].concat())),
        ("wire type 6", with(&[0x0e])),
        ("unopened group", with(&[0x0c])),
        ("unclosed group", with(&[0x0b, 0x08, 1])),
        ("length beyond the end", with(&[0x0a, 0x7f, 1])),
        ("length of 64 bits", with(&[&[0x0a][..], &[0xff; 9], &[1]].concat())),
        ("name not UTF-8", with(&field(1, &[field(1, b"\xff"), field(2, &s("v"))].concat()))),
        ("text not UTF-8", with(&entry("y", &field(1, b"\xc3")))),
        ("number not UTF-8", with(&entry("y", &field(2, b"\xed\xa0\x80")))),
        ("set member not UTF-8", with(&entry("y", &field(6, &field(1, b"\xff"))))),
        ("replaced text not UTF-8", with(&entry("y", &[field(1, b"\xff"), s("good")].concat()))),
        ("bad message in a list", with(&entry("y", &field(9, &field(1, &[0x80]))))),
        ("no hash key", item(&[("x", s("y"))])),
        ("hash key of another type", item(&[("h", number(4, 1))])),
        ("hash key without value", item(&[("h", Vec::new())])),
        ("hash key replaced by a list", item(&[("h", [s("k"), field(9, b"")].concat())])),
    ];
    for (case, value) in cases {
        let decoded = beside_a_sound_item(&value);
        assert_eq!(decoded.count("ddb_invalid_item"), 1, "{case}");
        assert_eq!((decoded.items(Outcome::Lost), decoded.items(Outcome::Emitted)), (1, 1), "{case}");
        let (_, totals) = decoded.findings.iter().next().unwrap();
        assert!(totals.examples[0].byte_offset.is_some(), "{case}");
        assert_eq!(totals.examples[0].key.as_deref(), Some(&ordered("t", 1, &[('S', b"k")])[..]), "{case}");
    }
}

#[test]
fn binary_values_need_not_be_text() {
    let value = item(&[("h", s("k")), ("b", b(b"\xff")), ("bs", field(8, &field(1, b"\xff")))]);
    assert_eq!(beside_a_sound_item(&value).lines[1], "b=B:\\xff bs=Binary(\\xff,) h=S:k");
}

#[test]
fn sixty_four_levels_are_accepted_and_more_are_a_loss_without_recursion() {
    for is_list in [true, false] {
        for (level, is_accepted) in [(1, true), (32, true), (64, true), (65, false), (20_000, false)] {
            let decoded = beside_a_sound_item(&item(&[("h", s("k")), ("x", at_level(level, is_list))]));
            assert_eq!(decoded.count("ddb_item_too_deep"), u64::from(!is_accepted), "{level}");
            assert_eq!(decoded.items(Outcome::Emitted), 1 + u64::from(is_accepted), "{level}");
            assert_eq!(decoded.lines[1].contains("S:deep"), is_accepted, "{level}");
        }
    }
}

#[test]
fn items_of_sixteen_mebibytes_are_accepted_and_longer_ones_are_a_loss() {
    for more in [0, 1] {
        let text = |len: usize| item(&[("h", s("k")), ("x", s(&"z".repeat(len)))]);
        let len = ITEM_LEN_MAX + 4 + more;
        let front = text(len).len() - len;
        let value = text(len - front);
        assert_eq!(value.len(), len);
        let decoded = beside_a_sound_item(&value);
        let is_lost = u64::from(more > 0);
        assert_eq!((decoded.count("ddb_item_too_large"), decoded.items(Outcome::Lost)), (is_lost, is_lost));
    }
}

#[test]
fn more_attributes_than_can_be_sorted_are_a_loss() {
    let value = [item(&[("h", s("k"))]), [0x0a, 0x00].repeat(1 << 20)].concat();
    let decoded = beside_a_sound_item(&value);
    assert_eq!((decoded.count("ddb_item_too_large"), decoded.items(Outcome::Lost)), (1, 1));
}

#[test]
fn range_tables_lose_items_without_a_usable_range_key() {
    let mut snapshot = with_table(SnapshotBuilder::new(), "t", true, [2, 0, 1]);
    for (i, range) in [Some(s("r")), None, Some(number(5, 1))].into_iter().enumerate() {
        let attributes: Vec<_> = [("h", s("k"))].into_iter().chain(range.map(|range| ("r", range))).collect();
        snapshot =
            snapshot.put(&ordered("t", 1, &[('S', b"k"), ('S', i.to_string().as_bytes())]), TS, &item(&attributes));
    }
    let decoded = decode(&snapshot);
    assert_eq!((decoded.count("ddb_invalid_item"), decoded.items(Outcome::Emitted)), (2, 1));
}

#[test]
fn damaged_schemas_lose_the_table_with_its_rows() {
    let good = schema("t", false, [2, 0, 1]);
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("empty", Vec::new()),
        ("magic of an item", [b"\0DI\x01", &good[4..]].concat()),
        ("cut", good[..good.len() - 1].to_vec()),
        ("name not UTF-8", [good.clone(), field(1, b"\xff")].concat()),
        ("definition not UTF-8", [good.clone(), field(2, &field(2, b"\xff"))].concat()),
        ("too long", [good.clone(), field(99, &vec![0; 5 << 20])].concat()),
    ];
    for (case, value) in cases {
        let decoded = decode(
            &SnapshotBuilder::new()
                .put(&schema_key("t"), TS, &value)
                .put(&ordered("t", 1, &[('S', b"k")]), TS, &item(&[("h", s("k"))]))
                .put(&ordered("t", 7, &[('S', b"k")]), TS, b"stale"),
        );
        assert!(decoded.lines.is_empty(), "{case}");
        assert_eq!((decoded.count("ddb_invalid_schema"), decoded.items(Outcome::Lost)), (1, 2), "{case}");
        assert_eq!(decoded.tally.of(Family::DdbTable).get(Outcome::Lost), 1, "{case}");
    }
}

#[test]
fn keys_that_do_not_parse_are_losses() {
    let value = item(&[("h", s("k"))]);
    let mut snapshot = with_table(SnapshotBuilder::new(), "t", false, [2, 0, 1]);
    let items: [&[u8]; 8] = [
        b"!ddb|item|",
        b"!ddb|item|x",
        b"!ddb|item|dA|",
        b"!ddb|item|dA|1|",
        b"!ddb|item|dA|18446744073709551616|k",
        b"!ddb|item|dA|01|k",
        b"!ddb|item|dA=|1|k",
        b"!ddb|item|!|1|k",
    ];
    for key in items {
        snapshot = snapshot.put(key, TS, &value);
    }
    for name in ["", "dA=", "dB", "_w"] {
        snapshot = snapshot.put(&[b"!ddb|meta|table|", name.as_bytes()].concat(), TS, &schema("t", false, [2, 0, 1]));
    }
    let decoded = decode(&snapshot);
    assert_eq!(decoded.lines, ["table t Uniform", "end"]);
    assert_eq!((decoded.count("ddb_malformed_key"), decoded.items(Outcome::Lost)), (12, 8));
    assert_eq!(decoded.tally.of(Family::DdbTable).get(Outcome::Lost), 4);
}

#[test]
fn name_in_the_schema_need_not_be_the_name_of_the_table() {
    let snapshot = SnapshotBuilder::new().put(&schema_key("key"), TS, &schema("value", false, [2, 0, 1]));
    assert_eq!(decode(&snapshot).lines, ["table key Uniform", "end"]);
}

proptest! {
    #[test]
    fn no_bytes_of_an_item_or_schema_make_the_decoder_panic_or_lose_count(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
        of_schema in any::<bool>(),
    ) {
        let nested = field(9, &field(1, &field(10, &entry("m", &field(6, &field(1, b"x"))))));
        let mut values = [schema("t", false, [2, 0, 1]), item(&[("h", s("k")), ("x", nested), ("y", number(4, 1))])];
        let value = &mut values[usize::from(!of_schema)];
        for (at, byte) in flips {
            let at = at.index(value.len());
            value[at] = byte;
        }
        value.truncate(cut.index(value.len()) + 1);
        let [schema, item] = values;
        let snapshot = SnapshotBuilder::new().put(&schema_key("t"), TS, &schema);
        // The harness checks that every record got one outcome.
        let decoded = decode(&snapshot.put(&ordered("t", 1, &[('S', b"k")]), TS, &item));
        prop_assert!(decoded.lines.len() != 1);
    }
}

#[test]
fn items_of_a_schema_with_a_damaged_value_header_are_lost_with_it() {
    let reserved_flags = 0xaa;
    let snapshot = SnapshotBuilder::new()
        .version(&schema_key("t"), TS, reserved_flags, 0, &schema("t", false, [2, 0, 1]))
        .put(&ordered("t", 1, &[('S', b"k")]), TS, &item(&[("h", s("k"))]));
    let decoded = decode(&snapshot);
    assert!(decoded.lines.is_empty(), "{:?}", decoded.lines);
    assert_eq!(decoded.count("ddb_invalid_schema"), 1);
    assert_eq!(decoded.items(Outcome::Lost), 1);
}
