//! When Redis keys expire, seen from the moment that is read.

use serde::Serialize;

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;

/// Names of the spans of time, and how far each reaches behind the moment, in milliseconds.
const SPANS: [(&str, u64); 9] = [
    ("expired", 0),
    ("within 1 minute", MINUTE_MS),
    ("within 1 hour", HOUR_MS),
    ("within 1 day", DAY_MS),
    ("within 7 days", 7 * DAY_MS),
    ("within 30 days", 30 * DAY_MS),
    ("within 1 year", 365 * DAY_MS),
    ("later", u64::MAX),
    ("never", u64::MAX),
];

/// Keys that expire within a span of time, and not within the one before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExpiryRow {
    /// The span, seen from the moment that is read.
    pub expires: &'static str,
    /// How many keys.
    pub keys: u64,
    /// Their payload in bytes.
    pub bytes: u64,
}

/// Counts keys by their expiry.
pub(super) struct Expiries {
    now_ms: u64,
    rows: [(u64, u64); SPANS.len()],
}

impl Expiries {
    /// Seen from this moment, in Unix milliseconds.
    pub(super) fn new(now_ms: u64) -> Self {
        Expiries { now_ms, rows: [(0, 0); SPANS.len()] }
    }

    pub(super) fn add(&mut self, expire_at_ms: Option<u64>, bytes: u64) {
        let last = SPANS.len().saturating_sub(1);
        let span = expire_at_ms.map_or(last, |at_ms| {
            let ends_behind = |(_, span): &(&str, u64)| at_ms <= self.now_ms.saturating_add(*span);
            SPANS.iter().position(ends_behind).unwrap_or(last)
        });
        if let Some((keys, sum)) = self.rows.get_mut(span) {
            *keys = keys.saturating_add(1);
            *sum = sum.saturating_add(bytes);
        }
    }

    /// All spans, in order; none if there was no key.
    pub(super) fn finish(self) -> Vec<ExpiryRow> {
        if self.rows.iter().all(|(keys, _)| *keys == 0) {
            return Vec::new();
        }
        let rows = SPANS.iter().zip(self.rows);
        rows.map(|((expires, _), (keys, bytes))| ExpiryRow { expires, keys, bytes }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_count_in_the_first_span_that_reaches_their_expiry() {
        let now = 1_000_000;
        let mut expiries = Expiries::new(now);
        let at = |span: u64| Some(now + span);
        for expire_at_ms in [
            Some(0),
            at(0),
            at(1),
            at(MINUTE_MS),
            at(MINUTE_MS + 1),
            at(8 * DAY_MS),
            at(400 * DAY_MS),
            Some(u64::MAX),
            None,
        ] {
            expiries.add(expire_at_ms, 10);
        }
        let keys: Vec<u64> = expiries.finish().iter().map(|row| row.keys).collect();
        assert_eq!(keys, [2, 2, 1, 0, 0, 1, 0, 2, 1]);
        assert_eq!(Expiries::new(0).finish(), []);
    }
}
