//! Which items clients see.

use super::*;

#[test]
fn items_come_in_key_order_and_rows_of_earlier_lives_are_only_counted() {
    let put = |snapshot: SnapshotBuilder, generation, hash: &str, value: &str| {
        let key = ordered("t", generation, &[('S', hash.as_bytes())]);
        snapshot.put(&key, TS, &item(&[("v", n(value)), ("h", s(hash))]))
    };
    let mut snapshot = with_table(SnapshotBuilder::new(), "t", false, [2, 0, 10]);
    for hash in ["b", "a", "", "a\0", "ab"] {
        snapshot = put(snapshot, 10, hash, "1");
    }
    for generation in [1, 9, 11] {
        snapshot = put(snapshot, generation, "a", "0");
    }
    let decoded = decode(&snapshot.put(&prefix("t", 9)[..prefix("t", 9).len() - 1], TS, b"not even a key"));
    let expected =
        ["table t Uniform", "h=S: v=N:1", "h=S:a v=N:1", "h=S:a\\x00 v=N:1", "h=S:ab v=N:1", "h=S:b v=N:1", "end"];
    assert_eq!(decoded.lines, expected);
    assert_eq!(decoded.count("ddb_stale_generation_items"), 1);
    let details = decoded.details("ddb_stale_generation_items");
    assert_eq!(details, ["active_generation 10, migration_source_generation 0, stale_count 3"]);
    assert_eq!((decoded.items(Outcome::Emitted), decoded.items(Outcome::Orphaned)), (5, 3));
    assert_eq!((decoded.items(Outcome::Lost), decoded.count("ddb_malformed_key")), (1, 1));
}

#[test]
fn half_done_move_shows_target_rows_and_the_first_of_equal_source_rows() {
    let mut snapshot = with_table(SnapshotBuilder::new(), "t", true, [2, 9, 10]);
    let value = |hash: &str, range: &str, v: &str| item(&[("h", s(hash)), ("r", n(range)), ("v", s(v))]);
    for (range, v) in [("2", "target 2"), ("5", "target 5")] {
        let key = ordered("t", 10, &[('S', b"k"), ('N', range.as_bytes())]);
        snapshot = snapshot.put(&key, TS, &value("k", range, v));
    }
    // In stored order "1" comes before "1.0", since MQ| is below MS4w.
    for range in ["1", "1.0", "2.0", "3", "10e-1", "7"] {
        snapshot = snapshot.put(&legacy("t", 9, "k", range), TS, &value("k", range, "source"));
    }
    let stale = snapshot.put(&legacy("t", 8, "k", "4"), TS, &value("k", "4", "stale"));
    let decoded = decode(&stale);
    let expected = [
        "table t Uniform",
        "h=S:k r=N:1.0 v=S:source",
        "h=S:k r=N:2 v=S:target 2",
        "h=S:k r=N:3 v=S:source",
        "h=S:k r=N:5 v=S:target 5",
        "h=S:k r=N:7 v=S:source",
        "end",
    ];
    let first =
        |ranges: &[&'static str]| ranges.iter().map(|range| (legacy("t", 9, "k", range), *range)).min().unwrap().1;
    assert_eq!(decoded.lines[1], format!("h=S:k r=N:{} v=S:source", first(&["1", "1.0", "10e-1"])));
    assert_eq!(decoded.lines[2..], expected[2..]);
    assert_eq!(decoded.items(Outcome::Shadowed), 3);
    assert_eq!(decoded.count("ddb_superseded_items"), 3);
    assert_eq!(decoded.items(Outcome::Orphaned), 1);
}

#[test]
fn legacy_table_is_put_in_the_order_of_ordered_keys() {
    for version in [0, 1] {
        let mut snapshot = with_table(SnapshotBuilder::new(), "t", false, [version, 0, 1]);
        for hash in ["10", "9", "-1", "abc", "9.0", "0x10"] {
            snapshot = snapshot.put(&legacy("t", 1, hash, ""), TS, &item(&[("h", n(hash))]));
        }
        let decoded = decode(&snapshot);
        let expected = ["table t Mixed", "h=N:-1", "h=N:9", "h=N:10", "h=N:0x10", "h=N:abc", "end"];
        assert_eq!(decoded.lines, expected);
        assert_eq!((decoded.items(Outcome::Emitted), decoded.items(Outcome::Shadowed)), (5, 1));
        assert_eq!(decoded.count("ddb_key_mismatch"), 0);
    }
}

#[test]
fn rows_without_a_table_are_orphans_counted_once_for_each_table() {
    let mut snapshot = with_table(SnapshotBuilder::new(), "m", false, [2, 0, 1]);
    for (table, hash) in [("a", "1"), ("a", "2"), ("m", "1"), ("z", "1"), ("z", "2"), ("z", "3")] {
        let key = ordered(table, 1, &[('S', hash.as_bytes())]);
        snapshot = snapshot.put(&key, TS, &item(&[("h", s(hash))]));
    }
    let decoded = decode(&snapshot.put(&generation_key("z"), TS, b"1").delete(&schema_key("z"), TS));
    assert_eq!(decoded.lines, ["table m Uniform", "h=S:1", "end"]);
    let details = decoded.details("ddb_orphan_items");
    assert_eq!(details, ["encoded_table YQ, buffered_items 2", "encoded_table eg, buffered_items 3"]);
    assert_eq!(decoded.items(Outcome::Orphaned), 5);
    assert_eq!(decoded.tally.of(Family::DdbGeneration).get(Outcome::Internal), 2);
}

#[test]
fn tables_without_items_and_with_awkward_names_are_emitted() {
    let mut snapshot = SnapshotBuilder::new();
    let long = "n".repeat(300);
    for name in [".", "..", "a/b", " ", "é", &long] {
        snapshot = with_table(snapshot, name, false, [2, 0, 1]);
    }
    let mut lines = decode(&snapshot).lines;
    lines.retain(|line| line != "end");
    lines.sort();
    let mut expected: Vec<String> =
        [".", "..", "a/b", " ", "é", &long].iter().map(|name| format!("table {name} Uniform")).collect();
    expected.sort();
    assert_eq!(lines, expected);
}

#[test]
fn items_under_another_key_than_their_own_are_written_in_the_order_of_their_own() {
    let mut snapshot = with_table(SnapshotBuilder::new(), "t", false, [2, 0, 1]);
    for (stored, own) in [("a", "x"), ("b", "b"), ("c", "a"), ("d", "b")] {
        snapshot =
            snapshot.put(&ordered("t", 1, &[('S', stored.as_bytes())]), TS, &item(&[("h", s(own)), ("k", s(stored))]));
    }
    let decoded = decode(&snapshot);
    assert_eq!(decoded.lines, ["table t Uniform", "h=S:a k=S:c", "h=S:b k=S:b", "h=S:x k=S:a", "end"]);
    assert_eq!((decoded.count("ddb_key_mismatch"), decoded.count("ddb_superseded_items")), (3, 1));
}

#[test]
fn keys_of_several_types_or_an_empty_hash_beside_a_range_make_a_table_mixed() {
    let forms = |has_range: bool, keys: &[&[(char, &[u8])]]| {
        let mut snapshot = with_table(SnapshotBuilder::new(), "t", has_range, [2, 0, 1]);
        for parts in keys {
            let value = |(letter, bytes): &(char, &[u8])| match letter {
                'S' => s(std::str::from_utf8(bytes).unwrap()),
                'N' => n(std::str::from_utf8(bytes).unwrap()),
                _ => b(bytes),
            };
            let attributes: Vec<_> = ["h", "r"].into_iter().zip(parts.iter().map(value)).collect();
            snapshot = snapshot.put(&ordered("t", 1, parts), TS, &item(&attributes));
        }
        decode(&snapshot).lines.swap_remove(0)
    };
    assert_eq!(forms(false, &[&[('S', b"")], &[('S', b"1")]]), "table t Uniform");
    assert_eq!(forms(false, &[&[('N', b"1")], &[('N', b"1e5")]]), "table t Uniform");
    assert_eq!(forms(false, &[&[('N', b"1")], &[('S', b"1")]]), "table t Mixed");
    assert_eq!(forms(true, &[&[('S', b"a"), ('S', b"")], &[('S', b"b"), ('S', b"c")]]), "table t Uniform");
    assert_eq!(forms(true, &[&[('S', b"a"), ('S', b"")], &[('S', b"a"), ('B', b"c")]]), "table t Mixed");
    assert_eq!(forms(true, &[&[('S', b""), ('S', b"x")], &[('S', b"b"), ('S', b"c")]]), "table t Mixed");
}
