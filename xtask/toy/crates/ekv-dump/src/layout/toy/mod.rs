//! Toys as files: `toy/<box>/<name>.toy`.

pub(crate) mod entry;
mod read;
mod write;

use super::row::Layout;
use crate::verify::joins::NoJoins;

/// The files of the protocol.
pub(super) const LAYOUT: Layout = Layout {
    write: |_| Box::new(write::Boxes::default()),
    read: read::read,
    files_of: |_| None,
    joins: |_, _| Box::new(NoJoins),
};
