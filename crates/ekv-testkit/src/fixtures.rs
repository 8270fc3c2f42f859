//! Real snapshots under `tests/data/`, with what the live server answered.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

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
