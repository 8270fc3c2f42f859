//! A dump as an output, whatever the events come from.

use std::num::NonZeroUsize;
use std::sync::Arc;

use ekv_adapters::Outcome;
use ekv_dump::losses::LOSSES_FILE;
use ekv_dump::manifest::Manifest;
use ekv_dump::portable::PortableNames;
use ekv_dump::{DumpTotals, DumpWriter, TreeOptions, TreeTarget};
use ekv_files::sink::Published;
use ekv_model::{Consumer, Event, Findings, Map, Result};
use ekv_spill::{Scratch, Spooled};
use jiff::Timestamp;
use serde::Serialize;

use crate::new_parents::NewParents;
use crate::pipe::{Books, Output};
use crate::progress::{Phase, Progress};
use crate::report::NamesReport;
use crate::{CommandError, DumpTarget, Resources};

/// What a dump is to be.
pub(crate) struct DumpPlan<'a> {
    /// What MANIFEST.json says, but for the lists of tables, buckets, databases and queues.
    pub(crate) manifest: Manifest,
    /// Protocols that it says to hold.
    pub(crate) included: Map<bool>,
    /// What the files hold, and how.
    pub(crate) tree: TreeOptions,
    /// Threads at work.
    pub(crate) jobs: NonZeroUsize,
    /// What happens to names that other systems refuse.
    pub(crate) portable_names: PortableNames,
    /// Why a dump without a thing in it is refused; `None` = it is not.
    pub(crate) nothing: Option<CommandError>,
    /// The time of entries in an archive.
    pub(crate) modified: Timestamp,
    /// What may be taken.
    pub(crate) resources: &'a Resources,
}

/// What a source says at the end, as far as a dump tells of it.
pub(crate) trait DumpBooks {
    /// Whether something is missing that was asked for: a dump of nothing then says so.
    fn has_lost(&self) -> bool;

    /// The lines of LOSSES.jsonl, if there are any.
    fn losses(&self) -> Option<&Spooled>;

    /// Notes what only the written files tell: their number without MANIFEST.json and CHECKSUMS, names that are not portable, and how many
    /// scopes SCOPES.jsonl lists.
    fn note(&mut self, files: u64, names: NamesReport, listed_scopes: Option<u64>);

    /// What MANIFEST.json has as `ekv_backup`.
    fn report(&self) -> impl Serialize;
}

/// A dump that is written, in a private place or into a stream.
pub(crate) struct DumpOutput<'a> {
    tree: TreeTarget,
    parents: NewParents,
    plan: DumpPlan<'a>,
    progress: &'a dyn Progress,
}

/// A dump that is there.
pub(crate) struct PublishedDump<B> {
    pub(crate) published: Published,
    pub(crate) totals: DumpTotals,
    pub(crate) books: B,
}

impl<'a> DumpOutput<'a> {
    /// Begins a dump.
    ///
    /// # Errors
    /// As [`DumpTarget::create`].
    pub(crate) fn create(target: DumpTarget, plan: DumpPlan<'a>, progress: &'a dyn Progress) -> Result<Self> {
        let (sink, parents) = target.create(plan.modified, plan.jobs.get(), plan.resources)?;
        let tree = TreeTarget::with_options(DumpWriter::with_jobs(sink, plan.jobs), plan.tree);
        Ok(DumpOutput { tree, parents, plan, progress })
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

impl<B: DumpBooks> Output<B> for DumpOutput<'_> {
    type Published = PublishedDump<B>;

    fn scratch(&self) -> Arc<dyn Scratch> {
        self.tree.writer().scratch()
    }

    fn finish(self, mut books: B) -> Result<PublishedDump<B>> {
        let DumpOutput { tree, parents, plan, progress } = self;
        let DumpPlan { mut manifest, included, portable_names, nothing, .. } = plan;
        let (mut writer, scopes) = tree.finish()?;
        let is_nothing = writer.totals().files == 0 && !books.has_lost();
        let finished = match nothing.filter(|_| is_nothing) {
            Some(error) => Err(error.into()),
            None => finish_names(&mut writer, portable_names).and_then(|names| match books.losses() {
                Some(lines) => Ok(writer.write_spooled_file(LOSSES_FILE, lines).map(|()| names)?),
                None => Ok(names),
            }),
        };
        match finished {
            Ok(names) => books.note(writer.totals().files, names, scopes.listed),
            Err(error) => return Err(error.after_cleaning_up(writer.abort())),
        }
        manifest.adapters = scopes.to_adapters(&included);
        manifest.exclusions.rename_s3_collisions = scopes.has_s3_meta_suffix_rename;
        let manifest = manifest.to_bytes(Some(&books.report())).map_err(ekv_files::Error::from)?;
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
fn finish_names(writer: &mut DumpWriter, rule: PortableNames) -> Result<NamesReport> {
    let report = writer.portable_names()?;
    report.enforce(rule).map_err(ekv_files::Error::from)?;
    Ok(NamesReport::from(&report))
}

impl DumpBooks for Books {
    fn has_lost(&self) -> bool {
        self.tally.total(Outcome::Lost) > 0
    }

    fn losses(&self) -> Option<&Spooled> {
        (!self.losses.is_empty()).then_some(&self.losses.lines)
    }

    fn note(&mut self, _: u64, names: NamesReport, listed_scopes: Option<u64>) {
        self.report.names_not_portable = names;
        self.report.listed_losses = (!self.losses.is_empty()).then(|| self.losses.count());
        self.report.listed_scopes = listed_scopes;
    }

    fn report(&self) -> impl Serialize {
        &self.report
    }
}
