//! Which of several walks stands on the smallest key.

/// Walks, by number, in the order of the keys on which they stand: a heap, the smallest key first; of equal keys that of the smallest number.
/// Those that stand on none come last.
///
/// Cost: a number or two for each walk; a step of one costs as many comparisons as the logarithm of their number.
pub(crate) struct KeyHeap {
    heap: Vec<usize>,
    /// Where each walk is in the heap.
    places: Vec<usize>,
}

impl KeyHeap {
    /// So many walks, none of which stands on a key.
    pub(crate) fn new(walks: usize) -> Self {
        KeyHeap { heap: (0..walks).collect(), places: (0..walks).collect() }
    }

    /// The walk with the smallest key.
    pub(crate) fn first(&self) -> Option<usize> {
        self.heap.first().copied()
    }

    /// Puts a walk right that stands on another key than before; all others are right.
    pub(crate) fn moved<'k>(&mut self, walk: usize, key_of: impl Fn(usize) -> Option<&'k [u8]>) {
        if self.heap.len() == 1 {
            return;
        }
        let Some(mut place) = self.places.get(walk).copied() else { return };
        while let Some(above) = place.checked_sub(1).map(|before| before / 2)
            && self.is_before(place, above, &key_of)
        {
            self.swap(place, above);
            place = above;
        }
        loop {
            let [left, right] = children(place);
            let child = if self.is_before(right, left, &key_of) { right } else { left };
            if !self.is_before(child, place, &key_of) {
                return;
            }
            self.swap(place, child);
            place = child;
        }
    }

    /// All walks but the first that stand on the same key as the first one.
    pub(crate) fn equal_to_first<'k>(&self, key_of: impl Fn(usize) -> Option<&'k [u8]>) -> Vec<usize> {
        let mut equal = Vec::new();
        let Some(key) = self.first().and_then(&key_of) else { return equal };
        let mut below = children(0).to_vec();
        while let Some(place) = below.pop() {
            if let Some(walk) = self.heap.get(place).copied().filter(|walk| key_of(*walk) == Some(key)) {
                equal.push(walk);
                below.extend(children(place));
            }
        }
        equal
    }

    /// Whether the walk at one place of the heap comes before the one at another; there may be none.
    fn is_before<'k>(&self, place: usize, other: usize, key_of: &impl Fn(usize) -> Option<&'k [u8]>) -> bool {
        let (Some(&walk), Some(&other)) = (self.heap.get(place), self.heap.get(other)) else { return false };
        match (key_of(walk), key_of(other)) {
            (Some(key), Some(other_key)) => (key, walk) < (other_key, other),
            (key, other_key) => key.is_some() && other_key.is_none(),
        }
    }

    fn swap(&mut self, a: usize, b: usize) {
        self.heap.swap(a, b);
        for place in [a, b] {
            if let Some(slot) = self.heap.get(place).and_then(|walk| self.places.get_mut(*walk)) {
                *slot = place;
            }
        }
    }
}

fn children(place: usize) -> [usize; 2] {
    let left = place.saturating_mul(2).saturating_add(1);
    [left, left.saturating_add(1)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::cell::Cell;

    proptest! {
        #[test]
        fn first_walk_is_the_one_with_the_smallest_key_whatever_moves(
            walks in 1_usize..20,
            moves in proptest::collection::vec((0_usize..20, proptest::option::of(0_u8..6)), 0..100),
        ) {
            let mut keys: Vec<Option<Vec<u8>>> = vec![None; walks];
            let mut heap = KeyHeap::new(walks);
            for (walk, key) in moves {
                let walk = walk % walks;
                keys[walk] = key.map(|key| vec![key]);
                let key_of = |walk: usize| keys[walk].as_deref();
                heap.moved(walk, key_of);
                let smallest = keys.iter().enumerate().filter_map(|(walk, key)| Some((key.as_ref()?, walk))).min();
                if let Some((key, first)) = smallest {
                    prop_assert_eq!(heap.first(), Some(first));
                    let mut equal = heap.equal_to_first(key_of);
                    equal.sort_unstable();
                    let others = (0..walks).filter(|walk| *walk != first && keys[*walk].as_ref() == Some(key));
                    prop_assert_eq!(equal, others.collect::<Vec<_>>());
                } else {
                    prop_assert!(heap.first().and_then(key_of).is_none());
                }
            }
        }
    }

    #[test]
    fn step_of_one_walk_compares_few_keys_of_many() {
        let mut keys: Vec<Vec<u8>> = (0..4096_u32).map(|walk| walk.to_be_bytes().to_vec()).collect();
        let mut heap = KeyHeap::new(keys.len());
        for walk in 0..keys.len() {
            heap.moved(walk, |other| (other <= walk).then(|| keys[other].as_slice()));
        }
        for round in 1..10_000_u32 {
            let first = heap.first().unwrap();
            keys[first] = (4096 + round).to_be_bytes().to_vec();
            let asked = Cell::new(0);
            heap.moved(first, |walk| {
                asked.set(asked.get() + 1);
                Some(keys[walk].as_slice())
            });
            // Two comparisons of two keys for each of twelve levels.
            assert!(asked.get() <= 60, "{}", asked.get());
        }
    }
}
