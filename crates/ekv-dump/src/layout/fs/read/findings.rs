//! What is told of the files of a file system.

use ekv_model::Finding;

/// What no name leads to.
pub const ORPHANS_NOT_RESTORED: Finding = Finding::warning(
    "fs_orphans_not_restored",
    "files without a name and chunks without a file, which are not restored: no client sees them",
);
