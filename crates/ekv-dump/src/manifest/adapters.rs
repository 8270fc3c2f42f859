//! The adapters of a dump, each with its tables, buckets, databases or queues. Source: `docs/format/tree.md`, section 6.1.

use ekv_model::{Map, Protocol};
use serde::de::{DeserializeSeed as _, Deserializer};
use serde::ser::{Error as _, SerializeMap as _, Serializer};
use serde::{Deserialize, Serialize};

use super::names::{AllNames, Told};
use super::{SCOPES_LEN_MAX, scope_len};

/// Most numbers of scopes that are kept: as many as a server has databases, and more.
const NUMBERS_KEPT_MAX: usize = 4096;

/// The adapters of a dump; one without a list was left out.
///
/// A list holds the scopes that have a directory: names, not encoded, in ascending byte order, or numbers in decimal, ascending. It is empty
/// in dumps that do not list them here, or more of them than [`SCOPES_LEN_MAX`] allows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Adapters(Map<Option<Vec<String>>>);

impl Adapters {
    /// Whether the data of a protocol was decoded.
    pub fn has(&self, protocol: Protocol) -> bool {
        self.0.get(protocol).is_some()
    }

    /// Whether a dump without data of a protocol says that it has none. The others are told of only where there is something, so that a dump of a
    /// store without such data is what it was before they were known.
    pub fn tells_of_nothing(protocol: Protocol) -> bool {
        protocol != Protocol::Fs
    }

    /// The scopes of a protocol that are listed.
    pub fn scopes(&self, protocol: Protocol) -> &[String] {
        self.0.get(protocol).as_deref().unwrap_or_default()
    }

    /// The same with a protocol and its scopes.
    #[must_use]
    pub fn with<S: AsRef<str>>(mut self, protocol: Protocol, scopes: impl IntoIterator<Item = S>) -> Self {
        *self.0.get_mut(protocol) = Some(scopes.into_iter().map(|scope| scope.as_ref().to_owned()).collect());
        self
    }
}

impl Serialize for Adapters {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_map(None)?;
        for protocol in Protocol::IN_DUMPS {
            if let Some(scopes) = self.0.get(protocol) {
                members.serialize_entry(protocol.name(), &Member { protocol, scopes })?;
            }
        }
        members.end()
    }
}

/// The member of one adapter.
struct Member<'s> {
    protocol: Protocol,
    scopes: &'s [String],
}

impl Serialize for Member<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Member { protocol, scopes } = self;
        let mut members = serializer.serialize_map(None)?;
        match (scopes.is_empty(), protocol.has_numbered_scopes()) {
            (true, _) => {}
            (false, false) => members.serialize_entry(protocol.scopes_word(), scopes)?,
            (false, true) => {
                let numbers: Result<Vec<u32>, _> = scopes.iter().map(|number| number.parse()).collect();
                members.serialize_entry(protocol.scopes_word(), &numbers.map_err(S::Error::custom)?)?;
            }
        }
        members.end()
    }
}

impl<'de> Deserialize<'de> for Adapters {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut adapters = Adapters::default();
        let mut lens = Map::<usize>::default();
        let mut take = |protocol: Protocol, told: Told<'_>| {
            let scopes = adapters.0.get_mut(protocol).get_or_insert_default();
            let Told::Scope(name) = told else { return true };
            let len = lens.get_mut(protocol);
            *len = len.saturating_add(scope_len(name));
            match protocol.has_numbered_scopes() {
                true if scopes.len() < NUMBERS_KEPT_MAX => scopes.push(name.to_owned()),
                true => {}
                false if *len <= SCOPES_LEN_MAX => scopes.push(name.to_owned()),
                false => scopes.clear(),
            }
            true
        };
        AllNames::of_adapters(&mut take).deserialize(deserializer)?;
        Ok(adapters)
    }
}
