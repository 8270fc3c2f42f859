//! Peak memory by number of keys: it must not follow it.

use std::fmt;

use serde::Serialize;

use super::measure::Measured;

/// How far the peaks of a row may be apart, as the largest by the smallest.
const SPREAD_MAX: f64 = 1.1;
/// What a command may need at most.
const PEAK_KIB_MAX: i64 = 96 << 10;

/// The peaks of one command for several numbers of keys.
#[derive(Clone, Debug, Serialize)]
pub(super) struct MemoryRow {
    pub(super) name: &'static str,
    /// By number of keys.
    pub(super) peaks: Vec<Peak>,
}

/// The peak for one number of keys.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Peak {
    pub(super) keys: u64,
    #[serde(flatten)]
    pub(super) cost: Measured,
}

impl MemoryRow {
    fn peaks_kib(&self) -> impl Iterator<Item = i64> {
        self.peaks.iter().map(|peak| peak.cost.peak_kib)
    }

    /// The largest peak by the smallest.
    fn spread(&self) -> f64 {
        let kib = |peak: Option<i64>| f64::from(i32::try_from(peak.unwrap_or(1)).unwrap_or(i32::MAX));
        kib(self.peaks_kib().max()) / kib(self.peaks_kib().min())
    }

    fn is_bounded(&self) -> bool {
        self.spread() <= SPREAD_MAX && self.peaks_kib().all(|kib| kib <= PEAK_KIB_MAX)
    }
}

impl fmt::Display for MemoryRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<24}", self.name)?;
        for peak in &self.peaks {
            let mib = f64::from(i32::try_from(peak.cost.peak_kib).unwrap_or(i32::MAX)) / 1024.0;
            write!(f, "  {:>8} keys {mib:>5.1} MiB", peak.keys)?;
        }
        let verdict = if self.is_bounded() { "reached" } else { "MISSED" };
        write!(f, "  spread {:.2}, at most {SPREAD_MAX} and {} MiB {verdict}", self.spread(), PEAK_KIB_MAX >> 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(peaks_kib: &[i64]) -> String {
        let peaks = peaks_kib.iter().map(|&peak_kib| Peak { keys: 7, cost: Measured { peak_kib, ..Measured::WORST } });
        MemoryRow { name: "x", peaks: peaks.collect() }.to_string()
    }

    #[test]
    fn peaks_that_are_apart_or_too_large_miss_the_goal() {
        assert!(row(&[20 << 10, 21 << 10]).contains("7 keys  21.0 MiB  spread 1.05, at most 1.1 and 96 MiB reached"));
        assert!(row(&[20 << 10, 23 << 10]).ends_with("MISSED"));
        assert!(row(&[97 << 10, 97 << 10]).ends_with("MISSED"));
    }
}
