//! Checks the message of an item before anything of it is written. Source: `docs/format/dynamodb.md`, section 2.4.

use ekv_model::dynamodb::{ATTRIBUTE_ENTRY_LEN, ATTRIBUTE_LEVEL_MAX, ATTRIBUTE_NAMES_LEN_MAX};
use ekv_model::{Error, Finding, Result};

use super::findings;
use crate::protobuf::{Fault, Fields, Malformed, Source, Span, Wire};

/// Why an item cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadItem {
    /// The value does not begin like an item.
    Magic,
    /// The message does not parse, or a text in it is not UTF-8.
    Malformed,
    /// Lists and maps inside each other beyond the limit.
    TooDeep,
    /// Too long, or too many attributes.
    TooLarge,
    /// The hash key attribute is missing or has no key type.
    HashKey,
    /// The range key attribute is missing or has no key type.
    RangeKey,
}

impl BadItem {
    pub(super) fn finding(self) -> Finding {
        match self {
            BadItem::TooDeep => findings::ITEM_TOO_DEEP,
            BadItem::TooLarge => findings::ITEM_TOO_LARGE,
            _ => findings::INVALID_ITEM,
        }
    }

    pub(super) fn detail(self, value_len: u64) -> String {
        let what = match self {
            BadItem::Magic => "does not begin like an item",
            BadItem::Malformed => "does not parse",
            BadItem::TooDeep => "has more than 64 levels of lists and maps",
            BadItem::TooLarge => "is longer than 16 MiB, or has more attributes than can be sorted",
            BadItem::HashKey => "has no hash key attribute of type S, N or B",
            BadItem::RangeKey => "has no range key attribute of type S, N or B",
        };
        format!("value of {value_len} bytes {what}")
    }
}

impl From<Malformed> for BadItem {
    fn from(_: Malformed) -> Self {
        BadItem::Malformed
    }
}

/// The messages that an item is made of.
#[derive(Clone, Copy)]
enum Kind {
    Item,
    Entry,
    Value,
    Strings,
    Binaries,
    List,
    Map,
}

/// What a field holds, as far as it must be looked at.
enum Part {
    /// A message, that many levels deeper.
    Message(Kind, usize),
    Name,
    Text,
    Other,
}

struct Frame {
    fields: Fields,
    kind: Kind,
    level: usize,
}

/// Why checking stopped.
enum Stop {
    Bad(BadItem),
    Fault(Fault),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Stop::Fault(fault)
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Stop::Fault(Fault::Read(error))
    }
}

/// Checks every field, also of values that later ones replace: structure, UTF-8, nesting, number of names.
///
/// Cost: no recursion; a few dozen bytes for each level.
pub(super) fn item(source: &mut Source<'_>, fields: Fields) -> Result<Result<(), BadItem>> {
    match walk(source, fields) {
        Ok(()) => Ok(Ok(())),
        Err(Stop::Bad(bad)) => Ok(Err(bad)),
        Err(Stop::Fault(Fault::Malformed)) => Ok(Err(BadItem::Malformed)),
        Err(Stop::Fault(Fault::Read(error))) => Err(error),
    }
}

fn walk(source: &mut Source<'_>, fields: Fields) -> Result<(), Stop> {
    let mut names_len = 0_usize;
    let mut open = vec![Frame { fields, kind: Kind::Item, level: 1 }];
    while let Some(Frame { fields, kind, level }) = open.last_mut() {
        let Some(field) = fields.next(source)? else {
            open.pop();
            continue;
        };
        let Wire::Bytes(span) = field.content else { continue };
        match part(*kind, field.number) {
            Part::Message(kind, deeper) => {
                let level = level.saturating_add(deeper);
                if level > ATTRIBUTE_LEVEL_MAX {
                    return Err(Stop::Bad(BadItem::TooDeep));
                }
                if let Kind::Entry = kind {
                    names_len = counted(names_len, ATTRIBUTE_ENTRY_LEN)?;
                }
                open.push(Frame { fields: Fields::of(span), kind, level });
            }
            Part::Name => {
                names_len = counted(names_len, usize::try_from(span.len).unwrap_or(usize::MAX))?;
                check_text(source, span)?;
            }
            Part::Text => check_text(source, span)?,
            Part::Other => {}
        }
    }
    Ok(())
}

fn part(kind: Kind, number: u64) -> Part {
    match (kind, number) {
        (Kind::Item, 1) => Part::Message(Kind::Entry, 0),
        (Kind::Map, 1) => Part::Message(Kind::Entry, 1),
        (Kind::Entry, 1) => Part::Name,
        (Kind::Entry, 2) => Part::Message(Kind::Value, 0),
        (Kind::Value, 1 | 2) | (Kind::Strings, 1) => Part::Text,
        (Kind::Value, 6 | 7) => Part::Message(Kind::Strings, 0),
        (Kind::Value, 8) => Part::Message(Kind::Binaries, 0),
        (Kind::Value, 9) => Part::Message(Kind::List, 0),
        (Kind::Value, 10) => Part::Message(Kind::Map, 0),
        (Kind::List, 1) => Part::Message(Kind::Value, 1),
        _ => Part::Other,
    }
}

fn counted(names_len: usize, more: usize) -> Result<usize, Stop> {
    Some(names_len.saturating_add(more))
        .filter(|len| *len <= ATTRIBUTE_NAMES_LEN_MAX)
        .ok_or(Stop::Bad(BadItem::TooLarge))
}

fn check_text(source: &Source<'_>, span: Span) -> Result<(), Stop> {
    if source.is_utf8(span)? { Ok(()) } else { Err(Stop::Fault(Fault::Malformed)) }
}
