//! What every protocol says about events that no server restores. Source: `docs/format/restore.md`, section 2.2.

use ekv_model::{Consumer, Event, Example, Finding, Findings, KEY_LEN_MAX, Protocol, Result};
use ekv_snapshot::format::RESTORABLE_USER_KEY_LEN_MAX;

/// Something without which no server restores the rest.
pub(crate) const NOT_RESTORABLE: Finding = Finding::loss(
    "not_restorable",
    "keys, elements, items, objects, queues and messages that no server can restore, as of a key of more than 1 MiB; they stay in the dump",
);

/// Passes events of a protocol on that can become records.
pub(crate) trait Restores {
    /// Passes an event on, mends it, or leaves it out.
    ///
    /// # Errors
    /// Those of whoever takes events.
    fn event(&mut self, event: Event<'_>, passing: &mut Passing<'_>) -> Result<()> {
        passing.target.event(event)
    }
}

/// Where events go on to, and where is noted what does not.
pub(crate) struct Passing<'p> {
    pub(crate) target: &'p mut dyn Consumer,
    pub(crate) findings: &'p mut Findings,
    pub(crate) protocol: Protocol,
}

impl Passing<'_> {
    /// Notes something that is left out.
    pub(crate) fn leave_out(&mut self, key: &[u8], why: impl FnOnce() -> String) {
        let name = key.get(..KEY_LEN_MAX).unwrap_or(key);
        let owner = self.protocol.name();
        self.findings.record(NOT_RESTORABLE, || Example::new(Some(name), None, why()).of_adapter(owner));
    }
}

/// Whether a server restores a record with a user key of this length in bytes.
pub(crate) fn fits(user_key_len: usize) -> bool {
    u64::try_from(user_key_len).is_ok_and(|len| len <= RESTORABLE_USER_KEY_LEN_MAX)
}

pub(crate) fn long_key(what: &str, len: usize) -> String {
    format!("{what} of {len} bytes, longer than a server restores")
}
