//! What a record belongs to.

use ekv_model::Protocol;

use super::keys::{decode_name, parse_item_key};
use crate::Family;
use crate::adapter::Subject;

/// The table of a record, and the stored key of its item.
pub(super) fn subject<'k>(family: Family, user_key: &'k [u8], rest: &'k [u8]) -> Option<Subject<'k>> {
    let (table, stored_key) = match family {
        Family::DdbItem => {
            let key = parse_item_key(user_key)?;
            (key.table, Some(key.primary_key))
        }
        Family::DdbIndexRow => (rest.split(|byte| *byte == b'|').next()?, None),
        _ => (rest, None),
    };
    Some(Subject { stored_key, ..Subject::of(Protocol::DynamoDb, decode_name(table)?.as_bytes(), None) })
}
