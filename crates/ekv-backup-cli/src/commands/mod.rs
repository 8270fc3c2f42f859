//! One file per command: options in, library call, report out.

pub(crate) mod aws;
pub(crate) mod checksums;
pub(crate) mod clean;
pub(crate) mod compare;
pub(crate) mod decode;
pub(crate) mod diff;
pub(crate) mod documents;
pub(crate) mod encode;
pub(crate) mod export;
pub(crate) mod get;
pub(crate) mod history;
pub(crate) mod index;
pub(crate) mod inspect;
pub(crate) mod keys;
pub(crate) mod leave;
pub(crate) mod list;
pub(crate) mod load;
pub(crate) mod pack;
pub(crate) mod prepare_restore;
pub(crate) mod report;
pub(crate) mod restore;
pub(crate) mod server;
pub(crate) mod target;
pub(crate) mod text;
pub(crate) mod verify;

use std::sync::Arc;
use std::time::SystemTime;

use ekv_backup::{CommandError, Error, Fsync, Privacy, Protocol, Scope};

use crate::args::{AdapterList, FsyncRule};
use crate::output::Output;

/// The adapters of a dump that were asked for; all means those that there are, as without the option.
pub(crate) fn some_adapters(list: Option<&AdapterList>) -> Option<Vec<Protocol>> {
    list.map(|list| list.0.clone()).filter(|list| list != &Protocol::IN_DUMPS)
}

/// A selection, which may not ask what a dump does not say.
pub(crate) fn of_dump(scope: Arc<Scope>) -> Result<Arc<Scope>, Error> {
    if scope.is_about_changes() { Err(CommandError::NoCommitTimes.into()) } else { Ok(scope) }
}

/// The time by the clock of this machine, in Unix milliseconds.
pub(crate) fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

/// What an option says about stable storage.
pub(crate) fn fsync(rule: FsyncRule) -> Fsync {
    match rule {
        FsyncRule::Full => Fsync::Full,
        FsyncRule::File => Fsync::File,
        FsyncRule::None => Fsync::None,
    }
}

/// Says that what was written at `place` is less private than elsewhere, if it is, however quiet the program is to be.
pub(crate) fn warn_of_privacy(output: &Output, privacy: Privacy, place: &str) {
    if let Some(warning) = privacy.warning(place) {
        output.warning(warning);
    }
}
