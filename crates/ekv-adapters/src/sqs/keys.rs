//! User keys of SQS records, read and built. Source: `docs/format/sqs.md`, section 2.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::{Family, Router};

/// What follows the prefix of a message family in the keys of partitioned queues.
pub(super) const PARTITIONED: &[u8] = b"p|";
/// Generation of a queue about which nothing is known.
pub(super) const FIRST_GENERATION: u64 = 1;
/// What ends a field in the keys of partitioned queues.
const SEPARATOR: u8 = b'|';
/// Length of a generation or a time.
const U64_LEN: usize = 8;

/// A user key of the SQS adapter. Names and ids are the raw bytes, not their base64url form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// One record for the whole queue.
    Queue {
        /// Which one.
        record: QueueRecord,
        /// Name of the queue.
        queue: Vec<u8>,
    },
    /// The marker of a generation that was superseded.
    Tombstone {
        /// Name of the queue.
        queue: Vec<u8>,
        /// The generation that ended.
        generation: u64,
    },
    /// A message or something about messages.
    Message(MessageKey),
}

/// The records that a queue has once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueRecord {
    /// Its settings.
    Settings,
    /// Its generation counter.
    Generation,
    /// The last sequence number given out.
    Sequence,
}

/// The key of a message or of something about messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageKey {
    /// Name of the queue.
    pub queue: Vec<u8>,
    /// The rest of the key.
    pub row: MessageRow,
}

/// What follows the queue in the key of a message record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageRow {
    /// Partition; `None` in the keys of queues without partitions.
    pub partition: Option<u32>,
    /// Generation of the queue.
    pub generation: u64,
    /// What the record is about.
    pub subject: Subject,
}

/// What a message record is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The message itself.
    Message {
        /// Message id.
        id: Vec<u8>,
    },
    /// When a message becomes visible.
    Visibility {
        /// Unix milliseconds.
        visible_at_ms: u64,
        /// Message id.
        id: Vec<u8>,
    },
    /// When a message was sent.
    Age {
        /// Unix milliseconds.
        send_at_ms: u64,
        /// Message id.
        id: Vec<u8>,
    },
    /// A deduplication id in use.
    Dedup {
        /// Message group: only in keys with a partition, else empty.
        group: Vec<u8>,
        /// Deduplication id.
        id: Vec<u8>,
    },
    /// A locked message group.
    Group {
        /// Message group.
        group: Vec<u8>,
    },
}

impl Key {
    /// Reads a user key; `None` if it is no key of this adapter or malformed.
    ///
    /// In keys without partition the queue ends at the first byte that base64url does not have, which is right for every
    /// generation below 2^56.
    pub fn parse(user_key: &[u8]) -> Option<Key> {
        static ROUTER: LazyLock<Router> = LazyLock::new(Router::default);
        let family = ROUTER.family_of(user_key);
        let rest = user_key.strip_prefix(family.prefix())?;
        let record = match family {
            Family::SqsQueue => QueueRecord::Settings,
            Family::SqsGeneration => QueueRecord::Generation,
            Family::SqsSequence => QueueRecord::Sequence,
            Family::SqsTombstone => {
                let (queue, generation) = rest.split_last_chunk::<U64_LEN>()?;
                return Some(Key::Tombstone { queue: queue_name(queue)?, generation: u64::from_be_bytes(*generation) });
            }
            _ => {
                let (queue, tail, form) = match rest.strip_prefix(PARTITIONED) {
                    Some(rest) => {
                        let (queue, tail) = split_partitioned(rest)?;
                        (queue, tail, Form::Partitioned)
                    }
                    None => {
                        let (queue, tail) = rest.split_at_checked(base64url_len(rest))?;
                        (queue, tail, Form::Classic)
                    }
                };
                let row = MessageRow::parse(family, form, tail)?;
                return Some(Key::Message(MessageKey { queue: queue_name(queue)?, row }));
            }
        };
        Some(Key::Queue { record, queue: queue_name(rest)? })
    }

    /// The bytes of the key.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Key::Queue { record, queue } => {
                let family = match record {
                    QueueRecord::Settings => Family::SqsQueue,
                    QueueRecord::Generation => Family::SqsGeneration,
                    QueueRecord::Sequence => Family::SqsSequence,
                };
                [family.prefix(), encode(queue).as_bytes()].concat()
            }
            Key::Tombstone { queue, generation } => {
                [Family::SqsTombstone.prefix(), encode(queue).as_bytes(), &generation.to_be_bytes()].concat()
            }
            Key::Message(MessageKey { queue, row }) => {
                let mut out = row.subject.family().prefix().to_vec();
                match row.partition {
                    Some(partition) => {
                        out.extend_from_slice(PARTITIONED);
                        out.extend_from_slice(encode(queue).as_bytes());
                        out.push(SEPARATOR);
                        out.extend_from_slice(&partition.to_be_bytes());
                    }
                    None => out.extend_from_slice(encode(queue).as_bytes()),
                }
                out.extend_from_slice(&row.generation.to_be_bytes());
                row.subject.put(row.partition.is_some(), &mut out);
                out
            }
        }
    }
}

/// Whether keys of a message family carry a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Classic,
    Partitioned,
}

impl MessageRow {
    /// The id of the message that the key is of, if it is text and not empty.
    pub(crate) fn id(&self) -> Option<&[u8]> {
        match &self.subject {
            Subject::Message { id } if !id.is_empty() && std::str::from_utf8(id).is_ok() => Some(id),
            _ => None,
        }
    }

    /// Reads what follows the queue in the key of a message family.
    pub(super) fn parse(family: Family, form: Form, tail: &[u8]) -> Option<MessageRow> {
        let (partition, tail) = match form {
            Form::Classic => (None, tail),
            Form::Partitioned => {
                let (partition, tail) = tail.split_first_chunk()?;
                (Some(u32::from_be_bytes(*partition)), tail)
            }
        };
        let (generation, tail) = split_u64(tail)?;
        let message_id = |text: &[u8]| decode(text).filter(|id| !id.is_empty());
        let subject = match family {
            Family::SqsMessage => Subject::Message { id: message_id(tail)? },
            Family::SqsVisibility => {
                let (visible_at_ms, tail) = split_u64(tail)?;
                Subject::Visibility { visible_at_ms, id: message_id(tail)? }
            }
            Family::SqsAge => {
                let (send_at_ms, tail) = split_u64(tail)?;
                Subject::Age { send_at_ms, id: message_id(tail)? }
            }
            Family::SqsDedup => {
                let (group, id) = match form {
                    Form::Classic => (Vec::new(), tail),
                    Form::Partitioned => {
                        let (group, id) = split_partitioned(tail)?;
                        (decode(group)?, id)
                    }
                };
                Subject::Dedup { group, id: decode(id)? }
            }
            Family::SqsGroup => Subject::Group { group: decode(tail)? },
            _ => return None,
        };
        Some(MessageRow { partition, generation, subject })
    }
}

impl Subject {
    fn family(&self) -> Family {
        match self {
            Subject::Message { .. } => Family::SqsMessage,
            Subject::Visibility { .. } => Family::SqsVisibility,
            Subject::Age { .. } => Family::SqsAge,
            Subject::Dedup { .. } => Family::SqsDedup,
            Subject::Group { .. } => Family::SqsGroup,
        }
    }

    fn put(&self, is_partitioned: bool, out: &mut Vec<u8>) {
        let last = match self {
            Subject::Message { id } => id,
            Subject::Visibility { visible_at_ms: at_ms, id } | Subject::Age { send_at_ms: at_ms, id } => {
                out.extend_from_slice(&at_ms.to_be_bytes());
                id
            }
            Subject::Dedup { group, id } => {
                if is_partitioned {
                    out.extend_from_slice(encode(group).as_bytes());
                    out.push(SEPARATOR);
                }
                id
            }
            Subject::Group { group } => group,
        };
        out.extend_from_slice(encode(last).as_bytes());
    }
}

/// Base64url without padding.
pub(super) fn encode(raw: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(raw)
}

fn decode(text: &[u8]) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// The queue name that base64url text stands for; an empty name is none.
pub(super) fn queue_name(text: &[u8]) -> Option<Vec<u8>> {
    decode(text).filter(|name| !name.is_empty())
}

/// How many bytes at the front belong to the base64url alphabet.
pub(super) fn base64url_len(rest: &[u8]) -> usize {
    rest.iter().take_while(|byte| matches!(byte, b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_')).count()
}

/// Splits at the first separator.
pub(super) fn split_partitioned(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = rest.iter().position(|byte| *byte == SEPARATOR)?;
    let (text, tail) = rest.split_at_checked(at)?;
    Some((text, tail.get(1..)?))
}

/// The queue's text in the key of a generation marker.
pub(super) fn split_tombstone(rest: &[u8]) -> Option<&[u8]> {
    rest.split_last_chunk::<U64_LEN>().map(|(queue, _)| queue)
}

/// Writes into `out` what the keys of a queue's records begin with.
pub(super) fn put_queue_prefix(out: &mut Vec<u8>, family: Family, form: Form, queue_text: &[u8]) {
    out.clear();
    out.extend_from_slice(family.prefix());
    if form == Form::Partitioned {
        out.extend_from_slice(PARTITIONED);
    }
    out.extend_from_slice(queue_text);
    if form == Form::Partitioned {
        out.push(SEPARATOR);
    }
}

fn split_u64(bytes: &[u8]) -> Option<(u64, &[u8])> {
    bytes.split_first_chunk::<U64_LEN>().map(|(number, tail)| (u64::from_be_bytes(*number), tail))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(queue: &[u8], partition: Option<u32>, generation: u64, subject: Subject) -> Key {
        Key::Message(MessageKey { queue: queue.to_vec(), row: MessageRow { partition, generation, subject } })
    }

    /// The keys of the golden example.
    #[test]
    fn golden_keys_are_read_and_built() {
        let id = b"2a30b5bd0ea9c34b9660a0b1b4ebcd0f".to_vec();
        let text = b"MmEzMGI1YmQwZWE5YzM0Yjk2NjBhMGIxYjRlYmNkMGY";
        let at_ms = 0x1a2_03e5_e2bd;
        let place = b"p|cGFydC5maWZv|\0\0\0\x02\0\0\0\0\0\0\0\x01";
        let time = b"\0\0\x01\xa2\x03\xe5\xe2\xbd";
        let dedup = b"909ef3d0cc91ac75f8a64c217ebd52602338ee08e2dfba047df58f659dc875d5".to_vec();
        let part = |subject| message(b"part.fifo", Some(2), 1, subject);
        for (bytes, key) in [
            (
                [b"!sqs|msg|byage|", &place[..], time, text].concat(),
                part(Subject::Age { send_at_ms: at_ms, id: id.clone() }),
            ),
            ([b"!sqs|msg|data|", &place[..], text].concat(), part(Subject::Message { id: id.clone() })),
            (
                [
                    b"!sqs|msg|dedup|",
                    &place[..],
                    b"ZzA|OTA5ZWYzZDBjYzkxYWM3NWY4YTY0YzIxN2ViZDUyNjAyMzM4ZWUwOGUyZGZiYTA0N2RmNThmNjU5ZGM4NzVkNQ",
                ]
                .concat(),
                part(Subject::Dedup { group: b"g0".to_vec(), id: dedup }),
            ),
            (
                [b"!sqs|msg|vis|", &place[..], time, text].concat(),
                part(Subject::Visibility { visible_at_ms: at_ms, id: id.clone() }),
            ),
            (
                b"!sqs|msg|data|ZGxx\0\0\0\0\0\0\0\x01MDBlNzJmMDBlNTc3MjY5NmMxNjUwNmU2MDc4OWE5NjM".to_vec(),
                message(b"dlq", None, 1, Subject::Message { id: b"00e72f00e5772696c16506e60789a963".to_vec() }),
            ),
            (b"!sqs|queue|gen|ZGxx".to_vec(), Key::Queue { record: QueueRecord::Generation, queue: b"dlq".to_vec() }),
            (
                b"!sqs|queue|meta|cGFydC5maWZv".to_vec(),
                Key::Queue { record: QueueRecord::Settings, queue: b"part.fifo".to_vec() },
            ),
            (
                b"!sqs|queue|seq|cGFydC5maWZv".to_vec(),
                Key::Queue { record: QueueRecord::Sequence, queue: b"part.fifo".to_vec() },
            ),
            (
                b"!sqs|queue|tombstone|ZGxx\0\0\0\0\0\0\0\x03".to_vec(),
                Key::Tombstone { queue: b"dlq".to_vec(), generation: 3 },
            ),
        ] {
            assert_eq!(Key::parse(&bytes).as_ref(), Some(&key), "{}", bytes.escape_ascii());
            assert_eq!(key.to_bytes(), bytes);
        }
    }

    #[test]
    fn malformed_keys_are_no_keys() {
        for bytes in [
            &b"!sqs|msg|data|ZGxx\0\0\0\0\0\0\0\x01"[..],
            b"!sqs|msg|data|ZGxx\0\0\0\0\0\0\0\x01QQ==",
            b"!sqs|msg|data|ZGxx\0\0\0\0\0\0\0\x01QR",
            b"!sqs|msg|data|ZGxx\0\0\0\0\0\0",
            b"!sqs|msg|data|ZGxx",
            b"!sqs|msg|data|Z\0\0\0\0\0\0\0\x01QQ",
            b"!sqs|msg|data|\0\0\0\0\0\0\0\x01QQ",
            b"!sqs|msg|data|p|cGFydC5maWZv",
            b"!sqs|msg|data|p|ZGxx|\0\0\0",
            b"!sqs|msg|data|p|ZGxx|\0\0\0\x01\0\0\0\0\0\0\0\x01",
            b"!sqs|msg|data|p||\0\0\0\x01\0\0\0\0\0\0\0\x01QQ",
            b"!sqs|msg|vis|ZGxx\0\0\0\0\0\0\0\x01\0\0\0\0QQ",
            b"!sqs|msg|dedup|p|ZGxx|\0\0\0\x01\0\0\0\0\0\0\0\x01QQ",
            b"!sqs|queue|meta|",
            b"!sqs|queue|meta|ZGxx=",
            b"!sqs|queue|tombstone|ZGxx",
            b"!sqs|queue|tombstone|\0\0\0\0\0\0\0\x01",
            b"!sqs|route|global",
            b"!s3|obj|head|x",
            b"plain",
        ] {
            assert_eq!(Key::parse(bytes), None, "{}", bytes.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn every_key_that_is_built_is_read_back(
            queue in prop::collection::vec(any::<u8>(), 1..12),
            partition in prop::option::of(any::<u32>()),
            generation in 0_u64..1 << 56,
            at_ms in any::<u64>(),
            id in prop::collection::vec(any::<u8>(), 1..12),
            group in prop::collection::vec(any::<u8>(), 0..6),
        ) {
            let dedup_group = if partition.is_some() { group.clone() } else { Vec::new() };
            let subjects = [
                Subject::Message { id: id.clone() },
                Subject::Visibility { visible_at_ms: at_ms, id: id.clone() },
                Subject::Age { send_at_ms: at_ms, id: id.clone() },
                Subject::Dedup { group: dedup_group, id },
                Subject::Group { group },
            ];
            let keys = subjects.map(|subject| message(&queue, partition, generation, subject));
            let tombstone = Key::Tombstone { queue: queue.clone(), generation };
            let records = [QueueRecord::Settings, QueueRecord::Generation, QueueRecord::Sequence];
            let of_queue = records.map(|record| Key::Queue { record, queue: queue.clone() });
            for key in keys.into_iter().chain(of_queue).chain([tombstone]) {
                prop_assert_eq!(Key::parse(&key.to_bytes()), Some(key));
            }
        }
    }
}
