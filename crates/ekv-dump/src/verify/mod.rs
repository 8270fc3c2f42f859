//! Is a dump whole and well formed?
//!
//! Source: `docs/format/tree.md`, sections 1, 3.2, 6.3, 7 and 8.4.
//!
//! One walk reads every file once: it hashes the contents and notes names, KEYMAP records and expiry lines in external sorts. Then
//! merges bring together what belongs together: an entry and its line in CHECKSUMS, a name and its record, a body and its sidecar.
//! Dumps of the reference decoder pass as well where the format allows it.

pub(crate) mod entries;
pub(crate) mod hashing;
pub(crate) mod joins;
pub(crate) mod key;
pub(crate) mod lines;
pub(crate) mod problem;
mod relist;
pub(crate) mod rules;
pub(crate) mod scopes;
pub(crate) mod seen;
mod structure;
mod walk;

use std::sync::Arc;

use ekv_files::Result;
use ekv_files::source::Source;
use ekv_model::Monitor;
use ekv_spill::Scratch;

use crate::manifest::{Account, Manifest, StoredManifest};

use entries::Seen;

pub use entries::Changes;
pub use problem::{Problem, ProblemKind, Problems};
pub use relist::{Relisting, relist};

/// The result of a check.
#[derive(Clone, Debug)]
pub struct Verification {
    /// The manifest of the dump.
    pub manifest: Manifest,
    /// What the report in it tells about the dump as a whole.
    pub account: Account,
    /// Number of regular files, MANIFEST.json and CHECKSUMS included.
    pub files: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// What is wrong.
    pub problems: Problems,
}

impl Verification {
    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.problems.count == 0
    }
}

/// Checks a dump.
///
/// `memory_budget` in bytes bounds the external sorts; `monitor` is told how many bytes were read since its last call, and ends the check with an error. Cost: each file
/// is read once; memory within the budget and a few buffers, however many files there are.
///
/// # Errors
/// If an entry cannot be read, or if MANIFEST.json or CHECKSUMS is missing, refused or malformed: then nothing else can be judged.
/// All other faults are [`Problems`] and never end the check early.
pub fn verify(
    source: &mut dyn Source,
    scratch: &Arc<dyn Scratch>,
    memory_budget: usize,
    monitor: &dyn Monitor,
) -> Result<Verification> {
    let mut walk = walk::Walk::new(scratch, memory_budget, monitor);
    source.walk(&mut walk)?;
    walk.require_checksums()?;
    let walk::Walked { manifest, files, bytes, entries, mut structure, mut problems } = walk.finish()?;
    let StoredManifest { manifest, account, .. } = manifest;
    let mut show = |path: &[u8], seen: Seen<'_>, problems: &mut Problems| match seen {
        Seen::File { len, .. } => structure.file(path, len, problems),
        Seen::Directory => structure.directory(path, problems),
    };
    entries.check(&mut show, &mut problems)?;
    structure.check_joins(&mut problems)?;
    Ok(Verification { manifest, account, files, bytes, problems })
}

#[cfg(test)]
mod tests;
