//! Lengths at and beyond the limits.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ekv_snapshot::format::{RAW_KEY_LEN_MAX, RESTORABLE_USER_KEY_LEN_MAX, USER_KEY_LEN_MAX, VALUE_LEN_MAX};
use ekv_snapshot::{CommitTs, ErrorKind, Input, Range, ReadAt, View};
use ekv_testkit::{FaultyInput, ReadFault, entry, input_of, scan_input};

use super::assert_error;

/// More than any buffer of either pass: the longest key and the largest fixed window.
const BUFFER_LEN_MAX: usize = (1 << 20) + (512 << 10);

/// Bare payload followed by `tail`; scanned, and the longest buffer that was to be filled.
fn scan_tail(tail: &[u8]) -> (ekv_snapshot::Error, usize) {
    let bytes = [&b"EKVPBBL1"[..], &[0; 8], tail].concat();
    let len = u64::try_from(bytes.len()).unwrap();
    let source = Arc::new(FaultyInput::new(bytes, ReadFault::None));
    let error = scan_input(&input_of(source.clone(), len)).map(drop).unwrap_err();
    (error, source.longest_buffer())
}

#[test]
fn key_length_above_the_limit_is_refused_at_once() {
    assert_eq!(RAW_KEY_LEN_MAX, 16_777_224);
    assert_eq!(usize::try_from(USER_KEY_LEN_MAX).unwrap(), ekv_model::KEY_LEN_MAX);
    for found in [16_777_225, 1 << 32, 1 << 63, u64::MAX] {
        let (error, longest) = scan_tail(&[&found.to_le_bytes()[..], &[0; 32]].concat());
        assert_error(&error, "KeyTooLarge", 16, None);
        assert!(matches!(error.kind(), ErrorKind::KeyTooLarge { found: f, limit: RAW_KEY_LEN_MAX } if *f == found));
        assert!(longest <= BUFFER_LEN_MAX, "{longest}");
    }
}

#[test]
fn key_length_at_the_limit_without_its_bytes_is_truncated() {
    let (error, longest) = scan_tail(&[&16_777_224_u64.to_le_bytes()[..], &[0; 32]].concat());
    assert_error(&error, "Truncated", 16, None);
    assert!(matches!(error.kind(), ErrorKind::Truncated { needed: 16_777_240, available: 40, .. }), "{error}");
    assert!(longest <= BUFFER_LEN_MAX, "{longest}");
}

#[test]
fn value_length_above_the_limit_is_refused_at_once() {
    assert_eq!(VALUE_LEN_MAX, 268_435_499);
    for found in [268_435_500, 1 << 63, u64::MAX] {
        let raw_key = [b"k".as_slice(), &CommitTs(1).to_suffix()].concat();
        let head = [&9_u64.to_le_bytes()[..], &raw_key, &found.to_le_bytes(), &[0; 20]].concat();
        let (error, longest) = scan_tail(&head);
        assert_error(&error, "ValueTooLarge", 16, Some(&raw_key));
        assert!(matches!(error.kind(), ErrorKind::ValueTooLarge { found: f, limit: VALUE_LEN_MAX } if *f == found));
        assert!(longest <= BUFFER_LEN_MAX, "{longest}");
    }
}

#[test]
fn value_length_at_the_limit_without_its_bytes_is_truncated_and_names_its_key() {
    let raw_key = [b"k".as_slice(), &CommitTs(1).to_suffix()].concat();
    let head = [&9_u64.to_le_bytes()[..], &raw_key, &VALUE_LEN_MAX.to_le_bytes(), &[0; 20]].concat();
    let (error, longest) = scan_tail(&head);
    assert_error(&error, "Truncated", 16, Some(&raw_key));
    assert!(matches!(error.kind(), ErrorKind::Truncated { available: 45, .. }), "{error}");
    assert!(longest <= BUFFER_LEN_MAX, "{longest}");
}

#[test]
fn key_beyond_what_a_server_restores_is_read_as_the_server_serves_it() {
    for len in [RESTORABLE_USER_KEY_LEN_MAX + 1, USER_KEY_LEN_MAX] {
        let key = vec![b'k'; usize::try_from(len).unwrap()];
        let raw_key = [&key[..], &CommitTs(1).to_suffix()].concat();
        let bytes = [
            &b"EKVPBBL1"[..],
            &[0; 8],
            &entry(&raw_key, &[0; 9]),
            &entry(b"l\xff\xff\xff\xff\xff\xff\xff\xfe", &[0; 9]),
        ];
        let (scan, file) = scan_input(&ekv_testkit::memory_input(bytes.concat())).unwrap();
        assert_eq!(scan.totals.entries, 2);
        assert_eq!(ekv_testkit::visible_at(&file, 1).unwrap().into_keys().next().unwrap(), key);
    }
}

/// A snapshot of which only the first bytes are in memory; zeros follow.
struct Zeros {
    head: Vec<u8>,
    longest: AtomicUsize,
}

impl ReadAt for Zeros {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.longest.fetch_max(buf.len(), Ordering::Relaxed);
        buf.fill(0);
        let rest = usize::try_from(offset).ok().and_then(|at| self.head.get(at..)).unwrap_or(&[]);
        let n = rest.len().min(buf.len());
        buf[..n].copy_from_slice(&rest[..n]);
        Ok(buf.len())
    }
}

#[test]
fn largest_value_passes_through_both_passes_in_small_pieces() {
    let raw_key = [b"k".as_slice(), &CommitTs(1).to_suffix()].concat();
    let head = [&b"EKVPBBL1"[..], &[0; 8], &9_u64.to_le_bytes(), &raw_key, &VALUE_LEN_MAX.to_le_bytes()].concat();
    let len = u64::try_from(head.len()).unwrap() + VALUE_LEN_MAX;
    let source = Arc::new(Zeros { head, longest: AtomicUsize::new(0) });
    let input: Input = input_of(source.clone(), len);
    let (scan, file) = scan_input(&input).unwrap();
    assert_eq!((scan.totals.entries, scan.families[0].visible_body_bytes), (1, VALUE_LEN_MAX - 9));
    let mut range = View::of_file(&file, CommitTs(1)).scan_range(Range::default()).unwrap();
    let found = range.next_visible().unwrap().unwrap();
    assert_eq!((found.user_key, found.body.len()), (&b"k"[..], VALUE_LEN_MAX - 9));
    let mut seen = 0;
    found
        .body
        .body()
        .for_each_chunk(|piece| {
            seen += u64::try_from(piece.len()).unwrap();
            Ok(())
        })
        .unwrap();
    assert_eq!(seen, VALUE_LEN_MAX - 9);
    assert!(range.next_visible().unwrap().is_none());
    assert!(source.longest.load(Ordering::Relaxed) <= BUFFER_LEN_MAX);
}
