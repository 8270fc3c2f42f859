//! SQS: files to events. Source: `docs/format/sqs.md`, sections 4 and 6.
//!
//! | file | holds |
//! |---|---|
//! | `queue.rs` | the directory of one queue |
//! | `settings.rs`, `message.rs`, `side.rs` | the text of its files |
//! | `messages.rs` | checks over all messages of a queue, and their order |
//!
//! Queues in which nothing is selected are not read. Bookkeeping records are replayed, but not listed for comparisons: most of them are made
//! anew from messages. What is left of queues that are gone (`*.orphan`) is not replayed, which is a finding.

pub(crate) mod findings;
mod message;
mod messages;
mod queue;
mod settings;
mod side;

use ekv_model::{Consumer, Protocol};

use crate::replay::reading::Reading;
use ekv_files::Result;

use queue::QueueReader;

/// Replays the queues.
pub(crate) fn read(reading: &mut Reading<'_>, target: &mut dyn Consumer) -> Result<()> {
    let mut directories = reading.scopes(Protocol::Sqs)?.finish()?;
    let mut reader = QueueReader::new(reading, target);
    while let Some((segment, _)) = directories.next()? {
        reader.read(reading, segment)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
