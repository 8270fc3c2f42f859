//! One object after the other.

use ekv_files::{DumpPath, Result};
use ekv_model::s3::{Event, Object};
use ekv_model::{Consumer, Event as ModelEvent, Example};

use super::S3_ETAG_DIFFERS;
use super::content::{Expected, replay_content};
use super::keys::ListedObject;
use super::sidecar::Sidecar;
use crate::replay::reading::{Reading, emit};
use crate::replay::value::ValueBuffer;
use crate::s3_name::{META_SUFFIX, object_path};

/// Replays the objects of a bucket.
pub(super) struct Objects {
    /// Path of the file at hand.
    path: DumpPath,
    directory_len: usize,
    /// Text of the sidecar at hand.
    sidecar: ValueBuffer,
    /// Content of the object at hand, if it is small.
    content: Vec<u8>,
}

impl Objects {
    /// For the objects of the bucket in `directory`.
    pub(super) fn new(reading: &Reading<'_>, directory: DumpPath) -> Self {
        Objects {
            directory_len: directory.len(),
            path: directory,
            sidecar: ValueBuffer::new(&reading.scratch()),
            content: Vec::new(),
        }
    }

    /// Reads sidecar and body of an object and hands it on, or leaves them out.
    pub(super) fn replay(
        &mut self,
        reading: &mut Reading<'_>,
        listed: &ListedObject<'_>,
        target: &mut dyn Consumer,
    ) -> Result<()> {
        let body_path = object_path(listed.key, listed.kind);
        self.enter(&[&body_path, META_SUFFIX].concat())?;
        if !listed.is_selected {
            reading.leave_out_file(&self.path)?;
            self.enter(&body_path)?;
            return reading.leave_out_file(&self.path);
        }
        let sidecar_path = self.path.clone();
        let mut sidecar = Sidecar::default();
        reading.read_file(&sidecar_path, &mut |file| {
            self.sidecar.fill_from(file)?;
            sidecar = Sidecar::parse(&self.sidecar)?;
            Ok(())
        })?;
        self.enter(&body_path)?;
        let (place, may_differ) = (reading.place(), reading.is_told(S3_ETAG_DIFFERS));
        let Objects { path, content, .. } = self;
        let mut odd = None;
        reading.read_file(path, &mut |file| {
            let expected = Expected { sidecar: &sidecar, path: sidecar_path.as_bytes(), may_differ };
            odd = replay_content(file, &expected, content, &mut |body| {
                let object = Object {
                    key: listed.key,
                    etag: &sidecar.etag,
                    last_modified_hlc: sidecar.last_modified_hlc,
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
            reading.find(S3_ETAG_DIFFERS, || Example::new(Some(path.as_bytes()), None, odd));
        }
        Ok(())
    }

    /// Goes to a file of the bucket.
    fn enter(&mut self, path: &[u8]) -> Result<()> {
        self.path.truncate(self.directory_len);
        Ok(self.path.extend(path)?)
    }
}
