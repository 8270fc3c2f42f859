//! The file system as a tar archive. Source: `docs/format/fs.md`, sections 8 and 9.
//!
//! | file | holds |
//! |---|---|
//! | `comment.rs` | what tar has no fields for |
//! | `write.rs` | events to an archive |
//! | `scan.rs`, `pax.rs` | what an archive says, entry by entry, of whatever program it is |
//! | `row.rs` | what is kept of an entry |
//! | `names.rs` | which entries are names of one file |
//! | `read.rs` | the entries as a tree, and its events |

mod comment;
pub(crate) mod fault;
mod names;
mod pax;
pub(crate) mod read;
mod row;
mod scan;
pub(super) mod write;
