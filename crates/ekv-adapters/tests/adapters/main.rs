//! Records in, events out, and back, protocol by protocol.

mod dynamodb;
mod fs;
mod redis;
mod sqs;
mod trip;
