//! Tables as the service takes them.
//!
//! Source: `docs/format/leave.md`, section 3.3.

use std::ops::RangeInclusive;

use ekv_model::dynamodb::Table;

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
}
