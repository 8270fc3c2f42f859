//! What a record belongs to: the key, item, object or message, or the table, bucket or queue. Only its user key is looked at.

use ekv_model::{Name, Protocol};

use crate::redis::keys::{DELTA_TAIL_LEN, split_counted};
use crate::{Family, dynamodb, s3, sqs};

/// Bytes of a sequence number behind the name in the key of a list item.
const SEQUENCE_LEN: usize = 8;

/// What a record belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject<'k> {
    /// Its name; of a DynamoDB item that of its table, since only the table's schema says what the bytes of its key are.
    pub name: Name,
    /// Of a DynamoDB item the primary key as it is stored, which tells the items of a table apart.
    pub stored_key: Option<&'k [u8]>,
}

/// What a record of `family` with this user key belongs to; `None` if it is malformed, or belongs to no single thing.
///
/// Redis keys are those of database 0, since servers store no other.
pub fn subject<'k>(family: Family, user_key: &'k [u8]) -> Option<Subject<'k>> {
    let rest = user_key.strip_prefix(family.prefix())?;
    let whole = |protocol: Protocol, scope: &[u8], key: Vec<Vec<u8>>| {
        Some(Subject { name: Name { protocol, scope: scope.to_vec(), key }, stored_key: None })
    };
    match family.owner().protocol()? {
        Protocol::Redis => whole(Protocol::Redis, b"0", vec![redis_key(family, rest)?.to_vec()]),
        Protocol::DynamoDb => match family {
            Family::DdbItem | Family::DdbIndexRow => {
                let (table, stored_key) = match family {
                    Family::DdbItem => {
                        let key = dynamodb::keys::parse_item_key(user_key)?;
                        (key.table, Some(key.primary_key))
                    }
                    _ => (rest.split(|byte| *byte == b'|').next()?, None),
                };
                let scope = dynamodb::keys::decode_name(table)?.into_bytes();
                Some(Subject { name: Name { protocol: Protocol::DynamoDb, scope, key: Vec::new() }, stored_key })
            }
            _ => whole(Protocol::DynamoDb, dynamodb::keys::decode_name(rest)?.as_bytes(), Vec::new()),
        },
        Protocol::S3 => {
            let (bucket, object) = s3::keys::names_of(family, rest)?;
            whole(Protocol::S3, &bucket, object.into_iter().collect())
        }
        Protocol::Sqs => match sqs::keys::Key::parse(user_key)? {
            sqs::keys::Key::Queue { queue, .. } | sqs::keys::Key::Tombstone { queue, .. } => {
                whole(Protocol::Sqs, &queue, Vec::new())
            }
            sqs::keys::Key::Message(key) => match key.row.subject {
                sqs::keys::Subject::Message { id }
                | sqs::keys::Subject::Visibility { id, .. }
                | sqs::keys::Subject::Age { id, .. } => whole(Protocol::Sqs, &key.queue, vec![id]),
                _ => whole(Protocol::Sqs, &key.queue, Vec::new()),
            },
        },
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Router;

    #[test]
    fn records_belong_to_what_clients_call_by_name() {
        let router = Router::default();
        let object = b"my-bucket\0\x01\0\0\0\0\0\0\0\x07a\0\xffb\0\x01";
        for (key, expected) in [
            (b"!redis|str|a b".to_vec(), Some("redis:0/a%20b")),
            (b"plain".to_vec(), Some("redis:0/plain")),
            (b"!hs|fld|\0\0\0\x02hefield".to_vec(), Some("redis:0/he")),
            (b"!hs|fld|\0\0\0\x20he".to_vec(), None),
            (b"!hs|meta|d|\0\0\0\x01k0123456789ab".to_vec(), Some("redis:0/k")),
            (b"!lst|itm|k\x80\0\0\0\0\0\0\x01".to_vec(), Some("redis:0/k")),
            (b"!lst|itm|short".to_vec(), None),
            (b"!lst|meta|k".to_vec(), Some("redis:0/k")),
            (b"!stream|entry|\0\0\0\x01k0123456701234567".to_vec(), Some("redis:0/k")),
            (b"!ddb|meta|table|dXNlcnM".to_vec(), Some("dynamodb:users/")),
            (b"!ddb|item|dXNlcnM|1|user/3\0\x01".to_vec(), Some("dynamodb:users/ user%2F3%00%01")),
            (b"!ddb|gsi|dXNlcnM|1|i|x".to_vec(), Some("dynamodb:users/")),
            ([&b"!s3|obj|head|"[..], object].concat(), Some("s3:my-bucket/a%00b")),
            (
                [&b"!s3|blob|"[..], object, b"up\0\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0"].concat(),
                Some("s3:my-bucket/a%00b"),
            ),
            (b"!s3|bucket|meta|my-bucket\0\x01".to_vec(), Some("s3:my-bucket/")),
            ([&b"!s3|chunkblob|"[..], &[b'0'; 64]].concat(), None),
            (b"!sqs|queue|meta|am9icw".to_vec(), Some("sqs:jobs/")),
            (b"!sqs|msg|data|am9icw\0\0\0\0\0\0\0\x01aWQ".to_vec(), Some("sqs:jobs/id")),
            (b"!txn|lock|k".to_vec(), None),
            (b"!dist|route|1".to_vec(), None),
        ] {
            let told = subject(router.family_of(&key), &key).map(|subject| match subject.stored_key {
                Some(bytes) => format!("{} {}", subject.name, ekv_model::Part { bytes, is_slash_escaped: true }),
                None => subject.name.to_string(),
            });
            assert_eq!(told.as_deref(), expected, "{}", key.escape_ascii());
        }
    }
}
