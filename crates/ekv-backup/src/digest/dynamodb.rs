//! DynamoDB tables and items as they are compared.

use ekv_model::dynamodb::{Event, ItemKey, KeySchema, KeyValue, Node, SetKind, Table};
use ekv_model::{Body, Protocol, Result};

use super::Digester;
use super::aspects::{Aspects, Fingerprint};
use super::canonical::Canonical;
use super::compare::{self, Part};

impl Digester<'_> {
    pub(super) fn dynamodb(&mut self, event: &Event<'_>) -> Result<()> {
        match event {
            Event::TableBegin(table) => {
                self.set_scope(table.name.as_bytes());
                let mut canonical = Canonical::of("dynamodb table");
                canonical.table(table);
                self.put(Protocol::DynamoDb, Part::Itself, b"", b"", canonical)
            }
            Event::ItemBegin { key, .. } => {
                let mut canonical = Canonical::of("dynamodb item");
                canonical.item_key(key);
                self.open = Some((canonical, key.sort_key.to_vec(), compare::shown_item(key)));
                Ok(())
            }
            Event::Node(node) => self.add(|canonical| canonical.node(node)),
            Event::ItemEnd => self.end(Protocol::DynamoDb),
            Event::TableEnd => Ok(()),
        }
    }
}

impl Aspects {
    pub(super) fn dynamodb(&mut self, event: &Event<'_>) -> Result<Option<Fingerprint>> {
        match event {
            Event::TableBegin(table) => {
                let mut canonical = Canonical::of("dynamodb table");
                canonical.table(table);
                return Ok(Some(Fingerprint::of_metadata(canonical)));
            }
            Event::ItemBegin { key, .. } => {
                let mut canonical = Canonical::of("dynamodb item");
                canonical.item_key(key);
                self.open = Some(canonical);
            }
            Event::Node(node) => {
                if let Some(open) = &mut self.open {
                    open.node(node)?;
                }
            }
            Event::ItemEnd => return Ok(self.end()),
            Event::TableEnd => {}
        }
        Ok(None)
    }
}

impl Canonical {
    pub(super) fn table(&mut self, table: &Table<'_>) {
        self.key_schema(&table.primary_key);
        self.len(table.attribute_definitions.len());
        for definition in table.attribute_definitions {
            self.texts([definition.name, definition.attribute_type]);
        }
        self.len(table.indexes.len());
        for index in table.indexes {
            self.texts([index.name, index.projection.projection_type]);
            self.key_schema(&index.key_schema);
            self.len(index.projection.non_key_attributes.len());
            index.projection.non_key_attributes.iter().for_each(|name| self.text(name));
        }
    }

    fn key_schema(&mut self, schema: &KeySchema<'_>) {
        self.texts([schema.hash_key, schema.range_key]);
    }

    pub(super) fn item_key(&mut self, key: &ItemKey<'_>) {
        let mut value = |value: &KeyValue<'_>| {
            self.text(value.key_type.letter());
            self.bytes(value.bytes);
        };
        value(&key.hash);
        key.range.iter().for_each(value);
    }

    pub(super) fn node(&mut self, node: &Node<'_>) -> Result<()> {
        let (kind, body) = match node {
            Node::Name(name) => ("name", Some(Body::Inline(name.as_bytes()))),
            Node::String(body) => ("S", Some(*body)),
            Node::Number(body) => ("N", Some(*body)),
            Node::Binary(body) => ("B", Some(*body)),
            Node::Bool(true) => ("true", None),
            Node::Bool(false) => ("false", None),
            Node::Null(true) => ("null", None),
            Node::Null(false) => ("not null", None),
            Node::Missing => ("missing", None),
            Node::SetBegin(SetKind::String) => ("SS", None),
            Node::SetBegin(SetKind::Number) => ("NS", None),
            Node::SetBegin(SetKind::Binary) => ("BS", None),
            Node::Member(body) => ("member", Some(*body)),
            Node::ListBegin => ("L", None),
            Node::MapBegin => ("M", None),
            Node::End => ("end", None),
        };
        self.text(kind);
        body.map_or(Ok(()), |body| self.body(&body))
    }
}
