//! What is said about what was selected of a dump, and what stays in it.

use ekv_model::{Example, Finding, FindingTotals, Findings, Unmatched};

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
    let mut filters: Vec<&str> = unmatched.filters().take(NAMES_SHOWN_MAX).collect();
    let more = unmatched.filters().count().saturating_sub(filters.len());
    let more = format!("and {more} more");
    if more != "and 0 more" {
        filters.push(&more);
    }
    (!filters.is_empty()).then(|| format!("nothing in the dump matches {}", filters.join(", ")))
}

/// An occurrence as a warning shows it.
fn name_of(example: &Example) -> String {
    let key = example.key.as_deref().map(|key| format!("{} ", ekv_snapshot::escape(key)));
    format!("{}{}", key.unwrap_or_default(), example.detail)
}

/// What stays in the dump, as warnings.
pub(crate) fn warnings_of(findings: &Findings) -> Vec<String> {
    let warning = |(finding, totals): (&Finding, &FindingTotals)| {
        let first = totals.examples.first().map(|example| format!("; first: {}", name_of(example)));
        let first = first.unwrap_or_default();
        format!("{}: {} ({}{first})", finding.name, finding.meaning, totals.count)
    };
    findings.iter().map(warning).collect()
}
