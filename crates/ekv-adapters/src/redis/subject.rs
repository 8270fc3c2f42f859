//! What a record belongs to.

use ekv_model::{Name, Protocol};

use super::findings;
use super::keys::{DELTA_TAIL_LEN, put_counted, split_counted};
use crate::Family;
use crate::adapter::{Subject, is_one_of};

/// What a finding about a key is about; where the key of a record does not parse, nobody knows.
pub(super) fn culprit(finding: &str, key: &[u8]) -> Option<Name> {
    let is_known = !is_one_of(&[findings::INVALID_KEY, findings::INVALID_AUXILIARY], finding);
    (is_known && is_one_of(findings::ALL, finding)).then(|| Subject::of(Protocol::Redis, b"0", Some(key.to_vec())).name)
}

/// Bytes of a sequence number behind the name in the key of a list item.
const SEQUENCE_LEN: usize = 8;

/// The key of a record.
pub(super) fn subject<'k>(family: Family, _: &'k [u8], rest: &'k [u8]) -> Option<Subject<'k>> {
    Some(Subject::of(Protocol::Redis, b"0", Some(redis_key(family, rest)?.to_vec())))
}

/// The Redis key in what follows the prefix of a family. Source: `docs/format/redis.md`, section 2.
fn redis_key(family: Family, rest: &[u8]) -> Option<&[u8]> {
    match family {
        Family::ListItem => rest.get(..rest.len().checked_sub(SEQUENCE_LEN)?),
        Family::ListDelta => split_counted(rest).filter(|(_, tail)| tail.len() == DELTA_TAIL_LEN).map(|(key, _)| key),
        family if is_counted(family) => split_counted(rest).map(|(key, _)| key),
        _ => Some(rest),
    }
}

/// Whether the length of a Redis key stands in front of it in the keys of a family.
fn is_counted(family: Family) -> bool {
    matches!(
        family,
        Family::ListDelta
            | Family::HashField
            | Family::HashMeta
            | Family::HashDelta
            | Family::SetMember
            | Family::SetMeta
            | Family::SetDelta
            | Family::ZSetMember
            | Family::ZSetMeta
            | Family::ZSetDelta
            | Family::ZSetScore
            | Family::ListClaim
            | Family::StreamMeta
            | Family::StreamEntry
    )
}

/// What the keys of the records of a Redis key begin with.
pub(super) fn beginnings(family: Family, name: &Name) -> Vec<Vec<u8>> {
    let key = name.key.first().map_or(&[][..], Vec::as_slice);
    let mut beginning = Vec::new();
    match is_counted(family) {
        true => put_counted(&mut beginning, b"", key),
        false => beginning.extend_from_slice(key),
    }
    vec![beginning]
}
