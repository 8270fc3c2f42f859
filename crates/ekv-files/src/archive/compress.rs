//! What lies around the tar when it is written: nothing, or frames of zstd, the index of names and the table of all of them.
//!
//! Source: `docs/format/tree.md`, section 9.3.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use ekv_spill::Scratch;

use super::ZstdLevel;
use super::frame::FrameCompressor;
use super::names::NameSorter;
use super::options::{ArchiveOptions, Compression};
use super::seekable::{FRAME_LEN, TableWriter};
use super::write_error::WriteError;

/// Frames beyond one for each thread that wait to be compressed or written.
const WAITING_FRAMES: usize = 2;

/// Compresses what is written, or passes it on.
pub(crate) enum Compressor<W: Write> {
    Plain(W),
    Frames(Box<Frames<W>>),
}

impl<W: Write> Compressor<W> {
    /// Begins the compressed data. Where this build has no compression, asking for it is an error.
    pub(crate) fn new(output: W, options: &ArchiveOptions, scratch: Arc<dyn Scratch>) -> io::Result<Self> {
        Ok(match options.compression {
            Compression::None => Compressor::Plain(output),
            Compression::Zstd(level) => {
                Compressor::Frames(Box::new(Frames::new(output, level, options.worker_count(), scratch)?))
            }
        })
    }

    /// Takes scratch files from elsewhere; nothing may have been written yet.
    pub(crate) fn set_scratch(&mut self, scratch: Arc<dyn Scratch>) {
        if let Compressor::Frames(frames) = self {
            frames.table = TableWriter::new(scratch);
        }
    }

    /// Whether there is a place for an index of names.
    pub(crate) fn takes_names(&self) -> bool {
        matches!(self, Compressor::Frames(_))
    }

    /// Ends the compressed data, with `names` behind it, and gives the output back.
    pub(crate) fn finish(self, names: Option<NameSorter>) -> Result<W, WriteError> {
        match self {
            Compressor::Plain(output) => Ok(output),
            Compressor::Frames(frames) => frames.finish(names),
        }
    }

    /// Gives the output back as it is.
    pub(crate) fn into_output(self) -> W {
        match self {
            Compressor::Plain(output) => output,
            Compressor::Frames(frames) => frames.output,
        }
    }
}

impl<W: Write> Write for Compressor<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Compressor::Plain(output) => output.write(bytes),
            Compressor::Frames(frames) => frames.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Compressor::Plain(output) => output.flush(),
            Compressor::Frames(frames) => frames.output.flush(),
        }
    }
}

/// Cuts what is written into frames of [`FRAME_LEN`] bytes, which threads compress; writes them in order.
///
/// The bytes do not depend on the number of threads. Cost: for each thread and for [`WAITING_FRAMES`] more, two buffers of the length of a frame, and
/// what the library needs for each thread.
pub(crate) struct Frames<W> {
    output: W,
    level: ZstdLevel,
    /// The content of the frame that is being filled.
    content: Vec<u8>,
    /// Frames that are with the threads, in order.
    waiting: VecDeque<Receiver<io::Result<Frame>>>,
    waiting_max: usize,
    /// Buffers that can be used again.
    spare: Vec<Frame>,
    threads: Threads,
    table: TableWriter,
}

/// The content of a frame, and the frame.
#[derive(Default)]
struct Frame {
    content: Vec<u8>,
    compressed: Vec<u8>,
}

impl<W: Write> Frames<W> {
    fn new(output: W, level: ZstdLevel, threads: usize, scratch: Arc<dyn Scratch>) -> io::Result<Self> {
        Ok(Frames {
            output,
            level,
            content: Vec::with_capacity(FRAME_LEN),
            waiting: VecDeque::new(),
            waiting_max: threads.saturating_add(WAITING_FRAMES),
            spare: Vec::new(),
            threads: Threads::start(level, threads)?,
            table: TableWriter::new(scratch),
        })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = FRAME_LEN.saturating_sub(self.content.len());
        let now = bytes.get(..room).unwrap_or(bytes);
        self.content.extend_from_slice(now);
        if self.content.len() >= FRAME_LEN {
            self.end_frame()?;
        }
        Ok(now.len())
    }

    /// Gives the frame to the threads.
    fn end_frame(&mut self) -> io::Result<()> {
        if self.waiting.len() >= self.waiting_max {
            self.write_first()?;
        }
        let mut frame = self.spare.pop().unwrap_or_default();
        frame.content.clear();
        frame.content.reserve_exact(FRAME_LEN);
        std::mem::swap(&mut frame.content, &mut self.content);
        self.waiting.push_back(self.threads.compress(frame)?);
        Ok(())
    }

    /// Writes the frame that has waited longest.
    fn write_first(&mut self) -> io::Result<()> {
        let Some(first) = self.waiting.pop_front() else { return Ok(()) };
        let frame = first.recv().map_err(|_| gone())??;
        self.output.write_all(&frame.compressed)?;
        self.table.add(frame.compressed.len(), frame.content.len())?;
        self.spare.push(frame);
        Ok(())
    }

    fn finish(mut self, names: Option<NameSorter>) -> Result<W, WriteError> {
        if !self.content.is_empty() {
            self.end_frame()?;
        }
        while !self.waiting.is_empty() {
            self.write_first()?;
        }
        let Frames { mut output, level, mut table, .. } = self;
        if let Some(names) = names {
            names.write(level, &mut table, &mut output)?;
        }
        table.finish(&mut output)?;
        Ok(output)
    }
}

/// Threads that compress frames.
struct Threads {
    /// `None` once they shall end.
    jobs: Option<Sender<Job>>,
    handles: Vec<JoinHandle<()>>,
}

/// A frame to be compressed, and whom to give it to.
struct Job {
    frame: Frame,
    done: SyncSender<io::Result<Frame>>,
}

impl Threads {
    fn start(level: ZstdLevel, count: usize) -> io::Result<Self> {
        let (jobs, queue) = channel();
        let queue = Arc::new(Mutex::new(queue));
        let mut threads = Threads { jobs: Some(jobs), handles: Vec::new() };
        for _ in 0..count {
            let mut compressor = FrameCompressor::new(level)?;
            let queue = Arc::clone(&queue);
            let run = move || {
                while let Some(job) = next_job(&queue) {
                    let Job { mut frame, done } = job;
                    let compressed = compressor.compress(&frame.content, &mut frame.compressed);
                    // Whoever waits no more has given up.
                    let _ = done.send(compressed.map(|()| frame));
                }
            };
            threads.handles.push(std::thread::Builder::new().name("zstd".to_owned()).spawn(run)?);
        }
        Ok(threads)
    }

    fn compress(&self, frame: Frame) -> io::Result<Receiver<io::Result<Frame>>> {
        let (done, result) = sync_channel(1);
        self.jobs.as_ref().and_then(|jobs| jobs.send(Job { frame, done }).ok()).ok_or_else(gone)?;
        Ok(result)
    }
}

fn next_job(queue: &Mutex<Receiver<Job>>) -> Option<Job> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.jobs = None;
        for handle in self.handles.drain(..) {
            // One that has panicked has said so, and the frame that it lost is missed.
            let _ = handle.join();
        }
    }
}

fn gone() -> io::Error {
    io::Error::other("a thread that compresses has ended")
}
