//! Which files of a dump hold what users stored.

use crate::entry::Entry;
pub use crate::layout::in_scope::Role;

/// What the file at a path of a dump that is written is for. Source: `docs/format/tree.md`, section 1.
pub fn role_of(path: &[u8]) -> Role {
    match Entry::of_file(path) {
        Ok(Entry::In(_, entry)) => entry.entry().role(),
        _ => Role::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_hold_what_users_stored_or_describe_it_or_belong_to_the_dump() {
        for (path, role) in [
            ("redis/db_0/strings/a.bin", Role::Content),
            ("redis/db_0/hashes/a.json", Role::Content),
            ("redis/db_0/strings_ttl.jsonl", Role::Other),
            ("redis/db_0/KEYMAP.jsonl", Role::Other),
            ("dynamodb/t/items/a.json", Role::Content),
            ("dynamodb/t/items.jsonl", Role::Content),
            ("dynamodb/t/_schema.json", Role::Other),
            ("s3/b/a/b.jpg", Role::Content),
            ("s3/b/_bucket.json", Role::Other),
            ("sqs/q/messages.jsonl", Role::Content),
            ("sqs/q/_queue.json", Role::Other),
            ("MANIFEST.json", Role::Other),
            ("nonsense", Role::Other),
        ] {
            assert_eq!(role_of(path.as_bytes()), role, "{path}");
        }
        let sidecar = [b"s3/b/a/b.jpg", crate::s3_name::META_SUFFIX].concat();
        assert_eq!(role_of(&sidecar), Role::Metadata);
    }
}
