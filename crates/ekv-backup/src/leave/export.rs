//! Files of other stores.
//!
//! Whatever the source, what is selected of it is poured into an [`Output`], which knows the other store: a new format is a new output
//! and a function beside [`export_to_dynamodb`]. What the other store does not take is a finding of severity loss, told by kind; what it
//! takes in another form is one of severity info.
//!
//! Source: `docs/format/leave.md`.

use std::path::Path;
use std::sync::Arc;

use ekv_files::sink::StagedFiles;
use ekv_model::{Consumer, Result};
use ekv_spill::Scratch;
use serde::Serialize;

use super::dynamodb::{ImportOptions, ImportOutput, ImportReport};
use super::keys_file::{FileReport, FileTarget, KeysOptions, KeysOutput};
use crate::culprit;
use crate::loaded::ReadOptions;
use crate::overlap::refuse_overlap;
use crate::pipe::{self, Events, Header, Output};
use crate::progress::{Phase, Progress};
use crate::report::{FindingReport, findings};
use crate::see::{Look, Source};
use crate::selection::unmatched_text;
use crate::time::format_commit_ts;
use crate::{CommandError, DumpTarget, EventOptions};

/// What leaves, and what is accepted.
#[derive(Clone, Debug, Default)]
pub struct ExportOptions {
    /// How the source is read.
    pub read: ReadOptions,
    /// What of it leaves.
    pub events: EventOptions,
    /// Whether anything that stays behind, or was lost before, is an error.
    pub strict: bool,
    /// Whether nothing may leave.
    pub allow_empty: bool,
}

/// What left, and what did not.
#[derive(Clone, Debug, Serialize)]
pub struct ExportReport<T> {
    /// The moment of the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_at: Option<String>,
    /// What was made of it.
    #[serde(flatten)]
    pub made: T,
    /// Redis keys that had expired at that moment, and did not leave.
    #[serde(skip_serializing_if = "crate::report::is_zero")]
    pub expired: u64,
    /// How many things a dump lacks that were lost when it was made.
    #[serde(skip_serializing_if = "crate::report::is_zero")]
    pub lost_count: u64,
    /// The first of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<String>,
    /// What stays behind, changes on the way, or was odd.
    pub findings: Vec<FindingReport>,
    /// What is odd about the selection.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Why reading took long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl<T> ExportReport<T> {
    /// Whether everything that was selected left.
    pub fn is_complete(&self) -> bool {
        self.lost_count == 0 && self.findings.iter().all(|finding| finding.severity != "loss")
    }
}

/// Makes the files of which DynamoDB's import makes tables: a directory for each table.
///
/// # Errors
/// Those of reading the source and of writing, if nothing is selected, and in strict mode whatever stays behind. Nothing is published then.
pub fn export_to_dynamodb(
    input: &Path,
    target: DumpTarget,
    import: &ImportOptions,
    options: &ExportOptions,
    progress: &dyn Progress,
) -> Result<ExportReport<ImportReport>> {
    target.check(&[input])?;
    let resources = &options.read.resources;
    run(input, options, |_| ImportOutput::create(target, import, resources), progress)
}

/// Writes an RDB file, which Redis and Valkey load when they start, or commands for `redis-cli --pipe`. Cost: scratch space for all keys, twice that
/// for what is sorted.
///
/// # Errors
/// As [`export_to_dynamodb`].
pub fn export_keys(
    input: &Path,
    target: FileTarget<'_>,
    rdb: &KeysOptions,
    options: &ExportOptions,
    progress: &dyn Progress,
) -> Result<ExportReport<FileReport>> {
    if let FileTarget::File(path, _) | FileTarget::DryRun(path) = &target {
        refuse_overlap(&[input], &[path])?;
    }
    if let FileTarget::File(path, publication) = &target {
        StagedFiles::check_targets(&[path], *publication)?;
    }
    let scratch = options.read.resources.scratch();
    let begin = |header: &Header| Ok(KeysOutput::new(target, rdb, ekv_snapshot::CommitTs(header.read_ts), &scratch));
    run(input, options, begin, progress)
}

/// Pours what is selected of `input` into an output.
fn run<O: Output<Look>>(
    input: &Path,
    options: &ExportOptions,
    begin: impl FnOnce(&Header) -> Result<O>,
    progress: &dyn Progress,
) -> Result<ExportReport<O::Published>> {
    let mut source = Source::open(input, &options.read, progress)?;
    let read_at = Some(source.header().read_ts).filter(|read_ts| *read_ts > 0);
    let read_at = read_at.map(|read_ts| format_commit_ts(ekv_snapshot::CommitTs(read_ts)));
    let mut told = None;
    let mut events = Looked { source: &mut source, options: &options.events };
    let accept = |look: Look| {
        judge(&look, options)?;
        told = Some((look.expired, look.lost_count, look.lost.clone(), findings(&look.findings), warnings(&look)));
        Ok(look)
    };
    let made = pipe::run(&mut events, begin, accept, progress)?;
    let (expired, lost_count, lost, findings, warnings) = told.unwrap_or_default();
    Ok(ExportReport { read_at, made, expired, lost_count, lost, findings, warnings, note: source.index_note() })
}

/// Refuses what the options do not accept.
fn judge(look: &Look, options: &ExportOptions) -> Result<()> {
    if look.things == 0 && !options.allow_empty {
        let (filters, hint) = (options.events.scope.describe(&options.events.adapters), options.events.scope.hint());
        return Err(CommandError::NothingMatches { filters, hint }.into());
    }
    if !options.strict {
        return Ok(());
    }
    if let Some((finding, totals)) = look.findings.first_strict_fatal() {
        let first = totals.examples.first().and_then(|example| {
            let key = || example.key.as_deref().map(|key| String::from_utf8_lossy(key).into_owned());
            culprit::short_address(finding.name, example).or_else(key)
        });
        let first = format!("{}, {}", finding.meaning, first.unwrap_or_default());
        return Err(CommandError::StaysBehind { count: totals.count, first }.into());
    }
    match look.lost.first() {
        Some(first) => Err(CommandError::StaysBehind { count: look.lost_count, first: first.clone() }.into()),
        None => Ok(()),
    }
}

fn warnings(look: &Look) -> Vec<String> {
    look.of_groups().chain(unmatched_text(&look.unmatched)).collect()
}

/// A source as events, with what had expired kept back.
struct Looked<'s> {
    source: &'s mut Source,
    options: &'s EventOptions,
}

impl Events for Looked<'_> {
    type Books = Look;

    fn header(&self) -> Header {
        self.source.header()
    }

    fn pour(
        &mut self,
        consumer: &mut dyn Consumer,
        _phase: Phase,
        scratch: &Arc<dyn Scratch>,
        progress: &dyn Progress,
    ) -> Result<Look> {
        let mut look = self.source.look(self.options, consumer, scratch, progress)?;
        if !matches!(self.source, Source::Dump(_)) {
            // What a store lost is among its findings.
            look.lost_count = 0;
            look.lost.clear();
        }
        Ok(look)
    }
}
