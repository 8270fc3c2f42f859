//! Files and directories of the one file system of a store as events.
//!
//! A directory comes before all that is in it, and what is in one directory in the order of the names' bytes: depth first, each inode once,
//! then perhaps further names of it ([`Event::Link`]). Paths have no slash in front; that of the root is `.`, which no file can be named.
//!
//! Source: `docs/format/fs.md`.

mod way;

use crate::step::{Extent, Step, ThingKey};
use crate::{Body, Kind, Result};

pub(crate) use way::Way;

/// Number of the one file system.
pub const FILE_SYSTEM: u32 = 0;

/// The same as the name of a scope.
pub const SCOPE: &[u8] = b"0";

/// Path of the root.
pub const ROOT_PATH: &[u8] = b".";

/// Inode of the root.
pub const ROOT: u64 = 1;

/// Longest path, in bytes: far beyond what a mounted file system lets through, and the bound of what a walk keeps in memory.
pub const PATH_LEN_MAX: usize = 4 << 20;

/// Longest text of the members of an inode that are not known, in bytes.
pub const EXTRA_LEN_MAX: usize = 64 << 10;

/// Longest name of a type, in bytes.
pub const TYPE_LEN_MAX: usize = 256;

/// Bytes of a chunk where an inode does not say it.
pub const CHUNK_SIZE: u64 = 4 << 20;

/// The type of a directory, as it is stored.
pub const DIRECTORY: &str = "directory";

/// The type of a regular file, as it is stored.
pub const FILE: &str = "file";

/// What is stored about a file or directory, as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inode<'a> {
    /// Its number.
    pub id: u64,
    /// `file` or `directory`; whatever else a server stored is a file.
    pub kind: &'a str,
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Logical length in bytes; 0 for directories.
    pub size: u64,
    /// Number of names; of a directory 2 and the number of directories in it.
    pub nlink: u32,
    /// Last access, in Unix nanoseconds.
    pub atime_nsec: i64,
    /// Last change of the content, in Unix nanoseconds.
    pub mtime_nsec: i64,
    /// Last change of anything, in Unix nanoseconds.
    pub ctime_nsec: i64,
    /// Generation of the number.
    pub generation: u64,
    /// Bytes of a chunk; 0 means [`CHUNK_SIZE`].
    pub chunk_size: u64,
    /// Members that this version does not know, as a JSON object; empty if there are none.
    pub extra: &'a str,
}

impl Inode<'_> {
    /// Whether it is a directory.
    pub fn is_directory(&self) -> bool {
        self.kind == DIRECTORY
    }

    /// Bytes of a chunk.
    pub fn chunk_len(&self) -> u64 {
        if self.chunk_size == 0 { CHUNK_SIZE } else { self.chunk_size }
    }
}

/// A name in a directory, with what it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Path from the root.
    pub path: &'a [u8],
    /// The name, which is the end of the path; empty for the root.
    pub name: &'a [u8],
    /// Inode of the directory that holds the name; the root's own for the root.
    pub parent: u64,
    /// What it names.
    pub inode: Inode<'a>,
    /// When the inode was committed (HLC); 0 if unknown, as in a dump.
    pub commit_ts: u64,
}

/// The content of a file of which only parts are stored; everything else is zeros.
pub trait Sparse {
    /// Bytes that are stored, at most the length of the file.
    fn stored_len(&self) -> u64;

    /// Calls `take` with the offset in the file and the bytes of each part that is stored, none of them empty, in ascending order and
    /// without overlap.
    ///
    /// Can be called again, but not if the content comes out of a file of a dump.
    ///
    /// # Errors
    /// The first error of the source or of `take`.
    fn for_each_part(&self, take: &mut dyn FnMut(u64, Body<'_>) -> Result<()>) -> Result<()>;
}

/// A file without any stored part.
#[derive(Clone, Copy, Debug)]
pub struct Nothing;

impl Sparse for Nothing {
    fn stored_len(&self) -> u64 {
        0
    }

    fn for_each_part(&self, _: &mut dyn FnMut(u64, Body<'_>) -> Result<()>) -> Result<()> {
        Ok(())
    }
}

/// What happens to the file system.
#[derive(Clone, Copy)]
pub enum Event<'a> {
    /// A directory.
    Directory(Entry<'a>),
    /// A directory that nobody selected, but something in it.
    Passage(Entry<'a>),
    /// A file.
    File(Entry<'a>, &'a dyn Sparse),
    /// A further name of a file that came before.
    Link(Entry<'a>),
    /// An inode without name, with the number of the directory where it was; comes only if it was asked for, after all others, by number.
    Orphan(Inode<'a>, u64, &'a dyn Sparse),
    /// A chunk of which there is no inode; comes only if it was asked for, after all others.
    OrphanChunk {
        /// Home slot.
        home: u64,
        /// Inode.
        inode: u64,
        /// Number of the chunk.
        index: u64,
        /// Content.
        body: Body<'a>,
    },
    /// All has come.
    End,
}

impl std::fmt::Debug for Event<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Event::Directory(entry) => f.debug_tuple("Directory").field(entry).finish(),
            Event::Passage(entry) => f.debug_tuple("Passage").field(entry).finish(),
            Event::File(entry, content) => f.debug_tuple("File").field(entry).field(&content.stored_len()).finish(),
            Event::Link(entry) => f.debug_tuple("Link").field(entry).finish(),
            Event::Orphan(inode, parent, _) => f.debug_tuple("Orphan").field(inode).field(parent).finish(),
            Event::OrphanChunk { inode, index, .. } => f.debug_tuple("OrphanChunk").field(inode).field(index).finish(),
            Event::End => f.write_str("End"),
        }
    }
}

impl<'a> Event<'a> {
    pub(crate) fn step(&self) -> Step<'a> {
        let thing = |entry: &Entry<'a>, kind, bytes| Step::Thing {
            number: Some(FILE_SYSTEM),
            kind,
            key: ThingKey::Plain(entry.path),
            extent: Extent::Whole(bytes),
            expire_at_ms: None,
            commit_ts: entry.commit_ts,
        };
        match self {
            Event::Directory(entry) => thing(entry, Kind::Directory, 0),
            Event::File(entry, _) | Event::Link(entry) => thing(entry, Kind::File, entry.inode.size),
            Event::Passage(entry) => Step::Around(entry.path),
            Event::Orphan(..) | Event::OrphanChunk { .. } => Step::Unseen,
            Event::End => Step::ScopeEnd,
        }
    }

    /// The entry, unless it is of something without a name.
    pub fn entry(&self) -> Option<&Entry<'a>> {
        match self {
            Event::Directory(entry) | Event::Passage(entry) | Event::File(entry, _) | Event::Link(entry) => Some(entry),
            Event::Orphan(..) | Event::OrphanChunk { .. } | Event::End => None,
        }
    }
}
