//! S3 buckets and objects as they are compared.

use ekv_model::s3::{BucketRecord, Event, Object};
use ekv_model::{Protocol, Result};
use ekv_snapshot::CommitTs;
use sha2::{Digest, Sha256};

use super::Digester;
use super::aspects::{Aspects, Fingerprint};
use super::canonical::{Canonical, Sum};
use super::compare::Part;

impl Digester<'_> {
    pub(super) fn s3(&mut self, event: &Event<'_>) -> Result<()> {
        match event {
            Event::Begin(bucket) => {
                self.set_scope(bucket.name.as_bytes());
                let mut canonical = Canonical::of("s3 bucket");
                canonical.bucket(bucket.record.as_ref());
                self.put(Protocol::S3, Part::Itself, b"", b"", canonical)?;
                match bucket.record.map_or(0, |record| record.created_at_hlc) {
                    0 => Ok(()),
                    created_at_hlc => {
                        let mut canonical = Canonical::of("s3 bucket extension");
                        canonical.number(created_at_hlc);
                        self.put(Protocol::S3, Part::Extension, b"", b"", canonical)
                    }
                }
            }
            Event::Object(object) => {
                let mut canonical = Canonical::of("s3 object");
                canonical.object(object)?;
                self.put(Protocol::S3, Part::Itself, object.key, b"", canonical)
            }
            // What no client sees, and names of which the objects follow.
            Event::Key(_) | Event::OrphanChunk(_) | Event::UploadRecord(_) | Event::End => Ok(()),
        }
    }
}

impl Aspects {
    pub(super) fn s3(&mut self, event: &Event<'_>) -> Result<Option<Fingerprint>> {
        match event {
            Event::Begin(bucket) => {
                let mut canonical = Canonical::of("s3 bucket");
                canonical.bucket(bucket.record.as_ref());
                Ok(Some(Fingerprint::of_metadata(canonical)))
            }
            Event::Object(object) => {
                let mut value = Canonical::of("s3 content");
                value.body(&object.body)?;
                let mut metadata = Canonical::of("s3 headers");
                metadata.headers(object);
                Ok(Some(Fingerprint { value: value.finish(), metadata: metadata.finish() }))
            }
            _ => Ok(None),
        }
    }
}

impl Canonical {
    pub(super) fn bucket(&mut self, record: Option<&BucketRecord<'_>>) {
        self.flag(record.is_some());
        if let Some(record) = record {
            self.texts([record.owner, record.region, record.acl]);
        }
    }

    fn object(&mut self, object: &Object<'_>) -> Result<()> {
        let mut content = Sha256::new();
        object.body.for_each_chunk(|chunk| {
            content.update(chunk);
            Ok(())
        })?;
        self.object_of(object, content.finalize().into());
        Ok(())
    }

    /// An object of which the content has been hashed already.
    pub(super) fn object_of(&mut self, object: &Object<'_>, content: Sum) {
        self.headers(object);
        // A dump says the millisecond, not the counter.
        self.number(CommitTs(object.last_modified_hlc).unix_ms());
        self.number(object.body.len());
        self.bytes(&content);
    }

    /// What is known of an object beside its content and the time of its last change.
    fn headers(&mut self, object: &Object<'_>) {
        self.texts([object.etag, object.content_type, object.content_encoding]);
        self.texts([object.cache_control, object.content_disposition]);
        self.len(object.user_metadata.len());
        object.user_metadata.iter().for_each(|(name, value)| self.texts([name, value]));
    }
}
