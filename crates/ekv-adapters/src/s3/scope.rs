//! One bucket. Source: `docs/format/s3.md`, sections 2.1 and 3.

use ekv_model::s3::{Bucket, Event, UploadRecord};
use ekv_model::{Event as ModelEvent, Keys, Narrowing, Result};
use ekv_snapshot::{Range, Visible};

use super::bucket::BucketMeta;
use super::head::Head;
use super::keys::{ObjectKey, UploadKey, push_segment, push_segment_beginning, put_generation, unescape};
use super::walk::Walk;
use super::{Options, findings};
use crate::json::JsonError;
use crate::{Family, Outcome, Run};

/// What is known about the bucket at hand.
pub(super) struct Scope {
    /// Segment of its name.
    pub(super) segment: Vec<u8>,
    pub(super) name: String,
    meta: Option<BucketMeta>,
    /// The generation whose objects clients see, or would see if the bucket had a record.
    pub(super) generation: Option<u64>,
    has_begun: bool,
    /// Objects of other generations.
    pub(super) stale_objects: u64,
}

impl Scope {
    /// Emits the beginning of the bucket, once.
    pub(super) fn begin(&mut self, run: &mut Run<'_>) -> Result<()> {
        if !std::mem::replace(&mut self.has_begun, true) {
            let record = self.meta.as_ref().map(BucketMeta::record);
            emit(run, Event::Begin(Bucket { name: &self.name, record }))?;
        }
        Ok(())
    }

    /// Where the selected objects of the bucket lie: what follows the family prefixes; `None` = wherever the cursors find any.
    fn ranges(&self, keys: &Keys<'_>) -> Vec<Option<Vec<u8>>> {
        let Some(generation) = self.generation else { return vec![None] };
        let mut front = Vec::new();
        put_generation(&mut front, Family::S3Object, &self.segment, generation);
        let front = front.strip_prefix(Family::S3Object.prefix()).unwrap_or_default();
        let range = |key: &[u8], push: fn(&[u8], &mut Vec<u8>)| {
            let mut beginning = front.to_vec();
            push(key, &mut beginning);
            Some(beginning)
        };
        match keys.narrowing() {
            Narrowing::All => vec![None],
            Narrowing::Keys(keys) => keys.into_iter().map(|key| range(key, push_segment)).collect(),
            Narrowing::Prefixes(keys) => keys.iter().map(|key| range(key, push_segment_beginning)).collect(),
        }
    }

    /// How findings name an object.
    pub(super) fn path_of(&self, key: &[u8]) -> Vec<u8> {
        [self.name.as_bytes(), b"/", key].concat()
    }
}

/// Whether an object that is selected by its key is so by its size and time, too; one whose record cannot be read is not: it is lost.
fn is_within_limits(run: &Run<'_>, found: &Visible<'_>) -> Result<bool> {
    let selected = run.scope();
    if !selected.has_limits() {
        return Ok(true);
    }
    match Head::parse(&found.body, &run.scratch()) {
        Ok(head) => Ok(selected.admits_object(u64::try_from(head.size_bytes).unwrap_or(0), found.commit_ts.0)),
        Err(JsonError::Read(error)) => Err(error),
        Err(JsonError::Fault(_)) => Ok(false),
    }
}

pub(super) fn emit(run: &mut Run<'_>, event: Event<'_>) -> Result<()> {
    run.emit(ModelEvent::S3(event))
}

impl Walk {
    /// Emits what is selected of one bucket. If that is everything, all records of the bucket are behind the cursors then.
    pub(super) fn bucket(
        &mut self,
        run: &mut Run<'_>,
        options: &Options,
        segment: &[u8],
        keys: &Keys<'_>,
    ) -> Result<()> {
        let name = String::from_utf8(unescape(segment)).unwrap_or_default();
        let (meta, outcome) = self.read_meta(run, segment, &name)?;
        let generation = match &meta {
            Some(meta) => Some(meta.generation),
            None => self.last_generation(segment)?,
        };
        if let (None, Some(generation)) = (&meta, generation) {
            run.record_finding(findings::BUCKET_MISSING, name.as_bytes(), None, || {
                format!("generation {generation} is written")
            });
        }
        let has_objects = meta.is_some() || generation.is_some();
        let segment = segment.to_vec();
        let mut scope = Scope { segment, name, meta, generation, has_begun: false, stale_objects: 0 };
        let ranges = scope.ranges(keys);
        if has_objects {
            if keys.has_scope() {
                scope.begin(run)?;
            }
            self.announce_keys(run, &mut scope, keys, &ranges)?;
        }
        for range in &ranges {
            if let Some(beginning) = range {
                for lane in [&mut self.heads, &mut self.blobs, &mut self.references] {
                    let range = Range::prefix(&[lane.family.prefix(), beginning].concat());
                    lane.seek(run, range)?;
                }
            }
            while let Some(group) = self.next_group(&scope.segment) {
                self.object(run, options, &mut scope, &group, keys)?;
            }
        }
        self.upload_records(run, options, &mut scope, keys)?;
        if scope.has_begun {
            emit(run, Event::End)?;
        }
        if let Some(outcome) = outcome.filter(|_| keys.has_scope() || scope.has_begun) {
            run.account(Family::S3Bucket, outcome, 1)?;
        }
        if scope.stale_objects > 0 {
            run.record_finding(findings::STALE_GENERATION, scope.name.as_bytes(), None, || match scope.generation {
                Some(generation) => {
                    format!("{} objects outside the active generation {generation}", scope.stale_objects)
                }
                None => format!("{} objects, the bucket is deleted", scope.stale_objects),
            });
        }
        Ok(())
    }

    /// The record of the bucket, and what becomes of it.
    fn read_meta(
        &mut self,
        run: &mut Run<'_>,
        segment: &[u8],
        name: &str,
    ) -> Result<(Option<BucketMeta>, Option<Outcome>)> {
        let Some(found) = self.buckets.found().filter(|_| self.buckets.rest() == Some(segment)) else {
            return Ok((None, None));
        };
        let (meta, outcome) = if found.body.is_empty() {
            (None, Outcome::Orphaned)
        } else {
            match BucketMeta::parse(&found.body) {
                Ok(meta) => (Some(meta), Outcome::Emitted),
                Err(JsonError::Read(error)) => return Err(error),
                Err(JsonError::Fault(fault)) => {
                    run.record_finding(findings::INVALID_BUCKET, name.as_bytes(), Some(found.byte_offset), || {
                        fault.to_string()
                    });
                    (None, Outcome::Lost)
                }
            }
        };
        self.buckets.advance(run)?;
        Ok((meta, Some(outcome)))
    }

    /// The last generation that has an object, for a bucket without record.
    fn last_generation(&mut self, segment: &[u8]) -> Result<Option<u64>> {
        let prefix = [Family::S3Object.prefix(), segment].concat();
        self.keys.seek(Range::prefix(&prefix))?;
        let mut last = None;
        while let Some(found) = self.keys.next_visible()? {
            let rest = found.user_key.get(Family::S3Object.prefix().len()..).unwrap_or_default();
            if let (Ok(key), false) = (ObjectKey::parse(rest), found.body.is_empty()) {
                last = last.max(Some(key.generation));
            }
        }
        Ok(last)
    }

    /// Emits the keys of all selected objects.
    fn announce_keys(
        &mut self,
        run: &mut Run<'_>,
        scope: &mut Scope,
        keys: &Keys<'_>,
        ranges: &[Option<Vec<u8>>],
    ) -> Result<()> {
        let Some(generation) = scope.generation else { return Ok(()) };
        for range in ranges {
            let mut prefix = Vec::new();
            match range {
                Some(beginning) => prefix.extend([Family::S3Object.prefix(), beginning].concat()),
                None => put_generation(&mut prefix, Family::S3Object, &scope.segment, generation),
            }
            self.keys.seek(Range::prefix(&prefix))?;
            while let Some(found) = self.keys.next_visible()? {
                let rest = found.user_key.get(Family::S3Object.prefix().len()..).unwrap_or_default();
                if let (Ok(parsed), false) = (ObjectKey::parse(rest), found.body.is_empty()) {
                    let key = unescape(parsed.object);
                    if keys.contains(&key) && is_within_limits(run, &found)? {
                        scope.begin(run)?;
                        emit(run, Event::Key(&key))?;
                    }
                }
            }
        }
        Ok(())
    }

    fn upload_records(
        &mut self,
        run: &mut Run<'_>,
        options: &Options,
        scope: &mut Scope,
        keys: &Keys<'_>,
    ) -> Result<()> {
        for lane in [&mut self.uploads, &mut self.upload_parts] {
            while lane.bucket() == Some(&scope.segment) {
                let key = lane.rest().and_then(|rest| UploadKey::parse(lane.family, rest).ok());
                if !key.is_some_and(|key| keys.contains(&unescape(key.object.object))) {
                    lane.advance(run)?;
                    continue;
                }
                let outcome = if options.include_incomplete_uploads {
                    scope.begin(run)?;
                    if let Some(found) = lane.found() {
                        let prefix = str::from_utf8(lane.family.prefix()).unwrap_or_default();
                        let record = UploadRecord { prefix, user_key: found.user_key, value: found.body.body() };
                        emit(run, Event::UploadRecord(record))?;
                    }
                    Outcome::Emitted
                } else {
                    Outcome::NotDecoded
                };
                run.account(lane.family, outcome, 1)?;
                lane.advance(run)?;
            }
        }
        Ok(())
    }
}
