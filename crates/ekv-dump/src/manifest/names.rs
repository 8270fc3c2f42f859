//! Lists of names, of any length.

use std::collections::BTreeSet;
use std::fmt;

use ekv_model::Protocol;
use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Takes a name, or a number in decimal; false ends the reading.
type Take<'t> = &'t mut dyn FnMut(&str) -> bool;

/// What a manifest tells of a protocol.
#[derive(Clone, Copy)]
pub(super) enum Told<'n> {
    /// That its data was decoded.
    Adapter,
    /// One of its scopes: the name, or the number in decimal.
    Scope(&'n str),
}

/// Takes what is told, one by one; false ends the reading.
pub(super) type TakeTold<'t> = &'t mut dyn FnMut(Protocol, Told<'_>) -> bool;

/// Hands all that a manifest tells of its adapters to `take`. Cost: one name in memory.
pub(super) struct AllNames<'t> {
    take: TakeTold<'t>,
    level: Level,
}

#[derive(Clone, Copy)]
enum Level {
    Root,
    Adapters,
    Adapter(Protocol),
}

impl<'t> AllNames<'t> {
    pub(super) fn new(take: TakeTold<'t>) -> Self {
        AllNames { take, level: Level::Root }
    }

    /// As [`AllNames::new`], of the member with the adapters alone.
    pub(super) fn of_adapters(take: TakeTold<'t>) -> Self {
        AllNames { take, level: Level::Adapters }
    }
}

impl<'de> DeserializeSeed<'de> for AllNames<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for AllNames<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let AllNames { take, level } = self;
        if let Level::Adapter(protocol) = level {
            stop_unless(take(protocol, Told::Adapter))?;
        }
        let mut seen = BTreeSet::new();
        while let Some(member) = members.next_key::<String>()? {
            let deeper = match level {
                Level::Root => (member == "adapters").then_some(Level::Adapters),
                Level::Adapters => Protocol::named(member.as_bytes()).map(Level::Adapter),
                Level::Adapter(protocol) if protocol.scopes_word() == member => {
                    refuse_again(&mut seen, protocol.scopes_word())?;
                    let mut take = |name: &str| take(protocol, Told::Scope(name));
                    members.next_value_seed(List { take: &mut take, is_number: protocol.has_numbered_scopes() })?;
                    continue;
                }
                Level::Adapter(_) => None,
            };
            if let Some(Level::Adapter(protocol)) = deeper {
                refuse_again(&mut seen, protocol.name())?;
            }
            match deeper {
                Some(level) => members.next_value_seed(AllNames { take: &mut *take, level })?,
                None => members.next_value::<IgnoredAny>().map(drop)?,
            }
        }
        Ok(())
    }
}

fn stop_unless<E: de::Error>(goes_on: bool) -> Result<(), E> {
    if goes_on { Ok(()) } else { Err(E::custom("stopped")) }
}

/// A member must not come twice.
fn refuse_again<E: de::Error>(seen: &mut BTreeSet<&'static str>, member: &'static str) -> Result<(), E> {
    if seen.insert(member) { Ok(()) } else { Err(E::duplicate_field(member)) }
}

/// Hands the elements of a list to `take`.
struct List<'t> {
    take: Take<'t>,
    is_number: bool,
}

impl<'de> DeserializeSeed<'de> for List<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for List<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of names")
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut names: A) -> Result<(), A::Error> {
        let List { take, is_number } = self;
        loop {
            let goes_on = match is_number {
                true => names.next_element::<u32>()?.map(|number| take(&number.to_string())),
                false => names.next_element::<String>()?.map(|name| take(&name)),
            };
            match goes_on {
                Some(goes_on) => stop_unless(goes_on)?,
                None => return Ok(()),
            }
        }
    }
}
