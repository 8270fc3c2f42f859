//! Tables as the service takes them.
//!
//! Source: `docs/format/leave.md`, section 3.3.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use ekv_aws::dynamodb as aws;
use ekv_model::dynamodb::{Index, KeySchema, Table};

use crate::leave::aws::Capacity;

/// Lengths of names of tables and indexes, in bytes.
const NAME_LENS: RangeInclusive<usize> = 3..=255;

/// Why the service would refuse a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TableUnfit {
    /// A name that is not 3 to 255 of letters, digits, `_`, `-`, `.`.
    Name,
    /// An index with such a name.
    IndexName(String),
    /// No hash key, or one without a type.
    Key,
}

impl TableUnfit {
    /// What is wrong, as a sentence that follows the table's name.
    pub(crate) fn reason(&self) -> String {
        match self {
            TableUnfit::Name => {
                "has a name that is not 3 to 255 letters, digits, '_', '-' and '.'; --rename gives it another"
                    .to_owned()
            }
            TableUnfit::IndexName(name) => {
                format!("has an index with the name {name:?}, which is not 3 to 255 letters, digits, '_', '-' and '.'")
            }
            TableUnfit::Key => "has a key attribute without a type".to_owned(),
        }
    }
}

/// Judges a table under the name that it will have.
pub(crate) fn check_table(table: &Table<'_>, name: &str) -> Result<(), TableUnfit> {
    if !is_name(name) {
        return Err(TableUnfit::Name);
    }
    if let Some(index) = table.indexes.iter().find(|index| !is_name(index.name)) {
        return Err(TableUnfit::IndexName(index.name.to_owned()));
    }
    let has_type = |attribute: &str| {
        let definition = table.attribute_definitions.iter().find(|definition| definition.name == attribute);
        definition.is_some_and(|definition| ["S", "N", "B"].contains(&definition.attribute_type))
    };
    let schemas = std::iter::once(&table.primary_key).chain(table.indexes.iter().map(|index| &index.key_schema));
    let is_typed = schemas
        .into_iter()
        .all(|keys| has_type(keys.hash_key) && (keys.range_key.is_empty() || has_type(keys.range_key)));
    if is_typed { Ok(()) } else { Err(TableUnfit::Key) }
}

/// What the service makes a table of: the attributes that are keys of the table or of an index, and no others, which it refuses.
pub(crate) fn new_table(table: &Table<'_>, name: &str, capacity: Option<Capacity>) -> aws::NewTable {
    let schemas = std::iter::once(&table.primary_key).chain(table.indexes.iter().map(|index| &index.key_schema));
    let used: BTreeSet<&str> = schemas.flat_map(|keys| [keys.hash_key, keys.range_key]).collect();
    let used = table.attribute_definitions.iter().filter(|definition| used.contains(definition.name));
    let definition =
        |name: &str, kind: &str| aws::Attribute { attribute_name: name.into(), attribute_type: kind.into() };
    let throughput = capacity
        .map(|Capacity { read, write }| aws::Throughput { read_capacity_units: read, write_capacity_units: write });
    aws::NewTable {
        table_name: name.to_owned(),
        key_schema: key_schema(&table.primary_key),
        attribute_definitions: used.map(|used| definition(used.name, used.attribute_type)).collect(),
        global_secondary_indexes: table.indexes.iter().map(|own| index(own, throughput)).collect(),
        billing_mode: if throughput.is_some() { "PROVISIONED" } else { "PAY_PER_REQUEST" }.to_owned(),
        provisioned_throughput: throughput,
    }
}

fn key_schema(keys: &KeySchema<'_>) -> Vec<aws::KeyPart> {
    let part = |name: &str, kind: &str| aws::KeyPart { attribute_name: name.to_owned(), key_type: kind.to_owned() };
    let range = (!keys.range_key.is_empty()).then(|| part(keys.range_key, "RANGE"));
    std::iter::once(part(keys.hash_key, "HASH")).chain(range).collect()
}

fn index(index: &Index<'_>, provisioned_throughput: Option<aws::Throughput>) -> aws::Index {
    let names: Vec<String> = index.projection.non_key_attributes.iter().map(|name| (*name).to_owned()).collect();
    let projection = aws::Projection {
        projection_type: index.projection.projection_type.to_owned(),
        non_key_attributes: (!names.is_empty()).then_some(names),
    };
    let index_name = index.name.to_owned();
    aws::Index { index_name, key_schema: key_schema(&index.key_schema), projection, provisioned_throughput }
}

/// What keeps a table that is there from taking what is in another one: its keys must be the same, and it must have the other's indexes.
pub(crate) fn disagreement(wanted: &aws::NewTable, found: &aws::Table) -> Option<String> {
    let is_key = |parts: &[aws::KeyPart], others: &[aws::KeyPart]| {
        parts.len() == others.len() && parts.iter().all(|part| others.contains(part))
    };
    if !is_key(&wanted.key_schema, &found.key_schema) {
        return Some("its key is made of other attributes".to_owned());
    }
    let type_of = |attributes: &[aws::Attribute], name: &str| {
        let found = attributes.iter().find(|attribute| attribute.attribute_name == name);
        found.map(|attribute| attribute.attribute_type.clone())
    };
    for attribute in &wanted.attribute_definitions {
        let (name, own) = (&attribute.attribute_name, &attribute.attribute_type);
        match type_of(&found.attribute_definitions, name) {
            Some(theirs) if theirs != *own => {
                return Some(format!("its key attribute {name} is {theirs}, and not {own}"));
            }
            None if wanted.key_schema.iter().any(|part| part.attribute_name == *name) => {
                return Some(format!("its key attribute {name} has no type"));
            }
            _ => {}
        }
    }
    let theirs = found.global_secondary_indexes.as_deref().unwrap_or_default();
    let names = |index: &aws::Index| -> BTreeSet<String> {
        index.projection.non_key_attributes.iter().flatten().cloned().collect()
    };
    for own in &wanted.global_secondary_indexes {
        let name = &own.index_name;
        match theirs.iter().find(|index| index.index_name == *name) {
            None => return Some(format!("it has no index {name}")),
            Some(index) if !is_key(&own.key_schema, &index.key_schema) => {
                return Some(format!("the key of its index {name} is made of other attributes"));
            }
            Some(index)
                if own.projection.projection_type != index.projection.projection_type || names(own) != names(index) =>
            {
                return Some(format!("its index {name} copies other attributes"));
            }
            Some(_) => {}
        }
    }
    None
}

fn is_name(name: &str) -> bool {
    NAME_LENS.contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
}

#[cfg(test)]
mod tests {
    use ekv_model::dynamodb::{AttributeDefinition, KeyForms, KeySchema};

    use super::*;

    #[test]
    fn names_and_keys_are_judged() {
        let table = Table {
            name: "t",
            schema_name: "t",
            primary_key: KeySchema { hash_key: "h", range_key: "" },
            attribute_definitions: &[AttributeDefinition { name: "h", attribute_type: "S" }],
            indexes: &[],
            key_encoding_version: 2,
            generation: 1,
            migrating_from_generation: 0,
            key_forms: KeyForms::Uniform,
        };
        assert_eq!(check_table(&table, "users"), Ok(()));
        for name in ["ab", "a/b", "ü--", &"x".repeat(256)] {
            assert_eq!(check_table(&table, name), Err(TableUnfit::Name), "{name}");
        }
        assert_eq!(check_table(&Table { attribute_definitions: &[], ..table }, "users"), Err(TableUnfit::Key));
    }

    #[test]
    fn a_table_that_is_there_must_have_the_keys_and_indexes_of_the_other() {
        let definitions = ["h", "i"].map(|name| AttributeDefinition { name, attribute_type: "S" });
        let projection =
            ekv_model::dynamodb::Projection { projection_type: "INCLUDE", non_key_attributes: &["b", "a"] };
        let key_schema = KeySchema { hash_key: "i", range_key: "" };
        let indexes = [Index { name: "by-i", key_schema, projection }];
        let table = Table {
            name: "t",
            schema_name: "t",
            primary_key: KeySchema { hash_key: "h", range_key: "" },
            attribute_definitions: &definitions,
            indexes: &indexes,
            key_encoding_version: 2,
            generation: 1,
            migrating_from_generation: 0,
            key_forms: KeyForms::Uniform,
        };
        let wanted = new_table(&table, "t", None);
        let found = |change: &dyn Fn(&mut aws::NewTable)| {
            let mut other = wanted.clone();
            change(&mut other);
            aws::Table {
                table_status: "ACTIVE".to_owned(),
                table_id: None,
                creation_date_time: None,
                key_schema: other.key_schema,
                attribute_definitions: other.attribute_definitions,
                global_secondary_indexes: Some(other.global_secondary_indexes),
            }
        };
        let judged = |change: &dyn Fn(&mut aws::NewTable)| disagreement(&wanted, &found(change));
        assert_eq!(judged(&|_| {}), None);
        assert_eq!(
            judged(&|table| table.global_secondary_indexes[0]
                .projection
                .non_key_attributes
                .as_mut()
                .unwrap()
                .reverse()),
            None
        );
        assert_eq!(
            judged(&|table| table.global_secondary_indexes.push(wanted.global_secondary_indexes[0].clone())),
            None
        );
        let told = |change: &dyn Fn(&mut aws::NewTable), what: &str| {
            let told = judged(change).unwrap();
            assert!(told.contains(what), "{told}");
        };
        told(&|table| table.key_schema[0].attribute_name = "x".to_owned(), "key is made of");
        told(&|table| table.attribute_definitions[0].attribute_type = "N".to_owned(), "h is N, and not S");
        told(&|table| table.global_secondary_indexes.clear(), "no index by-i");
        told(
            &|table| table.global_secondary_indexes[0].key_schema[0].attribute_name = "h".to_owned(),
            "key of its index",
        );
        told(&|table| table.global_secondary_indexes[0].projection.projection_type = "ALL".to_owned(), "copies other");
        let provisioned = new_table(&table, "t", Some(Capacity { read: 5, write: 7 }));
        let units = provisioned.global_secondary_indexes[0].provisioned_throughput.unwrap();
        assert_eq!((units.read_capacity_units, units.write_capacity_units), (5, 7));
    }
}
