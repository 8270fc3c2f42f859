//! How much a view shows.

use ekv_model::{Example, Findings};

use super::{Range, View};
use crate::{Result, Watch, findings};

/// Visible records of a key family in a view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VisibleTotals {
    /// Records.
    pub visible: u64,
    /// Bytes of their bodies.
    pub visible_body_bytes: u64,
}

/// What [`View::count`] found.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Visible records per family, by the numbers that the caller gave.
    pub families: Vec<VisibleTotals>,
    /// Records that were passed over because their group does not own them.
    pub findings: Findings,
}

/// Records between two calls of the watch.
const WATCH_INTERVAL: u64 = 1024;

impl View {
    /// Counts what the view shows, per family of user keys; `family_of` gives the number of a family.
    ///
    /// The totals of pass 1 are those of single files. Those of a view differ where files add versions to each other or groups
    /// hold records that they do not own. Cost: one read of all files. `watch` is told the number of
    /// records so far.
    ///
    /// # Errors
    /// A failing read, or the watch's wish to stop.
    pub fn count(&self, family_of: &dyn Fn(&[u8]) -> usize, watch: &dyn Watch) -> Result<Counts> {
        let mut counts = Counts::default();
        let mut records = 0_u64;
        let mut scan = self.scan_range(Range::default())?;
        while let Some(found) = scan.next_visible()? {
            let number = family_of(found.user_key);
            if counts.families.len() <= number {
                counts.families.resize(number.saturating_add(1), VisibleTotals::default());
            }
            if let Some(family) = counts.families.get_mut(number) {
                family.visible = family.visible.saturating_add(1);
                family.visible_body_bytes = family.visible_body_bytes.saturating_add(found.body.len());
            }
            records = records.saturating_add(1);
            if records.is_multiple_of(WATCH_INTERVAL) {
                watch.progress(records)?;
            }
        }
        for (unowned, group) in scan.unowned().zip(&self.groups) {
            let file = group.files.first().map_or("", |file| file.input().name.as_str());
            for (user_key, byte_offset) in &unowned.first {
                counts.findings.record(findings::UNOWNED, || Example {
                    key: Some(user_key.clone()),
                    byte_offset: Some(*byte_offset),
                    detail: format!("in {file}"),
                });
            }
            let shown = u64::try_from(unowned.first.len()).unwrap_or(u64::MAX);
            counts.findings.record_many(findings::UNOWNED, unowned.count.saturating_sub(shown));
        }
        Ok(counts)
    }
}
