//! What became of every visible record.

use crate::Family;

/// What became of a visible record; each counts once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// Its data is in the output.
    Emitted,
    /// It decided about other output: an expiry, a length, a generation.
    Joined,
    /// Hidden from clients by a record of a higher-ranking type.
    Shadowed,
    /// Part of something that no longer exists, and therefore hidden from clients.
    Orphaned,
    /// Left out because its key had expired and dropping expired keys was asked for.
    Expired,
    /// Left out because it, or something it belongs to, is damaged.
    Lost,
    /// Bookkeeping without user data.
    Internal,
    /// Data of an adapter that was not asked for, or that this tool does not decode.
    NotDecoded,
    /// Data of a thing that a filter leaves out.
    NotSelected,
}

impl Outcome {
    /// All outcomes, in report order.
    pub const ALL: [Outcome; 9] = [
        Outcome::Emitted,
        Outcome::Joined,
        Outcome::Shadowed,
        Outcome::Orphaned,
        Outcome::Expired,
        Outcome::Lost,
        Outcome::Internal,
        Outcome::NotDecoded,
        Outcome::NotSelected,
    ];

    /// Name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Emitted => "emitted",
            Outcome::Joined => "joined",
            Outcome::Shadowed => "shadowed",
            Outcome::Orphaned => "orphaned",
            Outcome::Expired => "expired",
            Outcome::Lost => "lost",
            Outcome::Internal => "internal",
            Outcome::NotDecoded => "not_decoded",
            Outcome::NotSelected => "not_selected",
        }
    }
}

/// Number of records by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcomes([u64; Outcome::ALL.len()]);

impl Outcomes {
    /// Records with this outcome.
    pub fn get(&self, outcome: Outcome) -> u64 {
        Outcome::ALL.iter().zip(self.0).find(|(o, _)| **o == outcome).map_or(0, |(_, n)| n)
    }

    /// Records with any outcome.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    fn add(&mut self, outcome: Outcome, records: u64) {
        if let Some((_, n)) = Outcome::ALL.iter().zip(&mut self.0).find(|(o, _)| **o == outcome) {
            *n = n.saturating_add(records);
        }
    }
}

/// Outcomes per key family.
#[derive(Clone, Debug)]
pub struct Tally {
    rows: Vec<Outcomes>,
}

impl Default for Tally {
    fn default() -> Self {
        Tally { rows: vec![Outcomes::default(); Family::ALL.len()] }
    }
}

impl Tally {
    /// Counts records of a family.
    pub fn add(&mut self, family: Family, outcome: Outcome, records: u64) {
        if let Some(row) = self.rows.get_mut(family.number()) {
            row.add(outcome, records);
        }
    }

    /// Records of all families with one outcome.
    pub fn total(&self, outcome: Outcome) -> u64 {
        self.rows.iter().fold(0, |sum, row| sum.saturating_add(row.get(outcome)))
    }

    /// What became of a family's records.
    pub fn of(&self, family: Family) -> Outcomes {
        self.rows.get(family.number()).copied().unwrap_or_default()
    }
}
