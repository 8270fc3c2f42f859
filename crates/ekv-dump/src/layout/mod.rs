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

/// Replays what the directory of a protocol holds.
type Read = fn(&mut Reading<'_>, &mut dyn Consumer) -> Result<()>;

/// How the files of a protocol are read.
pub(crate) fn read(protocol: Protocol) -> Read {
    match protocol {
        Protocol::Redis => redis::read::read,
        Protocol::DynamoDb => dynamodb::read::read,
        Protocol::S3 => s3::read::read,
        Protocol::Sqs => sqs::read::read,
    }
}
