//! What passes by while a dump is replayed: whose data, which of the selected names, which expiries have passed.

use ekv_dump::replay::{Selection, Unmatched};
use ekv_model::{Consumer, Event, Result, dynamodb, redis, s3, sqs};

use crate::Protocol;

/// Passes events on and remembers, in bounded memory, what they tell about the whole.
pub(super) struct Observed<'t> {
    target: &'t mut dyn Consumer,
    now_ms: u64,
    bucket: Vec<u8>,
    name: Vec<u8>,
    seen: Seen,
}

/// What was seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// Adapters with data, in the order of [`Protocol::IN_DUMPS`].
    pub(super) adapters: Vec<Protocol>,
    /// Redis keys whose expiry is in the past.
    pub(super) expired_keys: u64,
    /// What was selected and is not there.
    pub(super) unmatched: Unmatched,
}

impl<'t> Observed<'t> {
    /// Observes what is selected by `selection`; expiries before `now_ms`, in Unix milliseconds, have passed.
    pub(super) fn new(target: &'t mut dyn Consumer, selection: &Selection, now_ms: u64) -> Self {
        let seen = Seen { unmatched: selection.unmatched(), ..Seen::default() };
        Observed { target, now_ms, bucket: Vec::new(), name: Vec::new(), seen }
    }

    /// What was seen so far.
    pub(super) fn finish(mut self) -> Seen {
        self.seen.adapters.sort_unstable_by_key(|adapter| Protocol::IN_DUMPS.iter().position(|one| one == adapter));
        self.seen
    }

    fn redis(&mut self, event: &redis::Event<'_>) {
        let (key, expire_at_ms) = match event {
            redis::Event::Scalar { key, expiry, .. } => (*key, expiry.map(|expiry| expiry.at_ms)),
            redis::Event::Begin { key, expire_at_ms, .. } => (*key, *expire_at_ms),
            redis::Event::Element(_) | redis::Event::End => return,
        };
        self.seen.unmatched.saw(key);
        let has_passed = expire_at_ms.is_some_and(|at_ms| at_ms <= self.now_ms);
        self.seen.expired_keys = self.seen.expired_keys.saturating_add(u64::from(has_passed));
    }

    fn s3(&mut self, event: &s3::Event<'_>) {
        match event {
            s3::Event::Begin(bucket) => {
                self.bucket.clear();
                self.bucket.extend_from_slice(bucket.name.as_bytes());
                self.seen.unmatched.saw(&self.bucket);
                self.bucket.push(b'/');
                self.seen.unmatched.saw(&self.bucket);
            }
            s3::Event::Object(object) => {
                self.name.clear();
                self.name.extend_from_slice(&self.bucket);
                self.name.extend_from_slice(object.key);
                self.seen.unmatched.saw(&self.name);
            }
            _ => {}
        }
    }
}

impl Consumer for Observed<'_> {
    fn event(&mut self, event: Event<'_>) -> Result<()> {
        match &event {
            Event::Redis { event, .. } => self.redis(event),
            Event::DynamoDb(dynamodb::Event::TableBegin(table)) => self.seen.unmatched.saw(table.name.as_bytes()),
            Event::S3(event) => self.s3(event),
            Event::Sqs(sqs::Event::Queue(queue)) => self.seen.unmatched.saw(queue.name),
            _ => {}
        }
        if let Some(adapter) = event.protocol()
            && !self.seen.adapters.contains(&adapter)
        {
            self.seen.adapters.push(adapter);
        }
        self.target.event(event)
    }
}
