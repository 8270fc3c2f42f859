//! From a source of events to an output: how every command that makes something of data is put together.
//!
//! ```text
//! Events ──event──► Output (a Consumer) ──► Published
//!    └──── Books: what became of everything ────┘
//! ```
//!
//! A source has proved sound before the output exists; an output is ended with the books, or taken back. A new source is a new [`Events`],
//! a new output a new [`Output`]; nothing else has to know of it:
//!
//! ```
//! use std::collections::BTreeMap;
//!
//! use ekv_backup::pipe::{self, Books, Output};
//! use ekv_backup::{EventOptions, NoProgress, ReadOptions, Result, Store, StoreEvents};
//! use ekv_model::{Consumer, Event, redis, s3};
//!
//! /// Counts Redis keys and S3 objects.
//! #[derive(Default)]
//! struct Census(BTreeMap<&'static str, u64>);
//!
//! impl Consumer for Census {
//!     fn event(&mut self, event: Event<'_>) -> Result<()> {
//!         let kind = match event {
//!             Event::Redis { event: redis::Event::Scalar { .. } | redis::Event::Begin { .. }, .. } => "keys",
//!             Event::S3(s3::Event::Object(_)) => "objects",
//!             _ => return Ok(()),
//!         };
//!         *self.0.entry(kind).or_default() += 1;
//!         Ok(())
//!     }
//! }
//!
//! impl Output for Census {
//!     type Published = BTreeMap<&'static str, u64>;
//!
//!     fn finish(self, _books: Books) -> Result<Self::Published> {
//!         Ok(self.0)
//!     }
//!
//!     fn abort(self) -> Result<()> {
//!         Ok(())
//!     }
//! }
//!
//! let snapshot = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/all-3.fsm.zst");
//! let store = Store::open(snapshot.as_ref(), &ReadOptions::default(), &NoProgress)?;
//! let options = EventOptions::default();
//! let mut events = StoreEvents::of(&store, &options, &NoProgress)?;
//! let census = pipe::run(&mut events, |_header| Ok(Census::default()), Ok, &NoProgress)?;
//! assert_eq!(census, BTreeMap::from([("keys", 170), ("objects", 10)]));
//! # Ok::<(), ekv_backup::Error>(())
//! ```

use std::sync::Arc;

use ekv_model::{Consumer, Result};
use ekv_spill::{Scratch, SystemScratch};

use crate::progress::{Phase, Progress};

pub use crate::books::{Books, Header};

/// A source of events that has been opened and checked.
pub trait Events {
    /// What it says of itself at the end.
    type Books;

    /// What is known before the first event.
    fn header(&self) -> Header;

    /// Hands everything to `consumer`, in the order that `ekv_model` prescribes for each protocol. `scratch` takes what would grow with
    /// the input. `progress` is told that `phase` begins. Memory is bounded. May be called again, and gives the same then.
    ///
    /// # Errors
    /// A source that cannot be read or was written to in the meantime, the first error of the consumer, or that the user wants to stop.
    fn pour(
        &mut self,
        consumer: &mut dyn Consumer,
        phase: Phase,
        scratch: &Arc<dyn Scratch>,
        progress: &dyn Progress,
    ) -> Result<Self::Books>;
}

/// Something that is made of events and is there as a whole, or not at all. `B` is what the source says of itself at the end.
pub trait Output<B = Books>: Consumer + Sized {
    /// What it becomes.
    type Published;

    /// Where what would grow with the input may lie meanwhile.
    fn scratch(&self) -> Arc<dyn Scratch> {
        Arc::new(SystemScratch::new())
    }

    /// Ends and publishes it.
    ///
    /// # Errors
    /// Nothing is published and nothing left behind then, except as the type says.
    fn finish(self, books: B) -> Result<Self::Published>;

    /// Takes everything back. An output that cannot be taken back, such as a live server, says in its error what is there.
    ///
    /// # Errors
    /// If something is left behind.
    fn abort(self) -> Result<()>;
}

/// Makes an output of events. `begin` is called once and makes the output, in which nothing can be seen yet; `accept` judges the books
/// before anything is published.
///
/// # Errors
/// Those of the parts; the output has then been taken back.
pub fn run<B, O: Output<B>>(
    events: &mut dyn Events<Books = B>,
    begin: impl FnOnce(&Header) -> Result<O>,
    accept: impl FnOnce(B) -> Result<B>,
    progress: &dyn Progress,
) -> Result<O::Published> {
    let mut output = begin(&events.header())?;
    let scratch = output.scratch();
    let poured = events.pour(&mut output, Phase::Decode, &scratch, progress);
    match poured.and_then(accept) {
        Ok(books) => output.finish(books),
        Err(error) => Err(error.after_cleaning_up(output.abort())),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use ekv_model::{Class, Error, Event};
    use ekv_snapshot::Input;
    use ekv_testkit::SnapshotBuilder;

    use super::*;
    use crate::{EventOptions, NoProgress, ReadOptions, Store, StoreEvents};

    /// Says what it is told; fails at one of the calls.
    struct Told<'t> {
        calls: &'t RefCell<Vec<&'static str>>,
        fails_at: &'static str,
    }

    impl Told<'_> {
        fn call(&self, name: &'static str) -> Result<()> {
            self.calls.borrow_mut().push(name);
            if name == self.fails_at { Err(Error::new(Class::WriteIo, name)) } else { Ok(()) }
        }
    }

    impl Consumer for Told<'_> {
        fn event(&mut self, _event: Event<'_>) -> Result<()> {
            self.call("event")
        }
    }

    impl Output for Told<'_> {
        type Published = ();

        fn finish(self, _books: Books) -> Result<()> {
            self.call("finish")
        }

        fn abort(self) -> Result<()> {
            self.call("abort")
        }
    }

    fn input(bytes: Vec<u8>) -> Input {
        ekv_testkit::memory_input(bytes)
    }

    fn snapshot() -> Vec<u8> {
        SnapshotBuilder::new().put(b"!redis|str|a", 7 << 16, b"\xff\x01\x00one").build()
    }

    /// The calls of a run, and its error.
    fn run_until(fails_at: &'static str) -> (Vec<&'static str>, Option<String>) {
        let scratch: Arc<dyn Scratch> = Arc::new(SystemScratch::new());
        let store = Store::of_input(input(snapshot()), &ReadOptions::default(), &scratch, &NoProgress).unwrap();
        let options = EventOptions::default();
        let calls = RefCell::new(Vec::new());
        let begin = |header: &Header| {
            assert_eq!(header.visible, Some(1));
            let told = Told { calls: &calls, fails_at };
            told.call("begin").map(|()| told)
        };
        let accept = |books: Books| {
            assert_eq!((books.findings.iter().count(), books.losses.count()), (0, 0), "{:?}", books.findings);
            Told { calls: &calls, fails_at }.call("accept").map(|()| books)
        };
        let mut events = StoreEvents::of(&store, &options, &NoProgress).unwrap();
        let error = run(&mut events, begin, accept, &NoProgress).err();
        (calls.into_inner(), error.map(|error| error.to_string()))
    }

    #[test]
    fn output_is_begun_filled_judged_and_finished_or_taken_back_whatever_fails() {
        let cases: [(&str, &[&str]); 5] = [
            ("", &["begin", "event", "accept", "finish"]),
            ("begin", &["begin"]),
            ("event", &["begin", "event", "abort"]),
            ("accept", &["begin", "event", "accept", "abort"]),
            ("finish", &["begin", "event", "accept", "finish"]),
        ];
        for (fails_at, calls) in cases {
            let error = Some(fails_at).filter(|name| !name.is_empty()).map(str::to_owned);
            assert_eq!(run_until(fails_at), (calls.to_vec(), error), "{fails_at}");
        }
    }

    #[test]
    fn store_answers_again_and_at_another_moment_without_a_second_check() {
        let scratch: Arc<dyn Scratch> = Arc::new(SystemScratch::new());
        let bytes = SnapshotBuilder::new()
            .put(b"!redis|str|a", 9 << 16, b"\xff\x01\x00two")
            .put(b"!redis|str|a", 7 << 16, b"\xff\x01\x00one")
            .put(b"!redis|str|b", 9 << 16, b"\xff\x01\x00new")
            .put(b"!redis|str|c", 7 << 16, b"\xff\x01\x01")
            .build();
        let store = Store::of_input(input(bytes), &ReadOptions::default(), &scratch, &NoProgress).unwrap();
        let options = EventOptions::default();
        let pour = |store: &Store| {
            let calls = RefCell::new(Vec::new());
            let mut told = Told { calls: &calls, fails_at: "" };
            let mut events = StoreEvents::of(store, &options, &NoProgress).unwrap();
            let books = events.pour(&mut told, Phase::Decode, &scratch, &NoProgress).unwrap();
            (calls.borrow().len(), books.losses.count(), store.header().visible)
        };
        let newest = (2, 1, Some(3));
        assert_eq!([pour(&store), pour(&store)], [newest; 2]);
        let earlier = store.at(Some("hlc:458752".parse().unwrap()), &NoProgress).unwrap();
        assert_eq!(pour(&earlier), (1, 1, Some(2)));
        assert_eq!(pour(&store), newest);
        assert_eq!(pour(&earlier.at(None, &NoProgress).unwrap()), newest);
    }

    #[test]
    fn damaged_snapshot_is_no_store() {
        let scratch: Arc<dyn Scratch> = Arc::new(SystemScratch::new());
        let mut bytes = snapshot();
        *bytes.last_mut().unwrap() ^= 1;
        let opened = Store::of_input(input(bytes), &ReadOptions::default(), &scratch, &NoProgress);
        assert_eq!(opened.err().map(|error| error.class()), Some(Class::Data));
    }
}
