//! Running Redis and Valkey servers: how they are reached, and what they hold.
//!
//! | file | question |
//! |---|---|
//! | `target.rs` | which server is it, and may anything be written there? |
//! | `keys.rs` | which keys has it, in which order are they read? |
//! | `source.rs` | what is a server as a source, like a backup? |
//!
//! Source: `docs/format/redis-live.md`.

mod keys;
mod source;
mod target;

pub use ekv_live::{AddressError, ServerAddress, TlsOptions};
pub use source::{LiveServer, ServerEvents};
pub use target::{Password, ServerAccess, ServerTarget, TargetReport};

pub(crate) use keys::{Names, Wanted, pour_keys};
pub(crate) use target::Opened;
