//! The one timestamp of a payload, which becomes the clock of the new node. Source: `docs/format/restore.md`, section 3.2.

use ekv_snapshot::CommitTs;
use jiff::Timestamp;

use super::RestoreError;
use crate::format_commit_ts;

/// How far ahead of the local clock a timestamp may be, in milliseconds: one day.
const AHEAD_MS_MAX: u64 = 24 * 60 * 60 * 1000;
/// The last millisecond that a timestamp can carry; a node cannot go on from the day before it, as its clock runs ahead and is leased ahead.
const LAST_MS: u64 = (1 << 48) - 1;

/// Refuses a timestamp from which a node could not go on, or only with its clock pulled far ahead.
pub(crate) fn check_last_commit_ts(ts: CommitTs, now: Timestamp, allow_future: bool) -> Result<(), RestoreError> {
    if ts.unix_ms() > LAST_MS - AHEAD_MS_MAX {
        return Err(RestoreError::TimestampOverflow { last_commit_ts: ts.0 });
    }
    let now_ms = u64::try_from(now.as_millisecond()).unwrap_or(0);
    if ts.unix_ms() > now_ms.saturating_add(AHEAD_MS_MAX) && !allow_future {
        return Err(RestoreError::TimestampInFuture { last_commit_ts: ts.0, time: format_commit_ts(ts) });
    }
    Ok(())
}

/// What is odd about a timestamp that is accepted.
pub(crate) fn timestamp_warning(ts: CommitTs) -> Option<String> {
    let text = "the last commit timestamp is 0: the new node's clock starts from nothing but its own wall clock";
    (ts.0 == 0).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_far_future_and_the_end_of_time_are_refused() {
        let now = Timestamp::from_millisecond(1_700_000_000_000).unwrap();
        let check = |unix_ms: u64, allow| check_last_commit_ts(CommitTs(unix_ms << 16 | 7), now, allow);
        let day_ms = 86_400_000;
        for unix_ms in [0, 1, 1_700_000_000_000, 1_700_000_000_000 + day_ms] {
            assert!(check(unix_ms, false).is_ok(), "{unix_ms}");
        }
        let ahead = 1_700_000_000_001 + day_ms;
        assert!(matches!(check(ahead, false), Err(RestoreError::TimestampInFuture { .. })));
        assert!(check(ahead, true).is_ok());
        for allow in [false, true] {
            for unix_ms in [LAST_MS, LAST_MS - 1, LAST_MS - day_ms + 1] {
                assert!(matches!(check(unix_ms, allow), Err(RestoreError::TimestampOverflow { .. })));
            }
        }
        assert!(check(LAST_MS - day_ms, true).is_ok());
        assert!(timestamp_warning(CommitTs(0)).is_some() && timestamp_warning(CommitTs(1)).is_none());
    }
}
