//! Does every entry have a meaning in its place?

use ekv_files::Result;
use ekv_model::Map;

use super::joins::Joins;
use super::problem::{ProblemKind, Problems};
use super::rules::Rules;
use super::scopes::Scopes;
use crate::entry::Entry;

/// Looks at entries one by one and passes on what only several of them can tell.
pub(super) struct Structure {
    pub(super) rules: Rules,
    pub(super) joins: Map<Box<dyn Joins>>,
    pub(super) scopes: Scopes,
}

impl Structure {
    /// Looks at a file of `len` bytes.
    pub(super) fn file(&mut self, path: &[u8], len: u64, problems: &mut Problems) -> Result<()> {
        let entry = match Entry::of_file(path) {
            Ok(entry) => entry,
            Err(misplaced) => {
                problems.add(path, misplaced.into());
                return Ok(());
            }
        };
        let empty = (len == 0 && entry.is_never_empty()).then_some(ProblemKind::Empty);
        match (entry.check(&self.rules).or(empty), entry) {
            (Some(kind), _) => {
                problems.add(path, kind);
                Ok(())
            }
            (None, Entry::In(scope, inside)) => {
                self.scopes.note(entry)?;
                self.joins.get_mut(inside.entry().protocol()).note(scope, inside, len, &self.rules)
            }
            (None, _) => Ok(()),
        }
    }

    /// Looks at a directory.
    pub(super) fn directory(&mut self, path: &[u8], problems: &mut Problems) -> Result<()> {
        let entry = match Entry::of_directory(path) {
            Ok(entry) => entry,
            Err(misplaced) => {
                problems.add(path, misplaced.into());
                return Ok(());
            }
        };
        match (entry.check(&self.rules), entry) {
            (Some(kind), _) => problems.add(path, kind),
            (None, Entry::In(scope, inside)) => {
                self.joins.get_mut(inside.entry().protocol()).note_directory(scope, inside)?;
            }
            (None, _) => {}
        }
        self.scopes.note(entry)
    }

    /// Looks at what only several entries together can tell.
    pub(super) fn check_joins(self, problems: &mut Problems) -> Result<()> {
        self.scopes.check(&self.rules, problems)?;
        self.joins.into_values().try_for_each(|joins| joins.check(&self.rules, problems))
    }
}
