//! What becomes of a batch: its files are hashed, then they go to the sink. Both can have a thread of their own.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};

use ekv_files::checksums::FileDigest;
use ekv_files::sink::{Sink, for_each_zeros};
use ekv_files::{DumpPath, Result};
use ekv_spill::Sorter;
use sha2::{Digest, Sha256};

use super::batch::{Batch, Step};
use crate::portable::PortableCheck;

/// Memory for the paths and digests that wait to be sorted, in bytes.
const CHECKSUMS_BUDGET_LEN: usize = 8 << 20;
/// Memory for the names that wait to be compared, in bytes.
const NAMES_BUDGET_LEN: usize = 4 << 20;
/// Batches that wait for a stage.
const QUEUE_LEN: usize = 2;
/// Batches that may be on their way: one being filled, and for each stage one in work and those that wait.
const BATCHES_MAX: usize = 1 + 2 * (QUEUE_LEN + 1);

/// First stage: hashes files and notes their names.
pub(super) struct Digests {
    /// Key: path. Payload: digest.
    pub(super) checksums: Sorter,
    pub(super) names: PortableCheck,
    hasher: Sha256,
    path: DumpPath,
}

impl Digests {
    pub(super) fn new(sink: &dyn Sink) -> Self {
        Digests {
            checksums: Sorter::new(sink.scratch(), CHECKSUMS_BUDGET_LEN),
            names: PortableCheck::new(sink.scratch(), NAMES_BUDGET_LEN),
            hasher: Sha256::new(),
            path: DumpPath::root(),
        }
    }

    fn take(&mut self, batch: &Batch) -> Result<()> {
        batch.steps().try_for_each(|step| match step {
            Step::Directory(_) => Ok(()),
            Step::Begin(path) => {
                self.path.set_checked(path);
                Ok(())
            }
            Step::Write(bytes) => {
                self.hasher.update(bytes);
                Ok(())
            }
            Step::Hole(len) => for_each_zeros(len, |zeros| {
                self.hasher.update(zeros);
                Ok(())
            }),
            Step::End => {
                let digest: FileDigest = self.hasher.finalize_reset().into();
                self.checksums.push(self.path.as_bytes(), &digest)?;
                self.names.add_file(&self.path)
            }
        })
    }
}

/// Second stage: the sink.
pub(super) struct Output {
    pub(super) sink: Box<dyn Sink>,
    path: DumpPath,
}

impl Output {
    pub(super) fn new(sink: Box<dyn Sink>) -> Self {
        Output { sink, path: DumpPath::root() }
    }

    fn take(&mut self, batch: &Batch) -> Result<()> {
        batch.steps().try_for_each(|step| match step {
            Step::Directory(path) => {
                self.path.set_checked(path);
                self.sink.directory(&self.path)
            }
            Step::Begin(path) => {
                self.path.set_checked(path);
                self.sink.begin(&self.path)
            }
            Step::Write(bytes) => self.sink.write(bytes),
            Step::Hole(len) => self.sink.hole(len),
            Step::End => self.sink.end(),
        })
    }
}

/// Both stages, in one thread.
pub(super) struct Stages {
    pub(super) digests: Digests,
    pub(super) output: Output,
}

impl Stages {
    pub(super) fn new(sink: Box<dyn Sink>) -> Self {
        Stages { digests: Digests::new(&*sink), output: Output::new(sink) }
    }

    pub(super) fn take(&mut self, batch: &Batch) -> Result<()> {
        self.digests.take(batch)?;
        self.output.take(batch)
    }
}

/// Both stages at work in threads. Dropping it waits for them; what they have not taken yet is passed over.
pub(super) struct Running {
    /// None once no more is to come.
    batches: Option<SyncSender<Batch>>,
    spare: Receiver<Batch>,
    /// The one that is being filled included.
    batches_made: usize,
    is_abandoned: Arc<AtomicBool>,
    threads: Option<(StageThread<Digests>, StageThread<Output>)>,
}

type StageThread<T> = JoinHandle<Option<Ended<T>>>;

/// A stage whose thread has ended, and its error.
struct Ended<T> {
    stage: T,
    result: Result<()>,
}

impl Running {
    /// Starts the threads; gives the stages back where the platform has none to give.
    pub(super) fn start(stages: Stages) -> Result<Self, Box<Stages>> {
        let is_abandoned = Arc::new(AtomicBool::new(false));
        let (batches, to_hash) = sync_channel(QUEUE_LEN);
        let (hashed, to_write) = sync_channel(QUEUE_LEN);
        let (used, spare) = sync_channel(BATCHES_MAX);
        let hash = spawn("hash", Digests::take, to_hash, hashed, &is_abandoned);
        let write = spawn("write", Output::take, to_write, used, &is_abandoned);
        let (Ok(hash), Ok(write)) = (hash, write) else { return Err(Box::new(stages)) };
        let Stages { digests, output } = stages;
        let threads = Some((hash.begin(digests), write.begin(output)));
        Ok(Running { batches: Some(batches), spare, batches_made: 1, is_abandoned, threads })
    }

    /// An empty batch; waits for one if enough are on their way. None if a stage failed.
    pub(super) fn spare_batch(&mut self) -> Option<Batch> {
        let mut batch = match self.spare.try_recv() {
            Ok(batch) => batch,
            Err(_) if self.batches_made < BATCHES_MAX => {
                self.batches_made = self.batches_made.saturating_add(1);
                Batch::default()
            }
            Err(_) => self.spare.recv().ok()?,
        };
        batch.clear();
        Some(batch)
    }

    /// Hands a batch to the first stage. False if a stage failed.
    pub(super) fn send(&self, batch: Batch) -> bool {
        self.batches.as_ref().is_some_and(|batches| batches.send(batch).is_ok())
    }

    /// Waits until everything is done, and gives the stages back, with the first error.
    pub(super) fn join(mut self) -> Option<(Stages, Result<()>)> {
        self.end()
    }

    /// Ends without doing what was not begun, and gives the stages back.
    pub(super) fn abandon(mut self) -> Option<Stages> {
        self.is_abandoned.store(true, Ordering::Relaxed);
        self.end().map(|(stages, _)| stages)
    }

    fn end(&mut self) -> Option<(Stages, Result<()>)> {
        self.batches = None;
        let (hash, write) = self.threads.take()?;
        let (hashed, written) = (ended(hash)?, ended(write)?);
        let result = written.result.and(hashed.result);
        Some((Stages { digests: hashed.stage, output: written.stage }, result))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.is_abandoned.store(true, Ordering::Relaxed);
        // Dropping the sink removes what it has written.
        drop(self.end());
    }
}

/// A thread that waits for its stage.
struct Waiting<T> {
    give: SyncSender<T>,
    thread: StageThread<T>,
}

impl<T> Waiting<T> {
    fn begin(self, stage: T) -> StageThread<T> {
        // The thread takes it: it does nothing else before.
        let _ = self.give.send(stage);
        self.thread
    }
}

fn spawn<T: Send + 'static>(
    name: &str,
    take: fn(&mut T, &Batch) -> Result<()>,
    incoming: Receiver<Batch>,
    outgoing: SyncSender<Batch>,
    is_abandoned: &Arc<AtomicBool>,
) -> std::io::Result<Waiting<T>> {
    let is_abandoned = Arc::clone(is_abandoned);
    let (give, get) = sync_channel(1);
    let thread = Builder::new().name(name.to_owned()).spawn(move || {
        let stage = get.recv().ok()?;
        Some(work(stage, take, incoming, &outgoing, &is_abandoned))
    })?;
    Ok(Waiting { give, thread })
}

/// Runs a stage over the batches that come, and hands them on, until there are no more, nobody takes them, or one fails.
fn work<T>(
    mut stage: T,
    take: fn(&mut T, &Batch) -> Result<()>,
    incoming: Receiver<Batch>,
    outgoing: &SyncSender<Batch>,
    is_abandoned: &AtomicBool,
) -> Ended<T> {
    for batch in incoming {
        if is_abandoned.load(Ordering::Relaxed) {
            break;
        }
        if let Err(error) = take(&mut stage, &batch) {
            return Ended { stage, result: Err(error) };
        }
        if outgoing.send(batch).is_err() {
            break;
        }
    }
    Ended { stage, result: Ok(()) }
}

fn ended<T>(thread: StageThread<T>) -> Option<Ended<T>> {
    thread.join().unwrap_or_else(|panic| resume_unwind(panic))
}
