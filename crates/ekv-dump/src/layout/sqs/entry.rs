//! What lies in the directory of an SQS queue. Source: `docs/format/sqs.md`, section 4.

use ekv_model::Protocol;

use super::write::{INTERNALS_DIRECTORY, MESSAGES_FILE, QUEUE_FILE, SIDE_RECORDS_FILE, is_orphan_directory};
use crate::layout::in_scope::{InScope, Misplaced, Role, ScopeRow, check_component, included, split_first};
use crate::verify::problem::ProblemKind;
use crate::verify::rules::Rules;
use crate::verify::seen::{Seen, SeenScope};

/// The directories of queues. Only the whole queue tells whether the name is that of one that is gone.
pub(crate) const SCOPES: ScopeRow = ScopeRow {
    expected: Misplaced { expected: "directories only, one for each queue" },
    check: check_queue,
    ..ScopeRow::NAMED
};

/// Something in a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum QueueEntry {
    Settings,
    Messages,
    /// The directory of what clients never see.
    Internals,
    SideRecords,
}

pub(crate) type Entry<'p> = QueueEntry;

const IN_QUEUE: Misplaced = Misplaced { expected: "_queue.json, messages.jsonl, or the directory _internals" };
const IN_INTERNALS: Misplaced = Misplaced { expected: "the file side_records.jsonl" };

impl<'p> InScope<'p> for QueueEntry {
    fn protocol(&self) -> Protocol {
        Protocol::Sqs
    }

    fn of_file(path: &'p [u8]) -> Result<Self, Misplaced> {
        match split_first(path) {
            (name, None) if name == QUEUE_FILE.as_bytes() => Ok(QueueEntry::Settings),
            (name, None) if name == MESSAGES_FILE.as_bytes() => Ok(QueueEntry::Messages),
            (first, Some(file)) if first == INTERNALS_DIRECTORY.as_bytes() => {
                (file == SIDE_RECORDS_FILE.as_bytes()).then_some(QueueEntry::SideRecords).ok_or(IN_INTERNALS)
            }
            _ => Err(IN_QUEUE),
        }
    }

    fn of_directory(path: &'p [u8]) -> Result<Self, Misplaced> {
        (path == INTERNALS_DIRECTORY.as_bytes()).then_some(QueueEntry::Internals).ok_or(IN_QUEUE)
    }

    fn put_path(&self, put: &mut dyn FnMut(&[&[u8]])) {
        match *self {
            QueueEntry::Settings => put(&[QUEUE_FILE.as_bytes()]),
            QueueEntry::Messages => put(&[MESSAGES_FILE.as_bytes()]),
            QueueEntry::Internals => put(&[INTERNALS_DIRECTORY.as_bytes()]),
            QueueEntry::SideRecords => put(&[INTERNALS_DIRECTORY.as_bytes(), b"/", SIDE_RECORDS_FILE.as_bytes()]),
        }
    }

    fn role(&self) -> Role {
        if matches!(self, QueueEntry::Messages) { Role::Content } else { Role::Other }
    }

    fn is_never_empty(&self) -> bool {
        matches!(*self, QueueEntry::Messages | QueueEntry::SideRecords)
    }

    fn check(&self, rules: &Rules) -> Option<ProblemKind> {
        match *self {
            QueueEntry::Internals | QueueEntry::SideRecords => included(rules.exclusions.include_sqs_side_records),
            QueueEntry::Settings | QueueEntry::Messages => None,
        }
    }

    fn tells(&self) -> Option<Seen> {
        match *self {
            QueueEntry::Settings => Some(Seen::OWN_RECORD),
            QueueEntry::Messages => Some(Seen::CONTENTS),
            QueueEntry::Internals | QueueEntry::SideRecords => None,
        }
    }
}

fn check_queue(queue: &SeenScope<'_>, rules: &Rules) -> Option<(Seen, ProblemKind)> {
    match queue.has(Seen::OWN_RECORD) {
        true => check_component(queue.name).map(|kind| (Seen::DIRECTORY, kind)),
        false if !is_orphan_directory(queue.name) => {
            Some((Seen::DIRECTORY, ProblemKind::Incomplete { name: QUEUE_FILE }))
        }
        false if queue.has(Seen::CONTENTS) => {
            included(rules.exclusions.include_orphans).map(|kind| (Seen::CONTENTS, kind))
        }
        false => None,
    }
}
