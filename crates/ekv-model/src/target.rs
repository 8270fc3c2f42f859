//! The consumer side of the event stream.

use crate::{Result, redis};

/// One event of any adapter.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// Redis, in the logical database `database`.
    Redis {
        /// Database index; the server knows one key space and stores no index, so this is 0 unless a caller chose otherwise.
        database: u32,
        /// What happened.
        event: redis::Event<'a>,
    },
}

/// Consumes events: writes files, fills another store, counts.
pub trait Target {
    /// Takes the next event.
    ///
    /// # Errors
    /// The first error ends the run: no further event follows.
    fn event(&mut self, event: Event<'_>) -> Result<()>;
}
