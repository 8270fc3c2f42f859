//! Does every entry have a meaning in its place?

use ekv_files::Result;

use super::problem::{ProblemKind, Problems};
use super::redis::RedisNames;
use super::rules::Rules;
use super::s3::S3Names;
use super::scopes::Scopes;
use crate::entry::{Entry, RedisEntry};

/// Looks at entries one by one and passes on what only several of them can tell.
pub(super) struct Structure {
    pub(super) rules: Rules,
    pub(super) redis: RedisNames,
    pub(super) s3: S3Names,
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
        match self.rules.check(entry).or(empty) {
            Some(kind) => {
                problems.add(path, kind);
                Ok(())
            }
            None => self.note(entry, len),
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
        if let Some(kind) = self.rules.check(entry) {
            problems.add(path, kind);
        }
        self.scopes.note(entry)
    }

    fn note(&mut self, entry: Entry<'_>, len: u64) -> Result<()> {
        self.scopes.note(entry)?;
        match entry {
            Entry::Redis(database, RedisEntry::Key(folder, segment)) => self.redis.add_file(database, folder, segment),
            Entry::S3(bucket, entry) => self.s3.add_file(bucket, entry, len == 0, self.rules.is_own),
            _ => Ok(()),
        }
    }

    /// Looks at what only several entries together can tell.
    pub(super) fn check_joins(self, problems: &mut Problems) -> Result<()> {
        self.scopes.check(&self.rules, problems)?;
        self.redis.check(problems)?;
        self.s3.check(self.rules.is_own, problems, &mut |_, _| Ok(()))
    }
}
