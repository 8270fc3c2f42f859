//! Stores of files.

use std::collections::BTreeMap;

use ekv_adapters::EncodeOptions;
use ekv_dump::FsFormat;
use ekv_model::Findings;
use ekv_testkit::SnapshotBuilder;

use crate::trip::{COMMIT_TS, Dump, Mode};

pub(crate) use ekv_testkit::fs::{ROOT, chunk_key, dir_key, id_key, inode};

/// Rows of a file system, of which the last of a key counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Store(BTreeMap<Vec<u8>, Vec<u8>>);

impl Store {
    /// A store with a root.
    pub(crate) fn new() -> Self {
        Store::default().inode(&inode(ROOT, ROOT, "directory", 0, 2), ROOT)
    }

    pub(crate) fn put(mut self, key: &[u8], value: impl AsRef<[u8]>) -> Self {
        self.0.insert(key.to_vec(), value.as_ref().to_vec());
        self
    }

    pub(crate) fn without(mut self, key: &[u8]) -> Self {
        assert!(self.0.remove(key).is_some());
        self
    }

    /// An inode as this text says, at home where a new one is.
    pub(crate) fn inode(self, text: &str, id: u64) -> Self {
        let home = format!(r#"{{"home_slot":{id},"state":"active","epoch":1}}"#);
        self.put(&id_key("!fs|ino|", id), text).put(&id_key("!fs|home|", id), home)
    }

    pub(crate) fn entry(self, directory: u64, name: &[u8], id: u64, kind: &str) -> Self {
        self.put(&dir_key(directory, name), format!(r#"{{"inode":{id},"type":"{kind}"}}"#))
    }

    /// A file with these chunks.
    pub(crate) fn file(self, id: u64, parent: u64, name: &[u8], size: u64, chunks: &[(u64, &[u8])]) -> Self {
        let store = self.inode(&inode(id, parent, "file", size, 1), id).entry(parent, name, id, "file");
        chunks.iter().fold(store, |store, (index, bytes)| store.put(&chunk_key(id, id, *index), bytes))
    }

    /// A directory with so many directories in it.
    pub(crate) fn directory(self, id: u64, parent: u64, name: &[u8], directories: u32) -> Self {
        let text = inode(id, parent, "directory", 0, directories + 2);
        self.inode(&text, id).entry(parent, name, id, "directory")
    }

    /// The same with another number of directories in the root.
    pub(crate) fn with_root(self, directories: u32) -> Self {
        self.inode(&inode(ROOT, ROOT, "directory", 0, directories + 2), ROOT)
    }

    pub(crate) fn snapshot(&self) -> Vec<u8> {
        let builder = SnapshotBuilder::new().bare().last_commit_ts(COMMIT_TS);
        self.0.iter().fold(builder, |builder, (key, value)| builder.put(key, COMMIT_TS, value)).build()
    }

    pub(crate) fn dump(&self) -> Dump {
        self.dump_in(Mode::default()).0
    }

    pub(crate) fn dump_in(&self, mode: Mode) -> (Dump, Findings) {
        Dump::of_snapshot(self.snapshot(), mode)
    }

    /// Names and counts of what was odd.
    pub(crate) fn findings(&self) -> Vec<(&'static str, u64)> {
        let (_, findings) = self.dump_in(Mode::default());
        findings.iter().map(|(finding, totals)| (finding.name, totals.count)).collect()
    }

    /// The same as an archive: it is sound, its payload is that of the files of their own, and its events make the same bytes again.
    pub(crate) fn assert_round_trip_as_archive(&self) {
        let mode = Mode { fs_format: FsFormat::Tar { has_special_bits: false }, ..Mode::default() };
        let (dump, _) = self.dump_in(mode);
        assert_eq!(dump.files("fs/").keys().collect::<Vec<_>>(), ["fs_0/tree.tar"]);
        assert_eq!(dump.problems(), [""; 0]);
        assert!(dump.rewritten(mode) == dump);
        assert!(dump.payload(EncodeOptions::default()) == self.dump().payload(EncodeOptions::default()));
        let again = Dump::of_snapshot(dump.payload(EncodeOptions::default()), mode);
        assert!(again.0.files("fs/") == dump.files("fs/"));
    }

    /// Decodes, encodes and decodes again: the files are the same, and so are they when the events of the dump are written again.
    pub(crate) fn assert_round_trip(&self) {
        let dump = self.dump();
        assert!(dump.rewritten(Mode::default()) == dump);
        let again = Dump::of_snapshot(dump.payload(EncodeOptions::default()), Mode::default());
        assert_eq!(again.0.files("fs/").keys().collect::<Vec<_>>(), dump.files("fs/").keys().collect::<Vec<_>>());
        assert!(again.0.files("fs/") == dump.files("fs/"));
        assert!(again.1.iter().next().is_none(), "{:?}", again.1);
    }
}
