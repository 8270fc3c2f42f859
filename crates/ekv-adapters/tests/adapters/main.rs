//! Records in, events out, and back, protocol by protocol.

mod dynamodb;
mod redis;
mod sqs;
