//! What the events are to those who look for names and sizes.

use super::{Bucket, BucketRecord, Event};
use crate::dynamodb::KeyForms;
use crate::step::{Extent, Step, ThingKey};
use crate::{Kind, Result};

/// Hands the beginning of a bucket to somebody.
type Kept = Box<dyn FnOnce(&mut dyn FnMut(Event<'_>) -> Result<()>) -> Result<()>>;

impl<'a> Event<'a> {
    pub(crate) fn step(&self) -> Step<'a> {
        match *self {
            Event::Begin(bucket) => {
                Step::Scope { name: bucket.name.as_bytes(), forms: KeyForms::Uniform, is_gone: false }
            }
            Event::Key(key) => Step::Beside(key),
            Event::Object(object) => Step::Thing {
                number: None,
                kind: Kind::Object,
                key: ThingKey::Plain(object.key),
                extent: Extent::Whole(object.body.len()),
                expire_at_ms: None,
                commit_ts: object.commit_ts,
            },
            Event::OrphanChunk(chunk) => Step::Beside(chunk.key),
            Event::UploadRecord(_) => Step::Unseen,
            Event::End => Step::ScopeEnd,
        }
    }

    /// The beginning of a bucket, to be given again.
    pub(crate) fn keep(&self) -> Option<Kept> {
        let Event::Begin(Bucket { name, record }) = self else { return None };
        let name = (*name).to_owned();
        let record = record.map(|BucketRecord { created_at_hlc, owner, region, acl }| {
            (created_at_hlc, [owner, region, acl].map(str::to_owned))
        });
        Some(Box::new(move |take| {
            let record = record.as_ref().map(|(created_at_hlc, [owner, region, acl])| BucketRecord {
                created_at_hlc: *created_at_hlc,
                owner,
                region,
                acl,
            });
            take(Event::Begin(Bucket { name: &name, record }))
        }))
    }
}
