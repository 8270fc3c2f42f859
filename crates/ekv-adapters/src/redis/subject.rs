//! What a record belongs to.

use ekv_model::Protocol;

use super::keys::{DELTA_TAIL_LEN, split_counted};
use crate::Family;
use crate::adapter::Subject;

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
        Family::HashField
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
        | Family::StreamEntry => split_counted(rest).map(|(key, _)| key),
        _ => Some(rest),
    }
}
