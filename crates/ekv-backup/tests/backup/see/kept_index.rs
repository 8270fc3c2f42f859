//! What is read by a kept index is what is read without one, or it is not read by it.

use std::fs;

use ekv_backup::{IndexCache, IndexUse, Store, keep_indexes};
use ekv_testkit::SnapshotBuilder;
use ekv_testkit::redis::key;

use super::*;
use crate::nodes::node::{Node, stored, string, with_catalog};

/// With indexes in `cache`, of any snapshot.
fn read(cache: &Path, at: Option<u64>) -> ReadOptions {
    let at = at.map(|hlc| format!("hlc:{hlc}").parse().unwrap());
    let index = Some(IndexCache { directory: cache.to_path_buf(), len_min: 0 });
    ReadOptions { at, index, estimates: true, ..ReadOptions::default() }
}

fn store(source: &Source) -> &Store {
    match source {
        Source::Store(store) => store,
        _ => panic!("a snapshot is a store"),
    }
}

/// How many of the snapshots of a source were read by an index.
fn used(source: &Source) -> usize {
    store(source).indexes().filter(|(_, index)| matches!(index, IndexUse::Used { .. })).count()
}

/// Everything that `ls`, `get` and `history` tell, or why they do not.
fn told(source: &mut Source, step: usize) -> Vec<String> {
    let rows = listed_with(source, |options| options.events.looks_ahead = true);
    let mut told: Vec<String> = rows.iter().map(Value::to_string).collect();
    for address in addresses(&rows).iter().step_by(step).map(String::as_str).chain(["nope", "s3:bucket-one/no"]) {
        told.push(match got(source, address, true) {
            Ok((report, bytes)) => format!("{report:?} {}", String::from_utf8(bytes).unwrap()),
            Err(error) => error.to_string(),
        });
        let name = Name::parse(address.as_bytes(), false).unwrap();
        let mut take = |version: &Version| {
            told.push(format!("{version:?}"));
            Ok(())
        };
        let end = history(source, &name, &Resources::DEFAULT, &mut take, &NoProgress);
        told.push(end.map_or_else(|error| error.to_string(), |end| format!("{end:?}")));
    }
    told.push(format!("{} {:?}", source.header().read_ts, store(source).notes()));
    told
}

/// Without an index, with one that is made, and with one that is used: the same, now and at the given time. Gives how many indexes were used.
fn compare(place: &Path, at: Option<u64>, cache: &Path, step: usize) -> usize {
    let plain = ReadOptions { index: None, estimates: false, ..read(cache, at) };
    let mut plain = Source::open(place, &plain, &NoProgress).unwrap();
    let expected = told(&mut plain, step);
    let mut by_index = 0;
    for _ in 0..2 {
        let mut source = Source::open(place, &read(cache, at), &NoProgress).unwrap();
        let told = told(&mut source, step);
        let other = told.iter().zip(&expected).find(|(told, expected)| told != expected);
        assert!(told.len() == expected.len() && other.is_none(), "{} at {at:?}: {other:?}", place.display());
        assert!(at.is_some() || source.header() == plain.header());
        by_index = used(&source);
    }
    by_index
}

#[test]
fn lists_values_and_histories_of_real_servers_are_the_same_by_an_index_at_any_time() {
    for (known, step) in [(&ALL_3, 17), (&REDIS_1, 23)] {
        let room = Room::new();
        let (snapshot, cache) = (room.snapshot(known), room.path("cache"));
        assert_eq!(compare(&snapshot, None, &cache, step), 1, "{}", known.name);
        let store = Store::open(&snapshot, &ReadOptions::default(), &NoProgress).unwrap();
        let newest = store.header().read_ts;
        for back_ms in [0, 40, 300, 2000] {
            assert_eq!(compare(&snapshot, Some(newest - (back_ms << 16)), &cache, step), 1, "{}", known.name);
        }
        assert_eq!(fs::read_dir(&cache).unwrap().count(), 1);
    }
}

#[test]
fn node_of_several_groups_with_transactions_is_the_same_by_an_index_of_each_snapshot() {
    let room = Room::new();
    unpack("groups-4.data.tar", room.dir.path());
    assert_eq!(compare(&room.path("n1"), None, &room.path("cache"), 5), 2);
    // A write that was staged and committed, and a group that owns nothing of what it holds.
    let node = Node::new();
    let at = 1_000_000_u64 << 16;
    node.add(1, 1, &with_catalog(SnapshotBuilder::new()).put(&string("a"), at, &stored("a")));
    node.add(2, 1, &SnapshotBuilder::new().put(&string("b"), at, &stored("b")).put(&string("z"), at, &stored("z")));
    assert_eq!(compare(&node.path(), None, &room.path("cache"), 1), 2);
}

#[test]
fn index_of_another_snapshot_a_damaged_one_and_none_are_all_the_same_to_who_reads() {
    let room = Room::new();
    let at = 1_000_000_u64 << 16;
    let snapshot = |value: &str| {
        let keys = (0..300).map(|number| key::string(format!("key-{number}").as_bytes()));
        let put = |builder: SnapshotBuilder, key: Vec<u8>| builder.put(&key, at, &stored(&value.repeat(99)));
        keys.fold(SnapshotBuilder::new(), put).build()
    };
    let (one, other, cache) = (room.path("one.fsm"), room.path("other.fsm"), room.path("cache"));
    fs::write(&one, snapshot("one")).unwrap();
    fs::write(&other, snapshot("two")).unwrap();
    let names = |place: &Path| -> Vec<PathBuf> {
        keep_indexes(place, &read(&cache, None), &NoProgress).unwrap();
        let entries = fs::read_dir(&cache).unwrap().map(|entry| entry.unwrap().path());
        entries.collect()
    };
    let [of_one] = names(&one).try_into().unwrap();
    let of_other = names(&other).into_iter().find(|path| *path != of_one).unwrap();
    let value = |place: &Path| {
        let mut source = Source::open(place, &read(&cache, None), &NoProgress).unwrap();
        (bytes_of(&mut source, "key-7"), used(&source))
    };
    let (right, wrong) = (fs::read(&of_one).unwrap(), fs::read(&of_other).unwrap());
    let with_byte = |at: usize| {
        let mut bytes = right.clone();
        bytes[at] ^= 0x20;
        bytes
    };
    let future = [b"EKVSIDX2", &right[8..]].concat();
    let mut tried = vec![wrong, future, Vec::new(), right[..right.len() / 2].to_vec(), vec![0; 100_000]];
    tried.extend((0..right.len()).step_by(right.len() / 60).map(with_byte));
    for bytes in tried {
        fs::write(&of_one, &bytes).unwrap();
        // What is there is not used and replaced by one that is.
        assert_eq!(value(&one), ("one".repeat(99).into_bytes(), 0));
        assert_eq!(value(&one), ("one".repeat(99).into_bytes(), 1));
    }
    // The same name, another file.
    fs::rename(&other, &one).unwrap();
    assert_eq!(value(&one), ("two".repeat(99).into_bytes(), 0));
}

#[test]
fn snapshot_that_was_damaged_in_place_is_an_error_with_and_without_an_index() {
    let room = Room::new();
    let (snapshot, cache) = (room.snapshot(&ALL_3), room.path("cache"));
    keep_indexes(&snapshot, &read(&cache, None), &NoProgress).unwrap();
    let file = fs::File::options().write(true).open(&snapshot).unwrap();
    let modified = file.metadata().unwrap().modified().unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, b"??", 500_000).unwrap();
    file.set_modified(modified).unwrap();
    for options in [read(&cache, None), ReadOptions::default()] {
        let error = Source::open(&snapshot, &options, &NoProgress).map(drop).unwrap_err();
        assert_eq!(error.class(), Class::Data, "{error}");
    }
}
