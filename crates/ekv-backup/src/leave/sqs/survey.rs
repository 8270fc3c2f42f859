//! Looks at everything that is selected before the first message is sent.

use std::collections::BTreeMap;
use std::sync::Arc;

use ekv_model::sqs::{Event, Queue};
use ekv_model::{Consumer, Event as AnyEvent, Result};
use ekv_spill::Scratch;

use super::address;
use super::limits::{MESSAGE_LEN_MAX, Unfit, is_queue_name};
use super::message::{Terms, fit, own_deduplication_id};
use super::queues::name_of;
use super::repeats::{Repeats, RepeatsFinder};
use crate::leave::aws::{AwsSurvey, LoadedScope, Scopes, check_renames, rename};
use crate::leave::counts::Reasons;

/// Surveys what passes by.
pub(crate) struct Surveyor<'r> {
    renames: &'r BTreeMap<String, String>,
    taken: BTreeMap<String, String>,
    moment_ms: u64,
    /// The queue at hand; absent for messages of none.
    terms: Option<Terms>,
    is_fit: bool,
    queues: u64,
    groups: Option<String>,
    has_more_groups: bool,
    pub(crate) scopes: Scopes,
    survey: AwsSurvey,
    refused: Reasons,
    changed: Reasons,
    repeats: RepeatsFinder,
}

impl<'r> Surveyor<'r> {
    pub(crate) fn new(renames: &'r BTreeMap<String, String>, moment_ms: u64, scratch: &Arc<dyn Scratch>) -> Self {
        Surveyor {
            renames,
            taken: BTreeMap::new(),
            moment_ms,
            terms: None,
            is_fit: false,
            queues: 0,
            groups: None,
            has_more_groups: false,
            scopes: Scopes::default(),
            survey: AwsSurvey::default(),
            refused: Reasons::default(),
            changed: Reasons::default(),
            repeats: RepeatsFinder::new(scratch),
        }
    }

    /// What there is, and which messages share their deduplication id with others of their queue.
    ///
    /// # Errors
    /// Of scratch files.
    pub(crate) fn finish(self) -> Result<(AwsSurvey, Scopes, Repeats)> {
        let survey = AwsSurvey { refused: self.refused.report(), changed: self.changed.report(), ..self.survey };
        Ok((survey, self.scopes, self.repeats.finish()?))
    }

    fn begin(&mut self, queue: &Queue) -> Result<()> {
        let name = name_of(queue);
        let target = rename(self.renames, &name).to_owned();
        check_renames(&mut self.taken, &name, &target)?;
        self.queues = self.queues.saturating_add(1);
        self.is_fit = is_queue_name(&target, queue.fifo);
        if !self.is_fit {
            self.refused.add(Unfit::Queue.why(), || address(&target, ""));
        }
        let len_max = u64::try_from(queue.maximum_message_size).ok().filter(|len| *len > 0).unwrap_or(MESSAGE_LEN_MAX);
        self.terms = Some(Terms { is_fifo: queue.fifo, len_max, moment_ms: self.moment_ms });
        (self.groups, self.has_more_groups) = (None, false);
        self.scopes.begin(LoadedScope { name, target, is_new: false, things: 0 });
        Ok(())
    }

    fn end(&mut self) {
        let is_fifo = self.terms.take().is_some_and(|terms| terms.is_fifo);
        if is_fifo && self.groups.is_some() && !self.has_more_groups {
            let named = || address(self.scopes.target(), "");
            self.changed.add("a FIFO queue with one group: one message a request, in turn", named);
        }
    }
}

impl Consumer for Surveyor<'_> {
    fn event(&mut self, event: AnyEvent<'_>) -> Result<()> {
        match event {
            AnyEvent::Sqs(Event::Queue(queue)) => self.begin(queue),
            AnyEvent::Sqs(Event::Message(message)) => {
                let Some(terms) = self.terms else { return Ok(()) };
                let number = self.survey.things;
                self.survey.things = number.saturating_add(1);
                self.scopes.add_thing();
                let named = || address(self.scopes.target(), message.message_id);
                if terms.is_fifo {
                    self.repeats.push(self.queues, own_deduplication_id(message), number)?;
                    match &self.groups {
                        None => self.groups = Some(message.message_group_id.to_owned()),
                        Some(group) => self.has_more_groups |= group != message.message_group_id,
                    }
                }
                match fit(message, &terms, false)? {
                    Ok(fit) if self.is_fit => {
                        self.survey.fitting = self.survey.fitting.saturating_add(1);
                        self.survey.bytes = self.survey.bytes.saturating_add(fit.len);
                    }
                    Ok(_) => self.refused.add(Unfit::Queue.why(), named),
                    Err(unfit) => self.refused.add(unfit.why(), named),
                }
                Ok(())
            }
            AnyEvent::Sqs(Event::End) => {
                self.end();
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
