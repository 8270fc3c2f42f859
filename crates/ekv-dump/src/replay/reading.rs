//! Reads the files of a dump for the readers of the protocols, and keeps the books about them.

use std::io::{self, BufReader, Read};
use std::sync::Arc;

use ekv_model::{Consumer, Example, Finding, Findings, Map, Monitor, Protocol, Scope};
use ekv_spill::{Scratch, Sorter};

use super::ReadPosition;
use crate::DumpFault;
use crate::entry::Entry;
use crate::manifest::{MANIFEST_FILE, Manifest, StoredManifest};
use crate::verify::entries::{Entries, read_checksums};
use crate::verify::hashing::HashingReader;
use crate::verify::lines::Lists;
use crate::verify::problem::{Misplaced, ProblemKind, Problems};
use crate::verify::rules::Rules;
use crate::verify::scopes::Scopes;
use crate::verify::seen::Seen;
use ekv_files::checksums::{CHECKSUMS_FILE, FileDigest};
use ekv_files::source::{Refusal, ScopedSource, SourceError, Visitor, read_error};
use ekv_files::{DumpPath, Error, Result};

/// Share of the memory for each sort but that of the entries, which has a half of it.
const SMALL_SHARE: usize = 10;

/// What is replayed, and with how much memory.
#[derive(Clone, Debug)]
pub struct ReplayOptions {
    /// Protocols whose files are read. Files of the others need only be there.
    pub included: Map<bool>,
    /// What of these protocols is replayed. Files in which nothing is selected are not read.
    pub scope: Arc<Scope>,
    /// How much of the dump is compared with CHECKSUMS.
    pub checking: Checking,
    /// Memory for sorting, in bytes.
    pub memory_budget: usize,
}

/// How much of a dump is compared with CHECKSUMS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Checking {
    /// Every file must be listed and every listed one be there; those that are read must be as they are listed.
    #[default]
    All,
    /// The files in which the selected things lie, if they are few and their names tell which; else as [`Checking::All`].
    Selected,
    /// As [`Checking::Selected`], but that the few files are not compared.
    Nothing,
}

/// What was replayed.
pub struct Replayed {
    /// The manifest of the dump.
    pub manifest: Manifest,
    /// How much was read.
    pub totals: ReadTotals,
    /// What stays in the dump.
    pub findings: Findings,
    /// How many more things are selected than were to be taken.
    pub beyond_limit: u64,
    /// Whether nothing was looked at but the files in which the selected things lie.
    pub is_excerpt: bool,
}

/// What the readers of the protocols work with.
///
/// Every file that is shown or opened is hashed as it is read, to its end, and compared with CHECKSUMS when all is done.
pub(crate) struct Reading<'a> {
    source: &'a mut dyn ScopedSource,
    scratch: Arc<dyn Scratch>,
    place: &'a ReadPosition,
    scope: &'a Scope,
    memory_budget: usize,
    /// Whether files are compared with CHECKSUMS.
    is_checked: bool,
    manifest: StoredManifest,
    rules: Rules,
    books: Books<'a>,
}

/// What was seen so far.
struct Books<'a> {
    entries: Entries,
    notes: Notes,
    monitor: &'a dyn Monitor,
    totals: ReadTotals,
    findings: Findings,
    buffer: Vec<u8>,
    /// The file that could not be understood, with its digest.
    suspect: Option<(Vec<u8>, FileDigest)>,
}

/// What only many entries together can tell.
struct Notes {
    included: Map<bool>,
    scopes: Scopes,
    lists: Lists,
    problems: Problems,
}

/// How much was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadTotals {
    /// Files that were read, MANIFEST.json among them, CHECKSUMS not.
    pub files: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Files that were not read since they were not asked for.
    pub files_left_out: u64,
}

/// Looks at the entries of one directory.
pub(crate) trait Visit {
    /// A directory in it, which is not entered.
    fn directory(&mut self, path: &DumpPath, entry: Entry<'_>) -> Result<()>;

    /// A file in it. What is not read of it is read to be hashed, unless it is left out.
    fn file(&mut self, file: &mut DumpFile<'_>, entry: Entry<'_>) -> Result<()>;
}

impl<'a> Reading<'a> {
    /// Reads MANIFEST.json and CHECKSUMS.
    pub(crate) fn open(
        source: &'a mut dyn ScopedSource,
        scratch: &Arc<dyn Scratch>,
        place: &'a ReadPosition,
        options: &'a ReplayOptions,
        monitor: &'a dyn Monitor,
    ) -> Result<Self> {
        let ReplayOptions { scope, memory_budget, included, checking } = options;
        let (memory_budget, included, is_checked) = (*memory_budget, *included, *checking != Checking::Nothing);
        let mut books = Books {
            entries: Entries::new(scratch, memory_budget / 2),
            notes: Notes {
                included,
                scopes: Scopes::new(scratch, memory_budget / SMALL_SHARE),
                lists: Lists::default(),
                problems: Problems::default(),
            },
            monitor,
            totals: ReadTotals::default(),
            findings: Findings::default(),
            buffer: Vec::new(),
            suspect: None,
        };
        let manifest = match books.read_manifest(source, scratch) {
            Ok(manifest) => manifest,
            Err(error) => return Err(books.stopped().unwrap_or(error)),
        };
        if is_checked {
            read_checksums(&mut open_checksums(source)?, &mut books.entries)
                .map_err(|error| error.or_at(CHECKSUMS_FILE.as_bytes(), None))?;
        }
        let scopes = &mut books.notes.scopes;
        manifest.for_each_scope(&mut |protocol, name| match included.has(protocol) {
            true => scopes.declare(protocol, name),
            false => Ok(()),
        })?;
        let rules = Rules::new(&manifest);
        let scratch = Arc::clone(scratch);
        Ok(Reading { source, scratch, place, scope, memory_budget, is_checked, manifest, rules, books })
    }

    pub(crate) fn read_ts(&self) -> u64 {
        self.manifest.read_ts()
    }

    /// The manifest.
    pub(crate) fn manifest(&self) -> &Manifest {
        &self.manifest.manifest
    }

    /// Whether the dump was written with this finding.
    pub(crate) fn is_told(&self, finding: Finding) -> bool {
        self.manifest.account.tells_of(finding)
    }

    pub(crate) fn rules(&self) -> Rules {
        self.rules
    }

    pub(crate) fn scratch(&self) -> Arc<dyn Scratch> {
        Arc::clone(&self.scratch)
    }

    pub(crate) fn place(&self) -> &'a ReadPosition {
        self.place
    }

    pub(crate) fn scope(&self) -> &'a Scope {
        self.scope
    }

    /// A sorter with a part of the memory.
    pub(crate) fn sorter(&self) -> Sorter {
        Sorter::new(self.scratch(), self.memory_budget / SMALL_SHARE)
    }

    /// Shows the entries of one directory, each of which must have a meaning in its place.
    pub(crate) fn show(&mut self, directory: &DumpPath, visit: &mut dyn Visit) -> Result<()> {
        let Reading { source, place, books, rules, .. } = self;
        source.walk_directory(directory, &mut Shown { books, place, rules, visit })
    }

    /// Shows the entries of a directory and of all directories below it.
    pub(crate) fn show_below(&mut self, directory: &DumpPath, visit: &mut dyn Visit) -> Result<()> {
        self.for_each_below(directory, &mut |reading, path, deeper| reading.show(path, &mut Deep { visit, deeper }))
    }

    /// The directories of the tables, buckets or queues of a protocol, by their names.
    pub(crate) fn scopes(&mut self, protocol: Protocol) -> Result<Sorter> {
        let mut found = ScopeDirectories { names: self.sorter() };
        self.show(&DumpPath::new(protocol.name().as_bytes())?, &mut found)?;
        Ok(found.names)
    }

    fn for_each_below(&mut self, directory: &DumpPath, show: ShowDirectory<'_, 'a>) -> Result<()> {
        let mut deeper = self.sorter();
        deeper.push(directory.as_bytes(), b"")?;
        while !deeper.is_empty() {
            let next = self.sorter();
            let mut level = std::mem::replace(&mut deeper, next).finish()?;
            while let Some((path, _)) = level.next()? {
                show(self, &DumpPath::new(path)?, &mut deeper)?;
            }
        }
        Ok(())
    }

    /// Notes something that the user should know.
    pub(crate) fn record_finding(&mut self, finding: Finding, example: impl FnOnce() -> Example) {
        self.books.findings.record(finding, example);
    }

    /// Reads one file; where it is shown it must be passed over.
    pub(crate) fn read_file(
        &mut self,
        path: &DumpPath,
        use_it: &mut dyn FnMut(&mut DumpFile<'_>) -> Result<()>,
    ) -> Result<()> {
        let Reading { source, place, books, .. } = self;
        place.enter_file(path.as_bytes());
        let mut content = source.open_file(path).map_err(|error| error.or_at(path.as_bytes(), None))?;
        books.read(path, &mut content, use_it)
    }

    /// Opens a file to look at it before it is read. Nothing is noted of it.
    pub(crate) fn peek(&mut self, path: &DumpPath) -> Result<Box<dyn Read + '_>> {
        self.source.open_file(path)
    }

    /// Notes a file as there and does not read it; where it is shown it must be passed over.
    pub(crate) fn leave_out_file(&mut self, path: &DumpPath) -> Result<()> {
        self.books.leave_out(path)
    }

    /// Notes everything in a directory as there, whatever it is: nobody asked for it.
    pub(crate) fn leave_out(&mut self, directory: Entry<'_>) -> Result<()> {
        if let Entry::Scope(protocol, name) = directory {
            self.books.notes.scopes.add(protocol, name, Seen::LEFT_OUT)?;
        }
        self.for_each_below(&DumpPath::new(&directory.path())?, &mut |reading, path, deeper| {
            let Reading { source, books, .. } = reading;
            source.walk_directory(path, &mut LeftOut { books, deeper })
        })
    }

    /// Notes everything in a directory as there and does not read it, though all of it must have a meaning. Returns the number of files.
    pub(crate) fn pass_by(&mut self, directory: &DumpPath) -> Result<u64> {
        let mut passing = Passing { files: 0 };
        self.show_below(directory, &mut passing)?;
        Ok(passing.files)
    }

    /// Compares all files with CHECKSUMS, makes the checks for which all must be known, and tells what was read.
    pub(crate) fn finish(self) -> Result<Replayed> {
        let Reading { manifest: StoredManifest { manifest, account, .. }, rules, books, is_checked, .. } = self;
        let Books { entries, notes, totals, findings, .. } = books;
        let Notes { scopes, lists, mut problems, .. } = notes;
        // What is missing as a whole is said before its files.
        lists.check(&account, &mut problems);
        scopes.check(&rules, &mut problems)?;
        if is_checked {
            entries.check(&mut |_, _, _| Ok(()), &mut problems)?;
        }
        problems.into_result()?;
        Ok(Replayed { manifest, totals, findings, beyond_limit: 0, is_excerpt: false })
    }

    /// Says what an error means: a file that cannot be understood since it was changed is first of all a changed file.
    pub(crate) fn explain(mut self, error: Error) -> Error {
        if let Some(stopped) = self.books.stopped() {
            return stopped;
        }
        let Some((path, digest)) = self.books.suspect.take() else { return error };
        let listed = DumpPath::new(&path).map_err(Error::from).and_then(|path| self.source.listed_digest(&path));
        let kind = match listed {
            Ok(Some(listed)) if listed == digest => return error,
            Ok(Some(_)) => ProblemKind::Changed,
            Ok(None) => ProblemKind::unlisted(&path),
            Err(_) => return error,
        };
        let mut problems = Problems::default();
        problems.add(&path, kind);
        Error::from(DumpFault::Unsound(Box::new(problems))).followed_by(error)
    }
}

impl Books<'_> {
    /// The monitor's wish to stop, which no reader may take for a fault of a file.
    fn stopped(&self) -> Option<Error> {
        self.monitor.advance(0).err().map(|cancelled| ekv_model::Error::from(cancelled).into())
    }

    fn read_manifest(&mut self, source: &mut dyn ScopedSource, scratch: &Arc<dyn Scratch>) -> Result<StoredManifest> {
        let path = DumpPath::new(MANIFEST_FILE.as_bytes())?;
        let mut content = open_or_no_dump(source, &path, MANIFEST_FILE)?;
        let mut manifest = None;
        self.read(&path, &mut content, &mut |file| {
            manifest = Some(StoredManifest::read(file, scratch)?);
            Ok(())
        })?;
        manifest.ok_or_else(|| DumpFault::NotADump { missing: MANIFEST_FILE }.into())
    }

    /// Reads a file to its end; `use_it` reads what it needs of it first.
    fn read(
        &mut self,
        path: &DumpPath,
        content: &mut dyn Read,
        use_it: &mut dyn FnMut(&mut DumpFile<'_>) -> Result<()>,
    ) -> Result<()> {
        // Also asked where nothing is read.
        if let Some(stopped) = self.stopped() {
            return Err(stopped);
        }
        let Books { notes, monitor, totals, entries, buffer, .. } = self;
        let reader = HashingReader::new(content, *monitor);
        let mut file = DumpFile { path, reader, notes, fate: FileUse::Read };
        let used = use_it(&mut file).map_err(|error| error.or_at(path.as_bytes(), None));
        let DumpFile { reader, fate, .. } = file;
        match (fate, used) {
            (FileUse::Read, used) => match (reader.finish(buffer), used) {
                (Ok((digest, len)), Ok(())) => {
                    totals.files = totals.files.saturating_add(1);
                    totals.bytes = totals.bytes.saturating_add(len);
                    entries.add_file(path.as_bytes(), &digest, len)?;
                }
                (Ok((digest, _)), Err(error)) => {
                    self.suspect = Some((path.as_bytes().to_vec(), digest));
                    return Err(error);
                }
                (Err(_), Err(error)) => return Err(error),
                (Err(source), Ok(())) => return Err(read_error(source).at(path.as_bytes())),
            },
            (_, Err(error)) => return Err(error),
            (FileUse::LeftOut, Ok(())) => self.leave_out(path)?,
            (FileUse::PassedOver, Ok(())) => {}
        }
        Ok(())
    }

    fn leave_out(&mut self, path: &DumpPath) -> Result<()> {
        self.totals.files_left_out = self.totals.files_left_out.saturating_add(1);
        self.entries.add_present(path.as_bytes())
    }
}

/// A file that is being read.
pub(crate) struct DumpFile<'f> {
    path: &'f DumpPath,
    reader: HashingReader<'f>,
    notes: &'f mut Notes,
    fate: FileUse,
}

/// What becomes of a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FileUse {
    Read,
    LeftOut,
    PassedOver,
}

impl<'f> DumpFile<'f> {
    pub(crate) fn path(&self) -> &'f DumpPath {
        self.path
    }

    /// Reads LOSSES.jsonl or SCOPES.jsonl. What is wrong with it is said at the end.
    pub(crate) fn read_list(&mut self, list: Entry<'_>) -> Result<()> {
        let Notes { included, scopes, lists, problems } = &mut *self.notes;
        let mut input = BufReader::new(&mut self.reader);
        match list {
            Entry::Losses => lists.read_losses(&mut input, problems),
            _ => lists.read_scopes(&mut input, problems, &mut |protocol, name| match included.has(protocol) {
                true => scopes.declare(protocol, name),
                false => Ok(()),
            }),
        }
    }

    /// Whether there is not one byte in it.
    fn is_empty(&mut self) -> Result<bool> {
        loop {
            match (self.reader.len(), self.reader.read(&mut [0])) {
                (0, Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                (0, read) => return Ok(read.map_err(read_error)? == 0),
                _ => return Ok(false),
            }
        }
    }

    /// Leaves the file unread: only that it is there counts.
    pub(crate) fn leave_out(&mut self) {
        self.fate = FileUse::LeftOut;
    }

    /// Leaves the file alone: it has been read in another way.
    pub(crate) fn pass_over(&mut self) {
        self.fate = FileUse::PassedOver;
    }
}

impl Read for DumpFile<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buf)
    }
}

/// Shows one directory, and collects those in it.
type ShowDirectory<'s, 'a> = &'s mut dyn FnMut(&mut Reading<'a>, &DumpPath, &mut Sorter) -> Result<()>;

/// Turns what a source shows into books and visits.
struct Shown<'v, 'a> {
    books: &'v mut Books<'a>,
    place: &'v ReadPosition,
    rules: &'v Rules,
    visit: &'v mut dyn Visit,
}

impl Shown<'_, '_> {
    /// An entry that the manifest allows.
    fn allowed<'p>(&self, entry: Result<Entry<'p>, Misplaced>) -> Result<Entry<'p>> {
        let entry = entry.map_err(ProblemKind::from)?;
        entry.check(self.rules).map_or(Ok(entry), |kind| Err(kind.into()))
    }
}

impl Visitor for Shown<'_, '_> {
    fn directory(&mut self, path: &DumpPath) -> Result<()> {
        if let Some(kind) = ProblemKind::left_by_run(path.as_bytes()) {
            return Err(Error::from(kind).at(path.as_bytes()));
        }
        let shown = self.allowed(Entry::of_directory(path.as_bytes())).and_then(|entry| {
            self.books.notes.scopes.note(entry)?;
            self.visit.directory(path, entry)
        });
        shown.map_err(|error| error.or_at(path.as_bytes(), None))
    }

    fn file(&mut self, path: &DumpPath, content: &mut dyn Read) -> Result<()> {
        self.place.enter_file(path.as_bytes());
        let mut allowed = Some(self.allowed(Entry::of_file(path.as_bytes())));
        let visit = &mut self.visit;
        self.books.read(path, content, &mut |file| {
            let Some(entry) = allowed.take().transpose()? else { return Ok(()) };
            file.notes.scopes.note(entry)?;
            visit.file(file, entry)?;
            if entry.is_never_empty() && file.is_empty()? { Err(ProblemKind::Empty.into()) } else { Ok(()) }
        })
    }

    fn refused(&mut self, path: &DumpPath, refusal: Refusal) -> Result<()> {
        Err(Error::from(SourceError::Refused(refusal)).at(path.as_bytes()))
    }
}

/// Passes entries on and collects directories.
struct Deep<'v> {
    visit: &'v mut dyn Visit,
    deeper: &'v mut Sorter,
}

impl Visit for Deep<'_> {
    fn directory(&mut self, path: &DumpPath, entry: Entry<'_>) -> Result<()> {
        self.visit.directory(path, entry)?;
        Ok(self.deeper.push(path.as_bytes(), b"")?)
    }

    fn file(&mut self, file: &mut DumpFile<'_>, entry: Entry<'_>) -> Result<()> {
        self.visit.file(file, entry)
    }
}

/// Collects the names of directories.
struct ScopeDirectories {
    names: Sorter,
}

impl Visit for ScopeDirectories {
    fn directory(&mut self, path: &DumpPath, _: Entry<'_>) -> Result<()> {
        Ok(self.names.push(path.split_last().1, b"")?)
    }

    fn file(&mut self, _: &mut DumpFile<'_>, _: Entry<'_>) -> Result<()> {
        Ok(())
    }
}

/// Reads nothing.
struct Passing {
    files: u64,
}

impl Visit for Passing {
    fn directory(&mut self, _: &DumpPath, _: Entry<'_>) -> Result<()> {
        Ok(())
    }

    fn file(&mut self, file: &mut DumpFile<'_>, _: Entry<'_>) -> Result<()> {
        self.files = self.files.saturating_add(1);
        file.leave_out();
        Ok(())
    }
}

/// Notes files as there.
struct LeftOut<'v, 'a> {
    books: &'v mut Books<'a>,
    deeper: &'v mut Sorter,
}

impl Visitor for LeftOut<'_, '_> {
    fn directory(&mut self, path: &DumpPath) -> Result<()> {
        Ok(self.deeper.push(path.as_bytes(), b"")?)
    }

    fn file(&mut self, path: &DumpPath, content: &mut dyn Read) -> Result<()> {
        self.books.read(path, content, &mut |file| {
            file.leave_out();
            Ok(())
        })
    }

    fn refused(&mut self, path: &DumpPath, refusal: Refusal) -> Result<()> {
        Err(Error::from(SourceError::Refused(refusal)).at(path.as_bytes()))
    }
}

/// Hands an event to the target; an error says which file and line it came from.
pub(crate) fn emit(target: &mut dyn Consumer, place: &ReadPosition, event: ekv_model::Event<'_>) -> Result<()> {
    target.event(event).map_err(|error| {
        let error = Error::from(error);
        match place.location().path {
            Some(path) => error.or_at(&path, place.line()),
            None => error,
        }
    })
}

fn open_checksums(source: &mut dyn ScopedSource) -> Result<BufReader<Box<dyn Read + '_>>> {
    let path = DumpPath::new(CHECKSUMS_FILE.as_bytes())?;
    Ok(BufReader::new(open_or_no_dump(source, &path, CHECKSUMS_FILE)?))
}

pub(crate) fn open_or_no_dump<'s>(
    source: &'s mut dyn ScopedSource,
    path: &DumpPath,
    missing: &'static str,
) -> Result<Box<dyn Read + 's>> {
    source.open_file(path).map_err(|error| match error.is_missing() {
        true => DumpFault::NotADump { missing }.into(),
        false => error.or_at(path.as_bytes(), None),
    })
}
