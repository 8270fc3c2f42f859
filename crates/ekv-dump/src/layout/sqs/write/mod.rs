//! SQS queues as files. Source: `docs/format/sqs.md`, section 4.

mod documents;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ekv_files::sink::SinkError;
use ekv_files::{DumpPath, Error, Result};
use ekv_model::Event as ModelEvent;
use ekv_model::sqs::{Event, Queue};

use crate::DumpWriter;
use crate::layout::options::TreeOptions;
use crate::layout::scopes::ScopeNames;
use crate::layout::value::flush;
use crate::layout::write_files::{WriteFiles, Written};
use crate::segment::{Decoded, SEGMENT_LEN_MAX, component, decode_segment, sha_fallback};

use documents::{push_message, push_queue, push_side_record};

/// File with the settings of a queue.
pub(crate) const QUEUE_FILE: &str = "_queue.json";
/// File with the messages of a queue.
pub(crate) const MESSAGES_FILE: &str = "messages.jsonl";
/// Directory of what clients never see.
pub(crate) const INTERNALS_DIRECTORY: &str = "_internals";
/// File with the side records of a queue, in the directory of what clients never see.
pub(crate) const SIDE_RECORDS_FILE: &str = "side_records.jsonl";
/// End of the directory of a queue without settings.
pub(crate) const ORPHAN_SUFFIX: &str = ".orphan";

/// What was written of all queues.
#[derive(Default)]
pub(crate) struct Queues {
    options: TreeOptions,
    open: Option<QueueFiles>,
    /// Names of the queues that have a directory, as they came.
    names: ScopeNames,
    out: Vec<u8>,
}

/// The files of one queue.
struct QueueFiles {
    /// Path of the open file, or of the directory of the queue.
    path: DumpPath,
    directory_len: usize,
    open: Option<File>,
}

/// A file with one record per line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum File {
    Messages,
    SideRecords,
}

impl WriteFiles for Queues {
    fn event(&mut self, writer: &mut DumpWriter, event: ModelEvent<'_>) -> Result<()> {
        let ModelEvent::Sqs(event) = event else { return Ok(()) };
        let options = self.options;
        match event {
            Event::Queue(queue) => self.queue(writer, queue),
            Event::Orphan { name } => {
                self.open = Some(QueueFiles::new(&orphan_directory(name))?);
                Ok(())
            }
            Event::Message(message) => self
                .line(writer, File::Messages, |writer, out| push_message(message, options.sqs_visibility, out, writer)),
            Event::SideRecord(record) => {
                self.line(writer, File::SideRecords, |writer, out| push_side_record(&record, out, writer))
            }
            Event::End => match self.open.take() {
                Some(mut files) => files.end_file(writer),
                None => Err(misplaced()),
            },
        }
    }

    fn finish(&mut self, _: &mut DumpWriter) -> Result<Written> {
        Ok(Written { names: std::mem::take(&mut self.names), ..Written::default() })
    }
}

impl Queues {
    pub(crate) fn new(options: TreeOptions) -> Self {
        Queues { options, ..Queues::default() }
    }

    fn queue(&mut self, writer: &mut DumpWriter, queue: &Queue) -> Result<()> {
        let mut files = QueueFiles::new(&component(&queue.name))?;
        files.path.push(QUEUE_FILE.as_bytes())?;
        self.out.clear();
        push_queue(queue, self.options.extended, &mut self.out);
        writer.write_file(&files.path, &self.out)?;
        self.out.clear();
        files.path.truncate(files.directory_len);
        self.open = Some(files);
        // The manifest is text; servers take no other names.
        match std::str::from_utf8(&queue.name) {
            Ok(name) => self.names.push(name, &writer.scratch()),
            Err(_) => Ok(()),
        }
    }

    fn line(
        &mut self,
        writer: &mut DumpWriter,
        file: File,
        push: impl FnOnce(&mut DumpWriter, &mut Vec<u8>) -> Result<()>,
    ) -> Result<()> {
        self.open.as_mut().ok_or_else(misplaced)?.begin_file(writer, file)?;
        push(writer, &mut self.out)?;
        self.out.push(b'\n');
        flush(&mut self.out, writer)
    }
}

impl QueueFiles {
    fn new(directory: &[u8]) -> Result<Self> {
        let mut path = DumpPath::new(b"sqs")?;
        path.push(directory)?;
        Ok(QueueFiles { directory_len: path.len(), path, open: None })
    }

    /// Makes `file` the open one.
    fn begin_file(&mut self, writer: &mut DumpWriter, file: File) -> Result<()> {
        if self.open == Some(file) {
            return Ok(());
        }
        self.end_file(writer)?;
        match file {
            File::Messages => self.path.push(MESSAGES_FILE.as_bytes())?,
            File::SideRecords => {
                self.path.push(INTERNALS_DIRECTORY.as_bytes())?;
                self.path.push(SIDE_RECORDS_FILE.as_bytes())?;
            }
        }
        writer.begin(&self.path)?;
        self.path.truncate(self.directory_len);
        self.open = Some(file);
        Ok(())
    }

    fn end_file(&mut self, writer: &mut DumpWriter) -> Result<()> {
        if self.open.take().is_some() { writer.end() } else { Ok(()) }
    }
}

/// The directory of a queue without settings: base64url of its name, or the fallback form of a name too long for that.
fn orphan_directory(name: &[u8]) -> Vec<u8> {
    let text = URL_SAFE_NO_PAD.encode(name);
    let stem = if text.len() <= SEGMENT_LEN_MAX { text.into_bytes() } else { sha_fallback(name) };
    [stem.as_slice(), ORPHAN_SUFFIX.as_bytes()].concat()
}

/// Whether a directory is that of a queue without settings.
pub(crate) fn is_orphan_directory(directory: &[u8]) -> bool {
    directory.strip_suffix(ORPHAN_SUFFIX.as_bytes()).is_some_and(|stem| {
        !stem.is_empty()
            && (URL_SAFE_NO_PAD.decode(stem).is_ok() || matches!(decode_segment(stem), Ok(Decoded::Fallback)))
    })
}

/// The name behind the directory of a queue without settings; `None` for a fallback form, which does not tell it.
pub(crate) fn orphan_name(directory: &[u8]) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(directory.strip_suffix(ORPHAN_SUFFIX.as_bytes())?).ok()
}

fn misplaced() -> Error {
    Error::new(SinkError::Misuse { rule: "messages belong to a queue" })
}
