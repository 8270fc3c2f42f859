//! What only several files of a dump together can tell.

use std::io::BufRead;

use ekv_files::Result;

use super::problem::Problems;
use super::rules::Rules;
use super::scopes::Scopes;
use crate::layout::inside::Inside;

/// What must go together of the files of one protocol.
pub(crate) trait Joins {
    /// Reads the text of a file that [`is_joined_by_text`](crate::layout::in_scope::InScope::is_joined_by_text), of the scope whose
    /// directory has this name. What is wrong with the text goes to `problems`, with the `path` of the file.
    ///
    /// # Errors
    /// Failing reads, a failing scratch file.
    fn read(&mut self, _scope: &[u8], _entry: Inside<'_>, _input: &mut dyn BufRead, _notes: Notes<'_>) -> Result<()> {
        Ok(())
    }

    /// Notes a file of `len` bytes, which is allowed by itself.
    ///
    /// # Errors
    /// A failing scratch file.
    fn note(&mut self, _scope: &[u8], _entry: Inside<'_>, _len: u64, _rules: &Rules) -> Result<()> {
        Ok(())
    }

    /// Notes a directory, which is allowed by itself.
    ///
    /// # Errors
    /// A failing scratch file.
    fn note_directory(&mut self, _scope: &[u8], _entry: Inside<'_>) -> Result<()> {
        Ok(())
    }

    /// Brings together what belongs together.
    ///
    /// # Errors
    /// A failing scratch file.
    fn check(self: Box<Self>, _rules: &Rules, _problems: &mut Problems) -> Result<()> {
        Ok(())
    }
}

/// Where the text of a file is noted.
pub(crate) struct Notes<'n> {
    /// The file.
    pub(crate) path: &'n [u8],
    pub(crate) scopes: &'n mut Scopes,
    pub(crate) problems: &'n mut Problems,
}

/// Files of which each stands for itself.
pub(crate) struct NoJoins;

impl Joins for NoJoins {}
