//! S3 buckets and objects as events.
//!
//! A bucket is [`Event::Begin`], the keys of all its objects, the objects themselves and what else belongs to it, and
//! [`Event::End`]; two buckets never mix. Targets that name files after keys need all keys of a bucket before they can name the
//! first one, therefore [`Event::Key`] comes for every key before the first [`Event::Object`].

mod step;

use std::collections::BTreeMap;

use crate::Body;

/// Longest string in the record of a bucket or object, in bytes. Source: `docs/format/s3.md`, section 5.
pub const STRING_LEN_MAX: usize = 64 << 10;

/// Most bytes of user metadata, names and values together; far more than a request can carry.
pub const METADATA_LEN_MAX: usize = 1 << 20;

/// A bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket<'a> {
    /// Name, not empty.
    pub name: &'a str,
    /// What is recorded about it; `None` if the snapshot holds objects of the bucket but no record of it.
    pub record: Option<BucketRecord<'a>>,
}

/// What is recorded about a bucket; strings are empty where nothing is recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BucketRecord<'a> {
    /// Creation time (HLC); 0 if unknown.
    pub created_at_hlc: u64,
    /// Who created it.
    pub owner: &'a str,
    /// Region.
    pub region: &'a str,
    /// `private` or `public-read`.
    pub acl: &'a str,
}

/// An object with its content; strings are empty where nothing is recorded.
#[derive(Clone, Copy, Debug)]
pub struct Object<'a> {
    /// Key; any bytes, may be empty.
    pub key: &'a [u8],
    /// Entity tag without quotes.
    pub etag: &'a str,
    /// Last modification (HLC); 0 if unknown.
    pub last_modified_hlc: u64,
    /// When its record was committed (HLC); 0 if unknown, as in a dump.
    pub commit_ts: u64,
    /// Header `Content-Type`.
    pub content_type: &'a str,
    /// Header `Content-Encoding`.
    pub content_encoding: &'a str,
    /// Header `Cache-Control`.
    pub cache_control: &'a str,
    /// Header `Content-Disposition`.
    pub content_disposition: &'a str,
    /// The client's own metadata.
    pub user_metadata: &'a BTreeMap<String, String>,
    /// Content; its length is the size of the object.
    pub body: Body<'a>,
}

/// A stored record of a multipart upload that was not completed, as it is: clients cannot see it, and restoring it makes no sense.
#[derive(Clone, Copy, Debug)]
pub struct UploadRecord<'a> {
    /// Name of the kind of record: what its key begins with.
    pub prefix: &'a str,
    /// The whole key of the record.
    pub user_key: &'a [u8],
    /// The whole value.
    pub value: Body<'a>,
}

/// A chunk of content that no object has.
#[derive(Clone, Copy, Debug)]
pub struct OrphanChunk<'a> {
    /// Key of the object that it was uploaded for; any bytes, may be empty.
    pub key: &'a [u8],
    /// Generation of the bucket in which that was.
    pub generation: u64,
    /// Upload.
    pub upload_id: &'a [u8],
    /// Part of the upload.
    pub part_no: u64,
    /// Chunk of the part, from 0.
    pub chunk_no: u64,
    /// Version of the part; 0 in data of old servers and in objects that came in one piece.
    pub part_version: u64,
    /// Content.
    pub body: Body<'a>,
}

/// What happens to one bucket.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A bucket begins. Each name comes once, in ascending byte order.
    Begin(Bucket<'a>),
    /// An object of the bucket has this key. Keys come in ascending byte order, each once, before any other event of the
    /// bucket. An object that turns out to be damaged is never told about beyond its key.
    Key(&'a [u8]),
    /// An object. Objects come in the order of their keys.
    Object(Object<'a>),
    /// A chunk without object; comes only if it was asked for.
    OrphanChunk(OrphanChunk<'a>),
    /// A record of an unfinished upload; comes only if it was asked for, after all objects.
    UploadRecord(UploadRecord<'a>),
    /// The bucket is complete.
    End,
}
