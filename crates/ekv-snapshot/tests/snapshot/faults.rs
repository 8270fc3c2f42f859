//! Damaged files and failing reads: an error or the right result, never a wrong one.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

use std::sync::Arc;

use ekv_model::Class;
use ekv_snapshot::{CommitTs, Error, ErrorKind, FooterPolicy, Input, Range, Result, View, findings};
use ekv_testkit::fixtures::REDIS_1;
use ekv_testkit::{
    FaultyInput, ReadFault, SnapshotBuilder, Visible, input_of, scan_as, scan_input, seal, vectors, visible_at,
};

const NOW: u64 = 20;

/// A snapshot that is longer than every buffer, with values shorter and longer than every buffer.
fn large() -> Vec<u8> {
    let mut builder = SnapshotBuilder::new().delete(b"deleted", 9).put(b"deleted", 5, b"x");
    for n in 0..60_u8 {
        let body = vec![n; usize::from(n) * 500];
        builder = builder.put(&[b'k', n], 7, &body).put(&[b'k', n], 3, b"old");
    }
    builder.put(b"long", 7, &vec![b'y'; 700_000]).put(b"tail", 7, b"z").build()
}

/// Both passes over a faulty file, with point reads.
fn read_all(source: Arc<FaultyInput>, len: u64) -> Result<Visible> {
    let (_, file) = scan_input(&input_of(source, len))?;
    let visible = visible_at(&file, NOW)?;
    let mut lookup = View::of_file(&file, CommitTs(NOW)).lookup();
    for (key, (_, commit_ts)) in &visible {
        assert_eq!(lookup.get(key)?.map(|found| found.commit_ts.0), Some(*commit_ts));
    }
    Ok(visible)
}

fn read_with(bytes: &[u8], fault: ReadFault) -> (Result<Visible>, u64) {
    let source = Arc::new(FaultyInput::new(bytes.to_vec(), fault));
    let result = read_all(source.clone(), u64::try_from(bytes.len()).unwrap());
    (result, source.reads())
}

#[test]
fn read_that_fails_at_any_point_of_either_pass_is_an_error_of_the_input() {
    let bytes = large();
    let (expected, reads) = read_with(&bytes, ReadFault::None);
    assert_eq!(expected.unwrap().len(), 62);
    assert!(reads > 40, "{reads} reads exercise too little");
    for number in 0..reads {
        for fault in [ReadFault::BrokenFrom(number), ReadFault::BrokenOnce(number)] {
            let error = read_with(&bytes, fault).0.unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Io { .. }), "{fault:?}: {error}");
            assert_eq!(error.class(), Class::Environment, "{fault:?}");
            assert!(
                error.location().file == "test.fsm" && error.location().byte_offset.is_some(),
                "{fault:?}: {error}"
            );
        }
    }
}

#[test]
fn interrupted_and_short_reads_change_nothing() {
    let bytes = large();
    let (expected, reads) = read_with(&bytes, ReadFault::None);
    let expected = expected.unwrap();
    for number in 0..reads {
        assert_eq!(read_with(&bytes, ReadFault::Interrupted(number)).0.unwrap(), expected, "read {number}");
    }
    for bytes in [vectors::interleaved(), vectors::versions(), vectors::memory_store()] {
        let expected = read_with(&bytes, ReadFault::None).0.unwrap();
        assert_eq!(read_with(&bytes, ReadFault::OneByte).0.unwrap(), expected);
    }
}

#[test]
fn file_that_shrinks_while_it_is_read_is_an_error_or_makes_no_difference() {
    let bytes = large();
    let (expected, reads) = read_with(&bytes, ReadFault::None);
    let expected = expected.unwrap();
    let mut errors = 0;
    for number in 0..reads {
        match read_with(&bytes, ReadFault::HalvedFrom(number)).0 {
            // What was read before it shrank is in memory.
            Ok(visible) => assert_eq!(visible, expected, "read {number}"),
            Err(error) => {
                let ErrorKind::Io { source, .. } = error.kind() else { panic!("read {number}: {error}") };
                assert_eq!(source.kind(), std::io::ErrorKind::UnexpectedEof);
                errors += 1;
            }
        }
    }
    assert!(errors > reads / 2, "only {errors} of {reads}");
}

#[test]
fn reader_whose_read_failed_once_reads_right_when_it_is_asked_again() {
    let bytes = large();
    let len = u64::try_from(bytes.len()).unwrap();
    let (expected, reads) = read_with(&bytes, ReadFault::None);
    let expected: Vec<Vec<u8>> = expected.unwrap().into_keys().collect();
    let scanned = {
        let source = Arc::new(FaultyInput::new(bytes.clone(), ReadFault::None));
        scan_input(&input_of(source.clone(), len)).unwrap();
        source.reads()
    };
    for number in scanned..reads {
        let source = Arc::new(FaultyInput::new(bytes.clone(), ReadFault::BrokenOnce(number)));
        let (_, file) = scan_input(&input_of(source, len)).unwrap();
        let view = View::of_file(&file, CommitTs(NOW));
        let mut scan = view.scan();
        let mut keys = || -> Result<Vec<Vec<u8>>> {
            scan.seek(Range::default())?;
            let mut keys = Vec::new();
            while let Some(found) = scan.next_visible()? {
                keys.push(found.user_key.to_vec());
            }
            keys.sort();
            Ok(keys)
        };
        let found = keys().or_else(|_| keys()).unwrap();
        assert_eq!(found, expected, "range, read {number}");
        let mut lookup = view.lookup();
        for key in &expected {
            let mut get = || lookup.get(key).map(|found| found.is_some());
            assert!(get().or_else(|_| get()).unwrap(), "lookup of {}, read {number}", key.escape_ascii());
        }
    }
}

/// Scans as a file of a data directory; nothing but an error is right.
fn damage(bytes: &[u8]) -> Error {
    match scan_as(bytes, FooterPolicy::Required) {
        Ok(_) => panic!("damage was not noticed"),
        Err(error) => error,
    }
}

fn small_files() -> Vec<Vec<u8>> {
    let built = SnapshotBuilder::new()
        .meta_row("min_retained_ts", 1)
        .put(b"a", 5, b"value")
        .delete(b"ab", 6)
        .version(b"b", 7, 0, 9, b"x")
        .build();
    vec![vectors::interleaved(), vectors::versions(), vectors::header_v2(), built, seal(vectors::memory_store())]
}

#[test]
fn every_cut_of_a_file_is_noticed() {
    for file in small_files() {
        for len in 0..file.len() {
            let error = damage(&file[..len]);
            assert_eq!(error.class(), Class::Data, "cut to {len}: {error}");
        }
    }
}

#[test]
fn every_flipped_bit_is_noticed_as_damage_to_the_file_as_a_whole() {
    for file in small_files() {
        for at in 0..file.len() {
            for bit in 0..8 {
                let mut flipped = file.clone();
                flipped[at] ^= 1 << bit;
                let error = damage(&flipped);
                // A length that now reaches over the footer to the end leaves no footer.
                let is_expected = matches!(error.kind(), ErrorKind::FooterCrc { .. } | ErrorKind::FooterMissing);
                assert!(is_expected, "byte {at}, bit {bit}: {error}");
            }
        }
    }
}

#[test]
fn every_removed_or_doubled_byte_is_noticed() {
    for file in small_files() {
        for at in 0..file.len() {
            let mut removed = file.clone();
            removed.remove(at);
            assert_eq!(damage(&removed).class(), Class::Data, "without byte {at}");
            let mut doubled = file.clone();
            doubled.insert(at, file[at]);
            assert_eq!(damage(&doubled).class(), Class::Data, "byte {at} twice");
        }
    }
}

#[test]
fn loose_file_with_a_flipped_bit_is_refused_or_said_to_be_without_checksum() {
    for file in small_files() {
        for at in 0..file.len() {
            for bit in 0..8 {
                let mut flipped = file.clone();
                flipped[at] ^= 1 << bit;
                // A length that now reaches over the footer to the end makes a file without footer.
                if let Ok((scan, records)) = scan_as(&flipped, FooterPolicy::Optional) {
                    assert_eq!(scan.findings.count(findings::NO_CHECKSUM), 1, "byte {at}, bit {bit}");
                    visible_at(&records, NOW).unwrap();
                }
                // Without a footer nothing can tell, but both passes must agree with each other.
                if let Ok((scan, records)) = scan_as(&flipped[..flipped.len() - 4], FooterPolicy::Optional) {
                    let visible = visible_at(&records, scan.counted_at.0).unwrap();
                    let counted = scan.families.first().map_or(0, |totals| totals.visible);
                    assert_eq!(u64::try_from(visible.len()).unwrap(), counted, "byte {at}, bit {bit}");
                }
            }
        }
    }
}

#[test]
fn flipped_byte_anywhere_in_a_real_snapshot_is_a_checksum_error() {
    let file = REDIS_1.bytes();
    let step = file.len() / 300;
    for at in (0..file.len()).step_by(step).chain(file.len() - 8..file.len()) {
        let mut flipped = file.clone();
        flipped[at] ^= 0x20;
        let error = damage(&flipped);
        assert!(matches!(error.kind(), ErrorKind::FooterCrc { .. }), "byte {at}: {error}");
    }
}

#[test]
fn real_snapshot_cut_on_any_sampled_place_is_noticed() {
    let file = REDIS_1.bytes();
    for len in (0..file.len()).step_by(file.len() / 150).chain(file.len() - 40..file.len()) {
        assert_eq!(damage(&file[..len]).class(), Class::Data, "cut to {len}");
    }
}

#[test]
fn record_file_reads_only_what_the_first_pass_checked() {
    // Bytes that are appended after the first pass are no records.
    let mut bytes = vectors::versions();
    let len = u64::try_from(bytes.len()).unwrap();
    bytes.extend_from_slice(&[0xff; 64]);
    let source = Arc::new(FaultyInput::new(bytes, ReadFault::None));
    let (_, file) = scan_input(&Input { footer: FooterPolicy::Required, ..input_of(source, len) }).unwrap();
    assert_eq!(visible_at(&file, 40).unwrap().len(), 2);
}
