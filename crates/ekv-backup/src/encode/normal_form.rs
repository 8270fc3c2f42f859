//! A dump as a decode would have laid it out, whatever people did to its texts.

use std::cmp::Ordering;
use std::sync::Arc;

use ekv_adapters::Restorable;
use ekv_dump::replay::{Listing, ListingSink, ListingSlot, Place, ReplayOptions, Replayed, replay};
use ekv_dump::{DumpWriter, TreeOptions, TreeTarget};
use ekv_files::source::ScopedSource;
use ekv_model::{Consumer, Event, Result, redis, s3, sqs};
use ekv_spill::{Scratch, Sorted, Sorter};

use crate::progress::{ByteCounter, Phase, Progress};

/// Memory for the lines of sidecars while a listing is made, in bytes.
const LISTING_BUDGET: usize = 4 << 20;

/// A tree that is listed instead of written.
pub(super) struct ListedTree {
    pub(super) tree: TreeTarget,
    slot: ListingSlot,
}

impl ListedTree {
    pub(super) fn new(scratch: &Arc<dyn Scratch>, options: TreeOptions) -> Self {
        let slot = ListingSlot::default();
        let sink = ListingSink::new(scratch, LISTING_BUDGET, &slot);
        ListedTree { tree: TreeTarget::with_options(DumpWriter::new(Box::new(sink)), options), slot }
    }

    /// The files that would have been written. What the manifest says is of no interest here.
    pub(super) fn finish(self) -> Result<Listing> {
        let (writer, _) = self.tree.finish()?;
        writer.finish(b"")?;
        // A published sink has left its listing.
        self.slot
            .take()
            .ok_or_else(|| ekv_files::Error::from(ekv_files::sink::SinkError::Misuse { rule: UNPUBLISHED }).into())
    }
}

const UNPUBLISHED: &str = "a listing was asked for that was not finished";

/// What records can carry of an event.
struct Storable<'t> {
    tree: &'t mut TreeTarget,
    reference_bytes: bool,
}

impl Consumer for Storable<'_> {
    fn event(&mut self, event: Event<'_>) -> Result<()> {
        match event {
            // 0 would mean that a collection never expires; the moment after it is past as well.
            Event::Redis { database, event: redis::Event::Begin { kind, key, expire_at_ms: Some(0) } } => {
                let event = redis::Event::Begin { kind, key, expire_at_ms: Some(1) };
                self.tree.event(Event::Redis { database, event })
            }
            // The reference encoder begins every queue anew.
            Event::Sqs(sqs::Event::Message(message)) if self.reference_bytes => {
                let message = sqs::Message { queue_generation: 1, ..*message };
                self.tree.event(Event::Sqs(sqs::Event::Message(&message)))
            }
            event => self.tree.event(event),
        }
    }
}

/// Passes events on, and looks whether the dump was written with `--extended`.
pub(super) struct ExtendedCheck<'t> {
    target: &'t mut dyn Consumer,
    pub(super) is_extended: bool,
}

impl<'t> ExtendedCheck<'t> {
    pub(super) fn new(target: &'t mut dyn Consumer) -> Self {
        ExtendedCheck { target, is_extended: false }
    }
}

impl Consumer for ExtendedCheck<'_> {
    fn event(&mut self, event: Event<'_>) -> Result<()> {
        self.is_extended |= match &event {
            Event::Sqs(sqs::Event::Queue(queue)) => {
                queue.incarnation != 0
                    || queue.created_at_hlc != 0
                    || queue.created_at_ms != 0
                    || queue.last_modified_at_ms != 0
                    || queue.last_purged_at_ms != 0
                    || queue.last_sequence_number.is_some()
                    || !queue.tags.is_empty()
                    || queue.throttle != sqs::Throttle::default()
            }
            Event::S3(s3::Event::Begin(bucket)) => bucket.record.is_some_and(|record| record.created_at_hlc != 0),
            _ => false,
        };
        self.target.event(event)
    }
}

/// Reads a dump and lists it as it is, and as a decode would have laid it out.
pub(super) fn normal_listing(
    source: &mut dyn ScopedSource,
    scratch: &Arc<dyn Scratch>,
    replay_options: &ReplayOptions,
    (tree_options, reference_bytes): (TreeOptions, bool),
    progress: &dyn Progress,
) -> Result<NormalListing> {
    let mut listed = ListedTree::new(scratch, tree_options);
    progress.begin(Phase::Encode, None);
    let counter = ByteCounter::new(progress);
    let place = Place::default();
    let mut storable = Storable { tree: &mut listed.tree, reference_bytes };
    let mut target = WholeFiles {
        target: Restorable::new(&mut storable, None),
        place: &place,
        left_out: Sorter::new(Arc::clone(scratch), LISTING_BUDGET),
    };
    let replayed = replay(source, scratch, replay_options, &mut target, &place, &mut |bytes| counter.add(bytes))?;
    let left_out = target.left_out.finish().map_err(ekv_files::Error::from)?;
    Ok(NormalListing { replayed, normal: listed.finish()?, left_out: LeftOutFiles { sorted: left_out, next: None } })
}

/// A dump as it is, and as a decode would have laid it out.
pub(super) struct NormalListing {
    pub(super) replayed: Replayed,
    pub(super) normal: Listing,
    pub(super) left_out: LeftOutFiles,
}

/// Files of users' bytes that no server can restore, in byte order of their paths.
pub(super) struct LeftOutFiles {
    sorted: Sorted,
    next: Option<Vec<u8>>,
}

impl LeftOutFiles {
    /// Whether a file is one of them; paths must ascend.
    pub(super) fn has(&mut self, path: &[u8]) -> Result<bool> {
        loop {
            if self.next.is_none() {
                let next = self.sorted.next().map_err(ekv_files::Error::from)?;
                self.next = next.map(|(path, _)| path.to_vec());
            }
            match self.next.as_deref().map(|next| next.cmp(path)) {
                Some(Ordering::Less) => self.next = None,
                Some(Ordering::Equal) => return Ok(true),
                Some(Ordering::Greater) | None => return Ok(false),
            }
        }
    }
}

/// Notes the files that hold one value of which nothing is left.
struct WholeFiles<'t> {
    target: Restorable<'t>,
    place: &'t Place,
    left_out: Sorter,
}

impl Consumer for WholeFiles<'_> {
    fn event(&mut self, event: Event<'_>) -> Result<()> {
        let is_file =
            matches!(event, Event::Redis { event: redis::Event::Scalar { .. }, .. } | Event::S3(s3::Event::Object(_)));
        let before = self.target.left_out();
        self.target.event(event)?;
        if is_file
            && self.target.left_out() > before
            && let Some(path) = self.place.location().path
        {
            self.left_out.push(&path, b"").map_err(ekv_files::Error::from)?;
        }
        Ok(())
    }
}
