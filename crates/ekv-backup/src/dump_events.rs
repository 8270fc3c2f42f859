//! The things of a dump as events.

use std::sync::Arc;

use ekv_dump::manifest::Manifest;
use ekv_dump::replay::{ReadPosition, ReplayOptions, Replayed, replay};
use ekv_files::source::ScopedSource;
use ekv_model::{Consumer, Result, Scope};
use ekv_spill::Scratch;

use crate::CommandError;
use crate::pipe::{Events, Header};
use crate::progress::{Phase, Progress};

/// A dump whose files are read as events, each compared with CHECKSUMS on the way: only the end says that all of it is sound.
pub struct DumpEvents<'s> {
    source: &'s mut dyn ScopedSource,
    manifest: &'s Manifest,
    options: ReplayOptions,
}

impl<'s> DumpEvents<'s> {
    /// The dump in `source`, of which the manifest has been read ([`ekv_dump::replay::read_manifest`]).
    pub fn of(source: &'s mut dyn ScopedSource, manifest: &'s Manifest, options: ReplayOptions) -> Self {
        DumpEvents { source, manifest, options }
    }
}

/// Refuses filters by what a dump does not say.
pub(crate) fn refuse_times(scope: &Scope) -> Result<(), CommandError> {
    if scope.is_about_changes() { Err(CommandError::NoCommitTimes) } else { Ok(()) }
}

impl Events for DumpEvents<'_> {
    type Books = Replayed;

    fn header(&self) -> Header {
        let Manifest { last_commit_ts, snapshot_index, .. } = *self.manifest;
        Header { read_ts: last_commit_ts, last_commit_ts, snapshot_index: Some(snapshot_index), ..Header::default() }
    }

    fn pour(
        &mut self,
        consumer: &mut dyn Consumer,
        phase: Phase,
        scratch: &Arc<dyn Scratch>,
        progress: &dyn Progress,
    ) -> Result<Replayed> {
        refuse_times(&self.options.scope)?;
        progress.begin(phase, None);
        Ok(replay(self.source, scratch, &self.options, consumer, &ReadPosition::default(), progress)?)
    }
}
