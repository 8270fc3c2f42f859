//! How much a view shows.

use ekv_model::{Example, Findings, Monitor};

use super::range_scan::Origin;
use super::{Range, View};
use crate::{FamilyTotals, Result, findings};

/// Visible records of a key family in a view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VisibleTotals {
    /// What the view shows.
    pub visible: u64,
    /// Bytes of their bodies.
    pub visible_body_bytes: u64,
    /// Those among them that come from an overlay.
    pub staged: u64,
    /// Not shown, because their group does not own them; not in `visible`.
    pub unowned: u64,
}

/// What [`View::count`] found.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Visible records per family, by the numbers that the caller gave.
    pub families: Vec<VisibleTotals>,
    /// Records that are not shown because their group does not own them.
    pub findings: Findings,
}

impl View {
    /// Counts what the view shows, per family of user keys; `family_of` gives the number of a family.
    ///
    /// The totals of pass 1 are those of single files. Those of a view differ where overlays add versions or groups hold
    /// records that they do not own. Cost: one read of all files. `monitor` is told of every record.
    ///
    /// # Errors
    /// A failing read, or the monitor's wish to stop.
    pub fn count(&self, family_of: &dyn Fn(&[u8]) -> usize, monitor: &dyn Monitor) -> Result<Counts> {
        let mut counts = Counts::default();
        let mut scan = self.scan_with_unowned(Range::default())?;
        while let Some((record, origin)) = scan.next_with_origin()? {
            let number = family_of(record.user_key);
            if counts.families.len() <= number {
                counts.families.resize(number.saturating_add(1), VisibleTotals::default());
            }
            if let Some(family) = counts.families.get_mut(number) {
                family.add(origin, record.body.len());
            }
            if origin == Origin::Unowned {
                counts.findings.record(findings::UNOWNED, || {
                    let detail = format!("committed at {}", record.commit_ts);
                    Example::new(Some(record.user_key), record.byte_offset.byte_offset, detail)
                });
            }
            monitor.advance(1)?;
        }
        Ok(counts)
    }
}

impl VisibleTotals {
    fn add(&mut self, origin: Origin, body_len: u64) {
        let add = |slot: &mut u64, n: u64| *slot = slot.saturating_add(n);
        if origin == Origin::Unowned {
            return add(&mut self.unowned, 1);
        }
        add(&mut self.visible, 1);
        add(&mut self.visible_body_bytes, body_len);
        add(&mut self.staged, u64::from(origin == Origin::Overlay));
    }
}

impl FamilyTotals {
    /// Replaces what single files show by what a view of them shows.
    pub fn recount(&mut self, counted: &VisibleTotals) {
        let shown_by_files = self.visible.saturating_add(counted.staged);
        self.covered = shown_by_files.saturating_sub(counted.unowned).saturating_sub(counted.visible);
        self.visible = counted.visible;
        self.visible_body_bytes = counted.visible_body_bytes;
        self.staged = counted.staged;
        self.unowned = counted.unowned;
    }
}
