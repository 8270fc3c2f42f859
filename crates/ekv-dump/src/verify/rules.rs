//! What the manifest of a dump says about its entries.

use ekv_model::{Finding, Map};

use crate::manifest::{DynamodbLayout, Exclusions, StoredManifest};

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
    pub(crate) layout: DynamodbLayout,
    pub(crate) included: Map<bool>,
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
}
