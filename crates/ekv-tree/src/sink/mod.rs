//! Where a dump is written.

mod error;

pub use error::{SinkError, SinkOperation};
