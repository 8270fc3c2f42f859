//! A client of live Redis and Valkey servers.
//!
//! | module | question |
//! |---|---|
//! | `address.rs`, `link.rs`, `tls.rs` | where is a server, how do bytes get there and back? |
//! | `wire.rs`, `connection.rs` | what are commands and replies, how are many of them under way? |
//! | `slots.rs`, `servers.rs` | which node of a cluster has a key, is a server still the same one? |
//! | `draft.rs` | what is in a collection that is to be written? |
//! | `verdict.rs`, `build.rs`, `sender.rs` | how do keys get to a server, each whole or not at all, whatever it answers? |
//! | `scan.rs`, `keys.rs` | which keys has a server, and what is in them? |
//!
//! No thread and no runtime: a connection is read while it is written. Source: `docs/format/redis-live.md`.

mod address;
mod build;
mod clock;
mod connection;
mod draft;
mod error;
mod keys;
mod link;
mod scan;
mod sender;
mod servers;
mod slots;
#[cfg(test)]
mod tests;
#[cfg(feature = "tls")]
mod tls;
mod verdict;
mod wire;

pub use address::{AddressError, Endpoint, ServerAddress};
pub use clock::{Clock, SystemClock};
pub use connection::{Connection, Reply};
pub use draft::{Draft, DraftReader, DraftWriter, SMALL_LEN_MAX};
pub use error::{Error, Result};
pub use keys::{KeyRead, KeyReader};
pub use link::{Dial, Link, Patience, SystemDial, TlsOptions};
pub use scan::scan;
pub use sender::{
    Account, Compare, Feed, Fingerprint, Key, Method, OnExists, Outcome, STRING_LEN_MAX, SendOptions, Sender, Settled,
    TEXT_LEN_MAX, Value, is_same_time,
};
pub use servers::{Access, Identity, Keyspace, Servers, identify, time_ms};
pub use slots::{SLOTS, slot, tag};
#[cfg(feature = "tls")]
pub use tls::{TlsDial, TlsError};
pub use wire::{Malformed, put_argument, put_argument_len, put_command};
