//! DynamoDB tables from a snapshot to files.

mod collisions;
mod fixture;
mod golden;
mod support;
