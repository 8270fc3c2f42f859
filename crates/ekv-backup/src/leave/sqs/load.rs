//! Messages into queues of SQS.
//!
//! Source: `docs/format/leave.md`, section 5.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ekv_aws::{Client, RetryPolicy, sqs};
use ekv_model::sqs::{Event, Message, Queue};
use ekv_model::{Class, Consumer, Error, Event as AnyEvent, Kind, Result};

use super::address;
use super::limits::{Unfit, is_queue_name};
use super::message::{Terms, fit};
use super::queues::{OpenQueue, Policies, count, name_of, open_queue};
use super::repeats::Repeats;
use super::schedule::{Schedule, Waiting};
use super::send::{Batch, KNOWN_FOR, Sent, send};
use super::survey::Surveyor;
use crate::leave::aws::{
    AwsAccess, AwsLoadOptions, AwsLoadReport, InDoubt, LoadedScope, Run, Scopes, Settling, Verify, Window, failed,
    with_window,
};
use crate::leave::checkpoint::{Checkpoint, Done, ThingOutcome};
use crate::leave::destination::AwsService;
use crate::leave::ledger::Verified;
use crate::progress::Progress;
use crate::see::Source;

/// What is said of every load: what a message has from the queue that it is in.
const NEW_THERE: &str = "messages have new ids, times, sequence numbers and receive counts there, and those that somebody had received can be \
                         received again; their retention begins anew";

/// Writes queues and their messages.
///
/// # Errors
/// As [`crate::leave::load_into_service`].
pub(in crate::leave) fn load(
    source: &mut Source,
    access: &AwsAccess,
    options: &AwsLoadOptions,
    progress: &dyn Progress,
) -> Result<AwsLoadReport> {
    if !matches!(options.verify, Verify::None | Verify::Count) {
        let text = "--verify for sqs: none or count; reading messages would hide them from others";
        return Err(Error::new(Class::Environment, text));
    }
    let mut connection = access.connect(AwsService::Sqs)?;
    let mut sender = access.connect(AwsService::Sqs)?;
    // What came of a try decides whether there may be another one.
    let policy = RetryPolicy { tries_max: 1, ..sender.client.policy };
    let policy = std::mem::replace(&mut sender.client.policy, policy);
    connection.client.pace = ekv_aws::Pace::new(None);
    let client = &connection.client;
    let scratch = options.resources.scratch();
    let moment_ms = source.moment_ms();
    let mut run = Run::new(AwsService::Sqs, &connection, options, progress);
    // Which deduplication ids come again must be known in any case.
    let mut surveyor = Surveyor::new(&options.renames, moment_ms, &scratch);
    let look = source.look(&options.events, &mut surveyor, &scratch, progress)?;
    let (survey, scopes, repeats) = surveyor.finish()?;
    run.surveyed(look, survey)?;
    (run.report.scopes, run.report.scope_count) = scopes.finish();
    for scope in &mut run.report.scopes {
        let is_name = is_queue_name(&scope.target, false) || is_queue_name(&scope.target, true);
        scope.is_new = is_name && sqs::queue_url(client, &scope.target).map_err(failed)?.is_none();
    }
    run.report.notes.push(NEW_THERE.to_owned());
    if options.is_dry_run {
        return Ok(run.report);
    }
    let checkpoint = run.open_checkpoint(source)?;
    let in_doubt = checkpoint.as_ref().map(|checkpoint| in_doubt(checkpoint, unix_ms(client))).unwrap_or_default();
    run.begin(checkpoint)?;
    let poll = || Ok(progress.advance(0)?);
    let (poured, sent, done) = with_window(
        connection.connections,
        &poll,
        |batch: Batch| send(&sender.client, &policy, options.in_doubt, &batch),
        |window| {
            let mut loading = Loading {
                client,
                run: &run,
                window,
                books: Books {
                    run: &run,
                    client,
                    schedule: Schedule::default(),
                    queue: String::new(),
                    sent: 0,
                    maybe_twice: 0,
                },
                repeats,
                moment_ms,
                number: 0,
                queue: None,
                in_doubt,
                policies: Vec::new(),
                done: WhatIsDone::default(),
            };
            let poured = source.look(&options.events, &mut loading, &scratch, &Settling(progress));
            let poured = poured.and_then(|look| loading.set_policies().map(|()| look));
            if poured.is_err() {
                connection.stop.now();
                sender.stop.now();
                loading.wind_up();
            }
            loading.done.maybe_twice = loading.books.maybe_twice;
            (poured, loading.number, loading.done)
        },
    );
    let requests = client.sent.load(Ordering::Relaxed).saturating_add(sender.client.sent.load(Ordering::Relaxed));
    run.close(poured, sent, requests)?;
    if done.maybe_twice > 0 {
        let text =
            format!("up to {} messages are there twice: no answer came when they were sent first", done.maybe_twice);
        run.report.notes.push(text);
    }
    run.report.notes.extend(done.notes);
    run.report.verified = (options.verify == Verify::Count).then_some(done.verified);
    (run.report.scopes, run.report.scope_count) = done.scopes.finish();
    Ok(run.report)
}

fn unix_ms(client: &Client) -> u64 {
    u64::try_from(client.clock.now().as_millisecond()).unwrap_or(0)
}

/// Messages that a run before had sent without an answer, with how long ago that was.
fn in_doubt(checkpoint: &Checkpoint, now_ms: u64) -> BTreeMap<u64, Duration> {
    let age = |first_ms: &u64| Duration::from_millis(now_ms.saturating_sub(*first_ms));
    checkpoint.sending().iter().map(|(number, first_ms)| (*number, age(first_ms))).collect()
}

/// What is told in the end.
#[derive(Default)]
struct WhatIsDone {
    notes: Vec<String>,
    verified: Verified,
    scopes: Scopes,
    maybe_twice: u64,
}

/// What becomes of messages.
struct Books<'l> {
    run: &'l Run<'l>,
    client: &'l Client,
    schedule: Schedule,
    /// Name of the queue at hand on the target.
    queue: String,
    /// Messages of the queue at hand that are there.
    sent: u64,
    maybe_twice: u64,
}

impl Books<'_> {
    fn take(&mut self, ended: Vec<(Waiting, Sent)>) -> Result<()> {
        let mut failure = None;
        for (waiting, sent) in ended {
            let group = waiting.message.message_group_id.as_deref();
            self.schedule.free(group);
            let outcome = match sent {
                Sent::There => ThingOutcome::Loaded,
                Sent::MaybeTwice => {
                    self.maybe_twice = self.maybe_twice.saturating_add(1);
                    ThingOutcome::Loaded
                }
                Sent::Refused(why) => self.lost(&why, &waiting.id),
                Sent::Dropped => {
                    self.lost("in doubt, and not sent again (--in-doubt drop): no answer came", &waiting.id)
                }
                Sent::InDoubt(why) => {
                    failure.get_or_insert_with(|| {
                        format!(
                            "{why}; whether the messages of that request are in queue {} is not known: --in-doubt resend sends them again, --in-doubt \
                             drop does not",
                            self.queue
                        )
                    });
                    continue;
                }
                Sent::Stopped(why) => {
                    if let Some(checkpoint) = &mut self.run.ledger.borrow_mut().checkpoint {
                        checkpoint.end_sending(waiting.number);
                    }
                    failure.get_or_insert(why);
                    continue;
                }
            };
            self.sent = self.sent.saturating_add(u64::from(outcome == ThingOutcome::Loaded));
            self.done(waiting.number, outcome, waiting.len)?;
        }
        failure.map_or(Ok(()), |text| Err(Error::new(Class::WriteIo, text)))
    }

    fn lost(&self, why: &str, id: &str) -> ThingOutcome {
        self.run.note_failure(why, || address(&self.queue, id));
        ThingOutcome::Failed
    }

    fn done(&self, number: u64, fate: ThingOutcome, bytes: u64) -> Result<()> {
        self.run.done(number, Done { fate, kind: Kind::Message, elements: 0, bytes }, self.client.clock.elapsed())
    }
}

/// Makes messages of events and sends them.
struct Loading<'l, 'w> {
    client: &'l Client,
    run: &'l Run<'l>,
    window: &'l mut Window<'w, Batch, Vec<(Waiting, Sent)>>,
    books: Books<'l>,
    repeats: Repeats,
    moment_ms: u64,
    /// Messages so far.
    number: u64,
    /// The queue at hand; absent for messages of none.
    queue: Option<(OpenQueue, Terms)>,
    /// Messages that a run before had sent without an answer, with how long ago that was.
    in_doubt: BTreeMap<u64, Duration>,
    policies: Vec<Policies>,
    done: WhatIsDone,
}

impl Loading<'_, '_> {
    fn wind_up(&mut self) {
        self.window.wind_up(&mut |ended| self.books.take(ended));
    }

    fn begin(&mut self, queue: &Queue) -> Result<()> {
        let mut ledger = self.run.ledger.borrow_mut();
        let mut opened = open_queue(self.client, queue, self.run.options, ledger.checkpoint.as_mut())?;
        drop(ledger);
        self.done.notes.append(&mut opened.notes);
        if let Some(url) = opened.url.as_ref().filter(|_| opened.is_new || self.run.is_in_doubt) {
            self.policies.extend(Policies::of(queue, &opened.name, url));
        }
        let (name, target) = (name_of(queue), opened.name.clone());
        self.done.scopes.begin(LoadedScope { name, target: target.clone(), is_new: opened.is_new, things: 0 });
        (self.books.queue, self.books.sent) = (target, 0);
        let terms = Terms { is_fifo: queue.fifo, len_max: opened.len_max, moment_ms: self.moment_ms };
        self.queue = Some((opened, terms));
        Ok(())
    }

    fn message(&mut self, message: &Message<'_>) -> Result<()> {
        let Some((queue, terms)) = &self.queue else { return Ok(()) };
        let number = self.number;
        self.number = number.saturating_add(1);
        self.done.scopes.add_thing();
        let is_repeated = self.repeats.contains(number)?;
        if number < self.run.position {
            self.books.sent = self.books.sent.saturating_add(1);
            return Ok(());
        }
        let ahead = self.run.ledger.borrow().checkpoint.as_ref().and_then(|checkpoint| checkpoint.ahead(number));
        if let Some((outcome, bytes)) = ahead {
            self.books.sent = self.books.sent.saturating_add(u64::from(outcome == ThingOutcome::Loaded));
            return self.books.done(number, outcome, bytes);
        }
        let lost = |loading: &Self, unfit: Unfit| {
            loading.run.note_failure(unfit.why(), || address(&loading.books.queue, message.message_id));
            loading.books.done(number, ThingOutcome::Failed, message.body.len())
        };
        if queue.url.is_none() {
            return lost(self, Unfit::Queue);
        }
        if queue.is_left_out {
            return self.books.done(number, ThingOutcome::Existed, message.body.len());
        }
        let fit = match fit(message, terms, is_repeated)? {
            Ok(fit) => fit,
            Err(unfit) => return lost(self, unfit),
        };
        let waiting = Waiting { number, id: message.message_id.to_owned(), message: fit.message, len: fit.len };
        if let Some(age) = self.in_doubt.get(&number)
            && !(terms.is_fifo && *age < KNOWN_FOR)
        {
            match self.run.options.in_doubt {
                InDoubt::Resend => self.books.maybe_twice = self.books.maybe_twice.saturating_add(1),
                InDoubt::Drop => return self.books.take(vec![(waiting, Sent::Dropped)]),
                InDoubt::Stop => {
                    let count = self.in_doubt.len();
                    let text = format!(
                        "a run before sent {count} messages and got no answer: whether they are there is not known. --in-doubt resend sends them \
                         again, and they may be there twice; --in-doubt drop does not, and they may be missing"
                    );
                    return Err(Error::new(Class::Environment, text));
                }
            }
        }
        self.books.schedule.push(waiting);
        while self.send_next(self.books.schedule.is_full())? || self.books.schedule.is_full() {}
        Ok(())
    }

    /// Sends what may go next; whether there was anything. If all waits for others it waits for one of them.
    fn send_next(&mut self, may_be_short: bool) -> Result<bool> {
        let Some((OpenQueue { url: Some(url), .. }, terms)) = &self.queue else { return Ok(false) };
        let messages = self.books.schedule.next(terms.len_max, may_be_short);
        if messages.is_empty() {
            if may_be_short {
                self.window.wait_for_one(&mut |ended| self.books.take(ended))?;
            }
            return Ok(false);
        }
        let len = messages.iter().fold(0_u64, |len, waiting| len.saturating_add(waiting.len));
        self.window.make_room(len, &mut |ended| self.books.take(ended))?;
        let age = messages.iter().filter_map(|waiting| self.in_doubt.get(&waiting.number)).max();
        let age = age.copied().unwrap_or_default();
        if let Some(checkpoint) = &mut self.run.ledger.borrow_mut().checkpoint {
            checkpoint.begin_sending(messages.iter().map(|waiting| waiting.number), unix_ms(self.client))?;
        }
        let batch = Batch { url: url.clone(), messages, age };
        self.window.push(batch, len, &mut |ended| self.books.take(ended))?;
        Ok(true)
    }

    fn end(&mut self) -> Result<()> {
        while !self.books.schedule.is_empty() {
            self.send_next(true)?;
        }
        self.window.settle(&mut |ended| self.books.take(ended))?;
        let Some((queue, _)) = self.queue.take() else { return Ok(()) };
        let (Some(url), Verify::Count) = (&queue.url, self.run.options.verify) else { return Ok(()) };
        if !queue.is_left_out {
            let there = count(&sqs::attributes(self.client, url).map_err(failed)?);
            let verified = &mut self.done.verified;
            verified.count = verified.count.saturating_add(self.books.sent);
            if there < self.books.sent {
                verified.differs(|| format!("{}: {there} of {}", address(&queue.name, ""), self.books.sent));
            }
        }
        Ok(())
    }

    /// Now that all queues are there: the policies that name others.
    fn set_policies(&mut self) -> Result<()> {
        for policies in std::mem::take(&mut self.policies) {
            let notes = policies.set(self.client, &self.run.options.renames)?;
            self.done.notes.extend(notes);
        }
        Ok(())
    }
}

impl Consumer for Loading<'_, '_> {
    fn event(&mut self, event: AnyEvent<'_>) -> Result<()> {
        match event {
            AnyEvent::Sqs(Event::Queue(queue)) => self.begin(queue),
            AnyEvent::Sqs(Event::Message(message)) => self.message(message),
            AnyEvent::Sqs(Event::End) => self.end(),
            _ => Ok(()),
        }
    }
}
