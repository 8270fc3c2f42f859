//! The settings of a queue as they are stored. Source: `docs/format/sqs.md`, sections 2.1 and 6.

use ekv_model::sqs::Queue;

use super::EncodeFault;
use crate::EncodeOptions;
use crate::json::{ObjectText, begin_object};
use crate::sqs::partitions::{PER_MESSAGE_GROUP, PER_QUEUE, PartitionRule};
use crate::sqs::queue::{MAGIC, SETTINGS_LEN_MAX};

/// Partitions of a queue, at most.
const PARTITION_COUNT_MAX: u32 = 32;

/// Refuses settings that no server would have accepted.
pub(super) fn check(queue: &Queue) -> Result<(), EncodeFault> {
    let (partition_count, limit, scope) =
        (queue.partition_count, queue.fifo_throughput_limit.as_str(), queue.deduplication_scope.as_str());
    let has_partitions = PartitionRule::of(partition_count, limit).has_partitions();
    if queue.name.is_empty() {
        return Err(EncodeFault::NoName);
    }
    if !matches!(limit, "" | PER_QUEUE | PER_MESSAGE_GROUP) {
        return Err(EncodeFault::ThroughputLimit { found: limit.to_owned() });
    }
    if !matches!(scope, "" | "queue" | "messageGroup") {
        return Err(EncodeFault::DeduplicationScope { found: scope.to_owned() });
    }
    if partition_count > PARTITION_COUNT_MAX || partition_count != 0 && !partition_count.is_power_of_two() {
        return Err(EncodeFault::PartitionCount { found: partition_count, count_max: PARTITION_COUNT_MAX });
    }
    if !queue.fifo {
        for (member, is_set) in [
            ("partition_count", has_partitions),
            ("fifo_throughput_limit", !limit.is_empty()),
            ("deduplication_scope", !scope.is_empty()),
        ] {
            if is_set {
                return Err(EncodeFault::FifoOnly { member });
            }
        }
    }
    if has_partitions && scope == "queue" {
        return Err(EncodeFault::ScopeOfPartitions { partition_count });
    }
    if !has_partitions && limit == PER_MESSAGE_GROUP {
        return Err(EncodeFault::LimitWithoutPartitions { partition_count });
    }
    Ok(())
}

/// Writes the value of the settings record into `out`.
pub(super) fn put(
    queue: &Queue,
    generation: u64,
    options: EncodeOptions,
    out: &mut Vec<u8>,
) -> Result<(), EncodeFault> {
    out.clear();
    out.extend_from_slice(MAGIC);
    let has_all = !options.reference_bytes;
    let mut object = begin_object(out);
    match queue.stored_name.as_str() {
        "" => object.text("name", &String::from_utf8_lossy(&queue.name)),
        stored => object.text("name", stored),
    }
    object.number("generation", generation);
    if has_all {
        object.some_number("incarnation", queue.incarnation);
        object.some_number("created_at_hlc", queue.created_at_hlc);
    }
    object.flag("is_fifo", queue.fifo);
    object.flag("content_based_dedup", queue.content_based_deduplication);
    object.number("visibility_timeout_seconds", queue.visibility_timeout_seconds);
    object.number("message_retention_seconds", queue.message_retention_seconds);
    object.number("delay_seconds", queue.delay_seconds);
    object.number("receive_message_wait_seconds", queue.receive_message_wait_seconds);
    object.number("maximum_message_size", queue.maximum_message_size);
    object.some_text("redrive_policy", &queue.redrive_policy);
    object.some_text("redrive_allow_policy", &queue.redrive_allow_policy);
    if has_all {
        put_extension(queue, &mut object);
    }
    object.some_number("partition_count", queue.partition_count);
    object.some_text("fifo_throughput_limit", &queue.fifo_throughput_limit);
    object.some_text("deduplication_scope", &queue.deduplication_scope);
    object.end();
    let len = out.len();
    if len > SETTINGS_LEN_MAX { Err(EncodeFault::LongSettings { len, len_max: SETTINGS_LEN_MAX }) } else { Ok(()) }
}

/// What the reference leaves out.
fn put_extension(queue: &Queue, object: &mut ObjectText<'_>) {
    if !queue.tags.is_empty() {
        object.open("tags");
        queue.tags.iter().for_each(|(name, value)| object.text(name, value));
        object.close();
    }
    object.some_number("last_purged_at_millis", queue.last_purged_at_ms);
    object.some_number("created_at_millis", queue.created_at_ms);
    object.some_number("last_modified_at_millis", queue.last_modified_at_ms);
    let mut limits = queue.throttle.named().filter(|(_, number)| !number.is_empty()).peekable();
    if limits.peek().is_some() {
        object.open("throttle");
        limits.for_each(|(name, number)| object.number(name, number));
        object.close();
    }
}
