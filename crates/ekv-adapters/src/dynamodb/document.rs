//! The attributes of an item as events.

use ekv_model::dynamodb::{Event, Node};
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
    walk(run, item).map_err(|fault| match fault {
        Fault::Malformed => Error::new(Class::Data, ItemChanged),
        Fault::Read(error) => error,
    })
}

fn walk(run: &mut Run<'_>, item: &mut Item<'_>) -> Result<(), Fault> {
    let Item { source, attributes } = item;
    while let Some((name, entry)) = attributes.next() {
        node(run, Node::Name(name))?;
        value(run, source, Value::of_entry(entry))?;
    }
    Ok(())
}

/// Emits a value with everything inside it.
fn value(run: &mut Run<'_>, source: &mut Source<'_>, value: Value) -> Result<(), Fault> {
    let mut open: Vec<Frame> = Vec::new();
    open.extend(begin(run, source, value)?);
    while let Some(frame) = open.last_mut() {
        let next = match frame {
            Frame::List(members) => members.next(source)?.map(Value::of_element),
            Frame::Map(attributes) => match attributes.next() {
                Some((name, entry)) => {
                    node(run, Node::Name(name))?;
                    Some(Value::of_entry(entry))
                }
                None => None,
            },
        };
        match next {
            Some(value) => open.extend(begin(run, source, value)?),
            None => {
                node(run, Node::End)?;
                open.pop();
            }
        }
    }
    Ok(())
}

/// Emits a leaf or a whole set, or the beginning of a list or map.
fn begin(run: &mut Run<'_>, source: &mut Source<'_>, value: Value) -> Result<Option<Frame>, Fault> {
    match value.content(source)? {
        Content::Missing => node(run, Node::Missing)?,
        Content::String(span) => source.with_body(span, |body| node(run, Node::String(body)))?,
        Content::Number(span) => source.with_body(span, |body| node(run, Node::Number(body)))?,
        Content::Binary(span) => source.with_body(span, |body| node(run, Node::Binary(body)))?,
        Content::Bool(is_true) => node(run, Node::Bool(is_true))?,
        Content::Null(is_null) => node(run, Node::Null(is_null))?,
        Content::Set(kind, mut members) => {
            node(run, Node::SetBegin(kind))?;
            while let Some(span) = members.next(source)? {
                source.with_body(span, |body| node(run, Node::Member(body)))?;
            }
            node(run, Node::End)?;
        }
        Content::List(members) => {
            node(run, Node::ListBegin)?;
            return Ok(Some(Frame::List(members)));
        }
        Content::Map(members) => {
            node(run, Node::MapBegin)?;
            return Ok(Some(Frame::Map(Attributes::collect(members, source)?)));
        }
    }
    Ok(None)
}

fn node(run: &mut Run<'_>, node: Node<'_>) -> Result<()> {
    run.emit(ModelEvent::DynamoDb(Event::Node(node)))
}
