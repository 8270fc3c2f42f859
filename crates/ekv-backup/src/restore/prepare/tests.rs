//! Faults between the calls to the sink.

use std::fs::{self, File};
use std::sync::Arc;

use ekv_files::DumpPath;
use ekv_files::sink::{Sink, SinkError, SinkOperation};
use ekv_model::Class;
use ekv_snapshot::{FooterPolicy, Input, MemoryInput};
use ekv_spill::Scratch;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::*;
use crate::NoProgress;
use crate::restore::SelfTest;

fn payload() -> Payload {
    let bytes = ekv_testkit::SnapshotBuilder::new().bare().put(b"k", 7 << 16, &vec![b'v'; 200_000]).build();
    let info = EncodeInfo {
        encoder_key_format_version: EncodeInfo::KEY_FORMAT_VERSION,
        output_fsm_sha256: Sha256::digest(&bytes).into(),
        last_commit_ts: 7 << 16,
        self_test: SelfTest { ran: true, matched: true },
        ..EncodeInfo::default()
    };
    let len = u64::try_from(bytes.len()).unwrap();
    let source = Arc::new(MemoryInput(bytes.into()));
    let input = Input { source, len, name: "payload".into(), footer: FooterPolicy::Optional, token_crc32c: None };
    Payload { input, info }
}

fn options() -> PrepareOptions {
    PrepareOptions::new("n1=127.0.0.1:2380".parse().unwrap(), RestoreTarget::FreshCluster)
}

/// A stage whose n-th call fails, or which does something else to the staged files before the first one is read back.
struct FaultyStage {
    inner: Box<DirSink>,
    calls: usize,
    fails_at: usize,
    before_read_back: Option<Box<dyn FnOnce() + Send>>,
}

impl FaultyStage {
    fn new(parent: &TempDir, fails_at: usize) -> Self {
        let inner = DirSink::create_private(&parent.path().join("n1"), Fsync::Full).unwrap();
        FaultyStage { inner: Box::new(inner), calls: 0, fails_at, before_read_back: None }
    }

    fn hit(&mut self) -> ekv_files::Result<()> {
        self.calls += 1;
        if self.calls - 1 != self.fails_at {
            return Ok(());
        }
        let (path, source) = ("n1".to_owned(), std::io::ErrorKind::StorageFull.into());
        Err(SinkError::Io { operation: SinkOperation::Write, path, source }.into())
    }
}

impl Sink for FaultyStage {
    fn directory(&mut self, path: &DumpPath) -> ekv_files::Result<()> {
        self.hit()?;
        self.inner.directory(path)
    }
    fn begin(&mut self, path: &DumpPath) -> ekv_files::Result<()> {
        self.hit()?;
        self.inner.begin(path)
    }
    fn write(&mut self, bytes: &[u8]) -> ekv_files::Result<()> {
        self.hit()?;
        self.inner.write(bytes)
    }
    fn end(&mut self) -> ekv_files::Result<()> {
        self.hit()?;
        self.inner.end()
    }
    fn scratch(&self) -> Arc<dyn Scratch> {
        self.inner.scratch()
    }
    fn publish(mut self: Box<Self>) -> ekv_files::Result<Published> {
        self.hit()?;
        self.inner.publish()
    }
    fn abort(self: Box<Self>) -> ekv_files::Result<()> {
        self.inner.abort()
    }
}

impl ReadableSink for FaultyStage {
    fn open_staged(&mut self, path: &DumpPath) -> ekv_files::Result<File> {
        self.hit()?;
        if let Some(interfere) = self.before_read_back.take() {
            interfere();
        }
        ReadableSink::open_staged(self.inner.as_mut(), path)
    }
}

#[test]
fn any_failing_call_publishes_nothing_and_leaves_nothing() {
    for fails_at in 0.. {
        let parent = tempfile::tempdir().unwrap();
        let stage = Box::new(FaultyStage::new(&parent, fails_at));
        match prepare_in(stage, &payload(), &options(), &NoProgress) {
            Ok(_) => {
                assert!(fails_at > 20 && parent.path().join("n1").is_dir(), "{fails_at}");
                break;
            }
            Err(error) => {
                assert_eq!(error.class(), Class::OutOfSpace, "{fails_at}: {error}");
                assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0, "{fails_at}");
            }
        }
    }
}

#[test]
fn any_byte_of_a_small_file_that_changes_after_it_was_written_is_noticed() {
    let [_, snap, wal, peers] = Beginning { index: 1, term: 1, peers: &options().peers }.paths();
    for (path, len) in [(snap, 45), (wal, 4096), (peers, 58)] {
        for at in (0..len).filter(|at| *at < 200 || at % 97 == 0) {
            let error = prepare_with_change(&path, move |bytes| bytes[at] ^= 4);
            assert!(matches!(error, Some(RestoreError::ReadBack { .. })), "{path}, byte {at}: {error:?}");
        }
        let error = prepare_with_change(&path, |bytes| bytes.truncate(20));
        assert!(matches!(error, Some(RestoreError::ReadBack { .. })), "{path} cut: {error:?}");
    }
}

#[test]
fn changed_cut_or_longer_server_file_is_noticed() {
    let [fsm, ..] = Beginning { index: 1, term: 1, peers: &options().peers }.paths();
    for at in [0, 8, 15, 16, 100, 100_000, 200_000] {
        let error = prepare_with_change(&fsm, move |bytes| bytes[at] ^= 1);
        assert!(matches!(error, Some(RestoreError::ReadBack { .. })), "{at}: {error:?}");
    }
    let cut = prepare_with_change(&fsm, |bytes| bytes.truncate(100_000));
    assert!(matches!(cut, Some(RestoreError::ReadBack { .. })), "{cut:?}");
    let longer = prepare_with_change(&fsm, |bytes| bytes.push(0));
    assert!(matches!(longer, Some(RestoreError::ReadBack { .. })), "{longer:?}");
}

/// Changes a staged file before it is read back; the error that follows, after which nothing may be left.
fn prepare_with_change(path: &str, change: impl FnOnce(&mut Vec<u8>) + Send + 'static) -> Option<RestoreError> {
    let parent = tempfile::tempdir().unwrap();
    let mut stage = FaultyStage::new(&parent, usize::MAX);
    let staging = fs::read_dir(parent.path()).unwrap().next().unwrap().unwrap().path();
    let staged = staging.join("tree").join(path);
    stage.before_read_back = Some(Box::new(move || {
        let mut bytes = fs::read(&staged).unwrap();
        change(&mut bytes);
        fs::write(&staged, bytes).unwrap();
    }));
    let error = prepare_in(Box::new(stage), &payload(), &options(), &NoProgress).unwrap_err();
    assert_eq!(error.class(), Class::WriteIo);
    assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
    error.downcast().ok()
}
