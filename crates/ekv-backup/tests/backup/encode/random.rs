//! Dumps that nobody thought of.

use std::collections::BTreeMap;

use ekv_backup::{DecodeOptions, EventOptions, Protocol, WrittenForm};
use ekv_model::redis::StreamId;
use ekv_testkit::SnapshotBuilder;
use ekv_testkit::redis::{Wide, key, value};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;

use crate::encode::room::{Room, assert_same_files, decode_options, options};

/// Unix milliseconds 1 700 000 000 000.
const T: u64 = 111_411_200_000_000_007;

/// What a key holds, and when it expires.
#[derive(Clone, Debug)]
enum Content {
    String(Vec<u8>),
    Hll(Vec<u8>),
    Hash(BTreeMap<Vec<u8>, Vec<u8>>),
    List(Vec<Vec<u8>>),
    Set(Vec<Vec<u8>>),
    ZSet(BTreeMap<Vec<u8>, f64>),
    Stream(Vec<(String, String)>),
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => vec(any::<u8>(), 0..12),
        2 => "[a-z/:.%]{0,20}".prop_map(String::into_bytes),
        1 => (vec(any::<u8>(), 1..4), 60_usize..300).prop_map(|(part, len)| part.repeat(len)),
    ]
}

fn content() -> impl Strategy<Value = Content> {
    let bytes = || vec(any::<u8>(), 0..40);
    prop_oneof![
        bytes().prop_map(Content::String),
        bytes().prop_map(Content::Hll),
        btree_map(name(), bytes(), 1..6).prop_map(Content::Hash),
        vec(bytes(), 1..6).prop_map(Content::List),
        btree_set(name(), 1..6).prop_map(|members| Content::Set(members.into_iter().collect())),
        btree_map(name(), -1e9..1e9, 1..6).prop_map(Content::ZSet),
        vec(("[a-zé]{0,5}", ".{0,9}"), 1..4).prop_map(Content::Stream),
    ]
}

/// A snapshot with these keys in their current form.
fn snapshot(keys: &BTreeMap<Vec<u8>, (Content, Option<u64>)>) -> Vec<u8> {
    let mut records: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    for (name, (content, expiry)) in keys {
        let at_ms = expiry.unwrap_or(0);
        let len = |len: usize| i64::try_from(len).unwrap();
        match content {
            Content::String(body) => {
                records.insert(key::string(name), value::string(body, *expiry));
                continue;
            }
            Content::Hll(body) => {
                records.insert(key::hll(name), value::hll(body, *expiry));
            }
            Content::Hash(fields) => {
                records.insert(Wide::Hash.meta(name), value::meta(len(fields.len()), at_ms));
                records.extend(fields.iter().map(|(field, value)| (Wide::Hash.element(name, field), value.clone())));
            }
            Content::Set(members) => {
                records.insert(Wide::Set.meta(name), value::meta(len(members.len()), at_ms));
                records.extend(members.iter().map(|member| (Wide::Set.element(name, member), Vec::new())));
            }
            Content::ZSet(members) => {
                records.insert(Wide::ZSet.meta(name), value::meta(len(members.len()), at_ms));
                for (member, score) in members {
                    records.insert(Wide::ZSet.element(name, member), value::score(*score));
                    records.insert(key::zset_score(name, *score, member), Vec::new());
                }
            }
            Content::List(items) => {
                records.insert(key::list_meta(name), value::list_meta(0, len(items.len()), at_ms));
                records.extend(items.iter().enumerate().map(|(n, item)| (key::list_item(name, len(n)), item.clone())));
            }
            Content::Stream(fields) => {
                let id = |n: usize| StreamId { ms: 5, seq: u64::try_from(n).unwrap() + 1 };
                let last = id(fields.len());
                let count = u64::try_from(fields.len()).unwrap();
                records.insert(key::stream_meta(name), value::stream_meta_32(count, last, at_ms));
                for (n, (field, text)) in fields.iter().enumerate() {
                    let texts: [&[u8]; 2] = [field.as_bytes(), text.as_bytes()];
                    let entry = value::stream_entry(&format!("5-{}", n + 1), &texts);
                    records.insert(key::stream_entry(name, id(n)), entry);
                }
            }
        }
        if let Some(at_ms) = expiry {
            records.insert(key::expiry(name), value::expiry(*at_ms));
        }
    }
    let builder = records.iter().fold(SnapshotBuilder::new(), |builder, (key, value)| builder.put(key, T, value));
    builder.last_commit_ts(T).build()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_dump_comes_back_byte_for_byte(
        keys in btree_map(name(), (content(), prop::option::of(1_u64..1 << 50)), 0..12),
        form in prop_oneof![Just(WrittenForm::Payload), Just(WrittenForm::File)],
    ) {
        let decode_options = DecodeOptions { events: EventOptions::of(vec![Protocol::Redis]), ..decode_options() };
        let room = Room::with_dump_of(&snapshot(&keys), &decode_options);
        let mut options = options();
        options.form = form;
        options.allow_empty = keys.is_empty();
        options.sort_memory = 1 << 12;
        room.encode("dump", "out.fsm", &options).unwrap();
        room.decode("out.fsm", "again", &decode_options);
        assert_same_files(&room.data("again"), &room.data("dump"));
        prop_assert!(room.data("dump").len() >= keys.len());
    }
}
