//! How many bytes a thing holds for its user: values, and the names inside it, without the record that carries them.
//!
//! One rule for every source, so that a snapshot and the dump made of it tell the same. Source: `docs/format/tree.md`, section 19.

use crate::dynamodb::{Node, SetKind};
use crate::redis::Element;
use crate::{Body, sqs};

/// What a score of a sorted set counts, in bytes.
const SCORE_LEN: u64 = 8;
/// What the id of a stream entry counts, in bytes.
const STREAM_ID_LEN: u64 = 16;
/// What a list or map in an item counts beside its contents, in bytes.
const DOCUMENT_LEN: u64 = 3;

/// What a step through a collection counts, in bytes.
pub fn element_len(element: &Element<'_>) -> u64 {
    match element {
        Element::Field { name, value } => len_of(name).saturating_add(value.len()),
        Element::Item(value) => value.len(),
        Element::Member(name) => len_of(name),
        Element::Scored { member, .. } => len_of(member).saturating_add(SCORE_LEN),
        Element::EntryBegin(_) => STREAM_ID_LEN,
        Element::EntryField { name, value } => name.len().saturating_add(value.len()),
        Element::EntryEnd => 0,
    }
}

/// Whether a step through a collection is one of its elements.
pub fn is_element(element: &Element<'_>) -> bool {
    !matches!(element, Element::EntryField { .. } | Element::EntryEnd)
}

/// What a message counts, in bytes: its body, and its attributes as they are stored.
pub fn message_len(message: &sqs::Message<'_>) -> u64 {
    let attributes = message.attributes.iter().map(|own| len_of(own.name.as_bytes()).saturating_add(len_of(own.json)));
    attributes.fold(message.body.len(), u64::saturating_add)
}

/// Measures an item by the rule by which DynamoDB limits items to 400 KB.
///
/// Names and texts count their bytes, numbers a byte for two significant digits and one more, a list or map three and one for each
/// value in it.
#[derive(Clone, Debug, Default)]
pub struct ItemMeter {
    bytes: u64,
    attributes: u64,
    open: Vec<OpenValue>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OpenValue {
    List,
    Map,
    Set(SetKind),
}

impl ItemMeter {
    /// Takes the next step through the item.
    pub fn node(&mut self, node: &Node<'_>) {
        let inside = self.open.last().copied();
        let step = match node {
            Node::Name(name) => {
                self.attributes = self.attributes.saturating_add(u64::from(inside.is_none()));
                len_of(name.as_bytes())
            }
            Node::String(text) | Node::Binary(text) => text.len(),
            Node::Number(text) => number_len(text),
            Node::Bool(_) | Node::Null(_) => 1,
            Node::Missing => 0,
            Node::SetBegin(_) => 0,
            Node::Member(member) => match inside {
                Some(OpenValue::Set(SetKind::Number)) => number_len(member),
                _ => member.len(),
            },
            Node::ListBegin | Node::MapBegin => DOCUMENT_LEN,
            Node::End => 0,
        };
        let is_value = !matches!(node, Node::Name(_) | Node::Member(_) | Node::End);
        let place = u64::from(is_value && matches!(inside, Some(OpenValue::List | OpenValue::Map)));
        self.bytes = self.bytes.saturating_add(step).saturating_add(place);
        match node {
            Node::SetBegin(kind) => self.open.push(OpenValue::Set(*kind)),
            Node::ListBegin => self.open.push(OpenValue::List),
            Node::MapBegin => self.open.push(OpenValue::Map),
            Node::End => drop(self.open.pop()),
            _ => {}
        }
    }

    /// Bytes of the item so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Its attributes so far, those inside maps not counted.
    pub fn attributes(&self) -> u64 {
        self.attributes
    }
}

/// A number: a byte for two significant digits, one more, and one for a minus sign.
fn number_len(text: &Body<'_>) -> u64 {
    let text = match text {
        Body::Inline(text) => text,
        // No number that a server takes is as long.
        Body::Streamed(_) => return text.len().div_ceil(2).saturating_add(1),
    };
    let mantissa = text.split(|byte| matches!(byte, b'e' | b'E')).next().unwrap_or(text);
    let is_negative = mantissa.first() == Some(&b'-');
    let digits: Vec<u8> = mantissa.iter().copied().filter(u8::is_ascii_digit).collect();
    let first = digits.iter().position(|digit| *digit != b'0');
    let last = digits.iter().rposition(|digit| *digit != b'0');
    let significant = match (first, last) {
        (Some(first), Some(last)) => u64::try_from(last.saturating_sub(first)).unwrap_or(0).saturating_add(1),
        _ => 0,
    };
    significant.div_ceil(2).saturating_add(1).saturating_add(u64::from(is_negative))
}

fn len_of(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redis::StreamId;

    fn body(text: &[u8]) -> Body<'_> {
        Body::Inline(text)
    }

    #[test]
    fn elements_count_names_values_scores_and_ids() {
        for (element, len, is_one) in [
            (Element::Field { name: b"ab", value: body(b"xyz") }, 5, true),
            (Element::Item(body(b"xyz")), 3, true),
            (Element::Member(b"ab"), 2, true),
            (Element::Scored { member: b"ab", score: 1.0 }, 10, true),
            (Element::EntryBegin(StreamId::default()), 16, true),
            (Element::EntryField { name: body(b"ab"), value: body(b"xyz") }, 5, false),
            (Element::EntryEnd, 0, false),
        ] {
            assert_eq!((element_len(&element), is_element(&element)), (len, is_one), "{element:?}");
        }
    }

    #[test]
    fn numbers_count_their_significant_digits() {
        for (text, len) in [
            ("0", 1),
            ("7", 2),
            ("17", 2),
            ("17.5", 3),
            ("-17.5", 4),
            ("1000", 2),
            ("0.001", 2),
            ("12E+40", 2),
            ("", 1),
        ] {
            assert_eq!(number_len(&body(text.as_bytes())), len, "{text}");
        }
    }

    #[test]
    fn item_counts_names_values_and_the_places_in_lists_and_maps() {
        let mut meter = ItemMeter::default();
        // {id: "abc", l: [1, {x: true}], n: <12, 345>}
        for node in [
            Node::Name("id"),
            Node::String(body(b"abc")),
            Node::Name("l"),
            Node::ListBegin,
            Node::Number(body(b"1")),
            Node::MapBegin,
            Node::Name("x"),
            Node::Bool(true),
            Node::End,
            Node::End,
            Node::Name("n"),
            Node::SetBegin(SetKind::Number),
            Node::Member(body(b"12")),
            Node::Member(body(b"345")),
            Node::End,
        ] {
            meter.node(&node);
        }
        // 2+3, 1+3, 1+2 (number in a list), 1+3 (map in a list), 1, 1+1 (Boolean in a map), 1, 2+3.
        assert_eq!((meter.bytes(), meter.attributes()), (5 + 4 + 3 + 4 + 1 + 2 + 1 + 5, 3));
    }
}
