//! Which type a key has when records of several types are present. Source: `docs/format/redis.md`, section 3.

use ekv_model::Result;
use ekv_snapshot::{Lookup, Range, RangeScan};

use super::keys::{put_counted, put_plain};
use super::meta::is_list_meta;
use crate::{Family, Run};

/// The forms in which a Redis key can exist, in the order in which the live server asks for them: the first one wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    String,
    Hll,
    Bare,
    List,
    Hash,
    Set,
    ZSet,
    HashBlob,
    SetBlob,
    ZSetBlob,
    Stream,
    StreamBlob,
}

impl Rank {
    /// The type's name, for people.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Rank::String | Rank::Bare => "string",
            Rank::Hll => "hll",
            Rank::List => "list",
            Rank::Hash | Rank::HashBlob => "hash",
            Rank::Set | Rank::SetBlob => "set",
            Rank::ZSet | Rank::ZSetBlob => "zset",
            Rank::Stream | Rank::StreamBlob => "stream",
        }
    }
}

/// One way to see that a key exists at a rank.
enum Probe {
    /// A record at the family prefix followed by the key.
    Plain(Family, Lookup),
    /// A record at the family prefix followed by the counted key.
    Counted(Family, Lookup),
    /// Any record whose key begins with the family prefix and the counted key.
    Elements(Family, RangeScan),
    /// A list's metadata record, which is of the family of deltas if the key begins with `d|`.
    ListMeta(Family, Lookup),
    /// A list delta.
    ListDeltas(RangeScan),
}

/// Finds the highest-ranking form of a key. Families without records are never looked at.
pub(crate) struct Ranks {
    probes: Vec<(Rank, Probe)>,
    user_key: Vec<u8>,
}

impl Ranks {
    /// Probes for all ranks above `rank`.
    pub(crate) fn above(run: &Run<'_>, rank: Rank, bare_keys_count: bool) -> Self {
        let view = run.view();
        let plain = |family| (family, Probe::Plain(family, view.lookup()));
        let counted = |family| (family, Probe::Counted(family, view.lookup()));
        let elements = |family| (family, Probe::Elements(family, view.probe()));
        let mut all = vec![
            (Rank::String, plain(Family::RedisString)),
            (Rank::Hll, plain(Family::RedisHll)),
            (Rank::List, (Family::ListMeta, Probe::ListMeta(Family::ListMeta, view.lookup()))),
            // Metadata of lists named `d|…` is routed to the delta family as well.
            (Rank::List, (Family::ListDelta, Probe::ListMeta(Family::ListDelta, view.lookup()))),
            (Rank::List, (Family::ListDelta, Probe::ListDeltas(view.probe()))),
        ];
        if bare_keys_count {
            all.insert(2, (Rank::Bare, plain(Family::Bare)));
        }
        for (rank, meta, element, delta) in [
            (Rank::Hash, Family::HashMeta, Family::HashField, Family::HashDelta),
            (Rank::Set, Family::SetMeta, Family::SetMember, Family::SetDelta),
            (Rank::ZSet, Family::ZSetMeta, Family::ZSetMember, Family::ZSetDelta),
        ] {
            all.extend([(rank, counted(meta)), (rank, elements(element)), (rank, elements(delta))]);
        }
        all.extend([
            (Rank::HashBlob, plain(Family::RedisHashBlob)),
            (Rank::SetBlob, plain(Family::RedisSetBlob)),
            (Rank::ZSetBlob, plain(Family::RedisZSetBlob)),
            (Rank::Stream, counted(Family::StreamMeta)),
        ]);
        let probes = all
            .into_iter()
            .filter(|(r, (family, _))| *r < rank && run.can_find(*family))
            .map(|(r, (_, probe))| (r, probe))
            .collect();
        Ranks { probes, user_key: Vec::new() }
    }

    /// The highest-ranking form in which `key` exists above the given rank.
    pub(crate) fn winner(&mut self, key: &[u8]) -> Result<Option<Rank>> {
        for (rank, probe) in &mut self.probes {
            if probe.hits(key, &mut self.user_key)? {
                return Ok(Some(*rank));
            }
        }
        Ok(None)
    }
}

impl Probe {
    fn hits(&mut self, key: &[u8], user_key: &mut Vec<u8>) -> Result<bool> {
        match self {
            Probe::Plain(Family::Bare, lookup) => Ok(is_bare(key) && lookup.get(key)?.is_some()),
            Probe::Plain(family, lookup) => {
                put_plain(user_key, family.prefix(), key);
                Ok(lookup.get(user_key)?.is_some())
            }
            Probe::Counted(family, lookup) => {
                put_counted(user_key, family.prefix(), key);
                Ok(lookup.get(user_key)?.is_some())
            }
            Probe::Elements(family, scan) => {
                put_counted(user_key, family.prefix(), key);
                scan.seek(Range::prefix(user_key))?;
                Ok(scan.next_visible()?.is_some())
            }
            Probe::ListMeta(family, lookup) => {
                put_plain(user_key, Family::ListMeta.prefix(), key);
                let like_a_delta = user_key.starts_with(Family::ListDelta.prefix());
                if like_a_delta != (*family == Family::ListDelta) {
                    return Ok(false);
                }
                Ok(lookup.get(user_key)?.is_some_and(|found| is_list_meta(key, &found.body)))
            }
            Probe::ListDeltas(scan) => {
                put_counted(user_key, Family::ListDelta.prefix(), key);
                scan.seek(Range::prefix(user_key))?;
                while let Some(found) = scan.next_visible()? {
                    let rest = found.user_key.get(Family::ListMeta.prefix().len()..).unwrap_or(&[]);
                    if !is_list_meta(rest, &found.body) {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
        }
    }
}

/// Whether a user key can be a string without prefix. Source: `docs/format/redis.md`, section 2.4.
pub(crate) fn is_bare(user_key: &[u8]) -> bool {
    user_key.first().is_some_and(|first| *first != b'!') && !user_key.starts_with(b"_meta_")
}
