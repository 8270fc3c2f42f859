//! What SQS does not take.
//!
//! Source: `docs/format/leave.md`, section 5.

/// Longest message that any service takes, in bytes: body and attributes.
pub(crate) const MESSAGE_LEN_MAX: u64 = 1 << 20;
/// Most attributes of a message.
const ATTRIBUTES_MAX: usize = 10;
/// Longest name of a queue, in characters.
const QUEUE_NAME_LEN_MAX: usize = 80;
/// Longest group and deduplication id, in characters.
pub(crate) const ID_LEN_MAX: usize = 128;
/// What ends the names of FIFO queues.
const FIFO_SUFFIX: &str = ".fifo";

/// Why a message cannot go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// Its queue has a name that no queue has there.
    Queue,
    /// No body.
    Empty,
    /// Bytes that are no UTF-8.
    NotText,
    /// A character that XML does not have.
    Character,
    /// Longer than the queue allows.
    Long,
    /// More than ten attributes.
    Attributes,
    /// An attribute without a type or a value, or with a character that XML does not have.
    Attribute,
    /// No group, in a FIFO queue, or one that is none.
    Group,
}

impl Unfit {
    /// For people.
    pub(crate) fn why(self) -> &'static str {
        match self {
            Unfit::Queue => {
                "a queue's name that is not 1 to 80 of A-Z a-z 0-9 - _, with .fifo behind it for a FIFO queue alone"
            }
            Unfit::Empty => "an empty body",
            Unfit::NotText => "a body or an attribute that is not UTF-8",
            Unfit::Character => {
                "a character that is none of #x9, #xA, #xD, #x20 to #xD7FF, #xE000 to #xFFFD, #x10000 to #x10FFFF"
            }
            Unfit::Long => "a body and attributes longer than the queue allows",
            Unfit::Attributes => "more than 10 attributes",
            Unfit::Attribute => "an attribute without a type or a value, or with a character that no queue takes",
            Unfit::Group => {
                "no group, in a FIFO queue, or one of more than 128 or other characters than letters, digits and punctuation"
            }
        }
    }
}

/// Whether SQS has queues of this name and kind.
pub(crate) fn is_queue_name(name: &str, is_fifo: bool) -> bool {
    let stem = match is_fifo {
        true => name.strip_suffix(FIFO_SUFFIX),
        false => Some(name),
    };
    let is_inside = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    name.len() <= QUEUE_NAME_LEN_MAX && stem.is_some_and(|stem| !stem.is_empty() && stem.bytes().all(is_inside))
}

/// Whether all characters may be in a message.
pub(crate) fn is_text(text: &str) -> bool {
    text.chars().all(|character| match character {
        '\t' | '\n' | '\r' => true,
        '\u{fffe}' | '\u{ffff}' => false,
        character => character >= ' ',
    })
}

/// Whether there may be so many attributes.
pub(crate) fn is_attribute_count(count: usize) -> bool {
    count <= ATTRIBUTES_MAX
}

/// Whether a group or deduplication id may be this.
pub(crate) fn is_id(id: &str) -> bool {
    (1..=ID_LEN_MAX).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_queues_are_those_that_sqs_has() {
        for (name, is_fifo, is_one) in [
            ("orders", false, true),
            ("orders.fifo", true, true),
            ("orders.fifo", false, false),
            ("orders", true, false),
            (".fifo", true, false),
            ("a b", false, false),
            (&"q".repeat(80), false, true),
            (&"q".repeat(81), false, false),
            (&format!("{}.fifo", "q".repeat(75)), true, true),
            (&format!("{}.fifo", "q".repeat(76)), true, false),
        ] {
            assert_eq!(is_queue_name(name, is_fifo), is_one, "{name}");
        }
    }

    #[test]
    fn characters_are_those_of_xml() {
        for text in ["a\tb\r\n", "\u{d7ff}\u{e000}\u{fffd}\u{10000}\u{10ffff}", "\u{7f}\u{85}", ""] {
            assert!(is_text(text), "{text:?}");
        }
        for text in ["\0", "\u{1}", "\u{1f}", "\u{fffe}", "\u{ffff}", "a\u{b}b"] {
            assert!(!is_text(text), "{text:?}");
        }
    }

    #[test]
    fn ids_are_those_that_sqs_takes() {
        assert!(is_id("g<1>!") && is_id(&"i".repeat(128)));
        assert!(!is_id("") && !is_id("a b") && !is_id("é") && !is_id(&"i".repeat(129)));
        assert!(is_attribute_count(10) && !is_attribute_count(11));
    }
}
