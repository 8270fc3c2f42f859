//! A snapshot of Redis records.

use crate::SnapshotBuilder;

/// Adds records one after the other, each committed at a later timestamp than the one before.
#[derive(Clone, Debug)]
pub struct RedisRecords {
    snapshot: SnapshotBuilder,
    commit_ts: u64,
}

impl Default for RedisRecords {
    fn default() -> Self {
        RedisRecords { snapshot: SnapshotBuilder::new(), commit_ts: Self::FIRST_COMMIT_TS - 1 }
    }
}

impl RedisRecords {
    /// Commit timestamp of the first record.
    pub const FIRST_COMMIT_TS: u64 = Self::FIRST_UNIX_MS << 16 | 1;
    /// Unix milliseconds of the first record, and of all others as long as they are fewer than 65,535.
    pub const FIRST_UNIX_MS: u64 = 1_795_000_000_000;

    /// No records.
    pub fn new() -> Self {
        Self::default()
    }

    /// Commit timestamp of the last record.
    pub fn commit_ts(&self) -> u64 {
        self.commit_ts
    }

    /// Lets the next record be committed right after `commit_ts`, which must not be in the past.
    pub fn skip_to(mut self, commit_ts: u64) -> Self {
        assert!(commit_ts >= self.commit_ts, "timestamps go up");
        self.commit_ts = commit_ts;
        self
    }

    /// Adds a version of a record.
    pub fn put(mut self, user_key: impl AsRef<[u8]>, body: impl AsRef<[u8]>) -> Self {
        self.commit_ts += 1;
        self.snapshot = self.snapshot.put(user_key.as_ref(), self.commit_ts, body.as_ref());
        self
    }

    /// Adds a tombstone.
    pub fn delete(mut self, user_key: impl AsRef<[u8]>) -> Self {
        self.commit_ts += 1;
        self.snapshot = self.snapshot.delete(user_key.as_ref(), self.commit_ts);
        self
    }

    /// Adds a version whose value header no reader understands.
    pub fn damaged(mut self, user_key: impl AsRef<[u8]>) -> Self {
        self.commit_ts += 1;
        self.snapshot = self.snapshot.version(user_key.as_ref(), self.commit_ts, 0x80, 0, b"");
        self
    }

    /// The snapshot of all records.
    pub fn snapshot(&self) -> &SnapshotBuilder {
        &self.snapshot
    }
}
