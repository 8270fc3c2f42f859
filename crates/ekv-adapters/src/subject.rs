//! What a record belongs to: the key, item, object or message, or the table, bucket or queue. Only its user key is looked at.

use crate::adapter::Subject;
use crate::{Family, adapter_of};

/// What a record of `family` with this user key belongs to; `None` if it is malformed, or belongs to no single thing.
///
/// Redis keys are those of database 0, since servers store no other.
pub fn subject<'k>(family: Family, user_key: &'k [u8]) -> Option<Subject<'k>> {
    let rest = user_key.strip_prefix(family.prefix())?;
    (adapter_of(family.owner().protocol()?).subject)(family, user_key, rest)
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
