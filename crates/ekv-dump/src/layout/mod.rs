//! The files of a dump by protocol: events to text (`write`) and text to events (`read`).
//!
//! One folder per protocol knows the names and the text of its files; none knows a key layout, and none knows another. What several
//! need is beside them.

pub(crate) mod dynamodb;
pub(crate) mod raw;
pub(crate) mod redis;
pub(crate) mod s3;
pub(crate) mod scopes;
pub(crate) mod sqs;
pub(crate) mod value;

use ekv_files::Result;
use ekv_model::{Consumer, Protocol};

use crate::replay::reading::Reading;

/// The row of a protocol.
pub(crate) struct Layout {
    /// Replays what its directory holds.
    pub(crate) read: fn(&mut Reading<'_>, &mut dyn Consumer) -> Result<()>,
    /// Called instead of `read` where there is no directory.
    pub(crate) check_absent: fn(&mut Reading<'_>) -> Result<()>,
}

/// How the files of a protocol are read.
pub(crate) fn of(protocol: Protocol) -> Layout {
    match protocol {
        Protocol::Redis => Layout { read: redis::read::read, check_absent: redis::read::check_absent },
        Protocol::DynamoDb => Layout { read: dynamodb::read::read, check_absent: dynamodb::read::check_absent },
        Protocol::S3 => Layout { read: s3::read::read, check_absent: s3::read::check_absent },
        Protocol::Sqs => Layout { read: sqs::read::read, check_absent: sqs::read::check_absent },
    }
}
