//! User keys of the file system. Source: `docs/format/fs.md`, section 2.

use ekv_text::ordered::{push_segment_beginning, split_ended, unescape};

use crate::Family;

/// Ends a name in a key.
const END: [u8; 2] = [0, 0];

/// The user key of an inode, or of its home; all that begins so in a family where more follows.
pub(super) fn of_inode(family: Family, inode: u64) -> Vec<u8> {
    [family.prefix(), &inode.to_be_bytes()].concat()
}

/// What the keys of all chunks of an inode at a home begin with.
pub(super) fn chunks(home: u64, inode: u64) -> Vec<u8> {
    [Family::FsChunk.prefix(), &home.to_be_bytes(), &inode.to_be_bytes()].concat()
}

/// The user key of a chunk.
pub(super) fn chunk(home: u64, inode: u64, index: u64) -> Vec<u8> {
    [&chunks(home, inode)[..], &index.to_be_bytes()].concat()
}

/// The user key of a name in a directory.
pub(super) fn entry(directory: u64, name: &[u8]) -> Vec<u8> {
    let mut key = of_inode(Family::FsDir, directory);
    push_segment_beginning(name, &mut key);
    key.extend_from_slice(&END);
    key
}

/// Where in a chunk's key what stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ChunkKey {
    pub(super) home: u64,
    pub(super) inode: u64,
    pub(super) index: u64,
}

impl ChunkKey {
    pub(super) fn parse(user_key: &[u8]) -> Option<Self> {
        let (home, rest) = split_number(user_key.strip_prefix(Family::FsChunk.prefix())?)?;
        let (inode, rest) = split_number(rest)?;
        let (index, rest) = split_number(rest)?;
        rest.is_empty().then_some(ChunkKey { home, inode, index })
    }
}

/// Directory and name of an entry's key.
pub(super) fn parse_entry(user_key: &[u8]) -> Option<(u64, Vec<u8>)> {
    let (directory, rest) = split_number(user_key.strip_prefix(Family::FsDir.prefix())?)?;
    let (name, rest) = split_ended(rest, END)?;
    rest.is_empty().then(|| (directory, unescape(name)))
}

/// The inode of a key that has nothing else behind its prefix.
pub(super) fn parse_inode(family: Family, user_key: &[u8]) -> Option<u64> {
    let (inode, rest) = split_number(user_key.strip_prefix(family.prefix())?)?;
    rest.is_empty().then_some(inode)
}

fn split_number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u64::from_be_bytes(*number), rest))
}

/// Whether a directory can hold this name.
pub(super) fn is_legal(name: &[u8]) -> bool {
    !matches!(name, b"" | b"." | b"..") && !name.iter().any(|byte| matches!(byte, b'/' | 0))
}
