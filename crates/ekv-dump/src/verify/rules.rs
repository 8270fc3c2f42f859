//! Does the manifest allow an entry, and is its name canonical?
//!
//! Source: `docs/format/tree.md`, sections 1, 2.5 and 5; `docs/format/s3.md` and `docs/format/sqs.md`, section 4.

use ekv_model::{Finding, Map, Protocol};

use super::problem::ProblemKind;
use crate::entry::{DynamoDbEntry, Entry, IN_BUCKET, RedisEntry, S3Entry, SqsEntry};
use crate::manifest::{DynamodbLayout, Exclusions, StoredManifest};
use crate::s3_name::is_reserved;
use crate::segment::{Decoded, SegmentError, decode_component, decode_segment};

/// A bucket without a record, as a decode has told. The name is that of the decode.
const BUCKET_MISSING: Finding =
    Finding::warning("s3_bucket_meta_missing", "buckets that have objects but no record of their own");

/// What the manifest of a dump says about its entries.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// Whether this tool wrote the dump.
    pub(crate) is_own: bool,
    /// Whether the decode has told of buckets without a record.
    pub(crate) tells_of_missing_records: bool,
    pub(crate) exclusions: Exclusions,
    layout: DynamodbLayout,
    included: Map<bool>,
}

impl Rules {
    pub(crate) fn new(StoredManifest { manifest, account, .. }: &StoredManifest) -> Self {
        Rules {
            is_own: manifest.is_own(),
            tells_of_missing_records: account.tells_of(BUCKET_MISSING),
            exclusions: manifest.exclusions,
            layout: manifest.dynamodb_layout,
            included: Map::of(|protocol| manifest.adapters.has(protocol)),
        }
    }

    /// What is wrong with an entry by itself; whether a file is empty is for `Structure::file` to say.
    pub(crate) fn check(&self, entry: Entry<'_>) -> Option<ProblemKind> {
        match entry {
            Entry::Protocol(protocol) => included(self.included.has(protocol)),
            // Only the whole queue tells whether the name is one of a queue that is gone.
            Entry::Scope(Protocol::Redis | Protocol::Sqs, _) => None,
            Entry::Scope(_, name) => check_component(name),
            Entry::Redis(_, RedisEntry::Key(_, segment)) => match decode_segment(segment) {
                Ok(Decoded::Binary(_)) => Some(ProblemKind::Name(SegmentError::NotCanonical)),
                Err(error) => Some(ProblemKind::Name(error)),
                Ok(_) => None,
            },
            Entry::DynamoDb(_, DynamoDbEntry::Lines) => self.expect_layout(DynamodbLayout::Jsonl),
            Entry::DynamoDb(_, DynamoDbEntry::Items) => self.expect_layout(DynamodbLayout::PerItem),
            Entry::DynamoDb(_, DynamoDbEntry::ItemFolder(name) | DynamoDbEntry::Item(_, name)) => {
                self.expect_layout(DynamodbLayout::PerItem).or_else(|| check_attribute(name))
            }
            Entry::S3(_, entry) => self.check_s3(entry),
            Entry::Sqs(_, SqsEntry::Internals | SqsEntry::SideRecords) => {
                included(self.exclusions.include_sqs_side_records)
            }
            _ => None,
        }
    }

    fn check_s3(&self, entry: S3Entry<'_>) -> Option<ProblemKind> {
        match entry {
            S3Entry::Uploads | S3Entry::UploadRecords => included(self.exclusions.include_incomplete_uploads),
            S3Entry::Orphans | S3Entry::OrphanChunk(_) => included(self.exclusions.include_orphans),
            S3Entry::OrphanFolder(path) => included(self.exclusions.include_orphans).or_else(|| {
                // What lies in it is looked at by itself.
                if path.contains(&b'/') { None } else { check_component(path) }
            }),
            // Directories of object paths follow from the objects.
            S3Entry::Folder(path) => {
                let first = path.split(|byte| *byte == b'/').next().unwrap_or_default();
                (self.is_own && is_reserved(first)).then_some(IN_BUCKET.into())
            }
            S3Entry::Sidecar(body) => {
                (body.is_empty() || body.ends_with(b"/")).then_some(ProblemKind::SidecarWithoutBody)
            }
            S3Entry::Record | S3Entry::Keymap | S3Entry::Body(_) => None,
        }
    }

    fn expect_layout(&self, layout: DynamodbLayout) -> Option<ProblemKind> {
        let (stated, expected) = match self.layout {
            _ if self.layout == layout => return None,
            DynamodbLayout::PerItem => ("per-item", "the directory items"),
            DynamodbLayout::Jsonl => ("jsonl", "the file items.jsonl"),
        };
        Some(ProblemKind::OtherLayout { stated, expected })
    }
}

fn included(is_included: bool) -> Option<ProblemKind> {
    (!is_included).then_some(ProblemKind::NotIncluded)
}

/// The name of a table, bucket or queue.
pub(super) fn check_component(name: &[u8]) -> Option<ProblemKind> {
    match decode_component(name) {
        Ok(Decoded::Binary(_)) => Some(ProblemKind::Name(SegmentError::NotCanonical)),
        Err(error) => Some(ProblemKind::Name(error)),
        Ok(_) => None,
    }
}

/// The name of a DynamoDB key attribute; empty for an empty one.
fn check_attribute(name: &[u8]) -> Option<ProblemKind> {
    if name.is_empty() { None } else { decode_component(name).err().map(ProblemKind::Name) }
}
