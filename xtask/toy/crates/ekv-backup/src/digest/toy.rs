//! Toys as they are compared.

use ekv_model::toy::Event;
use ekv_model::{Protocol, Result};

use super::Digester;
use super::aspects::{Aspects, Fingerprint};
use super::canonical::Canonical;
use super::compare::Part;

impl Digester<'_> {
    pub(super) fn toy(&mut self, event: &Event<'_>) -> Result<()> {
        match event {
            Event::Begin(name) => {
                self.set_scope(name);
                Ok(())
            }
            Event::Toy { name, body, .. } => {
                let mut canonical = Canonical::of("toy");
                canonical.body(body)?;
                self.put(Protocol::Toy, Part::Itself, name, b"", canonical)
            }
            Event::End => Ok(()),
        }
    }
}

impl Aspects {
    pub(super) fn toy(&mut self, event: &Event<'_>) -> Result<Option<Fingerprint>> {
        match event {
            Event::Begin(_) => Ok(Some(Fingerprint::default())),
            Event::Toy { body, .. } => {
                let mut canonical = Canonical::of("toy");
                canonical.body(body)?;
                Ok(Some(Fingerprint::of_value(canonical)))
            }
            Event::End => Ok(None),
        }
    }
}
