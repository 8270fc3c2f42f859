//! Toys: records to events and back. A user key is `!toy|<box>|<name>`, a value is what the toy is.

mod encode;
mod keys;

use ekv_model::toy::Event;
use ekv_model::{Event as ModelEvent, Finding, Protocol, Result, findings};
use ekv_snapshot::Range;

use crate::adapter::{Adapter, Routes, Subject};
use crate::restores::Restores;
use crate::{Family, Outcome, Owner, Run};

findings! {
    /// A key without a box or a name: the record is left out.
    pub const MALFORMED_KEY: Finding = Finding::loss("toy_malformed_key", "toys whose key does not parse");
}

/// The adapter of the protocol.
pub(crate) const ADAPTER: Adapter = Adapter {
    decode: |run, _| decode(run),
    encoder: |_, _| Box::new(encode::Encoder::default()),
    restores: |_| Box::new(All),
    routes: Routes::NONE,
    subject: |_, user_key, _| {
        let (of, name) = keys::parse(user_key)?;
        Some(Subject::of(Protocol::Toy, of, Some(name.to_vec())))
    },
    beginnings: |_, name| vec![[name.scope.as_slice(), b"|"].concat()],
    ranges: None,
    is_stored_key: |_, _| None,
    culprit: |_, _| None,
};

/// Emits every box with its toys.
fn decode(run: &mut Run<'_>) -> Result<()> {
    let scope = run.scope();
    let mut scan = run.view().scan_range(Range::prefix(Family::Toy.prefix()))?;
    let mut open: Option<Vec<u8>> = None;
    while let Some(found) = scan.next_visible()? {
        let Some((of, name)) = keys::parse(found.user_key) else {
            run.record_finding(MALFORMED_KEY, found.user_key, Some(found.byte_offset), || {
                "no box or no name".to_owned()
            });
            run.account(Family::Toy, Outcome::Lost, 1)?;
            continue;
        };
        if !scope.keys_in(Protocol::Toy, of).contains(name) {
            continue;
        }
        if open.as_deref() != Some(of) {
            if open.replace(of.to_vec()).is_some() {
                run.emit(ModelEvent::Toy(Event::End))?;
            }
            run.emit(ModelEvent::Toy(Event::Begin(of)))?;
        }
        run.emit(ModelEvent::Toy(Event::Toy { name, body: found.body.body(), commit_ts: found.commit_ts.0 }))?;
        run.account(Family::Toy, Outcome::Emitted, 1)?;
    }
    if open.is_some() {
        run.emit(ModelEvent::Toy(Event::End))?;
    }
    if scope.is_all_of(Protocol::Toy) { Ok(()) } else { run.leave_rest(Owner::Protocol(Protocol::Toy)) }
}

/// A server restores every toy.
struct All;

impl Restores for All {}
