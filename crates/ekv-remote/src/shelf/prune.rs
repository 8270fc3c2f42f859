//! Dumps that no rule keeps go.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::description::{Description, Status};
use super::keep::{Candidate, KeepError, KeepRules, Reason, keep};
use super::list::{Row, State, list};
use super::name::DESCRIPTION;
use crate::{Error, Remote};

/// What a run may still be at work on, or somebody may still look at: archives without description that are younger stay.
const UNDESCRIBED_STAYS: SignedDuration = SignedDuration::from_hours(24);

/// What is to become of a dump.
#[derive(Debug)]
pub struct Planned {
    /// The dump.
    pub row: Row,
    /// Why it is kept; if there is no reason, it goes.
    pub reasons: BTreeSet<Reason>,
    /// Why it stays although no rule keeps it.
    pub stays: Option<&'static str>,
}

impl Planned {
    /// Whether it is to be deleted.
    pub fn goes(&self) -> bool {
        self.reasons.is_empty() && self.stays.is_none()
    }
}

/// What is to become of all dumps of a shelf, oldest first.
#[derive(Debug)]
pub struct Plan {
    /// The dumps.
    pub dumps: Vec<Planned>,
    /// Objects of the shelf that are none of ours; they stay.
    pub others: u64,
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PruneError {
    /// The rules keep nothing.
    #[error(transparent)]
    Rules(#[from] KeepError),
    /// The shelf cannot be read as a whole: nothing is deleted.
    #[error(transparent)]
    Remote(#[from] Error),
    /// A description cannot be read: what it describes may be the dump that must stay.
    #[error(
        "{name}: the description says nothing ({problem}): nothing is deleted; look at it, and delete it if it is yours to delete"
    )]
    Description {
        /// The dump.
        name: String,
        /// What is wrong with its description.
        problem: String,
    },
}

/// Decides what goes, and deletes nothing. Memory: some hundred bytes for each dump.
///
/// # Errors
/// [`PruneError`].
pub fn plan(remote: &dyn Remote, prefix: &str, rules: &KeepRules, now: Timestamp) -> Result<Plan, PruneError> {
    let mut rows = Vec::new();
    let others = list(remote, prefix, &mut |row| {
        rows.push(row);
        Ok(())
    })?;
    let unsound = rows.iter().find_map(|row| match &row.state {
        State::Unsound(problem) => Some((row.name, problem.to_string())),
        _ => None,
    });
    if let Some((name, problem)) = unsound {
        return Err(PruneError::Description { name: name.to_string(), problem });
    }
    let candidates: Vec<Candidate> = rows.iter().filter_map(Row::description).map(candidate).collect();
    let mut reasons = keep(&candidates, rules)?.into_iter();
    let planned = |row: Row| match row.state {
        State::Described(_) => Planned { row, reasons: reasons.next().unwrap_or_default(), stays: None },
        _ => {
            let modified = row.archive.as_ref().and_then(|(_, _, modified)| *modified);
            let is_old = modified.is_some_and(|modified| now.duration_since(modified) >= UNDESCRIBED_STAYS);
            let stays = (!is_old).then_some("no description, and younger than a day: it may still be written");
            Planned { row, reasons: BTreeSet::new(), stays }
        }
    };
    Ok(Plan { dumps: rows.into_iter().map(planned).collect(), others })
}

fn candidate(description: &Description) -> Candidate {
    Candidate {
        at: description.at,
        is_complete: description.status == Status::Complete,
        is_verified: description.verified_at.is_some(),
        cluster_id: description.cluster_id.clone(),
        tags: description.tags.clone(),
    }
}

/// Deletes what goes, the description of each before its archive, and tells `gone` of each that is gone.
///
/// # Errors
/// Of the store; what was told is gone, everything else is there.
pub fn carry_out(remote: &dyn Remote, prefix: &str, plan: &Plan, gone: &mut dyn FnMut(&Row)) -> crate::Result<()> {
    for dump in plan.dumps.iter().filter(|dump| dump.goes()) {
        if dump.row.description().is_some() {
            remote.delete(&format!("{prefix}{}{DESCRIPTION}", dump.row.name))?;
        }
        if let Some((key, ..)) = &dump.row.archive {
            remote.delete(key)?;
        }
        gone(&dump.row);
    }
    Ok(())
}
