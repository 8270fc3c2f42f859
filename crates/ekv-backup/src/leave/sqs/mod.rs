//! Messages for SQS: what it does not take, how they get there in their order, and whether they are there.
//!
//! Source: `docs/format/leave.md`, section 5.

mod compare;
mod limits;
mod load;
mod message;
mod queues;
mod repeats;
mod schedule;
mod send;
mod survey;

use ekv_model::{Name, Protocol};

pub(super) use compare::compare;
pub(super) use load::load;

/// The address of a message, or of a queue if there is no id.
fn address(queue: &str, id: &str) -> String {
    let key = if id.is_empty() { Vec::new() } else { vec![id.as_bytes().to_vec()] };
    Name { protocol: Protocol::Sqs, scope: queue.as_bytes().to_vec(), key }.to_string()
}
