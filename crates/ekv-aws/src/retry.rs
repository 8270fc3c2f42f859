//! How often and after which pause a request is sent again.

use std::time::Duration;

/// Tries, and the pauses between them: a random part of a span that doubles each time ("full jitter").
#[derive(Clone, Copy, Debug)]
pub struct RetryPolicy {
    /// Tries in all.
    pub tries_max: u32,
    /// The first span.
    pub first: Duration,
    /// The longest span.
    pub longest: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        RetryPolicy { tries_max: 10, first: Duration::from_millis(50), longest: Duration::from_secs(20) }
    }
}

impl RetryPolicy {
    /// The span from which the pause after `tries` tries is taken.
    pub fn span(&self, tries: u32) -> Duration {
        let doubled = tries.saturating_sub(1).min(31);
        self.first.saturating_mul(1_u32 << doubled).min(self.longest)
    }

    /// The pause after `tries` tries.
    pub fn pause(&self, tries: u32) -> Duration {
        // Without randomness the pause is the whole span: late, never early.
        let part = getrandom::u32().unwrap_or(u32::MAX);
        self.span(tries).mul_f64(f64::from(part) / f64::from(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_double_up_to_the_longest() {
        let policy = RetryPolicy::default();
        let spans: Vec<u128> = (1..=10).map(|tries| policy.span(tries).as_millis()).collect();
        assert_eq!(spans, [50, 100, 200, 400, 800, 1600, 3200, 6400, 12_800, 20_000]);
        assert_eq!(policy.span(u32::MAX), Duration::from_secs(20));
    }

    #[test]
    fn pauses_stay_inside_their_span() {
        let policy = RetryPolicy::default();
        assert!((1..100).all(|tries| policy.pause(tries) <= policy.span(tries)));
    }
}
