//! What the files of a dump hold beyond the default.

use crate::manifest::DynamodbLayout;

/// What the files of a dump hold beyond the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TreeOptions {
    /// How DynamoDB items lie in files.
    pub dynamodb_layout: DynamodbLayout,
    /// Whether documents have the fields that the reference decoder never writes.
    pub extended: bool,
    /// What is said about SQS messages in flight.
    pub sqs_visibility: SqsVisibility,
    /// With more zeros than that, in bytes, a file is its stored parts alone; `None` = as the format says, more than 1 GiB.
    pub holes_max: Option<u64>,
    /// What the files of a file system lie in.
    pub fs_format: FsFormat,
}

/// What the files of a file system lie in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FsFormat {
    /// Files of their own.
    #[default]
    Tree,
    /// One tar archive. Source: `docs/format/fs.md`, section 8.
    Tar {
        /// Whether its entries have the setuid and setgid bits.
        has_special_bits: bool,
    },
}

/// What is said about messages in flight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SqsVisibility {
    /// Nothing: every message is as if it had never been received.
    #[default]
    Reset,
    /// When they become visible again, and how often they were received.
    Keep,
}
