//! Names of folders and files below a database. Source: `docs/format/redis.md`, section 6.1.

use ekv_model::redis::CollectionKind;

use crate::segment::{Encoding, encode_segment_into};

/// The folder of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Folder {
    Strings,
    Hll,
    Hashes,
    Lists,
    Sets,
    ZSets,
    Streams,
}

impl Folder {
    /// All of them, in byte order of their names.
    pub(crate) const ALL: [Folder; 7] =
        [Folder::Hashes, Folder::Hll, Folder::Lists, Folder::Sets, Folder::Streams, Folder::Strings, Folder::ZSets];

    /// The folder with a name.
    pub(crate) fn named(name: &[u8]) -> Option<Self> {
        Folder::ALL.into_iter().find(|folder| folder.name().as_bytes() == name)
    }

    pub(crate) fn of(kind: CollectionKind) -> Self {
        match kind {
            CollectionKind::Hash => Folder::Hashes,
            CollectionKind::List => Folder::Lists,
            CollectionKind::Set => Folder::Sets,
            CollectionKind::ZSet => Folder::ZSets,
            CollectionKind::Stream { .. } => Folder::Streams,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Folder::Strings => "strings",
            Folder::Hll => "hll",
            Folder::Hashes => "hashes",
            Folder::Lists => "lists",
            Folder::Sets => "sets",
            Folder::ZSets => "zsets",
            Folder::Streams => "streams",
        }
    }

    /// What the names of its files end with.
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Folder::Strings | Folder::Hll => ".bin",
            Folder::Hashes | Folder::Lists | Folder::Sets | Folder::ZSets => ".json",
            Folder::Streams => ".jsonl",
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
        self.bytes.extend_from_slice(folder.extension().as_bytes());
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
