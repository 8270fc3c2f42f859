//! CHECKSUMS of a dump that somebody edited.

use std::sync::Arc;

use ekv_files::Result;
use ekv_files::checksums::write_line;
use ekv_files::source::Source;
use ekv_model::Monitor;
use ekv_spill::Scratch;

use super::entries::{Changes, Seen};
use super::{Problems, walk};

/// What a dump holds now.
#[derive(Clone, Debug)]
pub struct Relisting {
    /// Number of regular files, MANIFEST.json and CHECKSUMS included.
    pub files: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// How its CHECKSUMS differs from what is there; a missing one lists nothing.
    pub changes: Changes,
    /// What else is wrong.
    pub problems: Problems,
}

/// Makes the checks of [`verify`](super::verify()) on a dump whose CHECKSUMS may be out of date or missing, and calls `line` with each
/// line of the right one, line feed included, in order.
///
/// Lines come before it is known whether anything is wrong; only where there are no problems they make a CHECKSUMS. Cost: as `verify`.
///
/// # Errors
/// As `verify`, and the first error of `line`.
pub fn relist(
    source: &mut dyn Source,
    scratch: &Arc<dyn Scratch>,
    memory_budget: usize,
    monitor: &dyn Monitor,
    line: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<Relisting> {
    let mut walk = walk::Walk::new(scratch, memory_budget, monitor);
    source.walk(&mut walk)?;
    let walk::Walked { files, bytes, entries, mut structure, mut problems, .. } = walk.finish()?;
    let mut text = Vec::new();
    let mut show = |path: &[u8], seen: Seen<'_>, _: &mut Problems| match seen {
        Seen::File { digest, len } => {
            text.clear();
            write_line(digest, path, &mut text);
            line(&text)?;
            structure.file(path, len, &mut problems)
        }
        Seen::Directory => structure.directory(path, &mut problems),
    };
    // What the lines of CHECKSUMS say is what will be put right.
    let changes = entries.check(&mut show, &mut Problems::default())?;
    structure.check_joins(&mut problems)?;
    Ok(Relisting { files, bytes, changes, problems })
}
