//! Keys as a server shows them that has them from here: what it keeps in another form, or not at all, is no difference.

use ekv_live::{Compare, Feed, Fingerprint};
use ekv_model::redis::{CollectionKind, Element, Event, ScalarKind};
use ekv_model::{Body, Consumer, Event as AnyEvent, Findings, Result};
use ekv_rdb::hll::Registers;

use super::renames::Renames;
use crate::digest::Aspects;

/// Passes keys on in the form that a server and a backup have in common: of a HyperLogLog its registers, of scores no negative zero, no empty
/// collections but streams, all in database 0, and under the names of the target.
pub(crate) struct Served<'c> {
    consumer: &'c mut dyn Consumer,
    renames: &'c Renames,
    /// What began, until there is an element in it.
    held: Option<Held>,
}

struct Held {
    kind: CollectionKind,
    key: Vec<u8>,
    expire_at_ms: Option<u64>,
}

impl<'c> Served<'c> {
    pub(crate) fn new(consumer: &'c mut dyn Consumer, renames: &'c Renames) -> Self {
        Served { consumer, renames, held: None }
    }

    fn put(&mut self, event: Event<'_>) -> Result<()> {
        self.consumer.event(AnyEvent::Redis { database: 0, event })
    }

    fn begin(&mut self) -> Result<()> {
        let Some(Held { kind, key, expire_at_ms }) = self.held.take() else { return Ok(()) };
        self.put(Event::Begin { kind, key: &key, expire_at_ms, commit_ts: 0, size: None })
    }
}

impl Consumer for Served<'_> {
    fn event(&mut self, event: AnyEvent<'_>) -> Result<()> {
        let AnyEvent::Redis { event, .. } = event else { return Ok(()) };
        match event {
            Event::Scalar { kind, key, body, expiry, .. } => {
                let key = self.renames.apply(key);
                let value = registers(kind, body)?;
                let (kind, body) = match &value {
                    Some(value) => (ScalarKind::Hll, Body::Inline(value)),
                    None => (ScalarKind::String, body),
                };
                self.put(Event::Scalar { kind, key: &key, body, expiry, commit_ts: 0 })
            }
            Event::Begin { kind, key, expire_at_ms, .. } => {
                self.held = Some(Held { kind, key: self.renames.apply(key), expire_at_ms });
                match kind {
                    CollectionKind::Stream { .. } => self.begin(),
                    _ => Ok(()),
                }
            }
            Event::Element(element) => {
                self.begin()?;
                let element = match element {
                    Element::Scored { member, score: 0.0 } => Element::Scored { member, score: 0.0 },
                    element => element,
                };
                self.put(Event::Element(element))
            }
            Event::End if self.held.take().is_some() => Ok(()),
            Event::End => self.put(Event::End),
        }
    }

    fn findings(&self) -> Findings {
        self.consumer.findings()
    }
}

/// What a server makes of a HyperLogLog, in one form of the two that it has, without the count that it keeps beside.
fn registers(kind: ScalarKind, body: Body<'_>) -> Result<Option<Vec<u8>>> {
    match kind {
        ScalarKind::Hll => Ok(Registers::of_members(body).ok().map(|registers| registers.to_value())),
        ScalarKind::String => Ok(Registers::of_string(body)?.map(|registers| registers.to_value())),
    }
}

/// Compares keys as a server shows them.
pub(crate) struct AsServed;

impl Compare for AsServed {
    fn fingerprint(&mut self, feed: Feed<'_>) -> Result<Option<Fingerprint>> {
        let mut taken = Taken { aspects: Aspects::new(false), value: None, expire_at_ms: None };
        let renames = Renames::default();
        feed(&mut Served::new(&mut taken, &renames))?;
        let Taken { value, expire_at_ms, .. } = taken;
        Ok(value.map(|value| Fingerprint { value, expire_at_ms }))
    }
}

struct Taken {
    aspects: Aspects,
    value: Option<Vec<u8>>,
    expire_at_ms: Option<u64>,
}

impl Consumer for Taken {
    fn event(&mut self, event: AnyEvent<'_>) -> Result<()> {
        match &event {
            AnyEvent::Redis { event: Event::Scalar { expiry, .. }, .. } => {
                self.expire_at_ms = expiry.map(|expiry| expiry.at_ms);
            }
            AnyEvent::Redis { event: Event::Begin { expire_at_ms, .. }, .. } => self.expire_at_ms = *expire_at_ms,
            _ => {}
        }
        if let Some(fingerprint) = self.aspects.event(&event)? {
            self.value = Some(fingerprint.value.to_vec());
        }
        Ok(())
    }
}
