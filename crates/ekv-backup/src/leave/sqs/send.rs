//! A batch of messages on its way: what a thread does that has a connection.

use std::time::Duration;

use ekv_aws::sqs::{self, Message};
use ekv_aws::{Client, Error as AwsError, FaultKind, RetryPolicy};

use super::schedule::Waiting;
use crate::leave::aws::InDoubt;

/// How long after its first try a message of a FIFO queue may be sent again: the service tells it from a new one for five minutes, and a try may
/// take a while.
pub(crate) const KNOWN_FOR: Duration = Duration::from_secs(240);

/// A batch.
pub(crate) struct Batch {
    pub(crate) url: String,
    pub(crate) messages: Vec<Waiting>,
    /// How long ago the first of them was tried first, by a run before.
    pub(crate) age: Duration,
}

/// What became of a message.
#[derive(Debug)]
pub(crate) enum Sent {
    /// The queue has it.
    There,
    /// The queue has it, maybe twice.
    MaybeTwice,
    /// The queue does not take it.
    Refused(String),
    /// Nobody knows whether the queue has it, and it was not to be sent again.
    Dropped,
    /// Nobody knows whether the queue has it, and the run is to stop.
    InDoubt(String),
    /// The run cannot go on; the queue does not have it.
    Stopped(String),
}

/// Sends a batch until each of its messages is there, refused or in doubt; what came of each, in any order. `client` must not try again itself.
pub(crate) fn send(client: &Client, policy: &RetryPolicy, in_doubt: InDoubt, batch: &Batch) -> Vec<(Waiting, Sent)> {
    let mut sending = Sending { client, policy, in_doubt, batch, began: client.clock.elapsed(), ended: Vec::new() };
    sending.send(batch.messages.clone());
    sending.ended
}

struct Sending<'s> {
    client: &'s Client,
    policy: &'s RetryPolicy,
    in_doubt: InDoubt,
    batch: &'s Batch,
    began: Duration,
    ended: Vec<(Waiting, Sent)>,
}

impl Sending<'_> {
    fn end(&mut self, open: Vec<Waiting>, sent: impl Fn() -> Sent) {
        self.ended.extend(open.into_iter().map(|waiting| (waiting, sent())));
    }

    /// Whether the service would know a message of `open` again.
    fn is_known(&self, open: &[Waiting]) -> bool {
        let age = self.client.clock.elapsed().saturating_sub(self.began).saturating_add(self.batch.age);
        open.iter().all(|waiting| waiting.message.message_deduplication_id.is_some()) && age < KNOWN_FOR
    }

    fn send(&mut self, mut open: Vec<Waiting>) {
        let mut tries = 0_u32;
        let (mut was_unsure, mut may_be_twice) = (false, false);
        loop {
            tries = tries.saturating_add(1);
            let messages: Vec<Message> = (0_u32..)
                .zip(&open)
                .map(|(id, waiting)| Message { id: id.to_string(), ..waiting.message.clone() })
                .collect();
            let last = match sqs::send(self.client, &self.batch.url, &messages) {
                Ok(done) => {
                    let told = done.value;
                    let mut later = Vec::new();
                    for (id, waiting) in (0_u32..).zip(std::mem::take(&mut open)) {
                        let id = id.to_string();
                        if told.sent.contains(&id) {
                            self.ended.push((waiting, if may_be_twice { Sent::MaybeTwice } else { Sent::There }));
                        } else if let Some((_, fault)) = told.refused.iter().find(|(refused, _)| *refused == id) {
                            self.ended.push((waiting, Sent::Refused(format!("the queue refuses it: {fault}"))));
                        } else {
                            later.push(waiting);
                        }
                    }
                    if later.is_empty() {
                        return;
                    }
                    open = later;
                    told.later.first().map(|(_, fault)| fault.to_string()).unwrap_or_default()
                }
                Err(error) if error.is_unsure() || matches!(error, AwsError::BadAnswer { .. }) => {
                    was_unsure = true;
                    if !self.is_known(&open) {
                        match self.in_doubt {
                            InDoubt::Resend => may_be_twice = true,
                            InDoubt::Drop => return self.end(open, || Sent::Dropped),
                            InDoubt::Stop => return self.end(open, || Sent::InDoubt(error.to_string())),
                        }
                    }
                    error.to_string()
                }
                Err(AwsError::Exhausted { last, .. }) => last,
                Err(error) => match error.fault().map(ekv_aws::Fault::kind) {
                    // One of them is to blame; the others go.
                    Some(FaultKind::Refused) if open.len() > 1 => {
                        for waiting in open {
                            self.send(vec![waiting]);
                        }
                        return;
                    }
                    Some(FaultKind::Refused) => {
                        return self.end(open, || Sent::Refused(format!("the queue refuses it: {error}")));
                    }
                    _ => return self.end(open, || Sent::Stopped(error.to_string())),
                },
            };
            if tries >= self.policy.tries_max {
                let text = format!("SendMessageBatch did not succeed in {tries} tries: {last}");
                // What no answer came to may be there all the same.
                return self.end(open, || match was_unsure {
                    true => Sent::InDoubt(text.clone()),
                    false => Sent::Stopped(text.clone()),
                });
            }
            self.client.clock.wait(self.policy.pause(tries));
        }
    }
}
