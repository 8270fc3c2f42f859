//! Bookkeeping records of queues, passed on as they are. Source: `docs/format/sqs.md`, section 4.3.

use ekv_model::sqs::{Event, SideRecord};
use ekv_model::{Event as ModelEvent, Result};

use super::keys::Form;
use super::rows::{Owners, Rows};
use crate::{Family, Outcome, Run};

/// The families, in the order in which they lie in the snapshot.
pub(super) const FAMILIES: [Family; 6] = [
    Family::SqsAge,
    Family::SqsDedup,
    Family::SqsGroup,
    Family::SqsVisibility,
    Family::SqsSequence,
    Family::SqsTombstone,
];

/// The side records of one queue after the other.
pub(super) struct SideRecords {
    /// Per family: keys without partition, and those with one where there are such.
    walks: Vec<Rows>,
}

impl SideRecords {
    pub(super) fn new(run: &Run<'_>) -> Self {
        let mut walks = Vec::new();
        for family in FAMILIES.into_iter().filter(|family| run.visible(*family) > 0) {
            walks.push(Rows::new(run, family, Form::Classic));
            if !matches!(family, Family::SqsSequence | Family::SqsTombstone) {
                walks.push(Rows::new(run, family, Form::Partitioned));
            }
        }
        SideRecords { walks }
    }

    /// Emits the side records of a queue; calls `open` before the first one.
    pub(super) fn emit(
        &mut self,
        run: &mut Run<'_>,
        owners: &mut Owners,
        queue_text: &[u8],
        open: &mut dyn FnMut(&mut Run<'_>) -> Result<()>,
    ) -> Result<()> {
        for rows in self.seek(queue_text)? {
            let family = rows.family();
            while let Some(row) = rows.next(owners)? {
                open(run)?;
                let prefix = std::str::from_utf8(family.prefix()).unwrap_or_default();
                let record = SideRecord { prefix, user_key: row.found.user_key, value: row.found.body.body() };
                run.emit(ModelEvent::Sqs(Event::SideRecord(record)))?;
                run.account(family, Outcome::Emitted, 1)?;
            }
        }
        Ok(())
    }

    /// How many side records a queue has.
    pub(super) fn count(&mut self, owners: &mut Owners, queue_text: &[u8]) -> Result<u64> {
        let mut count = 0_u64;
        for rows in self.seek(queue_text)? {
            while rows.next(owners)?.is_some() {
                count = count.saturating_add(1);
            }
        }
        Ok(count)
    }

    /// Goes to the side records of a queue, in the order in which they lie in the snapshot.
    fn seek(&mut self, queue_text: &[u8]) -> Result<&mut [Rows]> {
        for rows in &mut self.walks {
            rows.seek(queue_text)?;
        }
        self.walks.sort_by(|a, b| a.prefix().cmp(b.prefix()));
        Ok(&mut self.walks)
    }
}

/// Reads a decimal number; white space around it does not count.
pub(super) fn decimal(text: &[u8]) -> Option<u64> {
    let digits = text.trim_ascii();
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}
