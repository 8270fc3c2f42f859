//! What a record belongs to.

use ekv_model::{Name, Protocol};

use super::findings;
use super::keys::{Key, PARTITIONED, Subject as Of, encode};
use crate::Family;
use crate::adapter::{Subject, is_one_of};

/// The queue or message of a record.
pub(super) fn subject<'k>(_: Family, user_key: &'k [u8], _: &'k [u8]) -> Option<Subject<'k>> {
    let (queue, id) = match Key::parse(user_key)? {
        Key::Queue { queue, .. } | Key::Tombstone { queue, .. } => (queue, None),
        Key::Message(key) => match key.row.subject {
            Of::Message { id } | Of::Visibility { id, .. } | Of::Age { id, .. } => (key.queue, Some(id)),
            _ => (key.queue, None),
        },
    };
    Some(Subject::of(Protocol::Sqs, &queue, id))
}

/// What a finding about a queue is about.
pub(super) fn culprit(finding: &str, queue: &[u8]) -> Option<Name> {
    is_one_of(findings::ALL, finding).then(|| Subject::of(Protocol::Sqs, queue, None).name)
}

/// What the keys of the records of a queue begin with, in both forms.
pub(super) fn beginnings(_: Family, name: &Name) -> Vec<Vec<u8>> {
    let text = encode(&name.scope);
    vec![text.clone().into_bytes(), [PARTITIONED, text.as_bytes(), b"|"].concat()]
}
