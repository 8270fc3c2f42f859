//! What an entry is: record, row of the store, or damage.

use ekv_snapshot::{CommitTs, ErrorKind, ValueHeader, findings};
use ekv_testkit::{SnapshotBuilder, entry, scan_input, seal, visible_at};

use super::{Optional, assert_error, refused};

fn raw_key(user_key: &[u8], ts: u64) -> Vec<u8> {
    [user_key, &CommitTs(ts).to_suffix()].concat()
}

/// A complete file with the given entries in the given order.
fn file_of(entries: &[(&[u8], &[u8])]) -> Vec<u8> {
    let entries: Vec<u8> = entries.iter().flat_map(|(key, value)| entry(key, value)).collect();
    seal([&b"EKVTHLC1"[..], &[0; 8], b"EKVPBBL1", &[0; 8], &entries].concat())
}

#[test]
fn damaged_value_header_loses_its_key_and_nothing_else() {
    let flags = |flags: u8| [&[flags][..], &[0; 20]].concat();
    let cases = [
        (vec![0; 8], "value of 8 bytes is shorter"),
        (Vec::new(), "value of 0 bytes is shorter"),
        (flags(0x08), "reserved bits"),
        (flags(0x80), "reserved bits"),
        (flags(0x04), "reserved bits"),
        (flags(0x06), "reserved bits"),
    ];
    for (value, detail) in cases {
        let input =
            SnapshotBuilder::new().put(b"a", 1, b"x").raw(&raw_key(b"k", 5), &value).put(b"k", 4, b"old").input();
        let (scan, file) = scan_input(&input).unwrap();
        assert_eq!((scan.families[0].visible, scan.families[0].damaged, scan.families[0].older), (1, 1, 1));
        assert_eq!(scan.findings.count(findings::DAMAGED_VALUE), 1);
        let (_, totals) = scan.findings.iter().find(|(f, _)| **f == findings::DAMAGED_VALUE).unwrap();
        let example = &totals.examples[0];
        assert_eq!((example.key.as_deref(), example.byte_offset), (Some(&b"k"[..]), Some(32 + 16 + 9 + 10)));
        assert!(example.detail.contains(detail), "{}", example.detail);
        // The older version must not show through.
        assert_eq!(visible_at(&file, 9).unwrap().into_keys().collect::<Vec<_>>(), [b"a".to_vec()]);
    }
}

#[test]
fn encrypted_value_loses_its_key_and_names_the_data_key() {
    for flags in [0x02, 0x03] {
        let body = [&[flags][..], &[0; 8], &[1, 0], &77_u32.to_be_bytes(), &[0; 28]].concat();
        let input =
            SnapshotBuilder::new().put(b"a", 1, b"x").raw(&raw_key(b"k", 5), &body).put(b"k", 4, b"old").input();
        let (scan, file) = scan_input(&input).unwrap();
        assert_eq!((scan.families[0].visible, scan.families[0].damaged, scan.families[0].older), (1, 1, 1));
        assert_eq!(scan.findings.count(findings::ENCRYPTED_VALUE), 1);
        let (_, totals) = scan.findings.iter().find(|(f, _)| **f == findings::ENCRYPTED_VALUE).unwrap();
        assert!(totals.examples[0].detail.contains("data key 77"), "{}", totals.examples[0].detail);
        assert_eq!(visible_at(&file, 9).unwrap().into_keys().collect::<Vec<_>>(), [b"a".to_vec()]);
        // At an older moment the clear version counts, and the encrypted one is no loss.
        assert_eq!(visible_at(&file, 4).unwrap()[&b"k"[..]].0, b"old");
    }
}

#[test]
fn value_headers_report_their_kind_of_damage() {
    let kinds = [
        (&[0_u8; 8][..], "ShortValue"),
        (&[0x08, 0, 0, 0, 0, 0, 0, 0, 0], "ReservedFlags"),
        (&[0x04, 0, 0, 0, 0, 0, 0, 0, 0], "ReservedFlags"),
        (&[0x06, 0, 0, 0, 0, 0, 0, 0, 0], "ReservedFlags"),
        (&[0x02, 0, 0, 0, 0, 0, 0, 0, 0], "Encrypted"),
        (&[0x03, 0, 0, 0, 0, 0, 0, 0, 0], "Encrypted"),
    ];
    for (value, expected) in kinds {
        let error = ValueHeader::parse(value, u64::try_from(value.len()).unwrap()).unwrap_err();
        assert_eq!(super::kind(&error), expected);
    }
    let header = ValueHeader::parse(&[1, 7, 0, 0, 0, 0, 0, 0, 0], 9).unwrap();
    assert_eq!(header, ValueHeader { tombstone: true, expire_at: CommitTs(7) });
}

#[test]
fn hidden_damage_is_a_warning_and_no_loss() {
    let input = SnapshotBuilder::new().put(b"k", 5, b"new").raw(&raw_key(b"k", 4), &[0; 3]).input();
    let (scan, file) = scan_input(&input).unwrap();
    assert_eq!(scan.findings.count(findings::DAMAGED_VALUE), 0);
    assert_eq!(scan.findings.count(findings::DAMAGED_OLD_VALUE), 1);
    assert_eq!(visible_at(&file, 9).unwrap()[&b"k"[..]].0, b"new");
}

#[test]
fn store_rows_are_recognised_by_their_exact_key() {
    let registry_row = [&b"!encryption|writers|"[..], &3_u32.to_be_bytes(), b"|", &9_u16.to_be_bytes()].concat();
    let input = SnapshotBuilder::new()
        .meta_row("applied_index", 7)
        .raw(&registry_row, &[0; 12])
        .put(b"_meta_applied_index", 1, b"data")
        .put(b"_meta_applied_index2", 1, b"data")
        .put(b"_meta_x", 1, b"data")
        .put(b"!encryption|writers|x", 1, b"data")
        .put(b"!encryption|writers|abcd|ef", 1, b"data")
        .input();
    let (scan, file) = scan_input(&input).unwrap();
    assert_eq!((scan.totals.entries, scan.totals.unversioned_rows), (7, 2));
    assert_eq!(scan.watermarks.applied_index, Some(7));
    let keys: Vec<Vec<u8>> = visible_at(&file, 9).unwrap().into_keys().collect();
    let expected = [
        &b"!encryption|writers|abcd|ef"[..],
        b"!encryption|writers|x",
        b"_meta_applied_index",
        b"_meta_applied_index2",
        b"_meta_x",
    ];
    assert_eq!(keys, expected);
}

#[test]
fn store_row_of_another_width_is_reported_and_absent_if_shorter() {
    let input = SnapshotBuilder::new().raw(b"_meta_applied_index", &[1, 2, 3]).input();
    let (scan, _) = scan_input(&input).unwrap();
    assert_eq!((scan.watermarks.applied_index, scan.findings.count(findings::META_ROW_WIDTH)), (None, 1));
    let long = [&9_u64.to_le_bytes()[..], b"more"].concat();
    let (scan, _) = scan_input(&SnapshotBuilder::new().raw(b"_meta_applied_index", &long).input()).unwrap();
    assert_eq!((scan.watermarks.applied_index, scan.findings.count(findings::META_ROW_WIDTH)), (Some(9), 1));
}

#[test]
fn keys_without_room_for_a_timestamp_are_counted_and_fatal_only_in_strict_mode() {
    let input = SnapshotBuilder::new()
        .raw(b"", &[0; 9])
        .raw(b"\x01seven!", &[0; 9])
        .raw(&raw_key(b"", 3), &[0; 9])
        .put(b"k", 1, b"x")
        .input();
    let (scan, file) = scan_input(&input).unwrap();
    assert_eq!((scan.totals.entries, scan.totals.short_keys), (4, 2));
    assert_eq!(scan.findings.count(findings::SHORT_KEY), 2);
    assert_eq!(scan.findings.count(findings::EMPTY_USER_KEY), 1);
    assert_eq!(scan.findings.first_strict_fatal().map(|(f, _)| *f), Some(findings::SHORT_KEY));
    assert_eq!(visible_at(&file, 9).unwrap()[&b"k"[..]].0, b"x");
}

#[test]
fn entries_out_of_order_are_refused_with_the_offending_key() {
    let (a, b) = (raw_key(b"a", 1), raw_key(b"b", 1));
    let value = [0_u8; 9];
    let cases: [(&[u8], &[u8]); 4] = [(&b, &a), (&a, &a), (&raw_key(b"a", 1), &raw_key(b"a", 2)), (&a, &a[..4])];
    for (first, second) in cases {
        let file = file_of(&[(first, &value), (second, &value)]);
        let error = refused(&file, Optional);
        let second_at = 32 + 16 + u64::try_from(first.len()).unwrap() + 9;
        assert_error(&error, "Order", second_at, Some(second));
        assert!(matches!(error.kind(), ErrorKind::Order { previous } if *previous == ekv_snapshot::escape(first)));
    }
}

#[test]
fn tombstone_with_a_body_counts_and_is_reported() {
    let input = SnapshotBuilder::new().version(b"k", 5, 1, 0, b"body").put(b"k", 4, b"old").input();
    let (scan, file) = scan_input(&input).unwrap();
    assert_eq!(scan.findings.count(findings::TOMBSTONE_WITH_BODY), 1);
    assert_eq!((scan.families[0].deleted, scan.families[0].visible), (1, 0));
    assert!(visible_at(&file, 9).unwrap().is_empty());
}
