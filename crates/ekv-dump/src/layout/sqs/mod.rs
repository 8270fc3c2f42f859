//! SQS queues as files. Source: `docs/format/sqs.md`.

pub(crate) mod entry;
pub(crate) mod read;
pub(crate) mod write;

use super::row::Layout;
use crate::verify::joins::NoJoins;

/// The files of the protocol.
pub(super) const LAYOUT: Layout = Layout {
    write: |options| Box::new(write::Queues::new(*options)),
    read: read::read,
    files_of: |_| None,
    joins: |_, _| Box::new(NoJoins),
};
