//! The JSON text of queues and messages. Source: `docs/format/sqs.md`, sections 4.1 to 4.3.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ekv_files::Result;
use ekv_model::sqs::{Message, Queue, SideRecord};
use ekv_text::hex::{HexCase, push_hex};
use ekv_text::json::{Base64Stream, Bracket, EscapeMode, Layout, Style, escape_into};

use super::SqsVisibility;
use crate::DumpWriter;
use crate::layout::value::{flush_if_full, push_base64, push_value};

/// An object that is being written, member by member. What is empty, 0 or false is left out unless it is `always` there.
struct ObjectText<'o> {
    layout: Layout,
    mode: EscapeMode,
    out: &'o mut Vec<u8>,
}

impl<'o> ObjectText<'o> {
    fn begin(style: Style, mode: EscapeMode, out: &'o mut Vec<u8>) -> Self {
        let mut layout = Layout::new(style);
        layout.open(Bracket::Object, out);
        ObjectText { layout, mode, out }
    }

    fn end(mut self) {
        self.layout.close(Bracket::Object, self.out);
    }

    fn always_text(&mut self, name: &str, text: &str) {
        self.layout.name(name, self.out);
        self.string(text);
    }

    fn text(&mut self, name: &str, text: &str) {
        if !text.is_empty() {
            self.always_text(name, text);
        }
    }

    fn always_number(&mut self, name: &str, number: impl std::fmt::Display) {
        self.layout.name(name, self.out);
        // Writing to a vector cannot fail.
        let _ = write!(self.out, "{number}");
    }

    fn number<N: std::fmt::Display + Default + PartialEq>(&mut self, name: &str, number: N) {
        if number != N::default() {
            self.always_number(name, number);
        }
    }

    fn flag(&mut self, name: &str, flag: bool) {
        if flag {
            self.always_number(name, flag);
        }
    }

    fn string(&mut self, text: &str) {
        self.out.push(b'"');
        escape_into(text, self.mode, self.out);
        self.out.push(b'"');
    }

    /// Begins a member whose name is data.
    fn data_name(&mut self, name: &str) {
        self.layout.name_with(name, self.mode, self.out);
    }

    fn open(&mut self, name: &str) {
        self.layout.name(name, self.out);
        self.layout.open(Bracket::Object, self.out);
    }

    fn close(&mut self) {
        self.layout.close(Bracket::Object, self.out);
    }
}

/// Appends `_queue.json`.
pub(super) fn push_queue(queue: &Queue<'_>, extended: bool, out: &mut Vec<u8>) {
    let name = match queue.stored_name {
        "" => String::from_utf8_lossy(queue.name),
        stored => stored.into(),
    };
    let mut object = ObjectText::begin(Style::Pretty, EscapeMode::Html, out);
    object.always_number("format_version", 1);
    object.always_text("name", &name);
    object.flag("fifo", queue.fifo);
    object.flag("content_based_deduplication", queue.content_based_deduplication);
    object.always_number("visibility_timeout_seconds", queue.visibility_timeout_seconds);
    object.always_number("message_retention_seconds", queue.message_retention_seconds);
    object.always_number("delay_seconds", queue.delay_seconds);
    object.number("receive_message_wait_seconds", queue.receive_message_wait_seconds);
    object.number("maximum_message_size", queue.maximum_message_size);
    object.text("redrive_policy", queue.redrive_policy);
    object.text("redrive_allow_policy", queue.redrive_allow_policy);
    object.number("partition_count", queue.partition_count);
    object.text("fifo_throughput_limit", queue.fifo_throughput_limit);
    object.text("deduplication_scope", queue.deduplication_scope);
    if extended {
        push_extension(queue, &mut object);
    }
    object.end();
}

/// What the reference decoder leaves out.
fn push_extension(queue: &Queue<'_>, object: &mut ObjectText<'_>) {
    object.number("generation", queue.generation);
    object.number("incarnation", queue.incarnation);
    object.number("created_at_hlc", queue.created_at_hlc);
    if !queue.tags.is_empty() {
        object.open("tags");
        for tag in queue.tags {
            object.data_name(tag.name);
            object.string(tag.value);
        }
        object.close();
    }
    object.number("last_purged_at_millis", queue.last_purged_at_ms);
    object.number("created_at_millis", queue.created_at_ms);
    object.number("last_modified_at_millis", queue.last_modified_at_ms);
    let is_set = |number: &str| number.parse::<f64>().is_ok_and(|number| number != 0.0);
    let mut limits = queue.throttle.named().filter(|(_, number)| is_set(number)).peekable();
    if limits.peek().is_some() {
        object.open("throttle");
        limits.for_each(|(name, number)| object.always_number(name, number));
        object.close();
    }
    object.number("last_sequence_number", queue.last_sequence_number.unwrap_or(0));
}

/// Appends a line of `messages.jsonl`, without its line feed; `out` goes to `writer` whenever it is full.
pub(super) fn push_message(
    message: &Message<'_>,
    visibility: SqsVisibility,
    out: &mut Vec<u8>,
    writer: &mut DumpWriter,
) -> Result<()> {
    let mut object = ObjectText::begin(Style::Compact, EscapeMode::Plain, out);
    object.always_text("message_id", message.message_id);
    object.layout.name("body", object.out);
    push_value(&message.body, &mut object.layout, object.out, writer)?;
    object.text("md5_of_body", message.md5_of_body);
    object.text("md5_of_message_attributes", message.md5_of_message_attributes);
    if !message.attributes.is_empty() {
        object.open("message_attributes");
        for attribute in message.attributes {
            object.data_name(attribute.name);
            object.out.extend_from_slice(attribute.json);
            flush_if_full(object.out, writer)?;
        }
        object.close();
    }
    object.text("sender_id", message.sender_id);
    object.always_number("send_timestamp_millis", message.send_timestamp_ms);
    object.always_number("available_at_millis", message.available_at_ms);
    match visibility {
        SqsVisibility::Reset => {
            object.always_number("visible_at_millis", 0);
            object.always_number("receive_count", 0);
        }
        SqsVisibility::Keep => {
            object.always_number("visible_at_millis", message.visible_at_ms);
            object.always_number("receive_count", message.receive_count);
            object.number("first_receive_millis", message.first_receive_ms);
            object.text("current_receipt_token", &STANDARD.encode(message.current_receipt_token));
        }
    }
    object.always_number("queue_generation", message.queue_generation);
    object.text("message_group_id", message.message_group_id);
    object.text("message_deduplication_id", message.message_deduplication_id);
    object.number("sequence_number", message.sequence_number);
    object.text("dead_letter_source_arn", message.dead_letter_source_arn);
    if let Some(partition) = message.partition {
        object.always_number("partition", partition);
    }
    object.end();
    Ok(())
}

/// Appends a line of `side_records.jsonl`, without its line feed; `out` goes to `writer` whenever it is full.
pub(super) fn push_side_record(record: &SideRecord<'_>, out: &mut Vec<u8>, writer: &mut DumpWriter) -> Result<()> {
    let mut object = ObjectText::begin(Style::Compact, EscapeMode::Plain, out);
    object.always_text("prefix", record.prefix);
    object.layout.name("key_hex", object.out);
    object.out.push(b'"');
    push_hex(record.user_key, HexCase::Lower, object.out);
    object.out.push(b'"');
    object.layout.name("value_b64", object.out);
    push_base64(&record.value, Base64Stream::default(), object.out, writer)?;
    object.end();
    Ok(())
}
