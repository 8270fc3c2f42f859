//! `_queue.json`. Source: `docs/format/sqs.md`, sections 4.1 and 6.

use ekv_files::Result;
use ekv_model::ByteSource;
use ekv_model::sqs::{Queue, Throttle};

use crate::json::{JsonReader, Refuse as _};
use crate::replay::ReplayFault;
use crate::replay::text::{Names, read_string, read_version};

/// Longest file, in bytes: settings of 4 MiB, all of it escapes.
pub(super) const QUEUE_LEN_MAX: u64 = 32 << 20;
/// Longest string, in bytes.
const TEXT_LEN_MAX: usize = 4 << 20;

/// The first [`REQUIRED`] must be there.
const QUEUE: &[&str] = &[
    "format_version",
    "name",
    "visibility_timeout_seconds",
    "message_retention_seconds",
    "delay_seconds",
    "fifo",
    "content_based_deduplication",
    "receive_message_wait_seconds",
    "maximum_message_size",
    "redrive_policy",
    "redrive_allow_policy",
    "partition_count",
    "fifo_throughput_limit",
    "deduplication_scope",
    "generation",
    "incarnation",
    "created_at_hlc",
    "tags",
    "last_purged_at_millis",
    "created_at_millis",
    "last_modified_at_millis",
    "throttle",
    "last_sequence_number",
];
const REQUIRED: usize = 5;

const SETTINGS: &str = "an object with the settings of the queue";
const TRUE_OR_FALSE: &str = "true or false";
const TAGS: &str = "an object with the tags";
const LIMITS: &str = "an object with the rate limits";
const SIGNED: &str = "a whole number from -2^63 to 2^63-1";
const UNSIGNED: &str = "a whole number from 0 to 2^64-1";
const COUNT: &str = "a whole number from 0 to 2^32-1";
const A_LIMIT: &str = "a number";
const A_STRING: &str = "a string";

/// The settings of a queue.
#[derive(Debug, Default)]
pub(super) struct Settings {
    stored: Queue,
    /// The name of the queue, where its settings have another one.
    own_name: Option<Vec<u8>>,
}

impl Settings {
    /// Reads the file.
    pub(super) fn read(content: &dyn ByteSource) -> Result<Self> {
        let mut settings = Settings::default();
        let mut reader = JsonReader::document(content);
        reader.object_with_optional(SETTINGS, QUEUE, REQUIRED, |reader, member| settings.member(reader, member))?;
        reader.end()?;
        Ok(settings)
    }

    fn member(&mut self, reader: &mut JsonReader<'_>, member: usize) -> Result<()> {
        let queue = &mut self.stored;
        let text = |reader: &mut JsonReader<'_>| read_string(reader, A_STRING, TEXT_LEN_MAX);
        match QUEUE.get(member).copied().unwrap_or_default() {
            "format_version" => read_version(reader)?,
            "name" => {
                let start = reader.position()?;
                queue.stored_name = text(reader)?;
                if queue.stored_name.is_empty() {
                    reader.seek(start);
                    return Err(reader.refuse(ReplayFault::EmptyMember { member: "name" }));
                }
            }
            "visibility_timeout_seconds" => queue.visibility_timeout_seconds = reader.i64(SIGNED)?,
            "message_retention_seconds" => queue.message_retention_seconds = reader.i64(SIGNED)?,
            "delay_seconds" => queue.delay_seconds = reader.i64(SIGNED)?,
            "fifo" => queue.fifo = reader.boolean(TRUE_OR_FALSE)?,
            "content_based_deduplication" => queue.content_based_deduplication = reader.boolean(TRUE_OR_FALSE)?,
            "receive_message_wait_seconds" => queue.receive_message_wait_seconds = reader.i64(SIGNED)?,
            "maximum_message_size" => queue.maximum_message_size = reader.i64(SIGNED)?,
            "redrive_policy" => queue.redrive_policy = text(reader)?,
            "redrive_allow_policy" => queue.redrive_allow_policy = text(reader)?,
            "partition_count" => {
                let count = reader.u64(COUNT, u64::from(u32::MAX))?;
                queue.partition_count = u32::try_from(count).unwrap_or(u32::MAX);
            }
            "fifo_throughput_limit" => queue.fifo_throughput_limit = text(reader)?,
            "deduplication_scope" => queue.deduplication_scope = text(reader)?,
            "generation" => queue.generation = reader.u64(UNSIGNED, u64::MAX)?,
            "incarnation" => queue.incarnation = reader.u64(UNSIGNED, u64::MAX)?,
            "created_at_hlc" => queue.created_at_hlc = reader.u64(UNSIGNED, u64::MAX)?,
            "tags" => {
                let mut names = Names::new("tag", TEXT_LEN_MAX);
                reader.members(TAGS, |reader| {
                    let name = names.read(reader)?;
                    queue.tags.insert(name, text(reader)?);
                    Ok(())
                })?;
            }
            "last_purged_at_millis" => queue.last_purged_at_ms = reader.i64(SIGNED)?,
            "created_at_millis" => queue.created_at_ms = reader.i64(SIGNED)?,
            "last_modified_at_millis" => queue.last_modified_at_ms = reader.i64(SIGNED)?,
            "throttle" => reader.object_with_optional(LIMITS, &Throttle::NAMES, 0, |reader, limit| {
                let number = reader.number(A_LIMIT)?;
                if let Some(slot) = queue.throttle.0.get_mut(limit) {
                    *slot = number;
                }
                Ok(())
            })?,
            _ => queue.last_sequence_number = Some(reader.u64(UNSIGNED, u64::MAX)?),
        }
        Ok(())
    }

    /// The same settings of a queue with another name than they have.
    pub(super) fn of_queue(self, name: Vec<u8>) -> Self {
        Settings { own_name: Some(name), ..self }
    }

    /// The name of the queue, not empty.
    pub(super) fn queue_name(&self) -> &[u8] {
        self.own_name.as_deref().unwrap_or(self.name().as_bytes())
    }

    /// The name in the settings, not empty.
    pub(super) fn name(&self) -> &str {
        &self.stored.stored_name
    }

    /// The number of the queue's present life; 0 if the file states none.
    pub(super) fn generation(&self) -> u64 {
        self.stored.generation
    }

    /// The queue as an event has it.
    pub(super) fn queue(&self, generation: u64) -> Queue {
        Queue { generation, name: self.queue_name().to_owned(), ..self.stored.clone() }
    }
}
