//! Locks, and whether a later version of their key resolved them. Source: `docs/format/snapshot.md`, section 11.4, rules 1 and 2.

use ekv_text::ByteCursor;

use super::keys::LOCK;
use super::record::{Damage, LOCK_FIXED_LEN, Lock};
use crate::stream::{for_each_piece, len_u64};
use crate::view::{Range, Version, VersionKind, VersionScan};
use crate::{CommitTs, RecordFile, Result};

/// A lock whose transaction decides about its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HeldLock {
    /// Index of its group.
    pub(crate) group: u16,
    /// Whether the server finds it.
    pub(crate) live: bool,
    /// Until when other transactions wait for this one.
    pub(crate) deadline: CommitTs,
    /// Byte offset of the lock record.
    pub(crate) byte_offset: u64,
    /// The primary key, if a tombstone follows the lock: the server has resolved it, which does not say that the write was applied.
    pub(crate) cleaned_up: Option<Vec<u8>>,
    /// The locked user key.
    pub(crate) user_key: Vec<u8>,
}

impl HeldLock {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let primary = self.cleaned_up.as_deref().unwrap_or_default();
        let mut out = Vec::with_capacity(self.user_key.len().saturating_add(primary.len()).saturating_add(28));
        out.extend_from_slice(&self.group.to_be_bytes());
        out.push(u8::from(self.live));
        out.extend_from_slice(&self.deadline.0.to_be_bytes());
        out.extend_from_slice(&self.byte_offset.to_be_bytes());
        out.push(u8::from(self.cleaned_up.is_some()));
        out.extend_from_slice(&len_u64(primary).to_be_bytes());
        out.extend_from_slice(primary);
        out.extend_from_slice(&self.user_key);
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<HeldLock> {
        let mut cursor = ByteCursor::new(bytes);
        let (group, live) = (cursor.u16()?, cursor.u8()? != 0);
        let (deadline, byte_offset) = (CommitTs(cursor.u64()?), cursor.u64()?);
        let is_cleaned_up = cursor.u8()? != 0;
        let primary_len = cursor.u64()?;
        let primary = cursor.bytes(primary_len)?;
        let cleaned_up = is_cleaned_up.then(|| primary.to_vec());
        Some(HeldLock { group, live, deadline, byte_offset, cleaned_up, user_key: cursor.rest().to_vec() })
    }
}

/// The lock versions of one file, ascending by raw key.
pub(crate) struct LockScan {
    versions: VersionScan,
}

impl LockScan {
    pub(crate) fn new(file: &RecordFile) -> Result<LockScan> {
        let versions = VersionScan::new(std::slice::from_ref(file), Range::prefix(LOCK))?;
        Ok(LockScan { versions })
    }

    /// The next lock version, resolved and damaged ones included.
    pub(crate) fn next_lock(&mut self) -> Result<Option<Version<'_>>> {
        while let Some(version) = self.versions.next_version()? {
            if version.kind != VersionKind::Tombstone {
                break;
            }
        }
        Ok(self.versions.current())
    }

    /// The next open lock version, damaged ones included.
    pub(crate) fn next_open(&mut self) -> Result<Option<Version<'_>>> {
        while let Some(version) = self.next_lock()? {
            if is_open(&version) {
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

/// Whether no tombstone follows a lock.
pub(crate) fn is_open(version: &Version<'_>) -> bool {
    version.newer != Some(VersionKind::Tombstone)
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
