//! Every sink keeps the contract of the trait.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests may panic")]

use ekv_testkit::{SinkUnderTest, sink_conformance};
use ekv_tree::sink::{MemoryDump, MemorySink};

#[test]
fn memory_sink_keeps_the_contract() {
    sink_conformance(|| {
        let dump = MemoryDump::new();
        SinkUnderTest { sink: Box::new(MemorySink::new(&dump)), published: Box::new(move || dump.entries()) }
    });
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
mod directory {
    use std::fs;
    use std::os::unix::ffi::OsStrExt;
    use std::path::Path;

    use ekv_tree::sink::{DirOptions, DirSink, ExistingTarget, Fsync, MemoryEntries};

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
        SinkUnderTest { sink: Box::new(sink), published: Box::new(published) }
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
