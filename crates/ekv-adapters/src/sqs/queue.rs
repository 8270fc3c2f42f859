//! The settings of a queue. Source: `docs/format/sqs.md`, section 2.1.

use ekv_model::ByteSource;
use ekv_model::sqs::{Queue, Throttle};
use ekv_snapshot::StoredValue;
use ekv_text::json::JsonFault;

use crate::json::{JsonError, JsonReader, JsonResult, is_name};

/// What the value begins with.
pub(super) const MAGIC: &[u8] = &[0x00, b'S', b'Q', 0x01];
/// Longest settings, in bytes; real ones have less than 100 KiB.
pub(super) const SETTINGS_LEN_MAX: usize = 4 << 20;

/// Reads a value as the settings of the queue `name`; a fault says what a person needs to know.
pub(super) fn read(value: &StoredValue<'_>, name: &[u8]) -> ekv_model::Result<Result<Queue, String>> {
    if !value.head().starts_with(MAGIC) {
        return Ok(Err("the value does not begin as settings do".to_owned()));
    }
    if value.len() > u64::try_from(SETTINGS_LEN_MAX).unwrap_or(u64::MAX) {
        return Ok(Err(format!("settings of {} bytes, more than the limit of {SETTINGS_LEN_MAX}", value.len())));
    }
    match read_json(&value.after(MAGIC.len())) {
        Ok(queue) => Ok(Ok(Queue { name: name.to_owned(), ..queue })),
        Err(JsonError::Fault(fault)) => Ok(Err(fault.to_string())),
        Err(JsonError::Read(error)) => Err(error),
    }
}

fn read_json(json: &dyn ByteSource) -> JsonResult<Queue> {
    let mut reader = JsonReader::new(json);
    let mut queue = Queue::default();
    reader.object(|reader, name| member(&mut queue, reader, name))?;
    reader.end()?;
    Ok(queue)
}

fn member(queue: &mut Queue, reader: &mut JsonReader<'_>, name: &str) -> JsonResult<()> {
    let is = |field| is_name(name, field);
    match () {
        () if is("name") => queue.stored_name = text(reader)?,
        () if is("generation") => queue.generation = reader.u64()?,
        () if is("incarnation") => queue.incarnation = reader.u64()?,
        () if is("created_at_hlc") => queue.created_at_hlc = reader.u64()?,
        () if is("is_fifo") => queue.fifo = reader.boolean()?,
        () if is("content_based_dedup") => queue.content_based_deduplication = reader.boolean()?,
        () if is("visibility_timeout_seconds") => queue.visibility_timeout_seconds = reader.i64()?,
        () if is("message_retention_seconds") => queue.message_retention_seconds = reader.i64()?,
        () if is("delay_seconds") => queue.delay_seconds = reader.i64()?,
        () if is("receive_message_wait_seconds") => queue.receive_message_wait_seconds = reader.i64()?,
        () if is("maximum_message_size") => queue.maximum_message_size = reader.i64()?,
        () if is("redrive_policy") => queue.redrive_policy = text(reader)?,
        () if is("redrive_allow_policy") => queue.redrive_allow_policy = text(reader)?,
        () if is("tags") => {
            queue.tags.clear();
            reader.object(|reader, tag| {
                queue.tags.insert(tag.to_owned(), text(reader)?);
                Ok(())
            })?;
        }
        () if is("last_purged_at_millis") => queue.last_purged_at_ms = reader.i64()?,
        () if is("created_at_millis") => queue.created_at_ms = reader.i64()?,
        () if is("last_modified_at_millis") => queue.last_modified_at_ms = reader.i64()?,
        () if is("throttle") => {
            queue.throttle = Throttle::default();
            reader.object(|reader, name| read_limit(&mut queue.throttle.0, reader, name))?;
        }
        () if is("partition_count") => queue.partition_count = reader.u32()?,
        () if is("fifo_throughput_limit") => queue.fifo_throughput_limit = text(reader)?,
        () if is("deduplication_scope") => queue.deduplication_scope = text(reader)?,
        () => reader.skip()?,
    }
    Ok(())
}

/// Reads a member of the object with the rate limits.
fn read_limit(limits: &mut [String], reader: &mut JsonReader<'_>, name: &str) -> JsonResult<()> {
    let slot = Throttle::NAMES.iter().position(|known| is_name(name, known)).and_then(|at| limits.get_mut(at));
    let Some(slot) = slot else { return reader.skip() };
    let number = reader.number()?;
    if number.parse::<f64>().is_ok_and(|number| !number.is_finite()) {
        return Err(reader.fault(JsonFault::Number { expected: "a number of finite size" }));
    }
    *slot = number;
    Ok(())
}

fn text(reader: &mut JsonReader<'_>) -> JsonResult<String> {
    reader.string(SETTINGS_LEN_MAX)
}
