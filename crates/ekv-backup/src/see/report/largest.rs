//! The largest of many, in fixed memory.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// By what things are ranked: the first number, then the second.
pub(super) type Rank = (u64, u64);

/// Keeps what ranks highest, of equal ones those whose keys come first.
pub(super) struct Largest<K, T> {
    count: usize,
    /// The one that has to go first is the greatest.
    kept: BinaryHeap<Ranked<K, T>>,
}

struct Ranked<K, T> {
    rank: Rank,
    key: K,
    value: T,
}

impl<K: Ord, T> Largest<K, T> {
    pub(super) fn new(count: usize) -> Self {
        Largest { count, kept: BinaryHeap::new() }
    }

    /// Takes something, if it ranks high enough. `cmp` compares a key that is kept with the new one; `make` makes that and its value.
    pub(super) fn add(&mut self, rank: Rank, cmp: impl Fn(&K) -> Ordering, make: impl FnOnce() -> (K, T)) {
        if self.kept.len() >= self.count {
            let has_to_go = |last: &Ranked<K, T>| match last.rank.cmp(&rank) {
                Ordering::Equal => cmp(&last.key) == Ordering::Greater,
                order => order == Ordering::Less,
            };
            if !self.kept.peek().is_some_and(has_to_go) {
                return;
            }
            self.kept.pop();
        }
        let (key, value) = make();
        self.kept.push(Ranked { rank, key, value });
    }

    /// What is kept, the highest rank first.
    pub(super) fn finish(self) -> impl Iterator<Item = (K, T)> {
        self.kept.into_sorted_vec().into_iter().map(|ranked| (ranked.key, ranked.value))
    }
}

impl<K: Ord, T> Ord for Ranked<K, T> {
    fn cmp(&self, other: &Self) -> Ordering {
        other.rank.cmp(&self.rank).then_with(|| self.key.cmp(&other.key))
    }
}

impl<K: Ord, T> PartialOrd for Ranked<K, T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<K: Ord, T> PartialEq for Ranked<K, T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<K: Ord, T> Eq for Ranked<K, T> {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn list_is_the_beginning_of_all_in_order_whatever_order_they_come_in(
            things in prop::collection::vec((0_u64..5, 0_u64..3, "[a-c]{0,3}"), 0..60), count in 0_usize..12,
        ) {
            let mut largest = Largest::new(count);
            for (first, second, key) in &things {
                largest.add((*first, *second), |kept: &String| kept.cmp(key), || (key.clone(), (*first, *second)));
            }
            let mut expected: Vec<_> = things.iter().map(|(first, second, key)| (key.clone(), (*first, *second))).collect();
            expected.sort_by(|(one_key, one), (other_key, other)| other.cmp(one).then(one_key.cmp(other_key)));
            expected.truncate(count);
            prop_assert_eq!(largest.finish().collect::<Vec<_>>(), expected);
        }
    }
}
