//! Names of folders and files below a database. Source: `docs/format/redis.md`, section 6.1.

use ekv_model::redis::CollectionKind;

use crate::segment::{Encoding, encode_segment_into};

/// The folder of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Folder {
    Strings,
    Hll,
    Hashes,
    Lists,
    Sets,
    ZSets,
    Streams,
}

impl Folder {
    pub(super) fn of(kind: CollectionKind) -> Self {
        match kind {
            CollectionKind::Hash => Folder::Hashes,
            CollectionKind::List => Folder::Lists,
            CollectionKind::Set => Folder::Sets,
            CollectionKind::ZSet => Folder::ZSets,
            CollectionKind::Stream { .. } => Folder::Streams,
        }
    }

    pub(super) fn name(self) -> &'static [u8] {
        match self {
            Folder::Strings => b"strings",
            Folder::Hll => b"hll",
            Folder::Hashes => b"hashes",
            Folder::Lists => b"lists",
            Folder::Sets => b"sets",
            Folder::ZSets => b"zsets",
            Folder::Streams => b"streams",
        }
    }

    fn extension(self) -> &'static [u8] {
        match self {
            Folder::Strings | Folder::Hll => b".bin",
            Folder::Hashes | Folder::Lists | Folder::Sets | Folder::ZSets => b".json",
            Folder::Streams => b".jsonl",
        }
    }
}

/// The file name of one key, in a buffer that is used again.
#[derive(Debug, Default)]
pub(super) struct KeyName {
    bytes: Vec<u8>,
    segment_len: usize,
    is_fallback: bool,
}

impl KeyName {
    pub(super) fn set(&mut self, key: &[u8], folder: Folder) {
        self.bytes.clear();
        self.is_fallback = encode_segment_into(key, &mut self.bytes) == Encoding::Fallback;
        self.segment_len = self.bytes.len();
        self.bytes.extend_from_slice(folder.extension());
    }

    /// The key's segment, without extension.
    pub(super) fn segment(&self) -> &[u8] {
        self.bytes.get(..self.segment_len).unwrap_or(&[])
    }

    pub(super) fn file_name(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether the key cannot be read back from the segment.
    pub(super) fn is_fallback(&self) -> bool {
        self.is_fallback
    }
}
