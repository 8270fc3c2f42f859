//! Tables and items as the service gives them, and as it would give what comes from here: two sides that can be compared.
//!
//! Source: `docs/format/leave.md`, section 3.5.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ekv_aws::dynamodb as aws;
use ekv_model::dynamodb::{
    AttributeDefinition, Event, Index, ItemKey, KeyForms, KeySchema, KeyType, KeyValue, Node, Number, Projection,
    SetKind, Table, put_sort_key,
};
use ekv_model::{Body, Class, Consumer, Error, Event as AnyEvent, Findings, Result};
use serde_json::Value;

use super::limits::plain_text;
use super::table::new_table;

/// Hands tables under their names on the target, and items as the service keeps them, to a consumer: numbers in one form, sets in one order and
/// each member once.
pub(crate) struct Served<'c> {
    consumer: &'c mut dyn Consumer,
    /// What a table is called on the target.
    name: &'c dyn Fn(&str) -> String,
    /// The open set.
    set: Option<(SetKind, Vec<Vec<u8>>)>,
}

impl<'c> Served<'c> {
    pub(crate) fn new(consumer: &'c mut dyn Consumer, name: &'c dyn Fn(&str) -> String) -> Self {
        Served { consumer, name, set: None }
    }

    fn hand_on(&mut self, event: Event<'_>) -> Result<()> {
        self.consumer.event(AnyEvent::DynamoDb(event))
    }

    fn node(&mut self, node: Node<'_>) -> Result<()> {
        match (node, &mut self.set) {
            (Node::SetBegin(kind), _) => {
                self.set = Some((kind, Vec::new()));
                Ok(())
            }
            (Node::Member(body), Some((kind, members))) => {
                let bytes = whole(&body)?;
                members.push(if *kind == SetKind::Number { number_text(bytes) } else { bytes });
                Ok(())
            }
            (Node::End, Some(_)) => {
                let Some((kind, mut members)) = self.set.take() else { return Ok(()) };
                members.sort();
                members.dedup();
                self.hand_on(Event::Node(Node::SetBegin(kind)))?;
                members.iter().try_for_each(|member| self.hand_on(Event::Node(Node::Member(Body::Inline(member)))))?;
                self.hand_on(Event::Node(Node::End))
            }
            (Node::Number(body), _) => {
                let text = number_text(whole(&body)?);
                self.hand_on(Event::Node(Node::Number(Body::Inline(&text))))
            }
            (node, _) => self.hand_on(Event::Node(node)),
        }
    }
}

impl Consumer for Served<'_> {
    fn event(&mut self, event: AnyEvent<'_>) -> Result<()> {
        let AnyEvent::DynamoDb(event) = event else { return Ok(()) };
        match event {
            Event::TableBegin(table) => {
                let name = (self.name)(table.name);
                with_table(&new_table(table, &name, None), table.key_forms, &mut |table| {
                    self.consumer.event(AnyEvent::DynamoDb(Event::TableBegin(table)))
                })
            }
            Event::ItemBegin { key, commit_ts, bytes } => {
                let part = |value: &KeyValue<'_>| (value.key_type, key_bytes(value));
                with_key(part(&key.hash), key.range.as_ref().map(part), |key| {
                    self.hand_on(Event::ItemBegin { key, commit_ts, bytes })
                })
            }
            Event::Node(node) => self.node(node),
            event @ (Event::ItemEnd | Event::TableEnd) => self.hand_on(event),
        }
    }

    fn findings(&self) -> Findings {
        self.consumer.findings()
    }
}

fn with_key(
    (hash_type, hash): (KeyType, Vec<u8>),
    range: Option<(KeyType, Vec<u8>)>,
    take: impl FnOnce(ItemKey<'_>) -> Result<()>,
) -> Result<()> {
    let hash = KeyValue { key_type: hash_type, bytes: &hash };
    let range = range.as_ref().map(|(key_type, bytes)| KeyValue { key_type: *key_type, bytes });
    let mut sort_key = Vec::new();
    put_sort_key(&hash, range.as_ref(), &mut sort_key);
    take(ItemKey { hash, range, sort_key: &sort_key })
}

fn key_bytes(value: &KeyValue<'_>) -> Vec<u8> {
    if value.key_type == KeyType::Number { number_text(value.bytes.to_vec()) } else { value.bytes.to_vec() }
}

/// The text of a number as the service gives it; of what is none, or out of its range, as it is.
fn number_text(bytes: Vec<u8>) -> Vec<u8> {
    let number = std::str::from_utf8(&bytes).ok().and_then(|text| Number::parse(text).ok());
    match number.filter(|number| number.magnitude.unsigned_abs() <= 1000) {
        Some(number) => plain_text(&number).into_bytes(),
        None => bytes,
    }
}

fn whole(body: &Body<'_>) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    body.for_each_chunk(|chunk| {
        bytes.extend_from_slice(chunk);
        Ok(())
    })?;
    Ok(bytes)
}

/// Hands a table that the service has, or would make, to `take`: definitions, indexes and names in their order.
pub(crate) fn with_table(
    table: &aws::NewTable,
    key_forms: KeyForms,
    take: &mut dyn FnMut(&Table<'_>) -> Result<()>,
) -> Result<()> {
    let mut definitions: Vec<AttributeDefinition<'_>> = table
        .attribute_definitions
        .iter()
        .map(|one| AttributeDefinition { name: &one.attribute_name, attribute_type: &one.attribute_type })
        .collect();
    definitions.sort_by_key(|definition| definition.name);
    let mut indexes: Vec<&aws::Index> = table.global_secondary_indexes.iter().collect();
    indexes.sort_by_key(|index| &index.index_name);
    let names = |index: &&aws::Index| {
        let mut names = index.projection.non_key_attributes.clone().unwrap_or_default();
        names.sort();
        names
    };
    let names: Vec<Vec<String>> = indexes.iter().map(names).collect();
    let names: Vec<Vec<&str>> = names.iter().map(|names| names.iter().map(String::as_str).collect()).collect();
    let indexes: Vec<Index<'_>> = indexes
        .iter()
        .zip(&names)
        .map(|(index, non_key_attributes)| Index {
            name: &index.index_name,
            key_schema: key_schema(&index.key_schema),
            projection: Projection { projection_type: &index.projection.projection_type, non_key_attributes },
        })
        .collect();
    take(&Table {
        name: &table.table_name,
        schema_name: &table.table_name,
        primary_key: key_schema(&table.key_schema),
        attribute_definitions: &definitions,
        indexes: &indexes,
        key_encoding_version: 2,
        generation: 0,
        migrating_from_generation: 0,
        key_forms,
    })
}

fn key_schema(parts: &[aws::KeyPart]) -> KeySchema<'_> {
    let named = |key_type: &str| parts.iter().find(|part| part.key_type == key_type);
    let name = |key_type: &str| named(key_type).map_or("", |part| part.attribute_name.as_str());
    KeySchema { hash_key: name("HASH"), range_key: name("RANGE") }
}

/// Names of the attributes that make the key of items.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct KeyNames {
    pub(crate) hash: String,
    pub(crate) range: Option<String>,
}

impl KeyNames {
    /// Of a table.
    pub(crate) fn of(keys: &KeySchema<'_>) -> Self {
        let range = (!keys.range_key.is_empty()).then(|| keys.range_key.to_owned());
        KeyNames { hash: keys.hash_key.to_owned(), range }
    }

    /// The key of an item, as the service is asked for it.
    pub(crate) fn question(&self, key: &ItemKey<'_>) -> String {
        let value = |value: &KeyValue<'_>| {
            let text = match value.key_type {
                KeyType::Binary => BASE64_STANDARD.encode(value.bytes),
                KeyType::Number => String::from_utf8_lossy(&number_text(value.bytes.to_vec())).into_owned(),
                KeyType::String => String::from_utf8_lossy(value.bytes).into_owned(),
            };
            Value::from_iter([(value.key_type.letter(), text)])
        };
        let range = self.range.as_ref().zip(key.range.as_ref()).map(|(name, range)| (name.clone(), value(range)));
        Value::from_iter(std::iter::once((self.hash.clone(), value(&key.hash))).chain(range)).to_string()
    }

    /// Hands an item that the service gave to `consumer`; `is_wanted` looks at its key before.
    ///
    /// # Errors
    /// A text that is no item of such a table; of the consumer.
    pub(crate) fn pour_item(
        &self,
        item: &str,
        is_wanted: &dyn Fn(&ItemKey<'_>) -> bool,
        consumer: &mut dyn Consumer,
    ) -> Result<()> {
        let item: Value = serde_json::from_str(item).map_err(|error| odd(&error.to_string()))?;
        let attributes = item.as_object().ok_or_else(|| odd("it is no object"))?;
        let part = |name: &str| {
            let (kind, content) =
                attributes.get(name).and_then(typed).ok_or_else(|| odd("a key attribute is missing"))?;
            let text = content.as_str().ok_or_else(|| odd("a key attribute is no text"))?;
            match kind {
                "S" => Ok((KeyType::String, text.as_bytes().to_vec())),
                "N" => Ok((KeyType::Number, number_text(text.as_bytes().to_vec()))),
                "B" => Ok((KeyType::Binary, base64(text)?)),
                _ => Err(odd("a key attribute has a type that no key has")),
            }
        };
        let hash = part(&self.hash)?;
        let range = self.range.as_deref().map(part).transpose()?;
        with_key(hash, range, |key| {
            if !is_wanted(&key) {
                return Ok(());
            }
            consumer.event(AnyEvent::DynamoDb(Event::ItemBegin { key, commit_ts: 0, bytes: None }))?;
            pour_attributes(attributes, consumer)?;
            consumer.event(AnyEvent::DynamoDb(Event::ItemEnd))
        })
    }
}

fn pour_attributes(attributes: &serde_json::Map<String, Value>, consumer: &mut dyn Consumer) -> Result<()> {
    let mut names: Vec<&String> = attributes.keys().collect();
    names.sort();
    for name in names {
        let Some(value) = attributes.get(name) else { continue };
        pour_node(Node::Name(name), consumer)?;
        pour_value(value, consumer)?;
    }
    Ok(())
}

fn pour_node(node: Node<'_>, consumer: &mut dyn Consumer) -> Result<()> {
    consumer.event(AnyEvent::DynamoDb(Event::Node(node)))
}

fn pour_value(value: &Value, consumer: &mut dyn Consumer) -> Result<()> {
    let (kind, content) = typed(value).ok_or_else(|| odd("a value has no type"))?;
    let text = || content.as_str().ok_or_else(|| odd("a value is no text"));
    let members = || content.as_array().ok_or_else(|| odd("a value is no list"));
    match kind {
        "S" => pour_node(Node::String(Body::Inline(text()?.as_bytes())), consumer),
        "N" => pour_node(Node::Number(Body::Inline(text()?.as_bytes())), consumer),
        "B" => pour_node(Node::Binary(Body::Inline(&base64(text()?)?)), consumer),
        "BOOL" => pour_node(Node::Bool(content.as_bool().ok_or_else(|| odd("a Boolean is none"))?), consumer),
        "NULL" => pour_node(Node::Null(content.as_bool().ok_or_else(|| odd("a null is none"))?), consumer),
        "SS" | "NS" | "BS" => {
            let set = match kind {
                "SS" => SetKind::String,
                "NS" => SetKind::Number,
                _ => SetKind::Binary,
            };
            pour_node(Node::SetBegin(set), consumer)?;
            for member in members()? {
                let text = member.as_str().ok_or_else(|| odd("a member is no text"))?;
                let bytes = if set == SetKind::Binary { base64(text)? } else { text.as_bytes().to_vec() };
                pour_node(Node::Member(Body::Inline(&bytes)), consumer)?;
            }
            pour_node(Node::End, consumer)
        }
        "L" => {
            pour_node(Node::ListBegin, consumer)?;
            members()?.iter().try_for_each(|value| pour_value(value, consumer))?;
            pour_node(Node::End, consumer)
        }
        "M" => {
            pour_node(Node::MapBegin, consumer)?;
            pour_attributes(content.as_object().ok_or_else(|| odd("a map is none"))?, consumer)?;
            pour_node(Node::End, consumer)
        }
        _ => Err(odd("a value has a type that is not known")),
    }
}

/// Type and content of a value.
fn typed(value: &Value) -> Option<(&str, &Value)> {
    let mut entries = value.as_object()?.iter();
    let (kind, content) = entries.next()?;
    entries.next().is_none().then_some((kind.as_str(), content))
}

fn base64(text: &str) -> Result<Vec<u8>> {
    BASE64_STANDARD.decode(text).map_err(|_| odd("bytes are no base64"))
}

fn odd(what: &str) -> Error {
    Error::new(Class::WriteIo, format!("the service gave an item that cannot be read: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leave::dynamodb::read_back::fingerprint;

    fn keys() -> KeyNames {
        KeyNames { hash: "h".to_owned(), range: Some("r".to_owned()) }
    }

    #[test]
    fn items_that_the_service_calls_equal_are_equal_and_no_others() {
        let item =
            |rest: &str| fingerprint(&keys(), &format!(r#"{{"h":{{"S":"a"}},"r":{{"N":"1.50"}}{rest}}}"#)).unwrap();
        let plain =
            item(r#","n":{"N":"100"},"s":{"NS":["2","1.0","1"]},"m":{"M":{"b":{"NULL":true},"a":{"BOOL":false}}}"#);
        let same = r#"{"m":{"M":{"a":{"BOOL":false},"b":{"NULL":true}}},"s":{"NS":["1","2"]},"n":{"N":"1E+2"},"r":{"N":"1.5"},"h":{"S":"a"}}"#;
        assert_eq!(plain, fingerprint(&keys(), same).unwrap());
        for other in [
            r#","n":{"N":"101"},"s":{"NS":["1","2"]},"m":{"M":{"b":{"NULL":true},"a":{"BOOL":false}}}"#,
            r#","n":{"S":"100"},"s":{"NS":["1","2"]},"m":{"M":{"b":{"NULL":true},"a":{"BOOL":false}}}"#,
            r#","n":{"N":"100"},"s":{"NS":["1"]},"m":{"M":{"b":{"NULL":true},"a":{"BOOL":false}}}"#,
            r#","n":{"N":"100"},"s":{"NS":["1","2"]},"m":{"M":{"b":{"NULL":true}}}"#,
        ] {
            assert_ne!(plain, item(other), "{other}");
        }
        for odd in
            [r#"{"h":{"S":"a"}}"#, r#"{"h":{"S":"a"},"r":{"L":[]}}"#, "[]", r#"{"h":{"S":"a","N":"1"},"r":{"N":"1"}}"#]
        {
            assert!(fingerprint(&keys(), odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn questions_name_the_key_in_the_types_of_the_service() {
        let (hash, range) = (
            KeyValue { key_type: KeyType::Binary, bytes: b"\0\xff" },
            KeyValue { key_type: KeyType::Number, bytes: b" 1.50 " },
        );
        let key = ItemKey { hash, range: Some(range), sort_key: b"" };
        assert_eq!(keys().question(&key), r#"{"h":{"B":"AP8="},"r":{"N":"1.5"}}"#);
    }
}
