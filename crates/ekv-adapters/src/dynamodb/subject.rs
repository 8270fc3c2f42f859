//! What a record belongs to.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ekv_model::dynamodb::{KeyType, KeyValue, push_ordered};
use ekv_model::{Name, Protocol};
use ekv_text::ordered::split_segment;

use super::findings;
use super::keys::{SEPARATOR, decode_name, parse_item_key, push_name};
use crate::Family;
use crate::adapter::{Subject, is_one_of};

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

/// What a finding about a table is about.
pub(super) fn culprit(finding: &str, table: &[u8]) -> Option<Name> {
    is_one_of(findings::ALL, finding).then(|| Subject::of(Protocol::DynamoDb, table, None).name)
}

/// What the keys of the records of a table begin with.
pub(super) fn beginnings(family: Family, name: &Name) -> Vec<Vec<u8>> {
    let mut encoded = Vec::new();
    push_name(&name.scope, &mut encoded);
    if family == Family::DdbItem {
        encoded.push(SEPARATOR);
    }
    vec![encoded]
}

/// Whether the stored primary key of an item is that of these key parts, as an address has them; keys of old tables do not tell.
pub(super) fn is_stored_key(stored_key: &[u8], parts: &[Vec<u8>]) -> Option<bool> {
    let values = |part: &[u8]| -> Vec<(KeyType, Vec<u8>)> {
        let after = |letter: &[u8]| part.strip_prefix(letter).map(<[u8]>::to_vec);
        let binary = |text: &[u8]| text.strip_prefix(b"b64.").and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        let mut values = vec![(KeyType::String, part.to_vec()), (KeyType::Number, part.to_vec())];
        values.extend(binary(part).map(|bytes| (KeyType::Binary, bytes)));
        values.extend(after(b"S.").map(|text| (KeyType::String, text)));
        values.extend(after(b"N.").map(|text| (KeyType::Number, text)));
        values.extend(after(b"B.").and_then(|text| binary(&text)).map(|bytes| (KeyType::Binary, bytes)));
        values.retain(|(key_type, bytes)| {
            *key_type != KeyType::Number || KeyValue { key_type: *key_type, bytes }.number().is_some()
        });
        values
    };
    let mut keys = vec![Vec::new()];
    for part in parts {
        let values = values(part);
        let longer = |key: &Vec<u8>| -> Vec<Vec<u8>> {
            let with = |(key_type, bytes): &(KeyType, Vec<u8>)| {
                let mut key = key.clone();
                push_ordered(&KeyValue { key_type: *key_type, bytes }, &mut key);
                key
            };
            values.iter().map(with).collect()
        };
        keys = keys.iter().flat_map(longer).collect();
    }
    match keys.iter().any(|key| key == stored_key) {
        true => Some(true),
        // Ordered keys end as segments do; those of old tables are base64url text.
        false => (split_segment(stored_key).is_some()).then_some(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_key_is_known_by_every_spelling_of_its_parts() {
        let mut key = Vec::new();
        push_ordered(&KeyValue { key_type: KeyType::String, bytes: b"c/1" }, &mut key);
        push_ordered(&KeyValue { key_type: KeyType::Number, bytes: b"17.50" }, &mut key);
        let parts = |parts: [&str; 2]| parts.map(|part| part.as_bytes().to_vec());
        for spelled in [["c/1", "17.5"], ["S.c/1", "N.17.5"], ["c/1", "1.75e1"]] {
            assert_eq!(is_stored_key(&key, &parts(spelled)), Some(true), "{spelled:?}");
        }
        for other in [["c/2", "17.5"], ["c/1", "17"], ["N.1", "17.5"]] {
            assert_eq!(is_stored_key(&key, &parts(other)), Some(false), "{other:?}");
        }
        assert_eq!(is_stored_key(b"Yy8x|MTcuNQ", &parts(["c/1", "17.5"])), None);
    }
}
