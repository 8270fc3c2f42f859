//! SQS queues from snapshot to dump: the golden example, every rule about which messages count, damage, options, limits.
//!
//! Source: `docs/format/sqs.md`, sections 4, 5, 9 and 10.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "helpers of tests")]

mod damage;
mod fixture;
mod golden;
mod messages;
mod options;
mod scopes;
mod support;
