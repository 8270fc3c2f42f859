//! `EKVSSTI1`: the documented files, everything that can be laid out in another way, and everything that can be wrong.
//!
//! Source: `docs/format/ssti1.md`.

use ekv_model::NoMonitor;
use std::sync::Arc;

use ekv_snapshot::{CommitTs, FooterPolicy, Form, OneFamily, ScanOptions, scan};
use ekv_spill::Scratch;
use ekv_testkit::{
    CountedScratch, SnapshotBuilder, SstFile, SstLayout, SstRow, memory_input, put_varint, seal, sst_container,
    sst_manifest, sst_payload, vectors, visible_at,
};

use super::{Optional, Required, accepted, assert_error, finding, kind, refused};

/// What is done, and what is said of it.
type Case<F> = (F, &'static str);

/// Rows of users, ascending, with values of every length around those that matter to the layout.
fn rows() -> Vec<SstRow> {
    let lens = [0_usize, 1, 14, 15, 16, 300, 3686, 3687, 4096, 65_535, 65_536, 65_537, 200_000];
    let mut rows: Vec<SstRow> = Vec::new();
    for (number, len) in lens.iter().cycle().take(90).enumerate() {
        let key = [format!("key/{:03}", number / 3).as_bytes(), &CommitTs([9, 8, 7][number % 3]).to_suffix()].concat();
        let body: Vec<u8> = (0..*len).map(|at| u8::try_from(at * at / 7 % 251).unwrap()).collect();
        rows.push((key, [&[0; 9][..], &body].concat()));
    }
    rows.sort();
    rows
}

fn builder(rows: &[SstRow]) -> SnapshotBuilder {
    let builder = SnapshotBuilder::new().last_commit_ts(9).meta_row("min_retained_ts", 3);
    rows.iter().fold(builder, |builder, (key, value)| builder.raw(key, value))
}

/// Rows of a file that is damaged somehow, and the payload behind a header and before a footer.
fn damaged(layout: SstLayout) -> Vec<u8> {
    let rows: Vec<SstRow> = rows().into_iter().filter(|(_, value)| value.len() < 1000).collect();
    builder(&rows).build_sst(&layout, 1000)
}

/// One file around these stored bytes of its only data block.
fn compressed(stored: Vec<u8>) -> Vec<u8> {
    damaged(SstLayout { compressed: Some(stored), block_len: 1 << 30, ..SstLayout::default() })
}

#[test]
fn documented_files_are_read() {
    let (scan, _) = accepted(&vectors::sst_fresh_node(), Required);
    assert_eq!((scan.envelope.form, scan.envelope.footer_crc32c), (Form::SstIngest, Some(0x5366_b94d)));
    assert_eq!((scan.totals.entries, scan.last_commit_ts), (0, CommitTs(0)));
    let mut loose = vectors::sst_fresh_node();
    loose.truncate(loose.len() - 4);
    assert_eq!(finding(&accepted(&loose, Optional).0, "snapshot_no_checksum"), 1);

    let small = vectors::sst_small();
    assert_eq!(small.len(), 1391);
    let (scan, file) = accepted(&small, Required);
    assert_eq!((scan.totals.entries, scan.totals.unversioned_rows), (18, 3));
    assert_eq!(scan.watermarks.applied_index, Some(3));
    assert_eq!(scan.last_commit_ts, CommitTs(117_702_486_876_160_000));
    let visible = visible_at(&file, u64::MAX).unwrap();
    assert_eq!(visible[&b"!redis|str|boot"[..]].0, b"\xff\x01\x001");
}

#[test]
fn every_layout_gives_the_rows_of_the_other_form() {
    let rows = rows();
    let builder = builder(&rows);
    let (plain_scan, plain) = accepted(&builder.build(), Required);
    let plain = visible_at(&plain, 9).unwrap();
    let layouts = [
        (SstLayout::default(), 1000),
        (SstLayout { is_compressed: false, ..SstLayout::default() }, 10),
        (SstLayout { block_len: 1, index_len: 0, ..SstLayout::default() }, 31),
        (SstLayout { block_len: 1 << 30, ..SstLayout::default() }, 1000),
        (SstLayout { block_len: 1 << 30, is_compressed: false, ..SstLayout::default() }, 1000),
        (SstLayout { trailer: [0x41, 0, 0, 0, 0, 0, 0, 0], prefix: 0x27, ..SstLayout::default() }, 1),
    ];
    for (layout, file_rows) in layouts {
        let (scan, file) = accepted(&builder.build_sst(&layout, file_rows), Required);
        assert_eq!(scan.totals, plain_scan.totals);
        assert_eq!(scan.watermarks, plain_scan.watermarks);
        assert_eq!(scan.families, plain_scan.families);
        assert!(visible_at(&file, 9).unwrap() == plain, "{layout:?}");
    }
}

#[test]
fn value_longer_than_a_block_in_memory_is_read_compressed_or_not() {
    for byte in [None, Some(0)] {
        let mut state = 1_u32;
        let bytes = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            byte.unwrap_or(state.to_be_bytes()[0])
        });
        let body: Vec<u8> = bytes.take(5 << 20).collect();
        let builder = SnapshotBuilder::new().put(b"a", 5, b"before").put(b"k", 5, &body).put(b"z", 5, b"behind");
        let (_, file) = accepted(&builder.build_sst(&SstLayout::default(), 9), Required);
        let visible = visible_at(&file, 5).unwrap();
        assert!(visible[&b"k"[..]].0 == body);
        assert_eq!(
            (visible[&b"a"[..]].0.as_slice(), visible[&b"z"[..]].0.as_slice()),
            (&b"before"[..], &b"behind"[..])
        );
    }
}

#[test]
fn every_changed_byte_is_refused() {
    let good = vectors::sst_small();
    for at in 0..good.len() {
        for bits in [0x01, 0x80, 0xff] {
            let mut changed = good.clone();
            changed[at] ^= bits;
            refused(&changed, Required);
        }
    }
    for len in 0..good.len() {
        refused(&good[..len], Required);
    }
}

#[test]
fn every_changed_byte_of_a_file_whose_hashes_were_made_anew_is_refused_or_changes_no_row() {
    let good = vectors::sst_small();
    let rows: Vec<SstRow> = {
        let (_, file) = accepted(&good, Required);
        let visible = visible_at(&file, u64::MAX).unwrap();
        visible.into_iter().map(|(key, (body, _))| (key, body)).collect()
    };
    let manifest_at = 16 + 48;
    let file_at = 458;
    let manifest = std::str::from_utf8(&good[manifest_at..file_at]).unwrap();
    for at in file_at..good.len() - 4 {
        let mut file = good[file_at..good.len() - 4].to_vec();
        file[at - file_at] ^= 0x04;
        let changed = SstFile { bytes: file.clone(), bounds: Default::default(), rows: 0, raw_len: 0 };
        let sha256 = |text: &str| text.split("\"sha256\":\"").nth(1).unwrap()[..64].to_owned();
        let manifest = manifest.replace(&sha256(manifest), &sha256(&sst_manifest(&[changed], 0)));
        let bytes = seal([&good[..16], &sst_container(&manifest, &file)].concat());
        if let Ok((_, file)) = ekv_testkit::scan_as(&bytes, FooterPolicy::Required) {
            let visible = visible_at(&file, u64::MAX).unwrap();
            let same: Vec<SstRow> = visible.into_iter().map(|(key, (body, _))| (key, body)).collect();
            assert!(same == rows, "byte {at}");
        }
    }
}

#[test]
fn wrong_block_checksum_is_damage_where_the_block_is_although_all_hashes_hold() {
    let flip: fn(&mut Vec<u8>) = |stored| *stored.last_mut().unwrap() ^= 1;
    let bytes = damaged(SstLayout { edit_stored: flip, ..SstLayout::default() });
    let error = refused(&bytes, Required);
    let manifest_len = u64::from_be_bytes(bytes[24..32].try_into().unwrap());
    assert_error(&error, "Invalid", 16 + 48 + manifest_len, None);
    assert!(error.to_string().contains("checksum of the block at 0 of file 000000.sst"), "{error}");
}

#[test]
fn forms_of_files_that_no_server_writes_are_refused_by_name() {
    let seven: fn(&mut Vec<u8>) = |stored| {
        let at = stored.len() - 5;
        stored.truncate(at);
        stored.push(7);
        let crc = crc32c::crc32c(stored).rotate_right(15).wrapping_add(0xa282_ead8);
        stored.extend_from_slice(&crc.to_le_bytes());
    };
    let plain = SstLayout::default;
    let cases = [
        (SstLayout { version: 5, ..plain() }, "version 5"),
        (SstLayout { checksum_kind: 2, ..plain() }, "checksums of kind 2"),
        (SstLayout { edit_stored: seven, ..plain() }, "compression 7"),
        (SstLayout { properties: vec![("rocksdb.comparator", b"x".to_vec())], ..plain() }, "ordered by \"x\""),
        (SstLayout { meta_block: Some("rocksdb.range_del2"), ..plain() }, "rocksdb.range_del2"),
        (SstLayout { properties: vec![("rocksdb.deleted.keys", vec![3])], ..plain() }, "3 deletions"),
        (
            SstLayout { properties: vec![("rocksdb.block.based.table.index.type", vec![1, 0, 0, 0])], ..plain() },
            "index of type 1",
        ),
    ];
    for (layout, expected) in cases {
        let error = refused(&damaged(layout), Required);
        assert_eq!(kind(&error), "UnsupportedForm", "{error}");
        let text = error.to_string();
        assert!(text.contains(expected) && text.contains("ELASTICKV_PEBBLE_SST_INGEST_SNAPSHOT"), "{text}");
    }
}

#[test]
#[allow(clippy::ptr_arg, reason = "as the hooks of the layout take them")]
fn malformed_blocks_rows_and_handles_are_invalid() {
    fn no_restarts(raw: &mut Vec<u8>) {
        let at = raw.len() - 4;
        raw[at..].fill(0);
    }
    fn many_restarts(raw: &mut Vec<u8>) {
        let at = raw.len() - 4;
        raw[at..].copy_from_slice(&u32::MAX.to_le_bytes());
    }
    fn one_restart_more(raw: &mut Vec<u8>) {
        let at = raw.len() - 4;
        raw[at] += 1;
    }
    fn shared_first(raw: &mut Vec<u8>) {
        raw[0] = 1;
    }
    fn long_value(raw: &mut Vec<u8>) {
        raw[2] = 0xff;
    }
    fn far_handle(handles: &mut Vec<(u64, u64)>) {
        handles.last_mut().unwrap().1 = 1 << 40;
    }
    fn endless_handle(handles: &mut Vec<(u64, u64)>) {
        *handles.last_mut().unwrap() = (u64::MAX, u64::MAX);
    }
    fn overlap(handles: &mut Vec<(u64, u64)>) {
        handles[1] = handles[0];
    }
    fn gap(handles: &mut Vec<(u64, u64)>) {
        handles.remove(0);
    }
    let plain = || SstLayout { block_len: 256, ..SstLayout::default() };
    let stated = |name: &'static str, value: u8| SstLayout { properties: vec![(name, vec![value])], ..plain() };
    let cases = [
        (SstLayout { trailer: [0; 8], ..plain() }, "has the trailer"),
        (SstLayout { trailer: [1, 1, 0, 0, 0, 0, 0, 0], ..plain() }, "has the trailer"),
        (SstLayout { prefix: 0x80, ..plain() }, "prefix 0x80"),
        (SstLayout { prefix: 0x08, ..plain() }, "prefix 0x08"),
        (SstLayout { edit_block: no_restarts, ..plain() }, "restart points"),
        (SstLayout { edit_block: many_restarts, ..plain() }, "restart points"),
        (SstLayout { edit_block: one_restart_more, ..plain() }, "beyond the entries"),
        (SstLayout { edit_block: shared_first, ..plain() }, "shares 1 bytes with a key of 0"),
        (SstLayout { edit_block: long_value, ..plain() }, "beyond the entries"),
        (SstLayout { edit_block: Vec::clear, ..plain() }, "restart points"),
        (SstLayout { edit_handles: far_handle, ..plain() }, "lies outside"),
        (SstLayout { edit_handles: endless_handle, ..plain() }, "begins at"),
        (SstLayout { edit_handles: overlap, ..plain() }, "begins at 0 instead of"),
        (SstLayout { edit_handles: gap, ..plain() }, "instead of 0"),
        (stated("rocksdb.num.entries", 1), "states 1 rows"),
        (stated("rocksdb.num.data.blocks", 1), "states 1 data blocks"),
        (stated("rocksdb.data.size", 1), "states 1 bytes of data blocks"),
        (stated("rocksdb.raw.key.size", 1), "states 1 bytes of keys"),
        (stated("rocksdb.raw.value.size", 1), "states 1 bytes of values"),
        (stated("rocksdb.num.entries", 0x80), "value that cannot be"),
    ];
    for (layout, expected) in cases {
        let error = refused(&damaged(layout), Required);
        assert_eq!(kind(&error), "Invalid", "{error}");
        assert!(error.to_string().contains(expected), "{expected}: {error}");
    }
}

#[test]
fn snappy_that_lies_about_a_length_or_reaches_too_far_back_is_refused_before_anything_is_allocated() {
    fn endless() -> Vec<u8> {
        let mut out = Vec::new();
        put_varint(&mut out, 1 << 40);
        out.extend_from_slice(&[0; 30]);
        out
    }
    fn twenty_three_times() -> Vec<u8> {
        let mut out = Vec::new();
        put_varint(&mut out, 23 * 100);
        out.resize(100, 0);
        out
    }
    /// 70,000 bytes, and a copy of the first four of them.
    fn far_copy() -> Vec<u8> {
        let mut out = Vec::new();
        put_varint(&mut out, 70_004);
        for piece in [65_536_u32, 4464] {
            out.extend_from_slice(&[62 << 2]);
            out.extend_from_slice(&(piece - 1).to_le_bytes()[..3]);
            out.extend(std::iter::repeat_n(7, usize::try_from(piece).unwrap()));
        }
        out.push(3 << 2 | 3);
        out.extend_from_slice(&70_000_u32.to_le_bytes());
        out
    }
    fn long_literal() -> Vec<u8> {
        let mut out = Vec::new();
        put_varint(&mut out, 500);
        out.extend_from_slice(&[63 << 2, 0xff, 0xff, 0xff, 0x7f, 1, 2, 3]);
        out.resize(100, 9);
        out
    }
    type Make = fn() -> Vec<u8>;
    fn more_behind() -> Vec<u8> {
        [&snap::raw::Encoder::new().compress_vec(&[7; 1000]).unwrap()[..], b"\0x"].concat()
    }
    let cases: [Case<Make>; 4] = [
        (endless, "1099511627776 bytes, more than"),
        (twenty_three_times, "2300 bytes, more than"),
        (long_literal, "do not end with a piece"),
        (more_behind, "more follows"),
    ];
    for (stored, expected) in cases {
        let error = refused(&compressed(stored()), Required);
        assert_eq!(kind(&error), "Invalid", "{error}");
        assert!(error.to_string().contains(expected), "{expected}: {error}");
    }
    // A block that is long enough for such a copy.
    let rows: Vec<SstRow> = (0..9_u8).map(|n| ([&[n][..], &[0xff; 8]].concat(), vec![n; 20_000])).collect();
    let layout = SstLayout { compressed: Some(far_copy()), block_len: 1 << 30, ..SstLayout::default() };
    let error = refused(&sst_payload(&[SstFile::new(&rows, &layout)], 1), Optional);
    assert!(error.to_string().contains("reaches back 70000 bytes"), "{error}");
}

#[test]
fn files_that_are_swapped_missing_or_followed_by_something_are_refused() {
    let rows = rows();
    let layout = SstLayout::default();
    let files: Vec<SstFile> = rows.chunks(45).map(|rows| SstFile::new(rows, &layout)).collect();
    let swapped = [files[1].clone(), files[0].clone()];
    let error = refused(&sst_payload(&swapped, 9), Optional);
    assert!(error.to_string().contains("overlaps the file before it"), "{error}");
    // The files alone are swapped.
    let bodies = [&files[1].bytes[..], &files[0].bytes].concat();
    let error = refused(&sst_container(&sst_manifest(&files, 9), &bodies), Optional);
    assert!(error.to_string().contains("SHA-256 of file 000000.sst"), "{error}");
    let error = refused(&sst_container(&sst_manifest(&files, 9), &files[0].bytes), Optional);
    assert_eq!(kind(&error), "Truncated", "{error}");
    for extra in [1, 2, 3, 5, 100] {
        let longer = [&sst_payload(&files, 9)[..], &vec![0; extra]].concat();
        assert!(refused(&longer, Optional).to_string().contains("follow the last file"), "{extra} extra bytes");
    }
    let four_more = [&sst_payload(&files, 9)[..], &[0; 4]].concat();
    assert_eq!(kind(&refused(&four_more, Optional)), "FooterCrc");
    assert_eq!(kind(&refused(&sst_payload(&files, 9), Required)), "FooterCrc");
    // Rows of a file that do not ascend, in blocks that are sound.
    let descending = [rows[3].clone(), rows[2].clone()];
    let mut file = SstFile::new(&descending, &layout);
    std::mem::swap(&mut file.bounds.0, &mut file.bounds.1);
    assert_eq!(kind(&refused(&sst_payload(&[file], 9), Optional)), "Order");
}

#[test]
fn bounds_and_totals_that_the_files_do_not_have_are_refused() {
    let rows = rows();
    let good = SstFile::new(&rows, &SstLayout::default());
    let cases: [Case<fn(&mut SstFile)>; 5] = [
        (|file| file.rows -= 1, "90 rows of"),
        (|file| file.rows += 1, "other than the 91 rows"),
        (|file| file.raw_len -= 1, "more than the 90 rows"),
        (|file| file.bounds.0 = b"key".to_vec(), "is not what the manifest states"),
        (|file| file.bounds.1.push(b'x'), "is not what the manifest states"),
    ];
    for (change, expected) in cases {
        let mut file = good.clone();
        change(&mut file);
        let error = refused(&sst_payload(&[file], 9), Optional);
        assert_eq!(kind(&error), "Invalid", "{error}");
        assert!(error.to_string().contains(expected), "{expected}: {error}");
    }
}

#[test]
fn manifest_lengths_out_of_bounds_are_refused() {
    for len in [0_i64, -1, i64::MIN, (64 << 20) + 1, i64::MAX] {
        let mut bytes = vectors::sst_small();
        bytes[24..32].copy_from_slice(&len.to_be_bytes());
        let error = refused(&bytes, Optional);
        assert_error(&error, "Invalid", 16, None);
        assert!(error.to_string().contains(&format!("manifest length {len} ")), "{error}");
    }
    let mut bytes = vectors::sst_small();
    bytes[24..32].copy_from_slice(&(64_i64 << 20).to_be_bytes());
    assert_eq!(kind(&refused(&bytes, Optional)), "Truncated");
}

#[test]
fn every_malformed_manifest_is_an_error_although_its_hash_holds() {
    let rows = [(b"a\xff\xff\xff\xff\xff\xff\xff\xff".to_vec(), vec![0; 9])];
    let other = [(b"b\xff\xff\xff\xff\xff\xff\xff\xff".to_vec(), vec![0; 9])];
    let files = [SstFile::new(&rows, &SstLayout::default()), SstFile::new(&other, &SstLayout::default())];
    let good = sst_manifest(&files, 9);
    let bodies = [&files[0].bytes[..], &files[1].bytes].concat();
    accepted(&sst_container(&good, &bodies), Optional);
    let len = files[0].bytes.len();
    let size = format!("\"size\":{len}");
    let minus = format!("\"size\":-{len}");
    let cases = [
        (r#""version":1"#, r#""version":2"#, "version 2 is unknown"),
        (r#""version":1"#, r#""version":1,"surprise":0"#, "unknown field"),
        (r#""version":1"#, r#""version":"1""#, "invalid type"),
        (r#""version":1"#, r#""version":1,"version":1"#, "duplicate field"),
        (r#""entry_count":2"#, r#""entry_count":-2"#, "invalid value"),
        (r#""total_file_bytes":"#, r#""total_file_bytes":1"#, "total_file_bytes is"),
        ("000000.sst", "../x", "unexpected file name"),
        ("000000.sst", "0.sst", "unexpected file name"),
        ("000000.sst", "000001.sst", "unexpected file name"),
        ("000001.sst", "000002.sst", "unexpected file name"),
        (size.as_str(), r#""size":0"#, "has size 0"),
        (size.as_str(), minus.as_str(), "has size -"),
        (r#""sha256":""#, r#""sha256":"00"#, "no valid sha256"),
        ("Yf", "Yf=", "not valid base64"),
        ("Yf", "xf", "smallest key above its largest"),
        (r#"{"version""#, r#"["version""#, "invalid EKVSSTI1 manifest"),
        ("]}", "]} {}", "trailing characters"),
        ("]}", "]", "EOF"),
    ];
    for (from, to, expected) in cases {
        assert!(good.contains(from), "{from}");
        let text = refused(&sst_container(&good.replacen(from, to, 1), &bodies), Optional).to_string();
        assert!(text.contains(expected), "{from} -> {to}: {text}");
    }
}

#[test]
fn changed_byte_behind_a_footer_is_a_checksum_error() {
    let sealed = vectors::sst_small();
    for at in [20, 40, 70, sealed.len() - 6] {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert_eq!(kind(&refused(&changed, Required)), "FooterCrc", "byte {at}");
    }
}

#[test]
fn scratch_space_is_what_the_manifest_states_and_a_long_block() {
    let rows = rows();
    let many: Vec<SstRow> =
        (0..20_000_u32).map(|n| ([&n.to_be_bytes()[..], &[0xff; 8]].concat(), vec![0; 9])).collect();
    let long = vec![(vec![0xff; 9], vec![0; 6 << 20])];
    for rows in [rows, many, long] {
        let files: Vec<SstFile> = rows.chunks(1000).map(|rows| SstFile::new(rows, &SstLayout::default())).collect();
        let stated: u64 = files.iter().map(|file| file.raw_len + 16 * file.rows).sum();
        let longest = rows.iter().map(|(_, value)| u64::try_from(value.len()).unwrap()).max().unwrap();
        let input = memory_input(sst_payload(&files, 1));
        let counted = Arc::new(CountedScratch::new());
        let scratch: Arc<dyn Scratch> = counted.clone();
        scan(&input, &ScanOptions::default(), &mut OneFamily, &scratch, &NoMonitor).unwrap();
        let most = 16 + stated + if longest > 2 << 20 { longest + 100 } else { 0 };
        assert!(counted.bytes() <= most, "{} bytes of scratch space for {most}", counted.bytes());
    }
}
