//! Which Redis keys are read, and the ranges in which they lie.

use ekv_model::{KEY_LEN_MAX, Keys, Narrowing, Protocol, Result, Scope};
use ekv_snapshot::{CommitTs, Range, RangeScan};

use super::keys::KEY_LEN_LEN;
use crate::{Family, Run};

/// The keys of a database that a scope selects.
///
/// Names are read one by one, prefixes as ranges; families that hold the key behind its length have a range for each length that exists.
pub(super) struct Selected<'s> {
    keys: Keys<'s>,
    narrowing: Narrowing<'s>,
    /// Whether no key of any type is left out.
    pub(super) is_everything: bool,
    read_ts: CommitTs,
}

impl<'s> Selected<'s> {
    pub(super) fn of(scope: &'s Scope, database: u32, read_ts: CommitTs) -> Self {
        let keys = scope.keys_in(Protocol::Redis, database.to_string().as_bytes());
        let mut narrowing = keys.narrowing();
        if let Narrowing::Keys(keys) = &mut narrowing {
            // As their records lie: where one key begins with another, the longer one comes first.
            let suffix = read_ts.to_suffix();
            keys.sort_by(|a, b| a.iter().chain(&suffix).cmp(b.iter().chain(&suffix)));
        }
        Selected { is_everything: scope.is_all_of(Protocol::Redis), keys, narrowing, read_ts }
    }

    pub(super) fn contains(&self, key: &[u8]) -> bool {
        self.keys.contains(key)
    }

    /// The ranges in which records lie whose user keys are `prefix` and a selected key.
    pub(super) fn plain(&self, prefix: &'static [u8]) -> Box<dyn Iterator<Item = Range> + '_> {
        match &self.narrowing {
            Narrowing::All => Box::new(std::iter::once(Range::prefix(prefix))),
            Narrowing::Prefixes(keys) => {
                Box::new(keys.iter().map(move |key| Range::prefix(&[prefix, key.as_slice()].concat())))
            }
            Narrowing::Keys(keys) => {
                let suffix = self.read_ts.to_suffix();
                Box::new(keys.iter().map(move |key| {
                    let user_key = [prefix, *key].concat();
                    let oldest = [user_key.as_slice(), &suffix].concat();
                    Range::prefix(&user_key).of_length(user_key.len()).starting_at(&oldest)
                }))
            }
        }
    }

    /// The ranges in which records lie whose user keys are `prefix`, a selected key and `tail_len` bytes.
    pub(super) fn plain_with_tail(
        &self,
        prefix: &'static [u8],
        tail_len: usize,
    ) -> Box<dyn Iterator<Item = Range> + '_> {
        match &self.narrowing {
            Narrowing::Keys(keys) => Box::new(keys.iter().map(move |key| {
                let beginning = [prefix, *key].concat();
                Range::prefix(&beginning).of_length(beginning.len().saturating_add(tail_len))
            })),
            _ => self.plain(prefix),
        }
    }

    /// What follows the prefixes of `families`, which hold the key behind its length: beginnings that take in all selected keys.
    pub(super) fn counted(&self, run: &Run<'_>, families: &[(Family, Option<&'static [u8]>)]) -> Counted<'_> {
        let mut sorted: Vec<&[u8]> = match &self.narrowing {
            Narrowing::Keys(keys) => keys.clone(),
            _ => Vec::new(),
        };
        sorted.sort_unstable_by_key(|key| std::cmp::Reverse((key.len(), *key)));
        let probes = families.iter().filter(|(family, _)| run.visible(*family) > 0).map(|(family, end)| Probe {
            prefix: family.prefix(),
            end: *end,
            scan: run.view().probe(),
        });
        Counted { narrowing: &self.narrowing, keys: sorted, probes: probes.collect(), len: None, next: Some((0, 0)) }
    }
}

/// Looks for the records of a family.
struct Probe {
    prefix: &'static [u8],
    /// Where its part of the range ends.
    end: Option<&'static [u8]>,
    scan: RangeScan,
}

/// Beginnings of what follows a family prefix, ascending.
pub(super) struct Counted<'s> {
    narrowing: &'s Narrowing<'s>,
    /// The keys that are left, the last one first.
    keys: Vec<&'s [u8]>,
    probes: Vec<Probe>,
    /// The key length at hand.
    len: Option<u32>,
    /// The smallest length that comes into question, and the place of the next prefix among those of the length at hand.
    next: Option<(u32, usize)>,
}

impl Counted<'_> {
    pub(super) fn next(&mut self) -> Result<Option<Vec<u8>>> {
        match self.narrowing {
            Narrowing::All => Ok(self.next.take().map(|_| Vec::new())),
            Narrowing::Keys(_) => Ok(self.keys.pop().map(|key| beginning(len_of(key), key))),
            Narrowing::Prefixes(prefixes) => self.next_of(prefixes),
        }
    }

    fn next_of(&mut self, prefixes: &[Vec<u8>]) -> Result<Option<Vec<u8>>> {
        let shortest = prefixes.iter().map(|prefix| len_of(prefix)).min().unwrap_or(u32::MAX);
        while let Some((from, place)) = self.next {
            let len = match self.len {
                Some(len) => len,
                None => {
                    let Some(len) = self.next_len(from.max(shortest))? else {
                        self.next = None;
                        break;
                    };
                    *self.len.insert(len)
                }
            };
            match prefixes.get(place) {
                Some(prefix) => {
                    self.next = Some((from, place.saturating_add(1)));
                    if len_of(prefix) <= len {
                        return Ok(Some(beginning(len, prefix)));
                    }
                }
                None => {
                    self.len = None;
                    self.next = len.checked_add(1).map(|from| (from, 0));
                }
            }
        }
        Ok(None)
    }

    /// The smallest key length of at least `from` that any record has.
    fn next_len(&mut self, from: u32) -> Result<Option<u32>> {
        let mut smallest: Option<u32> = None;
        for Probe { prefix, end, scan } in &mut self.probes {
            let range = Range::prefix(prefix).starting_at(&[*prefix, &from.to_be_bytes()].concat());
            scan.seek(match end {
                Some(end) => range.ending_before(end),
                None => range,
            })?;
            let found = scan.next_visible()?;
            let rest = found.as_ref().and_then(|found| found.user_key.get(prefix.len()..));
            if let Some(len) = rest.and_then(|rest| rest.first_chunk::<KEY_LEN_LEN>()) {
                let len = u32::from_be_bytes(*len);
                smallest = Some(smallest.map_or(len, |smallest| smallest.min(len)));
            }
        }
        Ok(smallest.filter(|len| usize::try_from(*len).is_ok_and(|len| len <= KEY_LEN_MAX)))
    }
}

fn len_of(key: &[u8]) -> u32 {
    u32::try_from(key.len()).unwrap_or(u32::MAX)
}

fn beginning(len: u32, key: &[u8]) -> Vec<u8> {
    [&len.to_be_bytes(), key].concat()
}
