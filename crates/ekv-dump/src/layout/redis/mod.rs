//! Redis keys as files. Source: `docs/format/redis.md`.

pub(crate) mod entry;
pub(crate) mod joins;
pub(crate) mod read;
pub(crate) mod write;

use std::sync::Arc;

use ekv_spill::Sorter;

use super::row::Layout;

/// The files of the protocol.
pub(super) const LAYOUT: Layout = Layout {
    write: |_| Box::new(write::Databases::default()),
    read: read::read,
    files_of: read::files_of,
    joins: |scratch, budget| Box::new(joins::RedisNames::new(Sorter::new(Arc::clone(scratch), budget))),
};
