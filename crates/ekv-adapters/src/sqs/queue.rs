//! The settings of a queue. Source: `docs/format/sqs.md`, section 2.1.

use std::collections::BTreeMap;

use ekv_model::ByteSource;
use ekv_model::sqs::{Queue, Tag, Throttle};
use ekv_snapshot::StoredValue;

use super::partitions::PartitionRule;
use crate::json::{JsonError, JsonFault, JsonReader, JsonResult, is_name};

/// What the value begins with.
pub(super) const MAGIC: &[u8] = &[0x00, b'S', b'Q', 0x01];
/// Longest settings, in bytes; real ones have less than 100 KiB.
pub(super) const SETTINGS_LEN_MAX: usize = 4 << 20;

/// Settings as they are stored.
#[derive(Debug, Default)]
pub(super) struct Settings {
    name: String,
    generation: u64,
    incarnation: u64,
    created_at_hlc: u64,
    fifo: bool,
    content_based_deduplication: bool,
    visibility_timeout_seconds: i64,
    message_retention_seconds: i64,
    delay_seconds: i64,
    receive_message_wait_seconds: i64,
    maximum_message_size: i64,
    redrive_policy: String,
    redrive_allow_policy: String,
    tags: BTreeMap<String, String>,
    last_purged_at_ms: i64,
    created_at_ms: i64,
    last_modified_at_ms: i64,
    throttle: StoredThrottle,
    partition_count: u32,
    fifo_throughput_limit: String,
    deduplication_scope: String,
}

#[derive(Debug, Default)]
struct StoredThrottle {
    send_capacity: String,
    send_refill_per_second: String,
    recv_capacity: String,
    recv_refill_per_second: String,
    default_capacity: String,
    default_refill_per_second: String,
}

impl Settings {
    /// Reads a value; a fault says what a person needs to know.
    pub(super) fn read(value: &StoredValue<'_>) -> ekv_model::Result<Result<Settings, String>> {
        if !value.head().starts_with(MAGIC) {
            return Ok(Err("the value does not begin as settings do".to_owned()));
        }
        if value.len() > u64::try_from(SETTINGS_LEN_MAX).unwrap_or(u64::MAX) {
            return Ok(Err(format!("settings of {} bytes, more than the limit of {SETTINGS_LEN_MAX}", value.len())));
        }
        match Settings::read_json(&value.after(MAGIC.len())) {
            Ok(settings) => Ok(Ok(settings)),
            Err(JsonError::Fault(fault)) => Ok(Err(fault.to_string())),
            Err(JsonError::Read(error)) => Err(error),
        }
    }

    fn read_json(json: &dyn ByteSource) -> JsonResult<Settings> {
        let mut reader = JsonReader::new(json);
        let mut settings = Settings::default();
        reader.object(|reader, name| settings.member(reader, name))?;
        reader.end()?;
        Ok(settings)
    }

    fn member(&mut self, reader: &mut JsonReader<'_>, name: &str) -> JsonResult<()> {
        let is = |field| is_name(name, field);
        match () {
            () if is("name") => self.name = text(reader)?,
            () if is("generation") => self.generation = reader.u64()?,
            () if is("incarnation") => self.incarnation = reader.u64()?,
            () if is("created_at_hlc") => self.created_at_hlc = reader.u64()?,
            () if is("is_fifo") => self.fifo = reader.boolean()?,
            () if is("content_based_dedup") => self.content_based_deduplication = reader.boolean()?,
            () if is("visibility_timeout_seconds") => self.visibility_timeout_seconds = reader.i64()?,
            () if is("message_retention_seconds") => self.message_retention_seconds = reader.i64()?,
            () if is("delay_seconds") => self.delay_seconds = reader.i64()?,
            () if is("receive_message_wait_seconds") => self.receive_message_wait_seconds = reader.i64()?,
            () if is("maximum_message_size") => self.maximum_message_size = reader.i64()?,
            () if is("redrive_policy") => self.redrive_policy = text(reader)?,
            () if is("redrive_allow_policy") => self.redrive_allow_policy = text(reader)?,
            () if is("tags") => {
                self.tags.clear();
                let tags = &mut self.tags;
                reader.object(|reader, tag| {
                    tags.insert(tag.to_owned(), text(reader)?);
                    Ok(())
                })?;
            }
            () if is("last_purged_at_millis") => self.last_purged_at_ms = reader.i64()?,
            () if is("created_at_millis") => self.created_at_ms = reader.i64()?,
            () if is("last_modified_at_millis") => self.last_modified_at_ms = reader.i64()?,
            () if is("throttle") => {
                self.throttle = StoredThrottle::default();
                let throttle = &mut self.throttle;
                reader.object(|reader, name| throttle.member(reader, name))?;
            }
            () if is("partition_count") => self.partition_count = reader.u32()?,
            () if is("fifo_throughput_limit") => self.fifo_throughput_limit = text(reader)?,
            () if is("deduplication_scope") => self.deduplication_scope = text(reader)?,
            () => reader.skip()?,
        }
        Ok(())
    }

    /// The number of the queue's present life; 0 if none is stored.
    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// The name in the settings; may be empty.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// How many partitions the server reads; `None` if it reads the keys without partition.
    pub(super) fn partitions_read(&self) -> Option<u32> {
        PartitionRule::of(self.partition_count, &self.fifo_throughput_limit).partitions_read()
    }

    /// The tags, for [`Settings::queue`].
    pub(super) fn tags(&self) -> Vec<Tag<'_>> {
        self.tags.iter().map(|(name, value)| Tag { name, value }).collect()
    }

    /// The queue as an event has it.
    pub(super) fn queue<'a>(
        &'a self,
        name: &'a [u8],
        tags: &'a [Tag<'a>],
        last_sequence_number: Option<u64>,
    ) -> Queue<'a> {
        let StoredThrottle {
            send_capacity,
            send_refill_per_second,
            recv_capacity,
            recv_refill_per_second,
            default_capacity,
            default_refill_per_second,
        } = &self.throttle;
        Queue {
            name,
            stored_name: &self.name,
            generation: self.generation,
            incarnation: self.incarnation,
            created_at_hlc: self.created_at_hlc,
            fifo: self.fifo,
            content_based_deduplication: self.content_based_deduplication,
            visibility_timeout_seconds: self.visibility_timeout_seconds,
            message_retention_seconds: self.message_retention_seconds,
            delay_seconds: self.delay_seconds,
            receive_message_wait_seconds: self.receive_message_wait_seconds,
            maximum_message_size: self.maximum_message_size,
            redrive_policy: &self.redrive_policy,
            redrive_allow_policy: &self.redrive_allow_policy,
            tags,
            last_purged_at_ms: self.last_purged_at_ms,
            created_at_ms: self.created_at_ms,
            last_modified_at_ms: self.last_modified_at_ms,
            throttle: Throttle {
                send_capacity,
                send_refill_per_second,
                recv_capacity,
                recv_refill_per_second,
                default_capacity,
                default_refill_per_second,
            },
            partition_count: self.partition_count,
            fifo_throughput_limit: &self.fifo_throughput_limit,
            deduplication_scope: &self.deduplication_scope,
            last_sequence_number,
        }
    }
}

impl StoredThrottle {
    fn member(&mut self, reader: &mut JsonReader<'_>, name: &str) -> JsonResult<()> {
        let is = |field| is_name(name, field);
        let slot = match () {
            () if is("send_capacity") => &mut self.send_capacity,
            () if is("send_refill_per_second") => &mut self.send_refill_per_second,
            () if is("recv_capacity") => &mut self.recv_capacity,
            () if is("recv_refill_per_second") => &mut self.recv_refill_per_second,
            () if is("default_capacity") => &mut self.default_capacity,
            () if is("default_refill_per_second") => &mut self.default_refill_per_second,
            () => return reader.skip(),
        };
        let number = reader.number()?;
        if number.parse::<f64>().is_ok_and(|number| !number.is_finite()) {
            let byte_offset = reader.byte_offset();
            return Err(JsonError::Fault(JsonFault::Unexpected { byte_offset, expected: "a number of finite size" }));
        }
        *slot = number;
        Ok(())
    }
}

fn text(reader: &mut JsonReader<'_>) -> JsonResult<String> {
    reader.string(SETTINGS_LEN_MAX)
}
