//! The expiry index, joined by lookups that ascend with the keys they serve. Source: `docs/format/redis.md`, sections 2.3 and 4.

use ekv_model::{FileOffset, Result};
use ekv_snapshot::Lookup;

use super::findings;
use super::keys::put_plain;
use super::value::{EXPIRE_AT_MS_MAX, parse_expiry};
use crate::{Family, Outcome, Run};

/// A record of the expiry index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IndexRow {
    /// Expiry in Unix milliseconds as stored; `None` if the record is damaged.
    pub(crate) at_ms: Option<u64>,
    /// Commit timestamp of the record.
    pub(crate) commit_ts: u64,
    /// Where it lies.
    pub(crate) at: FileOffset,
}

/// Finds the index record of a key and accounts for it.
pub(crate) struct ExpiryIndex {
    lookup: Option<Lookup>,
    user_key: Vec<u8>,
}

impl ExpiryIndex {
    pub(crate) fn new(run: &Run<'_>) -> Self {
        let lookup = run.can_find(Family::RedisExpiry).then(|| run.view().lookup());
        ExpiryIndex { lookup, user_key: Vec::new() }
    }

    /// The index record of `key`. To be called once for each existing key, with the type that clients see.
    pub(crate) fn take(&mut self, run: &mut Run<'_>, key: &[u8]) -> Result<Option<IndexRow>> {
        let Some(lookup) = &mut self.lookup else { return Ok(None) };
        put_plain(&mut self.user_key, Family::RedisExpiry.prefix(), key);
        let Some(found) = lookup.get(&self.user_key)? else { return Ok(None) };
        let row = IndexRow { at_ms: parse_expiry(&found.body), commit_ts: found.commit_ts.0, at: found.byte_offset };
        // A record with a damaged value header is not among the visible ones that are accounted for.
        run.account(Family::RedisExpiry, Outcome::Joined, u64::from(!found.is_damaged))?;
        Ok(Some(row))
    }
}

/// What a key's expiry means for its fate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExpiryVerdict {
    /// Written, with this expiry in Unix milliseconds.
    Keep(Option<u64>),
    /// Expired and not wanted.
    Drop,
}

/// Clamps a stored expiry, notes what is odd about it, and decides by `drop_expired` whether the key is written.
pub(crate) fn judge(run: &mut Run<'_>, key: &[u8], stored: Option<u64>, drop_expired: bool) -> ExpiryVerdict {
    let Some(at_ms) = stored else { return ExpiryVerdict::Keep(None) };
    if at_ms > EXPIRE_AT_MS_MAX {
        run.record_finding(findings::EXPIRY_CLAMPED, key, None, || format!("stored expiry {at_ms} ms"));
    }
    if at_ms == 0 {
        run.record_finding(findings::ZERO_EXPIRY, key, None, || "expire_at_ms 0".to_owned());
    }
    let at_ms = at_ms.min(EXPIRE_AT_MS_MAX);
    if at_ms <= run.instant_ms() {
        run.record_finding(findings::EXPIRED_KEYS, key, None, || format!("expire_at_ms {at_ms}"));
        if drop_expired {
            return ExpiryVerdict::Drop;
        }
    }
    ExpiryVerdict::Keep(Some(at_ms))
}
