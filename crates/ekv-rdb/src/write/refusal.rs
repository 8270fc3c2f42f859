//! What cannot be given to a server.

use ekv_model::CHUNK_LEN;

use crate::{DATABASES, STRING_LEN_MAX};

/// Bytes of a value, a node or an entry that are kept in memory.
pub(super) const MEMORY_LEN: usize = CHUNK_LEN;

/// Longest entry of a stream, in bytes: servers refuse listpacks of more than 1 GiB, and it is in one with what stands around it.
pub(super) const ENTRY_LEN_MAX: u64 = (1 << 30) - 4096;

/// Why a key cannot be given to a server: some would refuse all of the file, others would end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// A sorted set with a score that is no number.
    #[error("the score of a member is not a number: servers refuse it or end")]
    NanScore,
    /// Servers have no collection without elements, but for streams.
    #[error("it has no elements, and servers have no empty collections but streams")]
    Empty,
    /// Not in ascending order, or the same twice.
    #[error("a field, member or entry comes twice or out of order")]
    NotAscending,
    /// The highest id of a stream is below that of an entry.
    #[error("the last id of the stream is below that of its newest entry")]
    LastBelowTop,
    /// A string that no server takes.
    #[error("a string in it has {len} bytes, and servers take at most {STRING_LEN_MAX}")]
    LongString {
        /// Its length in bytes.
        len: u64,
    },
    /// A stream entry that no server takes.
    #[error("an entry of the stream has {len} bytes, and servers take at most {max}", max = ENTRY_LEN_MAX)]
    LongEntry {
        /// Its length in bytes.
        len: u64,
    },
    /// More than a command takes.
    #[error(
        "its serialised form has {len} bytes, and a command takes at most {STRING_LEN_MAX}: load writes such a key in pieces"
    )]
    LongPayload {
        /// Its length in bytes.
        len: u64,
    },
    /// The key is too long to be put in order.
    #[error("its name has {len} bytes, which are too many to be sorted")]
    LongKey {
        /// Its length in bytes.
        len: u64,
    },
    /// A HyperLogLog whose members cannot be had.
    #[error("its members cannot be read: they are not stored as a server stores them")]
    NoMembers,
    /// A database that servers do not have.
    #[error("servers have databases up to {max}", max = DATABASES - 1)]
    Database,
}

/// What a step comes to: it is part of the value, or the key is refused.
pub(super) type Step = Result<(), Refusal>;

/// Refuses a string that no server takes.
pub(super) fn check_len(len: u64) -> Step {
    if len > STRING_LEN_MAX { Err(Refusal::LongString { len }) } else { Ok(()) }
}
