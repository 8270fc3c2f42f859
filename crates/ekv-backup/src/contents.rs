//! What passes by, counted: by kind, and by database, table, bucket and queue.

use ekv_model::{Event, Kind, Name, Protocol, Step, Thing, Things};
use serde::Serialize;

/// Scopes that are told one by one; of more only the sums.
const SCOPES_MAX: usize = 1000;

/// How many things there are, and how large they are: payload, as `docs/format/tree.md`, section 19, measures it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Contents {
    /// Redis keys, DynamoDB items, S3 objects and SQS messages.
    pub things: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// The same by kind, without kinds of which there are none.
    pub kinds: Vec<KindContents>,
    /// The same by database, table, bucket and queue, in the order of the source; the first 1000 of them.
    pub scopes: Vec<ScopeContents>,
    /// How many more of them there are.
    #[serde(skip_serializing_if = "crate::report::is_zero")]
    pub more_scopes: u64,
    /// How many more things are selected than `--limit` takes.
    #[serde(skip_serializing_if = "crate::report::is_zero")]
    pub beyond_limit: u64,
}

/// The things of a kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KindContents {
    /// Name of the kind, as `--type` has it.
    pub kind: &'static str,
    /// How many there are.
    pub things: u64,
    /// Bytes in them.
    pub bytes: u64,
}

/// The things in a database, table, bucket or queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ScopeContents {
    /// Its address.
    pub address: String,
    /// How many there are.
    pub things: u64,
    /// Bytes in them.
    pub bytes: u64,
}

impl Contents {
    /// Whether there is neither a thing nor a table, bucket or queue.
    pub fn is_empty(&self) -> bool {
        self.things == 0 && self.scopes.is_empty()
    }
}

/// Counts events. Memory: 1000 names of scopes, and one of a thing.
#[derive(Debug, Default)]
pub(crate) struct Census {
    things: Things,
    /// The scope at hand.
    open: Option<(Protocol, Vec<u8>)>,
    contents: Contents,
    by_kind: [(u64, u64); Kind::ALL.len()],
}

impl Census {
    /// Takes the next event.
    pub(crate) fn event(&mut self, event: &Event<'_>) {
        let Census { things, open, contents, by_kind } = self;
        if let (Some(protocol), Step::Scope { name, is_gone: false, .. }) = (event.protocol(), event.step()) {
            enter(open, contents, protocol, name);
        }
        let Some(Thing { kind, scope, size, .. }) = things.event(event) else { return };
        enter(open, contents, kind.protocol(), scope);
        let Contents { things, bytes, scopes, more_scopes, .. } = contents;
        let last = scopes.last_mut().filter(|_| *more_scopes == 0);
        let sums = last.map(|scope| (&mut scope.things, &mut scope.bytes));
        let of_kind = Kind::ALL.iter().position(|own| *own == kind).and_then(|at| by_kind.get_mut(at));
        let of_kind = of_kind.map(|(things, bytes)| (things, bytes));
        for (things, bytes) in [Some((things, bytes)), sums, of_kind].into_iter().flatten() {
            *things = things.saturating_add(1);
            *bytes = bytes.saturating_add(size.bytes);
        }
    }

    /// What was counted; `beyond_limit` things more were selected.
    pub(crate) fn finish(self, beyond_limit: u64) -> Contents {
        let kinds = Kind::ALL.iter().zip(self.by_kind).filter(|(_, (things, _))| *things > 0);
        let kinds = kinds.map(|(kind, (things, bytes))| KindContents { kind: kind.name(), things, bytes }).collect();
        Contents { kinds, beyond_limit, ..self.contents }
    }
}

/// Goes on with a scope, which begins if it is not the one at hand.
fn enter(open: &mut Option<(Protocol, Vec<u8>)>, contents: &mut Contents, protocol: Protocol, scope: &[u8]) {
    if open.as_ref().is_some_and(|(own, name)| *own == protocol && name == scope) {
        return;
    }
    let Contents { scopes, more_scopes, .. } = contents;
    match scopes.len() < SCOPES_MAX {
        true => {
            let name = Name { protocol, scope: scope.to_vec(), key: Vec::new() };
            scopes.push(ScopeContents { address: name.to_string(), things: 0, bytes: 0 });
        }
        false => *more_scopes = more_scopes.saturating_add(1),
    }
    *open = Some((protocol, scope.to_vec()));
}
