//! DynamoDB tables as files. Source: `docs/format/dynamodb.md`.

pub(crate) mod entry;
pub(crate) mod joins;
pub(crate) mod read;
pub(crate) mod write;

use super::row::Layout;

/// The files of the protocol.
pub(super) const LAYOUT: Layout = Layout {
    write: |options| Box::new(write::Tables::new(options.dynamodb_layout)),
    read: read::read,
    files_of: |_| None,
    joins: |scratch, _| Box::new(joins::Schemas::new(scratch)),
};
