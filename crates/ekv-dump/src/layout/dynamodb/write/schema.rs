//! `_schema.json`. Source: `docs/format/dynamodb.md`, section 4.2.

use ekv_files::Result;
use ekv_model::dynamodb::{AttributeDefinition, Index, KeySchema, Table};
use ekv_text::json::{EscapeMode, Style, serialize_into};
use serde::Serialize;

/// Name of the file in a table's folder.
pub(crate) const SCHEMA_FILE: &str = "_schema.json";

const FORMAT_VERSION: u32 = 1;

#[derive(Serialize)]
struct SchemaText<'a> {
    format_version: u32,
    table_name: &'a str,
    primary_key: KeySchemaText<'a>,
    attribute_definitions: Vec<AttributeText<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    global_secondary_indexes: Vec<IndexText<'a>>,
}

#[derive(Serialize)]
struct KeySchemaText<'a> {
    hash_key: KeyText<'a>,
    range_key: KeyText<'a>,
}

#[derive(Serialize)]
struct KeyText<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
    #[serde(rename = "type", skip_serializing_if = "str::is_empty")]
    attribute_type: &'a str,
}

#[derive(Serialize)]
struct AttributeText<'a> {
    name: &'a str,
    #[serde(rename = "type")]
    attribute_type: &'a str,
}

#[derive(Serialize)]
struct IndexText<'a> {
    name: &'a str,
    key_schema: KeySchemaText<'a>,
    projection: ProjectionText<'a>,
}

#[derive(Serialize)]
struct ProjectionText<'a> {
    #[serde(rename = "type")]
    projection_type: &'a str,
    #[serde(skip_serializing_if = "<[&str]>::is_empty")]
    non_key_attributes: &'a [&'a str],
}

/// The text of a table's `_schema.json`.
pub(super) fn schema_text(table: &Table<'_>) -> Result<Vec<u8>> {
    let definitions = table.attribute_definitions;
    let text = SchemaText {
        format_version: FORMAT_VERSION,
        table_name: table.schema_name,
        primary_key: key_schema(&table.primary_key, definitions),
        attribute_definitions: definitions
            .iter()
            .map(|AttributeDefinition { name, attribute_type }| AttributeText { name, attribute_type })
            .collect(),
        global_secondary_indexes: table.indexes.iter().map(|index| index_text(index, definitions)).collect(),
    };
    let mut out = Vec::new();
    serialize_into(&text, Style::Pretty, EscapeMode::Html, &mut out)
        .map_err(|error| ekv_files::Error::new(ekv_model::Error::new(ekv_model::Class::Data, error)))?;
    Ok(out)
}

fn index_text<'a>(index: &Index<'a>, definitions: &[AttributeDefinition<'a>]) -> IndexText<'a> {
    IndexText {
        name: index.name,
        key_schema: key_schema(&index.key_schema, definitions),
        projection: ProjectionText {
            projection_type: index.projection.projection_type,
            non_key_attributes: index.projection.non_key_attributes,
        },
    }
}

fn key_schema<'a>(key: &KeySchema<'a>, definitions: &[AttributeDefinition<'a>]) -> KeySchemaText<'a> {
    KeySchemaText { hash_key: key_text(key.hash_key, definitions), range_key: key_text(key.range_key, definitions) }
}

/// A key attribute with the type that its definition states.
fn key_text<'a>(name: &'a str, definitions: &[AttributeDefinition<'a>]) -> KeyText<'a> {
    let found = definitions.binary_search_by(|definition| definition.name.cmp(name)).ok();
    let definition = found.and_then(|at| definitions.get(at)).filter(|_| !name.is_empty());
    KeyText { name, attribute_type: definition.map_or("", |definition| definition.attribute_type) }
}
