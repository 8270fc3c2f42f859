//! What flows from a source of data to whatever consumes it.
//!
//! An *adapter* (crate `ekv-adapters`) turns the records of one protocol into [`Event`]s; a [`Consumer`] consumes them: the
//! dump of plain files (crate `ekv-dump`), later other formats and live servers. Events borrow everything: a collection of
//! ten million elements or an object of 100 GB passes through in constant memory.
//!
//! Nothing here knows a key layout or a file name.

mod address;
mod body;
mod consumer;
pub mod dynamodb;
mod error;
pub mod fs;
mod glob;
mod monitor;
pub mod payload;
mod protocol;
pub mod raw;
pub mod redis;
mod report;
pub mod s3;
mod scope;
pub mod sqs;
mod step;
mod thing;

/// Longest key that is read, and longest name of anything in a key, in bytes.
///
/// No server refuses a long key when it is written; what a client can cause with one request of its protocol is far below. Source:
/// `docs/format/snapshot.md`, section 4.
pub const KEY_LEN_MAX: usize = 16 << 20;

pub use address::{Address, Name, Part, TextError};
pub use body::{Body, ByteSource, CHUNK_LEN, InMemory};
pub use consumer::{Consumer, Event};
pub use error::{Class, Error, Result};
pub use glob::Glob;
pub use monitor::{Cancelled, Monitor, NoMonitor};
pub use protocol::{Kind, Map, Protocol};
pub use report::{Example, FileOffset, Finding, FindingTotals, Findings, LossLog, Severity};
pub use scope::{Filtered, Keys, Narrowing, Scope, Unmatched, item_parts};
pub use step::{Extent, Step, ThingKey};
pub use thing::{Size, Thing, Things};
