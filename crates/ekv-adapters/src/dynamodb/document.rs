//! The attributes of an item as events.

use ekv_model::dynamodb::{Event, Node};
use ekv_model::payload::ItemMeter;
use ekv_model::{Class, Error, Event as ModelEvent, Result};

use super::item::Item;
use super::value::{Attributes, Content, Members, Value};
use crate::Run;
use crate::protobuf::{Fault, Source};

/// An open list or map.
enum Frame {
    List(Members),
    Map(Attributes),
}

/// The message of an item that has been checked can no longer be read.
#[derive(Debug, thiserror::Error)]
#[error("an item was changed while it was read")]
struct ItemChanged;

/// Emits the attributes of an item, in ascending order of their names.
///
/// Cost: no recursion; the names of the maps that are open at once.
pub(super) fn emit(run: &mut Run<'_>, item: &mut Item<'_>) -> Result<()> {
    walk(&mut |node| run.emit(ModelEvent::DynamoDb(Event::Node(node))), item)
}

/// How many bytes the payload of an item has.
pub(super) fn measure(item: &mut Item<'_>) -> Result<u64> {
    let mut meter = ItemMeter::default();
    walk(
        &mut |node| {
            meter.node(&node);
            Ok(())
        },
        item,
    )?;
    Ok(meter.bytes())
}

/// Takes the nodes of an item.
type Nodes<'n> = &'n mut dyn FnMut(Node<'_>) -> Result<()>;

fn walk(nodes: Nodes<'_>, item: &mut Item<'_>) -> Result<()> {
    walk_attributes(nodes, item).map_err(|fault| match fault {
        Fault::Malformed => Error::new(Class::Data, ItemChanged),
        Fault::Read(error) => error,
    })
}

fn walk_attributes(nodes: Nodes<'_>, item: &mut Item<'_>) -> Result<(), Fault> {
    let Item { source, attributes } = item;
    while let Some((name, entry)) = attributes.next() {
        nodes(Node::Name(name))?;
        value(nodes, source, Value::of_entry(entry))?;
    }
    Ok(())
}

/// Emits a value with everything inside it.
fn value(nodes: Nodes<'_>, source: &mut Source<'_>, value: Value) -> Result<(), Fault> {
    let mut open: Vec<Frame> = Vec::new();
    open.extend(begin(nodes, source, value)?);
    while let Some(frame) = open.last_mut() {
        let next = match frame {
            Frame::List(members) => members.next(source)?.map(Value::of_element),
            Frame::Map(attributes) => match attributes.next() {
                Some((name, entry)) => {
                    nodes(Node::Name(name))?;
                    Some(Value::of_entry(entry))
                }
                None => None,
            },
        };
        match next {
            Some(value) => open.extend(begin(nodes, source, value)?),
            None => {
                nodes(Node::End)?;
                open.pop();
            }
        }
    }
    Ok(())
}

/// Emits a leaf or a whole set, or the beginning of a list or map.
fn begin(nodes: Nodes<'_>, source: &mut Source<'_>, value: Value) -> Result<Option<Frame>, Fault> {
    match value.content(source)? {
        Content::Missing => nodes(Node::Missing)?,
        Content::String(span) => source.with_body(span, |body| nodes(Node::String(body)))?,
        Content::Number(span) => source.with_body(span, |body| nodes(Node::Number(body)))?,
        Content::Binary(span) => source.with_body(span, |body| nodes(Node::Binary(body)))?,
        Content::Bool(is_true) => nodes(Node::Bool(is_true))?,
        Content::Null(is_null) => nodes(Node::Null(is_null))?,
        Content::Set(kind, mut members) => {
            nodes(Node::SetBegin(kind))?;
            while let Some(span) = members.next(source)? {
                source.with_body(span, |body| nodes(Node::Member(body)))?;
            }
            nodes(Node::End)?;
        }
        Content::List(members) => {
            nodes(Node::ListBegin)?;
            return Ok(Some(Frame::List(members)));
        }
        Content::Map(members) => {
            nodes(Node::MapBegin)?;
            return Ok(Some(Frame::Map(Attributes::collect(members, source)?)));
        }
    }
    Ok(None)
}
