//! The schema of a table says where its items may lie.

use std::io::BufRead;
use std::sync::Arc;

use ekv_files::Result;
use ekv_model::Protocol;
use ekv_spill::Scratch;

use super::entry::NO_RANGE_KEY;
use super::read::Schema;
use crate::layout::inside::Inside;
use crate::replay::value::ValueBuffer;
use crate::verify::joins::{Joins, Notes};

/// Reads schemas.
pub(super) struct Schemas {
    /// The one at hand.
    text: ValueBuffer,
}

impl Schemas {
    pub(super) fn new(scratch: &Arc<dyn Scratch>) -> Self {
        Schemas { text: ValueBuffer::new(scratch) }
    }
}

impl Joins for Schemas {
    fn read(&mut self, table: &[u8], _: Inside<'_>, input: &mut dyn BufRead, notes: Notes<'_>) -> Result<()> {
        self.text.fill_from(input)?;
        // What else is in the text is for those to judge who use it.
        match Schema::read(&self.text) {
            Ok(schema) if !schema.has_range_key() => notes.scopes.add(Protocol::DynamoDb, table, NO_RANGE_KEY),
            _ => Ok(()),
        }
    }
}
