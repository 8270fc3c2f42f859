//! The JSON text of queues and messages. Source: `docs/format/sqs.md`, sections 4.1 to 4.3.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ekv_files::Result;
use ekv_model::sqs::{Message, Queue, SideRecord};
use ekv_text::hex::{HexCase, push_hex};
use ekv_text::json::{Base64Stream, EscapeMode, ObjectText, Style};

use crate::DumpWriter;
use crate::layout::options::SqsVisibility;
use crate::layout::value::{flush_if_full, push_base64, push_value};
use crate::segment::{component, has_fallback_shape};

/// Appends `_queue.json`. Where the directory does not tell the name of the queue, it is the name here, whatever the settings say.
pub(super) fn push_queue(queue: &Queue, extended: bool, out: &mut Vec<u8>) {
    let is_told = || !has_fallback_shape(&component(&queue.name));
    let name = match queue.stored_name.as_str() {
        stored if !stored.is_empty() && is_told() => stored.into(),
        _ => String::from_utf8_lossy(&queue.name),
    };
    let mut object = ObjectText::begin(Style::Pretty, EscapeMode::Html, out);
    object.number("format_version", 1);
    object.text("name", &name);
    object.flag("fifo", queue.fifo);
    object.flag("content_based_deduplication", queue.content_based_deduplication);
    object.number("visibility_timeout_seconds", queue.visibility_timeout_seconds);
    object.number("message_retention_seconds", queue.message_retention_seconds);
    object.number("delay_seconds", queue.delay_seconds);
    object.some_number("receive_message_wait_seconds", queue.receive_message_wait_seconds);
    object.some_number("maximum_message_size", queue.maximum_message_size);
    object.some_text("redrive_policy", &queue.redrive_policy);
    object.some_text("redrive_allow_policy", &queue.redrive_allow_policy);
    object.some_number("partition_count", queue.partition_count);
    object.some_text("fifo_throughput_limit", &queue.fifo_throughput_limit);
    object.some_text("deduplication_scope", &queue.deduplication_scope);
    if extended {
        push_extension(queue, &mut object);
    }
    object.end();
}

/// What the reference decoder leaves out.
fn push_extension(queue: &Queue, object: &mut ObjectText<'_>) {
    object.some_number("generation", queue.generation);
    object.some_number("incarnation", queue.incarnation);
    object.some_number("created_at_hlc", queue.created_at_hlc);
    if !queue.tags.is_empty() {
        object.open("tags");
        queue.tags.iter().for_each(|(name, value)| object.text(name, value));
        object.close();
    }
    object.some_number("last_purged_at_millis", queue.last_purged_at_ms);
    object.some_number("created_at_millis", queue.created_at_ms);
    object.some_number("last_modified_at_millis", queue.last_modified_at_ms);
    let is_set = |number: &str| number.parse::<f64>().is_ok_and(|number| number != 0.0);
    let mut limits = queue.throttle.named().filter(|(_, number)| is_set(number)).peekable();
    if limits.peek().is_some() {
        object.open("throttle");
        limits.for_each(|(name, number)| object.number(name, number));
        object.close();
    }
    object.some_number("last_sequence_number", queue.last_sequence_number.unwrap_or(0));
}

/// Appends a line of `messages.jsonl`, without its line feed; `out` goes to `writer` whenever it is full.
pub(super) fn push_message(
    message: &Message<'_>,
    visibility: SqsVisibility,
    out: &mut Vec<u8>,
    writer: &mut DumpWriter,
) -> Result<()> {
    let mut object = ObjectText::begin(Style::Compact, EscapeMode::Plain, out);
    object.text("message_id", message.message_id);
    let (layout, out) = object.value("body");
    push_value(&message.body, layout, out, writer)?;
    object.some_text("md5_of_body", message.md5_of_body);
    object.some_text("md5_of_message_attributes", message.md5_of_message_attributes);
    if !message.attributes.is_empty() {
        object.open("message_attributes");
        for attribute in message.attributes {
            let out = object.name(attribute.name);
            out.extend_from_slice(attribute.json);
            flush_if_full(out, writer)?;
        }
        object.close();
    }
    object.some_text("sender_id", message.sender_id);
    object.number("send_timestamp_millis", message.send_timestamp_ms);
    object.number("available_at_millis", message.available_at_ms);
    match visibility {
        SqsVisibility::Reset => {
            object.number("visible_at_millis", 0);
            object.number("receive_count", 0);
        }
        SqsVisibility::Keep => {
            object.number("visible_at_millis", message.visible_at_ms);
            object.number("receive_count", message.receive_count);
            object.some_number("first_receive_millis", message.first_receive_ms);
            object.some_text("current_receipt_token", &STANDARD.encode(message.current_receipt_token));
        }
    }
    object.number("queue_generation", message.queue_generation);
    object.some_text("message_group_id", message.message_group_id);
    object.some_text("message_deduplication_id", message.message_deduplication_id);
    object.some_number("sequence_number", message.sequence_number);
    object.some_text("dead_letter_source_arn", message.dead_letter_source_arn);
    if let Some(partition) = message.partition {
        object.number("partition", partition);
    }
    object.end();
    Ok(())
}

/// Appends a line of `side_records.jsonl`, without its line feed; `out` goes to `writer` whenever it is full.
pub(super) fn push_side_record(record: &SideRecord<'_>, out: &mut Vec<u8>, writer: &mut DumpWriter) -> Result<()> {
    let mut object = ObjectText::begin(Style::Compact, EscapeMode::Plain, out);
    object.text("prefix", record.prefix);
    let out = object.name("key_hex");
    out.push(b'"');
    push_hex(record.user_key, HexCase::Lower, out);
    out.push(b'"');
    push_base64(&record.value, Base64Stream::default(), object.name("value_b64"), writer)?;
    object.end();
    Ok(())
}
