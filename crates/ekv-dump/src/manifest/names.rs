//! Lists of names, of any length.

use std::fmt;

use ekv_model::Protocol;
use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{SCOPES_LEN_MAX, scope_len};

/// A list of which no more is kept than a manifest of this tool holds.
#[derive(Debug, Default)]
pub(super) struct Names(pub(super) Vec<String>);

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut kept = Vec::new();
        let mut len = 0_usize;
        let mut take = |name: &str| {
            len = len.saturating_add(scope_len(name));
            match len <= SCOPES_LEN_MAX {
                true => kept.push(name.to_owned()),
                false => kept.clear(),
            }
            true
        };
        List { take: &mut take, is_number: false }.deserialize(deserializer)?;
        Ok(Names(kept))
    }
}

/// A list of numbers of which the first ones are kept.
#[derive(Debug, Default)]
pub(super) struct Indexes(pub(super) Vec<u32>);

impl<'de> Deserialize<'de> for Indexes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// As many as a server has databases, and more.
        const KEPT_MAX: usize = 4096;
        let mut kept = Vec::new();
        let mut take = |index: &str| {
            if kept.len() < KEPT_MAX {
                kept.extend(index.parse::<u32>());
            }
            true
        };
        List { take: &mut take, is_number: true }.deserialize(deserializer)?;
        Ok(Indexes(kept))
    }
}

/// Takes a name, or a number in decimal; false ends the reading.
type Take<'t> = &'t mut dyn FnMut(&str) -> bool;

/// The lists of a manifest: member of `adapters`; its member; whether it is of numbers.
const LISTS: [(Protocol, &str, bool); 4] = [
    (Protocol::DynamoDb, "tables", false),
    (Protocol::S3, "buckets", false),
    (Protocol::Redis, "databases", true),
    (Protocol::Sqs, "queues", false),
];

/// The protocols whose tables, buckets or queues have names.
pub(crate) fn with_names() -> impl Iterator<Item = Protocol> {
    LISTS.into_iter().filter(|(.., is_number)| !is_number).map(|(protocol, ..)| protocol)
}

/// Takes names one by one; false ends the reading.
pub(super) type TakeScope<'t> = &'t mut dyn FnMut(Protocol, &str) -> bool;

/// Hands every name that a manifest lists to `take`. Cost: one name in memory.
pub(super) struct AllNames<'t> {
    take: TakeScope<'t>,
    level: Level,
}

#[derive(Clone, Copy)]
enum Level {
    Root,
    Adapters,
    /// Place in [`LISTS`].
    Adapter(&'static (Protocol, &'static str, bool)),
}

impl<'t> AllNames<'t> {
    pub(super) fn new(take: TakeScope<'t>) -> Self {
        AllNames { take, level: Level::Root }
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
        while let Some(member) = members.next_key::<String>()? {
            let deeper = match level {
                Level::Root => (member == "adapters").then_some(Level::Adapters),
                Level::Adapters => LISTS.iter().find(|(adapter, ..)| adapter.name() == member).map(Level::Adapter),
                Level::Adapter((protocol, list, is_number)) if *list == member => {
                    let mut take = |name: &str| take(*protocol, name);
                    members.next_value_seed(List { take: &mut take, is_number: *is_number })?;
                    continue;
                }
                Level::Adapter(_) => None,
            };
            match deeper {
                Some(level) => members.next_value_seed(AllNames { take: &mut *take, level })?,
                None => members.next_value::<IgnoredAny>().map(drop)?,
            }
        }
        Ok(())
    }
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
                Some(true) => {}
                Some(false) => return Err(de::Error::custom("stopped")),
                None => return Ok(()),
            }
        }
    }
}
