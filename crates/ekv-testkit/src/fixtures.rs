//! Real snapshots under `tests/data/`, with what the live server answered.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// A snapshot with its documented numbers. Source: `docs/format/snapshot.md`, section 17.3.
#[derive(Clone, Copy, Debug)]
pub struct KnownSnapshot {
    /// File name without extension.
    pub name: &'static str,
    /// Length in bytes.
    pub len: u64,
    /// CRC32C in the footer.
    pub footer_crc32c: u32,
    /// Clock ceiling of the header, Unix milliseconds.
    pub ceiling_ms: u64,
    /// Last commit timestamp of the payload header.
    pub last_commit_ts: u64,
    /// All entries, rows of the store included.
    pub entries: u64,
    /// Distinct user keys.
    pub user_keys: u64,
    /// User keys that are visible at the last commit timestamp.
    pub visible: u64,
}

/// One group, Redis only.
pub const REDIS_1: KnownSnapshot = KnownSnapshot {
    name: "redis-1",
    len: 968_394,
    footer_crc32c: 0x04d9_a3ae,
    ceiling_ms: 1_795_361_645_334,
    last_commit_ts: 117_660_820_788_609_047,
    entries: 3_778,
    user_keys: 2_521,
    visible: 1_845,
};

/// One group, Redis only.
pub const REDIS_2: KnownSnapshot = KnownSnapshot {
    name: "redis-2",
    len: 916_103,
    footer_crc32c: 0x7456_6690,
    ceiling_ms: 1_795_361_671_989,
    last_commit_ts: 117_660_822_535_471_179,
    entries: 4_704,
    user_keys: 3_121,
    visible: 2_104,
};

/// One group, all adapters.
pub const ALL_3: KnownSnapshot = KnownSnapshot {
    name: "all-3",
    len: 15_012_480,
    footer_crc32c: 0x0315_d43a,
    ceiling_ms: 1_795_361_820_343,
    last_commit_ts: 117_660_832_257_998_858,
    entries: 4_397,
    user_keys: 3_719,
    visible: 2_970,
};

/// One group, all adapters, in two SST files. Source: `docs/format/ssti1.md`, section 8.3.
pub const SSTI_5: KnownSnapshot = KnownSnapshot {
    name: "ssti-5",
    len: 4_920_441,
    footer_crc32c: 0x906d_c841,
    ceiling_ms: 0,
    last_commit_ts: 117_702_435_807_363_083,
    entries: 5_920,
    user_keys: 0,
    visible: 0,
};

/// One group, all adapters, values partly encrypted. Source: `docs/format/encryption.md`.
pub const ENC_7: KnownSnapshot = KnownSnapshot {
    name: "enc-7",
    len: 1_422_390,
    footer_crc32c: 0x1ca8_6e4a,
    ceiling_ms: 0,
    last_commit_ts: 117_702_465_737_916_425,
    entries: 0,
    user_keys: 0,
    visible: 0,
};

/// One group, a file system.
pub const FS_9: KnownSnapshot = KnownSnapshot {
    name: "fs-9",
    len: 10_926_430,
    footer_crc32c: 0x7f72_f703,
    ceiling_ms: 1_795_998_693_999,
    last_commit_ts: 117_702_570_409_918_472,
    entries: 10_404,
    user_keys: 529,
    visible: 348,
};

/// The snapshots of single groups that the reference decoder reads.
pub const SNAPSHOTS: [KnownSnapshot; 3] = [REDIS_1, REDIS_2, ALL_3];

impl KnownSnapshot {
    /// The bytes of the snapshot.
    pub fn bytes(&self) -> Vec<u8> {
        read(&format!("{}.fsm", self.name))
    }

    /// Path of the compressed snapshot.
    pub fn compressed_path(&self) -> PathBuf {
        data_dir().join(format!("{}.fsm.zst", self.name))
    }

    /// Unpacks the tree that the reference decoder writes into `dir`.
    pub fn unpack_reference_tree(&self, dir: &Path) {
        let archive = read(&format!("{}.reference-tree.tar", self.name));
        tar::Archive::new(archive.as_slice()).unpack(dir).unwrap();
    }

    /// What the live server answered.
    pub fn truth(&self) -> serde_json::Value {
        serde_json::from_slice(&read(&format!("{}.truth.json", self.name))).unwrap()
    }
}

/// The folder `tests/data/` of the workspace.
pub fn data_dir() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/data")
}

/// The decompressed bytes of `tests/data/<name>.zst`.
pub fn read(name: &str) -> Vec<u8> {
    let path = data_dir().join(format!("{name}.zst"));
    let file = File::open(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut bytes = Vec::new();
    zstd::Decoder::new(file).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

/// The files of the archive `tests/data/<name>.zst`, by path without leading `./`.
pub fn archive(name: &str) -> BTreeMap<String, Vec<u8>> {
    let bytes = read(name);
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(bytes.as_slice()).entries().unwrap() {
        let mut entry = entry.unwrap();
        if entry.header().entry_type().is_file() {
            let path = entry.path().unwrap().display().to_string();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            files.insert(path.trim_start_matches("./").to_owned(), content);
        }
    }
    files
}

/// Unpacks the archive `tests/data/<name>.zst` into a directory.
pub fn unpack(name: &str, directory: &Path) {
    tar::Archive::new(&read(name)[..]).unpack(directory).unwrap();
}
