//! Stages that fail, and wishes to stop.

mod defects;
mod scratch;

use std::cell::RefCell;
use std::fs::{self, File};
use std::rc::Rc;
use std::sync::Arc;

use ekv_files::sink::{Fsync, SinkError, SinkOperation};
use ekv_model::{Cancelled, Class, Monitor, Protocol};
use ekv_spill::Scratch;
use ekv_testkit::CountedScratch;
use tempfile::TempDir;

use super::*;
use crate::Resources;
use crate::{DecodeOptions, EventOptions, NoProgress, decode};

/// A directory with a dump of a fixture.
struct Scene {
    dir: TempDir,
    dump: PathBuf,
}

impl Scene {
    /// Three strings: one expires, one has a name that only a KEYMAP explains.
    fn new() -> Self {
        let builder = ekv_testkit::SnapshotBuilder::new();
        let long = [b"!redis|str|".as_slice(), &[b'k'; 300]].concat();
        let bytes = builder
            .put(b"!redis|str|a", 7 << 16, b"\xff\x01\x00one")
            .put(b"!redis|str|b", 7 << 16, b"\xff\x01\x01\x00\x00\x01\x90\x00\x00\x00\x00two")
            .put(&long, 7 << 16, b"\xff\x01\x00three")
            .build();
        Scene::of(&bytes, Protocol::Redis)
    }

    /// The dump of one adapter.
    fn of(bytes: &[u8], adapter: Protocol) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (snapshot, dump) = (dir.path().join("snapshot.fsm"), dir.path().join("dump"));
        fs::write(&snapshot, bytes).unwrap();
        let options = DecodeOptions { events: EventOptions::of(vec![adapter]), ..DecodeOptions::default() };
        decode(&snapshot, &dump, &options, &NoProgress).unwrap();
        fs::remove_file(snapshot).unwrap();
        Scene { dir, dump }
    }

    fn snapshot(&self) -> PathBuf {
        self.dir.path().join("out.fsm")
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dir.path()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn stage(&self) -> Box<StagedFiles> {
        let snapshot = self.snapshot();
        let info = EncodeInfo::path_beside(&snapshot);
        Box::new(StagedFiles::create(&[&snapshot, &info], options().sink).unwrap())
    }

    /// Runs a whole encode over a stage.
    fn run(&self, stage: Box<dyn Stage>) -> Result<()> {
        self.run_with(stage, &options())
    }

    fn run_with(&self, stage: Box<dyn Stage>, options: &EncodeOptions) -> Result<()> {
        let mut source = open_dump(&self.dump, &Resources::DEFAULT)?;
        let plan = plan(source.as_mut(), options)?;
        let snapshot = self.snapshot();
        let job = Job { dump: &self.dump, snapshot: &snapshot, plan: &plan, options };
        job.run(source.as_mut(), stage, &NoProgress).map(|_| ())
    }
}

fn options() -> EncodeOptions {
    let sink = DirOptions { existing: ExistingTarget::Replace, fsync: Fsync::None };
    EncodeOptions { sink, ..EncodeOptions::default() }
}

/// A stage whose n-th call fails, or which changes bytes of the payload, and which counts scratch files.
struct FaultyStage {
    inner: Box<StagedFiles>,
    calls: usize,
    fails_at: usize,
    change: Option<fn(&mut Vec<u8>)>,
    scratch: Arc<CountedScratch>,
}

impl FaultyStage {
    fn new(scene: &Scene, fails_at: usize) -> Self {
        FaultyStage { inner: scene.stage(), calls: 0, fails_at, change: None, scratch: Arc::default() }
    }

    fn hit(&mut self) -> ekv_files::Result<()> {
        self.calls += 1;
        if self.calls - 1 != self.fails_at {
            return Ok(());
        }
        let (path, source) = ("out.fsm".to_owned(), std::io::ErrorKind::StorageFull.into());
        Err(SinkError::Io { operation: SinkOperation::Write, path, source }.into())
    }
}

impl Stage for FaultyStage {
    fn begin(&mut self, index: usize) -> ekv_files::Result<()> {
        self.hit()?;
        Stage::begin(self.inner.as_mut(), index)
    }
    fn write(&mut self, bytes: &[u8]) -> ekv_files::Result<()> {
        self.hit()?;
        let mut bytes = bytes.to_vec();
        if let Some(change) = self.change {
            change(&mut bytes);
        }
        Stage::write(self.inner.as_mut(), &bytes)
    }
    fn end(&mut self) -> ekv_files::Result<()> {
        self.hit()?;
        Stage::end(self.inner.as_mut())
    }
    fn open_staged(&mut self, index: usize) -> ekv_files::Result<File> {
        self.hit()?;
        Stage::open_staged(self.inner.as_mut(), index)
    }
    fn target(&self, index: usize) -> String {
        Stage::target(self.inner.as_ref(), index)
    }
    fn scratch(&self) -> Arc<dyn Scratch> {
        self.scratch.clone()
    }
    fn publish(mut self: Box<Self>) -> ekv_files::Result<Published> {
        self.hit()?;
        self.inner.publish()
    }
    fn abort(self: Box<Self>) -> ekv_files::Result<()> {
        self.inner.abort()
    }
}

#[test]
fn any_failing_call_publishes_nothing_and_leaves_nothing() {
    let scene = Scene::new();
    for fails_at in 0.. {
        match scene.run(Box::new(FaultyStage::new(&scene, fails_at))) {
            Ok(()) => {
                assert!(fails_at > 6, "{fails_at}");
                assert_eq!(scene.names(), ["dump", "out.fsm", "out.fsm.encode_info.json"]);
                break;
            }
            Err(error) => {
                assert_eq!(error.class(), Class::OutOfSpace, "{fails_at}: {error}");
                assert_eq!(scene.names(), ["dump"], "{fails_at}");
            }
        }
    }
}

#[test]
fn mismatch_leaves_an_old_payload_with_its_info_file_and_a_list() {
    let scene = Scene::new();
    let info = EncodeInfo::path_beside(&scene.snapshot());
    fs::write(scene.snapshot(), "old payload").unwrap();
    fs::write(&info, "old info").unwrap();
    fs::write(scene.dir.path().join("out.fsm.mismatch.txt"), "of an earlier run").unwrap();
    let mut stage = FaultyStage::new(&scene, usize::MAX);
    stage.change = Some(|bytes| {
        if let Some(at) = bytes.windows(3).position(|three| three == b"one") {
            bytes[at] = b'O';
        }
    });
    let error = scene.run(Box::new(stage)).unwrap_err();
    assert_eq!(error.class(), Class::Data);
    let refusal = error.downcast::<EncodeRefusal>().unwrap();
    let EncodeRefusal::SelfTest { differences: 1, first, report: Some(report) } = refusal else { panic!("{refusal}") };
    assert!(first[0].contains("SHA-256"), "{first:?}");
    assert_eq!(fs::read_to_string(report).unwrap(), format!("{}\n", first[0]));
    assert_eq!(fs::read_to_string(scene.snapshot()).unwrap(), "old payload");
    assert_eq!(fs::read_to_string(info).unwrap(), "old info");
    assert_eq!(scene.names(), ["dump", "out.fsm", "out.fsm.encode_info.json", "out.fsm.mismatch.txt"]);
}

/// Asks to stop at the n-th question.
struct StopAt {
    asked: Rc<RefCell<usize>>,
    at: usize,
}

impl Progress for StopAt {
    fn begin(&self, _phase: Phase, _total: Option<u64>) {}
}

impl Monitor for StopAt {
    fn advance(&self, _done: u64) -> Result<(), Cancelled> {
        let mut asked = self.asked.borrow_mut();
        *asked += 1;
        if *asked > self.at { Err(Cancelled) } else { Ok(()) }
    }
}

#[test]
fn wish_to_stop_is_heard_everywhere_and_leaves_nothing() {
    let scene = Scene::new();
    for at in 0.. {
        let progress = StopAt { asked: Rc::default(), at };
        match encode(&scene.dump, &scene.snapshot(), &options(), &progress) {
            Ok(_) => {
                assert!(at > 10, "{at}");
                break;
            }
            Err(error) => {
                assert_eq!(error.class(), Class::Cancelled, "{at}: {error}");
                assert_eq!(scene.names(), ["dump"], "{at}");
            }
        }
    }
}
