//! The file system: records to events and back. Source: `docs/format/fs.md`.
//!
//! | file | holds |
//! |---|---|
//! | `walk.rs` | the tree from its root, each directory before what is in it |
//! | `reach.rs`, `several.rs` | which names are looked at; which inodes have more than one |
//! | `content.rs` | the chunks of a file |
//! | `review.rs` | what the walk did not reach, and what only counts: homes, usage, leases |
//! | `values.rs`, `keys.rs` | bytes of stored values and of keys |
//! | `past.rs` | where the records of a path lie, at any time |
//! | `encode.rs` | the way back: records from events |

mod content;
mod encode;
pub mod findings;
mod keys;
mod options;
mod past;
mod reach;
mod restorable;
mod review;
mod route;
mod several;
mod values;
mod walk;

use ekv_model::fs::{self, Event};
use ekv_model::{Name, Protocol, Result};

use crate::adapter::{Adapter, Subject, is_one_of};
use crate::{Family, Outcome, Owner, Run};

pub use options::Options;

/// The adapter of the protocol.
pub(crate) const ADAPTER: Adapter = Adapter {
    decode: |run, options| decode(run, options.fs),
    encoder: |scratch, _| Box::new(encode::Encoder::new(scratch)),
    restores: |options| Box::new(restorable::Files::new(options.keeps_unknown_types)),
    routes: route::ROUTES,
    // A path is known of no record by itself: any may be around any.
    subject: |_, _, _| Some(Subject::of(Protocol::Fs, fs::SCOPE, None)),
    beginnings: |_, _| vec![Vec::new()],
    ranges: Some(past::ranges),
    is_stored_key: |_, _| None,
    culprit,
};

/// Families that can be derived, or that are about processes.
const INTERNAL: [Family; 6] =
    [Family::FsDirVersion, Family::FsRef, Family::FsRefFence, Family::FsIntent, Family::FsJob, Family::FsUsage];

/// What a finding about a path is about; others are about an inode, or a record.
fn culprit(finding: &str, path: &[u8]) -> Option<Name> {
    let is_path = is_one_of(findings::ALL, finding) && !path.starts_with(findings::INODE) && !path.starts_with(b"!fs|");
    is_path.then(|| Subject::of(Protocol::Fs, fs::SCOPE, Some(path.to_vec())).name)
}

/// Emits every directory and file that clients see and the scope of the run selects.
///
/// Shape: see [`fs`]. Cost: an entry costs a lookup of its inode, a file one of its chunks; scratch space for the numbers of all inodes.
/// Memory: the path at hand, which is bounded, and a bit for each inode with several names.
///
/// # Errors
/// Failing reads, the target's errors, the monitor's wish to stop. Damage to one file is a finding, not an error.
pub fn decode(run: &mut Run<'_>, options: Options) -> Result<()> {
    let is_all = run.scope().is_all_of(Protocol::Fs);
    let walked = walk::decode(run)?;
    let mut has_begun = walked.has_begun;
    if is_all {
        has_begun |= review::finish(run, options, walked)?;
    } else {
        run.leave_rest(Owner::Protocol(Protocol::Fs))?;
    }
    if has_begun {
        walk::emit(run, Event::End)?;
    }
    for family in INTERNAL {
        run.account(family, Outcome::Internal, run.unaccounted(family))?;
    }
    Ok(())
}
