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
