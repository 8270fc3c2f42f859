//! One bucket. Source: `docs/format/s3.md`, sections 2.1 and 3.

use ekv_model::s3::{Bucket, Event, UploadRecord};
use ekv_model::{Event as ModelEvent, Result};
use ekv_snapshot::Range;

use super::bucket::BucketMeta;
use super::keys::{ObjectKey, put_generation, unescape};
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

    /// How findings name an object.
    pub(super) fn path_of(&self, key: &[u8]) -> Vec<u8> {
        [self.name.as_bytes(), b"/", key].concat()
    }
}

pub(super) fn emit(run: &mut Run<'_>, event: Event<'_>) -> Result<()> {
    run.emit(ModelEvent::S3(event))
}

impl Walk {
    /// Emits everything of one bucket; all records of the bucket are behind the cursors then.
    pub(super) fn bucket(&mut self, run: &mut Run<'_>, options: &Options, segment: &[u8]) -> Result<()> {
        let name = String::from_utf8(unescape(segment)).unwrap_or_default();
        let meta = self.read_meta(run, segment, &name)?;
        let generation = match &meta {
            Some(meta) => Some(meta.generation),
            None => self.last_generation(segment)?,
        };
        if let (None, Some(generation)) = (&meta, generation) {
            run.find(findings::BUCKET_MISSING, name.as_bytes(), None, || format!("generation {generation} is written"));
        }
        let has_objects = meta.is_some() || generation.is_some();
        let segment = segment.to_vec();
        let mut scope = Scope { segment, name, meta, generation, has_begun: false, stale_objects: 0 };
        if has_objects {
            scope.begin(run)?;
            self.announce_keys(run, &scope)?;
        }
        while let Some(group) = self.next_group(&scope.segment) {
            self.object(run, options, &mut scope, &group)?;
        }
        self.upload_records(run, options, &mut scope)?;
        if scope.has_begun {
            emit(run, Event::End)?;
        }
        if scope.stale_objects > 0 {
            run.find(findings::STALE_GENERATION, scope.name.as_bytes(), None, || match scope.generation {
                Some(generation) => {
                    format!("{} objects outside the active generation {generation}", scope.stale_objects)
                }
                None => format!("{} objects, the bucket is deleted", scope.stale_objects),
            });
        }
        Ok(())
    }

    fn read_meta(&mut self, run: &mut Run<'_>, segment: &[u8], name: &str) -> Result<Option<BucketMeta>> {
        let Some(found) = self.buckets.found().filter(|_| self.buckets.rest() == Some(segment)) else {
            return Ok(None);
        };
        let (meta, outcome) = if found.body.is_empty() {
            (None, Outcome::Orphaned)
        } else {
            match BucketMeta::parse(&found.body) {
                Ok(meta) => (Some(meta), Outcome::Emitted),
                Err(JsonError::Read(error)) => return Err(error),
                Err(JsonError::Fault(fault)) => {
                    run.find(findings::INVALID_BUCKET, name.as_bytes(), Some(found.byte_offset), || fault.to_string());
                    (None, Outcome::Lost)
                }
            }
        };
        run.account(Family::S3Bucket, outcome, 1)?;
        self.buckets.advance(run)?;
        Ok(meta)
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

    /// Emits the keys of all objects.
    fn announce_keys(&mut self, run: &mut Run<'_>, scope: &Scope) -> Result<()> {
        let Some(generation) = scope.generation else { return Ok(()) };
        let mut prefix = Vec::new();
        put_generation(&mut prefix, Family::S3Object, &scope.segment, generation);
        self.keys.seek(Range::prefix(&prefix))?;
        while let Some(found) = self.keys.next_visible()? {
            let rest = found.user_key.get(Family::S3Object.prefix().len()..).unwrap_or_default();
            if let (Ok(key), false) = (ObjectKey::parse(rest), found.body.is_empty()) {
                emit(run, Event::Key(&unescape(key.object)))?;
            }
        }
        Ok(())
    }

    fn upload_records(&mut self, run: &mut Run<'_>, options: &Options, scope: &mut Scope) -> Result<()> {
        for lane in [&mut self.uploads, &mut self.upload_parts] {
            while lane.bucket() == Some(&scope.segment) {
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
