//! Archives: hostile ones are read alike in both ways, and what is written is read again, by another reader too.

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex};

use ekv_dump::manifest::MANIFEST_FILE;
use ekv_files::archive::{ArchiveLimits, ArchiveOptions, Compression, ZstdLevel};
use ekv_files::sink::{ArchiveSink, MemoryEntries, Sink};
use ekv_files::source::{ArchiveSource, IndexedArchive, Refusal, ScopedSource, Source, Visitor};
use ekv_files::{DumpPath, Result};
use ekv_spill::{Scratch, SystemScratch};
use jiff::Timestamp;

use super::files::parse_files;

const BLOCK_LEN: usize = 512;
const LIMITS: ArchiveLimits = ArchiveLimits { entries: 1000, bytes: 1 << 20, expansion: 100 };

/// The bytes of an archive. Bits of the first byte: 1 = the checksums of headers are made right, 2 = the archive is compressed.
pub(super) fn run(input: &[u8]) {
    let Some((bits, tar)) = input.split_first() else { return };
    let mut bytes = tar.to_vec();
    if bits & 1 == 1 {
        fix_checksums(&mut bytes);
    }
    if bits & 2 == 2 {
        bytes = zstd::encode_all(&bytes[..], 1).expect("bytes in memory are compressed");
    }
    let mut passing = Seen::default();
    let passed = ArchiveSource::new(&bytes[..], LIMITS).and_then(|mut source| source.walk(&mut passing));
    assert!(passing.bytes <= LIMITS.bytes, "the limit on bytes holds");
    assert!(passing.shown <= 3 * LIMITS.entries, "the limit on entries holds");
    let scratch: Arc<dyn Scratch> = Arc::new(SystemScratch::new());
    let Ok(mut indexed) = IndexedArchive::spool(&bytes[..], &scratch, LIMITS) else {
        return assert!(passed.is_err() || passing.is_odd(), "an archive without oddities can be indexed");
    };
    passed.expect("what can be indexed can be read as it passes");
    let mut again = Seen::default();
    indexed.walk(&mut again).expect("what was indexed is read");
    assert!(again.entries == passing.entries, "both ways show the same");
    for (path, content) in again.entries.iter().filter_map(|(path, content)| Some((path, content.as_ref()?))) {
        let path = DumpPath::new(path).expect("paths are checked");
        let mut read = Vec::new();
        let mut file = indexed.open_file(&path).expect("a file that was shown is opened");
        file.read_to_end(&mut read).expect("a file that was shown is read");
        assert!(read == *content, "a file is the same at any time");
    }
}

/// Goes from header to header, and makes each sum right.
fn fix_checksums(bytes: &mut [u8]) {
    let mut at = 0;
    while let Some(header) = bytes.get_mut(at..).and_then(|rest| rest.get_mut(..BLOCK_LEN)) {
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        if header.iter().any(|byte| !matches!(byte, 0 | b' ')) {
            header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        } else {
            header[148..156].fill(0);
        }
        let digits = std::str::from_utf8(&header[124..135]).unwrap_or_default();
        let size = usize::from_str_radix(digits, 8).unwrap_or(0);
        at = at.saturating_add(BLOCK_LEN).saturating_add(size.div_ceil(BLOCK_LEN).saturating_mul(BLOCK_LEN));
    }
}

/// What an archive showed.
#[derive(Default)]
struct Seen {
    entries: MemoryEntries,
    bytes: u64,
    shown: u64,
    is_repeated: bool,
    is_refused: bool,
}

impl Seen {
    /// Whether something in it cannot be in an index.
    fn is_odd(&self) -> bool {
        self.is_repeated || self.is_refused || self.has_file_above_another()
    }

    fn has_file_above_another(&self) -> bool {
        let is_file = |path: &[u8]| matches!(self.entries.get(path), Some(Some(_)));
        let slashes =
            |path: &Vec<u8>| path.iter().enumerate().filter(|(_, b)| **b == b'/').map(|(at, _)| at).collect::<Vec<_>>();
        self.entries.keys().any(|path| slashes(path).into_iter().any(|at| is_file(&path[..at])))
    }
}

impl Visitor for Seen {
    fn directory(&mut self, path: &DumpPath) -> Result<()> {
        self.shown += 1;
        let known = self.entries.insert(path.as_bytes().to_vec(), None);
        self.is_repeated |= matches!(known, Some(Some(_)));
        Ok(())
    }

    fn file(&mut self, path: &DumpPath, content: &mut dyn Read) -> Result<()> {
        self.shown += 1;
        let mut bytes = Vec::new();
        // What is wrong with the archive is told by the walk itself.
        if content.read_to_end(&mut bytes).is_ok() {
            self.bytes += u64::try_from(bytes.len()).expect("a length in memory");
        }
        self.is_repeated |= self.entries.insert(path.as_bytes().to_vec(), Some(bytes)).is_some();
        Ok(())
    }

    fn refused(&mut self, _path: &DumpPath, _refusal: Refusal) -> Result<()> {
        self.is_refused = true;
        Ok(())
    }
}

/// Files as for the target `dump`, written as an archive.
pub(super) fn run_write(input: &[u8]) {
    let Some((bits, input)) = input.split_first() else { return };
    let mut entries = parse_files(input);
    // What has a manifest at its top is not taken for a folder that holds a dump.
    if entries.entry(MANIFEST_FILE.into()).or_insert_with(|| Some(Vec::new())).is_none() {
        return;
    }
    let compression = if bits & 2 == 2 { Compression::Zstd(ZstdLevel::DEFAULT) } else { Compression::None };
    let bytes = to_archive(&entries, compression);
    let mut seen = Seen::default();
    let limits = ArchiveLimits::default();
    ArchiveSource::new(&bytes[..], limits)
        .and_then(|mut source| source.walk(&mut seen))
        .expect("what is written is read");
    assert!(!seen.is_repeated && !seen.is_refused);
    assert!(seen.entries == entries, "what is written is what is read");
    // The other reader takes a line feed in a path for the end of its record.
    if compression == Compression::None && !entries.keys().any(|path| path.contains(&b'\n')) {
        assert!(read_by_another(&bytes) == entries, "another reader sees the same");
    }
}

/// The archive of a dump, its manifest first.
pub(crate) fn to_archive(entries: &MemoryEntries, compression: Compression) -> Vec<u8> {
    let output = Shared::default();
    let mut options = ArchiveOptions::new(compression, Timestamp::UNIX_EPOCH);
    options.workers = Some(std::num::NonZeroU32::MIN);
    let mut sink = ArchiveSink::stream(Box::new(output.clone()), "memory", &options).expect("a stream in memory");
    let manifest = entries.get_key_value(MANIFEST_FILE.as_bytes());
    let others = entries.iter().filter(|(path, _)| path.as_slice() != MANIFEST_FILE.as_bytes());
    for (path, content) in manifest.into_iter().chain(others) {
        let path = DumpPath::new(path).expect("the paths of a dump");
        match content {
            None => sink.directory(&path).expect("a directory is written"),
            Some(content) => {
                sink.begin(&path)
                    .and_then(|()| sink.write(content))
                    .and_then(|()| sink.end())
                    .expect("a file is written");
            }
        }
    }
    let sink: Box<dyn Sink> = Box::new(sink);
    sink.publish().expect("an archive in memory is finished");
    let mut bytes = output.0.lock().expect("no thread has panicked");
    std::mem::take(&mut bytes)
}

fn read_by_another(bytes: &[u8]) -> MemoryEntries {
    let mut entries = MemoryEntries::new();
    for entry in tar::Archive::new(bytes).entries().expect("an archive") {
        let mut entry = entry.expect("an entry");
        let path = entry.path_bytes().strip_suffix(b"/").map_or_else(|| entry.path_bytes().to_vec(), <[u8]>::to_vec);
        let content = if entry.header().entry_type().is_dir() {
            None
        } else {
            let mut content = Vec::new();
            entry.read_to_end(&mut content).expect("a file");
            Some(content)
        };
        entries.insert(path, content);
    }
    entries
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no thread has panicked").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
