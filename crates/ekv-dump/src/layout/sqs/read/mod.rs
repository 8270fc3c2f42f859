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

use ekv_files::{DumpPath, Result};
use ekv_model::{Consumer, Finding};
use ekv_spill::Sorter;

use crate::replay::reading::{DumpFile, Reading, Visit, unknown};
use crate::replay::scopes::ListedScopes;

use queue::QueueReader;

/// Directory of the protocol.
pub(crate) const DIRECTORY: &str = "sqs";

const IN_PROTOCOL: &str = "directories only, one for each queue";

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
    let mut queues = Queues { directories: reading.sorter(), listed: ListedScopes::new(DIRECTORY, reading)? };
    reading.show(&DumpPath::new(DIRECTORY.as_bytes())?, &mut queues)?;
    queues.listed.check()?;
    let mut directories = queues.directories.finish()?;
    let mut reader = QueueReader::new(reading, target);
    while let Some((path, _)) = directories.next()? {
        reader.read(reading, DumpPath::new(path)?)?;
    }
    Ok(())
}

/// What the manifest lists must be there; to be called where the protocol has no directory.
pub(crate) fn check_absent(reading: &mut Reading<'_>) -> Result<()> {
    ListedScopes::new(DIRECTORY, reading)?.check()
}

/// Looks for queues.
struct Queues {
    directories: Sorter,
    listed: ListedScopes,
}

impl Visit for Queues {
    fn directory(&mut self, path: &DumpPath) -> Result<()> {
        self.listed.saw(path.split_last().1)?;
        Ok(self.directories.push(path.as_bytes(), b"")?)
    }

    fn file(&mut self, file: &mut DumpFile<'_>) -> Result<()> {
        Err(unknown(file.path(), IN_PROTOCOL))
    }
}

#[cfg(test)]
mod tests;
