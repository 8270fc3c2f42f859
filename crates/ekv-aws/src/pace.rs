//! How many requests go out in a second.
//!
//! Nothing is held back until a service says that it is too much. From then on the rate is halved with each such answer, though at most
//! once in a second, and grows by a twentieth in each second without one. A limit that the user set holds always.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::Clock;

const SECOND: Duration = Duration::from_secs(1);
/// Slowest rate, in units per second.
const RATE_MIN: f64 = 1.0;

/// The pace of all requests of a run; shared by its threads.
#[derive(Debug)]
pub struct Pace {
    limit: Option<f64>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Units per second; absent while nothing was throttled and no limit is set.
    rate: Option<f64>,
    /// When the next unit may go.
    next_at: Duration,
    /// When the rate was last changed.
    changed_at: Duration,
    /// Start of the second that is counted, and what went out in it.
    counted_from: Duration,
    counted: f64,
    /// What went out in the second before.
    seen: f64,
}

impl Pace {
    /// A pace of at most `limit` units in a second, if there is a limit; a unit is a request, an item or a message, as the caller counts.
    pub fn new(limit: Option<u32>) -> Self {
        let limit = limit.map(f64::from);
        Pace { limit, state: Mutex::new(State { rate: limit, ..State::default() }) }
    }

    /// Waits until `units` more may go out.
    pub fn admit(&self, units: u32, clock: &dyn Clock) {
        let pause = self.reserve(units, clock.elapsed());
        if !pause.is_zero() {
            clock.wait(pause);
        }
    }

    /// How long to wait before `units` go out at `now`.
    fn reserve(&self, units: u32, now: Duration) -> Duration {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.count(f64::from(units), now);
        state.grow(self.limit, now);
        let Some(rate) = state.rate else { return Duration::ZERO };
        let start = state.next_at.max(now);
        state.next_at = start.saturating_add(Duration::from_secs_f64(f64::from(units) / rate));
        start.saturating_sub(now)
    }

    /// The service says that it is too much.
    pub fn throttled(&self, clock: &dyn Clock) {
        let now = clock.elapsed();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let is_fresh =
            state.rate.is_some() && state.rate != self.limit && now.saturating_sub(state.changed_at) < SECOND;
        if !is_fresh {
            let was = state.rate.unwrap_or_else(|| state.seen.max(state.counted)).max(RATE_MIN);
            state.rate = Some((was / 2.0).max(RATE_MIN));
            state.changed_at = now;
        }
    }

    /// Units per second that are let through now; absent where nothing holds them back.
    pub fn rate(&self) -> Option<f64> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).rate
    }
}

impl State {
    fn count(&mut self, units: f64, now: Duration) {
        if now.saturating_sub(self.counted_from) >= SECOND {
            self.seen = self.counted;
            self.counted = 0.0;
            self.counted_from = now;
        }
        self.counted += units;
    }

    fn grow(&mut self, limit: Option<f64>, now: Duration) {
        let Some(rate) = self.rate.filter(|rate| Some(*rate) != limit) else { return };
        let seconds = now.saturating_sub(self.changed_at).as_secs_f64();
        if seconds >= 1.0 {
            let grown = rate * (1.0 + 0.05 * seconds);
            self.rate = Some(limit.map_or(grown, |limit| grown.min(limit)));
            self.changed_at = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::FakeClock;

    #[test]
    fn without_limit_and_throttling_nothing_waits() {
        let (clock, pace) = (FakeClock::new(), Pace::new(None));
        (0..10_000).for_each(|_| pace.admit(1, &clock));
        assert_eq!(clock.elapsed(), Duration::ZERO);
    }

    #[test]
    fn a_limit_is_kept() {
        let (clock, pace) = (FakeClock::new(), Pace::new(Some(100)));
        (0..1001).for_each(|_| pace.admit(1, &clock));
        assert!((9.99..=10.01).contains(&clock.elapsed().as_secs_f64()), "{:?}", clock.elapsed());
    }

    #[test]
    fn throttling_halves_the_rate_and_quiet_seconds_raise_it() {
        let (clock, pace) = (FakeClock::new(), Pace::new(None));
        (0..1000).for_each(|_| pace.admit(1, &clock));
        pace.throttled(&clock);
        pace.throttled(&clock);
        assert_eq!(pace.rate(), Some(500.0), "two answers to one burst count once");
        clock.wait(SECOND);
        pace.throttled(&clock);
        assert_eq!(pace.rate(), Some(250.0));
        clock.wait(SECOND);
        pace.admit(1, &clock);
        assert_eq!(pace.rate(), Some(262.5));
    }

    #[test]
    fn the_rate_never_grows_beyond_the_limit_nor_falls_to_nothing() {
        let (clock, pace) = (FakeClock::new(), Pace::new(Some(8)));
        for _ in 0..20 {
            clock.wait(SECOND);
            pace.throttled(&clock);
        }
        assert_eq!(pace.rate(), Some(RATE_MIN));
        for _ in 0..200 {
            clock.wait(SECOND);
            pace.admit(1, &clock);
        }
        assert_eq!(pace.rate(), Some(8.0));
    }
}
