//! What there is of the layout of each protocol.

use std::sync::Arc;

use ekv_files::Result;
use ekv_model::{Consumer, Scope};
use ekv_spill::Scratch;

use super::options::TreeOptions;
use super::write_files::WriteFiles;
use crate::replay::excerpt::Wanted;
use crate::replay::reading::Reading;
use crate::verify::joins::Joins;

/// What the files of a protocol mean. What lies where is in [`super::inside`].
pub(crate) struct Layout {
    /// Makes files of its events.
    pub(crate) write: fn(&TreeOptions) -> Box<dyn WriteFiles>,
    /// Replays what its directory holds.
    pub(crate) read: fn(&mut Reading<'_>, &mut dyn Consumer) -> Result<()>,
    /// In which files the things lie that a scope selects one by one; `None` if that cannot be told, or there are too many.
    pub(crate) files_of: fn(&Scope) -> Option<Wanted>,
    /// Checks what must go together, with memory for sorting in bytes.
    pub(crate) joins: fn(&Arc<dyn Scratch>, usize) -> Box<dyn Joins>,
}
