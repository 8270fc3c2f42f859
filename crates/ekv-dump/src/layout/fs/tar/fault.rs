//! Why an entry of an archive has no place in a file system. Source: `docs/format/fs.md`, section 9.

use ekv_files::path::Escaped;

/// Why an entry of a tar archive has no place in a file system.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TarFault {
    /// A path that leads out of the archive, or has no meaning.
    #[error(
        "this is no path below the root: it must not be absolute, nor have `.`, `..`, an empty name or a zero byte in it"
    )]
    Path,
    /// A path beyond the limit.
    #[error("the path has {len} bytes, the limit is {limit}")]
    LongPath {
        /// Its length in bytes.
        len: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// A path that another entry has.
    #[error("another entry of the archive has this path")]
    Repeated,
    /// A path below that of a file.
    #[error("it lies below {}, which is no directory", Escaped(.file))]
    BelowFile {
        /// The file.
        file: Vec<u8>,
    },
    /// Something that no file system of a store holds.
    #[error("it is or has {what}, which no store holds: --fs-skip-unsupported leaves that out, and counts it")]
    Unsupported {
        /// What it is.
        what: &'static str,
    },
    /// A map of a sparse file that makes no sense.
    #[error(
        "the map of this sparse file makes no sense: parts must ascend, lie inside the file, and be as long as what is stored"
    )]
    Map,
    /// A further name of something that is no file of the archive.
    #[error("it is a further name of {}, which is no file of the archive", Escaped(.target))]
    Link {
        /// What it says to be a name of.
        target: Vec<u8>,
    },
    /// A number that another entry has.
    #[error(
        "inode {inode:016x} is that of another entry, too: pack the files again with a program that keeps no comments"
    )]
    InodeTaken {
        /// The inode.
        inode: u64,
    },
    /// A number that only the root has, or that the root does not have.
    #[error("its comment says inode {inode:016x}: 1 is that of the root and of nothing else, and 0 of nothing")]
    Inode {
        /// The inode.
        inode: u64,
    },
    /// An entry where a dump has another one.
    #[error("entries must be in the order of their paths, each directory before what is in it")]
    Order,
    /// A further name of a file whose record knows of one name alone.
    #[error("its record says nlink {nlink}, so that its first name was not kept: --fs-format tree can hold it")]
    UncountedName {
        /// The number of names that is stored.
        nlink: u32,
    },
    /// More files with several names than are remembered.
    #[error("too many files have several names, of more than {limit} bytes together: --fs-format tree can hold them")]
    ManyNames {
        /// The limit in bytes.
        limit: usize,
    },
}
