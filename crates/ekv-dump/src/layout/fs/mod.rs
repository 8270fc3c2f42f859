//! The file system as files. Source: `docs/format/fs.md`, sections 6 and 7.
//!
//! | file | holds |
//! |---|---|
//! | `entry.rs` | what lies in `fs/fs_0` |
//! | `places.rs` | where a path of the file system lies below that |
//! | `line.rs` | a line of `entries.jsonl` |
//! | `order.rs` | what the lines must be together |
//! | `map.rs` | where in a file its stored parts lie |
//! | `write.rs`, `tree.rs` | events to files |
//! | `content.rs` | the content of files, as they lie there |
//! | `joins.rs` | lines and files compared |
//! | `tar/` | the file system as one archive instead, both ways |
//! | `read/` | files to events |

mod content;
pub(crate) mod entry;
pub(crate) mod fault;
mod joins;
mod line;
mod map;
mod order;
mod places;
pub(crate) mod read;
pub(crate) mod tar;
mod tree;
mod write;

use super::row::Layout;

/// The files of the protocol.
pub(super) const LAYOUT: Layout = Layout {
    write: |options| Box::new(write::FileSystem::new(options)),
    read: read::read,
    files_of: |_| None,
    joins: |scratch, budget| Box::new(joins::Files::new(scratch, budget)),
};
