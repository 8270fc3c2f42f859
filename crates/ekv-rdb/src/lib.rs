//! RDB files and `RESTORE` payloads of Redis and Valkey.
//!
//! * [`check()`] says whether a file is whole, and what it is; [`read()`] gives its keys as events.
//! * [`Encoder`] makes a [`Value`] of the events of one key; [`Value::restore_payload`] is what `RESTORE` takes.
//! * [`FileWriter`] puts records one after the other into a file; [`SortedFile`] takes keys in any order.
//! * [`hll`] turns the members of a HyperLogLog into the registers that a server keeps.
//!
//! Nothing here opens a file. Memory is bounded: what is larger than a buffer goes to scratch space.
//!
//! Source: `docs/format/rdb.md`.

mod crc;
pub mod hll;
mod length;
mod listpack;
mod read;
#[cfg(test)]
mod served;
mod write;

pub use crc::Crc64;
pub use listpack::BackLengths;
pub use read::findings;
pub use read::{Checked, Fault, FaultAt, FieldExpiry, Form, Magic, Taker, check, read};
pub use write::{Database, Encoded, Encoder, FileWriter, Refusal, RepeatedKey, SortedFile, Value, WrittenFile};

/// Version that files and payloads are written in: every server from Redis 5 on loads it.
pub const WRITTEN_VERSION: u16 = 9;
/// Longest string of a server, in bytes.
pub const STRING_LEN_MAX: u64 = 512 << 20;
/// Databases that a server has if its configuration says nothing else.
pub const DATABASES: u32 = 16;

/// A length in memory as a length in a file.
fn file_len(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
