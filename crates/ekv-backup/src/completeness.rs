//! Is everything there? The one place that decides it, for people, scripts, and whoever reads the dump later.
//!
//! Whatever is missing from a result is a finding of severity loss; nothing else makes it incomplete. What was left out because the user
//! asked for that is no loss, but the result is not called complete without saying so.

use ekv_adapters::{Family, Outcome, Role, Tally};
pub use ekv_dump::manifest::Choice;
use ekv_model::{Findings, Severity};
use ekv_snapshot::{CommitTs, FamilyTotals};
use serde::{Deserialize, Serialize};

use crate::Protocol;
use crate::culprit;
use crate::groups::{MISSING, NO_CATALOG, NOT_IN_CATALOG, UNROUTED};
use crate::loaded::{Loaded, NEWER_SNAPSHOT, OLDER_SNAPSHOT, ReadOptions};
use crate::report::Moment;
use crate::state::State;

/// Whether a result holds everything that was asked for. Source: `docs/format/tree.md`, section 6.4.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Completeness {
    /// The answer.
    pub status: Status,
    /// What is missing although it was asked for, by kind; empty if and only if the result is complete.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Missing>,
    /// What options left out or accepted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_choice: Vec<Choice>,
    /// Whether there is any visible data of users, of whatever protocol.
    pub holds_data: bool,
    /// What the answer rests on.
    pub rests_on: Grounds,
}

/// The answer of a [`Completeness`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Nothing is missing that was asked for.
    Complete,
    /// Something is.
    Incomplete,
}

/// A kind of finding that makes a result incomplete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// Name of the finding.
    pub name: String,
    /// How often it occurred.
    pub count: u64,
    /// What it means.
    pub meaning: String,
    /// The first occurrence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
}

/// What a [`Completeness`] rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grounds {
    /// Whether checksums prove that the snapshots are whole.
    pub checksum: Proof,
    /// Raft groups with data of users that were read; the clock group is none.
    pub groups_present: u64,
    /// Groups that own keys, as the routing catalog says; absent if nothing says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups_expected: Option<u64>,
    /// The moment at which versions were resolved; of several groups the latest.
    pub moment: Moment,
    /// The moment at which the group that was read at the earliest one was read; absent if all were read at the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_moment: Option<Moment>,
    /// First time that each of several groups answers; absent for one group, or if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub common_from: Option<Moment>,
    /// Last time that each of several groups answers; absent as `common_from`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub common_to: Option<Moment>,
    /// Whether that is the newest state of each snapshot: no time was asked for.
    pub is_newest: bool,
    /// No later commit can be of this time or before, in any group: reads up to it are final.
    pub closed_until: Moment,
}

/// Whether checksums prove that all snapshots are whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// All carry one, and it holds.
    Verified,
    /// Some carry none.
    PartlyVerified,
    /// None carries one: a snapshot that was cut at the border of a record looks the same.
    Unverified,
}

impl Proof {
    fn of(loaded: &Loaded) -> Self {
        match loaded.snapshots.iter().filter(|snapshot| snapshot.is_proven).count() {
            0 => Proof::Unverified,
            proven if proven == loaded.snapshots.len() => Proof::Verified,
            _ => Proof::PartlyVerified,
        }
    }
}

impl Completeness {
    /// Decides about what was `loaded`; `found` are all findings of the run. Of a decode, what became of the records of which adapters.
    pub(crate) fn of(
        loaded: &Loaded,
        state: &State,
        options: &ReadOptions,
        found: &Findings,
        decoded: Option<(&Tally, &[Protocol])>,
    ) -> Self {
        let missing = missing(found);
        let (older, groups) = ("--allow-older", "--allow-missing-groups");
        let (is_older_allowed, are_groups_allowed) = (options.allow_older, options.allow_missing_groups);
        let acceptable = [
            (
                is_older_allowed,
                OLDER_SNAPSHOT,
                older,
                ["newer snapshot that is damaged", "newer snapshots that are damaged"],
            ),
            (
                is_older_allowed,
                NEWER_SNAPSHOT,
                older,
                ["newer snapshot that no .snap file names", "newer snapshots that no .snap file names"],
            ),
            (are_groups_allowed, MISSING, groups, ["group that is missing", "groups that are missing"]),
            (
                are_groups_allowed,
                NO_CATALOG,
                groups,
                ["routing catalog that names the groups", "routing catalogs that name the groups"],
            ),
            (are_groups_allowed, NOT_IN_CATALOG, groups, ["group that owns no key", "groups that own no key"]),
            (
                are_groups_allowed,
                UNROUTED,
                groups,
                ["kind of records that no group owns", "kinds of records that no group owns"],
            ),
        ];
        let accepted = acceptable.iter().filter(|row| row.0).filter_map(|(_, accepted, option, what)| {
            let totals = found.iter().find(|(finding, _)| finding.name == accepted.name).map(|(_, totals)| totals)?;
            Some(choice(option, totals.count, *what))
        });
        let left_out = decoded.map(|(tally, adapters)| left_out(tally, adapters)).unwrap_or_default();
        let (oldest, newest) = (state.oldest_read_ts(loaded), state.newest_read_ts());
        let common = loaded.common_times();
        Completeness {
            status: if missing.is_empty() { Status::Complete } else { Status::Incomplete },
            missing,
            by_choice: left_out.into_iter().chain(accepted).collect(),
            holds_data: holds_data(&state.families),
            rests_on: Grounds {
                checksum: Proof::of(loaded),
                groups_present: state.groups.present,
                groups_expected: state.groups.expected,
                moment: newest.into(),
                oldest_moment: (oldest < newest).then(|| oldest.into()),
                common_from: common.map(|(from, _)| from.into()),
                common_to: common.map(|(_, to)| to.into()),
                is_newest: state.is_newest,
                closed_until: loaded.closed_until().into(),
            },
        }
    }

    /// Of keys that lie in no store.
    pub(crate) fn of_keys(
        found: &Findings,
        by_choice: Vec<Choice>,
        holds_data: bool,
        checksum: Proof,
        moment: CommitTs,
    ) -> Self {
        let missing = missing(found);
        Completeness {
            status: if missing.is_empty() { Status::Complete } else { Status::Incomplete },
            missing,
            by_choice,
            holds_data,
            rests_on: Grounds {
                checksum,
                groups_present: 0,
                groups_expected: None,
                moment: moment.into(),
                oldest_moment: None,
                common_from: None,
                common_to: None,
                is_newest: true,
                closed_until: moment.into(),
            },
        }
    }

    /// Whether nothing is missing.
    pub fn is_complete(&self) -> bool {
        self.status == Status::Complete
    }
}

/// What makes a result incomplete, by kind.
fn missing(found: &Findings) -> Vec<Missing> {
    found
        .iter()
        .filter(|(finding, _)| finding.severity == Severity::Loss)
        .map(|(finding, totals)| Missing {
            name: finding.name.to_owned(),
            count: totals.count,
            meaning: finding.meaning.to_owned(),
            first: totals.examples.first().map(|example| culprit::line(finding.name, example)),
        })
        .collect()
}

/// Whether a reader sees any data of users.
fn holds_data(families: &[FamilyTotals]) -> bool {
    let visible = |family: &&Family| families.get(family.number()).is_some_and(|totals| totals.visible > 0);
    Family::ALL.iter().filter(|family| family.role() == Role::Data).any(|family| visible(&family))
}

/// Records that options left out of a decode. What no client can see, such as uploads that were not completed, is not among them.
fn left_out(tally: &Tally, adapters: &[Protocol]) -> Vec<Choice> {
    let sum = |outcome: Outcome, is_meant: &dyn Fn(Family) -> bool| -> u64 {
        Family::ALL.iter().filter(|family| is_meant(**family)).map(|family| tally.of(*family).get(outcome)).sum()
    };
    let is_unasked = |family: Family| family.owner().protocol().is_some_and(|adapter| !adapters.contains(&adapter));
    let is_bare = |family: Family| family == Family::Bare && !is_unasked(family);
    let rows = [
        (
            "--adapter",
            sum(Outcome::NotDecoded, &is_unasked),
            ["record of adapters that were not asked for", "records of adapters that were not asked for"],
        ),
        (
            "filters",
            sum(Outcome::NotSelected, &|_| true),
            ["record of things that were not selected", "records of things that were not selected"],
        ),
        ("--bare-keys", sum(Outcome::NotDecoded, &is_bare), ["key without a prefix", "keys without a prefix"]),
        (
            "--expired",
            sum(Outcome::Expired, &|_| true),
            ["record of keys that had expired", "records of keys that had expired"],
        ),
    ];
    let rows = rows.into_iter().filter(|(_, count, _)| *count > 0);
    rows.map(|(option, count, what)| choice(option, count, what)).collect()
}

/// `what` in singular and plural.
pub(crate) fn choice(option: &str, count: u64, [one, many]: [&str; 2]) -> Choice {
    Choice { option: option.to_owned(), count, what: if count == 1 { one } else { many }.to_owned() }
}
