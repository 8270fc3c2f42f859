//! The index of a compressed archive: whatever it says, nobody is shown anything but what the archive holds.

use std::io::{self, Read, Write};
use std::sync::{Arc, OnceLock};

use ekv_files::archive::{ArchiveLimits, Compression, IndexFault, ZstdLevel};
use ekv_files::sink::MemoryEntries;
use ekv_files::source::{ArchiveSource, IndexedArchive, Refusal, ScopedSource, Source, Visitor};
use ekv_files::{DumpPath, Result};
use ekv_spill::{Scratch, SystemScratch};
use ekv_testkit::{archive_with_index, blocks_of, encoded_rows, index_payload_of, rows_of};

use super::to_archive;

const LIMITS: ArchiveLimits = ArchiveLimits { entries: 1000, bytes: 1 << 20, expansion: 1000 };

/// Memory for sorting, in bytes.
const SORT_BUDGET: usize = 64 << 10;

/// An archive whose content is known.
struct Known {
    entries: MemoryEntries,
    tar: Vec<u8>,
    /// The compressed tar, and what lies behind it.
    data: Vec<u8>,
    tail: Vec<u8>,
}

fn known() -> &'static Known {
    static KNOWN: OnceLock<Known> = OnceLock::new();
    KNOWN.get_or_init(|| {
        let long = format!("redis/{}", "k".repeat(200));
        let files = ["MANIFEST.json", "CHECKSUMS", "redis/a", "redis/a-", "redis/b2", "redis/b", &long];
        let content = |path: &str| Some(format!("content of {path}").repeat(path.len() % 5).into_bytes());
        let mut entries: MemoryEntries = files.iter().map(|path| (path.as_bytes().to_vec(), content(path))).collect();
        entries.insert(b"redis".to_vec(), None);
        let tar = to_archive(&entries, Compression::None);
        let mut data = to_archive(&entries, Compression::Zstd(ZstdLevel::DEFAULT));
        let data_len = zstd::zstd_safe::find_frame_compressed_size(&data).expect("a frame");
        let tail = data.split_off(data_len);
        Known { entries, tar, data, tail }
    })
}

/// Bit 1 of the first byte: the rest is what lies behind the compressed tar. Otherwise a byte follows for the number of rows, and the blocks, each
/// behind its length of two bytes; frames, top and table are made right.
pub(super) fn run(input: &[u8]) {
    let Some((bits, rest)) = input.split_first() else { return };
    let Known { entries, tar, data, .. } = known();
    let archive = match (bits & 1, rest.split_first()) {
        (0, Some((rows, blocks))) => archive_with_index(tar, &index_payload_of(&blocks_in(blocks), (*rows).into())),
        _ => [&data[..], rest].concat(),
    };
    let scratch: Arc<dyn Scratch> = Arc::new(SystemScratch::new());
    let mut file = tempfile::tempfile().expect("a temporary file");
    file.write_all(&archive).expect("a temporary file takes bytes");
    let Ok(mut source) = IndexedArchive::open(file, &scratch, LIMITS) else { return };

    let mut checked = Seen::default();
    let is_read = ArchiveSource::checking_index(io::Cursor::new(archive.clone()), LIMITS, &scratch, SORT_BUDGET)
        .and_then(|mut source| source.walk(&mut checked));
    assert!(
        is_read.is_err() || checked.entries == *entries,
        "the index changes nothing about reading from front to back"
    );
    let is_sound = is_read.is_ok() && checked.differences == 0;

    let mut seen = Seen::default();
    let walked = source.walk(&mut seen);
    assert!(!is_sound || walked.is_ok() && seen.entries == *entries, "an index without a difference shows everything");
    check_truth(&seen, entries);
    for (path, content) in entries {
        let path = DumpPath::new(path).expect("the paths of a dump");
        let Some(content) = content else {
            let mut inner = Seen::default();
            let walked = source.walk_directory(&path, &mut inner);
            assert!(!is_sound || walked.is_ok(), "an index without a difference shows every directory");
            check_truth(&inner, entries);
            continue;
        };
        let mut bytes = Vec::new();
        let read = source
            .open_file(&path)
            .and_then(|mut file| file.read_to_end(&mut bytes).map_err(ekv_files::source::read_error));
        assert!(read.is_err() || bytes == *content, "a file that is read is the one that was written");
        assert!(!is_sound || read.is_ok(), "an index without a difference finds every file");
        let listed = source.listed_digest(&path);
        assert!(!matches!(listed, Ok(Some(_))), "CHECKSUMS holds no line");
    }
}

/// The blocks, with the paths with which they say that they begin.
fn blocks_in(mut input: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut blocks = Vec::new();
    while let Some((len, rest)) = input.split_first_chunk::<2>() {
        let len = usize::from(u16::from_le_bytes(*len)).min(rest.len());
        let (block, rest) = rest.split_at(len);
        let first_path = match block {
            [0, len, path @ ..] if *len < 128 => path.get(..usize::from(*len)).unwrap_or_default(),
            _ => &[],
        };
        blocks.push((first_path.to_vec(), block.to_vec()));
        input = rest;
    }
    blocks
}

/// Files that are shown are true; names may be those of the index.
fn check_truth(seen: &Seen, entries: &MemoryEntries) {
    for (path, content) in seen.entries.iter().filter(|(_, content)| content.is_some()) {
        assert!(entries.get(path) == Some(content), "a content that is shown is the one that was written");
    }
    assert!(seen.shown <= LIMITS.entries, "the limit on entries holds");
}

/// What an archive showed, and what a check said.
#[derive(Default)]
struct Seen {
    entries: MemoryEntries,
    shown: u64,
    differences: u64,
}

impl Visitor for Seen {
    fn directory(&mut self, path: &DumpPath) -> Result<()> {
        self.shown += 1;
        self.entries.insert(path.as_bytes().to_vec(), None);
        Ok(())
    }

    fn file(&mut self, path: &DumpPath, content: &mut dyn Read) -> Result<()> {
        self.shown += 1;
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes).map_err(ekv_files::source::read_error)?;
        self.entries.insert(path.as_bytes().to_vec(), Some(bytes));
        Ok(())
    }

    fn refused(&mut self, path: &DumpPath, refusal: Refusal) -> Result<()> {
        panic!("{path}: {refusal}")
    }

    fn index_differs(&mut self, _path: &[u8], _fault: IndexFault) -> Result<()> {
        self.differences += 1;
        Ok(())
    }
}

/// The index of the archive as it is, in one block and in two, one that exchanges two files of one length, and what lies behind the tar.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    let Known { tar, tail, .. } = known();
    let rows = rows_of(tar);
    let input = |blocks: &[&[ekv_testkit::IndexRow]]| {
        let mut input = vec![0, u8::try_from(rows.len()).expect("few rows")];
        for block in blocks {
            let bytes = encoded_rows(block);
            input.extend_from_slice(&u16::try_from(bytes.len()).expect("a short block").to_le_bytes());
            input.extend_from_slice(&bytes);
        }
        input
    };
    let (first, second) = rows.split_at(rows.len() / 2);
    assert_eq!(blocks_of(&rows).len(), 1);
    let mut exchanged = rows.clone();
    let same_len = |path: &[u8]| rows.iter().position(|row| row.path == path).expect("a row of the archive");
    let (a, b) = (same_len(b"redis/a"), same_len(b"redis/b"));
    (exchanged[a].header_offset, exchanged[b].header_offset) = (rows[b].header_offset, rows[a].header_offset);
    vec![input(&[&rows]), input(&[first, second]), input(&[&exchanged]), [&[1][..], tail].concat()]
}
