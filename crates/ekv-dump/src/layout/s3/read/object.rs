//! One object after the other.

use ekv_model::s3::{Event, Object};
use ekv_model::{Consumer, Event as ModelEvent, Example};

use super::content::{Expected, replay_content};
use super::findings::S3_ETAG_DIFFERS;
use super::keys::ListedObject;
use super::sidecar::Sidecar;
use crate::layout::in_scope::InScope as _;
use crate::layout::s3::entry::BucketEntry;
use crate::replay::reading::{Reading, emit};
use crate::replay::value::ValueBuffer;
use crate::s3_name::object_path;
use ekv_files::{DumpPath, Result};

/// Replays the objects of a bucket.
pub(super) struct Objects {
    /// Name of its directory.
    bucket: Vec<u8>,
    /// Text of the sidecar at hand.
    sidecar: ValueBuffer,
    /// Content of the object at hand, if it is small.
    content: Vec<u8>,
}

impl Objects {
    /// For the objects of the bucket in `directory`.
    pub(super) fn new(reading: &Reading<'_>, directory: &[u8]) -> Self {
        Objects { bucket: directory.to_vec(), sidecar: ValueBuffer::new(&reading.scratch()), content: Vec::new() }
    }

    /// Whether an object that is selected by its key is so by its size, too. What is wrong with its sidecar is said when it is read.
    pub(super) fn is_within_limits(&mut self, reading: &mut Reading<'_>, listed: &ListedObject<'_>) -> Result<bool> {
        let scope = reading.scope();
        if !scope.has_limits() {
            return Ok(true);
        }
        let sidecar = BucketEntry::Sidecar(&object_path(listed.key, listed.kind)).path(&self.bucket);
        let text = reading.peek(&DumpPath::new(&sidecar)?).and_then(|mut text| self.sidecar.fill_from(&mut text));
        let sidecar = text.and_then(|()| Sidecar::parse(&self.sidecar));
        Ok(sidecar.map_or(true, |sidecar| scope.admits_object(sidecar.size_bytes, 0)))
    }

    /// Reads sidecar and body of an object and hands it on, or leaves them out.
    pub(super) fn replay(
        &mut self,
        reading: &mut Reading<'_>,
        listed: &ListedObject<'_>,
        target: &mut dyn Consumer,
    ) -> Result<()> {
        let Objects { bucket, content, .. } = self;
        let object_path = object_path(listed.key, listed.kind);
        let sidecar_path = DumpPath::new(&BucketEntry::Sidecar(&object_path).path(bucket))?;
        let path = DumpPath::new(&BucketEntry::Body(&object_path).path(bucket))?;
        if !listed.is_selected {
            reading.leave_out_file(&sidecar_path)?;
            return reading.leave_out_file(&path);
        }
        let mut sidecar = Sidecar::default();
        reading.read_file(&sidecar_path, &mut |file| {
            self.sidecar.fill_from(file)?;
            sidecar = Sidecar::parse(&self.sidecar)?;
            Ok(())
        })?;
        let (place, may_differ) = (reading.place(), reading.is_told(S3_ETAG_DIFFERS));
        let mut odd = None;
        reading.read_file(&path, &mut |file| {
            let expected = Expected { sidecar: &sidecar, path: sidecar_path.as_bytes(), may_differ };
            odd = replay_content(file, &expected, content, &mut |body| {
                let object = Object {
                    key: listed.key,
                    etag: &sidecar.etag,
                    last_modified_hlc: sidecar.last_modified_hlc,
                    commit_ts: 0,
                    content_type: &sidecar.content_type,
                    content_encoding: &sidecar.content_encoding,
                    cache_control: &sidecar.cache_control,
                    content_disposition: &sidecar.content_disposition,
                    user_metadata: &sidecar.user_metadata,
                    body,
                };
                emit(target, place, ModelEvent::S3(Event::Object(object)))
            })?;
            Ok(())
        })?;
        if let Some(odd) = odd {
            reading.record_finding(S3_ETAG_DIFFERS, || Example::new(Some(path.as_bytes()), None, odd));
        }
        Ok(())
    }
}
