//! Redis records as a server writes them, and Redis keys as a client sees them.
//!
//! Source: `docs/format/redis.md`, section 2. Written from the format's description alone, so that it can prove the adapter wrong.

pub mod key;
mod recorder;
mod records;
pub mod value;

pub use recorder::{RecordedKey, Recorder, RedisValue, StreamEntry};
pub use records::RedisRecords;

/// The kinds that keep one record per element and count with metadata and deltas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wide {
    /// `!hs|`.
    Hash,
    /// `!st|`.
    Set,
    /// `!zs|`.
    ZSet,
}

impl Wide {
    /// All of them.
    pub const ALL: [Wide; 3] = [Wide::Hash, Wide::Set, Wide::ZSet];
}
