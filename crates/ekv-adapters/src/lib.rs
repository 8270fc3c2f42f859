//! Turns the visible records of a snapshot into events and events into records, one folder per protocol.
//!
//! [`Family`] and [`Router`] are the only place that knows which key prefix belongs to whom. Each adapter reads a
//! [`View`](ekv_snapshot::View) through a [`Run`] and feeds a [`Consumer`](ekv_model::Consumer); it knows no file name.
//!
//! The way back: [`Encoder`] takes events and puts records into a [`RecordSink`](ekv_snapshot::RecordSink).
//!
//! A new adapter adds its families to the table in `family.rs`, its events to `ekv-model`, and a folder here with an `ADAPTER`, whose
//! `decode` accounts for every visible record of its families in the run's [`Tally`].

mod adapter;
pub mod dynamodb;
mod encode;
mod encode_error;
mod family;
pub mod fs;
mod json;
mod protobuf;
pub mod raw;
pub mod redis;
mod restorable;
mod restores;
mod route;
mod run;
pub mod s3;
pub mod sqs;
mod subject;
mod tally;

use ekv_model::{Protocol, Result, for_each_protocol};

use adapter::Adapter;

pub use adapter::{AdapterOptions, Subject};
pub use encode::Encoder;
pub use encode_error::{EncodeError, EncodeOptions};
pub use family::{Family, Owner, Role, Router};
pub use protobuf::is_utf8_body;
pub use restorable::Restorable;
pub use route::{RoutesBelow, is_exempt, route_key, routes_below};
pub use run::Run;
pub use subject::{Concern, concerns, culprit, ranges_of, subject};
pub use tally::{Outcome, Outcomes, Tally};

macro_rules! adapters {
    ($($variant:ident $field:ident $facts:tt)*) => {
        /// The adapter of a protocol.
        fn adapter_of(protocol: Protocol) -> &'static Adapter {
            match protocol {
                $(Protocol::$variant => &$field::ADAPTER,)*
            }
        }
    };
}

for_each_protocol!(adapters);

/// Emits everything of a protocol that clients see and the scope of the run selects.
///
/// # Errors
/// Failing reads, the target's errors, the monitor's wish to stop. Damage to one thing is a finding, not an error.
pub fn decode(run: &mut Run<'_>, protocol: Protocol, options: &AdapterOptions<'_>) -> Result<()> {
    (adapter_of(protocol).decode)(run, options)
}
