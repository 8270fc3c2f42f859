use super::*;
use crate::FooterPolicy;
use crate::file::Cursor;
use crate::stream::len_u64;
use crate::{MemoryInput, OneFamily, ScanOptions, View, scan};
use ekv_model::NoMonitor;
use ekv_spill::SystemScratch;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fs::File;
use std::sync::Mutex;

/// Vector V8 of section 18: a = v1 at 10, v2 at 20 until 99; b deleted at 30.
const V8: &str = "454b564d564343320100000009e3a84d1e000000000000000000000000000000010000000000000061020000000000000\
                  00a000000000000000000000000000000000200000000000000763114000000000000000063000000000000000200000000\
                  000000763201000000000000006201000000000000001e000000000000000100000000000000000000000000000000";

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect()
}

fn input(bytes: &[u8], footer: FooterPolicy) -> Input {
    let source = Arc::new(MemoryInput(bytes.into()));
    Input { source, len: len_u64(bytes), name: "memory.fsm".into(), footer, token_crc32c: None }
}

fn run(bytes: &[u8], footer: FooterPolicy) -> Result<(Vec<u8>, Transcoded)> {
    let scratch: Arc<dyn Scratch> = Arc::new(SystemScratch::new());
    let transcoded = transcode(&input(bytes, footer), 0, &scratch, &NoMonitor)?;
    let mut out = [&b"EKVPBBL1"[..], &transcoded.last_commit_ts.0.to_le_bytes()].concat();
    let mut cursor = Cursor::new(&transcoded.records, 100);
    while cursor.advance()? {
        let value = cursor.value();
        let mut bytes = vec![0; usize::try_from(value.len()).unwrap()];
        value.input().fill_at(value.byte_offset(), &mut bytes)?;
        for part in [cursor.raw_key(), &bytes] {
            out.extend_from_slice(&len_u64(part).to_le_bytes());
            out.extend_from_slice(part);
        }
    }
    Ok((out, transcoded))
}

fn kind(bytes: &[u8]) -> String {
    match run(bytes, FooterPolicy::Optional) {
        Ok(_) => "accepted".into(),
        Err(error) => format!("{:?}", error.kind()),
    }
}

/// One version as it is stored: timestamp, tombstone, expiry, value.
type Version = (u64, bool, u64, Vec<u8>);

fn payload(keys: &[(Vec<u8>, Vec<Version>)]) -> Vec<u8> {
    let mut body = [99_u64.to_le_bytes(), 3_u64.to_le_bytes()].concat();
    for (key, versions) in keys {
        body.extend_from_slice(&len_u64(key).to_le_bytes());
        body.extend_from_slice(key);
        body.extend_from_slice(&u64::try_from(versions.len()).unwrap().to_le_bytes());
        for (ts, tombstone, expire_at, value) in versions {
            body.extend_from_slice(&ts.to_le_bytes());
            body.push(u8::from(*tombstone));
            body.extend_from_slice(&expire_at.to_le_bytes());
            body.extend_from_slice(&len_u64(value).to_le_bytes());
            body.extend_from_slice(value);
        }
    }
    seal(&body)
}

fn seal(body: &[u8]) -> Vec<u8> {
    [&b"EKVMVCC2"[..], &1_u32.to_le_bytes(), &crc32fast::hash(body).to_le_bytes(), body].concat()
}

fn entry(key: &[u8], ts: u64, flags: u8, expire_at: u64, body: &[u8]) -> Vec<u8> {
    let raw_key = [key, &CommitTs(ts).to_suffix()].concat();
    let value = [&[flags][..], &expire_at.to_le_bytes(), body].concat();
    [&len_u64(&raw_key).to_le_bytes()[..], &raw_key, &len_u64(&value).to_le_bytes(), &value].concat()
}

#[test]
fn documented_vector_becomes_records_in_raw_key_order() {
    let (records, transcoded) = run(&bytes(V8), FooterPolicy::Optional).unwrap();
    let expected = [
        &b"EKVPBBL1"[..],
        &30_u64.to_le_bytes(),
        &entry(b"a", 20, 0, 99, b"v2"),
        &entry(b"a", 10, 0, 0, b"v1"),
        &entry(b"b", 30, 1, 0, b""),
    ]
    .concat();
    assert_eq!(records, expected);
    assert_eq!((transcoded.footer_crc32c, transcoded.min_retained_ts), (None, CommitTs(0)));
}

#[test]
fn any_flipped_body_byte_is_an_error() {
    let good = bytes(V8);
    for position in 16..good.len() {
        let mut changed = good.clone();
        changed[position] ^= 0x40;
        assert_ne!(kind(&changed), "accepted", "byte {position}");
    }
    let mut value = good.clone();
    let at = value.windows(2).position(|w| w == b"v1").unwrap();
    value[at] = b'w';
    assert!(kind(&value).starts_with("BodyCrc"));
}

#[test]
fn payload_cut_anywhere_is_an_error() {
    let good = bytes(V8);
    for len in 8..good.len() {
        assert_ne!(kind(&good[..len]), "accepted", "cut to {len}");
    }
}

#[test]
fn outer_footer_is_recognised_checked_and_kept_out_of_the_inner_checksum() {
    let mut file = bytes(V8);
    let footer = crc32c::crc32c(&file);
    file.extend_from_slice(&footer.to_be_bytes());
    let (_, transcoded) = run(&file, FooterPolicy::Required).unwrap();
    assert_eq!(transcoded.footer_crc32c, Some(footer));
    *file.last_mut().unwrap() ^= 1;
    assert!(kind(&file).starts_with("FooterCrc"));
    file.push(0);
    assert!(kind(&file).starts_with("Truncated"));
}

#[test]
fn outer_checksum_wins_over_structural_damage_where_a_footer_is_required() {
    let mut file = bytes(V8);
    let footer = crc32c::crc32c(&file);
    file.extend_from_slice(&footer.to_be_bytes());
    file[39] = 0xff;
    let error = run(&file, FooterPolicy::Required).map(drop).unwrap_err();
    let ErrorKind::FooterCrc { parse_error: Some(parse_error), .. } = error.kind() else { panic!("{error}") };
    assert!(parse_error.contains("key length"), "{parse_error}");
}

#[test]
fn hostile_lengths_counts_and_versions_are_refused_before_they_are_used() {
    let head = [0_u64.to_le_bytes(), 0_u64.to_le_bytes()].concat();
    let with = |fields: &[u64]| {
        let fields: Vec<u8> = fields.iter().flat_map(|n| n.to_le_bytes()).collect();
        kind(&seal(&[&head[..], &fields].concat()))
    };
    assert!(with(&[(16 << 20) + 1, 0]).starts_with("KeyTooLarge"));
    assert!(with(&[u64::MAX, 0]).starts_with("KeyTooLarge"));
    assert!(with(&[1 << 20, 0]).starts_with("Truncated"));
    assert!(with(&[0, (1 << 20) + 1]).starts_with("Invalid"));
    assert!(with(&[0, 1 << 20]).starts_with("Truncated"));
    let version = |len: u64| {
        [&0_u64.to_le_bytes()[..], &1_u64.to_le_bytes(), &7_u64.to_le_bytes(), &[0], &[0; 8], &len.to_le_bytes()]
            .concat()
    };
    assert!(kind(&seal(&[&head[..], &version((256 << 20) + 1)].concat())).starts_with("ValueTooLarge"));
    assert!(kind(&seal(&[&head[..], &version(256 << 20)].concat())).starts_with("Truncated"));
    assert!(kind(&seal(&[&head[..], &version(0)].concat())) == "accepted");
    let mut other_version = seal(&head);
    other_version[8] = 2;
    assert!(kind(&other_version).starts_with("Invalid"));
}

#[test]
fn versions_that_do_not_ascend_are_refused() {
    for (first, second) in [(7, 7), (8, 7)] {
        let versions = vec![(first, false, 0, b"x".to_vec()), (second, false, 0, b"y".to_vec())];
        assert!(kind(&payload(&[(b"k".to_vec(), versions)])).starts_with("Invalid"), "{first}, {second}");
    }
}

/// Any timestamps, and such as have in a raw key the bytes of which keys are made.
fn timestamps() -> impl Strategy<Value = u64> {
    let like_keys = proptest::array::uniform8(prop_oneof![Just(0_u8), Just(0xff)]).prop_map(u64::from_be_bytes);
    prop_oneof![any::<u64>(), like_keys]
}

proptest! {
    #[test]
    fn rewritten_records_hold_every_version_in_raw_key_order(
        keys in proptest::collection::btree_map(
            proptest::collection::vec(prop_oneof![4 => Just(0_u8), 4 => Just(0xff), 1 => any::<u8>()], 0..12),
            proptest::collection::btree_map(
                timestamps(),
                (any::<bool>(), any::<u64>(), proptest::collection::vec(any::<u8>(), 0..300)),
                0..6,
            ),
            0..40,
        ),
    ) {
        let stored: Vec<(Vec<u8>, Vec<Version>)> = keys
            .iter()
            .map(|(key, versions)| {
                (key.clone(), versions.iter().map(|(ts, (dead, exp, value))| (*ts, *dead, *exp, value.clone())).collect())
            })
            .collect();
        let mut expected = BTreeMap::new();
        for (key, versions) in &stored {
            for (ts, dead, exp, value) in versions {
                let raw_key = [&key[..], &CommitTs(*ts).to_suffix()].concat();
                expected.insert(raw_key, entry(key, *ts, u8::from(*dead), *exp, value));
            }
        }
        let (records, transcoded) = run(&payload(&stored), FooterPolicy::Optional).unwrap();
        let mut cursor = Cursor::new(&transcoded.records, 100);
        for raw_key in expected.keys().rev() {
            prop_assert!(cursor.seek(raw_key).unwrap());
            prop_assert_eq!(cursor.raw_key(), &raw_key[..]);
        }
        prop_assert_eq!(&records[..16], &[&b"EKVPBBL1"[..], &99_u64.to_le_bytes()].concat()[..]);
        prop_assert_eq!(&records[16..], &expected.into_values().collect::<Vec<_>>().concat()[..]);
        prop_assert_eq!(transcoded.min_retained_ts, CommitTs(3));
    }
}

/// Scratch files whose lengths are counted.
#[derive(Default)]
struct CountedScratch(Mutex<Vec<File>>);

impl CountedScratch {
    fn used_len(&self) -> u64 {
        self.0.lock().unwrap().iter().map(|file| file.metadata().unwrap().len()).sum()
    }
}

impl Scratch for CountedScratch {
    fn create(&self) -> ekv_spill::Result<File> {
        let file = SystemScratch::new().create()?;
        self.0.lock().unwrap().push(file.try_clone().unwrap());
        Ok(file)
    }

    fn place(&self) -> String {
        "counted".into()
    }
}

#[test]
fn scratch_space_is_at_most_four_times_the_payload_however_many_versions_share_a_key() {
    let versions = |count: u64, len: usize| (0..count).map(|ts| (ts + 1, false, 0, vec![7; len])).collect::<Vec<_>>();
    let key = |byte: u8, len: usize| vec![byte; len];
    for keys in [
        vec![(key(b'k', 1 << 20), versions(2_000, 0))],
        vec![(key(b'k', 1), versions(40_000, 0))],
        vec![(key(b'a', 400_000), versions(500, 700)), (key(b'b', 300_000), versions(3, 1 << 20))],
        (0..30_u8).map(|i| (key(i, 100_000 + usize::from(i)), versions(9, 10))).collect(),
        // Each key begins with the one before it.
        (1..60).map(|i| (key(b'n', i * 5_000), versions(20, 1))).collect(),
    ] {
        let payload = payload(&keys);
        let counted = Arc::new(CountedScratch::default());
        let scratch: Arc<dyn Scratch> = counted.clone();
        let (found, _) = scan(
            &input(&payload, FooterPolicy::Optional),
            &ScanOptions::default(),
            &mut OneFamily,
            &scratch,
            &NoMonitor,
        )
        .unwrap();
        let expected: usize = keys.iter().map(|(_, versions)| versions.len()).sum();
        assert_eq!(found.totals.entries, u64::try_from(expected).unwrap());
        let (used, most) = (counted.used_len(), 4 * len_u64(&payload));
        assert!(used <= most, "{used} bytes of scratch space for {} of the payload", payload.len());
    }
}

#[test]
fn key_that_comes_twice_is_refused() {
    let version = |ts| vec![(ts, false, 0, b"x".to_vec())];
    let twice = payload(&[(b"k".to_vec(), version(1)), (b"kk".to_vec(), version(1)), (b"k".to_vec(), version(2))]);
    assert!(kind(&twice).contains("a key comes twice"), "{}", kind(&twice));
}

#[test]
fn keys_that_share_more_than_the_index_keeps_are_found_in_any_order() {
    let key = |i: u32| [&[b'k'; 2_000][..], &i.to_be_bytes()].concat();
    let keys: Vec<_> =
        (0..300).map(|i| (key(i), vec![(1, false, 0, vec![7; 100]), (2, false, 0, vec![8; 100])])).collect();
    let scratch: Arc<dyn Scratch> = Arc::new(SystemScratch::new());
    let input = input(&payload(&keys), FooterPolicy::Optional);
    let (_, file) = scan(&input, &ScanOptions::default(), &mut OneFamily, &scratch, &NoMonitor).unwrap();
    let mut lookup = View::of_file(&file, CommitTs(1)).lookup();
    for i in (0..300).rev().chain([7, 299, 0]) {
        assert_eq!(lookup.get(&key(i)).unwrap().unwrap().body.whole(), Some(&[7; 100][..]));
    }
    assert!(lookup.get(&key(300)).unwrap().is_none());
    assert!(lookup.get(&[b'k'; 2_000]).unwrap().is_none());
}
