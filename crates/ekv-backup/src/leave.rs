//! Leaving: what a backup holds, written into a running server of somebody else, and compared with it.
//!
//! | file | question |
//! |---|---|
//! | `target.rs` | which server is it, and may anything be written there? |
//! | `renames.rs` | what are keys called there? |
//! | `served.rs` | how does a server show a key that came from here? |
//! | `preflight.rs` | what is selected, and what of it cannot go? |
//! | `load.rs` | how does it get there, and what became of every key? |
//!
//! Source: `docs/format/redis-live.md`.

mod load;
mod preflight;
mod renames;
mod served;
mod target;

pub use ekv_live::{AddressError, Method, OnExists, ServerAddress};
pub use load::{LoadOptions, LoadReport, LoadStopped, load};
pub use preflight::{KindCount, Reason, Survey};
pub use renames::{Renames, RenamesError};
pub use target::{Password, ServerTarget, TargetReport};
