//! Every source keeps the contract of its trait.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::io::{Read, Write};
use std::sync::Arc;

use ekv_files::archive::{ArchiveLimits, ArchiveOptions, Compression, ZstdLevel};
use ekv_files::sink::{ArchiveSink, MemoryDump, MemorySink, Sink};
use ekv_files::source::{ArchiveSource, IndexedArchive, MemorySource};
use ekv_spill::{Scratch, SystemScratch};
use ekv_testkit::{scoped_source_conformance, source_conformance};
use jiff::Timestamp;

type Fill<'w> = &'w dyn Fn(&mut dyn Sink);

const COMPRESSIONS: [Compression; 2] = [Compression::None, Compression::Zstd(ZstdLevel::DEFAULT)];

fn scratch() -> Arc<dyn Scratch> {
    Arc::new(SystemScratch::new())
}

#[test]
fn memory_source_keeps_the_contract() {
    scoped_source_conformance(|write: Fill<'_>| {
        let dump = MemoryDump::new();
        let mut sink = Box::new(MemorySink::new(&dump));
        write(sink.as_mut());
        sink.publish().unwrap();
        MemorySource::new(dump.entries().unwrap())
    });
}

/// An archive in a temporary file.
fn archive(compression: Compression, write: Fill<'_>) -> std::fs::File {
    let file = tempfile::tempfile().unwrap();
    let options = ArchiveOptions::new(compression, Timestamp::UNIX_EPOCH);
    let output: Box<dyn Write + Send> = Box::new(file.try_clone().unwrap());
    let mut sink = Box::new(ArchiveSink::stream(output, "a file", &options).unwrap());
    write(sink.as_mut());
    sink.publish().unwrap();
    std::io::Seek::rewind(&mut { &file }).unwrap();
    file
}

/// Gives a few bytes at a time, as a pipe may.
struct Trickle<R>(R);

impl<R: Read> Read for Trickle<R> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        self.0.by_ref().take(1000).read(buf)
    }
}

#[test]
fn archive_source_keeps_the_contract() {
    for compression in COMPRESSIONS {
        source_conformance(|write: Fill<'_>| {
            ArchiveSource::new(Trickle(archive(compression, write)), ArchiveLimits::default()).unwrap()
        });
    }
}

#[test]
fn archive_read_in_place_keeps_the_contract() {
    for compression in COMPRESSIONS {
        scoped_source_conformance(|write: Fill<'_>| {
            IndexedArchive::open(archive(compression, write), &scratch(), ArchiveLimits::default()).unwrap()
        });
    }
}

#[test]
fn archive_from_a_pipe_keeps_the_contract() {
    for compression in COMPRESSIONS {
        scoped_source_conformance(|write: Fill<'_>| {
            let pipe = Trickle(archive(compression, write));
            IndexedArchive::spool(pipe, &scratch(), ArchiveLimits::default()).unwrap()
        });
    }
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
mod directory {
    use ekv_files::sink::{DirOptions, DirSink, ExistingTarget, Fsync};
    use ekv_files::source::{DirSource, ScopedSource, Source, Visitor};
    use ekv_files::{DumpPath, Result};
    use tempfile::TempDir;

    use super::*;

    /// A directory that goes away with its source.
    struct Temporary {
        source: DirSource,
        in_path_order: bool,
        _place: TempDir,
    }

    impl Source for Temporary {
        fn walk(&mut self, visitor: &mut dyn Visitor) -> Result<()> {
            match self.in_path_order {
                true => self.source.in_path_order().walk(visitor),
                false => self.source.walk(visitor),
            }
        }
    }

    impl ScopedSource for Temporary {
        fn walk_directory(&mut self, directory: &DumpPath, visitor: &mut dyn Visitor) -> Result<()> {
            self.source.walk_directory(directory, visitor)
        }

        fn open_file(&mut self, path: &DumpPath) -> Result<Box<dyn Read + '_>> {
            ScopedSource::open_file(&mut self.source, path)
        }
    }

    #[test]
    fn directory_source_keeps_the_contract_in_both_orders() {
        for in_path_order in [false, true] {
            scoped_source_conformance(|write: Fill<'_>| {
                let place = tempfile::tempdir().unwrap();
                let target = place.path().join("dump");
                let options = DirOptions { existing: ExistingTarget::Refuse, fsync: Fsync::None };
                let mut sink = Box::new(DirSink::create(&target, options).unwrap());
                write(sink.as_mut());
                sink.publish().unwrap();
                Temporary { source: DirSource::open(&target, scratch()).unwrap(), in_path_order, _place: place }
            });
        }
    }
}
