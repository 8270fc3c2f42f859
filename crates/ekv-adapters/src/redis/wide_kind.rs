//! What tells hashes, sets and sorted sets apart. Source: `docs/format/redis.md`, sections 2.5 and 2.7.

use ekv_model::redis::{CollectionKind, Element};
use ekv_model::{Finding, Kind};
use ekv_snapshot::StoredValue;

use super::findings;
use super::ranks::Rank;
use crate::Family;

/// What tells hashes, sets and sorted sets apart.
pub(super) struct WideKind {
    pub(super) collection: CollectionKind,
    pub(super) rank: Rank,
    pub(super) blob_rank: Rank,
    pub(super) elements: Family,
    pub(super) meta: Family,
    pub(super) deltas: Family,
    pub(super) blob: Family,
    pub(super) length_mismatch: Finding,
}

pub(super) const HASH: WideKind = WideKind {
    collection: CollectionKind::Hash,
    rank: Rank::Hash,
    blob_rank: Rank::HashBlob,
    elements: Family::HashField,
    meta: Family::HashMeta,
    deltas: Family::HashDelta,
    blob: Family::RedisHashBlob,
    length_mismatch: findings::HASH_LENGTH_MISMATCH,
};

pub(super) const SET: WideKind = WideKind {
    collection: CollectionKind::Set,
    rank: Rank::Set,
    blob_rank: Rank::SetBlob,
    elements: Family::SetMember,
    meta: Family::SetMeta,
    deltas: Family::SetDelta,
    blob: Family::RedisSetBlob,
    length_mismatch: findings::SET_LENGTH_MISMATCH,
};

pub(super) const ZSET: WideKind = WideKind {
    collection: CollectionKind::ZSet,
    rank: Rank::ZSet,
    blob_rank: Rank::ZSetBlob,
    elements: Family::ZSetMember,
    meta: Family::ZSetMeta,
    deltas: Family::ZSetDelta,
    blob: Family::RedisZSetBlob,
    length_mismatch: findings::ZSET_LENGTH_MISMATCH,
};

/// The family whose records hold an element each of a collection of this kind; `None` if its elements depend on one another, or are no
/// records of their own.
///
/// What such a collection is, is the sum of what it is with some of its elements and of the others, as long as there are some on either side.
pub fn element_family(kind: Kind) -> Option<Family> {
    let kind = match kind {
        Kind::Hash => &HASH,
        Kind::Set => &SET,
        Kind::ZSet => &ZSET,
        _ => return None,
    };
    Some(kind.elements)
}

impl WideKind {
    /// The element that a record holds; `None` if its value is damaged.
    pub(super) fn element<'e>(&self, name: &'e [u8], value: &'e StoredValue<'e>) -> Option<Element<'e>> {
        match self.collection {
            CollectionKind::Hash => Some(Element::Field { name, value: value.body() }),
            CollectionKind::ZSet => {
                let score = f64::from_be_bytes(<[u8; 8]>::try_from(value.whole()?).ok()?);
                Some(Element::Scored { member: name, score })
            }
            _ => Some(Element::Member(name)),
        }
    }
}
