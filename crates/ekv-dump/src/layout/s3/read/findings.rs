//! What is told of the files of a bucket.

use ekv_model::Finding;

/// Files of uploads and chunks that no client sees.
pub const S3_SIDE_RECORDS_NOT_RESTORED: Finding = Finding::warning(
    "s3_side_records_not_restored",
    "directories of unfinished uploads or of chunks without an object, which are not restored: no client sees them",
);

/// An entity tag that is not the MD5 of its object, as a decode has told. The name is that of the decode.
pub const S3_ETAG_DIFFERS: Finding = Finding::warning(
    "s3_etag_mismatch",
    "objects whose entity tag is not the MD5 of their content, as the server had stored them; both are restored as they are",
);
