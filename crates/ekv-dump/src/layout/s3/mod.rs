//! S3 buckets as files. Source: `docs/format/s3.md`.

pub(crate) mod read;
pub(crate) mod write;
