//! Tables, buckets, databases and queues: the manifest's list beside the directories and what each must hold.

use std::sync::Arc;

use ekv_files::Result;
use ekv_files::path::split_last;
use ekv_spill::{Scratch, Sorter};

use super::key::{KeyBuffer, parts, split_tag};
use super::problem::{ProblemKind, Problems};
use super::structure::check_component;
use crate::layout::sqs::write::{MESSAGES_FILE, QUEUE_FILE, is_orphan_directory};
use crate::manifest::Manifest;

/// File of a table's own record.
pub(super) const SCHEMA_FILE: &str = "_schema.json";

/// Something that was seen about a scope.
#[derive(Clone, Copy)]
pub(super) enum Seen {
    /// Its directory.
    Directory,
    /// The manifest, or SCOPES.jsonl, lists it.
    Declared,
    /// The file with its own record.
    OwnRecord,
    /// The messages of a queue.
    Messages,
}

impl Seen {
    fn tag(self) -> u8 {
        match self {
            Seen::Directory => b'd',
            Seen::Declared => b'l',
            Seen::OwnRecord => b'o',
            Seen::Messages => b'm',
        }
    }
}

/// Everything about scopes, by directory.
pub(super) struct Scopes {
    sorter: Sorter,
    key: KeyBuffer,
}

impl Scopes {
    pub(super) fn new(scratch: &Arc<dyn Scratch>, memory_budget: usize) -> Self {
        Scopes { sorter: Sorter::new(Arc::clone(scratch), memory_budget / 10), key: KeyBuffer::default() }
    }

    pub(super) fn add(&mut self, directory: &[u8], seen: Seen) -> Result<()> {
        Ok(self.sorter.push(self.key.of(&[directory], seen.tag()), b"")?)
    }

    /// Compares the directories with the manifest and checks that each is complete.
    pub(super) fn check(self, manifest: &Manifest, problems: &mut Problems) -> Result<()> {
        let mut sorted = self.sorter.finish()?;
        let mut scope = Scope::default();
        while let Some((key, _)) = sorted.next()? {
            let (group, tag) = split_tag(key);
            if group != scope.group {
                scope.check(manifest, problems);
                scope = Scope { group: group.to_vec(), tags: Vec::new() };
            }
            if scope.tags.last() != Some(&tag) {
                scope.tags.push(tag);
            }
        }
        scope.check(manifest, problems);
        Ok(())
    }
}

/// What is known about one scope.
#[derive(Default)]
struct Scope {
    group: Vec<u8>,
    tags: Vec<u8>,
}

impl Scope {
    fn has(&self, seen: Seen) -> bool {
        self.tags.contains(&seen.tag())
    }

    fn check(&self, manifest: &Manifest, problems: &mut Problems) {
        let (directory, _) = parts(&self.group);
        if directory.is_empty() {
            return;
        }
        if self.tags == [Seen::Declared.tag()] {
            return problems.add(directory, ProblemKind::MissingScope);
        }
        let (adapter, name) = split_last(directory);
        match adapter {
            b"dynamodb" if !self.has(Seen::OwnRecord) => {
                problems.add(directory, ProblemKind::Incomplete { name: SCHEMA_FILE });
            }
            b"sqs" if self.has(Seen::OwnRecord) => {
                if let Some(kind) = check_component(name) {
                    problems.add(directory, kind);
                }
            }
            b"sqs" if !is_orphan_directory(name) => {
                problems.add(directory, ProblemKind::Incomplete { name: QUEUE_FILE })
            }
            b"sqs" if self.has(Seen::Messages) && !manifest.exclusions.include_orphans => {
                problems.add(&[directory, b"/", MESSAGES_FILE.as_bytes()].concat(), ProblemKind::NotIncluded);
            }
            _ => {}
        }
    }
}
