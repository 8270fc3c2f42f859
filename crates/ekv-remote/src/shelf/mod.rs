//! Shelves: dumps under one prefix, each an archive and a description that was written last.
//!
//! Without its description an archive is no dump yet, or no more: descriptions are written after their archive and deleted before it.
//!
//! | file | answers |
//! |---|---|
//! | `name.rs` | what is a dump called? |
//! | `description.rs` | what is known of it without reading it? |
//! | `list.rs` | which dumps are there? |
//! | `keep.rs` | which of them does a rule keep? |
//! | `prune.rs` | how do the others go? |

mod description;
mod keep;
mod list;
mod name;
mod prune;

pub use description::{DESCRIPTION_LEN_MAX, Description, DescriptionError, Status};
pub use keep::{Candidate, KeepError, KeepRules, Reason, keep};
pub use list::{Row, State, list};
pub use name::ShelfName;
pub use prune::{Plan, Planned, PruneError, carry_out, plan};
