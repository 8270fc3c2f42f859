//! Both ways of reading against a naive model, with windows and an index far too small for the file.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ekv_spill::{Scratch, SparseIndexBuilder, SystemScratch};
use proptest::prelude::*;

use super::*;
use crate::{FooterPolicy, Input, MemoryInput, ReadAt};

/// What a version is: tombstone, store expiry, body.
type Value = (bool, u64, Vec<u8>);

/// The records of a file: versions by user key and commit timestamp.
type Records = BTreeMap<(Vec<u8>, u64), Value>;

/// What is visible: commit timestamp and body by user key.
type Seen = BTreeMap<Vec<u8>, (u64, Vec<u8>)>;

fn raw_key(user_key: &[u8], ts: u64) -> Vec<u8> {
    [user_key, &CommitTs(ts).to_suffix()].concat()
}

/// A record file with an index of at most `index_len` bytes.
fn file(records: &Records, index_len: usize) -> RecordFile {
    let mut entries: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    for ((key, ts), (tombstone, expire_at, body)) in records {
        entries.insert(raw_key(key, *ts), [&[u8::from(*tombstone)], &expire_at.to_le_bytes()[..], body].concat());
    }
    // Rows of the store lie between the records and belong to nobody.
    entries.insert(b"_meta_min_retained_ts".to_vec(), vec![0; 8]);
    entries.insert(b"short".to_vec(), vec![0; 8]);
    let scratch: Arc<dyn Scratch> = Arc::new(SystemScratch::new());
    let mut index = SparseIndexBuilder::with_sizes(&scratch, index_len, 64);
    let mut bytes = vec![0xaa; 7];
    let widen = |len: usize| u64::try_from(len).unwrap();
    for (key, value) in &entries {
        index.offer(widen(bytes.len()), key).unwrap();
        for part in [key, value] {
            bytes.extend_from_slice(&widen(part.len()).to_le_bytes());
            bytes.extend_from_slice(part);
        }
    }
    let end = widen(bytes.len());
    bytes.extend_from_slice(&[0xbb; 4]);
    let input = Input {
        len: widen(bytes.len()),
        source: Arc::new(MemoryInput(bytes.into())),
        name: "model".into(),
        footer: FooterPolicy::Optional,
        token_crc32c: None,
    };
    RecordFile::new(input, 7, end, index.finish().unwrap())
}

/// One file over another: where both hold the same version, the first one counts.
fn merged(first: &Records, second: &Records) -> Records {
    let mut all = second.clone();
    all.extend(first.clone());
    all
}

/// The newest version at or before the read timestamp, unless it hides its key; straight from section 8.
fn visible_in(records: &Records, read_ts: u64) -> Seen {
    let mut newest: BTreeMap<&[u8], (u64, &Value)> = BTreeMap::new();
    for ((key, ts), value) in records {
        if CommitTs(*ts) <= effective_read_ts(key, CommitTs(read_ts)) {
            newest.insert(key, (*ts, value));
        }
    }
    let shown = newest.into_iter().filter(|(key, (_, (tombstone, expire_at, _)))| {
        !tombstone && (*expire_at == 0 || CommitTs(*expire_at) > effective_read_ts(key, CommitTs(read_ts)))
    });
    shown.map(|(key, (ts, (_, _, body)))| (key.to_vec(), (ts, body.clone()))).collect()
}

fn body_of(found: &Visible<'_>) -> Vec<u8> {
    let mut body = vec![0; usize::try_from(found.body.len()).unwrap()];
    found.body.input().fill_at(found.body.byte_offset(), &mut body).unwrap();
    assert!(body.starts_with(found.body.head()));
    body
}

/// Everything that a scan gives from where it stands, in its order.
fn rest_of(scan: &mut RangeScan) -> Vec<(Vec<u8>, u64, Vec<u8>)> {
    let mut all = Vec::new();
    while let Some(found) = scan.next_visible().unwrap() {
        all.push((found.user_key.to_vec(), found.commit_ts.0, body_of(&found)));
    }
    assert!(scan.current().is_none() && scan.next_visible().unwrap().is_none(), "the end is the end");
    all
}

/// The model's answer in the order of a scan: by raw key of the visible version.
fn in_scan_order(seen: &Seen) -> Vec<(Vec<u8>, u64, Vec<u8>)> {
    let mut all: Vec<_> = seen.iter().map(|(key, (ts, body))| (key.clone(), *ts, body.clone())).collect();
    all.sort_by_key(|(key, ts, _)| raw_key(key, *ts));
    all
}

/// Owner of a key among `groups` groups.
fn owner(key: &[u8], groups: usize) -> usize {
    key.iter().map(|byte| usize::from(*byte)).sum::<usize>() % groups
}

/// The same, but that the first group owns all keys that begin with `kk`.
fn owner_or_first(key: &[u8], groups: usize) -> usize {
    if key.starts_with(b"kk") { 0 } else { owner(key, groups) }
}

/// Keys made of a few prefixes and of pieces that look like inverted timestamps.
fn keys() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        3 => Just(b"k".to_vec()),
        1 => Just(b"ka".to_vec()),
        1 => Just(vec![0xff]),
        1 => Just(vec![0xfe]),
        1 => Just(NEWEST_ALWAYS_PREFIX.to_vec()),
        1 => Just(b"_meta_min_reta".to_vec()),
        2 => (0_u64..8).prop_map(|ts| CommitTs(ts).to_suffix().to_vec()),
        1 => (0_u64..8).prop_map(|ts| CommitTs(ts).to_suffix()[..5].to_vec()),
    ];
    proptest::collection::vec(piece, 1..4).prop_map(|pieces| pieces.concat())
}

fn values() -> impl Strategy<Value = Value> {
    let body = (0_u8..200, prop_oneof![4 => 0_usize..20, 1 => 100_usize..700]).prop_map(|(byte, len)| vec![byte; len]);
    (proptest::bool::weighted(0.2), prop_oneof![4 => Just(0_u64), 1 => 0_u64..12], body)
}

fn records() -> impl Strategy<Value = Records> {
    proptest::collection::btree_map((keys(), prop_oneof![9 => 0_u64..8, 1 => Just(u64::MAX)]), values(), 0..60)
}

fn read_timestamps() -> impl Strategy<Value = u64> {
    prop_oneof![8 => 0_u64..10, 1 => Just(u64::MAX)]
}

fn geometry() -> impl Strategy<Value = (usize, usize)> {
    (
        prop_oneof![Just(1_usize), Just(17), Just(60), 1_usize..300, Just(4096)],
        prop_oneof![100_usize..600, Just(1 << 20)],
    )
}

fn lookup_of(view: &View, window_len: usize) -> Lookup {
    Lookup::new(view, window_len)
}

proptest! {
    #[test]
    fn ranges_and_lookups_of_two_files_equal_the_naive_model(
        first in records(),
        second in records(),
        read_ts in read_timestamps(),
        (window_len, index_len) in geometry(),
        probes in proptest::collection::vec(keys(), 0..20),
    ) {
        let files = vec![file(&first, index_len), file(&second, index_len)];
        let view = View::new(vec![Group { files, read_ts: CommitTs(read_ts), owns: None }]);
        let all = merged(&first, &second);
        let expected = visible_in(&all, read_ts);
        let mut scan = view.scan_with(window_len);
        scan.seek(Range::default()).unwrap();
        prop_assert_eq!(rest_of(&mut scan), in_scan_order(&expected));

        let mut lookup = lookup_of(&view, window_len);
        for key in all.keys().map(|(key, _)| key).chain(&probes) {
            let found = lookup.get(key).unwrap().map(|found| (found.commit_ts.0, body_of(&found)));
            prop_assert_eq!(found.as_ref(), expected.get(key), "key {}", key.escape_ascii());
        }
    }

    #[test]
    fn prefix_ranges_hold_exactly_the_keys_with_their_prefix(
        all in records(),
        read_ts in read_timestamps(),
        (window_len, index_len) in geometry(),
        prefixes in proptest::collection::vec(keys(), 1..12),
    ) {
        let view = View::of_file(&file(&all, index_len), CommitTs(read_ts));
        let visible = visible_in(&all, read_ts);
        // One reader for all, in any order.
        let mut scan = view.scan_with(window_len);
        for prefix in &prefixes {
            let expected: Seen =
                visible.iter().filter(|(key, _)| key.starts_with(prefix)).map(|(k, v)| (k.clone(), v.clone())).collect();
            scan.seek(Range::prefix(prefix)).unwrap();
            prop_assert_eq!(rest_of(&mut scan), in_scan_order(&expected), "prefix {}", prefix.escape_ascii());
        }
    }

    #[test]
    fn ranges_between_raw_keys_resolve_the_records_in_them(
        all in records(),
        read_ts in read_timestamps(),
        (window_len, index_len) in geometry(),
        bounds in proptest::collection::vec((keys(), keys(), proptest::option::of(0_u64..8)), 1..8),
    ) {
        let view = View::of_file(&file(&all, index_len), CommitTs(read_ts));
        let mut scan = view.scan_with(window_len);
        for (start, end, start_ts) in &bounds {
            let start = start_ts.map_or_else(|| start.clone(), |ts| raw_key(start, ts));
            let inside = |key: &[u8], ts: u64| {
                let raw_key = raw_key(key, ts);
                start <= raw_key && raw_key < *end
            };
            let part = all.iter().filter(|((key, ts), _)| inside(key, *ts)).map(|(k, v)| (k.clone(), v.clone())).collect();
            scan.seek(Range::between(&start, Some(end))).unwrap();
            prop_assert_eq!(rest_of(&mut scan), in_scan_order(&visible_in(&part, read_ts)));
            scan.seek(Range::between(b"", Some(end)).starting_at(&start)).unwrap();
            prop_assert_eq!(rest_of(&mut scan), in_scan_order(&visible_in(&part, read_ts)));
        }
    }

    #[test]
    fn rewound_scan_goes_on_as_it_did_the_first_time(
        first in records(),
        second in records(),
        read_ts in read_timestamps(),
        (window_len, index_len) in geometry(),
        (before, after) in (0_usize..30, 0_usize..30),
        groups in 1_usize..3,
    ) {
        let files = vec![file(&first, index_len), file(&second, index_len)];
        let groups = if groups == 1 { vec![files] } else { files.into_iter().map(|file| vec![file]).collect() };
        let group = |files| Group { files, read_ts: CommitTs(read_ts), owns: None };
        let view = View::new(groups.into_iter().map(group).collect());
        let mut scan = view.scan_with(window_len);
        scan.seek(Range::default()).unwrap();
        for _ in 0..before {
            scan.next_visible().unwrap();
        }
        let stood_on = scan.current().map(|found| (found.user_key.to_vec(), found.commit_ts));
        let mark = scan.mark();
        for _ in 0..after {
            scan.next_visible().unwrap();
        }
        scan.rewind(&mark).unwrap();
        prop_assert_eq!(scan.current().map(|found| (found.user_key.to_vec(), found.commit_ts)), stood_on);
        let rest = rest_of(&mut scan);
        scan.rewind(&mark).unwrap();
        prop_assert_eq!(rest_of(&mut scan), rest.clone());
        scan.seek(Range::default()).unwrap();
        let whole = rest_of(&mut scan);
        prop_assert_eq!(&whole[before.min(whole.len())..], &rest[..]);
    }

    #[test]
    fn groups_show_the_keys_that_they_own_at_their_own_timestamps(
        all in proptest::collection::vec((records(), read_timestamps()), 2..4),
        (window_len, index_len) in geometry(),
    ) {
        let count = all.len();
        let group = |(number, (records, read_ts)): (usize, &(Records, u64))| Group {
            files: vec![file(records, index_len)],
            read_ts: CommitTs(*read_ts),
            owns: Some(Arc::new(move |key: &[u8]| owner(key, count) == number)),
        };
        let view = View::new(all.iter().enumerate().map(group).collect());
        let mut expected = Seen::new();
        for (number, (records, read_ts)) in all.iter().enumerate() {
            expected.extend(visible_in(records, *read_ts).into_iter().filter(|(key, _)| owner(key, count) == number));
        }
        let mut scan = view.scan_with(window_len);
        scan.seek(Range::default()).unwrap();
        prop_assert_eq!(rest_of(&mut scan), in_scan_order(&expected));
        let mut lookup = lookup_of(&view, window_len);
        for key in all.iter().flat_map(|(records, _)| records.keys()).map(|(key, _)| key) {
            let found = lookup.get(key).unwrap().map(|found| (found.commit_ts.0, body_of(&found)));
            prop_assert_eq!(found.as_ref(), expected.get(key), "key {}", key.escape_ascii());
        }
    }

    #[test]
    fn key_that_several_groups_show_is_given_once_as_its_newest_version(
        all in proptest::collection::vec((records(), read_timestamps()), 2..4),
        (window_len, index_len) in geometry(),
    ) {
        let group = |(records, read_ts): &(Records, u64)| Group {
            files: vec![file(records, index_len)],
            read_ts: CommitTs(*read_ts),
            owns: None,
        };
        let view = View::new(all.iter().map(group).collect());
        let mut expected = Seen::new();
        for (key, found) in all.iter().flat_map(|(records, read_ts)| visible_in(records, *read_ts)) {
            let slot = expected.entry(key).or_insert_with(|| found.clone());
            if slot.0 < found.0 {
                *slot = found;
            }
        }
        let mut scan = view.scan_with(window_len);
        scan.seek(Range::default()).unwrap();
        prop_assert_eq!(rest_of(&mut scan), in_scan_order(&expected));
    }
}

#[test]
fn prefix_of_bytes_without_successor_reaches_to_the_end() {
    assert_eq!(Range::prefix(&[0xff, 0xff]).end, None);
    assert_eq!(Range::prefix(&[1, 0xff]).end, Some(vec![2]));
    assert_eq!(Range::prefix(b"").end, None);
}

/// Counts the bytes that are read.
struct Counted {
    inner: Arc<dyn ReadAt>,
    read_len: AtomicU64,
}

impl ReadAt for Counted {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let len = self.inner.read_at(buf, offset)?;
        self.read_len.fetch_add(u64::try_from(len).unwrap(), Ordering::Relaxed);
        Ok(len)
    }
}

/// The same file, and how many bytes are read of it from now on.
fn counting(file: &RecordFile) -> (RecordFile, Arc<Counted>) {
    let counted = Arc::new(Counted { inner: Arc::clone(&file.input().source), read_len: AtomicU64::new(0) });
    let source: Arc<dyn ReadAt> = counted.clone();
    (file.clone().with_input(Input { source, ..file.input().clone() }), counted)
}

#[test]
fn ascending_lookups_read_the_range_once_whether_the_keys_are_there_or_not() {
    let key = |number: u64| format!("key {number:06}").into_bytes();
    let records: Records = (0..1000).map(|i| ((key(2 * i), 1), (false, 0, b"body".to_vec()))).collect();
    let file = file(&records, 1 << 20);
    for step in [1, 2, 7] {
        let (counted_file, counted) = counting(&file);
        let mut lookup = lookup_of(&View::of_file(&counted_file, CommitTs::MAX), 256);
        for number in (1..2100).step_by(step) {
            let is_there = number % 2 == 0 && number < 2000;
            assert_eq!(lookup.get(&key(number)).unwrap().is_some(), is_there, "{number}");
        }
        let read_len = counted.read_len.load(Ordering::Relaxed);
        assert!(read_len < file.len() * 3 / 2, "{read_len} of {}", file.len());
    }
}

#[test]
fn lookup_in_any_order_reads_a_few_records_whatever_keys_have_in_common_and_however_small_the_index_is() {
    let records_in = 2_000;
    for (common_len, index_len) in [(0, 600), (400, 4_000), (600, 4_000), (2_000, 1 << 20)] {
        let key = |number: u64| [&vec![b'k'; common_len][..], &number.to_be_bytes()].concat();
        let records: Records = (0..records_in).map(|i| ((key(i), 1), (false, 0, b"body".to_vec()))).collect();
        let file = file(&records, index_len);
        let record_len = file.len() / records_in;
        let (counted_file, counted) = counting(&file);
        let mut lookup = lookup_of(&View::of_file(&counted_file, CommitTs::MAX), 256);
        for number in (0..records_in).rev() {
            assert!(lookup.get(&key(number)).unwrap().is_some(), "{number}");
        }
        let read_len = counted.read_len.load(Ordering::Relaxed) / records_in;
        // Halves of 2000 records, down to the one: as many keys, and what is read around the record.
        assert!(read_len < 16 * record_len + 1024, "{read_len} bytes, {} records", read_len / record_len);
    }
}

/// Keys each of which begins with the one before it, all of them between the place of the newest timestamp and their versions.
fn nested(count: usize, tail: &[u8]) -> Records {
    (1..=count).map(|len| (([&vec![b'k'; len][..], tail].concat(), 1), (false, 0, b"body".to_vec()))).collect()
}

#[test]
fn lookups_of_nested_keys_jump_over_the_keys_between() {
    let records = nested(600, b"");
    let file = file(&records, 1 << 20);
    let mut orders: [Vec<&Vec<u8>>; 2] = [(); 2].map(|()| records.keys().map(|(key, _)| key).collect());
    orders[1].reverse();
    for order in orders {
        let (counted_file, counted) = counting(&file);
        let mut lookup = lookup_of(&View::of_file(&counted_file, CommitTs::MAX), 256);
        for key in &order {
            assert!(lookup.get(key).unwrap().is_some());
        }
        let read_len = counted.read_len.load(Ordering::Relaxed);
        // Some twenty records each, instead of 300 on the average.
        assert!(read_len < 50 * file.len(), "{} times the file", read_len / file.len());
    }
}

#[test]
fn ranges_of_one_length_jump_over_the_keys_between() {
    // Items of lists whose names begin with each other, numbered from the same number on.
    let records = nested(600, b"kkkkkkkz");
    let file = file(&records, 1 << 20);
    let (counted_file, counted) = counting(&file);
    let mut scan = View::of_file(&counted_file, CommitTs::MAX).scan_with(256);
    for len in 1..=600 {
        let name = vec![b'k'; len];
        scan.seek(Range::prefix(&name).of_length(len + 8)).unwrap();
        let found = rest_of(&mut scan);
        assert_eq!(found.len(), 1, "{len}");
        assert_eq!(found[0].0.len(), len + 8);
    }
    let read_len = counted.read_len.load(Ordering::Relaxed);
    assert!(read_len < 80 * file.len(), "{} times the file", read_len / file.len());
}

proptest! {
    #[test]
    fn ranges_of_one_length_hold_exactly_the_keys_of_that_length(
        first in records(),
        second in records(),
        read_ts in read_timestamps(),
        (window_len, index_len) in geometry(),
        ranges in proptest::collection::vec((keys(), 0_usize..40), 1..8),
    ) {
        let files = vec![file(&first, index_len), file(&second, index_len)];
        let view = View::new(vec![Group { files, read_ts: CommitTs(read_ts), owns: None }]);
        let visible = visible_in(&merged(&first, &second), read_ts);
        let mut scan = view.scan_with(window_len);
        for (prefix, len) in &ranges {
            let is_held = |key: &Vec<u8>| key.starts_with(prefix) && key.len() == *len;
            let expected: Seen = visible.iter().filter(|(key, _)| is_held(key)).map(|(k, v)| (k.clone(), v.clone())).collect();
            scan.seek(Range::prefix(prefix).of_length(*len)).unwrap();
            prop_assert_eq!(rest_of(&mut scan), in_scan_order(&expected));
        }
    }
}

proptest! {
    #[test]
    fn ranges_of_several_groups_hold_their_keys_whatever_was_read_before(
        all in proptest::collection::vec((records(), read_timestamps()), 2..5),
        (window_len, index_len) in geometry(),
        ranges in proptest::collection::vec((keys(), proptest::option::of(keys()), 0_usize..4), 1..12),
        (ascending, knows_owners) in any::<(bool, bool)>(),
    ) {
        let count = all.len();
        let group = |(number, (records, read_ts)): (usize, &(Records, u64))| Group {
            files: vec![file(records, index_len)],
            read_ts: CommitTs(*read_ts),
            owns: Some(Arc::new(move |key: &[u8]| owner_or_first(key, count) == number)),
        };
        let view = View::new(all.iter().enumerate().map(group).collect());
        let view = if knows_owners { view.with_owners(Arc::new(Known(count))) } else { view };
        let mut ranges = ranges;
        if ascending {
            ranges.sort();
        }
        let mut scan = view.scan_with(window_len);
        for (prefix, end, taken) in &ranges {
            let range = match end {
                None => Range::prefix(prefix),
                Some(end) => Range::between(prefix, Some(end)),
            };
            let mut expected = Seen::new();
            for (number, (records, read_ts)) in all.iter().enumerate() {
                let part = records.iter().filter(|((key, ts), _)| {
                    let raw_key = raw_key(key, *ts);
                    range.start <= raw_key && range.holds(&raw_key)
                });
                let part: Records = part.map(|(k, v)| (k.clone(), v.clone())).collect();
                let owned = |(key, _): &(Vec<u8>, _)| owner_or_first(key, count) == number && key.starts_with(&range.prefix);
                expected.extend(visible_in(&part, *read_ts).into_iter().filter(owned));
            }
            let expected = in_scan_order(&expected);
            scan.seek(range).unwrap();
            // Some, then all from there on twice, or none but these few.
            let taken = (*taken).min(expected.len());
            for found in &expected[..taken] {
                prop_assert_eq!(scan.next_visible().unwrap().unwrap().user_key, &found.0[..]);
            }
            if end.is_some() {
                let mark = scan.mark();
                prop_assert_eq!(&rest_of(&mut scan)[..], &expected[taken..]);
                scan.rewind(&mark).unwrap();
                prop_assert_eq!(&rest_of(&mut scan)[..], &expected[taken..]);
            }
        }
    }
}

#[test]
fn place_for_which_there_is_a_later_one_is_refused() {
    let view = View::of_file(&file(&nested(5, b""), 1 << 20), CommitTs::MAX);
    let mut scan = view.scan();
    let first = scan.mark();
    let second = scan.mark();
    assert!(scan.rewind(&first).is_err());
    scan.rewind(&second).unwrap();
}

/// The owners among so many groups; of prefixes that begin with `kk`, group 0 is the owner.
struct Known(usize);

impl Owners for Known {
    fn of(&self, user_key: &[u8]) -> Owner {
        match user_key {
            b"any" => Owner::Any,
            b"nobody" => Owner::Nobody,
            key => Owner::Group(owner(key, self.0)),
        }
    }

    fn of_prefix(&self, prefix: &[u8]) -> Owner {
        if prefix.starts_with(b"kk") { Owner::Group(0) } else { Owner::Any }
    }
}

#[test]
fn lookup_asks_only_the_group_that_owns_the_key_where_the_view_knows_it() {
    const GROUPS: usize = 50;
    let asked = Arc::new(AtomicU64::new(0));
    let key = |number: usize| format!("key {number:03}").into_bytes();
    let group = |number: usize| {
        let records: Records = (0..100).map(|i| ((key(i), 1), (false, 0, number.to_be_bytes().to_vec()))).collect();
        let asked = Arc::clone(&asked);
        let owns: Owns = Arc::new(move |key: &[u8]| {
            asked.fetch_add(1, Ordering::Relaxed);
            owner(key, GROUPS) == number
        });
        Group { files: vec![file(&records, 4096)], read_ts: CommitTs::MAX, owns: Some(owns) }
    };
    let view = View::new((0..GROUPS).map(group).collect()).with_owners(Arc::new(Known(GROUPS)));
    let mut lookup = view.lookup();
    for number in 0..100 {
        let found = lookup.get(&key(number)).unwrap().unwrap();
        assert_eq!(found.body.whole(), Some(&owner(&key(number), GROUPS).to_be_bytes()[..]));
    }
    assert_eq!(asked.load(Ordering::Relaxed), 100);
    assert!(lookup.get(b"nobody").unwrap().is_none());
    assert_eq!(asked.load(Ordering::Relaxed), 100);
    assert!(lookup.get(b"any").unwrap().is_none());
    assert_eq!(asked.load(Ordering::Relaxed), 150);
}

/// User keys with commit timestamp and body.
type Shown = Vec<(Vec<u8>, u64, Vec<u8>)>;

/// What a view shows at a moment, by both ways of reading.
fn shown_at(view: &View, read_ts: u64, keys: &[Vec<u8>]) -> [Shown; 2] {
    let view = view.reading_at(CommitTs(read_ts));
    let mut lookup = view.lookup();
    let mut found = |key: &Vec<u8>| {
        let found = lookup.get(key).unwrap()?;
        Some((key.clone(), found.commit_ts.0, if found.is_damaged { Vec::new() } else { body_of(&found) }))
    };
    let looked_up = keys.iter().filter_map(&mut found).collect();
    [rest_of(&mut view.scan_range(Range::default()).unwrap()), looked_up]
}

proptest! {
    #[test]
    fn copy_of_what_counts_in_some_time_shows_the_same_at_every_moment_of_it(
        first in records(),
        second in records(),
        (oldest, newest) in (0_u64..9, 0_u64..9).prop_map(|(one, other)| (one.min(other), one.max(other))),
        prefixes in proptest::collection::vec(keys(), 1..4),
    ) {
        let files = vec![file(&first, 1 << 20), file(&second, 1 << 20)];
        let view = View::new(vec![Group { files, read_ts: CommitTs::MAX, owns: None }]);
        let scratch: Arc<dyn Scratch> = Arc::new(SystemScratch::new());
        let ranges: Vec<Range> = prefixes.iter().map(|prefix| Range::prefix(prefix)).collect();
        let is_wanted = |key: &[u8]| !key.len().is_multiple_of(3);
        let mut wanted = |key: &[u8], _| Ok::<bool, Error>(is_wanted(key));
        let (from, to) = (CommitTs(oldest), CommitTs(newest));
        let copy = view.between(from, to, &ranges, &mut wanted, &scratch).unwrap();
        // A copy of a copy holds as well.
        let middle = oldest.midpoint(newest);
        let again = copy.between(from, CommitTs(middle), &[Range::default()], &mut |_, _| Ok::<bool, Error>(true), &scratch);
        let again = again.unwrap();
        let is_in = |key: &[u8]| is_wanted(key) && prefixes.iter().any(|prefix| key.starts_with(prefix));
        let keys: Vec<Vec<u8>> = merged(&first, &second).into_keys().map(|(key, _)| key).collect();
        // What lasts throughout may lie elsewhere: readers see the same of it at every moment.
        let mut lasting = Vec::new();
        let mut note = |key: &[u8], kind| {
            lasting.extend((kind == Lasting::Throughout && is_in(key)).then(|| key.to_vec()));
            Ok::<bool, Error>(is_wanted(key) && kind == Lasting::Partly)
        };
        let partly = view.between(from, to, &ranges, &mut note, &scratch).unwrap();
        for read_ts in oldest..=newest {
            let [shown, _] = shown_at(&partly, read_ts, &keys);
            let [then, now] = [oldest, read_ts].map(|read_ts| shown_at(&view, read_ts, &lasting)[1].clone());
            prop_assert_eq!(&then, &now, "lasting at {}", read_ts);
            prop_assert_eq!(then.len(), lasting.len());
            let mut all = [shown, then].concat();
            all.sort();
            let [mut expected, _] = shown_at(&view, read_ts, &keys);
            expected.retain(|(key, ..)| is_in(key));
            expected.sort();
            prop_assert_eq!(all, expected, "with what lasts at {}", read_ts);
        }
        for read_ts in oldest..=newest {
            let expected = shown_at(&view, read_ts, &keys).map(|mut shown| {
                shown.retain(|(key, ..)| is_in(key));
                shown
            });
            prop_assert_eq!(&shown_at(&copy, read_ts, &keys), &expected, "at {}", read_ts);
            if read_ts <= middle {
                prop_assert_eq!(&shown_at(&again, read_ts, &keys), &expected, "again at {}", read_ts);
            }
        }
    }
}
