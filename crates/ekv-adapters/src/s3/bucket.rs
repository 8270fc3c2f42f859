//! The record of a bucket. Source: `docs/format/s3.md`, section 2.1.

use ekv_model::ByteSource;
use ekv_model::s3::{BucketRecord, STRING_LEN_MAX};

use crate::json::{JsonReader, JsonResult, is_name};

/// What is stored about a bucket, apart from its name, which is in the key.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct BucketMeta {
    pub(super) generation: u64,
    created_at_hlc: u64,
    owner: String,
    region: String,
    acl: String,
}

impl BucketMeta {
    pub(super) fn parse(value: &dyn ByteSource) -> JsonResult<Self> {
        let mut meta = BucketMeta::default();
        let mut reader = JsonReader::new(value);
        reader.object(|reader, name| {
            match name {
                name if is_name(name, "bucket_name") => drop(reader.string(STRING_LEN_MAX)?),
                name if is_name(name, "generation") => meta.generation = reader.u64()?,
                name if is_name(name, "created_at_hlc") => meta.created_at_hlc = reader.u64()?,
                name if is_name(name, "owner") => meta.owner = reader.string(STRING_LEN_MAX)?,
                name if is_name(name, "region") => meta.region = reader.string(STRING_LEN_MAX)?,
                name if is_name(name, "acl") => meta.acl = reader.string(STRING_LEN_MAX)?,
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        reader.end()?;
        Ok(meta)
    }

    pub(super) fn record(&self) -> BucketRecord<'_> {
        let BucketMeta { created_at_hlc, owner, region, acl, .. } = self;
        BucketRecord { created_at_hlc: *created_at_hlc, owner, region, acl }
    }
}
