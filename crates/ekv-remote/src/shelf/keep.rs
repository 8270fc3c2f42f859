//! Which dumps rules keep.

use std::collections::BTreeSet;
use std::fmt;

use jiff::civil::{Date, ISOWeekDate};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// A dump as the rules see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The moment that it shows.
    pub at: Timestamp,
    /// Whether everything is in it.
    pub is_complete: bool,
    /// Whether it was read back and found equal.
    pub is_verified: bool,
    /// The cluster that it is of: rules count for each by itself.
    pub cluster_id: Option<String>,
    /// Words of the operator.
    pub tags: Vec<String>,
}

/// What is kept. A period is one of UTC; of the last so many periods that have a dump, the newest dump of each is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeepRules {
    /// The newest dumps, whatever their times.
    pub last: u32,
    /// One of each hour.
    pub hourly: u32,
    /// One of each day.
    pub daily: u32,
    /// One of each week, Monday to Sunday.
    pub weekly: u32,
    /// One of each month.
    pub monthly: u32,
    /// One of each year.
    pub yearly: u32,
    /// All that are at most this much older than the newest one.
    pub within: Option<SignedDuration>,
    /// All with one of these tags.
    pub tags: Vec<String>,
}

/// Why a dump is kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// One of the newest.
    Last,
    /// The newest of its hour.
    Hourly,
    /// The newest of its day.
    Daily,
    /// The newest of its week.
    Weekly,
    /// The newest of its month.
    Monthly,
    /// The newest of its year.
    Yearly,
    /// Not much older than the newest.
    Within,
    /// It has this tag.
    Tag(String),
    /// The newest that is complete and was verified: it goes by no rule.
    NewestVerified,
    /// The newest that is complete, as long as none was verified: it goes by no rule.
    NewestComplete,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::Last => "last",
            Reason::Hourly => "hourly",
            Reason::Daily => "daily",
            Reason::Weekly => "weekly",
            Reason::Monthly => "monthly",
            Reason::Yearly => "yearly",
            Reason::Within => "within",
            Reason::Tag(tag) => return write!(f, "tag {tag}"),
            Reason::NewestVerified => "newest that was verified",
            Reason::NewestComplete => "newest that is complete",
        })
    }
}

/// Rules that keep nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("these rules keep nothing: name at least one, such as --keep-daily 7")]
pub struct KeepError;

/// The years, months and so on of dumps; equal for two of the same period.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Period {
    Own(usize),
    Hour(Date, i8),
    Day(Date),
    Week(i16, i8),
    Month(i16, i8),
    Year(i16),
}

impl KeepRules {
    /// Whether they keep nothing.
    fn is_empty(&self) -> bool {
        let KeepRules { last, hourly, daily, weekly, monthly, yearly, within, tags } = self;
        [last, hourly, daily, weekly, monthly, yearly].into_iter().all(|count| *count == 0)
            && within.is_none()
            && tags.is_empty()
    }

    fn counts(&self) -> [(Reason, u32); 6] {
        [
            (Reason::Last, self.last),
            (Reason::Hourly, self.hourly),
            (Reason::Daily, self.daily),
            (Reason::Weekly, self.weekly),
            (Reason::Monthly, self.monthly),
            (Reason::Yearly, self.yearly),
        ]
    }
}

/// Why each of `dumps` is kept, in their order; those without a reason go.
///
/// A dump with losses stands for its period only if no complete one does. The newest complete dump that was verified is kept in any case, of each
/// cluster; as long as none was verified, the newest complete one.
///
/// # Errors
/// [`KeepError`].
pub fn keep(dumps: &[Candidate], rules: &KeepRules) -> Result<Vec<BTreeSet<Reason>>, KeepError> {
    if rules.is_empty() {
        return Err(KeepError);
    }
    let mut kept = vec![BTreeSet::new(); dumps.len()];
    let clusters: BTreeSet<Option<&str>> = dumps.iter().map(|dump| dump.cluster_id.as_deref()).collect();
    for cluster in clusters {
        let of_cluster = dumps.iter().enumerate().filter(|(_, dump)| dump.cluster_id.as_deref() == cluster);
        let mut newest_first: Vec<(usize, &Candidate)> = of_cluster.collect();
        newest_first.sort_by_key(|(_, dump)| std::cmp::Reverse(dump.at));
        keep_of_cluster(&newest_first, rules, &mut |index, reason| {
            if let Some(reasons) = kept.get_mut(index) {
                reasons.insert(reason);
            }
        });
    }
    Ok(kept)
}

/// Calls `mark` with the index of each dump that a rule keeps.
fn keep_of_cluster(newest_first: &[(usize, &Candidate)], rules: &KeepRules, mark: &mut impl FnMut(usize, Reason)) {
    for (reason, count) in rules.counts() {
        let mut periods = 0;
        let mut of_period = newest_first
            .chunk_by(|(a, first), (b, second)| period(&reason, *a, first.at) == period(&reason, *b, second.at));
        while periods < count {
            let Some(dumps) = of_period.next() else { break };
            let complete = dumps.iter().find(|(_, dump)| dump.is_complete);
            if let Some((index, _)) = complete.or(dumps.first()) {
                mark(*index, reason.clone());
            }
            periods += 1;
        }
    }
    let newest = newest_first.first().map(|(_, dump)| dump.at);
    for (index, dump) in newest_first {
        let is_young = |within: SignedDuration| newest.is_some_and(|newest| newest.duration_since(dump.at) <= within);
        if rules.within.is_some_and(is_young) {
            mark(*index, Reason::Within);
        }
        for tag in rules.tags.iter().filter(|tag| dump.tags.contains(tag)) {
            mark(*index, Reason::Tag(tag.clone()));
        }
    }
    let complete = || newest_first.iter().filter(|(_, dump)| dump.is_complete);
    if let Some((index, _)) = complete().find(|(_, dump)| dump.is_verified) {
        mark(*index, Reason::NewestVerified);
    } else if let Some((index, _)) = complete().next() {
        mark(*index, Reason::NewestComplete);
    }
}

/// The period of a dump by the rule that gives this reason.
fn period(reason: &Reason, index: usize, at: Timestamp) -> Period {
    let time = at.to_zoned(TimeZone::UTC).datetime();
    let date = time.date();
    match reason {
        Reason::Hourly => Period::Hour(date, time.hour()),
        Reason::Daily => Period::Day(date),
        Reason::Weekly => {
            let week = ISOWeekDate::from(date);
            Period::Week(week.year(), week.week())
        }
        Reason::Monthly => Period::Month(date.year(), date.month()),
        Reason::Yearly => Period::Year(date.year()),
        _ => Period::Own(index),
    }
}

#[cfg(test)]
mod tests;
