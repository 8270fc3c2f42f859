//! Hashes, sets, zsets, lists and streams of current servers. Source: `docs/format/redis.md`, sections 2.5 to 2.8 and 5.

use ekv_adapters::redis::findings;
use ekv_adapters::{Family, Outcome};
use ekv_model::redis::StreamId;
use ekv_testkit::redis::{RedisRecords, RedisValue, Wide, key, value};

use crate::redis::decoded::{decode, hash, list, set, zset};

fn id(ms: u64, seq: u64) -> StreamId {
    StreamId { ms, seq }
}

#[test]
fn collection_of_which_only_spent_deltas_are_left_is_empty_and_exists() {
    let mut records = RedisRecords::new()
        .put(key::list_delta(b"list", 1, 0), value::list_delta(0, 1))
        .put(key::list_delta(b"list", 2, 0), value::list_delta(1, -1));
    for kind in Wide::ALL {
        let name = kind.name().as_bytes();
        records = records.put(kind.delta(name, 1, 0), value::delta(1)).put(kind.delta(name, 2, 0), value::delta(-1));
    }
    let decoded = decode(&records);
    assert_eq!(decoded.value(b"hash"), &hash(&[]));
    assert_eq!(decoded.value(b"list"), &list(&[]));
    assert_eq!(decoded.value(b"set"), &set(&[]));
    assert_eq!(decoded.value(b"zset"), &zset(&[]));
    assert_eq!(decoded.found(), []);
}

#[test]
fn stored_length_is_the_base_and_all_deltas_and_only_differing_lengths_are_told() {
    // (base length, deltas, members, mismatch)
    let cases: [(Option<i64>, &[i64], u8, bool); 8] = [
        (None, &[], 2, false),
        (None, &[2, -1], 1, false),
        (Some(1), &[1, 1], 3, false),
        (Some(3), &[], 3, false),
        (Some(3), &[], 2, true),
        (Some(0), &[1], 0, true),
        (None, &[-5], 0, false),
        (Some(i64::MAX), &[i64::MAX], 0, true),
    ];
    for kind in Wide::ALL {
        for (base, deltas, members, mismatch) in cases {
            let mut records = RedisRecords::new().put(key::string(b"other"), value::string(b"", None));
            if let Some(len) = base {
                records = records.put(kind.meta(b"k"), value::meta(len, 0));
            }
            for (seq, change) in (0..).zip(deltas) {
                records = records.put(kind.delta(b"k", 7, seq), value::delta(*change));
            }
            for member in 0..members {
                records = records.put(kind.element(b"k", &[member]), value::score(0.0));
            }
            let decoded = decode(&records);
            let name = format!("redis_{}_length_mismatch", kind.name());
            let expected: &[(&str, u64)] = if mismatch { &[(&name, 1)] } else { &[] };
            assert_eq!(decoded.found(), expected, "{kind:?} {base:?} {deltas:?} {members}");
            assert_eq!(decoded.losses(), 0);
        }
    }
}

#[test]
fn negative_stored_length_is_told_and_the_elements_are_the_truth() {
    for kind in Wide::ALL {
        let records = RedisRecords::new()
            .put(kind.meta(b"k"), value::meta(i64::MIN, 0))
            .put(kind.element(b"k", b"m"), value::score(0.0));
        let decoded = decode(&records);
        assert_eq!(decoded.keys.len(), 1);
        assert_eq!(decoded.count(findings::NEGATIVE_LENGTH), 1);
    }
}

#[test]
fn set_member_with_a_value_is_a_member() {
    assert_eq!(decode(&RedisRecords::new().put(Wide::Set.element(b"k", b"m"), b"x")).value(b"k"), &set(&[b"m"]));
}

#[test]
fn every_score_comes_out_with_its_own_bits() {
    let scores = [0.0, -0.0, 0.1, -2.5, 1e21, 5e-324, f64::MAX, f64::INFINITY, f64::NEG_INFINITY];
    let mut records =
        RedisRecords::new().put(Wide::ZSet.element(b"k", b"nan"), 0x7ff8_0000_0000_0001_u64.to_be_bytes());
    let mut expected = std::collections::BTreeMap::from([(b"nan".to_vec(), 0x7ff8_0000_0000_0001)]);
    for (i, score) in (0_u8..).zip(scores) {
        records = records.put(Wide::ZSet.element(b"k", &[i]), value::score(score));
        expected.insert(vec![i], score.to_bits());
    }
    let decoded = decode(&records);
    assert_eq!(decoded.value(b"k"), &RedisValue::ZSet(expected));
    assert_eq!(decoded.found(), [("redis_zset_nan_score", 1)]);
    let (_, totals) = decoded.findings.iter().next().unwrap();
    assert_eq!(totals.examples[0].key.as_deref(), Some(&b"k"[..]), "a finding names the Redis key");
}

/// Items of a list with the given sequence numbers, each the number as text.
fn items(records: RedisRecords, key: &[u8], seqs: impl IntoIterator<Item = i64>) -> RedisRecords {
    seqs.into_iter().fold(records, |records, seq| records.put(key::list_item(key, seq), seq.to_string()))
}

fn numbered(seqs: impl IntoIterator<Item = i64>) -> RedisValue {
    RedisValue::List(seqs.into_iter().map(|seq| seq.to_string().into_bytes()).collect())
}

#[test]
fn list_window_is_the_base_moved_by_all_deltas() {
    /// Head and length of the base, changes of both, and the visible items.
    type Case = (Option<(i64, i64)>, &'static [(i64, i64)], std::ops::RangeInclusive<i64>);
    let cases: [Case; 8] = [
        (Some((0, 3)), &[], 0..=2),
        (Some((-4, 3)), &[], -4..=-2),
        (None, &[(0, 3)], 0..=2),
        (None, &[(-3, 3)], -3..=-1),
        (None, &[(0, 5), (2, -2), (0, -1)], 2..=3),
        (Some((0, 2)), &[(-1, 1), (0, -1), (0, 1)], -1..=1),
        (Some((5, 1)), &[(-9, 9)], -4..=5),
        (Some((i64::MAX - 3, 3)), &[], i64::MAX - 3..=i64::MAX - 1),
    ];
    for (base, deltas, visible) in cases {
        let mut records = items(RedisRecords::new(), b"k", visible.clone());
        if let Some((head, len)) = base {
            records = records.put(key::list_meta(b"k"), value::list_meta(head, len, 0));
        }
        for (seq, (head, len)) in (0..).zip(deltas) {
            records = records.put(key::list_delta(b"k", 9, seq), value::list_delta(*head, *len));
        }
        let decoded = decode(&records.put(key::list_claim(b"k", *visible.start()), b""));
        assert_eq!(decoded.value(b"k"), &numbered(visible), "{base:?} {deltas:?}");
        assert_eq!(decoded.found(), [], "{base:?} {deltas:?}");
    }
}

#[test]
fn items_outside_the_window_are_hidden_and_holes_are_skipped() {
    let records =
        items(RedisRecords::new(), b"k", [-2, -1, 0, 2, 3, 4]).put(key::list_meta(b"k"), value::list_meta(0, 4, 0));
    let decoded = decode(&records);
    assert_eq!(decoded.value(b"k"), &numbered([0, 2, 3]));
    assert_eq!(decoded.found(), [("redis_list_length_mismatch", 1), ("redis_list_orphan_items", 3)]);
    assert_eq!(decoded.outcome(Family::ListItem, Outcome::Orphaned), 3);
}

#[test]
fn lists_whose_names_end_like_item_numbers_keep_their_items_apart() {
    let names: [&[u8]; 4] = [
        b"k",
        b"k\x80\0\0\0\0\0\0\0",
        b"k\x80\0\0\0\0\0\0\0\x80\0\0\0\0\0\0\x01",
        b"k\x7f\xff\xff\xff\xff\xff\xff\xff",
    ];
    let mut records = RedisRecords::new();
    for name in names {
        records = items(records, name, -2..3).put(key::list_meta(name), value::list_meta(-2, 5, 0));
    }
    let decoded = decode(&records);
    assert!(names.iter().all(|name| decoded.value(name) == &numbered(-2..3)));
    assert_eq!(decoded.found(), []);
}

#[test]
fn list_whose_name_begins_like_a_delta_is_told_apart_by_the_length_of_its_value() {
    // The metadata key of this list lies among the deltas of the list `z`.
    let inside = [b"d|", key::counted(b"z").as_slice(), b"12345678", b"1234"].concat();
    let names: [&[u8]; 4] = [b"d|", b"d|foo", &inside, b"z"];
    let mut records = RedisRecords::new();
    for (name, is_old) in names.into_iter().zip([true, false, false, true]) {
        let meta = if is_old { value::old_list_meta(0, 1) } else { value::list_meta(0, 1, 0) };
        records = items(records, name, 0..2)
            .put(key::list_meta(name), meta)
            .put(key::list_delta(name, 5, 0), value::list_delta(0, 1));
    }
    let decoded = decode(&records);
    assert!(names.iter().all(|name| decoded.value(name) == &numbered(0..2)));
    assert_eq!(decoded.found(), []);
}

#[test]
fn wrong_tail_is_ignored_and_told() {
    let mut meta = value::list_meta(0, 1, 0);
    meta[15] = 9;
    let decoded = decode(&items(RedisRecords::new(), b"k", [0]).put(key::list_meta(b"k"), meta));
    assert_eq!(decoded.value(b"k"), &numbered([0]));
    assert_eq!(decoded.found(), [("redis_list_meta_invariant", 1)]);
}

#[test]
fn stream_entries_come_in_the_order_of_numbers_with_repeated_field_names() {
    let entry = |records: RedisRecords, at: StreamId, text: &str, texts: &[&[u8]]| {
        records.put(key::stream_entry(b"s", at), value::stream_entry(text, texts))
    };
    let records = entry(RedisRecords::new(), id(10, 0), "10-0", &[b"a", b"1", b"a", b"2", b"", b""]);
    let records = entry(records, id(2, 0), "2-0", &[]);
    let records = entry(records, id(2, 300), "02-300", &["é".as_bytes(), "\u{2028}".as_bytes()])
        .put(key::stream_meta(b"s"), value::stream_meta(3, id(11, 7), 0, id(0, 0)));
    let decoded = decode(&records);
    let text = |text: &str| text.as_bytes().to_vec();
    let entries = vec![
        (id(2, 0), vec![]),
        (id(2, 300), vec![(text("é"), text("\u{2028}"))]),
        (id(10, 0), vec![(text("a"), text("1")), (text("a"), text("2")), (text(""), text(""))]),
    ];
    assert_eq!(decoded.value(b"s"), &RedisValue::Stream { last: id(11, 7), entries });
    assert_eq!(decoded.found(), [("redis_stream_noncanonical_id", 1)]);
}

#[test]
fn trim_cursor_hides_all_entries_up_to_itself_even_damaged_ones() {
    let mut records = RedisRecords::new().put(key::stream_entry(b"s", id(1, 1)), b"damaged");
    for at in [id(1, 2), id(1, 3), id(2, 0)] {
        let text = format!("{}-{}", at.ms, at.seq);
        records = records.put(key::stream_entry(b"s", at), value::stream_entry(&text, &[]));
    }
    let seen = |trimmed: StreamId, len: u64| {
        let meta = value::stream_meta(len, id(2, 0), 0, trimmed);
        let decoded = decode(&records.clone().put(key::stream_meta(b"s"), meta));
        assert_eq!(decoded.found(), []);
        let RedisValue::Stream { entries, last } = decoded.value(b"s") else { panic!("a stream") };
        assert_eq!(*last, id(2, 0));
        entries.iter().map(|(at, _)| *at).collect::<Vec<_>>()
    };
    assert_eq!(seen(id(1, 1), 3), [id(1, 2), id(1, 3), id(2, 0)]);
    assert_eq!(seen(id(1, 2), 2), [id(1, 3), id(2, 0)]);
    assert_eq!(seen(id(1, u64::MAX), 1), [id(2, 0)]);
    assert_eq!(seen(id(u64::MAX, u64::MAX), 0), []);
}

#[test]
fn stream_length_is_the_number_of_entries_and_a_differing_one_is_told() {
    let records = RedisRecords::new()
        .put(key::stream_meta(b"s"), value::stream_meta_24(0, id(1, 1)))
        .put(key::stream_entry(b"s", id(1, 1)), value::stream_entry("1-1", &[]));
    let decoded = decode(&records);
    assert!(matches!(decoded.value(b"s"), RedisValue::Stream { entries, .. } if entries.len() == 1));
    assert_eq!(decoded.found(), [("redis_stream_length_mismatch", 1)]);
}

#[test]
fn streams_beside_streams_without_metadata_keep_their_entries() {
    let names: [&[u8]; 5] = [b"", b"a", b"b", b"aa", b"b\0"];
    let mut records = RedisRecords::new();
    for (i, name) in names.iter().enumerate() {
        for at in [id(1, 1), id(1, 2)] {
            records = records.put(key::stream_entry(name, at), value::stream_entry("1-1", &[]));
        }
        if i % 2 == 1 {
            records = records.put(key::stream_meta(name), value::stream_meta(2, id(1, 2), 0, id(0, 0)));
        }
    }
    let decoded = decode(&records);
    assert_eq!(decoded.names(), [&b"a"[..], b"aa"]);
    assert_eq!(decoded.count(findings::STREAM_ORPHAN_ENTRIES), 3, "one for each stream");
    assert_eq!(decoded.outcome(Family::StreamEntry, Outcome::Orphaned), 6);
}

#[test]
fn stream_whose_last_id_is_below_an_entry_gets_the_id_of_the_entry() {
    let records = RedisRecords::new()
        .put(key::stream_meta(b"s"), value::stream_meta_24(1, id(1, 5)))
        .put(key::stream_entry(b"s", id(2, 1)), value::stream_entry("2-1", &[]));
    let decoded = decode(&records);
    let RedisValue::Stream { last, .. } = decoded.value(b"s") else { panic!("a stream") };
    assert_eq!(*last, id(2, 1), "a dump that contradicts itself could not be encoded");
    assert_eq!(decoded.found(), [("redis_stream_last_below_entry", 1)]);
}
