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

mod message;
mod messages;
mod queue;
mod settings;
mod side;

use ekv_model::{Consumer, Finding, Protocol};

use crate::replay::reading::Reading;
use ekv_files::Result;

use queue::QueueReader;

/// Messages that belong to no queue, and stay in the dump.
pub const NOT_ENCODED_ORPHANS: Finding = Finding::warning(
    "sqs_orphans_not_encoded",
    "directories with what is left of queues that are gone: no server could reach it, and it stays in the dump",
);

/// Settings that name another queue, as a decode has told. The name is that of the decode.
pub const SETTINGS_OF_ANOTHER_NAME: Finding = Finding::warning(
    "sqs_queue_name_mismatch",
    "queues whose settings carry another name than their key, as the server had stored them; both are restored as they are",
);

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
