//! Reads the files of a dump for the readers of the protocols, and keeps the books about them.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Read};
use std::sync::Arc;

use ekv_files::checksums::{CHECKSUMS_FILE, ChecksumsReader, FileDigest};
use ekv_files::source::{Refusal, ScopedSource, SourceError, Visitor};
use ekv_files::{DumpPath, Error, ErrorKind, Result};
use ekv_model::{Consumer, Example, Finding, Findings, Map, Scope};
use ekv_spill::{Scratch, Sorter};

use super::{Place, ReplayFault};
use crate::DumpFault;
use crate::manifest::{MANIFEST_FILE, Manifest, StoredManifest, with_names};
use crate::verify::entries::Entries;
use crate::verify::hashing::HashingReader;
use crate::verify::walk::{read_checksums, read_error};
use crate::verify::{ProblemKind, Problems};

/// Share of the memory for each sort but that of the entries, which has a half of it.
const SMALL_SHARE: usize = 10;

/// Told how many bytes were read since the last call; an error ends the replay.
pub type Monitor<'a> = &'a mut dyn FnMut(u64) -> ekv_model::Result<()>;

/// What is replayed, and with how much memory.
#[derive(Clone, Debug)]
pub struct ReplayOptions {
    /// Protocols whose files are read. Files of the others need only be there.
    pub included: Map<bool>,
    /// What of these protocols is replayed. Files in which nothing is selected are not read.
    pub scope: Arc<Scope>,
    /// Memory for sorting, in bytes.
    pub memory_budget: usize,
}

/// What was replayed.
pub struct Replayed {
    /// The manifest of the dump.
    pub manifest: Manifest,
    /// How much was read.
    pub totals: ReadTotals,
    /// What stays in the dump.
    pub findings: Findings,
}

/// What the readers of the protocols work with.
///
/// Every file that is shown or opened is hashed as it is read, to its end, and compared with CHECKSUMS when all is done.
pub(crate) struct Reading<'a> {
    source: &'a mut dyn ScopedSource,
    scratch: Arc<dyn Scratch>,
    place: &'a Place,
    scope: &'a Scope,
    memory_budget: usize,
    manifest: StoredManifest,
    /// What SCOPES.jsonl lists, until the readers of the protocols take it.
    listed: FileScopes,
    books: Books<'a>,
}

/// The names in SCOPES.jsonl, as components of a path, by the directory of their protocol.
pub(crate) type FileScopes = BTreeMap<&'static str, Sorter>;

/// What was seen so far.
struct Books<'a> {
    entries: Entries,
    monitor: Monitor<'a>,
    /// The monitor's wish to stop.
    stopped: Option<ekv_model::Error>,
    totals: ReadTotals,
    findings: Findings,
    buffer: Vec<u8>,
    /// The file that could not be understood, with its digest.
    suspect: Option<(Vec<u8>, FileDigest)>,
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
    fn directory(&mut self, path: &DumpPath) -> Result<()>;

    /// A file in it. What is not read of it is read to be hashed, unless it is left out.
    fn file(&mut self, file: &mut DumpFile<'_>) -> Result<()>;
}

impl<'a> Reading<'a> {
    /// Reads MANIFEST.json and CHECKSUMS.
    pub(crate) fn open(
        source: &'a mut dyn ScopedSource,
        scratch: &Arc<dyn Scratch>,
        place: &'a Place,
        options: &'a ReplayOptions,
        monitor: Monitor<'a>,
    ) -> Result<Self> {
        let ReplayOptions { scope, memory_budget, .. } = options;
        let memory_budget = *memory_budget;
        let mut books = Books {
            entries: Entries::new(scratch, memory_budget / 2),
            monitor,
            stopped: None,
            totals: ReadTotals::default(),
            findings: Findings::default(),
            buffer: Vec::new(),
            suspect: None,
        };
        let manifest = match books.read_manifest(source, scratch) {
            Ok(manifest) => manifest,
            Err(error) => return Err(books.stopped.take().map_or(error, Error::from)),
        };
        read_checksums(&mut open_checksums(source)?, &mut books.entries)
            .map_err(|error| error.or_at(CHECKSUMS_FILE.as_bytes(), None))?;
        let sorter = |directory| (directory, Sorter::new(Arc::clone(scratch), memory_budget / SMALL_SHARE));
        let listed = with_names().map(sorter).collect();
        Ok(Reading { source, scratch: Arc::clone(scratch), place, scope, memory_budget, manifest, listed, books })
    }

    pub(crate) fn manifest(&self) -> &Manifest {
        &self.manifest.manifest
    }

    /// Whether the dump was written with this finding.
    pub(crate) fn is_told(&self, finding: Finding) -> bool {
        self.manifest.account.tells_of(finding)
    }

    /// Shows every scope that the manifest itself lists, with the directory of its protocol.
    pub(crate) fn for_each_scope(&self, take: &mut dyn FnMut(&'static str, &str) -> Result<()>) -> Result<()> {
        self.manifest.for_each_scope(take)
    }

    /// The scopes of a protocol that SCOPES.jsonl lists; to be taken once.
    pub(crate) fn take_listed(&mut self, directory: &'static str) -> Sorter {
        self.listed.remove(directory).unwrap_or_else(|| self.sorter())
    }

    /// Those of all protocols, to be filled.
    pub(crate) fn take_all_listed(&mut self) -> FileScopes {
        std::mem::take(&mut self.listed)
    }

    pub(crate) fn put_all_listed(&mut self, listed: FileScopes) {
        self.listed = listed;
    }

    pub(crate) fn scratch(&self) -> Arc<dyn Scratch> {
        Arc::clone(&self.scratch)
    }

    pub(crate) fn place(&self) -> &'a Place {
        self.place
    }

    pub(crate) fn scope(&self) -> &'a Scope {
        self.scope
    }

    /// A sorter with a part of the memory.
    pub(crate) fn sorter(&self) -> Sorter {
        Sorter::new(self.scratch(), self.memory_budget / SMALL_SHARE)
    }

    /// Shows the entries of one directory.
    pub(crate) fn show(&mut self, directory: &DumpPath, visit: &mut dyn Visit) -> Result<()> {
        let Reading { source, place, books, .. } = self;
        source.walk_directory(directory, &mut Shown { books, place, visit })
    }

    /// Shows the entries of a directory and of all directories below it.
    pub(crate) fn show_below(&mut self, directory: &DumpPath, visit: &mut dyn Visit) -> Result<()> {
        let mut deeper = self.sorter();
        deeper.push(directory.as_bytes(), b"")?;
        while !deeper.is_empty() {
            let next = self.sorter();
            let mut level = std::mem::replace(&mut deeper, next).finish()?;
            while let Some((path, _)) = level.next()? {
                self.show(&DumpPath::new(path)?, &mut Deep { visit, deeper: &mut deeper })?;
            }
        }
        Ok(())
    }

    /// Notes something that the user should know.
    pub(crate) fn find(&mut self, finding: Finding, example: impl FnOnce() -> Example) {
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

    /// Notes a file as there and does not read it; where it is shown it must be passed over.
    pub(crate) fn leave_out_file(&mut self, path: &DumpPath) -> Result<()> {
        self.books.leave_out(path)
    }

    /// Notes everything below a directory as there and does not read it.
    pub(crate) fn leave_out(&mut self, directory: &DumpPath) -> Result<()> {
        self.show_below(directory, &mut LeaveOut)
    }

    /// Compares all files with CHECKSUMS and tells what was read.
    pub(crate) fn finish(self) -> Result<Replayed> {
        let Reading { manifest: StoredManifest { manifest, .. }, books, .. } = self;
        let Books { entries, totals, findings, .. } = books;
        let mut problems = Problems::default();
        entries.check(&mut |_, _, _| Ok(()), &mut problems)?;
        if problems.count > 0 {
            return Err(DumpFault::Unsound(Box::new(problems)).into());
        }
        Ok(Replayed { manifest, totals, findings })
    }

    /// Says what an error means: a file that cannot be understood since it was changed is first of all a changed file.
    pub(crate) fn explain(mut self, error: Error) -> Error {
        if let Some(stopped) = self.books.stopped.take() {
            return stopped.into();
        }
        let Some((path, digest)) = self.books.suspect.take() else { return error };
        let kind = match listed_digest(self.source, &path) {
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
        let Books { monitor, stopped, totals, entries, buffer, .. } = self;
        let mut count = |len: u64| {
            monitor(len).map_err(|error| {
                *stopped = Some(error);
                io::ErrorKind::Other.into()
            })
        };
        // Also asked where nothing is read.
        count(0).map_err(read_error)?;
        let reader = HashingReader::new(content, &mut count);
        let mut file = DumpFile { path, reader, fate: Fate::Read };
        let used = use_it(&mut file).map_err(|error| error.or_at(path.as_bytes(), None));
        let DumpFile { reader, fate, .. } = file;
        match (fate, used) {
            (Fate::Read, used) => match (reader.finish(buffer), used) {
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
            (Fate::LeftOut, Ok(())) => self.leave_out(path)?,
            (Fate::PassedOver, Ok(())) => {}
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
    fate: Fate,
}

/// What becomes of a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Read,
    LeftOut,
    PassedOver,
}

impl<'f> DumpFile<'f> {
    pub(crate) fn path(&self) -> &'f DumpPath {
        self.path
    }

    /// Its name in its directory.
    pub(crate) fn name(&self) -> &'f [u8] {
        self.path.split_last().1
    }

    /// Leaves the file unread: only that it is there counts.
    pub(crate) fn leave_out(&mut self) {
        self.fate = Fate::LeftOut;
    }

    /// Leaves the file alone: it has been read in another way.
    pub(crate) fn pass_over(&mut self) {
        self.fate = Fate::PassedOver;
    }
}

impl Read for DumpFile<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buf)
    }
}

/// Turns what a source shows into books and visits.
struct Shown<'v, 'a> {
    books: &'v mut Books<'a>,
    place: &'v Place,
    visit: &'v mut dyn Visit,
}

impl Visitor for Shown<'_, '_> {
    fn directory(&mut self, path: &DumpPath) -> Result<()> {
        self.visit.directory(path).map_err(|error| error.or_at(path.as_bytes(), None))
    }

    fn file(&mut self, path: &DumpPath, content: &mut dyn Read) -> Result<()> {
        self.place.enter_file(path.as_bytes());
        let visit = &mut self.visit;
        self.books.read(path, content, &mut |file| visit.file(file))
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
    fn directory(&mut self, path: &DumpPath) -> Result<()> {
        self.visit.directory(path)?;
        Ok(self.deeper.push(path.as_bytes(), b"")?)
    }

    fn file(&mut self, file: &mut DumpFile<'_>) -> Result<()> {
        self.visit.file(file)
    }
}

/// Reads nothing.
struct LeaveOut;

impl Visit for LeaveOut {
    fn directory(&mut self, _path: &DumpPath) -> Result<()> {
        Ok(())
    }

    fn file(&mut self, file: &mut DumpFile<'_>) -> Result<()> {
        file.leave_out();
        Ok(())
    }
}

/// Hands an event to the target; an error says which file and line it came from.
pub(crate) fn emit(target: &mut dyn Consumer, place: &Place, event: ekv_model::Event<'_>) -> Result<()> {
    target.event(event).map_err(|error| {
        let error = Error::from(error);
        match place.location().path {
            Some(path) => error.or_at(&path, place.line()),
            None => error,
        }
    })
}

/// An entry that has no meaning in its place.
pub(crate) fn unknown(path: &DumpPath, expected: &'static str) -> Error {
    Error::from(ReplayFault::UnknownEntry { expected }).at(path.as_bytes())
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
    source.open_file(path).map_err(|error| match is_missing(&error) {
        true => DumpFault::NotADump { missing }.into(),
        false => error.or_at(path.as_bytes(), None),
    })
}

/// Whether an error says that there is no such file.
pub(crate) fn is_missing(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::Source(SourceError::Io { source, .. }) => source.kind() == io::ErrorKind::NotFound,
        _ => false,
    }
}

/// What CHECKSUMS says about one file.
fn listed_digest(source: &mut dyn ScopedSource, path: &[u8]) -> Result<Option<FileDigest>> {
    let mut lines = ChecksumsReader::new(open_checksums(source)?);
    loop {
        match lines.next_line() {
            Ok(Some(line)) if line.path.as_bytes() == path => return Ok(Some(line.digest)),
            Ok(Some(_)) => {}
            Ok(None) => return Ok(None),
            Err(error) => return Err(Error::from(error.fault).at_line(error.line_number)),
        }
    }
}
