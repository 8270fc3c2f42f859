//! A message as it is sent.

use std::collections::BTreeMap;

use ekv_aws::sqs::{self, Value};
use ekv_model::Result;
use ekv_model::sqs::Message;
use serde::Deserialize;

use super::limits::{self, ID_LEN_MAX, MESSAGE_LEN_MAX, Unfit};

/// Longest delay of a message, in seconds.
const DELAY_MAX: u64 = 900;

/// The queue that a message goes to, as far as the message depends on it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    /// Whether it keeps the order of groups.
    pub(crate) is_fifo: bool,
    /// Longest message, in bytes.
    pub(crate) len_max: u64,
    /// The moment of the source, in Unix milliseconds.
    pub(crate) moment_ms: u64,
}

/// A message that can go, with its length as the service counts it.
#[derive(Clone, Debug)]
pub(crate) struct Fit {
    pub(crate) message: sqs::Message,
    pub(crate) len: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Stored {
    data_type: String,
    #[serde(default)]
    string_value: Option<String>,
    #[serde(default)]
    binary_value: Option<String>,
}

/// Makes a message of one of a backup; or why it cannot go. `is_repeated` says that the queue has another one with the same deduplication id.
///
/// # Errors
/// The body cannot be read.
pub(crate) fn fit(message: &Message<'_>, terms: &Terms, is_repeated: bool) -> Result<Result<Fit, Unfit>> {
    let len_max = terms.len_max.min(MESSAGE_LEN_MAX);
    if message.body.is_empty() {
        return Ok(Err(Unfit::Empty));
    }
    if message.body.len() > len_max {
        return Ok(Err(Unfit::Long));
    }
    let mut body = Vec::new();
    message.body.for_each_chunk(|chunk| {
        body.extend_from_slice(chunk);
        Ok(())
    })?;
    Ok(of_body(message, body, terms, len_max, is_repeated))
}

fn of_body(message: &Message<'_>, body: Vec<u8>, terms: &Terms, len_max: u64, is_repeated: bool) -> Result<Fit, Unfit> {
    let body = String::from_utf8(body).map_err(|_| Unfit::NotText)?;
    if !limits::is_text(&body) {
        return Err(Unfit::Character);
    }
    if !limits::is_attribute_count(message.attributes.len()) {
        return Err(Unfit::Attributes);
    }
    let mut len = body.len();
    let mut attributes = BTreeMap::new();
    for attribute in message.attributes {
        let stored: Stored = serde_json::from_slice(attribute.json).map_err(|_| Unfit::Attribute)?;
        let value = value(stored).ok_or(Unfit::Attribute)?;
        let of_value = value.string_value.as_ref().map_or(0, String::len);
        // Base64 has four characters for three bytes.
        let of_bytes = value.binary_value.as_ref().map_or(0, |text| text.trim_end_matches('=').len() * 3 / 4);
        len = len.saturating_add(attribute.name.len()).saturating_add(value.data_type.len());
        len = len.saturating_add(of_value).saturating_add(of_bytes);
        attributes.insert(attribute.name.to_owned(), value);
    }
    let len = u64::try_from(len).unwrap_or(u64::MAX);
    if len > len_max {
        return Err(Unfit::Long);
    }
    let mut sent = sqs::Message { message_body: body, message_attributes: attributes, ..sqs::Message::default() };
    if terms.is_fifo {
        if !limits::is_id(message.message_group_id) {
            return Err(Unfit::Group);
        }
        sent.message_group_id = Some(message.message_group_id.to_owned());
        sent.message_deduplication_id = Some(deduplication_id(message, is_repeated));
    } else {
        // Said in any case: the queue may have a delay of its own.
        sent.delay_seconds = Some(delay(message, terms.moment_ms));
    }
    Ok(Fit { message: sent, len })
}

fn value(stored: Stored) -> Option<Value> {
    let Stored { data_type, string_value, binary_value } = stored;
    let kind = data_type.split('.').next().unwrap_or_default();
    // Which names, types and texts it takes, the service says itself: some take more than others.
    let is_fit = match (kind, &string_value, &binary_value) {
        ("Binary", None, Some(_)) => true,
        ("Binary", Some(_), _) => false,
        (_, Some(text), None) => limits::is_text(text),
        _ => false,
    };
    is_fit.then_some(Value { data_type, string_value, binary_value })
}

/// The deduplication id of a message of a FIFO queue: that of its sender, else its own id. Where several have the same, the service would deliver
/// the first alone: it took them more than five minutes apart.
fn deduplication_id(message: &Message<'_>, is_repeated: bool) -> String {
    let id = own_deduplication_id(message);
    let longer = format!("{id}-{}", message.message_id);
    match (is_repeated, longer.len() <= ID_LEN_MAX) {
        (false, _) => id.to_owned(),
        (true, true) => longer,
        (true, false) => message.message_id.to_owned(),
    }
}

/// The deduplication id that counts as long as no other message has it.
pub(crate) fn own_deduplication_id<'a>(message: &Message<'a>) -> &'a str {
    match limits::is_id(message.message_deduplication_id) {
        true => message.message_deduplication_id,
        false => message.message_id,
    }
}

/// What is left of a delay at a moment, in seconds.
fn delay(message: &Message<'_>, moment_ms: u64) -> u32 {
    let available_ms = u64::try_from(message.available_at_ms).unwrap_or(0);
    // What was received once has no delay left, whatever its clock says.
    let left_ms = if message.receive_count > 0 { 0 } else { available_ms.saturating_sub(moment_ms) };
    u32::try_from(left_ms.div_ceil(1000).min(DELAY_MAX)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use ekv_model::Body;
    use ekv_model::sqs::Attribute;

    use super::*;

    const STANDARD: Terms = Terms { is_fifo: false, len_max: 1024, moment_ms: 1_000_000 };
    const FIFO: Terms = Terms { is_fifo: true, ..STANDARD };

    fn message<'a>(body: &'a [u8], attributes: &'a [Attribute<'a>]) -> Message<'a> {
        Message {
            message_id: "0123456789abcdef0123456789abcdef",
            body: Body::Inline(body),
            md5_of_body: "",
            md5_of_message_attributes: "",
            attributes,
            sender_id: "",
            send_timestamp_ms: 0,
            available_at_ms: 0,
            visible_at_ms: 0,
            receive_count: 0,
            first_receive_ms: 0,
            current_receipt_token: b"",
            queue_generation: 1,
            message_group_id: "",
            message_deduplication_id: "",
            sequence_number: 0,
            dead_letter_source_arn: "",
            partition: None,
            commit_ts: 0,
        }
    }

    fn sent(message: &Message<'_>, terms: &Terms) -> Result<Fit, Unfit> {
        fit(message, terms, false).unwrap()
    }

    #[test]
    fn body_and_attributes_go_as_they_are_and_count_together() {
        let attributes = [
            Attribute { name: "b.x", json: br#"{"DataType":"Binary","BinaryValue":"AP8="}"# },
            Attribute { name: "n", json: br#"{"DataType":"Number.int","StringValue":"1.50"}"# },
        ];
        let fit = sent(&message("é<&>".as_bytes(), &attributes), &STANDARD).unwrap();
        assert_eq!(fit.message.message_body, "é<&>");
        assert_eq!(fit.message.message_attributes["n"].string_value.as_deref(), Some("1.50"));
        assert_eq!(fit.len, 5 + (3 + 6 + 2) + (1 + 10 + 4));
        let long = Terms { len_max: fit.len - 1, ..STANDARD };
        assert_eq!(sent(&message("é<&>".as_bytes(), &attributes), &long).map(|_| ()), Err(Unfit::Long));
    }

    #[test]
    fn what_cannot_go_is_told_by_what_is_wrong_with_it() {
        let of = |body: &[u8], json: &[u8]| {
            let attributes = [Attribute { name: "a", json }];
            sent(&message(body, if json.is_empty() { &[] } else { &attributes }), &STANDARD).map(|_| ())
        };
        for (body, json, unfit) in [
            (&b""[..], &b""[..], Unfit::Empty),
            (b"\xff", b"", Unfit::NotText),
            (b"\x01", b"", Unfit::Character),
            (&[b'x'; 1025], b"", Unfit::Long),
            (b"x", b"{}", Unfit::Attribute),
            (b"x", br#"{"DataType":"String","StringValue":"\u0001"}"#, Unfit::Attribute),
            (b"x", br#"{"DataType":"Binary","StringValue":"x"}"#, Unfit::Attribute),
        ] {
            assert_eq!(of(body, json), Err(unfit));
        }
        assert_eq!(sent(&message(b"x", &[]), &FIFO).map(|_| ()), Err(Unfit::Group));
    }

    #[test]
    fn delay_is_what_is_left_of_it_and_said_even_if_nothing_is() {
        for (available_at_ms, seconds) in [(0, 0), (1_000_000, 0), (1_000_001, 1), (1_900_000, 900), (9_000_000, 900)] {
            let fit = sent(&Message { available_at_ms, ..message(b"x", &[]) }, &STANDARD).unwrap();
            assert_eq!(fit.message.delay_seconds, Some(seconds), "{available_at_ms}");
        }
        let grouped = Message { message_group_id: "g", available_at_ms: 9_000_000, ..message(b"x", &[]) };
        assert_eq!(
            sent(&grouped, &FIFO).unwrap().message.delay_seconds,
            None,
            "queues of groups delay all messages alike"
        );
    }

    #[test]
    fn deduplication_id_is_that_of_the_sender_unless_it_comes_again() {
        let grouped = Message { message_group_id: "g", ..message(b"x", &[]) };
        let id = |message: &Message<'_>, is_repeated| {
            fit(message, &FIFO, is_repeated).unwrap().unwrap().message.message_deduplication_id.unwrap()
        };
        assert_eq!(id(&grouped, false), grouped.message_id);
        let named = Message { message_deduplication_id: "d", ..grouped };
        assert_eq!(id(&named, false), "d");
        assert_eq!(id(&named, true), format!("d-{}", grouped.message_id));
        let long = "d".repeat(128);
        assert_eq!(id(&Message { message_deduplication_id: &long, ..grouped }, true), grouped.message_id);
    }
}
