//! What can be odd or damaged about S3 records. Source: `docs/format/s3.md`, sections 2.5, 3, 4.3 and 5.

#![expect(missing_docs, reason = "each finding carries its meaning")]

use ekv_model::{Finding, findings};

findings! {
    // Losses: the one bucket record, object or record is left out.
    pub const INVALID_BUCKET: Finding =
        Finding::loss("s3_invalid_bucket_meta", "buckets whose own record does not parse; their objects are written");
    pub const INVALID_OBJECT: Finding = Finding::loss("s3_invalid_manifest", "objects whose record does not parse");
    pub const INCOMPLETE_OBJECT: Finding =
        Finding::loss("s3_object_incomplete", "objects of which content is missing or has another length than recorded");
    pub const MALFORMED_KEY: Finding = Finding::loss("s3_malformed_key", "records whose key does not parse");

    // Warnings: nothing is missing.
    pub const BUCKET_MISSING: Finding = Finding::warning(
        "s3_bucket_meta_missing",
        "buckets that have objects but no record of their own; the last generation is written",
    );
    pub const STALE_GENERATION: Finding = Finding::warning(
        "s3_stale_generation_objects",
        "buckets with leftovers of an earlier bucket of the same name, hidden from clients",
    );
    pub const ORPHAN_CHUNKS: Finding =
        Finding::warning("s3_orphan_chunks", "objects that have content but no record, such as uploads in progress");
    pub const ETAG_MISMATCH: Finding =
        Finding::warning("s3_etag_mismatch", "objects whose MD5 differs from their entity tag");
    pub const BLOB_HASH_MISMATCH: Finding =
        Finding::warning("s3_chunkblob_hash_mismatch", "copies of offloaded content that are damaged and count as missing");
    pub const INVALID_CHUNK_REF: Finding = Finding::warning(
        "s3_invalid_chunkref",
        "references to offloaded content that do not parse and that no object uses",
    );
}

// On the way back, of what is no oddity of a snapshot.
pub const BUCKET_RECORD_MADE: Finding = Finding::warning(
    "s3_bucket_record_made",
    "buckets of which the dump has objects but no record: they get a new one, private and without owner, so that the server shows the \
     objects",
);
