//! What the report of this tool in a manifest tells about the dump as a whole.

use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;

use ekv_model::Finding;
use serde::de::{self, Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

/// Kinds of losses, and groups, that are kept.
const KEPT_MAX: usize = 1024;
/// Longest text that is kept, in characters.
const TEXT_LEN_MAX: usize = 256;

/// What the report of this tool in a manifest (member `ekv_backup`) tells about the dump as a whole. Empty for a dump of another program, and
/// where the report has another shape.
///
/// Source: `docs/format/tree.md`, sections 6 and 15. Cost: bounded, whatever the manifest holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// How many things were left out.
    pub loss_count: u64,
    /// The same by kinds.
    pub losses: Vec<LossKind>,
    /// What `completeness.status` says, if anything.
    pub status: Option<String>,
    /// What options of the decode left out or accepted (`completeness.by_choice`).
    pub choices: Vec<Choice>,
    /// The filters with which the dump was made: it is a part of the snapshot then. At most 256 characters of them.
    pub selection: Option<String>,
    /// The moment that was read, of several groups the latest (HLC), if the report states it.
    pub read_ts: Option<u64>,
    /// Ids of the groups that the dump was made from, ascending, as far as they are known; not that of the clock, 0.
    pub group_ids: Vec<u64>,
    /// Number of losses that LOSSES.jsonl lists; `None` = there is no such file.
    pub listed_losses: Option<u64>,
    /// Number of names in SCOPES.jsonl; `None` = there is no such file.
    pub listed_scopes: Option<u64>,
    /// Names of all findings, losses or not, ascending.
    pub findings: BTreeSet<String>,
}

impl Account {
    /// Whether the report tells of a finding: then what looks like a mistake in the dump was stored in that way.
    pub fn tells_of(&self, finding: Finding) -> bool {
        self.findings.contains(finding.name)
    }
}

/// Something that an option of a decode left out or accepted. Source: `docs/format/tree.md`, section 6.4.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// The option; of a dump that is read at most 256 characters of it.
    pub option: String,
    /// How many things it concerns.
    pub count: u64,
    /// What they are, in the number that goes with `count`; of a dump that is read at most 256 characters of it.
    pub what: String,
}

/// A kind of loss.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LossKind {
    /// Its name, at most 256 characters of it.
    pub name: String,
    /// What it means, at most 256 characters of it.
    pub meaning: String,
    /// How often it occurred.
    pub count: u64,
}

/// How a finding in the report says that it is a loss.
const LOSS: &str = "loss";

/// The members of the report that count.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Report {
    findings: First<RawFinding>,
    snapshots: First<RawSnapshot>,
    completeness: RawCompleteness,
    selection: Option<Short>,
    listed_losses: Option<u64>,
    listed_scopes: Option<u64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawFinding {
    name: Short,
    severity: Short,
    meaning: Short,
    count: u64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawSnapshot {
    group_id: Option<u64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawCompleteness {
    status: Option<Short>,
    by_choice: First<RawChoice>,
    rests_on: RawGrounds,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawGrounds {
    moment: RawMoment,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawMoment {
    hlc: Option<u64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawChoice {
    option: Short,
    count: u64,
    what: Short,
}

/// The member of the manifest.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct WithReport {
    ekv_backup: Option<Report>,
}

impl From<WithReport> for Account {
    fn from(manifest: WithReport) -> Self {
        let Some(report) = manifest.ekv_backup else { return Account::default() };
        let mut group_ids: Vec<u64> =
            report.snapshots.0.into_iter().filter_map(|snapshot| snapshot.group_id).filter(|id| *id != 0).collect();
        group_ids.sort_unstable();
        group_ids.dedup();
        let is_loss = |finding: &RawFinding| finding.severity.0 == LOSS;
        let findings = report.findings.0.iter().map(|finding| finding.name.0.clone()).collect();
        let losses: Vec<LossKind> = report
            .findings
            .0
            .into_iter()
            .filter(is_loss)
            .map(|finding| LossKind { name: finding.name.0, meaning: finding.meaning.0, count: finding.count })
            .collect();
        let choice = |RawChoice { option, count, what }| Choice { option: option.0, count, what: what.0 };
        Account {
            loss_count: losses.iter().fold(0, |sum: u64, kind| sum.saturating_add(kind.count)),
            losses,
            read_ts: report.completeness.rests_on.moment.hlc,
            status: report.completeness.status.map(|status| status.0),
            choices: report.completeness.by_choice.0.into_iter().map(choice).collect(),
            selection: report.selection.map(|selection| selection.0),
            group_ids,
            listed_losses: report.listed_losses,
            listed_scopes: report.listed_scopes,
            findings,
        }
    }
}

/// The beginning of a text.
#[derive(Default)]
struct Short(String);

impl<'de> Deserialize<'de> for Short {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ShortVisitor;

        impl Visitor<'_> for ShortVisitor {
            type Value = Short;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Short, E> {
                Ok(Short(text.chars().take(TEXT_LEN_MAX).collect()))
            }
        }

        deserializer.deserialize_str(ShortVisitor)
    }
}

/// The first elements of a list.
#[derive(Default)]
struct First<T>(Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for First<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FirstVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for FirstVisitor<T> {
            type Value = First<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<First<T>, A::Error> {
                let mut kept = Vec::new();
                while kept.len() < KEPT_MAX
                    && let Some(element) = elements.next_element()?
                {
                    kept.push(element);
                }
                while elements.next_element::<IgnoredAny>()?.is_some() {}
                Ok(First(kept))
            }
        }

        deserializer.deserialize_seq(FirstVisitor(PhantomData))
    }
}
