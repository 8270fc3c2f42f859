//! How numbers are spread: exact counts in steps that grow with the number.

use serde::Serialize;

/// Steps for each power of two, as a power of two: a step is at most a 32nd of its numbers wide, so that its middle is at most 1.6 % away
/// from any of them.
const STEPS_LOG: u32 = 5;
/// Numbers below have a step each.
const EXACT: u64 = 1 << STEPS_LOG;
/// Number of steps: one for each small number, 32 for each further power of two.
const STEPS: usize = (64 - 5 + 1) << STEPS_LOG;

/// Counts numbers. Memory: 15 KiB, whatever is counted.
pub(super) struct Histogram {
    counts: Box<[u64; STEPS]>,
    count: u64,
    max: u64,
}

/// What is told of numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Spread {
    /// How many numbers there are.
    pub count: u64,
    /// The number that half of them do not exceed, within 1.6 %.
    pub p50: u64,
    /// The same for nine of ten.
    pub p90: u64,
    /// The same for 99 of 100.
    pub p99: u64,
    /// The greatest one, exactly.
    pub max: u64,
    /// How many are 0, then how many have 1, 2, … bits: below 2, 4, 8, ….
    pub by_bits: Vec<u64>,
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram { counts: Box::new([0; STEPS]), count: 0, max: 0 }
    }
}

impl Histogram {
    pub(super) fn add(&mut self, number: u64) {
        if let Some(count) = self.counts.get_mut(step_of(number)) {
            *count = count.saturating_add(1);
        }
        self.count = self.count.saturating_add(1);
        self.max = self.max.max(number);
    }

    /// The number that `percent` of all do not exceed, by the nearest rank.
    fn percentile(&self, percent: u64) -> u64 {
        let rank = u128::from(self.count).saturating_mul(percent.into()).div_ceil(100).max(1);
        let mut below = 0_u128;
        for (step, count) in self.counts.iter().enumerate() {
            below = below.saturating_add((*count).into());
            if below >= rank {
                let (first, last) = numbers_of(step);
                return first.midpoint(last).min(self.max);
            }
        }
        self.max
    }

    pub(super) fn spread(&self) -> Spread {
        let mut by_bits = vec![0_u64; 65];
        for (step, count) in self.counts.iter().enumerate() {
            let bits = u64::BITS.saturating_sub(numbers_of(step).0.leading_zeros());
            if let Some(sum) = usize::try_from(bits).ok().and_then(|bits| by_bits.get_mut(bits)) {
                *sum = sum.saturating_add(*count);
            }
        }
        let used = by_bits.iter().rposition(|count| *count > 0).map_or(0, |last| last.saturating_add(1));
        by_bits.truncate(used);
        let [p50, p90, p99] = [50, 90, 99].map(|percent| if self.count == 0 { 0 } else { self.percentile(percent) });
        Spread { count: self.count, p50, p90, p99, max: self.max, by_bits }
    }
}

fn step_of(number: u64) -> usize {
    // The place of the first bit that is not told apart within a power of two.
    let shift = number.checked_ilog2().unwrap_or(0).saturating_sub(STEPS_LOG);
    let step = match number {
        small if small < EXACT => small,
        _ => (u64::from(shift) << STEPS_LOG).saturating_add(number >> shift),
    };
    usize::try_from(step).unwrap_or(usize::MAX)
}

/// The first and the last number of a step.
fn numbers_of(step: usize) -> (u64, u64) {
    let step = u64::try_from(step).unwrap_or(u64::MAX);
    if step < EXACT.saturating_mul(2) {
        return (step, step);
    }
    let shift = (step >> STEPS_LOG).saturating_sub(1);
    let first = (step & (EXACT - 1)).saturating_add(EXACT) << shift;
    (first, first.saturating_add((1 << shift) - 1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn steps_follow_each_other_without_gap_up_to_the_greatest_number() {
        let mut next = 0_u64;
        for step in 0..STEPS {
            let (first, last) = numbers_of(step);
            assert_eq!((first, step_of(first), step_of(last)), (next, step, step));
            next = last.wrapping_add(1);
        }
        assert_eq!(next, 0);
    }

    #[test]
    fn nothing_counted_has_no_numbers() {
        assert_eq!(Histogram::default().spread(), Spread::default());
    }

    proptest! {
        #[test]
        fn percentiles_are_within_1_6_percent_of_the_number_at_their_rank(
            mut numbers in prop::collection::vec(prop_oneof![0_u64..100, 0_u64..100_000, any::<u64>()], 1..300)
        ) {
            let mut histogram = Histogram::default();
            numbers.iter().for_each(|number| histogram.add(*number));
            let spread = histogram.spread();
            numbers.sort_unstable();
            for (percent, found) in [(50, spread.p50), (90, spread.p90), (99, spread.p99)] {
                let exact = numbers[(numbers.len() * percent).div_ceil(100) - 1];
                let allowed = u128::from(exact) * 16 / 1000;
                prop_assert!(u128::from(found.abs_diff(exact)) <= allowed, "p{percent}: {found} for {exact}");
            }
            prop_assert_eq!(spread.max, *numbers.last().unwrap());
            prop_assert_eq!(spread.by_bits.iter().sum::<u64>(), spread.count);
            prop_assert_eq!(spread.count, u64::try_from(numbers.len()).unwrap());
        }
    }
}
