//! A table that waits.

use super::{AttributeDefinition, Event, Index, KeyForms, KeySchema, Projection, Table};
use crate::Result;

/// A [`Table`] with its own strings.
pub(super) struct OwnedTable {
    name: String,
    schema_name: String,
    primary_key: [String; 2],
    attribute_definitions: Vec<[String; 2]>,
    indexes: Vec<OwnedIndex>,
    key_encoding_version: u64,
    generation: u64,
    migrating_from_generation: u64,
    key_forms: KeyForms,
}

struct OwnedIndex {
    name: String,
    key_schema: [String; 2],
    projection_type: String,
    non_key_attributes: Vec<String>,
}

fn owned_key(KeySchema { hash_key, range_key }: KeySchema<'_>) -> [String; 2] {
    [hash_key, range_key].map(str::to_owned)
}

fn key_of([hash_key, range_key]: &[String; 2]) -> KeySchema<'_> {
    KeySchema { hash_key, range_key }
}

impl From<&Table<'_>> for OwnedTable {
    fn from(table: &Table<'_>) -> Self {
        let index = |index: &Index<'_>| OwnedIndex {
            name: index.name.to_owned(),
            key_schema: owned_key(index.key_schema),
            projection_type: index.projection.projection_type.to_owned(),
            non_key_attributes: index.projection.non_key_attributes.iter().map(|name| (*name).to_owned()).collect(),
        };
        let definition =
            |definition: &AttributeDefinition<'_>| [definition.name, definition.attribute_type].map(str::to_owned);
        OwnedTable {
            name: table.name.to_owned(),
            schema_name: table.schema_name.to_owned(),
            primary_key: owned_key(table.primary_key),
            attribute_definitions: table.attribute_definitions.iter().map(definition).collect(),
            indexes: table.indexes.iter().map(index).collect(),
            key_encoding_version: table.key_encoding_version,
            generation: table.generation,
            migrating_from_generation: table.migrating_from_generation,
            key_forms: table.key_forms,
        }
    }
}

impl OwnedTable {
    /// Hands the table to `take`.
    pub(super) fn with(&self, take: &mut dyn FnMut(Event<'_>) -> Result<()>) -> Result<()> {
        let names: Vec<Vec<&str>> =
            self.indexes.iter().map(|index| index.non_key_attributes.iter().map(String::as_str).collect()).collect();
        let indexes: Vec<Index<'_>> = self
            .indexes
            .iter()
            .zip(&names)
            .map(|(index, non_key_attributes)| Index {
                name: &index.name,
                key_schema: key_of(&index.key_schema),
                projection: Projection { projection_type: &index.projection_type, non_key_attributes },
            })
            .collect();
        let attribute_definitions: Vec<AttributeDefinition<'_>> = self
            .attribute_definitions
            .iter()
            .map(|[name, attribute_type]| AttributeDefinition { name, attribute_type })
            .collect();
        take(Event::TableBegin(&Table {
            name: &self.name,
            schema_name: &self.schema_name,
            primary_key: key_of(&self.primary_key),
            attribute_definitions: &attribute_definitions,
            indexes: &indexes,
            key_encoding_version: self.key_encoding_version,
            generation: self.generation,
            migrating_from_generation: self.migrating_from_generation,
            key_forms: self.key_forms,
        }))
    }
}
