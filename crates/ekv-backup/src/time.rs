//! Moments as a user writes them and as reports show them.

use std::str::FromStr;
use std::time::{Duration, SystemTime};

use ekv_snapshot::CommitTs;
use jiff::civil::DateTime;
use jiff::fmt::temporal::Pieces;
use jiff::tz::TimeZone;
use jiff::{Span, SpanRelativeTo, Timestamp};

use crate::CommandError;

/// A moment, whatever is read.
///
/// Written as RFC 3339, as a Unix time, as an age (`2h ago`), or as a raw timestamp, `hlc:NUMBER`. A bare number says by its size what it counts: seconds,
/// milliseconds, microseconds, a raw timestamp or nanoseconds; these ranges do not meet between 1975 and 2286. A time without fractions of
/// a second means the last timestamp of that second, in either notation, and one with them the last of that millisecond, so that everything
/// committed in it counts.
///
/// The server issues commit timestamps up to 10 seconds ahead of the wall clock (`docs/format/snapshot.md`, section 7.3): a
/// wall-clock time is that fuzzy.
///
/// ```
/// use ekv_backup::AbsoluteTime;
/// let a: AbsoluteTime = "2026-11-22T15:02:51.025Z".parse()?;
/// let b: AbsoluteTime = "1795359771025".parse()?;
/// assert_eq!(a, b);
/// assert_eq!("hlc:117660697953894403".parse::<AbsoluteTime>()?.commit_ts().unix_ms(), 1795359771025);
/// # Ok::<(), ekv_backup::CommandError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbsoluteTime(CommitTs);

impl AbsoluteTime {
    /// The timestamp.
    pub fn commit_ts(self) -> CommitTs {
        self.0
    }
}

/// The moment at which versions are resolved: an [`AbsoluteTime`], or `1d before the end`, which is counted from the newest commit of what
/// is read.
///
/// ```
/// use ekv_backup::ReadTime;
/// use ekv_snapshot::CommitTs;
/// let end = CommitTs(117660697953894403);
/// assert_eq!("1s before the end".parse::<ReadTime>()?.commit_ts(end).unix_ms(), end.unix_ms() - 1000);
/// assert_eq!("1795359771025".parse::<ReadTime>()?.commit_ts(end).unix_ms(), 1795359771025);
/// # Ok::<(), ekv_backup::CommandError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadTime {
    /// This moment.
    At(AbsoluteTime),
    /// So many milliseconds before the newest commit.
    BeforeEnd {
        /// Milliseconds.
        ms: u64,
    },
}

impl ReadTime {
    /// The timestamp, if it does not depend on what is read.
    pub(crate) fn absolute(self) -> Option<CommitTs> {
        match self {
            ReadTime::At(time) => Some(time.commit_ts()),
            ReadTime::BeforeEnd { .. } => None,
        }
    }

    /// The timestamp at which to read what ends with `end`. A number of milliseconds before that means the last timestamp of the millisecond to
    /// which it leads, and none at all the end itself.
    pub fn commit_ts(self, end: CommitTs) -> CommitTs {
        match self {
            ReadTime::At(time) => time.commit_ts(),
            ReadTime::BeforeEnd { ms: 0 } => end,
            ReadTime::BeforeEnd { ms } => {
                end.unix_ms().checked_sub(ms).and_then(CommitTs::last_of_ms).unwrap_or_default()
            }
        }
    }
}

impl From<CommitTs> for ReadTime {
    fn from(moment: CommitTs) -> Self {
        ReadTime::At(AbsoluteTime(moment))
    }
}

impl FromStr for ReadTime {
    type Err = CommandError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some(age) = text.strip_suffix(" before the end") else { return text.parse().map(ReadTime::At) };
        let ms = parse_age(age).ok().and_then(|age| u64::try_from(age.as_millis()).ok());
        let fail = || CommandError::Time { text: text.to_owned(), lacks_zone: false };
        ms.map(|ms| ReadTime::BeforeEnd { ms }).ok_or_else(fail)
    }
}

/// The last millisecond of a second, from its beginning.
const LAST_MS_OF_SECOND: u64 = 999;
/// Bare numbers below are Unix seconds: up to the year 5138.
const SECONDS_END: u64 = 100_000_000_000;
/// Bare numbers from [`SECONDS_END`] up to here are milliseconds: from 1973 to 5138.
const MILLISECONDS_END: u64 = 100_000_000_000_000;
/// Bare numbers from [`MILLISECONDS_END`] up to here are microseconds: from 1973 to 2286.
const MICROSECONDS_END: u64 = 10_000_000_000_000_000;
/// Bare numbers from [`MICROSECONDS_END`] up to here are raw timestamps, from 1974 to 2405; greater ones are nanoseconds, from 1998 on.
const RAW_END: u64 = 900_000_000_000_000_000;

impl FromStr for AbsoluteTime {
    type Err = CommandError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fail = || {
            let lacks_zone = text.parse::<Timestamp>().is_err() && text.parse::<DateTime>().is_ok();
            CommandError::Time { text: text.to_owned(), lacks_zone }
        };
        if let Some(age) = text.strip_suffix(" ago") {
            let age = parse_age(age).map_err(|_| fail())?;
            let now_ms = u64::try_from(now().as_millisecond()).unwrap_or(0);
            let unix_ms = u64::try_from(age.as_millis()).ok().and_then(|age_ms| now_ms.checked_sub(age_ms));
            return unix_ms.and_then(CommitTs::last_of_ms).map(AbsoluteTime).ok_or_else(fail);
        }
        if let Some(number) = text.strip_prefix("hlc:") {
            return number.parse().map(|ts| AbsoluteTime(CommitTs(ts))).map_err(|_| fail());
        }
        let unix_ms = match text.parse::<u64>() {
            Ok(seconds) if seconds < SECONDS_END => seconds.saturating_mul(1000).saturating_add(LAST_MS_OF_SECOND),
            Ok(unix_ms) if unix_ms < MILLISECONDS_END => unix_ms,
            Ok(microseconds) if microseconds < MICROSECONDS_END => microseconds / 1000,
            Ok(raw) if raw < RAW_END => return Ok(AbsoluteTime(CommitTs(raw))),
            Ok(nanoseconds) => nanoseconds / 1_000_000,
            Err(_) => {
                let moment = text.parse::<Timestamp>().ok().or_else(|| after_the_calendar(text)).ok_or_else(fail)?;
                let unix_ms = u64::try_from(moment.as_millisecond()).map_err(|_| fail())?;
                let has_fraction = text.contains(['.', ',']);
                if has_fraction { unix_ms } else { unix_ms.saturating_add(LAST_MS_OF_SECOND) }
            }
        };
        CommitTs::last_of_ms(unix_ms).map(AbsoluteTime).ok_or_else(fail)
    }
}

/// The last whole second but one that the library knows, for a time of the year 9999 that is later: some hours, for the sake of time zones.
fn after_the_calendar(text: &str) -> Option<Timestamp> {
    let pieces = Pieces::parse(text).ok()?;
    let is_moment = pieces.time().is_some() && pieces.offset().is_some();
    (is_moment && pieces.date() >= TimeZone::UTC.to_datetime(Timestamp::MAX).date())
        .then_some(Timestamp::from_second(Timestamp::MAX.as_second() - 1).ok())
        .flatten()
}

/// First second of the year 0, in Unix time: RFC 3339 writes no year before it.
const FIRST_SECOND: i64 = -62_167_219_200;

/// This machine's clock; the last moment there is if it shows a later one, which [`check_wall_time`] refuses.
pub(crate) fn now() -> Timestamp {
    Timestamp::try_from(SystemTime::now()).unwrap_or(Timestamp::MAX)
}

/// Refuses a time that a manifest cannot state.
pub(crate) fn check_wall_time(now: Timestamp) -> Result<(), CommandError> {
    if now == Timestamp::MAX || now.as_second() < FIRST_SECOND { Err(CommandError::Clock) } else { Ok(()) }
}

/// The time that the environment variable SOURCE_DATE_EPOCH states, for output that shall be the same in every run: seconds since 1970.
///
/// # Errors
/// [`CommandError::SourceDateEpoch`] for anything else, and for a year after 9999.
pub fn parse_source_date_epoch(text: &str) -> Result<Timestamp, CommandError> {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let time = text.parse().ok().filter(|_| is_plain).and_then(|seconds| Timestamp::from_second(seconds).ok());
    time.ok_or_else(|| CommandError::SourceDateEpoch { text: text.to_owned() })
}

/// A length of time such as `24h`, `90m` or `1d 12h`; a day has 24 hours.
///
/// # Errors
/// [`CommandError::Age`] for anything else, and for a negative one.
pub fn parse_age(text: &str) -> Result<Duration, CommandError> {
    let span = text.parse::<Span>().ok();
    let age = span.and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()).ok());
    let age = age.and_then(|age| Duration::try_from(age).ok());
    age.ok_or_else(|| CommandError::Age { text: text.to_owned() })
}

/// A timestamp's wall-clock part as RFC 3339, in UTC with milliseconds.
pub fn format_commit_ts(ts: CommitTs) -> String {
    format_unix_ms(ts.unix_ms())
}

/// Unix milliseconds as RFC 3339 in UTC; the number itself if no calendar has such a day.
pub fn format_unix_ms(unix_ms: u64) -> String {
    let moment = i64::try_from(unix_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    moment.map_or_else(|| format!("{unix_ms} ms"), |moment| format!("{moment:.3}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clock_that_no_manifest_can_state_is_refused() {
        assert!(check_wall_time(now()).is_ok() && check_wall_time(Timestamp::UNIX_EPOCH).is_ok());
        for time in [Timestamp::MAX, Timestamp::MIN] {
            assert!(matches!(check_wall_time(time), Err(CommandError::Clock)), "{time}");
        }
    }

    #[test]
    fn age_means_so_long_before_now() {
        let before = u64::try_from(now().as_millisecond()).unwrap();
        let read: AbsoluteTime = "1h 30m ago".parse().unwrap();
        let after = u64::try_from(now().as_millisecond()).unwrap();
        assert!((before..=after).contains(&(read.commit_ts().unix_ms() + 5_400_000)), "{read:?}");
        for text in ["ago", " ago", "soon ago", "-2h ago", "9000y ago", "2h"] {
            assert!(text.parse::<AbsoluteTime>().is_err(), "{text}");
        }
    }

    #[test]
    fn ages_are_lengths_of_time() {
        for (text, seconds) in [("24h", 86_400), ("90m", 5400), ("2d", 172_800), ("1d 12h", 129_600), ("PT30S", 30)] {
            assert_eq!(parse_age(text).unwrap(), Duration::from_secs(seconds), "{text}");
        }
        for text in ["", "24", "-1h", "1 month", "tomorrow"] {
            assert!(parse_age(text).is_err(), "{text}");
        }
    }

    #[test]
    fn time_for_manifests_is_whole_seconds() {
        assert_eq!(parse_source_date_epoch("1795359771").unwrap().as_second(), 1_795_359_771);
        for text in ["", "-1", "+1", "1.5", "today", "99999999999999999999", "999999999999999"] {
            assert!(parse_source_date_epoch(text).is_err(), "{text}");
        }
    }

    #[test]
    fn time_without_a_zone_is_refused_as_such() {
        for (text, lacks_zone) in [("2026-11-22T15:33:50", true), ("2026-11-22", true), ("-5", false), ("soon", false)]
        {
            let error = text.parse::<AbsoluteTime>().unwrap_err().to_string();
            assert_eq!(error.contains("lacks a time zone"), lacks_zone, "{error}");
        }
    }

    #[test]
    fn all_notations_of_a_moment_agree_and_nonsense_is_refused() {
        let expected = CommitTs(1_795_359_771_025 << 16 | 0xffff);
        for text in ["1795359771025", "2026-11-22T15:02:51.025Z", "2026-11-22T16:02:51.0259+01:00"] {
            assert_eq!(text.parse::<AbsoluteTime>().unwrap().commit_ts(), expected, "{text}");
        }
        for text in ["117660697953894403", "hlc:117660697953894403"] {
            assert_eq!(text.parse::<AbsoluteTime>().unwrap().commit_ts(), CommitTs(117_660_697_953_894_403), "{text}");
        }
        assert_eq!("hlc:45".parse::<AbsoluteTime>().unwrap().commit_ts(), CommitTs(45));
        let second = CommitTs(1_795_359_771_999 << 16 | 0xffff);
        for text in ["1795359771", "2026-11-22T15:02:51Z", "2026-11-22T16:02:51+01:00", "2026-11-22T15:02:51.999Z"] {
            assert_eq!(text.parse::<AbsoluteTime>().unwrap().commit_ts(), second, "{text}");
        }
        let start = CommitTs(1_795_359_771_000 << 16 | 0xffff);
        assert_eq!("2026-11-22T15:02:51.000Z".parse::<AbsoluteTime>().unwrap().commit_ts(), start);
        for text in ["1795359771025999", "1795359771025999999"] {
            assert_eq!(text.parse::<AbsoluteTime>().unwrap().commit_ts(), expected, "{text}");
        }
        for text in ["", "yesterday", "-5", "2026-11-22", "hlc:", "hlc:x", "1969-12-31T23:59:59Z", "1e12"] {
            assert!(text.parse::<AbsoluteTime>().is_err(), "{text}");
        }
        let last = "9999-12-31T23:59:59Z".parse::<AbsoluteTime>().unwrap().commit_ts();
        assert_eq!(format_commit_ts(last), "9999-12-30T21:59:59.999Z");
        for text in ["9999-12-31", "9999-12-31T23:59:59", "9999-12-32T23:59:59Z", "10000-01-01T00:00:00Z"] {
            assert!(text.parse::<AbsoluteTime>().is_err(), "{text}");
        }
        assert_eq!(format_commit_ts(expected), "2026-11-22T15:02:51.025Z");
        assert_eq!(format_unix_ms(u64::MAX), "18446744073709551615 ms");
    }
}
