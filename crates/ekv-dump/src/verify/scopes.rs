//! Tables, buckets, databases and queues: what the manifest lists beside the directories, and what each must hold.

use std::sync::Arc;

use ekv_model::Protocol;
use ekv_spill::{Scratch, Sorter};

use super::key::{KeyBuffer, parts, split_tag};
use super::problem::{ProblemKind, Problems};
use super::rules::Rules;
use super::seen::{Seen, SeenScope};
use crate::entry::Entry;
use crate::layout::inside::scopes_of;
use ekv_files::Result;

/// Everything about scopes, by directory.
pub(crate) struct Scopes {
    sorter: Sorter,
    key: KeyBuffer,
    /// The key of the last row: what is seen again and again is kept once.
    last: Vec<u8>,
}

impl Scopes {
    pub(crate) fn new(scratch: &Arc<dyn Scratch>, memory_budget: usize) -> Self {
        Scopes { sorter: Sorter::new(Arc::clone(scratch), memory_budget), key: KeyBuffer::default(), last: Vec::new() }
    }

    /// Notes what an entry tells.
    pub(crate) fn note(&mut self, entry: Entry<'_>) -> Result<()> {
        match entry {
            Entry::Scope(protocol, name) => self.add(protocol, name, Seen::DIRECTORY),
            Entry::In(name, inside) => match inside.entry().tells() {
                Some(seen) => self.push(inside.entry().protocol(), name, seen, &|| entry.path()),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// Notes something about the scope whose directory has this name.
    pub(crate) fn add(&mut self, protocol: Protocol, name: &[u8], seen: Seen) -> Result<()> {
        self.push(protocol, name, seen, &Vec::new)
    }

    /// Notes that a scope is listed, by its name.
    pub(crate) fn declare(&mut self, protocol: Protocol, name: &str) -> Result<()> {
        self.add(protocol, &(scopes_of(protocol).directory)(name), Seen::DECLARED)
    }

    fn push(&mut self, protocol: Protocol, name: &[u8], seen: Seen, path: &dyn Fn() -> Vec<u8>) -> Result<()> {
        let key = self.key.of(&[protocol.name().as_bytes(), name], seen.tag());
        if key != self.last {
            self.sorter.push(key, &path())?;
            self.last.clear();
            self.last.extend_from_slice(key);
        }
        Ok(())
    }

    /// Compares the directories with the manifest and checks that each is complete.
    pub(crate) fn check(self, rules: &Rules, problems: &mut Problems) -> Result<()> {
        let mut sorted = self.sorter.finish()?;
        let (mut scope, mut seen) = (Vec::new(), Vec::new());
        while let Some((key, path)) = sorted.next()? {
            let (group, tag) = split_tag(key);
            if group != scope {
                check_scope(&scope, &seen, rules, problems);
                scope = group.to_vec();
                seen.clear();
            }
            let tag = Seen::of_tag(tag);
            if seen.last().is_none_or(|(last, _)| *last != tag) {
                seen.push((tag, path.to_vec()));
            }
        }
        check_scope(&scope, &seen, rules, problems);
        Ok(())
    }
}

fn check_scope(group: &[u8], seen: &[(Seen, Vec<u8>)], rules: &Rules, problems: &mut Problems) {
    let (protocol, name) = parts(group);
    let Some(protocol) = Protocol::named(protocol) else { return };
    let scope = SeenScope { name, seen };
    let directory = Entry::Scope(protocol, name).path();
    if scope.has(Seen::LEFT_OUT) {
        return;
    }
    if let [(Seen::DECLARED, _)] = seen {
        return problems.add(&directory, ProblemKind::MissingScope);
    }
    if let Some((seen, kind)) = (scopes_of(protocol).check)(&scope, rules) {
        let path = scope.path(seen).filter(|path| !path.is_empty());
        problems.add(path.unwrap_or(&directory), kind);
    }
}
