//! How records are built, and why an event cannot become one.

use ekv_model::{Class, Error};

use crate::sqs::{EncodeFault, StoredOddities};

/// How records are built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EncodeOptions {
    /// Whether SQS records are those of the reference encoder, with what it leaves out, instead of those that a server would have
    /// stored. Source: `docs/format/sqs.md`, section 6.
    pub reference_bytes: bool,
    /// Whether files of types that no known server has become records as they are.
    pub keeps_unknown_types: bool,
    /// What a decode has told of queues, which is refused otherwise as a mistake of somebody who changed the dump.
    pub stored: StoredOddities,
}

/// Why an event cannot become records.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// A protocol whose records this version cannot build.
    #[error("this version cannot encode {protocol}")]
    Unsupported {
        /// The protocol.
        protocol: &'static str,
    },
    /// A Redis database other than the one that the server has.
    #[error("Redis database {index} cannot be encoded: the server has one key space")]
    RedisDatabase {
        /// Its index.
        index: u32,
    },
    /// Bytes in a Redis stream that are no text.
    #[error("stream entry {id} holds bytes that are not UTF-8: the server cannot store them in a stream")]
    RedisStreamText {
        /// Id of the entry.
        id: String,
    },
    /// A DynamoDB item whose message is too long.
    #[error("the item takes more than {} MiB, and is not accepted: DynamoDB itself takes at most 400 KB", len_max >> 20)]
    DynamoDbItemTooLong {
        /// Bytes that are accepted.
        len_max: usize,
    },
    /// A DynamoDB item with lists and maps too deep inside each other.
    #[error(
        "the item has a value more than {level_max} levels deep, and is not accepted: DynamoDB itself takes at most 32"
    )]
    DynamoDbItemTooDeep {
        /// Levels that are accepted.
        level_max: usize,
    },
    /// An S3 bucket of which the dump knows only objects.
    #[error("bucket {bucket} has no record of its own: without one the server does not see its objects")]
    S3BucketRecord {
        /// Its name.
        bucket: String,
    },
    /// Something of an S3 bucket that no client can see.
    #[error("{what} cannot be encoded: no client sees them")]
    S3Leftover {
        /// What it is.
        what: &'static str,
    },
    /// Something of the file system that no client can see.
    #[error("{what} cannot be encoded: no client sees them")]
    FsLeftover {
        /// What it is.
        what: &'static str,
    },
    /// SQS settings, messages or side records that no server would have stored.
    #[error(transparent)]
    Sqs(#[from] EncodeFault),
    /// Events in an order that no decode has.
    #[error("an event came where it has no meaning: {what}")]
    Misplaced {
        /// The event.
        what: &'static str,
    },
}

/// The error of an event in an order that no decode has.
pub(crate) fn misplaced(what: &'static str) -> Error {
    EncodeError::Misplaced { what }.into()
}

impl From<EncodeError> for Error {
    fn from(error: EncodeError) -> Self {
        Error::new(Class::Data, error)
    }
}
