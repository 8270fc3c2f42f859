//! Objects for S3: what it does not take, how they get there, and whether they are there.
//!
//! Source: `docs/format/leave.md`, section 4.

mod buckets;
mod compare;
mod limits;
mod load;
mod parts;
mod send;
mod survey;
mod verify;

use ekv_model::{Name, Protocol};

pub(super) use compare::compare;
pub(super) use load::load;

/// The address of an object.
fn address(bucket: &str, key: &[u8]) -> String {
    Name { protocol: Protocol::S3, scope: bucket.as_bytes().to_vec(), key: vec![key.to_vec()] }.to_string()
}

/// The address of a bucket.
fn address_of_bucket(bucket: &str) -> String {
    Name { protocol: Protocol::S3, scope: bucket.as_bytes().to_vec(), key: Vec::new() }.to_string()
}
