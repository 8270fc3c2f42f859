//! What the system may tell a running program: to stop, or that a file becomes too large.

#[cfg(unix)]
use std::io::Read;
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
#[cfg(unix)]
use std::sync::atomic::Ordering;
#[cfg(unix)]
use std::thread;
#[cfg(unix)]
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::exit::Exit;

/// Signals that ask a program to stop.
#[cfg(unix)]
const STOP: [i32; 4] = [SIGINT, SIGTERM, signal_hook::consts::SIGHUP, signal_hook::consts::SIGXCPU];
/// Signals that ask a program to stop.
#[cfg(not(unix))]
const STOP: [i32; 2] = [SIGINT, SIGTERM];

/// How long a program that was asked to stop is left in peace: `timeout` sends its signal twice, a session that ends two different ones, and a
/// limit of processor time another one every second.
#[cfg(unix)]
const GRACE: Duration = Duration::from_millis(1500);

/// A flag that is set when the program is asked to stop (Ctrl-C, SIGTERM, SIGHUP, a limit of processor time). Asked again some time later it
/// ends at once, even inside a step that takes for ever, such as reading from a silent pipe.
///
/// A signal that was ignored when the program began stays ignored, as `nohup` and `trap ''` ask for. Where no handler can be set, the
/// signal ends the process, and the next run or `clean` removes what is left.
pub(crate) fn stop_flag() -> Arc<AtomicBool> {
    let (stop, is_impatient) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let ignored = Ignored::now();
    let signals: Vec<i32> = STOP.into_iter().filter(|signal| !ignored.contains(*signal)).collect();
    for signal in &signals {
        let exit = i32::from(Exit::Cancelled.code());
        let _ = flag::register_conditional_shutdown(*signal, exit, Arc::clone(&is_impatient));
        let _ = flag::register(*signal, Arc::clone(&stop));
    }
    end_at_once_if_asked_again(&signals, is_impatient);
    stop
}

/// Sets `is_impatient` some time after the first of these signals came.
#[cfg(unix)]
fn end_at_once_if_asked_again(signals: &[i32], is_impatient: Arc<AtomicBool>) {
    let Ok((mut read, write)) = UnixStream::pair() else { return };
    for signal in signals {
        let _ = write.try_clone().and_then(|write| signal_hook::low_level::pipe::register(*signal, write));
    }
    let wait = move || {
        if read.read_exact(&mut [0]).is_ok() {
            thread::sleep(GRACE);
            is_impatient.store(true, Ordering::Relaxed);
        }
    };
    // Without the thread a run that does not look up must be killed.
    let _ = thread::Builder::new().name("signals".to_owned()).spawn(wait);
}

/// The second one of these signals ends the program.
#[cfg(not(unix))]
fn end_at_once_if_asked_again(signals: &[i32], is_impatient: Arc<AtomicBool>) {
    for signal in signals {
        let _ = flag::register(*signal, Arc::clone(&is_impatient));
    }
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
