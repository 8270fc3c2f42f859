//! The schema record of a table. Source: `docs/format/dynamodb.md`, sections 2.4 and 6.

use ekv_model::dynamodb::{Index, KeySchema, Table};

use crate::dynamodb::schema::{MAGIC, ORDERED_KEYS_VERSION};
use crate::protobuf::{put_bytes, put_number, put_text};

/// Generation of every table.
pub(super) const GENERATION: u64 = 1;

/// Appends the value of the record.
pub(super) fn put_schema(table: &Table<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(MAGIC);
    put_text(1, table.schema_name, out);
    for definition in table.attribute_definitions {
        put_entry(2, definition.name, definition.attribute_type.as_bytes(), out);
    }
    put_bytes(3, &key_schema(&table.primary_key), out);
    for index in table.indexes {
        put_entry(4, index.name, &index_message(index), out);
    }
    put_number(5, ORDERED_KEYS_VERSION, out);
    put_number(7, GENERATION, out);
}

/// Appends an entry of a map, which always has both fields.
fn put_entry(number: u64, name: &str, value: &[u8], out: &mut Vec<u8>) {
    let mut entry = Vec::new();
    put_bytes(1, name.as_bytes(), &mut entry);
    put_bytes(2, value, &mut entry);
    put_bytes(number, &entry, out);
}

fn key_schema(key: &KeySchema<'_>) -> Vec<u8> {
    let mut message = Vec::new();
    put_text(1, key.hash_key, &mut message);
    put_text(2, key.range_key, &mut message);
    message
}

fn index_message(index: &Index<'_>) -> Vec<u8> {
    let mut projection = Vec::new();
    put_text(1, index.projection.projection_type, &mut projection);
    for attribute in index.projection.non_key_attributes {
        put_bytes(2, attribute.as_bytes(), &mut projection);
    }
    let mut message = Vec::new();
    put_bytes(1, &key_schema(&index.key_schema), &mut message);
    put_bytes(2, &projection, &mut message);
    message
}
