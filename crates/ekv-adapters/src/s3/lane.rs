//! The records of one family, walked in key order.

use ekv_model::{Protocol, Result};
use ekv_snapshot::{Range, RangeScan, Visible};

use super::findings;
use super::keys::{ChunkKey, MalformedKey, ObjectKey, UploadKey, bucket_of, parse_bucket, parse_digest};
use crate::{Family, Outcome, Run};

/// Stands on a record whose key parses, or at the end. Records with other keys are noted as losses on the way.
pub(super) struct Lane {
    pub(super) family: Family,
    /// `None` if the family has no record.
    scan: Option<RangeScan>,
}

impl Lane {
    /// Stands on the first record of the family.
    pub(super) fn new(run: &mut Run<'_>, family: Family) -> Result<Self> {
        let scan = match run.visible(family) {
            0 => None,
            _ => Some(run.view().scan_range(Range::prefix(family.prefix()))?),
        };
        let mut lane = Lane { family, scan };
        lane.advance(run)?;
        Ok(lane)
    }

    /// The record at hand.
    pub(super) fn found(&self) -> Option<Visible<'_>> {
        self.scan.as_ref().and_then(RangeScan::current)
    }

    /// What follows the family prefix in the key at hand.
    pub(super) fn rest(&self) -> Option<&[u8]> {
        self.found().and_then(|found| found.user_key.get(self.family.prefix().len()..))
    }

    /// Segment of the bucket at hand.
    pub(super) fn bucket(&self) -> Option<&[u8]> {
        self.rest().and_then(bucket_of)
    }

    /// What the keys of the object at hand begin with, if it belongs to `bucket`.
    pub(super) fn group_in(&self, bucket: &[u8]) -> Option<&[u8]> {
        let rest = self.rest().filter(|rest| rest.starts_with(bucket))?;
        ObjectKey::group_of(rest)
    }

    /// Whether the record at hand belongs to the object whose keys begin with `group`.
    pub(super) fn is_in(&self, group: &[u8]) -> bool {
        self.rest().is_some_and(|rest| rest.starts_with(group))
    }

    /// Goes to the next record.
    pub(super) fn advance(&mut self, run: &mut Run<'_>) -> Result<()> {
        let Lane { family, scan: Some(scan) } = self else { return Ok(()) };
        while let Some(found) = scan.next_visible()? {
            let rest = found.user_key.get(family.prefix().len()..).unwrap_or_default();
            if check(*family, rest).is_ok() {
                break;
            }
            if run.scope().is_all_of(Protocol::S3) {
                run.record_finding(findings::MALFORMED_KEY, found.user_key, Some(found.byte_offset), || {
                    format!("no key of the family {}", family.name())
                });
                run.account(*family, Outcome::Lost, 1)?;
            }
        }
        Ok(())
    }

    /// Goes to the first record in `range`, and stays in it.
    pub(super) fn seek(&mut self, run: &mut Run<'_>, range: Range) -> Result<()> {
        if let Some(scan) = &mut self.scan {
            scan.seek(range)?;
        }
        self.advance(run)
    }

    /// Goes to the records of the family at or above what follows its prefix.
    pub(super) fn skip_to(&mut self, run: &mut Run<'_>, rest: &[u8]) -> Result<()> {
        let start = [self.family.prefix(), rest].concat();
        self.seek(run, Range::prefix(self.family.prefix()).starting_at(&start))
    }

    /// Accounts for all records from the one at hand.
    pub(super) fn account_rest(&mut self, run: &mut Run<'_>, outcome: Outcome) -> Result<()> {
        while self.found().is_some() {
            run.account(self.family, outcome, 1)?;
            self.advance(run)?;
        }
        Ok(())
    }
}

fn check(family: Family, rest: &[u8]) -> Result<(), MalformedKey> {
    match family {
        Family::S3Object => ObjectKey::parse(rest).map(drop),
        Family::S3Blob | Family::S3ChunkRef => ChunkKey::parse(rest).map(drop),
        Family::S3Upload | Family::S3UploadPart => UploadKey::parse(family, rest).map(drop),
        Family::S3ChunkBlob => parse_digest(rest).map(drop),
        _ => parse_bucket(rest).map(drop),
    }
}
