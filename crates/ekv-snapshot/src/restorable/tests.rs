use super::*;
use crate::{FooterPolicy, MemoryInput};
use ekv_model::NoMonitor;
use std::sync::Arc;

const T: u64 = 111_411_200_000_000_007;

/// Section 13, `m.fsm`.
fn golden() -> Vec<u8> {
    payload(T, &[(&versioned(b"!redis|str|a/b", T), &put(b"\xff\x01\x00hi"))])
}

fn versioned(user_key: &[u8], commit_ts: u64) -> Vec<u8> {
    [user_key, &CommitTs(commit_ts).to_suffix()].concat()
}

fn put(body: &[u8]) -> Vec<u8> {
    [&[0; 9], body].concat()
}

fn payload(last_commit_ts: u64, entries: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut bytes = PAYLOAD_MAGIC.to_vec();
    bytes.extend_from_slice(&last_commit_ts.to_le_bytes());
    for (raw_key, value) in entries {
        bytes.extend_from_slice(&len_u64(raw_key).to_le_bytes());
        bytes.extend_from_slice(raw_key);
        bytes.extend_from_slice(&len_u64(value).to_le_bytes());
        bytes.extend_from_slice(value);
    }
    bytes
}

fn read(bytes: &[u8]) -> Result<(Vec<u8>, RestorableTotals)> {
    let source = Arc::new(MemoryInput(bytes.into()));
    let len = len_u64(bytes);
    let input = Input { source, len, name: "m.fsm".into(), footer: FooterPolicy::Optional, token_crc32c: None };
    let mut payload = RestorablePayload::new(&input, &NoMonitor);
    let mut copy = Vec::new();
    while let Some(piece) = payload.next_piece()? {
        assert!(!piece.is_empty() && piece.len() <= PIECE_LEN);
        copy.extend_from_slice(piece);
    }
    Ok((copy, payload.totals()))
}

fn refusal(entries: &[(&[u8], &[u8])]) -> Error {
    let error = read(&payload(T, entries)).unwrap_err();
    assert_eq!(error.location().file, "m.fsm");
    assert!(error.location().byte_offset.is_some() && error.location().raw_key.is_some(), "{error}");
    error
}

#[test]
fn documented_payload_passes_and_is_handed_out_whole() {
    let (copy, totals) = read(&golden()).unwrap();
    assert_eq!(copy, golden());
    assert_eq!(copy.len(), 68);
    let only = CommitTs(T);
    let expected =
        RestorableTotals { last_commit_ts: only, records: 1, commit_ts_bounds: Some((only, only)), store_expiries: 0 };
    assert_eq!(totals, expected);
}

#[test]
fn payload_cut_at_any_byte_is_refused_but_between_records() {
    let whole = golden();
    for len in 0..whole.len() {
        assert_eq!(read(&whole[..len]).is_ok(), len == 16, "{len}");
    }
    for extra in 1..9 {
        let longer = [whole.as_slice(), &[7; 8][..extra]].concat();
        assert!(read(&longer).is_err(), "{extra} trailing bytes");
    }
}

#[test]
fn values_of_any_length_are_handed_out_in_pieces() {
    for len in [0, 1, PIECE_LEN - 1, PIECE_LEN, PIECE_LEN + 1, 700_000] {
        let body: Vec<u8> = (0..len).map(|n| u8::try_from(n % 251).unwrap()).collect();
        let long_key = vec![b'k'; 100_000];
        let bytes = payload(
            T,
            &[
                (&versioned(b"a", 5), &put(&body)),
                (&versioned(&long_key, 9), &put(b"x")),
                (&versioned(b"z", T), &put(b"")),
            ],
        );
        let (copy, totals) = read(&bytes).unwrap();
        assert!(copy == bytes, "{len}");
        assert_eq!(totals.records, 3);
        assert_eq!(totals.commit_ts_bounds, Some((CommitTs(5), CommitTs(T))));
    }
}

#[test]
fn rows_of_the_store_are_refused_with_and_without_a_timestamp() {
    for raw_key in [
        b"_meta_applied_index".to_vec(),
        versioned(b"_meta_applied_index", T),
        versioned(b"_meta_", T),
        b"_meta_x".to_vec(),
        b"!encryption|writers|wwww|eee".get(..27).unwrap().to_vec(),
    ] {
        assert!(
            matches!(refusal(&[(&raw_key, &put(b"12345678"))]).kind(), ErrorKind::StoreRow),
            "{}",
            escape(&raw_key)
        );
    }
}

#[test]
fn second_version_is_refused_even_with_a_longer_key_between() {
    let (first, second) = (versioned(b"a", T), versioned(b"a", T - 1));
    assert!(matches!(refusal(&[(&first, &put(b"")), (&second, &put(b""))]).kind(), ErrorKind::SecondVersion));
    // The longer key continues with the suffix of the newer version, and so sorts between the two.
    let between = [first.as_slice(), &CommitTs(3).to_suffix()].concat();
    let entries = [(first.as_slice(), put(b"")), (&between, put(b"")), (&second, put(b""))];
    let entries: Vec<(&[u8], &[u8])> = entries.iter().map(|(key, value)| (*key, value.as_slice())).collect();
    assert!(matches!(refusal(&entries).kind(), ErrorKind::SecondVersion));
}

#[test]
fn keys_must_strictly_ascend_as_raw_keys() {
    let (a, b) = (versioned(b"a", T), versioned(b"b", T));
    assert!(matches!(refusal(&[(&b, &put(b"")), (&a, &put(b""))]).kind(), ErrorKind::Order { .. }));
    assert!(matches!(refusal(&[(&a, &put(b"")), (&a, &put(b""))]).kind(), ErrorKind::Order { .. }));
    // Of two user keys the longer one may come first.
    let longer = versioned(b"a\x01", T);
    assert!(read(&payload(T, &[(&longer, &put(b"")), (&a, &put(b""))])).is_ok());
    assert!(matches!(refusal(&[(&a, &put(b"")), (&longer, &put(b""))]).kind(), ErrorKind::Order { .. }));
}

#[test]
fn deletions_encryption_reserved_bits_and_short_things_are_refused() {
    let key = versioned(b"a", T);
    let with_flags = |flags: u8| [&[flags], &[0; 20][..]].concat();
    assert!(matches!(refusal(&[(&key, &with_flags(0x01))]).kind(), ErrorKind::Tombstone));
    assert!(matches!(refusal(&[(&key, &with_flags(0x02))]).kind(), ErrorKind::Encrypted { .. }));
    for flags in [0x04, 0x06, 0x08, 0x10, 0x20, 0x40, 0x80] {
        assert!(matches!(refusal(&[(&key, &with_flags(flags))]).kind(), ErrorKind::ReservedFlags { .. }), "{flags}");
    }
    assert!(matches!(refusal(&[(&key, &[0; 8])]).kind(), ErrorKind::ShortValue { len: 8 }));
    assert!(matches!(refusal(&[(b"1234567", &put(b""))]).kind(), ErrorKind::ShortKey { len: 7 }));
}

#[test]
fn record_newer_than_the_header_is_refused_and_store_expiries_are_counted() {
    let newer = refusal(&[(&versioned(b"a", T + 1), &put(b""))]);
    assert!(matches!(newer.kind(), ErrorKind::NewerThanHeader { last_commit_ts: T, .. }));
    let mut expiring = put(b"x");
    expiring[1] = 1;
    let (_, totals) = read(&payload(T, &[(&versioned(b"a", T), &expiring)])).unwrap();
    assert_eq!(totals.store_expiries, 1);
}

#[test]
fn other_forms_are_refused_by_their_magic() {
    for magic in [b"EKVTHLC1", b"EKVMVCC2", b"EKVSSTI1", b"whatever"] {
        let mut bytes = golden();
        bytes[..8].copy_from_slice(magic);
        let error = read(&bytes).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::NotAPayload { .. }), "{error}");
    }
}

#[test]
fn lengths_beyond_the_limits_are_refused_without_allocating() {
    let huge = [golden(), u64::MAX.to_le_bytes().to_vec()].concat();
    assert!(matches!(read(&huge).unwrap_err().kind(), ErrorKind::KeyTooLarge { .. }));
    let mut bytes = golden();
    bytes[46..54].copy_from_slice(&u64::MAX.to_le_bytes());
    assert!(matches!(read(&bytes).unwrap_err().kind(), ErrorKind::ValueTooLarge { .. }));
}
