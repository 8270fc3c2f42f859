//! S3 buckets as files. Source: `docs/format/s3.md`.

pub(crate) mod entry;
pub(crate) mod joins;
pub(crate) mod read;
pub(crate) mod write;

use std::sync::Arc;

use ekv_spill::Sorter;

use super::row::Layout;

/// The files of the protocol.
pub(super) const LAYOUT: Layout = Layout {
    write: |options| Box::new(write::Buckets::new(options.extended)),
    read: read::read,
    files_of: |_| None,
    joins: |scratch, budget| Box::new(joins::S3Names::new(Sorter::new(Arc::clone(scratch), budget))),
};
