//! Findings: everything a run wants to tell beyond its result, counted and with a few examples, in bounded memory.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::{Name, Protocol};

/// Examples kept per kind of finding.
const EXAMPLES_PER_FINDING: usize = 8;
/// Longest part of a key that an example keeps, in bytes.
const EXAMPLE_KEY_LEN: usize = 256;
/// Longest part of a detail that is kept, in bytes.
const DETAIL_LEN: usize = 4 << 10;

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

    /// The same finding where the user has accepted it beforehand: it is told, and nothing more.
    #[must_use]
    pub const fn accepted_if(self, is_accepted: bool) -> Finding {
        match is_accepted {
            true => Finding { severity: Severity::Warning, strict_fatal: false, ..self },
            false => self,
        }
    }
}

/// Declares findings, and the list `ALL` of them: what is not in the list does not exist.
#[macro_export]
macro_rules! findings {
    ($($(#[$attribute:meta])* $vis:vis const $name:ident: Finding = $value:expr;)+) => {
        $($(#[$attribute])* $vis const $name: $crate::Finding = $value;)+

        /// All of them, in the order of their declarations.
        pub const ALL: &[$crate::Finding] = &[$($name),+];
    };
}

/// Where a record lies in one of the files that are read together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileOffset {
    /// Number of the file, in the order in which they were given.
    pub file: u16,
    /// Byte offset of the record; `None` if the file as it was given has no such record.
    pub byte_offset: Option<u64>,
}

/// One occurrence of a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// The user key or name concerned, if there is one; whole until it is recorded, then its first 256 bytes.
    pub key: Option<Vec<u8>>,
    /// Byte offset in the input, if there is one.
    pub byte_offset: Option<u64>,
    /// Which of several files that is, if it is known: its number in the order in which they were given.
    pub file: Option<u16>,
    /// Details: numbers, what was expected, what was kept.
    pub detail: String,
    /// The adapter whose data it is, if neither the name of the finding nor the key says so.
    pub adapter: Option<&'static str>,
    /// The database, table, bucket or queue in which the key is a name, where whoever tells it knows; else the name of the finding says what the
    /// key is.
    pub scope: Option<(Protocol, Vec<u8>)>,
}

impl Example {
    /// An occurrence, with its whole key.
    pub fn new(key: Option<&[u8]>, byte_offset: Option<u64>, detail: String) -> Self {
        Example { key: key.map(<[u8]>::to_vec), byte_offset, file: None, detail, adapter: None, scope: None }
    }

    /// The same in one of several files.
    #[must_use]
    pub fn in_file(self, file: Option<u16>) -> Self {
        Example { file, ..self }
    }

    /// The same of data of an adapter.
    #[must_use]
    pub fn of_adapter(self, adapter: &'static str) -> Self {
        Example { adapter: Some(adapter), ..self }
    }

    /// The same of a thing in a database, table, bucket or queue, which its key names.
    #[must_use]
    pub fn in_scope(self, protocol: Protocol, scope: impl Into<Vec<u8>>) -> Self {
        Example { scope: Some((protocol, scope.into())), ..self }
    }

    /// What it is about, if it says that itself.
    pub fn name(&self) -> Option<Name> {
        let (protocol, scope) = self.scope.clone()?;
        Some(Name { protocol, scope, key: vec![self.key.clone()?] })
    }

    /// What is kept of it where many are kept.
    fn cut(mut self) -> Self {
        if let Some(key) = &mut self.key
            && key.len() > EXAMPLE_KEY_LEN
        {
            // A new allocation, since that of a long key would stay as large as it is.
            *key = key.get(..EXAMPLE_KEY_LEN).unwrap_or_default().to_vec();
        }
        self
    }
}

/// Takes every loss of a run, one by one, with its whole key, in the order in which they are found.
///
/// Whoever finds a loss has no use for the failure of a log: it keeps its first one and reports it at its end.
pub trait LossLog: fmt::Debug + Send + Sync {
    /// Notes that something was left out, `count` times.
    fn lost(&self, finding: Finding, what: &Example, count: u64);

    /// Forgets what was noted: all of it is read, and noted, once more.
    fn restart(&self);
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
    losses: Option<Arc<dyn LossLog>>,
}

impl Findings {
    /// No findings yet, of which all losses go to a log.
    pub fn with_log(losses: Option<Arc<dyn LossLog>>) -> Self {
        Findings { kinds: BTreeMap::new(), losses }
    }

    /// Counts one occurrence; `example` is called only for a loss that goes to a log, or while examples are still kept.
    pub fn record(&mut self, finding: Finding, example: impl FnOnce() -> Example) {
        let totals = self.kinds.entry(finding).or_default();
        totals.count = totals.count.saturating_add(1);
        let log = self.losses.as_ref().filter(|_| finding.severity == Severity::Loss);
        let is_kept = totals.examples.len() < EXAMPLES_PER_FINDING;
        if log.is_none() && !is_kept {
            return;
        }
        let mut example = example();
        cut_text(&mut example.detail, DETAIL_LEN);
        if let Some(log) = log {
            log.lost(finding, &example, 1);
        }
        if is_kept {
            totals.examples.push(example.cut());
        }
    }

    /// Counts `count` occurrences at once, without examples. Zero leaves no trace.
    pub fn record_many(&mut self, finding: Finding, count: u64) {
        if count > 0 {
            let totals = self.kinds.entry(finding).or_default();
            totals.count = totals.count.saturating_add(count);
            if let Some(log) = self.losses.as_ref().filter(|_| finding.severity == Severity::Loss) {
                log.lost(finding, &Example::new(None, None, String::new()), count);
            }
        }
    }

    /// Adds all findings of `other`; what its log has taken is not logged again.
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

/// Cuts a text that is longer than `len_max` bytes, at the end of a character.
fn cut_text(text: &mut String, len_max: usize) {
    if text.len() > len_max {
        let end = (0..=len_max).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
        text.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    const LOST: Finding = Finding::loss("lost", "test");
    const ODD: Finding = Finding::warning("odd", "test");

    #[derive(Debug, Default)]
    struct Log(Mutex<Vec<(Finding, Example, u64)>>);

    impl LossLog for Log {
        fn lost(&self, finding: Finding, what: &Example, count: u64) {
            self.0.lock().unwrap().push((finding, what.clone(), count));
        }

        fn restart(&self) {
            self.0.lock().unwrap().clear();
        }
    }

    #[test]
    fn every_loss_reaches_the_log_whole_while_examples_are_few_and_cut() {
        let log = Arc::new(Log::default());
        let mut findings = Findings::with_log(Some(log.clone()));
        let key = vec![b'k'; 1 << 20];
        for n in 0..20 {
            findings.record(LOST, || Example::new(Some(&key), Some(n), "d".repeat(10_000)));
            findings.record(ODD, || Example::new(Some(&key), Some(n), String::new()));
        }
        findings.record_many(LOST, 7);
        findings.record_many(ODD, 7);
        let mut sum = Findings::default();
        sum.merge(findings);
        assert_eq!((sum.count(LOST), sum.count(ODD)), (27, 27));
        for (_, totals) in sum.iter() {
            assert_eq!(totals.examples.len(), EXAMPLES_PER_FINDING);
            assert!(totals.examples.iter().all(|e| e.key.as_ref().unwrap().len() == EXAMPLE_KEY_LEN));
            assert!(totals.examples.iter().all(|e| e.detail.len() < DETAIL_LEN + 4));
        }
        let logged = log.0.lock().unwrap();
        assert_eq!(logged.len(), 21);
        assert!(logged.iter().all(|(finding, _, _)| *finding == LOST));
        assert!(logged.iter().take(20).all(|(_, example, count)| example.key.as_ref() == Some(&key) && *count == 1));
        assert_eq!(logged.last().map(|(_, example, count)| (example.key.clone(), *count)), Some((None, 7)));
    }

    #[test]
    fn texts_are_cut_between_characters() {
        let mut text = "aé".repeat(4);
        cut_text(&mut text, 5);
        assert_eq!(text, "aéa…");
    }
}
