//! One file per command: options in, library call, report out.

pub(crate) mod checksums;
pub(crate) mod clean;
pub(crate) mod decode;
pub(crate) mod documents;
pub(crate) mod encode;
pub(crate) mod inspect;
pub(crate) mod pack;
pub(crate) mod prepare_restore;
pub(crate) mod restore;
pub(crate) mod target;
pub(crate) mod text;
pub(crate) mod verify;

use ekv_backup::Fsync;

use crate::args::FsyncRule;

/// What an option says about stable storage.
pub(crate) fn fsync(rule: FsyncRule) -> Fsync {
    match rule {
        FsyncRule::Full => Fsync::Full,
        FsyncRule::File => Fsync::File,
        FsyncRule::None => Fsync::None,
    }
}
