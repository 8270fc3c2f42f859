//! What is said about what was selected of a dump, and what stays in it.

use ekv_model::{Finding, FindingTotals, Findings, Unmatched};

use crate::culprit;

/// The filters of a part of a part: first those of the whole part, then those that select of that.
pub(crate) fn joined(before: Option<&str>, now: Option<String>) -> Option<String> {
    match (before, now) {
        (Some(before), Some(now)) => Some(format!("{before} | {now}")),
        (before, now) => before.map(str::to_owned).or(now),
    }
}

/// Names that messages tell at most.
const NAMES_SHOWN_MAX: usize = 10;

/// What is said about filters that match nothing while others do.
pub(crate) fn unmatched_warning(unmatched: &Unmatched) -> Option<String> {
    let filters: Vec<&str> = unmatched.filters().collect();
    unmatched_text(&filters)
}

/// The same of filters as texts.
pub(crate) fn unmatched_text<T: AsRef<str>>(unmatched: &[T]) -> Option<String> {
    let mut filters: Vec<&str> = unmatched.iter().take(NAMES_SHOWN_MAX).map(AsRef::as_ref).collect();
    let more = unmatched.len().saturating_sub(filters.len());
    let more = format!("and {more} more");
    if more != "and 0 more" {
        filters.push(&more);
    }
    (!filters.is_empty()).then(|| format!("nothing in the dump matches {}", filters.join(", ")))
}

/// What stays in the dump, as warnings.
pub(crate) fn warnings_of(findings: &Findings) -> Vec<String> {
    let warning = |(finding, totals): (&Finding, &FindingTotals)| {
        let first = totals.examples.first().map(|example| format!("; first: {}", culprit::line(finding.name, example)));
        let first = first.unwrap_or_default();
        format!("{}: {} ({}{first})", finding.name, finding.meaning, totals.count)
    };
    findings.iter().map(warning).collect()
}
