//! Element names that begin with each other lie in another order than they are emitted in. Source: `docs/format/redis.md`, section 10.2.

use std::collections::BTreeSet;

use ekv_snapshot::CommitTs;
use ekv_testkit::redis::{RedisRecords, Wide, key, value};
use proptest::prelude::*;

use crate::redis::decoded::{decode, decode_at, hash, set, zset};

/// Names made of a few beginnings and of pieces that look like inverted timestamps.
fn names() -> impl Strategy<Value = BTreeSet<Vec<u8>>> {
    let piece = prop_oneof![
        Just(b"a".to_vec()),
        Just(b"ab".to_vec()),
        Just(b"\0".to_vec()),
        Just(vec![0xff]),
        Just(vec![0xfe, 0x5d]),
        (0_u64..80, 1_usize..=8)
            .prop_map(|(n, len)| { CommitTs(RedisRecords::FIRST_COMMIT_TS + n).to_suffix()[..len].to_vec() }),
    ];
    let name = proptest::collection::vec(piece, 0..5).prop_map(|pieces| pieces.concat());
    proptest::collection::btree_set(name, 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    // The recorder checks that names ascend.
    #[test]
    fn elements_come_in_byte_order_whatever_their_names_and_versions(names in names(), again in names(), older in 0_usize..40) {
        let mut records = RedisRecords::new();
        for name in &names {
            records = records
                .put(Wide::Hash.element(b"k", name), name)
                .put(Wide::Set.element(b"l", name), b"")
                .put(Wide::ZSet.element(b"m", name), value::score(1.0));
        }
        let middle = records.commit_ts();
        // Some names get a new version or are deleted, so that versions of one name have others between them.
        for (i, name) in again.iter().chain(names.iter().take(older)).collect::<BTreeSet<_>>().into_iter().enumerate() {
            records = if i % 3 == 0 {
                records.delete(Wide::Hash.element(b"k", name))
            } else {
                records.put(Wide::Hash.element(b"k", name), b"new")
            };
        }
        let fields = |names: &[(Vec<u8>, Vec<u8>)]| {
            hash(&names.iter().map(|(name, value)| (name.as_slice(), value.as_slice())).collect::<Vec<_>>())
        };
        if !names.is_empty() {
            let decoded = decode_at(&records, middle);
            let first: Vec<_> = names.iter().map(|name| (name.clone(), name.clone())).collect();
            prop_assert_eq!(decoded.value(b"k"), &fields(&first));
            let members: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
            prop_assert_eq!(decoded.value(b"l"), &set(&members));
            let scored: Vec<(&[u8], f64)> = members.iter().map(|name| (*name, 1.0)).collect();
            prop_assert_eq!(decoded.value(b"m"), &zset(&scored));
        }
        let changed: BTreeSet<_> = again.iter().chain(names.iter().take(older)).cloned().collect();
        let mut now: std::collections::BTreeMap<_, _> = names.iter().map(|name| (name.clone(), name.clone())).collect();
        for (i, name) in changed.iter().enumerate() {
            if i % 3 == 0 { now.remove(name); } else { now.insert(name.clone(), b"new".to_vec()); }
        }
        let decoded = decode(&records);
        if now.is_empty() {
            prop_assert!(!decoded.keys.contains_key(&b"k"[..]));
        } else {
            let now: Vec<_> = now.into_iter().collect();
            prop_assert_eq!(decoded.value(b"k"), &fields(&now));
        }
    }
}

#[test]
fn names_out_of_order_that_exceed_the_memory_budget_are_sorted_on_disk() {
    // Each name begins the next one, so that all but the longest come too late: together far more than the budget.
    let longest = 2_400;
    let mut records = RedisRecords::new();
    for len in 0..=longest {
        records = records.put(Wide::Hash.element(b"k", &vec![b'n'; len]), len.to_string());
    }
    let decoded = decode(&records.put(key::string(b"other"), value::string(b"", None)));
    let ekv_testkit::redis::RedisValue::Hash(fields) = decoded.value(b"k") else { panic!("a hash") };
    assert_eq!(fields.len(), longest + 1);
    assert!(fields.iter().all(|(name, value)| *value == name.len().to_string().into_bytes()));
}
