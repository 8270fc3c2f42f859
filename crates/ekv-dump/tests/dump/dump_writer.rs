//! The writer of a whole dump: its last files, its digests, its totals.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests may panic")]

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ekv_dump::{DumpTotals, DumpWriter};
use ekv_files::sink::{MemoryDump, MemorySink, Published, Sink, SinkError};
use ekv_files::{DumpPath, Error};
use ekv_model::{Body, ByteSource, Class};
use ekv_spill::{Scratch, Spool, SystemScratch};

/// SHA-256 of `{}`, of nothing and of `abc`.
const MANIFEST: &str = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

fn path(text: &[u8]) -> DumpPath {
    DumpPath::new(text).unwrap()
}

fn spooled(content: &[u8]) -> ekv_spill::Spooled {
    let mut spool = Spool::new(Arc::new(SystemScratch::new()), 10);
    spool.write_all(content).unwrap();
    spool.into_reader().unwrap()
}

/// Without threads, and with them.
const JOBS: [usize; 2] = [1, 3];

fn writer(sink: impl Sink + 'static, jobs: usize) -> DumpWriter {
    DumpWriter::with_jobs(Box::new(sink), NonZeroUsize::new(jobs).unwrap())
}

#[test]
fn checksums_list_every_file_in_byte_order_with_the_digest_of_what_was_written() {
    JOBS.into_iter().for_each(check_checksums);
}

fn check_checksums(jobs: usize) {
    let dump = MemoryDump::new();
    let mut writer = writer(MemorySink::new(&dump), jobs);
    writer.directory(&path(b"empty")).unwrap();
    writer.write_file(&path(b"a_b"), b"").unwrap();
    writer.write_file(&path(b"a/b"), b"abc").unwrap();
    writer.write_file(&path(b"a-b\n\\"), b"").unwrap();
    let long = vec![b'a'; 150_000];
    let streamed = spooled(&long);
    writer.begin(&path(b"z/body")).unwrap();
    writer.write_body(&Body::Inline(b"")).unwrap();
    writer.write_body(&streamed.body()).unwrap();
    writer.end().unwrap();
    writer.begin(&path(b"z/spooled")).unwrap();
    writer.write_spooled(&streamed).unwrap();
    writer.end().unwrap();
    assert_eq!(writer.totals(), DumpTotals { files: 5, bytes: 300_003 });
    writer.finish(b"{}").unwrap();

    let entries = dump.entries().unwrap();
    assert_eq!(entries[&b"z/body"[..]].as_deref(), Some(&long[..]));
    let checksums = String::from_utf8(entries[&b"CHECKSUMS"[..]].clone().unwrap()).unwrap();
    let lines: Vec<&str> = checksums.lines().collect();
    assert_eq!(lines[0], format!("{MANIFEST}  MANIFEST.json"));
    assert_eq!(lines[1], format!("\\{EMPTY}  a-b\\n\\\\"));
    assert_eq!(lines[2], format!("{ABC}  a/b"));
    assert_eq!(lines[3], format!("{EMPTY}  a_b"));
    let (body, spooled) = (lines[4].split_once("  ").unwrap(), lines[5].split_once("  ").unwrap());
    assert_eq!((body.1, spooled.1, body.0), ("z/body", "z/spooled", spooled.0));
    assert_eq!(lines.len(), 6);
    assert!(checksums.ends_with('\n'));
}

#[test]
fn name_of_a_last_file_that_is_taken_publishes_nothing() {
    for name in [&b"MANIFEST.json"[..], b"CHECKSUMS", b"CHECKSUMS/x"] {
        for jobs in JOBS {
            let dump = MemoryDump::new();
            let mut writer = writer(MemorySink::new(&dump), jobs);
            writer.write_file(&path(name), b"").unwrap();
            assert_eq!(writer.finish(b"{}").unwrap_err().class(), Class::Data);
            assert!(dump.entries().is_none());
        }
    }
}

#[test]
fn value_that_cannot_be_read_keeps_the_class_of_its_error() {
    struct Broken;
    impl ByteSource for Broken {
        fn len(&self) -> u64 {
            10
        }
        fn read_exact_at(&self, _offset: u64, _buf: &mut [u8]) -> ekv_model::Result<()> {
            Err(ekv_model::Error::new(Class::Data, "the snapshot became shorter"))
        }
    }
    let dump = MemoryDump::new();
    let mut writer = DumpWriter::new(Box::new(MemorySink::new(&dump)));
    writer.begin(&path(b"x")).unwrap();
    let error = writer.write_body(&Body::Streamed(&Broken)).unwrap_err();
    assert_eq!((error.class(), error.to_string().as_str()), (Class::Data, "the snapshot became shorter"));
}

/// Fails at the n-th write, and counts how often it was given up.
struct Failing {
    inner: MemorySink,
    writes_left: u64,
    dropped: Arc<AtomicU64>,
}

impl Sink for Failing {
    fn directory(&mut self, path: &DumpPath) -> Result<(), Error> {
        self.inner.directory(path)
    }
    fn begin(&mut self, path: &DumpPath) -> Result<(), Error> {
        self.inner.begin(path)
    }
    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        match self.writes_left.checked_sub(1) {
            Some(left) => self.writes_left = left,
            None => return Err(Error::new(SinkError::Unsupported)),
        }
        self.inner.write(bytes)
    }
    fn end(&mut self) -> Result<(), Error> {
        self.inner.end()
    }
    fn scratch(&self) -> Arc<dyn Scratch> {
        self.inner.scratch()
    }
    fn publish(self: Box<Self>) -> Result<Published, Error> {
        panic!("published after a failure")
    }
    fn abort(self: Box<Self>) -> Result<(), Error> {
        Ok(())
    }
}

impl Drop for Failing {
    fn drop(&mut self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

/// Writes many files, and answers the first error.
fn write_many(writer: &mut DumpWriter, files: u32) -> Result<(), Error> {
    (0..files).try_for_each(|file| writer.write_file(&path(format!("d/{file}").as_bytes()), &[b'v'; 1000]))
}

#[test]
fn error_of_the_sink_comes_back_wherever_it_works_and_nothing_is_published() {
    for jobs in JOBS {
        for writes_left in [0, 1, 300, 2999] {
            let dump = MemoryDump::new();
            let dropped = Arc::new(AtomicU64::new(0));
            let sink = Failing { inner: MemorySink::new(&dump), writes_left, dropped: Arc::clone(&dropped) };
            let mut writer = writer(sink, jobs);
            let error = match write_many(&mut writer, 3000) {
                Err(error) => {
                    writer.abort().unwrap();
                    error
                }
                Ok(()) => writer.finish(b"{}").unwrap_err(),
            };
            assert!(matches!(error.kind(), ekv_files::ErrorKind::Sink(SinkError::Unsupported)), "{error}");
            assert_eq!(dropped.load(Ordering::Relaxed), 1);
            assert!(dump.entries().is_none());
        }
    }
}

#[test]
fn writer_that_is_dropped_waits_for_its_threads_and_gives_up_the_sink() {
    for jobs in JOBS {
        let dump = MemoryDump::new();
        let dropped = Arc::new(AtomicU64::new(0));
        let sink = Failing { inner: MemorySink::new(&dump), writes_left: u64::MAX, dropped: Arc::clone(&dropped) };
        let mut writer = writer(sink, jobs);
        write_many(&mut writer, 3000).unwrap();
        drop(writer);
        assert_eq!(dropped.load(Ordering::Relaxed), 1);
        assert!(dump.entries().is_none());
    }
}

#[test]
fn dump_does_not_depend_on_the_number_of_jobs() {
    let [one, other] = JOBS.map(|jobs| {
        let dump = MemoryDump::new();
        let mut writer = writer(MemorySink::new(&dump), jobs);
        write_many(&mut writer, 3000).unwrap();
        writer.write_file(&path(b"large"), &vec![b'x'; 1 << 20]).unwrap();
        writer.directory(&path(b"empty")).unwrap();
        assert_eq!(writer.totals(), DumpTotals { files: 3001, bytes: 3_000_000 + (1 << 20) });
        assert!(writer.portable_names().unwrap().is_portable());
        writer.finish(b"{}").unwrap();
        dump.entries().unwrap()
    });
    assert!(one.len() > 3000 && one == other);
}
