//! Names of bounded length: of a longer one its beginning, and a digest that tells it from others.

use std::cmp::Ordering;

use ekv_model::{Name, Protocol, Thing};
use ekv_text::hex::hex;
use serde::ser::{Serialize, SerializeStruct, Serializer};
use sha2::{Digest, Sha256};

use crate::see::list::Base64Text;

/// Longest part of a name that is kept, in bytes.
pub(super) const PART_LEN_MAX: usize = 1 << 10;

/// A part of a name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Part {
    /// The first bytes of it, or all.
    beginning: Vec<u8>,
    len: u64,
    /// SHA-256 of all of it, where there is more.
    digest: Option<[u8; 32]>,
}

impl Part {
    fn of(bytes: &[u8]) -> Self {
        Part {
            beginning: beginning(bytes).to_vec(),
            len: ekv_snapshot::len_u64(bytes),
            digest: (bytes.len() > PART_LEN_MAX).then(|| Sha256::digest(bytes).into()),
        }
    }

    /// Compares with a whole part. Nothing is hashed where the beginnings or the lengths differ.
    fn cmp_whole(&self, other: &[u8]) -> Ordering {
        let by_len = || self.len.cmp(&ekv_snapshot::len_u64(other));
        let by_digest = || self.digest.cmp(&self.digest.map(|_| Sha256::digest(other).into()));
        self.beginning.as_slice().cmp(beginning(other)).then_with(by_len).then_with(by_digest)
    }
}

fn beginning(bytes: &[u8]) -> &[u8] {
    bytes.get(..PART_LEN_MAX).unwrap_or(bytes)
}

/// The name of something that is told: an address, as far as it is kept.
///
/// In JSON `address`; `key` with base64 if a part of the key is no UTF-8 text; `cut` with length and SHA-256 of a part that is longer than
/// 1 KiB, whose beginning the address has.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Label {
    protocol: Protocol,
    scope: Part,
    key: Vec<Part>,
}

impl Label {
    pub(super) fn of(protocol: Protocol, scope: &[u8], key: &[Vec<u8>]) -> Self {
        Label { protocol, scope: Part::of(scope), key: key.iter().map(|part| Part::of(part)).collect() }
    }

    pub(super) fn of_thing(thing: &Thing<'_>) -> Self {
        Label::of(thing.kind.protocol(), thing.scope, thing.key)
    }

    /// The order of names: by protocol, scope and key, as bytes.
    pub(super) fn cmp_name(&self, protocol: Protocol, scope: &[u8], key: &[Vec<u8>]) -> Ordering {
        let by_key = || {
            let parts = self.key.iter().zip(key).map(|(own, other)| own.cmp_whole(other));
            parts.fold(Ordering::Equal, Ordering::then).then(self.key.len().cmp(&key.len()))
        };
        self.protocol.cmp(&protocol).then_with(|| self.scope.cmp_whole(scope)).then_with(by_key)
    }

    pub(super) fn cmp_thing(&self, thing: &Thing<'_>) -> Ordering {
        self.cmp_name(thing.kind.protocol(), thing.scope, thing.key)
    }

    /// Appends the label in a form that [`Label::from_row`] reads; equal for equal names alone.
    pub(super) fn put_row(&self, row: &mut Vec<u8>) {
        row.extend_from_slice(self.protocol.name().as_bytes());
        row.push(0);
        for part in self.parts() {
            row.extend_from_slice(&part.len.to_be_bytes());
            row.extend_from_slice(&part.beginning);
            row.extend(part.digest.iter().flatten());
        }
    }

    /// Reads what [`Label::put_row`] wrote; `None` if it is something else.
    pub(super) fn from_row(row: &[u8]) -> Option<Label> {
        let end = row.iter().position(|byte| *byte == 0)?;
        let (protocol, rest) = row.split_at_checked(end)?;
        let protocol = Protocol::named(protocol)?;
        let mut parts = Vec::new();
        let mut rest = rest.get(1..)?;
        while let Some((len, tail)) = rest.split_first_chunk() {
            let len = u64::from_be_bytes(*len);
            let kept = usize::try_from(len).unwrap_or(usize::MAX);
            let (beginning, tail) = tail.split_at_checked(kept.min(PART_LEN_MAX))?;
            let (digest, tail) = match tail.split_first_chunk().filter(|_| kept > PART_LEN_MAX) {
                Some((digest, tail)) => (Some(*digest), tail),
                None => (None, tail),
            };
            parts.push(Part { beginning: beginning.to_vec(), len, digest });
            rest = tail;
        }
        let key = parts.split_off(parts.len().min(1));
        Some(Label { protocol, scope: parts.pop()?, key })
    }

    /// The label of the scope, and the key as text with `%HH` escapes.
    pub(super) fn without_key(mut self) -> (Label, Option<String>) {
        let shown = |part: Part| {
            let end = if part.digest.is_some() { "…" } else { "" };
            format!("{}{end}", ekv_model::Part { bytes: &part.beginning, is_slash_escaped: true })
        };
        let key = self.key.drain(..).next().map(shown);
        (self, key)
    }

    fn parts(&self) -> impl Iterator<Item = &Part> {
        [&self.scope].into_iter().chain(&self.key)
    }

    /// Whether a part of it was cut.
    pub fn is_cut(&self) -> bool {
        self.parts().any(|part| part.digest.is_some())
    }

    /// The address, of a name that is kept as a whole; else what its beginning is.
    pub fn address(&self) -> String {
        let key = self.key.iter().map(|part| part.beginning.clone()).collect();
        Name { protocol: self.protocol, scope: self.scope.beginning.clone(), key }.to_string()
    }
}

impl std::fmt::Display for Label {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.address())?;
        match self.parts().find(|part| part.digest.is_some()) {
            Some(part) => write!(f, "… ({} bytes)", part.len),
            None => Ok(()),
        }
    }
}

/// What is cut, in JSON.
struct Cut<'p>(&'p Part);

impl Serialize for Cut<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut cut = serializer.serialize_struct("Cut", 2)?;
        cut.serialize_field("bytes", &self.0.len)?;
        cut.serialize_field("sha256", &hex(&self.0.digest.unwrap_or_default()))?;
        cut.end()
    }
}

impl Serialize for Label {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut label = serializer.serialize_struct("Label", 3)?;
        label.serialize_field("address", &self.address())?;
        let binary =
            self.key.iter().find(|part| part.digest.is_none() && std::str::from_utf8(&part.beginning).is_err());
        match binary {
            Some(part) => label.serialize_field("key", &Base64Text::of(&part.beginning))?,
            None => label.skip_field("key")?,
        }
        match self.parts().find(|part| part.digest.is_some()) {
            Some(part) => label.serialize_field("cut", &Cut(part))?,
            None => label.skip_field("cut")?,
        }
        label.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(key: &[u8]) -> Label {
        Label::of(Protocol::Redis, b"0", &[key.to_vec()])
    }

    #[test]
    fn long_names_are_cut_and_stay_apart() {
        let (one, other) = (vec![b'k'; 1 << 20], [vec![b'k'; (1 << 20) - 1], vec![b'l']].concat());
        let label = of(&one);
        assert!(label.is_cut() && label != of(&other) && label == of(&one));
        assert_eq!(label.to_string(), format!("redis:0/{}… (1048576 bytes)", "k".repeat(1024)));
        let json = serde_json::to_value(&label).unwrap();
        assert_eq!(json["cut"]["bytes"], 1 << 20);
        assert_eq!(json["cut"]["sha256"].as_str().unwrap().len(), 64);
        assert_eq!(label.cmp_name(Protocol::Redis, b"0", std::slice::from_ref(&one)), Ordering::Equal);
        assert_ne!(label.cmp_name(Protocol::Redis, b"0", std::slice::from_ref(&other)), Ordering::Equal);
        assert_eq!(label.cmp(&of(&other)), label.cmp_name(Protocol::Redis, b"0", &[other]));
        let key = [b"".to_vec(), one];
        for label in [label, of(b""), Label::of(Protocol::S3, b"b", &[]), Label::of(Protocol::DynamoDb, b"t", &key)] {
            let mut row = Vec::new();
            label.put_row(&mut row);
            assert_eq!(Label::from_row(&row), Some(label));
        }
    }

    #[test]
    fn names_in_json_are_addresses_and_bytes_that_are_no_text_are_base64() {
        let json = |key: &[u8]| serde_json::to_value(of(key)).unwrap().to_string();
        assert_eq!(json(b"a b"), r#"{"address":"redis:0/a%20b"}"#);
        assert_eq!(json(b"s::_\xfe"), r#"{"address":"redis:0/s::_%FE","key":{"base64":"czo6X/4"}}"#);
        assert_eq!(of(b"\xe2\x80\xae\0").to_string(), "redis:0/%E2%80%AE%00");
    }
}
