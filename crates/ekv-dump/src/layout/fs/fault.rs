//! What is wrong with a dump of a file system. Source: `docs/format/fs.md`, sections 7 and 9.

use ekv_files::archive::ArchiveFault;
use ekv_files::path::Escaped;

use super::tar::fault::TarFault;

/// Why lines and files of a file system make no sense, beyond the JSON of a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FsFault {
    /// The first line is not that of the root, or another one is.
    #[error("the first line, and no other, must be that of the root: inode 1 in itself, without a name, a directory")]
    Root,
    /// A number of an inode that is not written as the format writes it.
    #[error("expected an inode as 16 lower-case hex digits")]
    Inode,
    /// A name that is missing, or is given twice.
    #[error("a line has either name or name_b64, which is for names that are no text")]
    Name,
    /// A name that no directory can hold.
    #[error("{:?} can be no name in a directory", Escaped(.name).to_string())]
    IllegalName {
        /// The name.
        name: Vec<u8>,
    },
    /// A line whose directory is not among those around it.
    #[error(
        "the directory {parent:016x} is not open here: a line follows its directory, and what is in one directory comes together"
    )]
    Parent {
        /// The directory.
        parent: u64,
    },
    /// Names that do not ascend.
    #[error("names in a directory must ascend, each once: {:?} follows {:?}", Escaped(.name).to_string(), Escaped(.before).to_string())]
    Order {
        /// The name.
        name: Vec<u8>,
        /// The one before.
        before: Vec<u8>,
    },
    /// A path beyond the limit.
    #[error("the path has {len} bytes, the limit is {limit}")]
    LongPath {
        /// Its length in bytes.
        len: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// A place other than the one that the name has.
    #[error("the file or directory belongs to {}: disk must be {}", Escaped(.place), .disk.as_ref().map_or("left out".to_owned(), |disk| format!("{disk:?}")))]
    Location {
        /// Where it belongs.
        place: Vec<u8>,
        /// What the line must say.
        disk: Option<String>,
    },
    /// An inode that several lines describe.
    #[error("inode {inode:016x} is on line {first_line} already: a further name has link, and nothing else")]
    InodeRepeated {
        /// The inode.
        inode: u64,
        /// The first line.
        first_line: u64,
    },
    /// A further name of a file that no line before describes.
    #[error("no line before this one describes inode {inode:016x}, which this is a further name of")]
    LinkWithoutFile {
        /// The inode.
        inode: u64,
    },
    /// A further name that is selected without the first one, which has the content.
    #[error(
        "this is a further name of inode {inode:016x}, whose first name is on line {first_line} and is not selected: select that, too"
    )]
    LinkAlone {
        /// The inode.
        inode: u64,
        /// The first line.
        first_line: u64,
    },
    /// Members that are missing, or must be.
    #[error("{member} must be {}", if *.is_required { "there" } else { "left out" })]
    Member {
        /// Its name.
        member: &'static str,
        /// Whether it is missing.
        is_required: bool,
    },
    /// A file of another length than its line says.
    #[error("the file has {found} bytes, but line {line} of entries.jsonl says {stated}")]
    Size {
        /// Its length in bytes.
        found: u64,
        /// What the line says.
        stated: u64,
        /// The line.
        line: u64,
    },
    /// A file without a line.
    #[error("no line of entries.jsonl has it")]
    Unlisted,
    /// A line without its file.
    #[error("line {line} of entries.jsonl has it, but there is no such file")]
    Missing {
        /// The line.
        line: u64,
    },
    /// A map that is not as it is written.
    #[error(
        "expected lines of offset and length, both decimal: ascending, not touching, inside the {size} bytes of the file"
    )]
    Map {
        /// Length of the file in bytes.
        size: u64,
    },
    /// A header of an archive.
    #[error(transparent)]
    Archive(#[from] ArchiveFault),
    /// Something in an archive that has no place in a file system.
    #[error(transparent)]
    Tar(#[from] TarFault),
    /// The same of the entry with this path.
    #[error("{}: {fault}", Escaped(.path))]
    TarEntry {
        /// Its path in the archive.
        path: Vec<u8>,
        /// What is wrong with it.
        fault: TarFault,
    },
    /// Both forms of a file system.
    #[error("there are tree.tar and entries.jsonl: a dump has one of them")]
    TwoForms,
    /// A map of other parts than there are.
    #[error("the parts have {found} bytes, but the map says {stated}")]
    Parts {
        /// Length of all parts in bytes.
        found: u64,
        /// What the map says.
        stated: u64,
    },
}
