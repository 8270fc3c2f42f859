//! What every protocol does with its events to make files of them.

use ekv_files::Result;
use ekv_model::{Event, Findings};

use super::scopes::ScopeNames;
use crate::DumpWriter;

/// Makes files of the events of a protocol.
pub(crate) trait WriteFiles {
    /// Takes an event of the protocol.
    ///
    /// # Errors
    /// As [`DumpWriter`]; an event where it has no meaning.
    fn event(&mut self, writer: &mut DumpWriter, event: Event<'_>) -> Result<()>;

    /// Writes what could only be written at the end.
    ///
    /// # Errors
    /// As [`DumpWriter`].
    fn finish(&mut self, writer: &mut DumpWriter) -> Result<Written>;

    /// What was odd about names.
    fn findings(&self) -> Findings {
        Findings::default()
    }
}

/// What the manifest says about the files of a protocol.
#[derive(Default)]
pub(crate) struct Written {
    /// The scopes that have a directory.
    pub(crate) names: ScopeNames,
    /// Whether an S3 object was renamed because its key ends like a sidecar.
    pub(crate) has_s3_meta_suffix_rename: bool,
}
