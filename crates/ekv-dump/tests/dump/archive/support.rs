//! A small sound dump, and ways to make archives of it.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use ekv_dump::DumpWriter;
use ekv_dump::verify::{Verification, verify};
use ekv_files::archive::{ArchiveLimits, ArchiveOptions, Compression, ZstdLevel};
use ekv_files::sink::{ArchiveSink, MemoryDump, MemoryEntries, MemorySink, Sink};
use ekv_files::source::{ArchiveSource, IndexedArchive, MemorySource};
use ekv_files::{DumpPath, Error, Result};
use ekv_model::NoMonitor;
use ekv_spill::{Scratch, SystemScratch};
use jiff::Timestamp;

pub(crate) const ZSTD: Compression = Compression::Zstd(ZstdLevel::DEFAULT);

const MANIFEST: &str = r#"{
  "format_version": 1,
  "phase": "phase0-snapshot-decode",
  "elastickv_version": "ekv-backup/test",
  "cluster_id": "",
  "snapshot_index": 100,
  "last_commit_ts": 1,
  "wall_time_iso": "2026-11-22T15:45:07.9Z",
  "source": { "fsm_path": "x.fsm" },
  "adapters": { "redis": { "databases": [0] } },
  "exclusions": {
    "include_incomplete_uploads": false,
    "include_orphans": false,
    "preserve_sqs_visibility": false,
    "include_sqs_side_records": false
  },
  "checksum_algorithm": "sha256",
  "checksum_format": "sha256sum",
  "encoded_filename_charset": "rfc3986-unreserved-plus-percent",
  "key_segment_max_bytes": 240,
  "s3_meta_suffix": ".elastickv-meta.json",
  "s3_collision_strategy": "leaf-data-suffix",
  "dynamodb_layout": "per-item"
}
"#;

/// Memory for sorting, in bytes.
const SORT_BUDGET: usize = 16 << 10;

pub(crate) fn scratch() -> Arc<dyn Scratch> {
    Arc::new(SystemScratch::new())
}

pub(crate) fn path(text: &str) -> DumpPath {
    DumpPath::new(text.as_bytes()).unwrap()
}

/// The time of [`MANIFEST`] and so of every entry.
pub(crate) fn options(compression: Compression) -> ArchiveOptions {
    ArchiveOptions::new(compression, "2026-11-22T15:45:07.9Z".parse::<Timestamp>().unwrap())
}

/// Writes a sound dump: three strings, one with a name of 244 bytes.
pub(crate) fn write_dump(sink: Box<dyn Sink>) {
    let mut writer = DumpWriter::new(sink);
    let long = "k".repeat(240);
    for (name, content) in [("a", "1"), ("b%2Fc", ""), (long.as_str(), "long")] {
        writer.write_file(&path(&format!("redis/db_0/strings/{name}.bin")), content.as_bytes()).unwrap();
    }
    writer.finish(MANIFEST.as_bytes()).unwrap();
}

/// The entries of that dump.
pub(crate) fn entries() -> MemoryEntries {
    let dump = MemoryDump::new();
    write_dump(Box::new(MemorySink::new(&dump)));
    dump.entries().unwrap()
}

/// A stream that can be looked at afterwards.
#[derive(Clone, Default)]
pub(crate) struct Shared(Arc<Mutex<Vec<u8>>>);

impl Shared {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// An archive that `write` fills.
pub(crate) fn archive_of(options: &ArchiveOptions, write: impl FnOnce(Box<dyn Sink>)) -> Vec<u8> {
    let output = Shared::default();
    write(Box::new(ArchiveSink::stream(Box::new(output.clone()), "a stream", options).unwrap()));
    output.bytes()
}

/// The sound dump as an archive.
pub(crate) fn archive(compression: Compression) -> Vec<u8> {
    archive_of(&options(compression), write_dump)
}

/// Checks an archive as it passes, its index too.
pub(crate) fn check(archive: &[u8], limits: ArchiveLimits) -> Result<Verification> {
    let mut source = ArchiveSource::checking_index(io::Cursor::new(archive.to_vec()), limits, &scratch(), SORT_BUDGET)?;
    verify(&mut source, &scratch(), SORT_BUDGET, &NoMonitor)
}

/// Lists an archive.
pub(crate) fn index(archive: &[u8], limits: ArchiveLimits) -> Result<IndexedArchive> {
    IndexedArchive::spool(archive, &scratch(), limits)
}

/// Opens an archive in a file, by its index if it has one.
pub(crate) fn open(archive: &[u8], limits: ArchiveLimits) -> Result<IndexedArchive> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(archive).unwrap();
    IndexedArchive::open(file, &scratch(), limits)
}

/// Copies an archive into memory; `None` if it is not sound.
pub(crate) fn unpack(archive: &[u8], limits: ArchiveLimits) -> Result<Option<MemoryEntries>> {
    let dump = MemoryDump::new();
    let mut source = ArchiveSource::new(archive, limits)?;
    let sink = Box::new(MemorySink::new(&dump));
    let copied = ekv_dump::copy(&mut source, sink, &scratch(), SORT_BUDGET, &NoMonitor, &mut |_| Ok(()));
    assert!(copied.as_ref().is_ok_and(|copied| copied.published.is_some()) == dump.entries().is_some());
    copied.map(|_| dump.entries())
}

/// Copies the sound dump from memory into an archive.
pub(crate) fn pack(entries: MemoryEntries, options: &ArchiveOptions) -> Result<(bool, Vec<u8>), Error> {
    let output = Shared::default();
    let sink = Box::new(ArchiveSink::stream(Box::new(output.clone()), "a stream", options)?);
    let mut source = MemorySource::new(entries);
    let copied = ekv_dump::copy(&mut source, sink, &scratch(), SORT_BUDGET, &NoMonitor, &mut |_| Ok(()))?;
    Ok((copied.published.is_some(), output.bytes()))
}
