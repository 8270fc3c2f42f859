//! The messages of one queue, put into the order of their sending. Source: `docs/format/sqs.md`, sections 3, 4.2 and 7.
//!
//! Records lie in the order of random ids. Each message is checked when it is met and goes through an external sort: small values
//! as they are, large ones as the key under which they are read again.

use ekv_model::sqs::{Event, Message, OwnedMessage};
use ekv_model::{ByteSource, Event as ModelEvent, InMemory, Keys, Result};
use ekv_snapshot::Lookup;
use ekv_spill::{Sorter, Spool};
use ekv_text::ByteCursor;

use super::findings;
use super::keys::{Form, MessageRow, Subject};
use super::message::{BodyStep, read};
use super::partitions::PartitionRule;
use super::rows::{Owners, Row, Rows};
use crate::run::scratch_error;
use crate::{Family, Outcome, Run};

/// Memory for sorting the messages of a queue, in bytes.
const SORT_BUDGET_BYTES: usize = 32 << 20;
/// Memory for the body of one message, in bytes; a server takes 256 KiB.
const BODY_BUDGET_BYTES: usize = 1 << 20;

/// Which messages of a queue are wanted.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wanted {
    /// Those that the server reads.
    Live {
        /// Generation of the queue; 0 = any.
        generation: u64,
        /// Which partitions are read, and which group belongs where.
        rule: PartitionRule,
    },
    /// All.
    Every,
}

/// Why a message is not wanted.
enum Unwanted {
    Stale,
    Unreachable,
}

impl Wanted {
    fn check(self, row: &MessageRow) -> Result<(), Unwanted> {
        let Wanted::Live { generation, rule } = self else { return Ok(()) };
        if generation != 0 && row.generation != generation {
            return Err(Unwanted::Stale);
        }
        match (rule.partitions_read(), row.partition) {
            (None, None) => Ok(()),
            (Some(count), Some(partition)) if partition < count => Ok(()),
            _ => Err(Unwanted::Unreachable),
        }
    }
}

impl Wanted {
    /// Whether a wanted message lies in another partition than its group belongs to.
    fn is_elsewhere(self, row: &MessageRow, message: &OwnedMessage) -> bool {
        match (self, row.partition) {
            (Wanted::Live { rule, .. }, Some(partition)) => rule.partition(&message.message_group_id) != partition,
            _ => false,
        }
    }
}

/// What was met while the messages of a queue were collected.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Passed {
    /// Messages of other generations.
    pub(super) stale: u64,
    /// Messages under keys that the server does not read.
    pub(super) unreachable: u64,
}

/// The messages of one queue after the other.
pub(super) struct Messages {
    classic: Rows,
    partitioned: Rows,
    lookup: Lookup,
}

impl Messages {
    pub(super) fn new(run: &Run<'_>) -> Self {
        let rows = |form| Rows::new(run, Family::SqsMessage, form);
        Messages { classic: rows(Form::Classic), partitioned: rows(Form::Partitioned), lookup: run.view().lookup() }
    }

    /// Checks the messages of a queue and sorts those that are wanted; accounts for all others.
    pub(super) fn collect(
        &mut self,
        run: &mut Run<'_>,
        owners: &mut Owners,
        queue_text: &[u8],
        wanted: Wanted,
        keys: &Keys<'_>,
    ) -> Result<(Sorter, Passed)> {
        let mut sorter = Sorter::new(run.scratch(), SORT_BUDGET_BYTES);
        let mut passed = Passed::default();
        for rows in self.seek(queue_text)? {
            let form = rows.form();
            while let Some(row) = rows.next(owners)? {
                let user_key = row.found.user_key;
                let at = Some(row.found.byte_offset);
                let Some(key) = MessageRow::parse(Family::SqsMessage, form, row.tail) else {
                    if !keys.is_all() {
                        continue;
                    }
                    run.record_finding(findings::MALFORMED_KEY, user_key, at, || {
                        "message key does not parse".to_owned()
                    });
                    run.account(Family::SqsMessage, Outcome::Lost, 1)?;
                    continue;
                };
                // A message whose key has no readable id is known by its value alone.
                let id = key.id();
                if id.is_some_and(|id| !keys.contains(id)) {
                    continue;
                }
                let count = match wanted.check(&key) {
                    Ok(()) => None,
                    Err(Unwanted::Stale) => Some(&mut passed.stale),
                    Err(Unwanted::Unreachable) => Some(&mut passed.unreachable),
                };
                if let Some(count) = count {
                    *count = count.saturating_add(1);
                    run.account(Family::SqsMessage, Outcome::Orphaned, 1)?;
                    continue;
                }
                let read = read(&row.found.body, &mut |_| Ok(()))?;
                match read.and_then(|message| own_id(&key, &message).map(|own_id| (message, own_id))) {
                    Ok((message, own_id))
                        if id.is_none()
                            && !keys.contains(own_id.as_ref().unwrap_or(&message.message_id).as_bytes()) => {}
                    Ok((mut message, own_id)) => {
                        if let Some(own_id) = &own_id {
                            run.record_finding(findings::MESSAGE_ID_MISMATCH, user_key, at, || {
                                format!(
                                    "the value says \"{}\"",
                                    message.message_id.chars().take(80).collect::<String>()
                                )
                            });
                            message.message_id.clone_from(own_id);
                        }
                        if wanted.is_elsewhere(&key, &message) {
                            run.record_finding(findings::OTHER_PARTITION, user_key, at, || {
                                format!("message {}", message.message_id.chars().take(80).collect::<String>())
                            });
                        }
                        push(&mut sorter, &message, key.partition, own_id.as_deref(), &row)?;
                    }
                    Err(detail) => {
                        run.record_finding(findings::INVALID_MESSAGE, user_key, at, || detail);
                        run.account(Family::SqsMessage, Outcome::Lost, 1)?;
                    }
                }
            }
        }
        Ok((sorter, passed))
    }

    /// Emits collected messages.
    pub(super) fn emit(&mut self, run: &mut Run<'_>, sorter: Sorter) -> Result<()> {
        let mut sorted = sorter.finish().map_err(scratch_error)?;
        while let Some((_, payload)) = sorted.next().map_err(scratch_error)? {
            let Some((place, stored)) = Stored::parse(payload) else { continue };
            let outcome = match stored {
                Stored::Value(value) => emit_one(run, &InMemory(value), place)?,
                Stored::UserKey(user_key) => match self.lookup.get(user_key)? {
                    Some(found) => emit_one(run, &found.body, place)?,
                    None => Outcome::Lost,
                },
            };
            run.account(Family::SqsMessage, outcome, 1)?;
        }
        Ok(())
    }

    /// Accounts for all messages of a queue, unread; returns how many there are.
    pub(super) fn leave_out(
        &mut self,
        run: &mut Run<'_>,
        owners: &mut Owners,
        queue_text: &[u8],
        outcome: Outcome,
    ) -> Result<u64> {
        let mut count = 0_u64;
        for rows in self.seek(queue_text)? {
            while rows.next(owners)?.is_some() {
                count = count.saturating_add(1);
                run.account(Family::SqsMessage, outcome, 1)?;
            }
        }
        Ok(count)
    }

    /// Goes to the messages of a queue: both forms of keys, in the order in which they lie in the snapshot.
    fn seek(&mut self, queue_text: &[u8]) -> Result<[&mut Rows; 2]> {
        self.classic.seek(queue_text)?;
        self.partitioned.seek(queue_text)?;
        let (classic, partitioned) = (&mut self.classic, &mut self.partitioned);
        Ok(if classic.prefix() < partitioned.prefix() { [classic, partitioned] } else { [partitioned, classic] })
    }
}

/// The id under which the server finds a message, where its value has another one or none: no two messages have the same.
///
/// A key whose id is no text gives none; then that of the value counts, which must be there.
fn own_id(key: &MessageRow, message: &OwnedMessage) -> Result<Option<String>, String> {
    let Subject::Message { id } = &key.subject else { return Ok(None) };
    // An id that was no text is shown as all such texts are.
    if id.as_slice() == message.message_id.as_bytes() || message.message_id.contains(char::REPLACEMENT_CHARACTER) {
        return Ok(None);
    }
    match std::str::from_utf8(id) {
        Ok(id) if !id.is_empty() => Ok(Some(id.to_owned())),
        _ if message.message_id.is_empty() => Err("the message has no id".to_owned()),
        _ => Ok(None),
    }
}

/// Adds a message to the sort. Equal ones keep the order of their records.
fn push(
    sorter: &mut Sorter,
    message: &OwnedMessage,
    partition: Option<u32>,
    own_id: Option<&str>,
    row: &Row<'_>,
) -> Result<()> {
    let mut place = Vec::new();
    message.put_order(&mut place);
    let stored = match row.found.body.whole() {
        Some(value) => Stored::Value(value),
        None => Stored::UserKey(row.found.user_key),
    };
    sorter
        .push(&place, &stored.to_bytes(KeyParts { partition, own_id, commit_ts: row.found.commit_ts.0 }))
        .map_err(scratch_error)
}

/// What the key of a message says about it.
#[derive(Clone, Copy, Debug)]
struct KeyParts<'a> {
    partition: Option<u32>,
    /// Its id, where that of the value does not count.
    own_id: Option<&'a str>,
    commit_ts: u64,
}

/// A message while it is sorted.
enum Stored<'a> {
    /// Its value.
    Value(&'a [u8]),
    /// The key under which its value is.
    UserKey(&'a [u8]),
}

impl<'a> Stored<'a> {
    const VALUE: u8 = 0;
    const USER_KEY: u8 = 1;

    fn to_bytes(&self, KeyParts { partition, own_id, commit_ts }: KeyParts<'_>) -> Vec<u8> {
        let commit_ts = commit_ts.to_be_bytes();
        let (tag, bytes) = match self {
            Stored::Value(value) => (Stored::VALUE, value),
            Stored::UserKey(user_key) => (Stored::USER_KEY, user_key),
        };
        let partition_bytes = partition.unwrap_or(0).to_be_bytes();
        // No id of a message is empty.
        let own_id = own_id.unwrap_or_default();
        let id_len = u32::try_from(own_id.len()).unwrap_or(u32::MAX).to_be_bytes();
        [&[tag, u8::from(partition.is_some())], &partition_bytes[..], &commit_ts, &id_len, own_id.as_bytes(), bytes]
            .concat()
    }

    fn parse(payload: &'a [u8]) -> Option<(KeyParts<'a>, Stored<'a>)> {
        let mut cursor = ByteCursor::new(payload);
        let [tag, has_partition] = cursor.take()?;
        let partition = Some(cursor.u32()?).filter(|_| *has_partition == 1);
        let commit_ts = cursor.u64()?;
        let id_len = cursor.u32()?;
        let own_id = Some(std::str::from_utf8(cursor.bytes(id_len.into())?).ok()?).filter(|id| !id.is_empty());
        let bytes = cursor.rest();
        let stored = if *tag == Stored::VALUE { Stored::Value(bytes) } else { Stored::UserKey(bytes) };
        Some((KeyParts { partition, own_id, commit_ts }, stored))
    }
}

/// Emits a message that was read without a fault before.
fn emit_one(run: &mut Run<'_>, value: &dyn ByteSource, place: KeyParts<'_>) -> Result<Outcome> {
    let scratch = run.scratch();
    let new_body = || Spool::new(std::sync::Arc::clone(&scratch), BODY_BUDGET_BYTES);
    let mut body = new_body();
    let mut take = |step: BodyStep<'_>| {
        match step {
            BodyStep::Begin => body = new_body(),
            BodyStep::Bytes(bytes) => body.write_all(bytes).map_err(scratch_error)?,
        }
        Ok(())
    };
    let message = match read(value, &mut take)? {
        Ok(message) => message,
        Err(detail) => {
            run.record_finding(findings::INVALID_MESSAGE, b"", None, || detail);
            return Ok(Outcome::Lost);
        }
    };
    let body = body.into_reader().map_err(scratch_error)?;
    let attributes = message.attributes();
    let message = message.event(body.body(), &attributes);
    let message_id = place.own_id.unwrap_or(message.message_id);
    let message = Message { partition: place.partition, message_id, commit_ts: place.commit_ts, ..message };
    run.emit(ModelEvent::Sqs(Event::Message(&message)))?;
    Ok(Outcome::Emitted)
}
