//! A dump as the output of a decode.

use std::path::Path;
use std::sync::Arc;

use ekv_dump::losses::LOSSES_FILE;
use ekv_dump::manifest::{Exclusions, Manifest, Origin, SnapshotOrigin, format_wall_time};
use ekv_dump::{DumpTotals, DumpWriter, Scopes, SqsVisibility, TreeTarget};
use ekv_files::sink::Published;
use ekv_model::{Consumer, Event, Findings, Map, Result};
use ekv_spill::Scratch;

use crate::decode::{is_narrowed, nothing_selected};
use crate::new_parents::NewParents;
use crate::pipe::{Books, Header, Output};
use crate::progress::{Phase, Progress};
use crate::report::NamesReport;
use crate::{DecodeOptions, DumpTarget, Store};

/// A dump that is written, in a private place or into a stream.
pub(crate) struct DumpOutput<'a> {
    tree: TreeTarget,
    parents: NewParents,
    header: Header,
    input: &'a Path,
    store: &'a Store,
    options: &'a DecodeOptions,
    progress: &'a dyn Progress,
}

/// A dump that is there.
pub(crate) struct PublishedDump {
    pub(crate) published: Published,
    pub(crate) totals: DumpTotals,
    pub(crate) books: Books,
}

impl<'a> DumpOutput<'a> {
    /// Begins a dump of what `input` names.
    ///
    /// # Errors
    /// As [`DumpTarget::create`].
    pub(crate) fn create(
        target: DumpTarget,
        header: &Header,
        (input, store): (&'a Path, &'a Store),
        options: &'a DecodeOptions,
        progress: &'a dyn Progress,
    ) -> Result<Self> {
        let (sink, parents) = target.create(options.now, options.jobs.get(), &options.read.resources)?;
        let tree = TreeTarget::with_options(DumpWriter::with_jobs(sink, options.jobs), options.tree);
        Ok(DumpOutput { tree, parents, header: *header, input, store, options, progress })
    }
}

impl Consumer for DumpOutput<'_> {
    fn event(&mut self, event: Event<'_>) -> Result<()> {
        self.tree.event(event)
    }

    fn findings(&self) -> Findings {
        self.tree.findings()
    }
}

impl Output for DumpOutput<'_> {
    type Published = PublishedDump;

    fn scratch(&self) -> Arc<dyn Scratch> {
        self.tree.writer().scratch()
    }

    fn finish(self, mut books: Books) -> Result<PublishedDump> {
        let DumpOutput { tree, parents, header, input, store, options, progress } = self;
        let (mut writer, scopes) = tree.finish()?;
        let Books { report, losses, .. } = &mut books;
        if is_narrowed(options) && writer.totals().files == 0 && losses.is_empty() {
            let error = ekv_model::Error::from(nothing_selected(store, options));
            return Err(error.after_cleaning_up(writer.abort()));
        }
        match finish_names(&mut writer, options).and_then(|names| match losses.is_empty() {
            true => Ok(names),
            false => Ok(writer.write_spooled_file(LOSSES_FILE, &losses.lines).map(|()| names)?),
        }) {
            Ok(names) => report.names_not_portable = names,
            Err(error) => return Err(error.after_cleaning_up(writer.abort())),
        }
        report.listed_losses = (!losses.is_empty()).then(|| losses.count());
        report.listed_scopes = scopes.listed;
        let manifest = manifest(&header, input, options, &scopes);
        let manifest = manifest.to_bytes(Some(&*report)).map_err(ekv_files::Error::from)?;
        progress.begin(Phase::Publish, None);
        let (published, totals) = writer.finish(&manifest)?;
        parents.keep();
        Ok(PublishedDump { published, totals, books })
    }

    fn abort(self) -> Result<()> {
        Ok(self.tree.abort()?)
    }
}

/// Counts names that other systems refuse, and refuses them where that was asked for.
fn finish_names(writer: &mut DumpWriter, options: &DecodeOptions) -> Result<NamesReport> {
    let report = writer.portable_names()?;
    report.enforce(options.portable_names)?;
    Ok(NamesReport::from(&report))
}

fn manifest(header: &Header, input: &Path, options: &DecodeOptions, scopes: &Scopes) -> Manifest {
    let source_name = options.source_name.as_deref().unwrap_or(input);
    let named_index = options.source_name.as_deref().and_then(ekv_node::datadir::snapshot_index);
    let events = &options.events;
    Manifest {
        elastickv_version: format!("ekv-backup/{}", env!("CARGO_PKG_VERSION")),
        cluster_id: options.cluster_id.clone(),
        snapshot_index: named_index.or(header.snapshot_index).unwrap_or(0),
        last_commit_ts: header.last_commit_ts,
        wall_time_iso: format_wall_time(options.now),
        origin: Origin::Snapshot(SnapshotOrigin {
            fsm_path: source_name.display().to_string(),
            fsm_crc32c: header.footer_crc32c.map_or_else(String::new, |crc| format!("{crc:08x}")),
        }),
        adapters: scopes.to_adapters(&Map::only(&events.adapters)),
        exclusions: Exclusions {
            include_incomplete_uploads: events.s3.include_incomplete_uploads,
            include_orphans: events.s3.include_orphans || events.sqs.include_orphans,
            preserve_sqs_visibility: options.tree.sqs_visibility == SqsVisibility::Keep,
            include_sqs_side_records: events.sqs.include_side_records,
            rename_s3_collisions: scopes.has_s3_meta_suffix_rename,
        },
        dynamodb_layout: options.tree.dynamodb_layout,
    }
}
