//! S3: records to events and back. Source: `docs/format/s3.md`.
//!
//! | file | holds |
//! |---|---|
//! | `walk.rs`, `lane.rs` | buckets in order, each family read once from front to back |
//! | `scope.rs` | one bucket: its record, its generation, the keys of its objects |
//! | `object.rs` | one object or what is left of one |
//! | `bucket.rs`, `head.rs`, `parts.rs`, `chunk_ref.rs` | bytes of stored values |
//! | `chunks.rs`, `offloaded.rs`, `content.rs` | where the content of an object lies, and reading it |
//! | `keys.rs` | bytes of keys |
//! | `encode.rs` | the way back: records from events |

mod bucket;
mod chunk_ref;
mod chunks;
mod content;
pub(crate) mod encode;
pub mod findings;
mod head;
pub(crate) mod keys;
mod lane;
mod object;
mod offloaded;
mod options;
mod parts;
mod restorable;
mod route;
mod scope;
mod subject;
mod walk;

use ekv_model::{Protocol, Result};
use ekv_snapshot::View;

use crate::adapter::Adapter;
use crate::{Family, Outcome, Owner, Run};

pub use options::Options;

/// The adapter of the protocol.
pub(crate) const ADAPTER: Adapter = Adapter {
    decode: |run, options| decode(run, &options.s3, options.blob_sources),
    encoder: |scratch, _| Box::new(encode::Encoder::new(scratch)),
    restores: |_| Box::new(restorable::Buckets::default()),
    routes: route::ROUTES,
    subject: subject::subject,
    beginnings: subject::beginnings,
    ranges: None,
    is_stored_key: |_, _| None,
    culprit: subject::culprit,
};

/// Emits every bucket and object that clients see and the scope of the run selects.
///
/// Shape: buckets in the order of their names; in each bucket the keys of all objects in byte order, then the objects, and between them
/// orphans, then records of uploads. `blob_sources` are snapshots of other nodes, for offloaded content that this one lacks.
/// Cost: a fixed number of cursors; for an object its record's strings; scratch space for its list of parts and chunks.
///
/// # Errors
/// Failing reads, the target's errors, the monitor's wish to stop. Damage to one object is a finding, not an error.
pub fn decode(run: &mut Run<'_>, options: &Options, blob_sources: &[View]) -> Result<()> {
    let mut outcomes = walk::decode(run, options, blob_sources)?.finish()?;
    if run.scope().is_all_of(Protocol::S3) {
        let mut blobs = lane::Lane::new(run, Family::S3ChunkBlob)?;
        while let Some(digest) = blobs.rest().and_then(|rest| keys::parse_digest(rest).ok()) {
            let outcome = outcomes.of(&digest)?;
            run.account(Family::S3ChunkBlob, outcome, 1)?;
            blobs.advance(run)?;
        }
        lane::Lane::new(run, Family::S3Generation)?.account_rest(run, Outcome::Joined)?;
    } else {
        // What no selected object needs may belong to another one.
        while let Some(outcome) = outcomes.next()? {
            run.account(Family::S3ChunkBlob, outcome, 1)?;
        }
        run.leave_rest(Owner::Protocol(Protocol::S3))?;
    }
    for family in [Family::S3UploadGc, Family::S3Route] {
        run.account(family, Outcome::Internal, run.unaccounted(family))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
