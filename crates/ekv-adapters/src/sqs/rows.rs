//! The records of one queue, family by family. Source: `docs/format/sqs.md`, sections 2 and 5.
//!
//! Keys without partition have nothing between the queue's base64url text and the generation behind it. The text ends at the first
//! byte outside the alphabet, unless a generation of 2^56 or more begins with such bytes: then a queue that exists and whose name
//! is the front of that text owns the record, if the rest of the key makes sense that way.

use ekv_model::Result;
use ekv_snapshot::{Lookup, Range, RangeScan, Visible};

use super::keys::{
    Form, MessageRow, PARTITIONED, base64url_len, put_queue_prefix, queue_name, split_partitioned, split_tombstone,
};
use crate::{Family, Run};

/// Longest base64url text of a name that a server takes, in bytes.
const QUEUE_TEXT_LEN_MAX: usize = 107;

/// Where the text of a record's queue lies in what follows the family prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct QueueText {
    pub(super) form: Form,
    /// Index of the first byte of the text.
    start: usize,
    text_len: usize,
    /// What stands between the text and the rest of the key.
    separator_len: usize,
}

impl QueueText {
    /// The base64url text of the queue's name.
    pub(super) fn queue_text<'r>(&self, rest: &'r [u8]) -> &'r [u8] {
        rest.get(self.start..).and_then(|text| text.get(..self.text_len)).unwrap_or(&[])
    }

    /// What follows the queue.
    pub(super) fn tail<'r>(&self, rest: &'r [u8]) -> &'r [u8] {
        let end = self.start.saturating_add(self.text_len).saturating_add(self.separator_len);
        rest.get(end..).unwrap_or(&[])
    }
}

/// Finds the queue that a record belongs to.
pub(super) struct Owners {
    settings: Lookup,
    user_key: Vec<u8>,
    /// The text that was looked at last, and what is known about it.
    text: Vec<u8>,
    text_is_known: bool,
    known_front_len: Option<usize>,
}

impl Owners {
    pub(super) fn new(run: &Run<'_>) -> Self {
        Owners {
            settings: run.view().lookup(),
            user_key: Vec::new(),
            text: Vec::new(),
            text_is_known: false,
            known_front_len: None,
        }
    }

    /// The queue of a record, by what follows the family prefix; `None` if the key is malformed.
    pub(super) fn place(&mut self, family: Family, rest: &[u8]) -> Result<Option<QueueText>> {
        let exact = |text_len| QueueText { form: Form::Classic, start: 0, text_len, separator_len: 0 };
        let place = match family {
            Family::SqsQueue | Family::SqsGeneration | Family::SqsSequence => Some(exact(rest.len())),
            Family::SqsTombstone => split_tombstone(rest).map(|text| exact(text.len())),
            _ => match rest.strip_prefix(PARTITIONED) {
                Some(counted) => split_partitioned(counted).map(|(text, _)| QueueText {
                    form: Form::Partitioned,
                    start: PARTITIONED.len(),
                    text_len: text.len(),
                    separator_len: 1,
                }),
                None => self.classic_text_len(family, rest)?.map(exact),
            },
        };
        Ok(place.filter(|place| queue_name(place.queue_text(rest)).is_some()))
    }

    fn classic_text_len(&mut self, family: Family, rest: &[u8]) -> Result<Option<usize>> {
        let (text, tail) = rest.split_at_checked(base64url_len(rest)).unwrap_or((rest, &[]));
        self.look_at(text)?;
        if self.text_is_known && !tail.is_empty() {
            return Ok(Some(text.len()));
        }
        let parses =
            |len: &usize| rest.get(*len..).and_then(|tail| MessageRow::parse(family, Form::Classic, tail)).is_some();
        Ok(self.known_front_len.filter(parses).or((!tail.is_empty()).then_some(text.len())))
    }

    /// Finds out whether a text is the name of a queue with settings, and if not, its longest front that is one.
    fn look_at(&mut self, text: &[u8]) -> Result<()> {
        if self.text == text {
            return Ok(());
        }
        self.text.clear();
        self.text.extend_from_slice(text);
        self.text_is_known = self.is_known(text)?;
        self.known_front_len = None;
        if !self.text_is_known {
            for len in (2..text.len().min(QUEUE_TEXT_LEN_MAX.saturating_add(1))).rev() {
                if self.is_known(text.get(..len).unwrap_or(text))? {
                    self.known_front_len = Some(len);
                    break;
                }
            }
        }
        Ok(())
    }

    /// Whether a queue has settings, readable or not.
    pub(super) fn is_known(&mut self, queue_text: &[u8]) -> Result<bool> {
        if queue_name(queue_text).is_none() {
            return Ok(false);
        }
        put_queue_prefix(&mut self.user_key, Family::SqsQueue, Form::Classic, queue_text);
        Ok(self.settings.get(&self.user_key)?.is_some())
    }
}

/// Walks over the records that a queue has in one family under keys of one form.
pub(super) struct Rows {
    family: Family,
    form: Form,
    scan: RangeScan,
    prefix: Vec<u8>,
    queue_text: Vec<u8>,
}

/// A record of the queue.
pub(super) struct Row<'a> {
    pub(super) found: Visible<'a>,
    /// What follows the queue in its key.
    pub(super) tail: &'a [u8],
}

impl Rows {
    pub(super) fn new(run: &Run<'_>, family: Family, form: Form) -> Self {
        Rows { family, form, scan: run.view().probe(), prefix: Vec::new(), queue_text: Vec::new() }
    }

    pub(super) fn family(&self) -> Family {
        self.family
    }

    pub(super) fn form(&self) -> Form {
        self.form
    }

    /// What the keys of the queue's records begin with: decides which of two walks comes first in the snapshot.
    pub(super) fn prefix(&self) -> &[u8] {
        &self.prefix
    }

    /// Goes to the records of a queue.
    pub(super) fn seek(&mut self, queue_text: &[u8]) -> Result<()> {
        put_queue_prefix(&mut self.prefix, self.family, self.form, queue_text);
        self.queue_text.clear();
        self.queue_text.extend_from_slice(queue_text);
        Ok(self.scan.seek(Range::prefix(&self.prefix))?)
    }

    /// The next record of the queue; records of queues with longer names are passed over.
    pub(super) fn next(&mut self, owners: &mut Owners) -> Result<Option<Row<'_>>> {
        let prefix_len = self.family.prefix().len();
        let tail_len = loop {
            let Some(found) = self.scan.next_visible()? else { return Ok(None) };
            let rest = found.user_key.get(prefix_len..).unwrap_or(&[]);
            let Some(place) = owners.place(self.family, rest)? else { continue };
            let text = place.queue_text(rest);
            if place.form == self.form && text == self.queue_text {
                break place.tail(rest).len();
            }
            if place.form == Form::Classic && (self.queue_text.len()..=QUEUE_TEXT_LEN_MAX).contains(&text.len()) {
                let beyond = beyond(text).filter(|_| owners.text == text && owners.text_is_known);
                if let Some(beyond) = beyond {
                    // Nothing that begins with the name of another queue belongs to this one.
                    let start = [self.family.prefix(), &beyond].concat();
                    self.scan.seek(Range::prefix(&self.prefix).starting_at(&start))?;
                }
            }
        };
        Ok(self.scan.current().map(|found| {
            let tail_start = found.user_key.len().saturating_sub(tail_len);
            Row { tail: found.user_key.get(tail_start..).unwrap_or(&[]), found }
        }))
    }
}

/// The smallest bytes above all that begin with `text`, which is base64url.
fn beyond(text: &[u8]) -> Option<Vec<u8>> {
    let (last, front) = text.split_last()?;
    Some([front, &[last.saturating_add(1)]].concat())
}
