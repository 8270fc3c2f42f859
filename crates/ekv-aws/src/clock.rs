//! Time, and waiting for it.

use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;

/// Where a client takes the time from, and how it waits.
pub trait Clock: Send + Sync {
    /// The time of day, for signatures and for credentials that end.
    fn now(&self) -> Timestamp;

    /// Time since some fixed moment; never goes back.
    fn elapsed(&self) -> Duration;

    /// Returns after `pause`.
    fn wait(&self, pause: Duration);
}

/// The clock of the machine.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// A clock that begins now.
    pub fn new() -> Self {
        SystemClock { start: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        SystemClock::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    fn wait(&self, pause: Duration) {
        thread::sleep(pause);
    }
}
