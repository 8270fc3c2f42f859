//! Open locks: locks that no later version of their key resolved. Source: `docs/format/snapshot.md`, section 11.4, rules 1 and 2.

use super::keys::LOCK;
use super::record::{Damage, LOCK_FIXED_LEN, Lock};
use crate::stream::for_each_piece;
use crate::view::{Range, Version, VersionKind, VersionScan};
use crate::{CommitTs, RecordFile, Result};

/// A lock that was not resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OpenLock {
    /// Index of its group.
    pub(crate) group: u16,
    /// Whether the server finds it.
    pub(crate) live: bool,
    /// Until when other transactions wait for this one.
    pub(crate) deadline: CommitTs,
    /// Byte offset of the lock record.
    pub(crate) byte_offset: u64,
    /// The locked user key.
    pub(crate) user_key: Vec<u8>,
}

impl OpenLock {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.user_key.len().saturating_add(19));
        out.extend_from_slice(&self.group.to_be_bytes());
        out.push(u8::from(self.live));
        out.extend_from_slice(&self.deadline.0.to_be_bytes());
        out.extend_from_slice(&self.byte_offset.to_be_bytes());
        out.extend_from_slice(&self.user_key);
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<OpenLock> {
        let (group, rest) = bytes.split_first_chunk()?;
        let (live, rest) = rest.split_first()?;
        let (deadline, rest) = rest.split_first_chunk()?;
        let (byte_offset, user_key) = rest.split_first_chunk()?;
        Some(OpenLock {
            group: u16::from_be_bytes(*group),
            live: *live != 0,
            deadline: CommitTs(u64::from_be_bytes(*deadline)),
            byte_offset: u64::from_be_bytes(*byte_offset),
            user_key: user_key.to_vec(),
        })
    }
}

/// The open lock versions of one file, ascending by raw key.
pub(crate) struct LockScan {
    versions: VersionScan,
}

impl LockScan {
    pub(crate) fn new(file: &RecordFile) -> Result<LockScan> {
        let versions = VersionScan::new(std::slice::from_ref(file), Range::prefix(LOCK))?;
        Ok(LockScan { versions })
    }

    /// The next open lock version, damaged ones included.
    pub(crate) fn next_open(&mut self) -> Result<Option<Version<'_>>> {
        while let Some(version) = self.versions.next_version()? {
            if version.kind != VersionKind::Tombstone && version.newer != Some(VersionKind::Tombstone) {
                break;
            }
        }
        Ok(self.versions.current())
    }

    /// The version that [`LockScan::next_open`] returned last.
    pub(crate) fn current(&self) -> Option<Version<'_>> {
        self.versions.current()
    }
}

/// Reads a lock and its primary key.
///
/// # Errors
/// A failing read; damage is a result.
pub(crate) fn read_lock(version: &Version<'_>) -> Result<Result<(Lock, Vec<u8>), Damage>> {
    if version.kind == VersionKind::Damaged {
        return Ok(Err(Damage::ValueHeader { record: "lock" }));
    }
    let body = &version.body;
    let lock = match Lock::parse(body.head(), body.len(), version.commit_ts) {
        Ok(lock) => lock,
        Err(damage) => return Ok(Err(damage)),
    };
    let rest = body.after(LOCK_FIXED_LEN);
    let primary = match usize::try_from(lock.primary_len).ok().and_then(|len| rest.head().get(..len)) {
        Some(in_memory) => in_memory.to_vec(),
        None => {
            let mut primary = Vec::new();
            for_each_piece(rest.input(), rest.byte_offset(), lock.primary_len, |piece| {
                primary.extend_from_slice(piece);
                Ok(())
            })?;
            primary
        }
    };
    Ok(Ok((lock, primary)))
}
