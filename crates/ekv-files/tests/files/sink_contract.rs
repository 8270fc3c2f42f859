//! Every sink keeps the contract of the trait.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests may panic")]

use ekv_files::sink::{MemoryDump, MemorySink};
use ekv_testkit::{SinkUnderTest, TakenNames, sink_conformance};

#[test]
fn memory_sink_keeps_the_contract() {
    sink_conformance(|| {
        let dump = MemoryDump::new();
        SinkUnderTest {
            sink: Box::new(MemorySink::new(&dump)),
            published: Box::new(move || dump.entries()),
            taken_names: TakenNames::AtOnce,
        }
    });
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
mod directory {
    use std::fs;
    use std::os::unix::ffi::OsStrExt;
    use std::path::Path;

    use ekv_files::sink::{DirOptions, DirSink, ExistingTarget, Fsync, MemoryEntries};

    use super::*;

    #[test]
    fn directory_sink_keeps_the_contract_with_every_option() {
        for existing in [ExistingTarget::Refuse, ExistingTarget::Replace] {
            for fsync in [Fsync::Full, Fsync::File, Fsync::None] {
                sink_conformance(|| make(DirOptions { existing, fsync }));
            }
        }
    }

    fn make(options: DirOptions) -> SinkUnderTest {
        let parent = tempfile::tempdir().unwrap();
        let sink = DirSink::create(&parent.path().join("dump"), options).unwrap();
        let published = move || {
            let names: Vec<_> = fs::read_dir(parent.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            if names.is_empty() {
                return None;
            }
            assert_eq!(names, ["dump"], "nothing lies beside the dump");
            Some(entries(&parent.path().join("dump")))
        };
        SinkUnderTest { sink: Box::new(sink), published: Box::new(published), taken_names: TakenNames::AtOnce }
    }

    fn entries(directory: &Path) -> MemoryEntries {
        let mut found = MemoryEntries::new();
        let mut open = vec![directory.to_path_buf()];
        while let Some(next) = open.pop() {
            for entry in fs::read_dir(&next).unwrap().map(|entry| entry.unwrap().path()) {
                let name = entry.strip_prefix(directory).unwrap().as_os_str().as_bytes().to_vec();
                if entry.is_dir() {
                    found.insert(name, None);
                    open.push(entry);
                } else {
                    found.insert(name, Some(fs::read(&entry).unwrap()));
                }
            }
        }
        found
    }
}

mod archive {
    use std::fs;
    use std::io::{Read, Write};
    use std::path::Path;
    use std::sync::{Arc, Mutex};

    use ekv_files::archive::{ArchiveOptions, Compression, ZstdLevel};
    use ekv_files::sink::{ArchiveSink, DirOptions, ExistingTarget, Fsync, MemoryEntries};
    use jiff::Timestamp;

    use super::*;

    fn compressions() -> [Compression; 3] {
        [Compression::None, Compression::Zstd(ZstdLevel::default()), Compression::Zstd(ZstdLevel::new(1).unwrap())]
    }

    fn options(compression: Compression) -> ArchiveOptions {
        ArchiveOptions::new(compression, Timestamp::from_second(1_700_000_000).unwrap())
    }

    #[test]
    fn archive_file_sink_keeps_the_contract_with_every_option() {
        for compression in compressions() {
            for existing in [ExistingTarget::Refuse, ExistingTarget::Replace] {
                sink_conformance(|| file(compression, DirOptions { existing, fsync: Fsync::None }));
            }
        }
        sink_conformance(|| file(Compression::None, DirOptions::default()));
    }

    #[test]
    fn archive_stream_sink_keeps_the_contract() {
        for compression in compressions() {
            sink_conformance(|| stream(compression));
        }
    }

    fn file(compression: Compression, publication: DirOptions) -> SinkUnderTest {
        let parent = tempfile::tempdir().unwrap();
        let sink = ArchiveSink::create(&parent.path().join("dump"), &options(compression), publication).unwrap();
        let published = move || {
            let names: Vec<_> = fs::read_dir(parent.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            if names.is_empty() {
                return None;
            }
            assert_eq!(names, ["dump"], "nothing lies beside the archive");
            Some(entries(&fs::read(parent.path().join("dump")).unwrap(), compression))
        };
        SinkUnderTest { sink: Box::new(sink), published: Box::new(published), taken_names: TakenNames::Never }
    }

    /// A stream that others can look at.
    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn stream(compression: Compression) -> SinkUnderTest {
        let output = Shared::default();
        let sink = ArchiveSink::stream(Box::new(output.clone()), "a stream", &options(compression)).unwrap();
        let published = move || {
            let bytes = output.0.lock().unwrap().clone();
            is_ended(&bytes, compression).then(|| entries(&bytes, compression))
        };
        SinkUnderTest { sink: Box::new(sink), published: Box::new(published), taken_names: TakenNames::Never }
    }

    fn tar_of(bytes: &[u8], compression: Compression) -> Option<Vec<u8>> {
        match compression {
            Compression::None => Some(bytes.to_vec()),
            Compression::Zstd(_) => zstd::decode_all(bytes).ok(),
        }
    }

    /// Whether the end of an archive has been written.
    fn is_ended(bytes: &[u8], compression: Compression) -> bool {
        tar_of(bytes, compression).is_some_and(|tar| tar.ends_with(&[0; 1024]))
    }

    /// What another implementation reads.
    fn entries(bytes: &[u8], compression: Compression) -> MemoryEntries {
        let tar = tar_of(bytes, compression).unwrap();
        let mut found = MemoryEntries::new();
        for entry in tar::Archive::new(tar.as_slice()).entries().unwrap() {
            let mut entry = entry.unwrap();
            let path = entry.path_bytes().into_owned();
            let parent = Path::new(std::str::from_utf8(&path).unwrap()).parent().unwrap().to_str().unwrap().as_bytes();
            assert!(parent.is_empty() || found.contains_key(parent), "directories come before what is in them");
            let content = match entry.header().entry_type() {
                tar::EntryType::Directory => None,
                tar::EntryType::Regular => {
                    let mut content = Vec::new();
                    entry.read_to_end(&mut content).unwrap();
                    Some(content)
                }
                other => panic!("{other:?}"),
            };
            assert!(found.insert(path, content).is_none(), "no entry comes twice");
        }
        found
    }
}
