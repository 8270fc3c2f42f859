//! Buckets in the order of their names. Source: `docs/format/s3.md`, section 7.

use ekv_model::{Protocol, Result};
use ekv_snapshot::{RangeScan, View};

use super::Options;
use super::chunks::Chunks;
use super::keys::{beyond_segment, unescape};
use super::lane::Lane;
use super::offloaded::Offloaded;
use crate::{Family, Run};

/// Cursors over all families that a bucket's records are in; their keys sort alike.
pub(super) struct Walk {
    pub(super) buckets: Lane,
    pub(super) heads: Lane,
    pub(super) blobs: Lane,
    pub(super) references: Lane,
    pub(super) uploads: Lane,
    pub(super) upload_parts: Lane,
    /// For a look ahead at the keys of a bucket.
    pub(super) keys: RangeScan,
    pub(super) chunks: Chunks,
}

/// Emits all buckets; returns what is known about offloaded chunks.
pub(super) fn decode<'r>(run: &mut Run<'r>, options: &Options, blob_sources: &[View]) -> Result<Offloaded> {
    let mut walk = Walk {
        buckets: Lane::new(run, Family::S3Bucket)?,
        heads: Lane::new(run, Family::S3Object)?,
        blobs: Lane::new(run, Family::S3Blob)?,
        references: Lane::new(run, Family::S3ChunkRef)?,
        uploads: Lane::new(run, Family::S3Upload)?,
        upload_parts: Lane::new(run, Family::S3UploadPart)?,
        keys: run.view().probe(),
        chunks: Chunks::new(run, blob_sources),
    };
    let scope = run.scope();
    while let Some(bucket) = walk.next_bucket() {
        let keys = scope.keys_in(Protocol::S3, &unescape(&bucket));
        if !keys.is_nothing() {
            walk.bucket(run, options, &bucket, &keys)?;
        }
        if !keys.is_all() {
            walk.leave_bucket(run, &bucket)?;
        }
    }
    Ok(walk.chunks.offloaded)
}

impl Walk {
    /// Segment of the first bucket that any record is left of.
    fn next_bucket(&self) -> Option<Vec<u8>> {
        let lanes = [&self.buckets, &self.heads, &self.blobs, &self.references, &self.uploads, &self.upload_parts];
        lanes.into_iter().filter_map(Lane::bucket).min().map(<[u8]>::to_vec)
    }

    /// Goes beyond all records of a bucket.
    fn leave_bucket(&mut self, run: &mut Run<'_>, bucket: &[u8]) -> Result<()> {
        let Some(beyond) = beyond_segment(bucket) else { return Ok(()) };
        let Walk { buckets, heads, blobs, references, uploads, upload_parts, .. } = self;
        [buckets, heads, blobs, references, uploads, upload_parts]
            .into_iter()
            .try_for_each(|lane| lane.skip_to(run, &beyond))
    }

    /// What the keys of the next object of a bucket begin with.
    pub(super) fn next_group(&self, bucket: &[u8]) -> Option<Vec<u8>> {
        let lanes = [&self.heads, &self.blobs, &self.references];
        lanes.into_iter().filter_map(|lane| lane.group_in(bucket)).min().map(<[u8]>::to_vec)
    }
}
