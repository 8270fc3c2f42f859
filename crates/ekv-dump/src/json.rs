//! Strict JSON, read piece by piece. What writes it is in [`ekv_text::json`].

mod read;

pub use read::{Found, JsonFault, JsonReader, Position, ValueKind};
