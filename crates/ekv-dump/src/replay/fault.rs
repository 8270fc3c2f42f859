//! Why the text of a file of a dump has no meaning.

use ekv_files::path::Escaped;

use crate::layout::fs::fault::FsFault;

/// Why a file or line cannot be turned into events, beyond its JSON; what is wrong with the dump around the files is a
/// [`crate::verify::ProblemKind`].
///
/// Source: `docs/format/redis.md`, section 9; `docs/format/dynamodb.md`, section 6; `docs/format/s3.md`, section 6;
/// `docs/format/tree.md`, sections 3.2 and 8.4.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayFault {
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
    /// A key without a hash key.
    #[error("expected a hash_key with a name")]
    MissingHashKey,
    /// A name that must not come again.
    #[error("the {element} {name:?} comes twice: names must be unique")]
    RepeatedName {
        /// What it names.
        element: &'static str,
        /// The name, at most its first 64 characters.
        name: String,
    },
    /// A schema with more names than a table can have.
    #[error("the names and types of the schema have more than {len_max} bytes together")]
    SchemaTooLarge {
        /// The limit in bytes.
        len_max: usize,
    },
    /// An attribute that an item, or a map in it, has twice.
    #[error("the attribute {name:?} on line {first_line} comes again: names must be unique")]
    RepeatedAttribute {
        /// Its name, at most the first 64 characters.
        name: String,
        /// The first line.
        first_line: u64,
    },
    /// Lists and maps inside each other beyond the limit.
    #[error("lists and maps are nested more than {level_max} deep")]
    ItemTooDeep {
        /// The limit.
        level_max: usize,
    },
    /// An item with more attributes than can be sorted.
    #[error("the names of the attributes of the item take more than 32 MiB")]
    ItemTooLarge,
    /// An item without an attribute that is its key.
    #[error("the item has no attribute {attribute:?}, which is the {role} of its table")]
    MissingKey {
        /// Its name, at most the first 64 characters.
        attribute: String,
        /// Which part of the key it is.
        role: &'static str,
    },
    /// A key attribute that cannot be a key.
    #[error("the key attribute {attribute:?} must have the type S, N or B")]
    KeyType {
        /// Its name, at most the first 64 characters.
        attribute: String,
    },
    /// A key attribute of type N whose text is no number, of which no decode has told.
    #[error("the key attribute {attribute:?} must be a decimal number, such as -1.5 or 2e10")]
    KeyNumber {
        /// Its name, at most the first 64 characters.
        attribute: String,
    },
    /// An item in a file of another name than its key has.
    #[error("the key of this item belongs into the file items/{}", Escaped(.expected))]
    ItemName {
        /// Path of the file below `items/`.
        expected: Vec<u8>,
    },
    /// An item whose key another item of its table has.
    #[error("the item in {}, line {line}, has the same key", Escaped(.path))]
    RepeatedItem {
        /// File of the other item.
        path: Vec<u8>,
        /// Its line.
        line: u64,
    },
    /// A file of another version.
    #[error("expected format_version 1")]
    FormatVersion,
    /// A document that is too long to be what it should be.
    #[error("the file is longer than {len_max} bytes")]
    LongDocument {
        /// The limit in bytes.
        len_max: usize,
    },
    /// A time that is not written as the format writes it.
    #[error("expected a time as RFC 3339 from 1970 on, such as \"2026-11-22T14:56:56.793Z\"")]
    Time,
    /// A name that no bucket can have.
    #[error("expected the name of the bucket, which is not empty and has no NUL")]
    BucketName,
    /// A bucket in a directory that is named after another one.
    #[error("the directory is not named after the bucket {name:?}")]
    BucketDirectory {
        /// Name of the bucket.
        name: String,
    },
    /// An S3 object whose length is not what its metadata says.
    #[error("the object has {found} bytes, but line {line} of {} says {stated}", Escaped(.sidecar))]
    ObjectSize {
        /// Its length in bytes.
        found: u64,
        /// What the metadata says.
        stated: u64,
        /// The metadata file.
        sidecar: Vec<u8>,
        /// The line that says it.
        line: u64,
    },
    /// An S3 object whose content is not what its entity tag says, of which no decode has told.
    #[error("the MD5 of the object is {found}, but the etag on line {line} of {} is {stated}", Escaped(.sidecar))]
    ObjectEtag {
        /// MD5 of the content, in hex.
        found: String,
        /// The entity tag.
        stated: String,
        /// The metadata file.
        sidecar: Vec<u8>,
        /// The line that says it.
        line: u64,
    },
    /// More user metadata than an object can have.
    #[error("the user metadata is longer than {len_max} bytes")]
    LongMetadata {
        /// The limit in bytes.
        len_max: usize,
    },
    /// Lines or files of a file system.
    #[error(transparent)]
    Fs(#[from] FsFault),
    /// A score that is no number.
    #[error("expected a score: a number in the range of a double, \"+inf\", \"-inf\" or \"nan\"")]
    Score,
}
