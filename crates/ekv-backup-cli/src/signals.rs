//! What the system may tell a running program: to stop, or that a file becomes too large.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::exit::Exit;

/// Signals that ask a program to stop.
#[cfg(unix)]
const STOP: [i32; 4] = [SIGINT, SIGTERM, signal_hook::consts::SIGHUP, signal_hook::consts::SIGXCPU];
/// Signals that ask a program to stop.
#[cfg(not(unix))]
const STOP: [i32; 2] = [SIGINT, SIGTERM];

/// A flag that is set when the program is asked to stop (Ctrl-C, SIGTERM, SIGHUP, a limit of processor time). Asked for the second time it
/// ends at once, even inside a step that takes for ever, such as reading from a silent pipe.
///
/// A signal that was ignored when the program began stays ignored, as `nohup` and `trap ''` ask for. Where no handler can be set, the
/// signal ends the process, and the next run or `clean` removes what is left.
pub(crate) fn stop_flag() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let ignored = Ignored::now();
    for signal in STOP.into_iter().filter(|signal| !ignored.contains(*signal)) {
        // The first one finds the flag as it was before the signal.
        let _ = flag::register_conditional_shutdown(signal, i32::from(Exit::Cancelled.code()), Arc::clone(&stop));
        let _ = flag::register(signal, Arc::clone(&stop));
    }
    stop
}

/// Makes a limit of the size of files (`ulimit -f`) an error of the write that reaches it, instead of the end of the process.
#[cfg(unix)]
pub(crate) fn survive_size_limit() {
    // Any handler does; nobody asks whether the signal came.
    let _ = flag::register(signal_hook::consts::SIGXFSZ, Arc::new(AtomicBool::new(false)));
}

/// No such signal.
#[cfg(not(unix))]
pub(crate) fn survive_size_limit() {}

/// A set of signals, bit n for signal n + 1.
struct Ignored(u64);

impl Ignored {
    /// Those that this process ignores. Only Linux tells without unsafe code; elsewhere none are known.
    fn now() -> Self {
        let status =
            if cfg!(target_os = "linux") { std::fs::read_to_string("/proc/self/status") } else { Ok(String::new()) };
        Ignored(status.ok().as_deref().and_then(Self::in_status).unwrap_or(0))
    }

    fn in_status(status: &str) -> Option<u64> {
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
        u64::from_str_radix(mask.trim(), 16).ok()
    }

    fn contains(&self, signal: i32) -> bool {
        let bit = u32::try_from(signal).ok().and_then(|signal| signal.checked_sub(1));
        bit.and_then(|bit| self.0.checked_shr(bit)).is_some_and(|mask| mask & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_signals_are_read_from_the_status_of_the_process() {
        let status = "Name:\tx\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\nSigCgt:\t0000000000000002\n";
        let ignored = Ignored(Ignored::in_status(status).unwrap());
        assert!(ignored.contains(1) && ignored.contains(13));
        assert!(!ignored.contains(2) && !ignored.contains(0) && !ignored.contains(-1) && !ignored.contains(64));
        assert_eq!(Ignored::in_status("Name:\tx\n"), None);
        assert_eq!(Ignored::in_status("SigIgn:\tno\n"), None);
    }
}
