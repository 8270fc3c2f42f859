//! `pack` and `unpack`: a dump from a directory into an archive and back, checked on the way.
//!
//! Source: `docs/format/tree.md`, section 9.2.

use std::path::Path;
use std::sync::Arc;

use ekv_dump::manifest::Manifest;
use ekv_dump::replay::read_manifest;
use ekv_dump::verify::Verification;
use ekv_dump::{Copied, copy};
use ekv_files::sink::{Privacy, Published, Sink};
use ekv_files::source::Source;
use ekv_model::Result;
use ekv_spill::Scratch;
use serde::Serialize;

use crate::decode::available_jobs;
use crate::dump_source::{open_directory, open_dump, open_dump_once};
use crate::input_place::InputPlace;
use crate::new_parents::NewParents;
use crate::part::{CopyOptions, PartCopied, PartReport, copy_part};
use crate::progress::{Phase, Progress};
use crate::verify::{SORT_BUDGET_LEN, VerifyReport, follow};
use crate::{CommandError, DumpTarget};

/// What [`pack`] or [`unpack`] did.
#[derive(Clone, Debug, Serialize)]
pub struct CopyReport {
    /// What the check of the dump found, from the bytes that were copied; of a part, what is in the copy.
    #[serde(flatten)]
    pub check: VerifyReport,
    /// Of a copy of a part: what it was made of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<PartReport>,
    /// The copy; `None` if the dump is not sound: then there is none.
    #[serde(flatten)]
    pub copy: Option<PublishedReport>,
}

/// Where a copy is.
#[derive(Clone, Debug, Serialize)]
pub struct PublishedReport {
    /// Its name.
    pub dump: String,
    /// Whether nothing was created: the rest says what would be.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// Bytes of the archive, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archive_bytes: Option<u64>,
    /// How it got its name.
    pub published_by: &'static str,
    /// What was brought to stable storage first.
    pub fsync: &'static str,
    /// What keeps it from others: `modes`, or why that could not be had.
    pub privacy: Privacy,
    /// What could not be cleaned up; the copy is whole.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// Packs the dump in the directory `dump`, or the part of it that the options select, into an archive. Two packs of equal dumps are
/// byte-identical.
///
/// Cost: every file is read once, and hashed and checked from the bytes that are packed; of a part only its files. Fixed memory.
///
/// # Errors
/// If something cannot be read or written, or MANIFEST.json or CHECKSUMS cannot be used. Whatever else is wrong with the dump is in the
/// report, but where a part is packed: then it is an error, as for an encode. There is no archive then; a stream has no end.
pub fn pack(dump: &Path, target: DumpTarget, options: &CopyOptions, progress: &dyn Progress) -> Result<CopyReport> {
    target.check(&[dump])?;
    let resources = &options.resources;
    let scratch = resources.scratch();
    let mut source = open_directory(dump, &scratch, resources)?;
    if options.is_narrowed() {
        return Ok(of_part(copy_part(&mut source, target, options, progress)?));
    }
    // Its time stands in every header, also in those before it.
    let manifest = read_manifest(&mut source, &scratch)?.manifest;
    let modified = manifest.wall_time().map_err(ekv_files::Error::from)?;
    let output = target.create(modified, available_jobs().get(), resources)?;
    run(&mut source.in_path_order(), output, &scratch, progress, &mut |verification| {
        is_same_time(&manifest, verification).then_some(()).ok_or(CommandError::DumpChanged)
    })
}

/// Unpacks the archive at `archive`, or on standard input if that is `-`, or the part of it that the options select; the first bytes tell
/// whether it is compressed.
///
/// Cost: the archive is read once, and for a part its files once more, for which a stream or a compressed archive is kept in a scratch file.
/// Fixed memory.
///
/// # Errors
/// As [`pack`], and everything that section 9.2 refuses. Nothing is left of the copy then.
pub fn unpack(
    archive: &Path,
    target: DumpTarget,
    options: &CopyOptions,
    progress: &dyn Progress,
) -> Result<CopyReport> {
    target.check(&[archive])?;
    if matches!(InputPlace::of(archive), Ok(InputPlace::Directory)) {
        return Err(CommandError::NotAnArchive { path: archive.display().to_string() }.into());
    }
    let resources = &options.resources;
    if options.is_narrowed() {
        return Ok(of_part(copy_part(open_dump(archive, resources)?.as_mut(), target, options, progress)?));
    }
    let scratch = resources.scratch();
    let mut source = open_dump_once(archive, &scratch, resources)?;
    let output = target.create(crate::time::now(), available_jobs().get(), resources)?;
    run(source.as_mut(), output, &scratch, progress, &mut |_| Ok(()))
}

fn run(
    source: &mut dyn Source,
    (sink, parents): (Box<dyn Sink>, NewParents),
    scratch: &Arc<dyn Scratch>,
    progress: &dyn Progress,
    accept: &mut dyn FnMut(&Verification) -> Result<(), CommandError>,
) -> Result<CopyReport> {
    let mut accept = |verification: &Verification| {
        progress.begin(Phase::Publish, None);
        Ok(accept(verification).map_err(ekv_model::Error::from)?)
    };
    let copied =
        follow(progress, Phase::CopyDump, || copy(source, sink, scratch, SORT_BUDGET_LEN, progress, &mut accept))?;
    let Copied { verification, published } = copied;
    if published.is_some() {
        parents.keep();
    }
    Ok(CopyReport { check: VerifyReport::new(&verification), part: None, copy: published.map(PublishedReport::from) })
}

fn of_part(PartCopied { verification, part, published }: PartCopied) -> CopyReport {
    CopyReport { check: VerifyReport::new(&verification), part: Some(part), copy: Some(published.into()) }
}

impl From<Published> for PublishedReport {
    fn from(published: Published) -> Self {
        PublishedReport {
            warnings: published.warnings.iter().map(ToString::to_string).collect(),
            dry_run: published.is_nothing(),
            dump: published.place,
            archive_bytes: published.archive_len,
            published_by: published.method.name(),
            fsync: published.fsync.name(),
            privacy: published.privacy,
        }
    }
}

/// Whether the manifest that was copied states the time that stands in the headers.
fn is_same_time(manifest: &Manifest, verification: &Verification) -> bool {
    manifest.wall_time_iso == verification.manifest.wall_time_iso
}
