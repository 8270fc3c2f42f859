//! Which buckets and objects no server restores.

use ekv_model::s3::{Bucket, BucketRecord, Event};
use ekv_model::{Event as ModelEvent, Example, Result};

use super::encode::longest_key_len;
use super::findings::BUCKET_RECORD_MADE;
use crate::restores::{Passing, Restores, fits, long_key};

/// Looks at buckets one after the other.
#[derive(Default)]
pub(super) struct Buckets {
    /// The open one.
    bucket: String,
    /// Whether it is passed over, up to its end.
    is_skipped: bool,
}

impl Restores for Buckets {
    fn event(&mut self, event: ModelEvent<'_>, passing: &mut Passing<'_>) -> Result<()> {
        let ModelEvent::S3(own) = event else { return Ok(()) };
        if self.is_skipped {
            self.is_skipped = !matches!(own, Event::End);
            return Ok(());
        }
        match own {
            Event::Begin(bucket) => {
                self.bucket = bucket.name.to_owned();
                if !fits(longest_key_len(bucket.name, b"")) {
                    passing.leave_out(bucket.name.as_bytes(), || long_key("bucket name", bucket.name.len()));
                    self.is_skipped = true;
                    return Ok(());
                }
                if bucket.record.is_none() {
                    let example = || Example::new(Some(bucket.name.as_bytes()), None, String::new());
                    passing.findings.record(BUCKET_RECORD_MADE, example);
                    let record = BucketRecord { created_at_hlc: 0, owner: "", region: "", acl: "" };
                    let begin = Event::Begin(Bucket { record: Some(record), ..bucket });
                    return passing.target.event(ModelEvent::S3(begin));
                }
            }
            Event::Key(key) if !fits(longest_key_len(&self.bucket, key)) => return Ok(()),
            Event::Object(object) if !fits(longest_key_len(&self.bucket, object.key)) => {
                let name = [self.bucket.as_bytes(), b"/", object.key].concat();
                passing.leave_out(&name, || long_key("object key", object.key.len()));
                return Ok(());
            }
            _ => {}
        }
        passing.target.event(event)
    }
}
