//! The schema record of a table. Source: `docs/format/dynamodb.md`, sections 2 and 2.4.

use std::collections::BTreeMap;

use ekv_model::dynamodb as model;
use ekv_model::{Finding, Result};
use ekv_snapshot::StoredValue;

use super::findings;
use crate::protobuf::{Fault, Fields, Malformed, Source, Span, Wire, split};

/// Front of a schema record's value.
pub(super) const MAGIC: &[u8] = b"\0DS\x01";
/// Longest schema record that is read, in bytes.
pub(super) const SCHEMA_LEN_MAX: usize = 4 << 20;

/// Below this version a table has legacy keys.
pub(super) const ORDERED_KEYS_VERSION: u64 = 2;

/// A schema record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Schema {
    pub(super) table_name: String,
    attribute_definitions: BTreeMap<String, String>,
    pub(super) primary_key: KeySchema,
    indexes: BTreeMap<String, Index>,
    key_encoding_version: u64,
    migrating_from_generation: u64,
    pub(super) generation: u64,
}

/// Attribute names of a key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct KeySchema {
    pub(super) hash_key: String,
    /// Empty if there is none.
    pub(super) range_key: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Index {
    key_schema: KeySchema,
    projection_type: String,
    non_key_attributes: Vec<String>,
}

impl Index {
    fn has_key(&self) -> bool {
        !self.key_schema.hash_key.is_empty()
    }
}

/// Why a schema cannot be used, for people.
pub(super) struct BadSchema {
    pub(super) finding: Finding,
    pub(super) detail: String,
}

impl Schema {
    /// Reads the value of a schema record.
    pub(super) fn read(value: &StoredValue<'_>) -> Result<Result<Schema, BadSchema>> {
        let bad = |detail: String| Err(BadSchema { finding: findings::INVALID_SCHEMA, detail });
        if !value.head().starts_with(MAGIC) {
            return Ok(bad(format!("value of {} bytes does not begin like a schema", value.len())));
        }
        if usize::try_from(value.len()).map_or(true, |len| len > SCHEMA_LEN_MAX) {
            return Ok(bad(format!("value of {} bytes, the limit is {SCHEMA_LEN_MAX}", value.len())));
        }
        let mut source = Source::loaded(*value, Vec::new())?;
        let fields = source.fields(MAGIC.len());
        Ok(match split(schema(&mut source, fields))? {
            Ok(schema) if schema.primary_key.hash_key.is_empty() => bad("the table has no hash key".to_owned()),
            Ok(schema) => Ok(schema),
            Err(Malformed) => bad(format!("value of {} bytes does not parse", value.len())),
        })
    }

    /// Generation from which a move to ordered keys is under way.
    pub(super) fn migration_source(&self) -> Option<u64> {
        Some(self.migrating_from_generation).filter(|source| *source != 0 && *source != self.generation)
    }

    /// Whether the items of the table's own generation have ordered keys.
    pub(super) fn has_ordered_keys(&self) -> bool {
        self.key_encoding_version >= ORDERED_KEYS_VERSION || self.migrating_from_generation != 0
    }

    /// Names of indexes that no item can be in.
    pub(super) fn keyless_indexes(&self) -> impl Iterator<Item = &str> {
        self.indexes.iter().filter(|(_, index)| !index.has_key()).map(|(name, _)| name.as_str())
    }

    /// Calls `f` with the table as events show it, without indexes that have no key.
    pub(super) fn with_table<T>(
        &self,
        name: &str,
        key_forms: model::KeyForms,
        f: impl FnOnce(&model::Table<'_>) -> T,
    ) -> T {
        let definitions = self.attribute_definitions.iter();
        let attribute_definitions: Vec<_> =
            definitions.map(|(name, attribute_type)| model::AttributeDefinition { name, attribute_type }).collect();
        let with_key = || self.indexes.iter().filter(|(_, index)| index.has_key());
        let non_key_attributes: Vec<Vec<&str>> =
            with_key().map(|(_, index)| index.non_key_attributes.iter().map(String::as_str).collect()).collect();
        let indexes: Vec<_> = with_key()
            .zip(&non_key_attributes)
            .map(|((name, index), non_key_attributes)| model::Index {
                name,
                key_schema: index.key_schema.as_event(),
                projection: model::Projection { projection_type: &index.projection_type, non_key_attributes },
            })
            .collect();
        f(&model::Table {
            name,
            schema_name: &self.table_name,
            primary_key: self.primary_key.as_event(),
            attribute_definitions: &attribute_definitions,
            indexes: &indexes,
            key_encoding_version: self.key_encoding_version,
            generation: self.generation,
            migrating_from_generation: self.migrating_from_generation,
            key_forms,
        })
    }
}

impl KeySchema {
    fn as_event(&self) -> model::KeySchema<'_> {
        model::KeySchema { hash_key: &self.hash_key, range_key: &self.range_key }
    }
}

fn schema(source: &mut Source<'_>, mut fields: Fields) -> Result<Schema, Fault> {
    let mut schema = Schema::default();
    while let Some(field) = fields.next(source)? {
        match (field.number, field.content) {
            (1, Wire::Bytes(span)) => schema.table_name = text(source, span)?,
            (2, Wire::Bytes(span)) => {
                let mut attribute_type = String::new();
                let name = entry(source, span, |source, span| {
                    attribute_type = text(source, span)?;
                    Ok(())
                })?;
                schema.attribute_definitions.insert(name, attribute_type);
            }
            (3, Wire::Bytes(span)) => key_schema(source, span, &mut schema.primary_key)?,
            (4, Wire::Bytes(span)) => {
                let mut merged = Index::default();
                let name = entry(source, span, |source, span| index(source, span, &mut merged))?;
                schema.indexes.insert(name, merged);
            }
            (5, Wire::Varint(version)) => schema.key_encoding_version = version,
            (6, Wire::Varint(generation)) => schema.migrating_from_generation = generation,
            (7, Wire::Varint(generation)) => schema.generation = generation,
            _ => {}
        }
    }
    Ok(schema)
}

/// Reads a map entry: returns its key and calls `value` for each of its values.
fn entry(
    source: &mut Source<'_>,
    span: Span,
    mut value: impl FnMut(&mut Source<'_>, Span) -> Result<(), Fault>,
) -> Result<String, Fault> {
    let mut key = String::new();
    let mut fields = Fields::of(span);
    while let Some(field) = fields.next(source)? {
        match (field.number, field.content) {
            (1, Wire::Bytes(span)) => key = text(source, span)?,
            (2, Wire::Bytes(span)) => value(source, span)?,
            _ => {}
        }
    }
    Ok(key)
}

fn key_schema(source: &mut Source<'_>, span: Span, merged: &mut KeySchema) -> Result<(), Fault> {
    let mut fields = Fields::of(span);
    while let Some(field) = fields.next(source)? {
        match (field.number, field.content) {
            (1, Wire::Bytes(span)) => merged.hash_key = text(source, span)?,
            (2, Wire::Bytes(span)) => merged.range_key = text(source, span)?,
            _ => {}
        }
    }
    Ok(())
}

fn index(source: &mut Source<'_>, span: Span, merged: &mut Index) -> Result<(), Fault> {
    let mut fields = Fields::of(span);
    while let Some(field) = fields.next(source)? {
        match (field.number, field.content) {
            (1, Wire::Bytes(span)) => key_schema(source, span, &mut merged.key_schema)?,
            (2, Wire::Bytes(span)) => projection(source, span, merged)?,
            _ => {}
        }
    }
    Ok(())
}

fn projection(source: &mut Source<'_>, span: Span, merged: &mut Index) -> Result<(), Fault> {
    let mut fields = Fields::of(span);
    while let Some(field) = fields.next(source)? {
        match (field.number, field.content) {
            (1, Wire::Bytes(span)) => merged.projection_type = text(source, span)?,
            (2, Wire::Bytes(span)) => merged.non_key_attributes.push(text(source, span)?),
            _ => {}
        }
    }
    Ok(())
}

fn text(source: &Source<'_>, span: Span) -> Result<String, Fault> {
    let mut bytes = Vec::new();
    source.append(span, &mut bytes)?;
    String::from_utf8(bytes).map_err(|_| Fault::Malformed)
}
