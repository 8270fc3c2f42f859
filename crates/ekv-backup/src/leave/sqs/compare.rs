//! What a backup and queues of SQS differ in: settings and counts, since whoever reads messages hides them from others.
//!
//! Source: `docs/format/leave.md`, section 5.

use std::collections::BTreeMap;

use ekv_aws::{Client, sqs};
use ekv_model::sqs::{Event, Queue};
use ekv_model::{Consumer, Event as AnyEvent, Result};

use super::address;
use super::limits::is_queue_name;
use super::queues::{count, name_of, settings};
use crate::leave::aws::{AwsAccess, AwsCompareOptions, AwsCompared, failed, rename};
use crate::leave::destination::AwsService;
use crate::progress::Progress;
use crate::see::{Change, Compared, Difference, Enough, Look, Side, Source};

/// Compares queues.
///
/// # Errors
/// As [`crate::leave::compare_with_service`].
pub(in crate::leave) fn compare(
    source: &mut Source,
    access: &AwsAccess,
    options: &AwsCompareOptions,
    take: &mut dyn FnMut(&Difference) -> Result<()>,
    progress: &dyn Progress,
) -> Result<AwsCompared> {
    let connection = access.connect(AwsService::Sqs)?;
    let scratch = options.diff.resources.scratch();
    let mut comparing =
        Comparing { client: &connection.client, options, take, queue: None, messages: 0, theirs: 0, differences: 0 };
    let first = source.look(&options.diff.events, &mut comparing, &scratch, progress)?;
    let (differences, theirs) = (comparing.differences, comparing.theirs);
    let compared = Compared { differences, first, second: Look::of_server(theirs), not_compared: Vec::new() };
    let note = "compared are settings and the numbers of messages, which the service gives approximately: reading messages would hide them from \
                others";
    Ok(AwsCompared { compared, target: connection.report, notes: vec![note.to_owned()] })
}

struct Comparing<'c> {
    client: &'c Client,
    options: &'c AwsCompareOptions,
    take: &'c mut dyn FnMut(&Difference) -> Result<()>,
    queue: Option<Queue>,
    /// Messages of the queue at hand.
    messages: u64,
    /// Queues and messages on the target.
    theirs: u64,
    differences: u64,
}

impl Comparing<'_> {
    fn tell(&mut self, name: &str, change: Change, before: Option<u64>, after: Option<u64>) -> Result<()> {
        let side = |messages: u64| Side {
            kind: "queue",
            bytes: 0,
            elements: Some(messages),
            expire_at_ms: None,
            digest: String::new(),
        };
        let scope = address(name, "");
        let (before, after) = (before.map(side), after.map(side));
        self.differences = self.differences.saturating_add(1);
        (self.take)(&Difference { address: scope.clone(), change, scope, before, after })?;
        if self.options.diff.first_only { Err(Enough::error()) } else { Ok(()) }
    }

    fn end(&mut self) -> Result<()> {
        let Some(queue) = self.queue.take() else { return Ok(()) };
        let name = rename(&self.options.renames, &name_of(&queue)).to_owned();
        let url = match is_queue_name(&name, queue.fifo) {
            true => sqs::queue_url(self.client, &name).map_err(failed)?,
            false => None,
        };
        let Some(url) = url else { return self.tell(&name, Change::Removed, Some(self.messages), None) };
        let attributes: BTreeMap<String, String> = sqs::attributes(self.client, &url).map_err(failed)?;
        let there = count(&attributes);
        self.theirs = self.theirs.saturating_add(there).saturating_add(1);
        if settings(&queue).iter().any(|(setting, value)| attributes.get(setting).is_some_and(|there| there != value)) {
            self.tell(&name, Change::Metadata, Some(self.messages), Some(there))?;
        }
        match there == self.messages {
            true => Ok(()),
            false => self.tell(&name, Change::Value, Some(self.messages), Some(there)),
        }
    }
}

impl Consumer for Comparing<'_> {
    fn event(&mut self, event: AnyEvent<'_>) -> Result<()> {
        match event {
            AnyEvent::Sqs(Event::Queue(queue)) => (self.queue, self.messages) = (Some(queue.clone()), 0),
            AnyEvent::Sqs(Event::Message(_)) => self.messages = self.messages.saturating_add(1),
            AnyEvent::Sqs(Event::End) => self.end()?,
            _ => {}
        }
        Ok(())
    }
}
