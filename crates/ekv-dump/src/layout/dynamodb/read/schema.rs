//! `_schema.json` of a table. Source: `docs/format/dynamodb.md`, sections 4.2 and 6.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use ekv_files::Result;
use ekv_model::ByteSource;
use ekv_model::dynamodb as model;
use ekv_model::dynamodb::shown;

use crate::json::{JsonFault, JsonReader, Refuse as _};
use crate::replay::ReplayFault;
use crate::replay::text::read_version;

/// Version of item keys that every table gets.
const KEY_ENCODING_VERSION: u64 = 2;
/// Generation that every table gets.
const GENERATION: u64 = 1;

/// Memory for the names and types of a schema, in bytes: what a schema record holds.
const TEXTS_LEN_MAX: usize = 4 << 20;
/// What each text counts for beside its length, in bytes.
const TEXT_LEN: usize = 2;

const SCHEMA: &[&str] =
    &["format_version", "table_name", "primary_key", "attribute_definitions", "global_secondary_indexes"];
const KEY_SCHEMA: &[&str] = &["hash_key", "range_key"];
const KEY: &[&str] = &["name"];
const DEFINITION: &[&str] = &["name", "type"];
const INDEX: &[&str] = &["name", "key_schema", "projection"];
const PROJECTION: &[&str] = &["type", "non_key_attributes"];

const A_SCHEMA: &str = "an object with the schema of a table";
const A_KEY_SCHEMA: &str = "an object with hash_key and range_key";
const A_KEY: &str = "an object with the name of a key attribute";
const AN_ARRAY: &str = "an array";
const A_DEFINITION: &str = "an object with name and type of an attribute";
const AN_INDEX: &str = "an object with name, key_schema and projection";
const A_PROJECTION: &str = "an object with type and non_key_attributes";
const A_STRING: &str = "a string";

/// The schema of a table as its file has it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Schema {
    pub(super) table_name: String,
    pub(super) primary_key: KeySchema,
    definitions: BTreeMap<String, String>,
    indexes: BTreeMap<String, Index>,
}

/// Attribute names of a key.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct KeySchema {
    pub(super) hash_key: String,
    /// Empty if there is none.
    pub(super) range_key: String,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Index {
    key_schema: KeySchema,
    projection_type: String,
    non_key_attributes: Vec<String>,
}

impl Schema {
    /// Whether the items of one hash key have a directory.
    pub(crate) fn has_range_key(&self) -> bool {
        !self.primary_key.range_key.is_empty()
    }

    /// Reads the file. Members that no schema has are passed over, as the reference's reader does.
    pub(crate) fn read(content: &dyn ByteSource) -> Result<Schema> {
        let mut texts = Texts { room: TEXTS_LEN_MAX };
        let mut schema = Schema::default();
        let mut seen = [false; 3];
        let mut reader = JsonReader::document(content);
        reader.known_members(A_SCHEMA, SCHEMA, |reader, member| {
            if let Some(seen) = seen.get_mut(member) {
                *seen = true;
            }
            match member {
                0 => read_version(reader),
                1 => {
                    schema.table_name = texts.not_empty(reader, "table_name")?;
                    Ok(())
                }
                2 => {
                    schema.primary_key = texts.key_schema(reader)?;
                    Ok(())
                }
                3 => reader.array(AN_ARRAY, |reader| texts.definition(reader, &mut schema.definitions)),
                _ => reader.array(AN_ARRAY, |reader| texts.index(reader, &mut schema.indexes)),
            }
        })?;
        reader.end()?;
        match SCHEMA.iter().zip(seen).find(|(_, seen)| !seen) {
            Some((name, _)) => Err(reader.fault(JsonFault::MissingMember { name })),
            None => Ok(schema),
        }
    }

    /// Calls `f` with the table as events show it.
    pub(super) fn with_table<T>(&self, key_forms: model::KeyForms, f: impl FnOnce(&model::Table<'_>) -> T) -> T {
        let definitions = self.definitions.iter();
        let attribute_definitions: Vec<_> =
            definitions.map(|(name, attribute_type)| model::AttributeDefinition { name, attribute_type }).collect();
        let non_key_attributes: Vec<Vec<&str>> =
            self.indexes.values().map(|index| index.non_key_attributes.iter().map(String::as_str).collect()).collect();
        let indexes: Vec<_> = self
            .indexes
            .iter()
            .zip(&non_key_attributes)
            .map(|((name, index), non_key_attributes)| model::Index {
                name,
                key_schema: index.key_schema.as_event(),
                projection: model::Projection { projection_type: &index.projection_type, non_key_attributes },
            })
            .collect();
        f(&model::Table {
            name: &self.table_name,
            schema_name: &self.table_name,
            primary_key: self.primary_key.as_event(),
            attribute_definitions: &attribute_definitions,
            indexes: &indexes,
            key_encoding_version: KEY_ENCODING_VERSION,
            generation: GENERATION,
            migrating_from_generation: 0,
            key_forms,
        })
    }
}

impl KeySchema {
    fn as_event(&self) -> model::KeySchema<'_> {
        model::KeySchema { hash_key: &self.hash_key, range_key: &self.range_key }
    }
}

/// Reads texts as long as there is memory for them.
struct Texts {
    room: usize,
}

impl Texts {
    fn text(&mut self, reader: &mut JsonReader<'_>) -> Result<String> {
        let mut bytes = Vec::new();
        let room = self.room.checked_sub(TEXT_LEN);
        let room = room.ok_or_else(|| reader.refuse(ReplayFault::SchemaTooLarge { len_max: TEXTS_LEN_MAX }))?;
        reader.text(A_STRING, room, &mut bytes)?;
        self.room = room.saturating_sub(bytes.len());
        // The reader gives UTF-8 only.
        Ok(String::from_utf8(bytes).unwrap_or_default())
    }

    fn not_empty(&mut self, reader: &mut JsonReader<'_>, member: &'static str) -> Result<String> {
        let start = reader.position()?;
        let text = self.text(reader)?;
        if text.is_empty() {
            reader.seek(start);
            return Err(reader.refuse(ReplayFault::EmptyMember { member }));
        }
        Ok(text)
    }

    /// A key; its hash key must have a name.
    fn key_schema(&mut self, reader: &mut JsonReader<'_>) -> Result<KeySchema> {
        let mut key = KeySchema::default();
        reader.known_members(A_KEY_SCHEMA, KEY_SCHEMA, |reader, member| {
            reader.known_members(A_KEY, KEY, |reader, _| {
                match member {
                    0 => key.hash_key = self.not_empty(reader, "the name of the hash_key")?,
                    _ => key.range_key = self.text(reader)?,
                }
                Ok(())
            })
        })?;
        if key.hash_key.is_empty() {
            return Err(reader.refuse(ReplayFault::MissingHashKey));
        }
        Ok(key)
    }

    fn definition(&mut self, reader: &mut JsonReader<'_>, all: &mut BTreeMap<String, String>) -> Result<()> {
        let start = reader.position()?;
        let (mut name, mut attribute_type) = (String::new(), String::new());
        reader.known_members(A_DEFINITION, DEFINITION, |reader, member| {
            match member {
                0 => name = self.text(reader)?,
                _ => attribute_type = self.text(reader)?,
            }
            Ok(())
        })?;
        let repeated = ReplayFault::RepeatedName { element: "attribute definition", name: shown(name.as_bytes()) };
        if all.insert(name, attribute_type).is_some() {
            reader.seek(start);
            return Err(reader.refuse(repeated));
        }
        Ok(())
    }

    fn index(&mut self, reader: &mut JsonReader<'_>, all: &mut BTreeMap<String, Index>) -> Result<()> {
        let start = reader.position()?;
        let (mut name, mut index) = (String::new(), Index::default());
        reader.known_members(AN_INDEX, INDEX, |reader, member| match member {
            0 => {
                name = self.text(reader)?;
                Ok(())
            }
            1 => {
                index.key_schema = self.key_schema(reader)?;
                Ok(())
            }
            _ => reader.known_members(A_PROJECTION, PROJECTION, |reader, member| match member {
                0 => {
                    index.projection_type = self.text(reader)?;
                    Ok(())
                }
                _ => reader.array(AN_ARRAY, |reader| {
                    index.non_key_attributes.push(self.text(reader)?);
                    Ok(())
                }),
            }),
        })?;
        let repeated = ReplayFault::RepeatedName { element: "index", name: shown(name.as_bytes()) };
        let fault = match all.entry(name) {
            Entry::Occupied(_) => repeated,
            Entry::Vacant(_) if index.key_schema.hash_key.is_empty() => ReplayFault::MissingHashKey,
            Entry::Vacant(vacant) => {
                vacant.insert(index);
                return Ok(());
            }
        };
        reader.seek(start);
        Err(reader.refuse(fault))
    }
}
