//! Toys as they are compared.

use ekv_model::toy::Event;
use ekv_model::{Protocol, Result};

use super::Digester;
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
