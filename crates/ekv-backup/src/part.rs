//! A part of a dump as a dump of its own. Source: `docs/format/tree.md`, section 17.

use std::io::Read as _;
use std::sync::Arc;

use ekv_dump::losses::LOSSES_FILE;
use ekv_dump::manifest::{Account, Choice, Manifest, StoredManifest};
use ekv_dump::portable::PortableNames;
use ekv_dump::replay::{Checking, ReadTotals, ReplayOptions, read_manifest};
use ekv_dump::verify::{Problems, Verification};
use ekv_dump::{SqsVisibility, TreeOptions};
use ekv_files::DumpPath;
use ekv_files::sink::Published;
use ekv_files::source::{ScopedSource, read_error};
use ekv_model::{Consumer, Findings, Map, Result, Scope, Unmatched};
use ekv_spill::{Scratch, Spool, Spooled};
use serde::Serialize;
use serde_json::Value;

use crate::completeness::choice;
use crate::contents::Contents;
use crate::decode::available_jobs;
use crate::dump_output::{DumpBooks, DumpOutput, DumpPlan, PublishedDump};
use crate::encode::choose_adapters;
use crate::events::Watched;
use crate::pipe::{self, Events, Header};
use crate::progress::{Phase, Progress};
use crate::report::{NamesReport, program};
use crate::selection::{joined, unmatched_warning, warnings_of};
use crate::verify::SORT_BUDGET_LEN;
use crate::{CommandError, DumpEvents, DumpTarget, Protocol, Resources};

/// Lines of LOSSES.jsonl that are kept in memory, in bytes.
const LOSSES_LEN_MAX: usize = 256 << 10;

/// What of a dump is copied, and what that may take.
#[derive(Clone, Debug, Default)]
pub struct CopyOptions {
    /// What reading the dump may take.
    pub resources: Resources,
    /// Which adapters' data is copied; `None` = all that the dump holds.
    pub adapters: Option<Vec<Protocol>>,
    /// What of these adapters' data is copied.
    pub scope: Arc<Scope>,
    /// Whether a copy is made that holds nothing.
    pub allow_empty: bool,
}

impl CopyOptions {
    /// Whether a part is copied.
    pub(crate) fn is_narrowed(&self) -> bool {
        self.adapters.is_some() || self.scope.is_narrowed()
    }

    /// The filters, for people.
    fn selection(&self) -> String {
        self.scope.describe(self.adapters.as_deref().unwrap_or(&Protocol::IN_DUMPS))
    }
}

/// What a part of a dump was made of.
#[derive(Clone, Debug, Serialize)]
pub struct PartReport {
    /// The filters; of a part of a part those with which that was made come first, and `|` separates them.
    pub selection: String,
    /// How much is in the part.
    pub contents: Contents,
    /// Files of the whole dump that were read, and compared with CHECKSUMS.
    pub dump_files: u64,
    /// Bytes in them.
    pub dump_bytes: u64,
    /// Files of the whole dump that were not read, since nothing in them is selected.
    pub dump_files_left_out: u64,
    /// What is odd, and what stays in the whole dump.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// A part that was copied.
pub(crate) struct PartCopied {
    /// The copy, which is sound as written.
    pub(crate) verification: Verification,
    pub(crate) part: PartReport,
    pub(crate) published: Published,
}

/// Copies what the options select of a dump into another one. Its manifest says what that of the whole says of cluster, moment, groups and
/// losses, and that it is a part.
///
/// Cost: each file is read once, if anything in it may be selected; fixed memory.
///
/// # Errors
/// Those of a replay ([`ekv_dump::replay::replay`]) and of writing, if nothing is selected, and if an adapter was asked for that the dump
/// does not hold. Nothing is published then.
pub(crate) fn copy_part(
    source: &mut dyn ScopedSource,
    target: DumpTarget,
    options: &CopyOptions,
    progress: &dyn Progress,
) -> Result<PartCopied> {
    let scratch = options.resources.scratch();
    let stored = read_manifest(source, &scratch)?;
    let report = stored.report()?;
    let StoredManifest { manifest, account, .. } = stored;
    let losses = account.listed_losses.map(|_| read_losses(source, &scratch).map(Arc::new)).transpose()?;
    let adapters = choose_adapters(&manifest, options.adapters.as_deref())?;
    let plan = plan(&manifest, &adapters, options)?;
    let replay = ReplayOptions {
        included: Map::only(&adapters),
        scope: Arc::clone(&options.scope),
        checking: Checking::All,
        memory_budget: SORT_BUDGET_LEN,
    };
    let before = report.get(SELECTION).and_then(Value::as_str);
    let selection = joined(before, Some(options.selection())).unwrap_or_default();
    let dump = DumpEvents::of(source, &manifest, replay);
    let mut events = PartEvents { dump, scope: &options.scope, losses, report, selection: selection.clone() };
    let begin = |_: &Header| DumpOutput::create(target, plan, progress);
    let accept = |books: PartBooks| match books.manifest == manifest {
        true => Ok(books),
        false => Err(CommandError::DumpChanged.into()),
    };
    let PublishedDump { published, totals, books } = pipe::run(&mut events, begin, accept, progress)?;
    let PartBooks { read, findings, unmatched, contents, left_out, .. } = books;
    let choices = account.choices.iter().cloned().chain(left_out).collect();
    Ok(PartCopied {
        verification: Verification {
            manifest: Manifest { elastickv_version: program(), ..manifest },
            account: Account { selection: Some(selection.clone()), choices, ..account },
            files: totals.files,
            bytes: totals.bytes,
            problems: Problems::default(),
        },
        part: PartReport {
            selection,
            contents,
            dump_files: read.files,
            dump_bytes: read.bytes,
            dump_files_left_out: read.files_left_out,
            warnings: warnings_of(&findings).into_iter().chain(unmatched_warning(&unmatched)).collect(),
        },
        published,
    })
}

fn plan<'o>(manifest: &Manifest, adapters: &[Protocol], options: &'o CopyOptions) -> Result<DumpPlan<'o>> {
    let mut exclusions = manifest.exclusions;
    // They are no events: they stay in the whole dump.
    exclusions.include_incomplete_uploads = false;
    exclusions.include_orphans = false;
    let sqs_visibility = if exclusions.preserve_sqs_visibility { SqsVisibility::Keep } else { SqsVisibility::Reset };
    let (filters, hint) = (options.selection(), options.scope.hint());
    Ok(DumpPlan {
        modified: manifest.wall_time().map_err(ekv_files::Error::from)?,
        manifest: Manifest { elastickv_version: program(), exclusions, ..manifest.clone() },
        included: Map::only(adapters),
        // What the whole says without these fields can depend on what the part lacks, such as the generation of a queue on its messages.
        tree: TreeOptions {
            dynamodb_layout: manifest.dynamodb_layout,
            extended: true,
            sqs_visibility,
            ..TreeOptions::default()
        },
        jobs: available_jobs(),
        portable_names: PortableNames::Off,
        nothing: (!options.allow_empty).then_some(CommandError::NothingMatches { filters, hint }),
        resources: &options.resources,
    })
}

/// The text of LOSSES.jsonl, whose lines the replay checks.
fn read_losses(source: &mut dyn ScopedSource, scratch: &Arc<dyn Scratch>) -> ekv_files::Result<Spooled> {
    let mut content = source.open_file(&DumpPath::new(LOSSES_FILE.as_bytes())?)?;
    let mut lines = Spool::new(Arc::clone(scratch), LOSSES_LEN_MAX);
    let mut buffer = [0; 16 << 10];
    loop {
        match content.read(&mut buffer) {
            Ok(0) => return Ok(lines.into_reader()?),
            Ok(len) => lines.write_all(buffer.get(..len).unwrap_or_default())?,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(read_error(error).at(LOSSES_FILE.as_bytes())),
        }
    }
}

/// The report of this tool in a manifest.
type Report = serde_json::Map<String, Value>;

// Its members that are other ones in a part.
const SELECTION: &str = "selection";
const COMPLETENESS: &str = "completeness";
const BY_CHOICE: &str = "by_choice";
const LISTED_SCOPES: &str = "listed_scopes";
const NAMES_NOT_PORTABLE: &str = "names_not_portable";

/// A part of a dump as events, with what a dump of them has to say.
struct PartEvents<'s> {
    dump: DumpEvents<'s>,
    scope: &'s Scope,
    losses: Option<Arc<Spooled>>,
    report: Report,
    selection: String,
}

impl Events for PartEvents<'_> {
    type Books = PartBooks;

    fn header(&self) -> Header {
        self.dump.header()
    }

    fn pour(
        &mut self,
        consumer: &mut dyn Consumer,
        phase: Phase,
        scratch: &Arc<dyn Scratch>,
        progress: &dyn Progress,
    ) -> Result<PartBooks> {
        let mut watched = Watched::new(consumer, self.scope);
        let replayed = self.dump.pour(&mut watched, phase, scratch, progress)?;
        let Watched { consumer, unmatched, census, .. } = watched;
        let contents = census.finish(replayed.beyond_limit);
        let mut report = self.report.clone();
        report.insert(SELECTION.to_owned(), self.selection.as_str().into());
        let mut findings = replayed.findings;
        findings.merge(consumer.findings());
        let (manifest, read) = (replayed.manifest, replayed.totals);
        Ok(PartBooks {
            manifest,
            read,
            findings,
            unmatched,
            contents,
            left_out: None,
            losses: self.losses.clone(),
            report,
        })
    }
}

/// What is left out, in singular and plural.
const LEFT_OUT: [&str; 2] = ["file of the whole dump that is not in it", "files of the whole dump that are not in it"];

/// Adds what was left out to what the decode left out.
fn note_choice(report: &mut Report, Choice { option, count, what }: &Choice) {
    let choice = [("option", Value::from(option.as_str())), ("count", (*count).into()), ("what", what.as_str().into())];
    let choice: Report = choice.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let completeness = report.entry(COMPLETENESS).or_insert_with(|| Report::new().into());
    if let Value::Object(completeness) = completeness {
        let choices = completeness.entry(BY_CHOICE).or_insert_with(|| Vec::<Value>::new().into());
        if let Value::Array(choices) = choices {
            choices.push(choice.into());
        }
    }
}

/// What a part of a dump says of itself.
struct PartBooks {
    manifest: Manifest,
    read: ReadTotals,
    findings: Findings,
    unmatched: Unmatched,
    contents: Contents,
    left_out: Option<Choice>,
    losses: Option<Arc<Spooled>>,
    report: Report,
}

impl DumpBooks for PartBooks {
    fn has_lost(&self) -> bool {
        false
    }

    fn losses(&self) -> Option<&Spooled> {
        self.losses.as_deref()
    }

    fn note(&mut self, files: u64, names: NamesReport, listed_scopes: Option<u64>) {
        // MANIFEST.json was read, too.
        let whole = self.read.files.saturating_sub(1).saturating_add(self.read.files_left_out);
        let left_out = whole.saturating_sub(files);
        self.left_out = (left_out > 0).then(|| choice("filters", left_out, LEFT_OUT));
        if let Some(choice) = &self.left_out {
            note_choice(&mut self.report, choice);
        }
        self.report.remove(LISTED_SCOPES);
        self.report.extend(listed_scopes.map(|count| (LISTED_SCOPES.to_owned(), count.into())));
        self.report.remove(NAMES_NOT_PORTABLE);
        if let (false, Ok(names)) = (names.is_empty(), serde_json::to_value(&names)) {
            self.report.insert(NAMES_NOT_PORTABLE.to_owned(), names);
        }
    }

    fn report(&self) -> impl Serialize {
        &self.report
    }
}
