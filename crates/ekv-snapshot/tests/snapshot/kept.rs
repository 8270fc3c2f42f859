//! An index that was kept: the scan it stands for, or none. Source: `docs/format/index.md`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ekv_model::{Class, NoMonitor};
use ekv_snapshot::kept::{NotKept, Unusable, read, scan_to_keep};
use ekv_snapshot::{ErrorKind, FooterPolicy, Input, OneFamily, RecordFile, Scan, ScanOptions};
use ekv_spill::{Scratch, SystemScratch};
use ekv_testkit::{SnapshotBuilder, reseal, seal, vectors, visible_at};

const MAKER: &[u8] = b"test 1";
/// What the classifier is said to have counted.
fn words() -> Vec<(Vec<u8>, u64)> {
    vec![(b"!x|".to_vec(), 3), (b"(other)".to_vec(), 1)]
}

fn scratch() -> Arc<dyn Scratch> {
    Arc::new(SystemScratch::new())
}

/// A snapshot of several blocks, with versions, a deletion and a key that no block holds as a whole.
fn snapshot() -> SnapshotBuilder {
    let mut builder = SnapshotBuilder::new().delete(b"deleted", 9).put(b"deleted", 5, b"x");
    for n in 0..40_u8 {
        builder = builder.put(&[b'k', n], 7, &vec![n; usize::from(n) * 60]).put(&[b'k', n], 3, b"old");
    }
    builder.put(&[b'l'; 600], 7, &vec![b'y'; 40_000]).put(&[b'l'; 601], 7, b"z").meta_row("min_retained_ts", 2)
}

struct Room {
    dir: tempfile::TempDir,
}

impl Room {
    fn with(bytes: &[u8]) -> Room {
        let room = Room { dir: tempfile::tempdir().unwrap() };
        fs::write(room.path(), bytes).unwrap();
        room
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("s.fsm")
    }
}

fn input(path: &Path) -> Input {
    Input::open(path, FooterPolicy::Required).unwrap()
}

fn made(input: &Input) -> (Scan, RecordFile, Result<Vec<u8>, NotKept>) {
    let (scan, file, keepable) =
        scan_to_keep(input, &ScanOptions::default(), &mut OneFamily, &scratch(), &NoMonitor).unwrap();
    let bytes = keepable.map(|keepable| {
        let mut bytes = Vec::new();
        keepable.write(&scan, &file, &words(), MAKER, &mut bytes).unwrap();
        bytes
    });
    (scan, file, bytes)
}

fn used(index: &[u8], input: &Input) -> Result<(Scan, RecordFile), Unusable> {
    let (scan, file, counted) = read(index, input, MAKER, &scratch())?;
    assert_eq!(counted, words());
    Ok((scan, file))
}

/// Everything that a scan says; whatever the findings are, there are none.
fn told(scan: &Scan) -> String {
    format!("{scan:?}")
}

#[test]
fn kept_index_gives_the_scan_and_the_records_of_the_scan_it_stands_for() {
    let plain = SnapshotBuilder::new().put(b"k", 7, b"v");
    let expiring = SnapshotBuilder::new().version(b"k", 7, 0, 6, b"gone").version(b"l", 7, 0, 9, b"there");
    for bytes in
        [snapshot().build(), plain.build(), seal(plain.bare().build()), expiring.build(), vectors::interleaved()]
    {
        let room = Room::with(&bytes);
        let (scan, file, index) = made(&input(&room.path()));
        let (kept, kept_file) = used(&index.unwrap(), &input(&room.path())).unwrap();
        assert_eq!(told(&kept), told(&scan));
        for ts in [1, 3, 7, 20] {
            assert_eq!(visible_at(&kept_file, ts).unwrap(), visible_at(&file, ts).unwrap());
        }
        kept_file.check_unchanged().unwrap();
    }
}

#[test]
fn index_of_which_any_byte_is_changed_or_missing_is_not_used() {
    let room = Room::with(&snapshot().build());
    let input = input(&room.path());
    let index = made(&input).2.unwrap();
    used(&index, &input).unwrap();
    for at in 0..index.len() {
        let mut changed = index.clone();
        changed[at] ^= 1 << (at % 8);
        assert!(used(&changed, &input).is_err(), "byte {at}");
        assert!(used(&index[..at], &input).is_err(), "cut to {at} bytes");
    }
    let longer = [index.as_slice(), b"\0"].concat();
    assert!(matches!(used(&longer, &input), Err(Unusable::Damaged)));
}

#[test]
fn index_that_lies_behind_a_right_checksum_leads_to_records_of_the_snapshot_or_an_error() {
    let room = Room::with(&snapshot().build());
    let input = input(&room.path());
    let index = made(&input).2.unwrap();
    let body = index.len() - 4;
    for at in 0..body {
        for value in [index[at] ^ 1, index[at] ^ 0x80, 0xff] {
            let mut changed = index[..body].to_vec();
            changed[at] = value;
            let sum = crc32c::crc32c(&changed);
            changed.extend_from_slice(&sum.to_le_bytes());
            // Whatever it says, nothing is read that is not there, and everything ends.
            if let Ok((_, file, _)) = read(changed.as_slice(), &input, MAKER, &scratch()) {
                let _ = visible_at(&file, 7);
            }
        }
    }
}

#[test]
fn index_of_another_program_or_version_is_not_used_and_not_called_damaged() {
    let room = Room::with(&snapshot().build());
    let input = input(&room.path());
    let mut index = made(&input).2.unwrap();
    assert!(matches!(read(index.as_slice(), &input, b"test 2", &scratch()), Err(Unusable::Version)));
    assert!(matches!(read(index.as_slice(), &input, b"test 10", &scratch()), Err(Unusable::Version)));
    index[7] = b'2';
    assert!(matches!(used(&index, &input), Err(Unusable::Version)));
    assert!(matches!(used(b"not an index", &input), Err(Unusable::Damaged)));
    assert!(matches!(used(b"", &input), Err(Unusable::Damaged)));
}

#[test]
fn index_is_of_one_file_as_it_is_and_of_no_copy_or_later_state_of_it() {
    let bytes = snapshot().build();
    let room = Room::with(&bytes);
    let index = made(&input(&room.path())).2.unwrap();
    let copy = Room::with(&bytes);
    assert!(matches!(used(&index, &input(&copy.path())), Err(Unusable::OtherFile)));
    // In place, with the same length and time of modification: the time of change tells.
    let modified = fs::metadata(room.path()).unwrap().modified().unwrap();
    let file = fs::File::options().write(true).open(room.path()).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, b"Q", 500).unwrap();
    file.set_modified(modified).unwrap();
    assert!(matches!(used(&index, &input(&room.path())), Err(Unusable::OtherFile)));
    // Replaced by another one.
    fs::rename(copy.path(), room.path()).unwrap();
    assert!(matches!(used(&index, &input(&room.path())), Err(Unusable::OtherFile)));
}

#[test]
fn snapshot_that_changed_although_nothing_tells_is_an_error_where_it_is_read() {
    let bytes = snapshot().build();
    let room = Room::with(&bytes);
    let original = input(&room.path());
    let (_, file, index) = made(&original);
    let visible = visible_at(&file, 7).unwrap();
    let last_block = (bytes.len() - 1) / (16 << 10) * (16 << 10);
    // A file system that keeps neither times nor numbers.
    for at in (0..bytes.len() - 4).step_by(97) {
        let mut changed = bytes.clone();
        changed[at] ^= 0x10;
        let source = Arc::new(Disguised { bytes: changed, as_file: Arc::clone(&original.source) });
        match used(index.as_ref().unwrap(), &Input { source, ..original.clone() }) {
            // Header and footer are read at once.
            Err(error) => {
                assert!(at < 16 << 10 || at >= last_block, "byte {at}");
                assert!(matches!(error, Unusable::OtherFile), "byte {at}: {error}");
            }
            Ok((_, file)) => {
                let error = visible_at(&file, 7).unwrap_err();
                assert!(matches!(error.kind(), ErrorKind::BlockCrc { .. }), "byte {at}: {error}");
                assert!(
                    error.class() == Class::Data && error.location().byte_offset.unwrap() <= u64::try_from(at).unwrap()
                );
            }
        }
    }
    // With a footer that fits the new bytes, it is told at once.
    let mut changed = bytes.clone();
    changed[20_000] ^= 0x10;
    let source = Arc::new(Disguised { bytes: reseal(changed), as_file: Arc::clone(&original.source) });
    assert!(matches!(used(index.as_ref().unwrap(), &Input { source, ..original.clone() }), Err(Unusable::OtherFile)));
    let same = Arc::new(Disguised { bytes, as_file: Arc::clone(&original.source) });
    let (_, file) = used(&index.unwrap(), &Input { source: same, ..original }).unwrap();
    assert_eq!(visible_at(&file, 7).unwrap(), visible);
}

/// Bytes that claim to be those of a file.
struct Disguised {
    bytes: Vec<u8>,
    as_file: Arc<dyn ekv_snapshot::ReadAt>,
}

impl ekv_snapshot::ReadAt for Disguised {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> std::io::Result<usize> {
        let rest = &self.bytes[usize::try_from(offset).unwrap().min(self.bytes.len())..];
        let len = rest.len().min(buf.len());
        buf[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }

    fn identity(&self) -> std::io::Result<Option<ekv_snapshot::FileIdentity>> {
        self.as_file.identity()
    }
}

#[test]
fn nothing_is_kept_of_what_no_index_can_stand_for() {
    let small = SnapshotBuilder::new().put(b"k", 7, b"v");
    let odd = SnapshotBuilder::new().put(b"k", 7, b"v").raw(b"short", b"");
    for (bytes, why) in [
        (odd.build(), NotKept::Findings),
        (vectors::memory_store(), NotKept::Form),
        (SnapshotBuilder::new().put(b"k", 7, b"v").without_footer().build(), NotKept::Form),
    ] {
        let room = Room::with(&bytes);
        let input = Input::open(&room.path(), FooterPolicy::Optional).unwrap();
        let (scan, file, index) = made(&input);
        assert_eq!(index.unwrap_err(), why);
        assert!(!visible_at(&file, scan.effective_last_commit_ts.0).unwrap().is_empty());
    }
    assert_eq!(made(&small.input()).2.unwrap_err(), NotKept::NoIdentity);
    let room = Room::with(&small.build());
    let nameless = input(&room.path());
    fs::remove_file(room.path()).unwrap();
    assert_eq!(made(&nameless).2.unwrap_err(), NotKept::NoIdentity);
}
