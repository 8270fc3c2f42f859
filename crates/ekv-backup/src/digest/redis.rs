//! Redis keys as they are compared.

use ekv_model::redis::{CollectionKind, Element, Event, ScalarKind};
use ekv_model::{Body, Protocol, Result};

use super::Digester;
use super::aspects::{Aspects, Fingerprint};
use super::canonical::Canonical;
use super::compare::Part;

impl Digester<'_> {
    pub(super) fn redis(&mut self, database: u32, event: &Event<'_>) -> Result<()> {
        self.set_scope(database.to_string().as_bytes());
        match event {
            Event::Scalar { kind, key, body, expiry, .. } => {
                let mut canonical = Canonical::of("redis scalar");
                canonical.scalar(*kind, body, expiry.map(|expiry| expiry.at_ms))?;
                self.put(Protocol::Redis, Part::Itself, key, b"", canonical)
            }
            Event::Begin { kind, key, expire_at_ms, .. } => {
                let mut canonical = Canonical::of("redis collection");
                canonical.collection(*kind, *expire_at_ms);
                self.open = Some((canonical, key.to_vec(), Vec::new()));
                Ok(())
            }
            Event::Element(element) => self.add(|canonical| canonical.element(element)),
            Event::End => self.end(Protocol::Redis),
        }
    }
}

impl Aspects {
    pub(super) fn redis(&mut self, event: &Event<'_>) -> Result<Option<Fingerprint>> {
        match event {
            Event::Scalar { kind, body, .. } => {
                let mut canonical = Canonical::of("redis scalar");
                canonical.scalar(*kind, body, None)?;
                return Ok(Some(Fingerprint::of_value(canonical)));
            }
            Event::Begin { kind, .. } => {
                let mut canonical = Canonical::of("redis collection");
                canonical.collection(*kind, None);
                self.open = Some(canonical);
            }
            Event::Element(element) => {
                if let Some(open) = &mut self.open {
                    open.element(element)?;
                }
            }
            Event::End => return Ok(self.end()),
        }
        Ok(None)
    }
}

impl Canonical {
    pub(super) fn scalar(&mut self, kind: ScalarKind, body: &Body<'_>, expire_at_ms: Option<u64>) -> Result<()> {
        self.text(match kind {
            ScalarKind::String => "string",
            ScalarKind::Hll => "hll",
        });
        self.maybe(expire_at_ms);
        self.body(body)
    }

    pub(super) fn collection(&mut self, kind: CollectionKind, expire_at_ms: Option<u64>) {
        let (kind, last) = match kind {
            CollectionKind::Hash => ("hash", None),
            CollectionKind::List => ("list", None),
            CollectionKind::Set => ("set", None),
            CollectionKind::ZSet => ("zset", None),
            CollectionKind::Stream { last } => ("stream", Some(last)),
        };
        self.text(kind);
        // 0 cannot be stored of a collection, where it means that it never expires; 1 is in the past as well.
        self.maybe(expire_at_ms.map(|at_ms| at_ms.max(1)));
        self.maybe(last.map(|last| last.ms));
        self.maybe(last.map(|last| last.seq));
    }

    pub(super) fn element(&mut self, element: &Element<'_>) -> Result<()> {
        match element {
            Element::Field { name, value } => {
                self.text("field");
                self.bytes(name);
                self.body(value)?;
            }
            Element::Item(value) => {
                self.text("item");
                self.body(value)?;
            }
            Element::Member(member) => {
                self.text("member");
                self.bytes(member);
            }
            Element::Scored { member, score } => {
                self.text("scored");
                self.bytes(member);
                // A dump says NaN, and not which one.
                self.number(if score.is_nan() { f64::NAN } else { *score }.to_bits());
            }
            Element::EntryBegin(id) => {
                self.text("entry");
                self.number(id.ms);
                self.number(id.seq);
            }
            Element::EntryField { name, value } => {
                self.text("field");
                self.body(name)?;
                self.body(value)?;
            }
            Element::EntryEnd => self.text("end"),
        }
        Ok(())
    }
}
