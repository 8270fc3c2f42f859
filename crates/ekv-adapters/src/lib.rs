//! Turns the visible records of a snapshot into events and events into records, one folder per protocol.
//!
//! [`Family`] and [`Router`] are the only place that knows which key prefix belongs to whom. Each adapter reads a
//! [`View`](ekv_snapshot::View) through a [`Run`] and feeds a [`Consumer`](ekv_model::Consumer); it knows no file name.
//!
//! The way back: [`Encoder`] takes events and puts records into a [`RecordSink`](ekv_snapshot::RecordSink).
//!
//! A new adapter adds its families to the table in `family.rs`, its events to `ekv-model`, and a folder here with a `decode`
//! function that accounts for every visible record of its families in the run's [`Tally`].

pub mod dynamodb;
mod encode;
mod family;
mod json;
mod protobuf;
pub mod raw;
pub mod redis;
pub mod restorable;
mod run;
pub mod s3;
pub mod sqs;
mod tally;

pub use encode::{EncodeError, EncodeOptions, Encoder};
pub use family::{Family, Owner, Role, Router};
pub use restorable::Restorable;
pub use run::Run;
pub use tally::{Outcome, Outcomes, Tally};
