//! S3 and what speaks like it.

use std::io::Read;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ekv_aws::s3::{self, Attributes, Part, Put};
use ekv_aws::{Client, Content, Done, FaultKind};

use crate::probe::random_name;
use crate::{Error, Listed, Meta, Mode, PartTag, Parts, Remote, Result};

/// Says of an object which write of which run made it: an answer that was lost is made up for by asking.
const RUN_HEADER: &str = "x-amz-meta-ekv-backup-run";

/// A bucket.
#[derive(Clone)]
pub struct S3Remote {
    bucket: Arc<Bucket>,
}

struct Bucket {
    client: Client,
    name: String,
    /// Names this run.
    run: String,
    /// Writes so far.
    writes: AtomicU64,
}

impl S3Remote {
    /// A bucket; nothing is asked yet.
    pub fn new(client: Client, bucket: impl Into<String>) -> Self {
        S3Remote {
            bucket: Arc::new(Bucket { client, name: bucket.into(), run: random_name(), writes: AtomicU64::new(0) }),
        }
    }

    /// Requests that were sent so far.
    pub fn requests(&self) -> u64 {
        self.bucket.client.sent.load(Ordering::Relaxed)
    }
}

impl Bucket {
    fn place(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.name)
    }

    fn error(&self, key: &str, source: ekv_aws::Error) -> Error {
        Error::Service { place: self.place(key), source }
    }

    /// A name that no other write has.
    fn new_write(&self) -> String {
        format!("{}-{}", self.run, self.writes.fetch_add(1, Ordering::Relaxed))
    }

    fn attributes(write: &str, mode: Mode) -> Attributes {
        Attributes { headers: vec![(RUN_HEADER.to_owned(), write.to_owned())], must_be_new: mode == Mode::Create }
    }

    /// What became of a write whose answer is this. An object that an earlier try of the same request made is ours.
    fn written(&self, key: &str, write: &str, len: u64, done: ekv_aws::Result<Done<Put>>) -> Result<Meta> {
        match done {
            Ok(Done { value: Put::Written { etag }, .. }) => Ok(Meta { len, tag: etag }),
            Ok(Done { value: Put::Exists, is_unsure: false }) => Err(Error::Exists { place: self.place(key) }),
            Ok(Done { value: Put::Exists, is_unsure: true }) => {
                self.own(key, write)?.ok_or_else(|| Error::Exists { place: self.place(key) })
            }
            Err(error) if error.is_unsure() => match self.own(key, write) {
                Ok(Some(meta)) => Ok(meta),
                _ => Err(self.error(key, error)),
            },
            Err(error) => Err(self.error(key, error)),
        }
    }

    /// The object, if this write made it.
    fn own(&self, key: &str, write: &str) -> Result<Option<Meta>> {
        let object = s3::head_object(&self.client, &self.name, key).map_err(|error| self.error(key, error))?;
        let is_own =
            |object: &s3::Object| object.headers.iter().any(|(name, value)| name == RUN_HEADER && value == write);
        Ok(object.filter(is_own).map(|object| Meta { len: object.len, tag: object.etag }))
    }
}

impl Remote for S3Remote {
    fn place(&self, key: &str) -> String {
        self.bucket.place(key)
    }

    fn head(&self, key: &str) -> Result<Option<Meta>> {
        let object = s3::head_object(&self.bucket.client, &self.bucket.name, key);
        let object = object.map_err(|error| self.bucket.error(key, error))?;
        Ok(object.map(|object| Meta { len: object.len, tag: object.etag }))
    }

    fn get(&self, key: &str, range: Range<u64>, tag: &str) -> Result<Box<dyn Read + Send>> {
        let range = s3::Range::Bytes(range.start, range.end.saturating_sub(1));
        match s3::get_object(&self.bucket.client, &self.bucket.name, key, range, Some(tag)) {
            Ok(Some(object)) if object.etag == tag => Ok(object.body),
            Ok(Some(_)) => Err(Error::Changed { place: self.place(key) }),
            Ok(None) => Err(Error::Missing { place: self.place(key) }),
            Err(error) if error.fault().is_some_and(|fault| fault.kind() == FaultKind::Exists) => {
                Err(Error::Changed { place: self.place(key) })
            }
            Err(error) => Err(self.bucket.error(key, error)),
        }
    }

    fn put(&self, key: &str, bytes: &[u8], mode: Mode) -> Result<Meta> {
        let Bucket { client, name, .. } = self.bucket.as_ref();
        let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let write = self.bucket.new_write();
        let done = s3::put_object(client, name, key, &Bucket::attributes(&write, mode), Content::Bytes(bytes));
        self.bucket.written(key, &write, len, done)
    }

    fn begin(&self, key: &str, mode: Mode) -> Result<Box<dyn Parts>> {
        let Bucket { client, name, .. } = self.bucket.as_ref();
        let write = self.bucket.new_write();
        let upload = s3::create_upload(client, name, key, &Bucket::attributes(&write, mode));
        let upload = upload.map_err(|error| self.bucket.error(key, error))?;
        Ok(Box::new(S3Parts { bucket: Arc::clone(&self.bucket), key: key.to_owned(), write, upload, mode }))
    }

    fn list(&self, prefix: &str, take: &mut dyn FnMut(Listed) -> Result<bool>) -> Result<()> {
        let mut next: Option<String> = None;
        loop {
            let page = s3::list(&self.bucket.client, &self.bucket.name, prefix, next.as_deref());
            let page = page.map_err(|error| self.bucket.error(prefix, error))?;
            for object in page.objects {
                if !take(listed(object))? {
                    return Ok(());
                }
            }
            next = page.next;
            if next.is_none() {
                return Ok(());
            }
        }
    }

    fn delete(&self, key: &str) -> Result<()> {
        let deleted = s3::delete_object(&self.bucket.client, &self.bucket.name, key);
        deleted.map_err(|error| self.bucket.error(key, error))
    }
}

fn listed(object: s3::Listed) -> Listed {
    let modified = object.modified.parse().ok();
    Listed { key: object.key, meta: Meta { len: object.len, tag: object.etag }, modified }
}

struct S3Parts {
    bucket: Arc<Bucket>,
    key: String,
    write: String,
    upload: String,
    mode: Mode,
}

impl Parts for S3Parts {
    fn put(&self, number: u32, bytes: &[u8]) -> Result<PartTag> {
        let Bucket { client, name, .. } = self.bucket.as_ref();
        let part = s3::upload_part(client, name, &self.key, &self.upload, number, Content::Bytes(bytes));
        let Part { number, etag, len, sha256 } = part.map_err(|error| self.bucket.error(&self.key, error))?;
        Ok(PartTag { number, len, tag: etag, sha256 })
    }

    fn complete(&self, parts: &[PartTag]) -> Result<Meta> {
        let Bucket { client, name, .. } = self.bucket.as_ref();
        let len = parts.iter().fold(0, |sum: u64, part| sum.saturating_add(part.len));
        let of_part = |part: &PartTag| Part {
            number: part.number,
            etag: part.tag.clone(),
            len: part.len,
            sha256: part.sha256.clone(),
        };
        let parts: Vec<Part> = parts.iter().map(of_part).collect();
        let done = s3::complete_upload(client, name, &self.key, &self.upload, &parts, self.mode == Mode::Create);
        self.bucket.written(&self.key, &self.write, len, done)
    }

    fn abort(&self) -> Result<()> {
        let Bucket { client, name, .. } = self.bucket.as_ref();
        s3::abort_upload(client, name, &self.key, &self.upload).map_err(|error| self.bucket.error(&self.key, error))
    }
}
