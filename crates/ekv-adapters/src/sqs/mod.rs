//! SQS: records to events and back. Source: `docs/format/sqs.md`.
//!
//! | file | holds |
//! |---|---|
//! | `keys.rs` | user keys, read and built |
//! | `rows.rs` | which records belong to a queue |
//! | `queue.rs`, `message.rs` | stored settings and messages |
//! | `messages.rs` | which messages of a queue count, and their order |
//! | `side.rs` | bookkeeping records, passed on as they are |
//! | `decoder.rs` | what decoding works with, and what it does with a queue without settings |
//! | `orphans.rs` | what is left of queues that are gone |
//! | `partitions.rs` | which partition holds a message |
//! | `encode/` | the way back |

mod decoder;
pub(crate) mod encode;
pub mod findings;
pub mod keys;
mod message;
mod messages;
mod options;
mod orphans;
mod partitions;
mod queue;
mod restorable;
mod route;
mod rows;
mod side;
mod subject;

use ekv_model::sqs::Event;
use ekv_model::{Event as ModelEvent, Protocol, Result};
use ekv_snapshot::{Range, StoredValue, Visible};

use decoder::Decoder;
use keys::{Form, put_queue_prefix, queue_name};
use messages::Wanted;
use partitions::PartitionRule;

use crate::adapter::Adapter;
use crate::{Family, Outcome, Owner, Run};

pub use encode::EncodeFault;

pub use options::{Options, StoredOddities};

/// Longest name that is no UTF-8, in bytes; a server takes letters, digits, `-`, `_` and `.`, of which 80 at most. Longer ones have no directory that
/// tells them, nor has `_queue.json` a place for them.
const OPAQUE_NAME_LEN_MAX: usize = 80;

/// The adapter of the protocol.
pub(crate) const ADAPTER: Adapter = Adapter {
    decode: |run, options| decode(run, &options.sqs),
    encoder: |scratch, options| Box::new(encode::Encoder::new(scratch, options)),
    restores: |_| Box::new(restorable::Queues::default()),
    routes: route::ROUTES,
    subject: subject::subject,
    beginnings: subject::beginnings,
    ranges: None,
    is_stored_key: |_, _| None,
    culprit: subject::culprit,
};

/// Emits every queue with the messages that the live server would deliver, now or later, each once, as far as the scope of the run
/// selects them.
///
/// Shape: queues in raw-key order; then what is left of queues that are gone, by the base64url form of their names. Cost: a fixed
/// number of cursors, 32 MiB for the messages of a queue, 1 MiB for a body, and what one message has beside its body; more goes to
/// scratch files.
///
/// # Errors
/// Failing reads, the target's errors, the monitor's wish to stop. Damage to one queue or message is a finding, not an error.
pub fn decode(run: &mut Run<'_>, options: &Options) -> Result<()> {
    let mut decoder = Decoder::new(run, *options);
    let mut scan = run.view().scan_range(Range::prefix(Family::SqsQueue.prefix()))?;
    while let Some(found) = scan.next_visible()? {
        decoder.queue(run, &found)?;
    }
    decoder.orphans(run)?;
    close_books(run)
}

/// Accounts for the records that nothing asked for.
fn close_books(run: &mut Run<'_>) -> Result<()> {
    if !run.scope().is_all_of(Protocol::Sqs) {
        run.leave_rest(Owner::Protocol(Protocol::Sqs))?;
    }
    for family in [Family::SqsGeneration, Family::SqsSequence] {
        run.account(family, Outcome::Orphaned, run.unaccounted(family))?;
    }
    for family in side::FAMILIES {
        run.account(family, Outcome::Internal, run.unaccounted(family))?;
    }
    Ok(())
}

impl Decoder {
    /// Emits the queue of a settings record.
    fn queue(&mut self, run: &mut Run<'_>, found: &Visible<'_>) -> Result<()> {
        let text = found.user_key.get(Family::SqsQueue.prefix().len()..).unwrap_or(&[]);
        let at = Some(found.byte_offset);
        let scope = run.scope();
        let Some(name) = queue_name(text) else {
            if !scope.is_all_of(Protocol::Sqs) {
                return Ok(());
            }
            run.record_finding(findings::MALFORMED_KEY, found.user_key, at, || "queue name does not parse".to_owned());
            return run.account(Family::SqsQueue, Outcome::Lost, 1);
        };
        let keys = scope.keys_in(Protocol::Sqs, &name);
        if keys.is_nothing() {
            return Ok(());
        }
        let queue = match queue::read(&found.body, &name)? {
            Ok(_) if name.len() > OPAQUE_NAME_LEN_MAX && std::str::from_utf8(&name).is_err() => {
                Err("a name of more than 80 bytes that is no UTF-8 has no form in a dump".to_owned())
            }
            queue => queue,
        };
        let mut queue = match queue {
            Ok(queue) => queue,
            Err(detail) => {
                run.record_finding(findings::INVALID_QUEUE_META, &name, at, || detail);
                run.account(Family::SqsQueue, Outcome::Lost, 1)?;
                self.account_generation(run, text, Outcome::Lost)?;
                return self.remains(run, text, &name, Outcome::Lost, &keys);
            }
        };
        let is_text = std::str::from_utf8(&name).is_ok();
        if queue.stored_name.as_bytes() != name && !(queue.stored_name.is_empty() && is_text) {
            run.record_finding(findings::NAME_MISMATCH, &name, at, || {
                format!("the settings say \"{}\"", queue.stored_name.chars().take(80).collect::<String>())
            });
        }
        if let Err(odd) = encode::check_settings(&queue) {
            run.record_finding(findings::ODD_SETTINGS, &name, at, || odd.to_string());
        }
        let rule = PartitionRule::of(queue.partition_count, &queue.fifo_throughput_limit);
        let wanted = Wanted::Live { generation: queue.generation, rule };
        let (sorter, passed) = self.messages.collect(run, &mut self.owners, text, wanted, &keys)?;
        if sorter.is_empty() && !keys.has_scope() {
            return Ok(());
        }
        self.check_generation(run, text, &name, queue.generation)?;
        queue.last_sequence_number = self.last_sequence_number(run, text, &name)?;
        run.emit(ModelEvent::Sqs(Event::Queue(&queue)))?;
        if passed.stale > 0 {
            run.record_finding(findings::STALE_GENERATION, &name, None, || {
                format!("{} messages outside generation {}", passed.stale, queue.generation)
            });
        }
        if passed.unreachable > 0 {
            run.record_finding(findings::UNREACHABLE, &name, None, || format!("{} messages", passed.unreachable));
        }
        self.messages.emit(run, sorter)?;
        // They say something about all messages of the queue.
        if self.options.include_side_records && keys.is_all() {
            self.side.emit(run, &mut self.owners, text, &mut |_| Ok(()))?;
        }
        run.emit(ModelEvent::Sqs(Event::End))?;
        run.account(Family::SqsQueue, Outcome::Emitted, 1)
    }

    /// Compares the generation counter with the settings, which count.
    fn check_generation(&mut self, run: &mut Run<'_>, text: &[u8], name: &[u8], generation: u64) -> Result<()> {
        put_queue_prefix(&mut self.user_key, Family::SqsGeneration, Form::Classic, text);
        let Some(row) = self.generations.get(&self.user_key)? else { return Ok(()) };
        match decimal_value(&row.body) {
            Some(counter) if counter == generation => {}
            Some(counter) => run.record_finding(findings::GENERATION_MISMATCH, name, Some(row.byte_offset), || {
                format!("counter {counter}, settings {generation}")
            }),
            None => run.record_finding(findings::GENERATION_MISMATCH, name, Some(row.byte_offset), || {
                format!("counter of {} bytes is no decimal number", row.body.len())
            }),
        }
        run.account(Family::SqsGeneration, Outcome::Joined, 1)
    }

    fn account_generation(&mut self, run: &mut Run<'_>, text: &[u8], outcome: Outcome) -> Result<()> {
        put_queue_prefix(&mut self.user_key, Family::SqsGeneration, Form::Classic, text);
        let has_row = self.generations.get(&self.user_key)?.is_some();
        run.account(Family::SqsGeneration, outcome, u64::from(has_row))
    }

    fn last_sequence_number(&mut self, run: &mut Run<'_>, text: &[u8], name: &[u8]) -> Result<Option<u64>> {
        put_queue_prefix(&mut self.user_key, Family::SqsSequence, Form::Classic, text);
        let Some(row) = self.sequences.get(&self.user_key)? else { return Ok(None) };
        let number = decimal_value(&row.body);
        if number.is_none() {
            run.record_finding(findings::INVALID_SEQUENCE, name, Some(row.byte_offset), || {
                format!("value of {} bytes is no decimal number", row.body.len())
            });
        }
        if !self.options.include_side_records {
            // Otherwise the record is accounted for as a side record.
            run.account(Family::SqsSequence, Outcome::Joined, 1)?;
        }
        Ok(number)
    }
}

/// Reads a value that is a decimal number.
fn decimal_value(value: &StoredValue<'_>) -> Option<u64> {
    side::decimal(value.whole()?)
}
