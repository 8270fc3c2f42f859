//! Commands of the library, on snapshots and dumps of real servers and on made ones.

mod dynamodb;
mod encode;
mod fixtures;
mod leave;
mod limits;
mod nodes;
mod prepare;
mod rdb;
mod redis;
mod s3;
mod see;
mod sqs;
