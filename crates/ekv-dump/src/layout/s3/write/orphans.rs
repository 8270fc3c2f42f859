//! Names of chunks without object. Source: `docs/format/tree.md`, section 1, and `docs/format/s3.md`, section 4.6.

use ekv_files::path::COMPONENT_LEN_MAX;
use ekv_files::{DumpPath, Result};
use ekv_model::s3::OrphanChunk;
use ekv_text::hex::{HexCase, push_hex};
use sha2::{Digest, Sha256};

use crate::s3_name::ORPHANS_DIRECTORY;
use crate::segment::{component_into, encode_segment, sha_fallback};

/// Bytes of a digest that stand for an upload id that is too long.
const DIGEST_SHOWN_LEN: usize = 16;

/// Appends the path of a chunk to that of its bucket.
pub(super) fn extend_path(path: &mut DumpPath, chunk: &OrphanChunk<'_>) -> Result<()> {
    path.push(ORPHANS_DIRECTORY.as_bytes())?;
    path.push(&directory(chunk.key))?;
    path.push(format!("gen-{}", chunk.generation).as_bytes())?;
    let tail = format!("_{:016x}_{:016x}_{:016x}.bin", chunk.part_no, chunk.chunk_no, chunk.part_version);
    let mut name = encode_segment(chunk.upload_id);
    if name.len().saturating_add(tail.len()) > COMPONENT_LEN_MAX {
        name.clear();
        let digest = Sha256::digest(chunk.upload_id);
        push_hex(digest.get(..DIGEST_SHOWN_LEN).unwrap_or(&digest), HexCase::Lower, &mut name);
    }
    name.extend_from_slice(tail.as_bytes());
    Ok(path.push(&name)?)
}

/// The directory of an object; an empty key has the fallback form of its own, as a directory must have a name.
fn directory(key: &[u8]) -> Vec<u8> {
    if key.is_empty() {
        return sha_fallback(key);
    }
    let mut name = Vec::new();
    component_into(key, &mut name);
    name
}

#[cfg(test)]
mod tests {
    use ekv_model::Body;

    use super::*;

    fn path(key: &[u8], upload_id: &[u8]) -> String {
        let mut path = DumpPath::new(b"s3/b").unwrap();
        let body = Body::Inline(b"");
        let (generation, part_no, chunk_no, part_version) = (7, 1, 255, u64::MAX);
        let chunk = OrphanChunk { key, generation, upload_id, part_no, chunk_no, part_version, body };
        extend_path(&mut path, &chunk).unwrap();
        path.to_string()
    }

    const TAIL: &str = "_0000000000000001_00000000000000ff_ffffffffffffffff.bin";

    #[test]
    fn chunks_are_named_after_object_generation_upload_and_place() {
        assert_eq!(path(b"a/b", b"u-1"), format!("s3/b/_orphans/a%2Fb/gen-7/u-1{TAIL}"));
        assert_eq!(path(b"..", b""), format!("s3/b/_orphans/%2E%2E/gen-7/{TAIL}"));
        assert_eq!(path(b"", b"u"), format!("s3/b/_orphans/e3b0c44298fc1c149afbf4c8996fb924__/gen-7/u{TAIL}"));
    }

    #[test]
    fn long_upload_ids_are_hashed_as_soon_as_the_name_would_not_fit() {
        let fits = "u".repeat(255 - TAIL.len());
        assert!(path(b"k", fits.as_bytes()).ends_with(&format!("/{fits}{TAIL}")));
        let long = path(b"k", format!("{fits}u").as_bytes());
        let name = long.rsplit('/').next().unwrap();
        assert_eq!(name.len(), 32 + TAIL.len());
        assert!(name.bytes().take(32).all(|digit| digit.is_ascii_hexdigit()) && name.ends_with(TAIL), "{name}");
    }
}
