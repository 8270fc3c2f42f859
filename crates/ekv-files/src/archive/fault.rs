//! Why an archive is refused.

use crate::compressed::CompressedFault;
use crate::path::Escaped;

/// Why an archive is refused. Offsets count bytes of the tar, after decompression.
///
/// Source: `docs/format/tree.md`, section 9.2.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveFault {
    /// The first bytes are those of another kind of file.
    #[error("this is no archive of a dump: it begins neither like a tar archive nor like a zstd frame")]
    NotAnArchive,
    /// What is compressed is not read.
    #[error(transparent)]
    Compressed(#[from] CompressedFault),
    /// The archive ends too early.
    #[error("the archive is cut off: it ends {place}")]
    Truncated {
        /// Where it ends.
        place: &'static str,
    },
    /// A header whose checksum does not match.
    #[error("the checksum of a header does not match: the archive is damaged")]
    HeaderChecksum,
    /// A header of another kind of archive.
    #[error("a header is none of tar: it neither says ustar nor is it one of version 7 with a right checksum")]
    HeaderMagic,
    /// A number of a header that is not one.
    #[error("the {field} of a header is not a valid number")]
    Number {
        /// The field.
        field: &'static str,
    },
    /// A negative size.
    #[error("the size of an entry is negative")]
    NegativeSize,
    /// Something other than a file that declares content.
    #[error("an entry that is no file declares {len} bytes of content")]
    ContentWithoutFile {
        /// What it declares.
        len: u64,
    },
    /// An extended header or long name beyond the limit.
    #[error("a header of {len} bytes is longer than {max} bytes")]
    LongHeader {
        /// Its length.
        len: u64,
        /// The limit.
        max: usize,
    },
    /// An extended header that does not consist of records.
    #[error("an extended header is malformed")]
    ExtendedHeader,
    /// A header that says something about the next entry, where another one has said it or none follows.
    #[error("a header that describes the next entry stands alone, or is given twice")]
    StrayHeader,
    /// An extended header for all entries that changes names or sizes.
    #[error("a global header changes names or sizes of entries")]
    GlobalHeader,
    /// A sparse file, whose layout cannot be skipped.
    #[error("sparse files are not supported")]
    Sparse,
    /// The rest of a file that began in another volume.
    #[error(
        "this is a later volume of an archive of several (tar -M): put them together first, or pack the dump again without -M"
    )]
    Volume,
    /// A file name that ends in a slash.
    #[error("the name of a file ends in a slash")]
    FileNameSlash,
    /// A name that came before, as another file or as a directory.
    #[error("the archive has another entry of this name")]
    Repeated,
    /// Bytes other than zero behind a file or behind the end of the archive.
    #[error("there are other bytes than zeros {place}")]
    NotZero {
        /// Where they are.
        place: &'static str,
    },
    /// More zeros behind the end of the archive than any program writes.
    #[error("more than {max} bytes of zeros follow the end of the archive")]
    LongEnd {
        /// The limit.
        max: u64,
    },
    /// More entries than are accepted.
    #[error("the dump has more than {max} entries; --max-entries allows more")]
    TooManyEntries {
        /// The limit.
        max: u64,
    },
    /// More content than is accepted.
    #[error("the files of the dump have more than {max} bytes; --max-bytes allows more")]
    TooManyBytes {
        /// The limit.
        max: u64,
    },
    /// Entries beside the folder in which the dump lies.
    #[error("it lies outside of {}/, in which the dump lies: an archive holds one dump, at its top or in one folder", Escaped(.folder))]
    OutsideFolder {
        /// The folder.
        folder: Vec<u8>,
    },
    /// A manifest somewhere in the archive, and none at the top.
    #[error(
        "the dump of this archive lies in this folder, whose name is that of a part of a dump: pack it from inside, with tar -C FOLDER -cf ARCHIVE ."
    )]
    DumpElsewhere,
    /// A file in which macOS keeps attributes of another one.
    #[error(
        "macOS added this file to the archive, it is no part of the dump: pack it with COPYFILE_DISABLE=1 tar -cf ARCHIVE DUMP, or with `ekv-backup pack`"
    )]
    AppleDouble,
    /// Directories without entries of their own, with more bytes in their paths than the archive can account for.
    #[error(
        "paths of the archive imply directories without entries of their own, whose names take more than {max} bytes: pack it together with its directories"
    )]
    ImpliedDirectories {
        /// The limit.
        max: u64,
    },
    /// The index of a compressed archive is not what it should be.
    #[error(transparent)]
    Index(#[from] IndexFault),
    /// The archive was shown already, and a stream passes only once.
    #[error("the archive was read already, and it can be read only once")]
    ReadTwice,
}

/// What is wrong with the index of a compressed archive, or with its table of frames. The entries are the archive's own all the same: whoever reads from
/// front to back needs neither.
///
/// Source: `docs/format/tree.md`, section 9.3.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IndexFault {
    /// There is none: the archive was written by another program, or compressed again.
    #[error("the archive has no index")]
    Missing,
    /// The table of frames.
    #[error("the table of frames of the archive {0}")]
    Table(&'static str),
    /// The index of names.
    #[error("the index of the archive {0}")]
    Names(&'static str),
    /// A part of the index of names that cannot be decompressed.
    #[error("the index of the archive is damaged: {0}")]
    Damaged(CompressedFault),
    /// Only reading all of the archive can tell whether it is within a limit.
    #[error("only reading all of the archive can tell whether it is within {0}")]
    Limits(&'static str),
    /// An entry is not where the index says.
    #[error("the index of the archive says that it lies at byte {header_offset}, which is not so")]
    Elsewhere {
        /// Offset of the header in the tar, in bytes.
        header_offset: u64,
    },
    /// An entry that the index lacks.
    #[error("the index of the archive lacks it")]
    Lacks,
    /// An entry that only the index has.
    #[error("the index of the archive names it, but there is no such entry")]
    Invents,
}
