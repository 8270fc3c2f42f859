//! `get`: one thing, as it is. Source: `docs/format/tree.md`, section 20.2.

use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ekv_dump::{DumpWriter, Role, TreeOptions, TreeTarget, role_of};
use ekv_files::DumpPath;
use ekv_files::sink::{DirOptions, Published, Sink, SinkError, SinkOperation, StagedFiles, for_each_zeros};
use ekv_model::{Class, Consumer, Error, Event, Kind, Name, Protocol, Result, Size, Step, Thing, Things};
use ekv_spill::{Scratch, Spool, Spooled, is_out_of_space};
use ekv_text::base64::Base64Stream;
use ekv_text::json::{ShownStream, Utf8Check, write_shown_object};

use super::list::Row;
use super::look::{BY_INDEX, Look};
use super::source::Source;
use crate::losses::scratch_error;
use crate::progress::Progress;
use crate::time::format_unix_ms;
use crate::{EventOptions, Resources};

/// What of a value waits in memory before it goes to scratch space, in bytes.
const SPOOL_BUDGET: usize = 1 << 20;

/// What is wanted.
#[derive(Clone, Debug)]
pub struct GetOptions {
    /// What is selected: one name.
    pub events: EventOptions,
    /// That name.
    pub name: Name,
    /// One line of JSON with everything that is known, instead of the bytes.
    pub json: bool,
    /// What reading may take.
    pub resources: Resources,
}

/// Where it goes.
pub enum GetOutput<'o> {
    /// A stream, which gets the bytes as they are read. It refuses what it cannot take with [`io::ErrorKind::Unsupported`].
    Stream(Box<dyn Write + Send>),
    /// A new file, whole or absent.
    File(&'o Path, DirOptions),
}

/// What was got.
#[derive(Clone, Debug, Default)]
pub struct GetReport {
    /// Its length as it was written, in bytes; 0 if who reads the stream went away.
    pub len: u64,
    /// Whether it may be older than it should be: see [`Look::is_doubtful`].
    pub is_doubtful: bool,
    /// What is unusual about the groups and the moment that were read.
    pub of_groups: Vec<String>,
}

/// Why nothing is got.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error(
        "{name} is {what}, and not one thing: `ls SOURCE {name}` lists it, `decode SOURCE DUMP {name}` writes all of it"
    )]
    Scope { name: String, what: String },
    #[error("{name} has expired at {at}; --expired keep shows it")]
    Expired { name: String, at: String },
    #[error("nothing matches {name}{hint}")]
    Nothing { name: String, hint: String },
    #[error("{name} is no text, and a terminal shows nothing else: -o FILE or a pipe takes it, --json shows it")]
    Unsuited { name: String },
    #[error("{name} cannot be read: {what}")]
    Damaged { name: String, what: String },
    #[error("{name} is not in the dump: it could not be read when that was made: {what}")]
    Lost { name: String, what: String },
    #[error(
        "{name} means several items of a table whose keys have several types: {first} and {second}; write the type in front, as S. N. or B."
    )]
    Several { name: String, first: String, second: String },
}

impl Refused {
    fn error(self) -> Error {
        let class = match self {
            Refused::Scope { .. } | Refused::Several { .. } | Refused::Unsuited { .. } => Class::Environment,
            Refused::Expired { .. } | Refused::Nothing { .. } => Class::NoMatch,
            Refused::Damaged { .. } | Refused::Lost { .. } => Class::Data,
        };
        Error::new(class, self)
    }
}

/// Gets what one address names: the bytes of a string or an object, anything else as the file that a dump has of it.
///
/// Cost: what the address narrows the reading to, and of a snapshot the check of all of it. Memory: fixed; what cannot be streamed goes to
/// scratch space.
///
/// # Errors
/// An address that names a scope, or nothing; a value that is damaged; those of reading and writing. A stream may have got bytes before.
pub fn get(
    source: &mut Source,
    options: &GetOptions,
    output: GetOutput<'_>,
    progress: &dyn Progress,
) -> Result<GetReport> {
    let GetOptions { events, name, json, resources } = options;
    refuse_scope(name, *json)?;
    let scratch = resources.scratch();
    // What may turn out to be several things, or is described first, waits.
    let is_streamed = !json && name.protocol != Protocol::DynamoDb;
    let kept = Arc::new(Mutex::new(Kept::new(Destination::open(output)?, is_streamed, &scratch)));
    let sink = OneFile { kept: Arc::clone(&kept), role: Role::Other, scratch: Arc::clone(&scratch) };
    let tree_options = TreeOptions { holes_max: Some(u64::MAX), ..TreeOptions::default() };
    let tree = TreeTarget::with_options(DumpWriter::new(Box::new(sink)), tree_options);
    let mut getter = Getter { tree, things: Things::default(), seen: Vec::new() };
    let poured = source.look(events, &mut getter, &scratch, progress);
    let Getter { tree, seen, .. } = getter;
    let finished = poured.and_then(|poured| match tree.finish() {
        Ok((writer, _)) => writer.finish(b"").map(|_| poured).map_err(Error::from),
        Err(error) => Err(error.into()),
    });
    let mut kept = lock(&kept);
    let Kept { mut destination, content, metadata, .. } = std::mem::replace(&mut *kept, Kept::nothing(&scratch));
    if destination.was_left {
        return Ok(GetReport::default());
    }
    let written = finished.and_then(|poured| {
        check_answer(source, &poured, &seen, options)?;
        let content = content.into_reader().map_err(scratch_error)?;
        match seen.first().filter(|_| *json) {
            Some(seen) => {
                let metadata = metadata.into_reader().map_err(scratch_error)?;
                write_json(seen, &content, &metadata, &mut destination)?;
            }
            // Of a directory its line is all there is.
            None if seen.first().is_some_and(|seen| seen.kind == Kind::Directory) => {
                let line = metadata.into_reader().map_err(scratch_error)?;
                line.for_each_chunk(|chunk| destination.write(chunk))?;
            }
            None => content.for_each_chunk(|chunk| destination.write(chunk))?,
        }
        Ok(poured)
    });
    match written {
        Ok(look) => {
            let (is_doubtful, of_groups) = (look.is_doubtful, look.of_groups().collect());
            Ok(GetReport { len: destination.finish()?, is_doubtful, of_groups })
        }
        Err(_) if destination.was_left => Ok(GetReport::default()),
        Err(_) if destination.is_unsuited => Err(Refused::Unsuited { name: name.to_string() }.error()),
        Err(error) => Err(error.after_cleaning_up(destination.abort())),
    }
}

/// Refuses the address of a scope, but for a queue, whose messages are one file.
fn refuse_scope(name: &Name, json: bool) -> Result<()> {
    let what = match name.protocol {
        _ if !name.key.is_empty() => return Ok(()),
        Protocol::Sqs if !name.scope.is_empty() && !json => return Ok(()),
        _ if name.scope.is_empty() => "all of an adapter".to_owned(),
        protocol => format!("a {}", protocol.scope_noun()),
    };
    Err(Refused::Scope { name: name.to_string(), what }.error())
}

/// What was seen of a thing.
#[derive(Clone, Debug)]
struct Seen {
    kind: Kind,
    name: Name,
    size: Size,
    expire_at_ms: Option<u64>,
    commit_ts: u64,
}

impl Seen {
    fn of(thing: &Thing<'_>) -> Self {
        let Thing { kind, size, expire_at_ms, commit_ts, .. } = *thing;
        Seen { kind, name: thing.name(), size, expire_at_ms, commit_ts }
    }

    fn thing(&self) -> Thing<'_> {
        let Seen { kind, name: Name { scope, key, .. }, size, expire_at_ms, commit_ts } = self;
        Thing { kind: *kind, scope, key, size: *size, expire_at_ms: *expire_at_ms, commit_ts: *commit_ts }
    }
}

/// Things that are remembered: one more than there should be.
const SEEN_MAX: usize = 2;

/// Whether exactly what was asked for has been seen.
fn check_answer(source: &mut Source, poured: &Look, seen: &[Seen], options: &GetOptions) -> Result<()> {
    let name = &options.name;
    let shown = name.to_string();
    match seen {
        // A queue is all of its messages, be there none.
        _ if name.key.is_empty() && poured.things > 0 => Ok(()),
        [_] => Ok(()),
        [first, second, ..] => {
            let [first, second] = [first, second].map(|seen| seen.name.to_string());
            Err(Refused::Several { name: shown, first, second }.error())
        }
        [] => {
            if let Some(at_ms) = poured.last_expired_at_ms {
                return Err(Refused::Expired { name: shown, at: format_unix_ms(at_ms) }.error());
            }
            if let Some(what) = source.loss_of(name, poured) {
                let refused = match source.moment_of_dump() {
                    Some(_) => Refused::Lost { name: shown, what },
                    None => Refused::Damaged { name: shown, what },
                };
                return Err(refused.error());
            }
            let mut hint = options.events.scope.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
            if poured.is_excerpt {
                hint.push_str(BY_INDEX);
            }
            if poured.is_doubtful {
                hint.push_str(
                    "; but a group is missing or an older state was taken, and it may be there (`inspect` says which)",
                );
            } else if poured.lost_count > 0 {
                let lost = poured.lost_count;
                let things = if lost == 1 { "thing" } else { "things" };
                hint.push_str(&format!("; but {lost} {things} of the source cannot be read, and it may be among them"));
            }
            Err(Refused::Nothing { name: shown, hint }.error())
        }
    }
}

/// Makes the files that a dump would have.
struct Getter {
    tree: TreeTarget,
    things: Things,
    seen: Vec<Seen>,
}

impl Consumer for Getter {
    fn event(&mut self, event: Event<'_>) -> Result<()> {
        if let Some(thing) = self.things.event(&event)
            && self.seen.len() < SEEN_MAX
        {
            self.seen.push(Seen::of(&thing));
        }
        // What is around it is nobody's wish.
        if matches!(event.step(), Step::Around(_)) { Ok(()) } else { self.tree.event(event) }
    }
}

/// What is kept of these files.
struct Kept {
    destination: Destination,
    /// Whether content goes to the destination at once.
    is_streamed: bool,
    content: Spool,
    metadata: Spool,
}

impl Kept {
    fn new(destination: Destination, is_streamed: bool, scratch: &Arc<dyn Scratch>) -> Self {
        let spool = || Spool::new(Arc::clone(scratch), SPOOL_BUDGET);
        Kept { destination, is_streamed, content: spool(), metadata: spool() }
    }

    fn nothing(scratch: &Arc<dyn Scratch>) -> Self {
        Kept::new(
            Destination { place: GetSink::Stream(Box::new(io::sink())), len: 0, was_left: false, is_unsuited: false },
            false,
            scratch,
        )
    }
}

fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A sink that keeps the content of one thing, and what describes it.
struct OneFile {
    kept: Arc<Mutex<Kept>>,
    /// What the open file is for.
    role: Role,
    scratch: Arc<dyn Scratch>,
}

impl Sink for OneFile {
    fn directory(&mut self, _path: &DumpPath) -> ekv_files::Result<()> {
        Ok(())
    }

    fn begin(&mut self, path: &DumpPath) -> ekv_files::Result<()> {
        self.role = role_of(path.as_bytes());
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> ekv_files::Result<()> {
        let kept = &mut *lock(&self.kept);
        match self.role {
            Role::Content if kept.is_streamed => kept.destination.put(bytes),
            Role::Content => Ok(kept.content.write_all(bytes)?),
            Role::Metadata => Ok(kept.metadata.write_all(bytes)?),
            Role::Other => Ok(()),
        }
    }

    fn hole(&mut self, len: u64) -> ekv_files::Result<()> {
        if let (Role::Content, Kept { is_streamed: true, destination, .. }) = (self.role, &mut *lock(&self.kept)) {
            return destination.hole(len);
        }
        for_each_zeros(len, |zeros| self.write(zeros))
    }

    fn end(&mut self) -> ekv_files::Result<()> {
        self.role = Role::Other;
        Ok(())
    }

    fn scratch(&self) -> Arc<dyn Scratch> {
        Arc::clone(&self.scratch)
    }

    fn publish(self: Box<Self>) -> ekv_files::Result<Published> {
        Ok(Published::in_memory("one thing"))
    }

    fn abort(self: Box<Self>) -> ekv_files::Result<()> {
        Ok(())
    }
}

/// Where the bytes go.
struct Destination {
    place: GetSink,
    len: u64,
    was_left: bool,
    is_unsuited: bool,
}

enum GetSink {
    Stream(Box<dyn Write + Send>),
    File(Box<StagedFiles>),
}

impl Destination {
    fn open(output: GetOutput<'_>) -> Result<Self> {
        let place = match output {
            GetOutput::Stream(stream) => GetSink::Stream(stream),
            GetOutput::File(path, options) => {
                let mut files = StagedFiles::create(&[path], options)?;
                files.begin(0)?;
                GetSink::File(Box::new(files))
            }
        };
        Ok(Destination { place, len: 0, was_left: false, is_unsuited: false })
    }

    fn put(&mut self, bytes: &[u8]) -> ekv_files::Result<()> {
        self.len = self.len.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        match &mut self.place {
            GetSink::File(files) => files.write(bytes),
            GetSink::Stream(stream) => stream.write_all(bytes).map_err(|source| {
                self.was_left |= source.kind() == io::ErrorKind::BrokenPipe;
                self.is_unsuited |= source.kind() == io::ErrorKind::Unsupported;
                let (operation, path) = (SinkOperation::Write, "standard output".to_owned());
                ekv_files::Error::new(SinkError::Io { operation, path, source })
            }),
        }
    }

    fn hole(&mut self, len: u64) -> ekv_files::Result<()> {
        match &mut self.place {
            GetSink::File(files) => {
                self.len = self.len.saturating_add(len);
                files.hole(len)
            }
            GetSink::Stream(_) => for_each_zeros(len, |zeros| self.put(zeros)),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.put(bytes)?)
    }

    /// Ends it; returns its length.
    fn finish(self) -> Result<u64> {
        match self.place {
            GetSink::Stream(mut stream) => match stream.flush() {
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
                Err(error) if is_out_of_space(&error) => return Err(Error::new(Class::OutOfSpace, error)),
                flushed => flushed.map_err(|error| Error::new(Class::WriteIo, error))?,
            },
            GetSink::File(mut files) => {
                files.end()?;
                files.publish()?;
            }
        }
        Ok(self.len)
    }

    fn abort(self) -> Result<()> {
        match self.place {
            GetSink::Stream(_) => Ok(()),
            GetSink::File(files) => Ok(files.abort()?),
        }
    }
}

/// Writes one line: what is known of the thing, what describes it, and its value.
fn write_json(seen: &Seen, content: &Spooled, metadata: &Spooled, out: &mut Destination) -> Result<()> {
    let (kind, address) = (seen.kind, seen.name.to_string());
    let row = Row { thing: seen.thing(), address: &address };
    let mut text = Vec::new();
    write_shown_object(&row, &mut text).map_err(|error| Error::new(Class::WriteIo, error))?;
    out.write(&text)?;
    // Of an object its own description; a table and a queue are described by their own commands.
    let is_described = matches!(kind, Kind::Object | Kind::File | Kind::Directory);
    if is_described && !metadata.is_empty() {
        out.write(b",\"metadata\":")?;
        write_pieces(metadata, ShownStream::json(), out)?;
    }
    if kind == Kind::Directory {
        return out.write(b"}\n");
    }
    out.write(b",\"value\":")?;
    match kind {
        Kind::String | Kind::Hll | Kind::Object | Kind::File => write_bytes(content, out)?,
        Kind::Stream => {
            out.write(b"[")?;
            write_pieces(content, ShownStream::lines(), out)?;
            out.write(b"]")?;
        }
        _ => write_pieces(content, ShownStream::json(), out)?,
    }
    out.write(b"}\n")
}

/// Writes bytes as a string, or as base64 if they are no UTF-8.
fn write_bytes(content: &Spooled, out: &mut Destination) -> Result<()> {
    let mut check = Utf8Check::default();
    content
        .for_each_chunk(|chunk| {
            check.push(chunk);
            Ok::<(), ekv_spill::Error>(())
        })
        .map_err(scratch_error)?;
    if check.is_valid() {
        out.write(b"\"")?;
        write_pieces(content, ShownStream::text(), out)?;
        return out.write(b"\"");
    }
    let (mut stream, mut encoded) = (Base64Stream::unpadded(), Vec::new());
    out.write(b"{\"base64\":\"")?;
    content.for_each_chunk(|chunk| {
        encoded.clear();
        stream.push(chunk, &mut encoded);
        out.write(&encoded)
    })?;
    encoded.clear();
    stream.finish(&mut encoded);
    out.write(&encoded)?;
    out.write(b"\"}")
}

fn write_pieces(content: &Spooled, mut stream: ShownStream, out: &mut Destination) -> Result<()> {
    let mut piece = Vec::new();
    content.for_each_chunk(|chunk| {
        piece.clear();
        stream.push(chunk, &mut piece);
        out.write(&piece)
    })
}
