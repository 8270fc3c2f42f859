//! Which version is visible at a read timestamp.

use ekv_model::NoMonitor;
use ekv_snapshot::{CommitTs, ErrorKind, OneFamily, ScanOptions, View, check_read_ts, scan};
use ekv_spill::{Scratch, SystemScratch};
use ekv_testkit::{SnapshotBuilder, scan_input, vectors, visible_at};
use std::sync::Arc;

use super::{Required, accepted};

/// Visible keys with their bodies, also through point reads.
fn bodies(file: &ekv_snapshot::RecordFile, read_ts: u64) -> Vec<(Vec<u8>, Vec<u8>)> {
    let visible = visible_at(file, read_ts).unwrap();
    let mut lookup = View::of_file(file, CommitTs(read_ts)).lookup();
    for (key, (body, commit_ts)) in &visible {
        let found = lookup.get(key).unwrap().unwrap();
        assert_eq!((found.body.whole(), found.commit_ts.0), (Some(&body[..]), *commit_ts));
    }
    visible.into_iter().map(|(key, (body, _))| (key, body)).collect()
}

fn pairs(expected: &[(&[u8], &str)]) -> Vec<(Vec<u8>, Vec<u8>)> {
    expected.iter().map(|(key, body)| (key.to_vec(), body.as_bytes().to_vec())).collect()
}

#[test]
fn version_of_a_key_is_found_behind_a_longer_key_that_sorts_between() {
    let (scan, file) = accepted(&vectors::interleaved(), Required);
    assert_eq!(scan.effective_last_commit_ts.0, 0x01a2_03c8_0991_0005);
    assert_eq!((scan.families[0].user_keys, scan.totals.nesting_depth), (3, 2));
    let base = 0x01a2_03c8_0991_0000;
    let longer = [&b"k"[..], &vectors::hex("fe5dfc37f66efffd")].concat();
    assert_eq!(bodies(&file, base), []);
    assert_eq!(bodies(&file, base + 1), pairs(&[(b"k", "a-old")]));
    assert_eq!(bodies(&file, base + 2), pairs(&[(b"k", "a-old")]));
    assert_eq!(bodies(&file, base + 3), pairs(&[(b"k", "a-new")]));
    assert_eq!(bodies(&file, base + 5), pairs(&[(b"k", "a-new"), (b"ka", "longer"), (&longer, "b")]));
    assert_eq!(bodies(&file, u64::MAX), bodies(&file, base + 5));
}

#[test]
fn versions_tombstones_and_expiries_resolve_at_every_documented_timestamp() {
    let (scan, file) = accepted(&vectors::versions(), Required);
    assert_eq!((scan.totals.entries, scan.totals.unversioned_rows), (8, 3));
    for (read_ts, expected) in [
        (15, Some("1")),
        (20, Some("2")),
        (29, Some("2")),
        (30, None),
        (39, None),
        (40, Some("4")),
        (44, Some("4")),
        (45, None),
        (50, None),
    ] {
        check_read_ts(&scan, CommitTs(read_ts)).unwrap();
        let mut expected = pairs(&expected.map(|body| (&b"a"[..], body)).into_iter().collect::<Vec<_>>());
        expected.insert(0, (b"_meta_x".to_vec(), b"u".to_vec()));
        assert_eq!(bodies(&file, read_ts), expected, "at {read_ts}");
    }
}

#[test]
fn read_below_the_retention_watermark_is_refused() {
    let (scan, _) = accepted(&vectors::versions(), Required);
    let refused = |ts| check_read_ts(&scan, CommitTs(ts)).unwrap_err();
    assert!(matches!(refused(14).kind(), ErrorKind::TsCompacted { read_ts: 14, oldest: 15 }));
    assert!(matches!(refused(0).kind(), ErrorKind::TsZero));
    for ts in [15, 51, u64::MAX] {
        check_read_ts(&scan, CommitTs(ts)).unwrap();
    }
}

#[test]
fn pending_watermark_counts_if_it_is_the_greater_one() {
    let input = SnapshotBuilder::new()
        .meta_row("min_retained_ts", 60)
        .meta_row("pending_min_retained_ts", 65)
        .put(b"k", 70, b"x")
        .input();
    let (scan, _) = scan_input(&input).unwrap();
    for (ts, answerable) in [(59, false), (64, false), (65, true)] {
        let checked = check_read_ts(&scan, CommitTs(ts));
        assert_eq!(checked.is_ok(), answerable, "{ts}");
        assert!(checked.err().is_none_or(|e| matches!(e.kind(), ErrorKind::TsCompacted { oldest: 65, .. })));
    }
    let (scan, _) = scan_input(&SnapshotBuilder::new().put(b"k", 70, b"x").input()).unwrap();
    check_read_ts(&scan, CommitTs(1)).unwrap();
}

#[test]
fn key_whose_newest_version_is_a_tombstone_is_absent() {
    let input = SnapshotBuilder::new()
        .delete(b"deleted", 9)
        .put(b"deleted", 5, b"old")
        .delete(b"gone", 9)
        .delete(b"gone", 5)
        .put(b"kept", 1, b"x")
        .input();
    let (scan, file) = scan_input(&input).unwrap();
    assert_eq!(bodies(&file, 9), pairs(&[(b"kept", "x")]));
    assert_eq!(bodies(&file, 8), pairs(&[(b"deleted", "old"), (b"kept", "x")]));
    assert_eq!((scan.families[0].deleted, scan.families[0].tombstones, scan.families[0].older), (2, 3, 2));
}

#[test]
fn expiry_is_compared_with_the_read_timestamp() {
    let input = SnapshotBuilder::new().version(b"k", 10, 0, 50, b"x").put(b"k", 5, b"older").input();
    let (_, file) = scan_input(&input).unwrap();
    assert_eq!(bodies(&file, 49), pairs(&[(b"k", "x")]));
    for read_ts in [50, 51, u64::MAX] {
        assert_eq!(bodies(&file, read_ts), []);
    }
}

#[test]
fn every_key_of_a_family_of_prefixes_resolves_on_its_own() {
    let keys: [&[u8]; 6] =
        [b"user:1", b"user:10", b"user:100", b"pre", b"pre\xff", b"pre\xff\xff\xff\xff\xff\xff\xff\xff"];
    let now = 0x01a2_03c8_0991_0000;
    let mut builder = SnapshotBuilder::new();
    for key in keys {
        for ts in [1, 3, now + 1, now + 3] {
            builder = builder.put(key, ts, format!("{}@{ts}", key.escape_ascii()).as_bytes());
        }
    }
    let (scan, file) = scan_input(&builder.input()).unwrap();
    assert_eq!((scan.families[0].user_keys, scan.families[0].visible), (6, 6));
    for (read_ts, version) in [(1, 1), (2, 1), (3, 3), (now, 3), (now + 2, now + 1), (u64::MAX, now + 3)] {
        let mut expected: Vec<(Vec<u8>, Vec<u8>)> =
            keys.iter().map(|key| (key.to_vec(), format!("{}@{version}", key.escape_ascii()).into_bytes())).collect();
        expected.sort();
        assert_eq!(bodies(&file, read_ts), expected, "at {read_ts}");
    }
}

#[test]
fn chunk_blobs_count_in_their_newest_version_whatever_the_read_timestamp() {
    let input = SnapshotBuilder::new()
        .put(b"!s3|chunkblob|abc", 90, b"new")
        .put(b"!s3|chunkblob|abc", 2, b"old")
        .put(b"k", 5, b"x")
        .last_commit_ts(6)
        .input();
    let (scan, file) = scan_input(&input).unwrap();
    assert_eq!(scan.effective_last_commit_ts.0, 6);
    assert_eq!(bodies(&file, 5), pairs(&[(b"!s3|chunkblob|abc", "new"), (b"k", "x")]));
    let options = ScanOptions { read_ts: Some(CommitTs(4)), ..ScanOptions::default() };
    let scratch: Arc<dyn Scratch> = Arc::new(SystemScratch::new());
    let (scan, _) = scan_with(&input, &options, &scratch);
    assert_eq!((scan.families[0].visible, scan.families[0].newer, scan.families[0].older), (1, 1, 1));
}

fn scan_with(
    input: &ekv_snapshot::Input,
    options: &ScanOptions,
    scratch: &Arc<dyn Scratch>,
) -> (ekv_snapshot::Scan, ekv_snapshot::RecordFile) {
    scan(input, options, &mut OneFamily, scratch, &NoMonitor).unwrap()
}

#[test]
fn newest_state_is_that_of_the_greatest_commit_in_header_and_records() {
    let records = SnapshotBuilder::new().put(b"k", 70, b"x").last_commit_ts(60).input();
    assert_eq!(scan_input(&records).unwrap().0.effective_last_commit_ts.0, 70);
    let header = SnapshotBuilder::new().put(b"k", 70, b"x").last_commit_ts(80).input();
    assert_eq!(scan_input(&header).unwrap().0.effective_last_commit_ts.0, 80);
}

#[test]
fn nested_prefixes_cost_as_much_as_they_nest() {
    // After 0xff a longer key sorts behind all versions of a shorter one: every prefix stays open to the end.
    const DEPTH: usize = 3_000;
    let key = vec![0xff; DEPTH];
    let mut builder = SnapshotBuilder::new();
    for len in 1..=DEPTH {
        builder = builder.put(&key[..len], u64::MAX / 2, b"");
    }
    let (scan, file) = scan_input(&builder.input()).unwrap();
    let depth = u64::try_from(DEPTH).unwrap();
    assert_eq!((scan.families[0].visible, scan.families[0].user_keys), (depth, depth));
    assert_eq!(scan.totals.nesting_depth, depth);
    assert_eq!(visible_at(&file, u64::MAX).unwrap().len(), DEPTH);
}
