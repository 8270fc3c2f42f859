//! Views of several groups, and readers of all versions. Source: `docs/format/snapshot.md`, sections 9, 11.4 and 12.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use ekv_model::NoMonitor;
use ekv_snapshot::{
    CommitTs, FamilyTotals, Group, OneFamily, Owns, Range, RecordFile, ScanOptions, VersionKind, VersionScan, View,
    findings, scan,
};
use ekv_spill::{Scratch, SystemScratch};
use ekv_testkit::SnapshotBuilder;

fn file(snapshot: &SnapshotBuilder) -> (FamilyTotals, RecordFile) {
    let scratch: Arc<dyn Scratch> = Arc::new(SystemScratch::new());
    let (pass, file) = scan(&snapshot.input(), &ScanOptions::default(), &mut OneFamily, &scratch, &NoMonitor).unwrap();
    (pass.families.first().copied().unwrap_or_default(), file)
}

fn group(snapshot: &SnapshotBuilder, read_ts: u64, owns: fn(&[u8]) -> bool) -> Group {
    let owns: Owns = Arc::new(owns);
    Group { files: vec![file(snapshot).1], read_ts: CommitTs(read_ts), owns: Some(owns) }
}

fn all(view: &View) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
    let mut scan = view.scan_range(Range::default()).unwrap();
    let mut found = Vec::new();
    while let Some(record) = scan.next_visible().unwrap() {
        found.push((text(record.user_key), text(record.body.whole().unwrap())));
    }
    found
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// Group 1 owns `a…`, group 2 `b…`, and both own `x…`.
fn two_groups() -> View {
    let first = SnapshotBuilder::new()
        .put(b"a", 10, b"first")
        .put(b"b", 90, b"stale")
        .put(b"x", 10, b"older")
        .put(b"x1", 10, b"same")
        .put(b"x2", 10, b"first only")
        .delete(b"x3", 50);
    let second = SnapshotBuilder::new()
        .put(b"a", 20, b"stale")
        .put(b"b", 20, b"second")
        .put(b"x", 20, b"newer")
        .put(b"x1", 10, b"same")
        .put(b"x3", 10, b"second only");
    View::new(vec![group(&first, 100, |key| !key.starts_with(b"b")), group(&second, 100, |key| !key.starts_with(b"a"))])
}

#[test]
fn key_of_several_groups_is_given_once_by_ranges_lookups_and_counts() {
    let view = two_groups();
    let expected =
        [("a", "first"), ("b", "second"), ("x1", "same"), ("x2", "first only"), ("x3", "second only"), ("x", "newer")];
    assert_eq!(all(&view), pairs(&expected));
    let mut lookup = view.lookup();
    for (key, _) in expected {
        assert!(lookup.get(key.as_bytes()).unwrap().is_some(), "{key}");
    }
    let counts = view.count(&|_| 0, &NoMonitor).unwrap();
    assert_eq!(counts.families.first().unwrap().visible, 6);
    assert_eq!((counts.families.first().unwrap().unowned, counts.findings.count(findings::UNOWNED)), (2, 2));
}

#[test]
fn place_in_several_groups_can_be_marked_and_found_again() {
    let view = two_groups();
    let mut scan = view.scan_range(Range::default()).unwrap();
    for _ in 0..3 {
        scan.next_visible().unwrap();
    }
    let mark = scan.mark();
    let rest = |scan: &mut ekv_snapshot::RangeScan| {
        let mut keys = Vec::new();
        while let Some(record) = scan.next_visible().unwrap() {
            keys.push(record.user_key.to_vec());
        }
        keys
    };
    let first = rest(&mut scan);
    assert_eq!(first, [b"x2".to_vec(), b"x3".to_vec(), b"x".to_vec()]);
    scan.rewind(&mark).unwrap();
    assert_eq!(scan.current().unwrap().user_key, b"x1");
    assert_eq!(rest(&mut scan), first);
}

#[test]
fn recounted_totals_say_what_became_of_every_record() {
    let snapshot = SnapshotBuilder::new().put(b"a", 10, b"v").put(b"b", 10, b"v").delete(b"c", 10);
    let (mut totals, _) = file(&snapshot);
    let counts = View::new(vec![group(&snapshot, 10, |key| key == b"a")]).count(&|_| 0, &NoMonitor).unwrap();
    totals.recount(counts.families.first().unwrap());
    assert_eq!((totals.visible, totals.unowned, totals.deleted, totals.covered), (1, 1, 1, 0));
    assert_eq!((totals.records, totals.visible_body_bytes), (3, 1));
}

#[test]
fn version_scan_tells_for_each_version_what_the_next_newer_one_says() {
    // The record of `k` with seven more bytes lies between two versions of `k`.
    let between = [b"k", &CommitTs(20).to_suffix()[..7]].concat();
    let snapshot = SnapshotBuilder::new()
        .put(b"k", 30, b"newest")
        .delete(b"k", 20)
        .put(&between, 5, b"between")
        .put(b"k", 10, b"oldest")
        .version(b"m", 10, 0x80, 0, b"")
        .put(b"other", 10, b"");
    let file = file(&snapshot).1;
    let mut scan = VersionScan::new(std::slice::from_ref(&file), Range::prefix(b"k")).unwrap();
    let mut seen = Vec::new();
    while let Some(version) = scan.next_version().unwrap() {
        seen.push((version.user_key.to_vec(), version.commit_ts.0, version.kind, version.newer));
    }
    let k = b"k".to_vec();
    seen.sort_by_key(|version| (version.0.len(), std::cmp::Reverse(version.1)));
    assert_eq!(
        seen,
        [
            (k.clone(), 30, VersionKind::Put, None),
            (k.clone(), 20, VersionKind::Tombstone, Some(VersionKind::Put)),
            (k, 10, VersionKind::Put, Some(VersionKind::Tombstone)),
            (between, 5, VersionKind::Put, None),
        ]
    );
    let mut scan = VersionScan::new(&[file], Range::prefix(b"m")).unwrap();
    assert_eq!(scan.next_version().unwrap().unwrap().kind, VersionKind::Damaged);
    assert!(scan.next_version().unwrap().is_none() && scan.current().is_none());
}

#[test]
fn key_is_shadowed_where_a_longer_key_sorts_before_its_newest_version() {
    let shadowed = |snapshot: SnapshotBuilder| {
        let mut scan = VersionScan::new(&[file(&snapshot).1], Range::prefix(b"k")).unwrap();
        loop {
            let version = scan.next_version().unwrap().unwrap();
            if version.user_key == b"k" {
                return version.shadowed;
            }
        }
    };
    let plain = || SnapshotBuilder::new().put(b"k", 10, b"");
    assert!(!shadowed(plain().put(b"j", 10, b"").put(b"l", 10, b"")));
    assert!(shadowed(plain().put(b"k1", 10, b"")));
    assert!(shadowed(plain().delete(b"k1", 10)));
    // Keys that begin with `k` and sort behind it, or before every version that it could have, do not hide it.
    assert!(!shadowed(plain().put(b"k\xff\xff\xff\xff\xff\xff\xff\xff\xff", 10, b"")));
    assert!(!shadowed(plain().raw(b"k\0\0\0", b"")));
}
