//! Keys of encrypted values.

use std::sync::Arc;

use ekv_backup::{DataKeys, Error, KeyFiles};

use crate::args::KeyArguments;

/// Reads the keys that the options name, once nothing of this process can get into a core file.
pub(crate) fn open(arguments: &KeyArguments) -> Result<Option<Arc<DataKeys>>, Error> {
    let KeyArguments { encryption_keys, kek_file, data_keys } = arguments.clone();
    let files = KeyFiles { sidecar: encryption_keys, kek: kek_file, data_keys };
    if !files.is_empty() {
        leave_no_core_file();
    }
    files.open()
}

/// What fails here is refused by the system, and then there is nothing else to be done.
#[cfg(unix)]
fn leave_no_core_file() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    // Where core files go to a program, the limit does not count.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}

#[cfg(not(unix))]
fn leave_no_core_file() {}
