//! Scratch space of archives: a multiple of their size, whatever is in them. The rows are those of SECURITY.md.

use std::io::Cursor;
use std::sync::Arc;

use ekv_dump::verify::verify;
use ekv_files::archive::{ArchiveLimits, Compression};
use ekv_files::source::{ArchiveSource, IndexedArchive};
use ekv_model::NoMonitor;
use ekv_spill::Scratch;
use ekv_testkit::{CountedScratch, archive_with_index, blocks_of, index_payload, rows_of};

use super::hostile::{archive_with, entry, extended};
use super::support::*;

/// Memory for the sorts of a check, in bytes: little, so that everything goes to scratch files.
const SORT_BUDGET: usize = 16 << 10;

/// What is written to scratch files at most for each byte of the tar, and once. Source: SECURITY.md.
const PER_BYTE: u64 = 20;
const ONCE: u64 = 96 << 20;

/// Archives in which much is said in few bytes.
fn archives() -> Vec<(&'static str, Vec<Vec<u8>>)> {
    let file = |path: String, content: &[u8]| match path.len() > 100 {
        true => [extended(b'x', "path", &path), entry(b"f", b'0', content)].concat(),
        false => entry(path.as_bytes(), b'0', content),
    };
    let deep = "a/".repeat(1000);
    let many = |name: fn(u32) -> String| (0..2000).map(move |n| file(name(n), b"x")).collect::<Vec<_>>();
    vec![
        ("nothing", Vec::new()),
        ("a large file", vec![file("s3/b/large".to_owned(), &vec![7; 8 << 20])]),
        ("empty files", (0..5000).map(|n| file(format!("redis/db_0/strings/{n}.bin"), b"")).collect()),
        ("long paths", many(|n| format!("s3/b/{n}{}", "/long".repeat(800)))),
        ("long common paths", many(|n| format!("s3/b/{}{n}", "common/".repeat(500)))),
        (
            "deep directories by turns",
            (0..30).map(|n| file(format!("s3/{}{n}/x", if n % 2 == 0 { &deep } else { "" }), b"")).collect(),
        ),
        ("directories", (0..5000).map(|n| entry(format!("dynamodb/{n}/items").as_bytes(), b'5', b"")).collect()),
        ("keys without files", vec![file("redis/db_0/KEYMAP.jsonl".to_owned(), &keymap())]),
    ]
}

/// Records of a KEYMAP for 20 000 files that are not there.
fn keymap() -> Vec<u8> {
    let line =
        |n: u32| format!("{{\"encoded\":\"{n:032x}__k\",\"original\":\"a2sK{n:08}\",\"kind\":\"sha-fallback\"}}\n");
    (0..20_000).flat_map(|n| line(n).into_bytes()).collect()
}

#[test]
fn scratch_space_is_a_multiple_of_the_size_of_an_archive_whatever_is_in_it() {
    for (what, more) in archives() {
        let tar = archive_with(&more);
        let len = u64::try_from(tar.len()).unwrap();
        let rows = rows_of(&tar);
        let payload = index_payload(&blocks_of(&rows), u64::try_from(rows.len()).unwrap());
        for bytes in [tar.clone(), zstd::encode_all(&tar[..], 3).unwrap(), archive_with_index(&tar, &payload)] {
            let counted = Arc::new(CountedScratch::new());
            let scratch: Arc<dyn Scratch> = counted.clone();
            // Refused or not: it is the cost that counts.
            let passed = ArchiveSource::checking_index(
                Cursor::new(bytes.clone()),
                ArchiveLimits::DEFAULT,
                &scratch,
                SORT_BUDGET,
            )
            .and_then(|mut source| verify(&mut source, &scratch, SORT_BUDGET, &NoMonitor));
            let passing = counted.bytes();
            let indexed = IndexedArchive::spool(&bytes[..], &scratch, ArchiveLimits::DEFAULT);
            let indexing = counted.bytes() - passing;
            println!(
                "{what}: tar {len}, verify {passing} ({}), index {indexing} ({})",
                passed.is_ok(),
                indexed.is_ok()
            );
            assert!(passing.max(indexing) <= PER_BYTE * len + ONCE, "{what}: {passing} and {indexing} for {len} bytes");
        }
    }
    let sound = archive(Compression::None);
    assert!(sound.len() < 16 << 10, "a small archive is small");
}
