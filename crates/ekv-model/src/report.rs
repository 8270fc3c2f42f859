//! Findings: everything a run wants to tell beyond its result, counted and with a few examples, in bounded memory.

use std::collections::BTreeMap;

/// Examples kept per kind of finding.
const EXAMPLES_PER_FINDING: usize = 8;
/// Longest part of a key that an example keeps, in bytes.
const EXAMPLE_KEY_LEN: usize = 256;

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing; nothing is missing.
    Info,
    /// Odd input that was handled; fatal under `--strict` only where data is involved that no adapter knows.
    Warning,
    /// Something was left out of the output because it was damaged; the run ends with exit code 5.
    Loss,
}

/// A kind of finding, by the stable name under which it is counted and documented.
///
/// Source: `docs/format/redis.md`, section 7; `docs/format/snapshot.md`, sections 6, 7 and 15.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Finding {
    /// Stable name, such as `redis_orphan_ttl`.
    pub name: &'static str,
    /// How much it weighs.
    pub severity: Severity,
    /// Whether `--strict` turns it into an error.
    pub strict_fatal: bool,
    /// What it means, in one sentence without full stop.
    pub meaning: &'static str,
}

impl Finding {
    /// Something worth knowing.
    pub const fn info(name: &'static str, meaning: &'static str) -> Finding {
        Finding { name, severity: Severity::Info, strict_fatal: false, meaning }
    }

    /// Odd input that was handled.
    pub const fn warning(name: &'static str, meaning: &'static str) -> Finding {
        Finding { name, severity: Severity::Warning, strict_fatal: false, meaning }
    }

    /// Something that is left out because it is damaged; fatal under `--strict`.
    pub const fn loss(name: &'static str, meaning: &'static str) -> Finding {
        Finding { name, severity: Severity::Loss, strict_fatal: true, meaning }
    }

    /// The same finding, but fatal under `--strict`.
    #[must_use]
    pub const fn fatal_if_strict(self) -> Finding {
        Finding { strict_fatal: true, ..self }
    }
}

/// One occurrence that is shown to the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// The user key or name concerned, if there is one.
    pub key: Option<Vec<u8>>,
    /// Byte offset in the input, if there is one.
    pub byte_offset: Option<u64>,
    /// Details: numbers, what was expected, what was kept.
    pub detail: String,
}

impl Example {
    /// An occurrence; of a long key only the beginning is kept.
    pub fn new(key: Option<&[u8]>, byte_offset: Option<u64>, detail: String) -> Self {
        Example { key: key.map(|key| key.get(..EXAMPLE_KEY_LEN).unwrap_or(key).to_vec()), byte_offset, detail }
    }
}

/// Count and first examples of one kind of finding.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FindingTotals {
    /// How often it occurred, exactly.
    pub count: u64,
    /// The first few occurrences.
    pub examples: Vec<Example>,
}

/// All findings of a run. Memory is bounded by the number of kinds.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    kinds: BTreeMap<Finding, FindingTotals>,
}

impl Findings {
    /// Counts one occurrence; `example` is called only while examples are still kept.
    pub fn record(&mut self, finding: Finding, example: impl FnOnce() -> Example) {
        let totals = self.kinds.entry(finding).or_default();
        totals.count = totals.count.saturating_add(1);
        if totals.examples.len() < EXAMPLES_PER_FINDING {
            totals.examples.push(example());
        }
    }

    /// Counts `count` occurrences at once, without examples. Zero leaves no trace.
    pub fn record_many(&mut self, finding: Finding, count: u64) {
        if count > 0 {
            let totals = self.kinds.entry(finding).or_default();
            totals.count = totals.count.saturating_add(count);
        }
    }

    /// Adds all findings of `other`.
    pub fn merge(&mut self, other: Findings) {
        for (finding, totals) in other.kinds {
            let mine = self.kinds.entry(finding).or_default();
            mine.count = mine.count.saturating_add(totals.count);
            let room = EXAMPLES_PER_FINDING.saturating_sub(mine.examples.len());
            mine.examples.extend(totals.examples.into_iter().take(room));
        }
    }

    /// All kinds that occurred, in order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&Finding, &FindingTotals)> {
        self.kinds.iter()
    }

    /// How often `finding` occurred.
    pub fn count(&self, finding: Finding) -> u64 {
        self.kinds.get(&finding).map_or(0, |t| t.count)
    }

    /// Sum of all occurrences of a severity.
    pub fn count_of(&self, severity: Severity) -> u64 {
        self.kinds.iter().filter(|(f, _)| f.severity == severity).map(|(_, t)| t.count).sum()
    }

    /// The first finding that `--strict` turns into an error.
    pub fn first_strict_fatal(&self) -> Option<(&Finding, &FindingTotals)> {
        self.kinds.iter().find(|(f, _)| f.strict_fatal)
    }
}
