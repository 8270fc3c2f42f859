//! Redis: records to events, and back. Source: `docs/format/redis.md`.
//!
//! | file | holds |
//! |---|---|
//! | `scalars.rs`, `value.rs` | strings and HyperLogLogs, their stored forms |
//! | `wide.rs`, `late.rs` | hashes, sets and sorted sets: one element per record |
//! | `list.rs`, `stream.rs`, `blob.rs` | lists, streams, the old one-record forms |
//! | `ranks.rs` | which type a key has |
//! | `selected.rs` | which keys are read, and where they lie |
//! | `expiry.rs` | the expiry index and what an expiry means |
//! | `meta.rs`, `keys.rs` | bytes of metadata and keys |
//! | `encode.rs` | events to records |

mod blob;
mod collection;
mod encode;
mod expiry;
pub mod findings;
pub(crate) mod keys;
mod late;
mod list;
mod meta;
mod options;
mod ranks;
mod restorable;
mod route;
mod scalars;
mod selected;
mod stream;
mod subject;
mod value;
mod wide;
mod wide_kind;

use ekv_model::{Kind, Protocol, Result};

pub use wide_kind::element_family;

pub use value::{EXPIRE_AT_MS_MAX, Form, TornHeader, has_inline_ttl, parse_form};

use crate::adapter::Adapter;
use crate::{Family, Outcome, Owner, Role, Run};

use selected::Selected;

pub use options::{BareKeys, Expired, Options};

/// The adapter of the protocol.
pub(crate) const ADAPTER: Adapter = Adapter {
    decode: |run, options| decode(run, &options.redis),
    encoder: |scratch, _| Box::new(encode::Encoder::new(scratch)),
    restores: |_| Box::new(restorable::Keys::default()),
    routes: route::ROUTES,
    subject: subject::subject,
    beginnings: subject::beginnings,
    ranges: None,
    is_stored_key: |_, _| None,
    culprit: subject::culprit,
};

/// Emits every Redis key that clients see and the scope of the run selects, once, as the type that the live server reports.
///
/// Shape: scalars first (HyperLogLogs, strings, strings without prefix; each in raw-key order), then hashes, lists, sets, sorted
/// sets and streams. Cost: a fixed number of cursors; one element in memory; scratch space only for collections whose
/// element names begin with each other.
///
/// # Errors
/// Failing reads, the target's errors, the monitor's wish to stop. Damage to one key is a finding, not an error.
pub fn decode(run: &mut Run<'_>, options: &Options) -> Result<()> {
    let scope = run.scope();
    let selected = Selected::of(&scope, options.database, run.read_ts());
    scalars::decode(run, options, &selected)?;
    for kind in [Kind::Hash, Kind::List, Kind::Set, Kind::ZSet, Kind::Stream] {
        if !scope.includes_kind(kind) {
            continue;
        }
        match kind {
            Kind::Hash => wide::decode(run, options, &wide_kind::HASH, &selected)?,
            Kind::List => list::decode(run, options, &selected)?,
            Kind::Set => wide::decode(run, options, &wide_kind::SET, &selected)?,
            Kind::ZSet => wide::decode(run, options, &wide_kind::ZSET, &selected)?,
            _ => stream::decode(run, options, &selected)?,
        }
    }
    close_books(run, &selected)
}

/// Accounts for the records that nothing asked for: expiry records without a key, fences and indexes.
fn close_books(run: &mut Run<'_>, selected: &Selected<'_>) -> Result<()> {
    if !selected.is_everything {
        run.leave_rest(Owner::Protocol(Protocol::Redis))?;
    }
    let orphans = run.unaccounted(Family::RedisExpiry);
    run.record_findings(findings::ORPHAN_TTL, orphans);
    run.account(Family::RedisExpiry, Outcome::Orphaned, orphans)?;
    for family in
        Family::ALL.iter().filter(|f| f.owner() == Owner::Protocol(Protocol::Redis) && f.role() == Role::Internal)
    {
        run.account(*family, Outcome::Internal, run.unaccounted(*family))?;
    }
    Ok(())
}
