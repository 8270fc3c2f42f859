//! Events to files: the layout of a dump.
//!
//! [`TreeTarget`] takes the events of any adapter and writes the files that `docs/format/tree.md`, section 1, names. One folder per
//! protocol below this one knows the names and the text of its files; none of them knows a key layout.

mod redis;

use ekv_model::{Event, Target};

use crate::manifest::{Adapters, RedisScopes};
use crate::{DumpWriter, Result};

use redis::Databases;

/// Writes events into a dump.
pub struct TreeTarget {
    writer: DumpWriter,
    redis: Databases,
}

/// The scopes that have a directory in the dump; adapters that were not asked for are left out by the caller.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes {
    /// Redis databases, ascending.
    pub databases: Vec<u32>,
}

impl Scopes {
    /// The scopes as the manifest lists them, for the adapters that were asked for.
    pub fn to_adapters(&self, redis: bool) -> Adapters {
        Adapters {
            redis: redis.then(|| RedisScopes { databases: self.databases.clone() }),
            ..Adapters::default()
        }
    }
}

impl TreeTarget {
    /// A target that writes with `writer`, to which nothing has been written yet.
    pub fn new(writer: DumpWriter) -> Self {
        TreeTarget { writer, redis: Databases::default() }
    }

    /// The writer, for progress and scratch space.
    pub fn writer(&self) -> &DumpWriter {
        &self.writer
    }

    /// Writes the files that could only be written at the end, and gives the writer back for the manifest.
    ///
    /// # Errors
    /// As [`DumpWriter::end`]; [`DumpWriter::abort`] has then been called.
    pub fn finish(mut self) -> Result<(DumpWriter, Scopes)> {
        match self.redis.finish(&mut self.writer) {
            Ok(databases) => Ok((self.writer, Scopes { databases })),
            Err(error) => Err(match self.writer.abort() {
                Ok(()) => error,
                Err(later) => error.followed_by(later),
            }),
        }
    }

    /// Gives up and removes everything.
    ///
    /// # Errors
    /// As [`DumpWriter::abort`].
    pub fn abort(self) -> Result<()> {
        self.writer.abort()
    }
}

impl Target for TreeTarget {
    fn event(&mut self, event: Event<'_>) -> ekv_model::Result<()> {
        match event {
            Event::Redis { database, event } => self.redis.event(&mut self.writer, database, event)?,
            // Events of protocols that this layout has no files for cannot reach it.
            _ => {}
        }
        Ok(())
    }
}
