//! What the search for credentials asks of this machine, and time that ends with the wish to stop.

use std::io;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ekv_aws::{Answer, Clock, Environment, SignedRequest, SystemClock, Wire};

/// Longest file of profiles, in bytes.
const FILE_LEN_MAX: u64 = 4 << 20;
/// How often a pause asks whether it is to end.
const SLICE: Duration = Duration::from_millis(100);

/// This machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Machine;

impl Environment for Machine {
    fn var(&self, name: &str) -> Option<String> {
        std::env::var(name).ok().filter(|value| !value.is_empty())
    }

    fn file(&self, path: &str) -> io::Result<Option<String>> {
        let file = match std::fs::File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        io::read_to_string(io::Read::take(file, FILE_LEN_MAX)).map(Some)
    }

    fn output(&self, command: &str) -> io::Result<Vec<u8>> {
        let (shell, option) = if cfg!(windows) { ("cmd", "/C") } else { ("sh", "-c") };
        let output =
            Command::new(shell).arg(option).arg(command).stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
        match output.status.success() {
            true => Ok(output.stdout),
            false => Err(io::Error::other(format!("it ended with {}", output.status))),
        }
    }
}

/// Whether requests are to end, however they stand.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// From now on no request goes out, and no pause lasts.
    pub(crate) fn now(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_wanted(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The clock of the machine, whose pauses end with the wish to stop.
#[derive(Clone, Debug)]
pub(crate) struct StoppableClock(pub(crate) SystemClock, pub(crate) Stop);

impl Clock for StoppableClock {
    fn now(&self) -> jiff::Timestamp {
        self.0.now()
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    fn wait(&self, pause: Duration) {
        let end = self.elapsed().saturating_add(pause);
        while !self.1.is_wanted() {
            let left = end.saturating_sub(self.elapsed());
            if left.is_zero() {
                return;
            }
            self.0.wait(left.min(SLICE));
        }
    }
}

/// A wire that sends nothing more once somebody wishes to stop.
pub(crate) struct StoppableWire<W>(pub(crate) W, pub(crate) Stop);

impl<W: Wire> Wire for StoppableWire<W> {
    fn send(&self, request: &SignedRequest<'_>) -> io::Result<Answer> {
        match self.1.is_wanted() {
            true => Err(io::Error::new(io::ErrorKind::Interrupted, "it is to stop")),
            false => self.0.send(request),
        }
    }
}
