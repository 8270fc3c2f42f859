//! S3: events to records. Source: `docs/format/s3.md`, section 6.
//!
//! Every bucket is in its first generation, every object comes in one part, whatever it was decoded from.

use std::collections::BTreeMap;
use std::sync::Arc;

use ekv_model::s3::{Bucket, BucketRecord, Event, Object};
use ekv_model::{Body, ByteSource, Event as ModelEvent, Result};
use ekv_snapshot::RecordSink;
use ekv_spill::{Scratch, Spool};

use super::keys::{ChunkPlace, push_segment, put_bucket, put_chunk, put_group, put_object};
use crate::adapter::EncodeEvents;
use crate::encode_error::misplaced;
use crate::json::begin_object;
use crate::{EncodeError, Family};

/// Longest chunk, in bytes: that of the server.
const CHUNK_LEN_MAX: u64 = 1 << 20;
/// Generation of every bucket.
const GENERATION: u64 = 1;
/// Upload of every object.
const UPLOAD_ID: &str = "elastickv-restore";
/// Number of the one part.
const PART_NO: u64 = 1;
/// Memory for the record of an object, in bytes; it lists the sizes of all chunks.
const HEAD_BUDGET: usize = 64 << 10;

/// Length of the longest key of the records of an object, in bytes; of an empty key that of the bucket's own records is not longer.
pub(crate) fn longest_key_len(bucket: &str, key: &[u8]) -> usize {
    let (mut upload, mut group, mut user_key) = (Vec::new(), Vec::new(), Vec::new());
    push_segment(UPLOAD_ID.as_bytes(), &mut upload);
    put_group(&mut group, bucket, GENERATION, key);
    put_chunk(&mut user_key, Family::S3Blob, &group, &upload, ChunkPlace { part_no: PART_NO, chunk_no: 0, version: 0 });
    user_key.len()
}

/// Builds records from the events of one bucket after the other.
pub(crate) struct Encoder {
    scratch: Arc<dyn Scratch>,
    /// Name of the open bucket.
    bucket: Option<String>,
    /// Segment of the upload id.
    upload: Vec<u8>,
    group: Vec<u8>,
    user_key: Vec<u8>,
    value: Vec<u8>,
}

impl EncodeEvents for Encoder {
    fn event(&mut self, sink: &mut dyn RecordSink, event: ModelEvent<'_>) -> Result<()> {
        let ModelEvent::S3(event) = event else { return Err(misplaced("an event of another protocol")) };
        match (event, self.bucket.take()) {
            (Event::Begin(bucket), None) => {
                self.bucket(sink, &bucket)?;
                self.bucket = Some(bucket.name.to_owned());
            }
            (Event::Key(_), Some(name)) => self.bucket = Some(name),
            (Event::Object(object), Some(name)) => {
                self.object(sink, &name, &object)?;
                self.bucket = Some(name);
            }
            (Event::End, Some(_)) => {}
            (Event::OrphanChunk(_), Some(_)) => return Err(leftover("chunks without an object")),
            (Event::UploadRecord(_), Some(_)) => return Err(leftover("records of unfinished uploads")),
            (Event::Begin(_), Some(_)) => return Err(misplaced("a bucket inside a bucket")),
            (_, None) => return Err(misplaced("an object outside of a bucket")),
        }
        Ok(())
    }
}

impl Encoder {
    pub(crate) fn new(scratch: &Arc<dyn Scratch>) -> Self {
        let mut upload = Vec::new();
        push_segment(UPLOAD_ID.as_bytes(), &mut upload);
        Encoder {
            scratch: Arc::clone(scratch),
            bucket: None,
            upload,
            group: Vec::new(),
            user_key: Vec::new(),
            value: Vec::new(),
        }
    }

    fn bucket(&mut self, sink: &mut dyn RecordSink, bucket: &Bucket<'_>) -> Result<()> {
        let Some(BucketRecord { created_at_hlc, owner, region, acl }) = bucket.record else {
            return Err(EncodeError::S3BucketRecord { bucket: bucket.name.to_owned() }.into());
        };
        let Encoder { user_key, value, .. } = self;
        value.clear();
        let mut meta = begin_object(value);
        meta.text("bucket_name", bucket.name);
        meta.number("generation", GENERATION);
        meta.number("created_at_hlc", created_at_hlc);
        meta.text("owner", owner);
        meta.text("region", region);
        meta.text("acl", acl);
        meta.end();
        put_bucket(user_key, Family::S3Bucket, bucket.name);
        sink.put(user_key, &[Body::Inline(value)])?;
        put_bucket(user_key, Family::S3Generation, bucket.name);
        sink.put(user_key, &[Body::Inline(&GENERATION.to_be_bytes())])
    }

    fn object(&mut self, sink: &mut dyn RecordSink, bucket: &str, object: &Object<'_>) -> Result<()> {
        let Encoder { scratch, upload, group, user_key, value, .. } = self;
        put_group(group, bucket, GENERATION, object.key);
        let chunks = Chunks { body: &object.body };
        for chunk_no in 0..chunks.len() {
            put_chunk(user_key, Family::S3Blob, group, upload, ChunkPlace { part_no: PART_NO, chunk_no, version: 0 });
            chunks.with(chunk_no, |chunk| sink.put(user_key, &[chunk]))?;
        }
        let mut head = Spool::new(Arc::clone(scratch), HEAD_BUDGET);
        write_head(object, &chunks, value, &mut head)?;
        put_object(user_key, group);
        sink.put(user_key, &[head.into_reader()?.body()])
    }
}

/// Writes the record of an object; `piece` is a buffer.
fn write_head(object: &Object<'_>, chunks: &Chunks<'_>, piece: &mut Vec<u8>, head: &mut Spool) -> Result<()> {
    piece.clear();
    let mut members = begin_object(piece);
    members.text("upload_id", UPLOAD_ID);
    members.text("etag", object.etag);
    members.number("size_bytes", object.body.len());
    members.number("last_modified_hlc", object.last_modified_hlc);
    members.text("content_type", object.content_type);
    members.text("content_encoding", object.content_encoding);
    members.text("cache_control", object.cache_control);
    members.text("content_disposition", object.content_disposition);
    push_metadata(object.user_metadata, members.name("user_metadata"));
    write_parts(object, chunks, members.name("parts"), head)?;
    members.end();
    Ok(head.write_all(piece)?)
}

fn push_metadata(metadata: &BTreeMap<String, String>, out: &mut Vec<u8>) {
    if metadata.is_empty() {
        out.extend_from_slice(b"null");
        return;
    }
    let mut members = begin_object(out);
    for (name, text) in metadata {
        members.text(name, text);
    }
    members.end();
}

/// Writes the list of the one part to the end of `out`, from where it goes on to `head` if it is long.
fn write_parts(object: &Object<'_>, chunks: &Chunks<'_>, out: &mut Vec<u8>, head: &mut Spool) -> Result<()> {
    if chunks.len() == 0 {
        out.extend_from_slice(b"null");
        return Ok(());
    }
    out.push(b'[');
    let mut part = begin_object(out);
    part.number("part_no", PART_NO);
    part.text("etag", object.etag);
    part.number("size_bytes", object.body.len());
    part.number("chunk_count", chunks.len());
    let sizes = part.name("chunk_sizes");
    sizes.push(b'[');
    for chunk_no in 0..chunks.len() {
        if chunk_no > 0 {
            sizes.push(b',');
        }
        sizes.extend_from_slice(chunks.len_of(chunk_no).to_string().as_bytes());
        if sizes.len() >= HEAD_BUDGET {
            head.write_all(sizes)?;
            sizes.clear();
        }
    }
    sizes.push(b']');
    part.number("part_version", 0);
    part.number("chunk_ref_version", 0);
    part.name("offloaded").extend_from_slice(b"false");
    part.end();
    out.push(b']');
    Ok(())
}

/// A body as the chunks in which the server stores it.
struct Chunks<'b> {
    body: &'b Body<'b>,
}

impl Chunks<'_> {
    /// How many there are.
    fn len(&self) -> u64 {
        self.body.len().div_ceil(CHUNK_LEN_MAX)
    }

    /// Length of a chunk below [`Chunks::len`], in bytes.
    fn len_of(&self, chunk_no: u64) -> u64 {
        self.body.len().saturating_sub(chunk_no.saturating_mul(CHUNK_LEN_MAX)).min(CHUNK_LEN_MAX)
    }

    /// Gives the content of a chunk to `take`. Chunks that are taken in order are read in order.
    fn with(&self, chunk_no: u64, take: impl FnOnce(Body<'_>) -> Result<()>) -> Result<()> {
        let (start, len) = (chunk_no.saturating_mul(CHUNK_LEN_MAX), self.len_of(chunk_no));
        match self.body {
            Body::Inline(bytes) => {
                let range = usize::try_from(start).ok().zip(usize::try_from(start.saturating_add(len)).ok());
                take(Body::Inline(range.and_then(|(start, end)| bytes.get(start..end)).unwrap_or_default()))
            }
            Body::Streamed(source) => take(Body::Streamed(&Slice { source: *source, start, len })),
        }
    }
}

/// A range of a source.
struct Slice<'s> {
    source: &'s dyn ByteSource,
    start: u64,
    len: u64,
}

impl ByteSource for Slice<'_> {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        self.source.read_exact_at(self.start.saturating_add(offset), buf)
    }
}

fn leftover(what: &'static str) -> ekv_model::Error {
    EncodeError::S3Leftover { what }.into()
}

#[cfg(test)]
mod tests;
