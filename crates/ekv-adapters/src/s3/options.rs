//! Options of the S3 adapter.

/// Options of the S3 adapter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Whether records of unfinished multipart uploads are emitted as they are.
    pub include_incomplete_uploads: bool,
    /// Whether content without object is emitted: of the current generation if no object has the key, of others always.
    pub include_orphans: bool,
}
