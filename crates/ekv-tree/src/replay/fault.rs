//! Why a file of a dump has no meaning.

use crate::path::Escaped;

/// Why a file or line cannot be turned into events, beyond the text itself.
///
/// Source: `docs/format/redis.md`, section 9; `docs/format/tree.md`, sections 3.2 and 8.4.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayFault {
    /// A file or directory that has no meaning in its place.
    #[error("nothing in a dump has this name: expected {expected}")]
    UnknownEntry {
        /// What may lie here.
        expected: &'static str,
    },
    /// A table, bucket, database or queue that the manifest lists is not there.
    #[error("the manifest lists it, but there is no such directory")]
    MissingScope,
    /// A table, bucket or queue without the file that describes it.
    #[error("{name} is missing in it")]
    MissingFile {
        /// The file.
        name: &'static str,
    },
    /// A protocol whose files this version cannot read.
    #[error("this version cannot encode {protocol}; choose other adapters with --adapter")]
    NoReader {
        /// The protocol.
        protocol: &'static str,
    },
    /// A database other than the one that the server has.
    #[error("only db_0 can be encoded: the server has one key space")]
    SeveralDatabases,
    /// A file name that only a KEYMAP record can explain, without one.
    #[error("KEYMAP.jsonl has no record for this name: the key is lost")]
    MissingKeymap,
    /// A KEYMAP record whose key has another name.
    #[error("the key in \"original\" does not have the name in \"encoded\"")]
    KeymapMismatch,
    /// A KEYMAP record without a file.
    #[error("the record for {} has no file", Escaped(.segment))]
    KeymapWithoutFile {
        /// The name.
        segment: Vec<u8>,
    },
    /// A line of an expiry sidecar without a file.
    #[error("there is no file {directory}/{}{extension} that this expiry could belong to", Escaped(.segment))]
    ExpiryWithoutFile {
        /// Where the file should lie.
        directory: &'static str,
        /// Its name.
        segment: Vec<u8>,
        /// End of the name.
        extension: &'static str,
    },
    /// Several lines of an expiry sidecar for one key.
    #[error("the key {} has an expiry on line {first_line} already", Escaped(.segment))]
    ExpiryRepeated {
        /// Name of the file without extension.
        segment: Vec<u8>,
        /// The first line.
        first_line: u64,
    },
    /// A Redis key with files in two type directories.
    #[error("the same key has a file in {other}/ already: a key has one type")]
    SeveralTypes {
        /// The other directory.
        other: &'static str,
    },
    /// A field, member or entry that comes twice.
    #[error("the {element} on line {first_line} comes again: names must be unique")]
    RepeatedElement {
        /// What it is.
        element: &'static str,
        /// The first line.
        first_line: u64,
    },
    /// A stream entry whose id is not above the one before it.
    #[error("entry {id} follows {previous}: ids must ascend, each once")]
    StreamOrder {
        /// Its id.
        id: String,
        /// The id before it.
        previous: String,
    },
    /// A stream entry above the id that the last line states.
    #[error("entry {id} is above {last}, which the last line gives as the highest id ever added")]
    StreamLast {
        /// Its id.
        id: String,
        /// What the last line states.
        last: String,
    },
    /// A stream whose length is not the number of its entries.
    #[error("length is {stated}, but there are {entries} entries above this line")]
    StreamLength {
        /// What the line states.
        stated: u64,
        /// What there is.
        entries: u64,
    },
    /// An id that is not written as two decimal numbers.
    #[error("expected an id as <ms>-<seq>, both plain decimal numbers without leading zeros")]
    StreamId,
    /// A name or id without which nothing can be stored.
    #[error("{member} must not be empty")]
    EmptyMember {
        /// The member.
        member: &'static str,
    },
    /// A directory whose name is not that of what it holds.
    #[error("this name belongs into the directory {}", Escaped(.directory))]
    OtherDirectory {
        /// The directory that the name has.
        directory: Vec<u8>,
    },
    /// A file that is longer than any real one.
    #[error("the file is longer than {len_max} bytes")]
    LongFile {
        /// The limit in bytes.
        len_max: u64,
    },
    /// A message that comes twice.
    #[error("a message with this id is on line {first_line} already")]
    MessageRepeated {
        /// The first line.
        first_line: u64,
    },
    /// A message that tells of receives in a dump that keeps nothing about them.
    #[error("{member} must be 0 or left out: the manifest says that preserve_sqs_visibility is false")]
    VisibilityNotKept {
        /// The member.
        member: &'static str,
    },
    /// Attributes of a message that are longer than any real ones.
    #[error("the attributes of the message are longer than {len_max} bytes")]
    LongAttributes {
        /// The limit in bytes.
        len_max: usize,
    },
    /// A file of another version.
    #[error("expected format_version 1")]
    FormatVersion,
    /// A score that is no number.
    #[error("expected a score: a number in the range of a double, \"+inf\", \"-inf\" or \"nan\"")]
    Score,
}
