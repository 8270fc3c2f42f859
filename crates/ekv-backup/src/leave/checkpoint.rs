//! How far a load has come, in a file from which it goes on, whatever the target. Source: `docs/format/redis-live.md`, section 11.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::time::Duration;

use ekv_files::sink::{DirOptions, ExistingTarget, Fsync, StagedFiles};
use ekv_model::{Class, Error, Kind, Result};
use serde::{Deserialize, Serialize};

use super::counts::Kinds;

/// Version of the file.
const FORMAT: u32 = 1;
/// How often it is written.
const EVERY: Duration = Duration::from_secs(1);
/// Longest file that is read, in bytes.
const LEN_MAX: u64 = 16 << 20;

/// Keys, items, objects or messages by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tally {
    pub(crate) loaded: u64,
    pub(crate) existed: u64,
    pub(crate) expired: u64,
    pub(crate) empty: u64,
    pub(crate) failed: u64,
}

impl Tally {
    /// All of them.
    pub(crate) fn sum(&self) -> u64 {
        let Tally { loaded, existed, expired, empty, failed } = *self;
        [loaded, existed, expired, empty, failed].into_iter().fold(0, u64::saturating_add)
    }

    pub(crate) fn add(&mut self, fate: ThingOutcome) {
        let count = match fate {
            ThingOutcome::Loaded => &mut self.loaded,
            ThingOutcome::Existed => &mut self.existed,
            ThingOutcome::Expired => &mut self.expired,
            ThingOutcome::Empty => &mut self.empty,
            ThingOutcome::Failed => &mut self.failed,
        };
        *count = count.saturating_add(1);
    }
}

/// What became of a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ThingOutcome {
    Loaded,
    Existed,
    Expired,
    Empty,
    Failed,
}

/// A thing that is done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Done {
    pub(crate) fate: ThingOutcome,
    pub(crate) kind: Kind,
    pub(crate) elements: u64,
    pub(crate) bytes: u64,
}

/// What a run must have in common with the one that it goes on with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Terms {
    /// What is read: a digest of it, or what else tells it from others.
    pub(crate) source: String,
    /// What of it is selected.
    pub(crate) selection: String,
    /// How it is written.
    pub(crate) policy: String,
    /// Address of the target.
    pub(crate) target: String,
}

/// A part of the target that was met: a node, a table, a bucket, a queue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Met {
    /// What no other one has that is called the same, such as a run id, or the moment at which it was made.
    pub(crate) id: String,
    /// Whether the load made it, or met it without anything in it: what is in it is of this load.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_own: bool,
}

/// The file.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Document {
    format: u32,
    tool: String,
    terms: Terms,
    /// The parts of the target by their names.
    met: BTreeMap<String, Met>,
    /// Names the load on the target, as long as it is not done.
    mark: String,
    /// Names what the last run leaves on the target for a while.
    run: String,
    /// Whether everything is done, and the marks are being removed: some may be gone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_done: bool,
    /// Things before this one, in the order of the source, are done.
    position: u64,
    /// What became of them.
    tally: Tally,
    /// Those that were loaded: name of the kind, things, elements, bytes.
    kinds: Vec<(String, u64, u64, u64)>,
    /// Uploads in parts that are under way: bucket and key by their ids.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    uploads: BTreeMap<String, (String, String)>,
    /// Things that are on their way and cannot be told from others there, with the time of their first try in Unix milliseconds.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    sending: BTreeMap<u64, u64>,
    /// Things behind the position that are done, where that must be known: what became of each, and its bytes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    ahead: BTreeMap<u64, (ThingOutcome, u64)>,
}

/// Knows how far a load has come, and writes it down.
pub(crate) struct Checkpoint {
    path: PathBuf,
    document: Document,
    kinds: Kinds,
    /// Things behind the position.
    window: VecDeque<Option<Done>>,
    written: Option<Duration>,
    failed: Option<Error>,
}

impl Checkpoint {
    /// Begins a new file, or goes on with one that is there.
    ///
    /// # Errors
    /// A file that is none, or of a load on other terms: the first difference is told.
    pub(crate) fn open(path: PathBuf, terms: Terms, run: &str) -> Result<(Checkpoint, Option<String>)> {
        let refuse = |text: String| Error::new(Class::Environment, format!("{}: {text}", path.display()));
        let document = match std::fs::File::open(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(refuse(format!("cannot be read: {error}"))),
            Ok(file) => {
                let file = std::io::Read::take(file, LEN_MAX);
                let document: Document = serde_json::from_reader(file)
                    .map_err(|error| refuse(format!("this is no file of --resume: {error}")))?;
                Some(document)
            }
        };
        let Some(mut document) = document else {
            let document = Document {
                format: FORMAT,
                tool: crate::report::program(),
                terms,
                met: BTreeMap::new(),
                mark: run.to_owned(),
                run: run.to_owned(),
                is_done: false,
                position: 0,
                tally: Tally::default(),
                kinds: Vec::new(),
                uploads: BTreeMap::new(),
                sending: BTreeMap::new(),
                ahead: BTreeMap::new(),
            };
            return Ok((Checkpoint::of(path, document), None));
        };
        if document.format != FORMAT {
            return Err(refuse(format!("format {} is of another version of this program", document.format)));
        }
        if document.tally.sum() != document.position {
            return Err(refuse("its numbers do not add up: it was changed".to_owned()));
        }
        let of_another = |what: &str, before: &str, now: &str| {
            refuse(format!(
                "it is of another load: {what} was {before}, and is {now}; without --resume a load begins anew"
            ))
        };
        let Terms { source, selection, policy, target } = &document.terms;
        for (what, before, now) in [
            ("the source", source, &terms.source),
            ("the selection", selection, &terms.selection),
            ("how it is written", policy, &terms.policy),
            ("the target", target, &terms.target),
        ] {
            if before != now {
                return Err(of_another(what, before, now));
            }
        }
        let before = std::mem::replace(&mut document.run, run.to_owned());
        document.terms = terms;
        Ok((Checkpoint::of(path, document), Some(before)))
    }

    fn of(path: PathBuf, document: Document) -> Self {
        let mut kinds = Kinds::default();
        for (name, keys, elements, bytes) in &document.kinds {
            if let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.name() == name) {
                kinds.add_many(kind, *keys, *elements, *bytes);
            }
        }
        Checkpoint { path, document, kinds, window: VecDeque::new(), written: None, failed: None }
    }

    /// Things before this one are done.
    pub(crate) fn position(&self) -> u64 {
        self.document.position
    }

    /// Whether an earlier run was done but for the marks and this file.
    pub(crate) fn is_done(&self) -> bool {
        self.document.is_done
    }

    /// Notes that everything is done, before the first mark is removed.
    ///
    /// # Errors
    /// As [`Checkpoint::write`].
    pub(crate) fn set_done(&mut self) -> Result<()> {
        self.document.is_done = true;
        self.write()
    }

    /// What became of those, and which were loaded.
    pub(crate) fn state(&self) -> (Tally, Kinds) {
        (self.document.tally, self.kinds.clone())
    }

    /// Names the load on the target, as long as it is not done.
    pub(crate) fn mark(&self) -> &str {
        &self.document.mark
    }

    /// The parts of the target that this load has met so far, by their names.
    pub(crate) fn met(&self) -> &BTreeMap<String, Met> {
        &self.document.met
    }

    /// The load meets a part of the target.
    pub(crate) fn meet(&mut self, name: String, met: Met) {
        self.document.met.insert(name, met);
    }

    /// Uploads in parts that are under way: bucket and key by their ids.
    pub(crate) fn uploads(&self) -> &BTreeMap<String, (String, String)> {
        &self.document.uploads
    }

    /// An upload of an object begins.
    pub(crate) fn begin_upload(&mut self, id: String, bucket: String, key: String) {
        self.document.uploads.insert(id, (bucket, key));
    }

    /// An upload is complete, or forgotten.
    pub(crate) fn end_upload(&mut self, id: &str) {
        self.document.uploads.remove(id);
    }

    /// Things that are on their way, with the time of their first try in Unix milliseconds: after an early end nobody knows whether they are there.
    pub(crate) fn sending(&self) -> &BTreeMap<u64, u64> {
        &self.document.sending
    }

    /// Writes down that things are sent which cannot be told from others there.
    ///
    /// # Errors
    /// Of the system.
    pub(crate) fn begin_sending(&mut self, numbers: impl Iterator<Item = u64>, now_ms: u64) -> Result<()> {
        for number in numbers {
            self.document.sending.entry(number).or_insert(now_ms);
        }
        self.write()
    }

    /// A thing is not on its way any more, and not there.
    pub(crate) fn end_sending(&mut self, number: u64) {
        self.document.sending.remove(&number);
    }

    /// What became of a thing behind the position, and its bytes, if it is done.
    pub(crate) fn ahead(&self, number: u64) -> Option<(ThingOutcome, u64)> {
        self.document.ahead.get(&number).copied()
    }

    /// An error about the file.
    pub(crate) fn refuse(&self, text: &str) -> Error {
        Error::new(Class::Environment, format!("{}: {text}", self.path.display()))
    }

    /// Removes the file: there is nothing to go on with.
    ///
    /// # Errors
    /// Of the system.
    pub(crate) fn remove(self) -> Result<()> {
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                let text =
                    format!("{}: the load is done, but this file cannot be removed: {error}", self.path.display());
                Err(Error::new(Class::WriteIo, text))
            }
            _ => Ok(()),
        }
    }

    /// A thing is done, in any order; the file is written each second.
    pub(crate) fn done(&mut self, number: u64, done: Done, now: Duration) {
        let Some(at) = number.checked_sub(self.document.position).and_then(|at| usize::try_from(at).ok()) else {
            return;
        };
        if self.window.len() <= at {
            self.window.resize(at.saturating_add(1), None);
        }
        if let Some(slot) = self.window.get_mut(at) {
            *slot = Some(done);
        }
        if self.document.sending.remove(&number).is_some() {
            self.document.ahead.insert(number, (done.fate, done.bytes));
        }
        while let Some(Some(done)) = self.window.front().copied() {
            self.window.pop_front();
            self.document.ahead.remove(&self.document.position);
            self.document.position = self.document.position.saturating_add(1);
            self.document.tally.add(done.fate);
            if done.fate == ThingOutcome::Loaded {
                self.kinds.add(done.kind, done.elements, done.bytes);
            }
        }
        if self.written.is_none_or(|written| now.saturating_sub(written) >= EVERY) {
            self.written = Some(now);
            if let Err(error) = self.write() {
                self.failed.get_or_insert(error);
            }
        }
    }

    /// The first failure to write the file.
    pub(crate) fn take_failure(&mut self) -> Option<Error> {
        self.failed.take()
    }

    /// Writes the file, which is there as a whole or as it was.
    ///
    /// # Errors
    /// Of the system.
    pub(crate) fn write(&mut self) -> Result<()> {
        let kinds = self.kinds.report().into_iter();
        self.document.kinds = kinds.map(|kind| (kind.kind.to_owned(), kind.count, kind.elements, kind.bytes)).collect();
        let text = serde_json::to_vec_pretty(&self.document).map_err(|error| Error::new(Class::WriteIo, error))?;
        let options = DirOptions { existing: ExistingTarget::Replace, fsync: Fsync::File };
        let mut stage = StagedFiles::create(&[&self.path], options)?;
        stage.begin(0)?;
        stage.write(&text)?;
        stage.end()?;
        stage.publish()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms() -> Terms {
        let text = |text: &str| text.to_owned();
        Terms { source: text("s"), selection: text("everything"), policy: text("fail"), target: text("t") }
    }

    const DONE: Done = Done { fate: ThingOutcome::Loaded, kind: Kind::String, elements: 0, bytes: 5 };

    #[test]
    fn position_is_behind_the_last_key_whose_predecessors_are_all_done() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c");
        let (mut checkpoint, before) = Checkpoint::open(path.clone(), terms(), "one").unwrap();
        assert_eq!((checkpoint.position(), before), (0, None));
        for (number, position) in [(1, 0), (3, 0), (0, 2), (2, 4)] {
            checkpoint.done(number, DONE, Duration::ZERO);
            assert_eq!(checkpoint.position(), position);
        }
        checkpoint.done(5, Done { fate: ThingOutcome::Failed, ..DONE }, Duration::ZERO);
        let met = Met { id: "i".to_owned(), is_own: true };
        checkpoint.meet("table".to_owned(), met.clone());
        checkpoint.write().unwrap();
        let (again, before) = Checkpoint::open(path, terms(), "two").unwrap();
        assert_eq!((again.position(), before.as_deref()), (4, Some("one")));
        assert_eq!(again.met().get("table"), Some(&met));
        let (tally, kinds) = again.state();
        assert_eq!((tally.loaded, tally.sum()), (4, 4));
        assert_eq!((kinds.report()[0].count, kinds.report()[0].bytes), (4, 20));
    }

    #[test]
    fn file_of_another_load_is_refused_with_what_is_different() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c");
        Checkpoint::open(path.clone(), terms(), "one").unwrap().0.write().unwrap();
        for (other, what) in [
            (Terms { source: "x".to_owned(), ..terms() }, "the source was s, and is x"),
            (Terms { selection: "x".to_owned(), ..terms() }, "the selection was everything, and is x"),
            (Terms { policy: "x".to_owned(), ..terms() }, "how it is written was fail, and is x"),
            (Terms { target: "x".to_owned(), ..terms() }, "the target was t, and is x"),
        ] {
            let error = Checkpoint::open(path.clone(), other, "two").map(|_| ()).unwrap_err();
            assert!(error.to_string().contains(what), "{error}");
        }
        std::fs::write(&path, "{}").unwrap();
        let error = Checkpoint::open(path, terms(), "two").map(|_| ()).unwrap_err();
        assert!(error.to_string().contains("no file of --resume"), "{error}");
    }
}
