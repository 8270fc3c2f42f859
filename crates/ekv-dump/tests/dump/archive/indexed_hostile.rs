//! Archives whose index is damaged or lies: nobody is shown a wrong content, and a check sees it.

use std::io::Read;

use ekv_files::archive::{ArchiveLimits, Compression, IndexFault};
use ekv_files::sink::MemoryEntries;
use ekv_files::source::{Refusal, ScopedSource, Source, Visitor};
use ekv_files::{DumpPath, Result};
use ekv_testkit::{IndexRow, archive_with_index, blocks_of, index_payload, rows_of};

use super::support::*;

/// Collects what is shown, up to the first error.
#[derive(Default)]
struct Shown(MemoryEntries);

impl Visitor for Shown {
    fn directory(&mut self, path: &DumpPath) -> Result<()> {
        self.0.insert(path.as_bytes().to_vec(), None);
        Ok(())
    }

    fn file(&mut self, path: &DumpPath, content: &mut dyn Read) -> Result<()> {
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes).map_err(ekv_files::source::read_error)?;
        self.0.insert(path.as_bytes().to_vec(), Some(bytes));
        Ok(())
    }

    fn refused(&mut self, path: &DumpPath, refusal: Refusal) -> Result<()> {
        panic!("{path}: {refusal}")
    }
}

/// Reads an archive in every way. The content of every file that is shown must be the truth; answers whether everything was shown without an error.
fn read_in_every_way(archive: &[u8], what: &str) -> bool {
    let truth = entries();
    let mut shown = Shown::default();
    let Ok(mut source) = open(archive, ArchiveLimits::default()) else { return false };
    let walked = source.walk(&mut shown);
    for (path, content) in &shown.0 {
        assert!(content.is_none() || truth.get(path) == Some(content), "{what}: {} is wrong", path.escape_ascii());
    }
    let mut is_whole = walked.is_ok() && shown.0.len() == truth.len();
    let Ok(mut source) = open(archive, ArchiveLimits::default()) else { return false };
    for (name, expected) in &truth {
        let path = DumpPath::new(name).unwrap();
        let mut bytes = Vec::new();
        let read = match source.open_file(&path) {
            Ok(mut file) => file.read_to_end(&mut bytes).is_ok(),
            Err(_) => false,
        };
        match read {
            true => assert_eq!(Some(&bytes), expected.as_ref(), "{what}: {path} is wrong"),
            false => is_whole &= expected.is_none(),
        }
        if expected.is_none() {
            let mut inner = Shown::default();
            is_whole &= source.walk_directory(&path, &mut inner).is_ok();
            let is_true =
                |(path, content): (&Vec<u8>, &Option<Vec<u8>>)| content.is_none() || truth.get(path) == Some(content);
            assert!(inner.0.iter().all(is_true), "{what}: {path}");
        }
    }
    is_whole
}

/// The tar of the sound dump, its rows, and the length of the compressed tar.
fn parts() -> (Vec<u8>, Vec<IndexRow>, usize) {
    let (tar, compressed) = (archive(Compression::None), archive(ZSTD));
    let rows = rows_of(&tar);
    (tar, rows, zstd::zstd_safe::find_frame_compressed_size(&compressed).unwrap())
}

/// An archive with these rows in its index.
fn with_rows(tar: &[u8], rows: &[IndexRow]) -> Vec<u8> {
    archive_with_index(tar, &index_payload(&blocks_of(rows), u64::try_from(rows.len()).unwrap()))
}

#[test]
fn every_changed_byte_of_index_and_table_shows_the_truth_or_an_error_and_a_check_sees_it() {
    let whole = archive(ZSTD);
    let (_, _, index_start) = parts();
    let mut not_used = 0;
    for at in index_start..whole.len() {
        for change in [0x01, 0x80, 0xff] {
            let mut changed = whole.clone();
            changed[at] ^= change;
            let what = format!("byte {at} ^ {change:#x}");
            // A stream that cannot be told apart any more is refused; everything else is read whole, in one way or the other.
            let can_be_read = unpack(&changed, ArchiveLimits::default()).is_ok();
            assert_eq!(read_in_every_way(&changed, &what), can_be_read, "{what}");
            let has_index = changed[index_start..].starts_with(&whole[index_start..index_start + 16]);
            let checked = check(&changed, ArchiveLimits::default());
            let is_sound = checked.is_ok_and(|checked| checked.is_sound());
            // Of the frame's own header and of the payload's magic number another one makes another program's frame.
            assert!(!is_sound || !has_index, "{what}");
            let fault = open(&changed, ArchiveLimits::default()).map(|source| source.index_fault().cloned());
            not_used += usize::from(!matches!(fault, Ok(None)));
        }
    }
    assert!(not_used > whole.len() - index_start, "much is noticed when the archive is opened: {not_used}");
}

#[test]
fn index_that_names_other_places_never_shows_another_content() {
    let (tar, rows, _) = parts();
    assert!(check(&with_rows(&tar, &rows), ArchiveLimits::default()).unwrap().is_sound());
    let files: Vec<usize> = (0..rows.len()).filter(|row| !rows[*row].is_directory).collect();
    for a in &files {
        for b in &files {
            let mut changed = rows.clone();
            let (place, len) = (rows[*b].header_offset, rows[*b].len);
            (changed[*a].header_offset, changed[*a].len) = (place, len);
            let archive = with_rows(&tar, &changed);
            let what = format!("{} at {}", rows[*a].path.escape_ascii(), rows[*b].path.escape_ascii());
            let is_whole = read_in_every_way(&archive, &what);
            assert_eq!(is_whole, a == b, "{what}: a walk has no way back");
            let problems = check(&archive, ArchiveLimits::default()).unwrap().problems;
            assert_eq!(problems.count, u64::from(a != b), "{what}: {problems}");
            // One file is found all the same.
            let mut source = open(&archive, ArchiveLimits::default()).unwrap();
            let path = DumpPath::new(&rows[*a].path).unwrap();
            source.open_file(&path).unwrap();
            assert_eq!(source.index_fault().is_some(), a != b, "{what}");
        }
    }
}

#[test]
fn name_that_is_missing_invented_or_of_another_kind_is_told_by_a_check() {
    let (tar, rows, _) = parts();
    for row in 0..rows.len() {
        let path = rows[row].path.escape_ascii().to_string();
        let missing: Vec<IndexRow> = rows.iter().filter(|other| other.path != rows[row].path).cloned().collect();
        let mut invented = rows.clone();
        invented.insert(row + 1, IndexRow { path: [&rows[row].path, &b"\x01"[..]].concat(), ..rows[row].clone() });
        let mut longer = rows.clone();
        longer[row].len += 1;
        let mut another_kind = rows.clone();
        another_kind[row].is_directory ^= true;
        for (changed, message) in [
            (missing, format!("{path}: the index of the archive lacks it")),
            (invented, "the index of the archive names it, but there is no such entry".to_owned()),
            (longer, "the index of the archive".to_owned()),
            (another_kind, "the index of the archive".to_owned()),
        ] {
            let archive = with_rows(&tar, &changed);
            read_in_every_way(&archive, &message);
            let problems = check(&archive, ArchiveLimits::default()).unwrap().problems;
            assert_eq!(problems.count, 1, "{message}: {problems}");
            assert!(problems.to_string().contains(&message), "{message}: {problems}");
        }
    }
}

#[test]
fn malformed_index_is_not_used_and_told_by_a_check() {
    let (tar, rows, _) = parts();
    let count = u64::try_from(rows.len()).unwrap();
    let payload = |blocks: &[Vec<IndexRow>]| index_payload(blocks, count);
    let mut unsorted = rows.clone();
    unsorted.swap(0, 1);
    let mut repeated = rows.clone();
    repeated.insert(1, rows[0].clone());
    let mut outside = rows.clone();
    outside[0].header_offset = u64::try_from(tar.len()).unwrap();
    let mut too_long = rows.clone();
    too_long[0].len = 1 << 62;
    let mut long_path = rows.clone();
    long_path[0].path = vec![b'A'; (16 << 10) + 1];
    let mut bad_path = rows.clone();
    bad_path[0].path = b"..".to_vec();
    let many = |number: usize| IndexRow { path: format!("{number:09}").into_bytes(), ..rows[1].clone() };
    let blocks_in_no_order = vec![rows[2..].to_vec(), rows[..2].to_vec()];
    let overlapping = vec![rows.clone(), rows[2..].to_vec()];
    let whole = payload(&blocks_of(&rows));
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("rows in no order", payload(&[unsorted])),
        ("a path twice", payload(&[repeated])),
        ("an offset behind the end", payload(&[outside])),
        ("a length behind the end", payload(&[too_long])),
        ("a path that is too long", payload(&[long_path])),
        ("a path that leads elsewhere", payload(&[bad_path])),
        ("a block that is too long", payload(&[(0..8_000).map(many).collect()])),
        ("blocks in no order", payload(&blocks_in_no_order)),
        ("blocks that overlap", payload(&overlapping)),
        ("an empty block", payload(&[rows.clone(), Vec::new()])),
        ("no block", payload(&[])),
        ("another number of rows", index_payload(&blocks_of(&rows), count + 1)),
        ("no rows", index_payload(&blocks_of(&rows), 0)),
        ("a payload that is cut off", whole[..whole.len() - 1].to_vec()),
        ("a payload without a trailer", whole[..30].to_vec()),
        ("a payload with something behind it", [&whole[..], b"more"].concat()),
    ];
    for (what, payload) in cases {
        let archive = archive_with_index(&tar, &payload);
        read_in_every_way(&archive, what);
        let mut source = open(&archive, ArchiveLimits::default()).unwrap();
        let mut shown = Shown::default();
        source.walk(&mut shown).unwrap();
        assert!(shown.0 == entries(), "{what}");
        assert!(
            !matches!(source.index_fault(), None | Some(IndexFault::Missing)),
            "{what}: {:?}",
            source.index_fault()
        );
        let problems = check(&archive, ArchiveLimits::default()).unwrap().problems;
        assert!(problems.count > 0, "{what}: {problems}");
    }
}

#[test]
fn table_that_hides_other_frames_in_skippable_ones_is_told_by_a_check() {
    // What is read from front to back is one dump, what the table lists would be another.
    let (tar, _, _) = parts();
    let other = tar.iter().map(|byte| if *byte == b'1' { b'2' } else { *byte }).collect::<Vec<u8>>();
    let (real, hidden) = (zstd::encode_all(&tar[..], 3).unwrap(), zstd::encode_all(&other[..], 3).unwrap());
    let skippable = [b"\x50\x2a\x4d\x18", &u32::try_from(hidden.len()).unwrap().to_le_bytes()[..], &hidden].concat();
    let payload = index_payload(&blocks_of(&rows_of(&tar)), u64::try_from(rows_of(&tar).len()).unwrap());
    let whole = archive_with_index(&tar, &payload);
    let data_len = zstd::zstd_safe::find_frame_compressed_size(&whole).unwrap();
    let archive = [&real[..], &skippable, &whole[data_len..]].concat();
    let problems = check(&archive, ArchiveLimits::default()).unwrap().problems;
    assert!(problems.to_string().contains("does not list the frames that are there"), "{problems}");
    assert!(read_in_every_way(&archive, "hidden"), "the table is not that of this file");
}

#[test]
fn damage_of_one_frame_costs_only_the_files_in_it() {
    let content = |number: u8| vec![number; 1 << 21];
    let bytes = archive_of(&options(ZSTD), |mut sink| {
        for number in 0..4 {
            sink.begin(&path(&format!("f{number}"))).unwrap();
            sink.write(&content(number)).unwrap();
            sink.end().unwrap();
        }
        sink.publish().unwrap();
    });
    let first_len = zstd::zstd_safe::find_frame_compressed_size(&bytes).unwrap();
    let mut changed = bytes;
    changed[first_len - 1] ^= 1;
    let mut source = open(&changed, ArchiveLimits::default()).unwrap();
    let mut read = |number: u8| -> std::result::Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        let mut file = source.open_file(&path(&format!("f{number}"))).map_err(|error| error.to_string())?;
        file.read_to_end(&mut bytes).map_err(|error| error.to_string())?;
        Ok(bytes)
    };
    assert!(read(3) == Ok(content(3)) && read(2) == Ok(content(2)));
    let error = read(0).unwrap_err();
    assert!(error.contains("the compressed data are damaged"), "{error}");
}
