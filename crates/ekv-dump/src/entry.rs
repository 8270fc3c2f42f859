//! What every file and directory of a dump is, by its path alone; and the path of each.
//!
//! Source: `docs/format/tree.md`, section 1. What lies in the directory of a table, bucket, database or queue is in
//! `layout/<protocol>/entry.rs`.
//!
//! Names stand here as in the path, encoded; whether they are canonical is for [`Entry::check`] to say.

use ekv_model::Protocol;

use crate::layout::in_scope::{Misplaced, included, split_first};
use crate::layout::inside::{Inside, scopes_of};
use crate::layout::raw::{UNKNOWN_DIRECTORY, UNKNOWN_EXTENSION};
use crate::losses::LOSSES_FILE;
use crate::manifest::MANIFEST_FILE;
use crate::scope_list::SCOPES_FILE;
use crate::verify::problem::ProblemKind;
use crate::verify::rules::Rules;
use ekv_files::checksums::CHECKSUMS_FILE;

/// Directory that the reference decoder leaves in the root, empty.
const LEFTOVER_DIRECTORY: &str = ".scratch";

/// A file or directory that has a meaning in a dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry<'p> {
    /// MANIFEST.json.
    Manifest,
    /// CHECKSUMS.
    Checksums,
    /// LOSSES.jsonl.
    Losses,
    /// SCOPES.jsonl.
    ScopeList,
    /// The empty directory that the reference decoder leaves.
    Leftover,
    /// The directory of records that no adapter decodes.
    RawRecords,
    /// The file of one key family of them.
    Family(&'p [u8]),
    /// The directory of a protocol.
    Protocol(Protocol),
    /// The directory of a database, table, bucket or queue.
    Scope(Protocol, &'p [u8]),
    /// Something in the directory of this name.
    In(&'p [u8], Inside<'p>),
}

const IN_ROOT: Misplaced = Misplaced {
    expected: "MANIFEST.json, CHECKSUMS, LOSSES.jsonl, SCOPES.jsonl, or a directory: dynamodb, fs, redis, s3, sqs, _unknown",
};
const IN_LEFTOVER: Misplaced = Misplaced { expected: "an empty directory" };
const IN_RAW_RECORDS: Misplaced = Misplaced { expected: "files <key family>.jsonl" };

impl<'p> Entry<'p> {
    /// The file at `path`, which is one of [`ekv_files::DumpPath`].
    ///
    /// # Errors
    /// If a dump has no such file.
    pub(crate) fn of_file(path: &'p [u8]) -> Result<Self, Misplaced> {
        let (first, Some(rest)) = split_first(path) else {
            let files = [Entry::Manifest, Entry::Checksums, Entry::Losses, Entry::ScopeList];
            return files.into_iter().find(|file| file.path() == path).ok_or(IN_ROOT);
        };
        let Some(protocol) = Protocol::named(first) else {
            return match first {
                _ if first == UNKNOWN_DIRECTORY.as_bytes() => family(rest).map(Entry::Family).ok_or(IN_RAW_RECORDS),
                _ if first == LEFTOVER_DIRECTORY.as_bytes() => Err(IN_LEFTOVER),
                _ => Err(IN_ROOT),
            };
        };
        let (scope, Some(rest)) = split_first(rest) else { return Err(scopes_of(protocol).expected) };
        Inside::of_file(protocol, rest).map(|entry| Entry::In(scope, entry))
    }

    /// The directory at `path`, which is one of [`ekv_files::DumpPath`].
    ///
    /// # Errors
    /// If a dump has no such directory.
    pub(crate) fn of_directory(path: &'p [u8]) -> Result<Self, Misplaced> {
        let (first, rest) = split_first(path);
        let Some(protocol) = Protocol::named(first) else {
            return match (first, rest) {
                (_, None) if first == UNKNOWN_DIRECTORY.as_bytes() => Ok(Entry::RawRecords),
                (_, None) if first == LEFTOVER_DIRECTORY.as_bytes() => Ok(Entry::Leftover),
                (_, Some(_)) if first == UNKNOWN_DIRECTORY.as_bytes() => Err(IN_RAW_RECORDS),
                (_, Some(_)) if first == LEFTOVER_DIRECTORY.as_bytes() => Err(IN_LEFTOVER),
                _ => Err(IN_ROOT),
            };
        };
        match rest.map(split_first) {
            None => Ok(Entry::Protocol(protocol)),
            Some((scope, None)) if (scopes_of(protocol).is_scope)(scope) => Ok(Entry::Scope(protocol, scope)),
            Some((_, None)) => Err(scopes_of(protocol).expected),
            Some((scope, Some(rest))) => Inside::of_directory(protocol, rest).map(|entry| Entry::In(scope, entry)),
        }
    }

    /// Its path.
    pub(crate) fn path(self) -> Vec<u8> {
        match self {
            Entry::Manifest => MANIFEST_FILE.into(),
            Entry::Checksums => CHECKSUMS_FILE.into(),
            Entry::Losses => LOSSES_FILE.into(),
            Entry::ScopeList => SCOPES_FILE.into(),
            Entry::Leftover => LEFTOVER_DIRECTORY.into(),
            Entry::RawRecords => UNKNOWN_DIRECTORY.into(),
            Entry::Family(family) => {
                [UNKNOWN_DIRECTORY.as_bytes(), b"/", family, UNKNOWN_EXTENSION.as_bytes()].concat()
            }
            Entry::Protocol(protocol) => protocol.name().into(),
            Entry::Scope(protocol, scope) => [protocol.name().as_bytes(), b"/", scope].concat(),
            Entry::In(scope, entry) => entry.entry().path(scope),
        }
    }

    /// Whether a writer makes this file only when something goes into it.
    pub(crate) fn is_never_empty(self) -> bool {
        match self {
            Entry::Family(_) => true,
            Entry::In(_, entry) => entry.entry().is_never_empty(),
            _ => false,
        }
    }

    /// What is wrong with it by itself: the manifest does not allow it, or its name is not canonical. Whether a file is empty is for others
    /// to say.
    ///
    /// Source: `docs/format/tree.md`, sections 1, 2.5 and 5; `docs/format/s3.md` and `docs/format/sqs.md`, section 4.
    pub(crate) fn check(self, rules: &Rules) -> Option<ProblemKind> {
        match self {
            Entry::Protocol(protocol) => included(rules.included.has(protocol)),
            Entry::Scope(protocol, name) => (scopes_of(protocol).check_name)(name),
            Entry::In(_, entry) => entry.entry().check(rules),
            _ => None,
        }
    }
}

/// The key family that a file of raw records is named after.
fn family(name: &[u8]) -> Option<&[u8]> {
    let is_family = |family: &&[u8]| {
        !family.is_empty() && family.iter().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
    };
    name.strip_suffix(UNKNOWN_EXTENSION.as_bytes()).filter(is_family)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::expiry::ExpirySidecar;
    use crate::keymap::KEYMAP_FILE;
    use crate::layout::dynamodb::entry::TableEntry;
    use crate::layout::redis::entry::DatabaseEntry;
    use crate::layout::redis::write::names::Folder;
    use crate::layout::s3::entry::BucketEntry;
    use crate::layout::sqs::entry::QueueEntry;
    use crate::s3_name::{BUCKET_FILE, META_SUFFIX};
    use crate::segment::{component, encode_segment};
    use ekv_files::DumpPath;

    /// Names as writers make them, of any bytes.
    fn segment() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(any::<u8>(), 0..300).prop_map(|raw| encode_segment(&raw))
    }

    fn scope() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(any::<u8>(), 1..300).prop_map(|raw| component(&raw))
    }

    /// Paths of objects, some of which look like something else.
    fn object() -> impl Strategy<Value = Vec<u8>> {
        let name = prop_oneof![
            "[a-z./]{1,20}".prop_map(String::into_bytes),
            Just(KEYMAP_FILE.as_bytes().to_vec()),
            Just(BUCKET_FILE.as_bytes().to_vec()),
        ];
        (name, prop_oneof![Just(&b""[..]), Just(&b"/x"[..]), Just(META_SUFFIX)])
            .prop_map(|(name, end)| [name.as_slice(), end].concat())
            .prop_filter("a path", |path| DumpPath::new(path).is_ok())
    }

    #[test]
    fn only_names_of_families_are_files_of_raw_records() {
        for name in ["unknown.jsonl", "fs_chunk.jsonl", "s3_v2.jsonl"] {
            assert!(family(name.as_bytes()).is_some(), "{name}");
        }
        for name in [".jsonl", "unknown", "unknown.json", "Unknown.jsonl", "a-b.jsonl", "a.b.jsonl"] {
            assert!(family(name.as_bytes()).is_none(), "{name}");
        }
    }

    fn assert_round_trip(entry: Entry<'_>, is_directory: bool) {
        let path = entry.path();
        let found = if is_directory { Entry::of_directory(&path) } else { Entry::of_file(&path) };
        assert_eq!(found, Ok(entry), "{}", path.escape_ascii());
    }

    proptest! {
        #[test]
        fn path_of_everything_that_is_written_tells_what_it_is(
            scope in scope(),
            folder in scope(),
            segment in segment(),
            index in any::<u32>(),
            family in "[a-z0-9_]{1,20}",
            generation in any::<u64>(),
            numbers in any::<[u64; 3]>(),
        ) {
            let (scope, folder, segment) = (scope.as_slice(), folder.as_slice(), segment.as_slice());
            let database = format!("db_{index}");
            let object = [folder, format!("/gen-{generation}").as_bytes()].concat();
            let [part, chunk, version] = numbers;
            let short = if segment.len() < 190 { segment } else { b"u" };
            let tail = format!("_{part:016x}_{chunk:016x}_{version:016x}.bin");
            let orphan = [&object, &b"/"[..], short, tail.as_bytes()].concat();
            for file in [Entry::Manifest, Entry::Checksums, Entry::Losses, Entry::ScopeList, Entry::Family(family.as_bytes())] {
                assert_round_trip(file, false);
            }
            for protocol in Protocol::ALL {
                assert_round_trip(Entry::Protocol(protocol), true);
                let name = match protocol {
                    Protocol::Redis => database.as_bytes(),
                    Protocol::Fs => b"fs_0",
                    _ => scope,
                };
                assert_round_trip(Entry::Scope(protocol, name), true);
            }
            for folder in Folder::ALL {
                assert_round_trip(Entry::In(database.as_bytes(), Inside::Redis(DatabaseEntry::Folder(folder))), true);
                assert_round_trip(Entry::In(database.as_bytes(), Inside::Redis(DatabaseEntry::Key(folder, segment))), false);
            }
            for sidecar in ExpirySidecar::ALL {
                assert_round_trip(Entry::In(database.as_bytes(), Inside::Redis(DatabaseEntry::Expiries(sidecar))), false);
            }
            assert_round_trip(Entry::In(database.as_bytes(), Inside::Redis(DatabaseEntry::Keymap)), false);
            for entry in [
                TableEntry::Schema,
                TableEntry::Lines,
                TableEntry::Item(None, segment),
                TableEntry::Item(Some(folder), segment),
            ] {
                assert_round_trip(Entry::In(scope, Inside::DynamoDb(entry)), false);
            }
            for entry in [TableEntry::Items, TableEntry::ItemFolder(folder)] {
                assert_round_trip(Entry::In(scope, Inside::DynamoDb(entry)), true);
            }
            for entry in [BucketEntry::Record, BucketEntry::Keymap, BucketEntry::UploadRecords, BucketEntry::OrphanChunk(&orphan)] {
                assert_round_trip(Entry::In(scope, Inside::S3(entry)), false);
            }
            for entry in [BucketEntry::Uploads, BucketEntry::Orphans, BucketEntry::OrphanFolder(folder), BucketEntry::OrphanFolder(&object)] {
                assert_round_trip(Entry::In(scope, Inside::S3(entry)), true);
            }
            for entry in [QueueEntry::Settings, QueueEntry::Messages, QueueEntry::SideRecords] {
                assert_round_trip(Entry::In(scope, Inside::Sqs(entry)), false);
            }
            assert_round_trip(Entry::In(scope, Inside::Sqs(QueueEntry::Internals)), true);
            for directory in [Entry::Leftover, Entry::RawRecords] {
                assert_round_trip(directory, true);
            }
        }

        #[test]
        fn every_file_that_is_something_lies_where_it_says(bucket in scope(), path in object()) {
            let path = [b"s3/", bucket.as_slice(), b"/", &path].concat();
            for entry in [Entry::of_file(&path), Entry::of_directory(&path)].into_iter().flatten() {
                prop_assert_eq!(entry.path(), path.as_slice());
            }
        }

        #[test]
        fn every_path_that_is_something_is_the_path_of_that(
            parts in prop::collection::vec(
                prop::sample::select(vec![
                    "redis", "db_0", "strings", "hashes", "a.bin", "a.json", "dynamodb", "items", "_schema.json", "items.jsonl", "s3",
                    "_orphans", "gen-7", "_incomplete_uploads", "records.jsonl", "sqs", "_queue.json", "messages.jsonl", "_internals",
                    "side_records.jsonl", "_unknown", "x.jsonl", ".scratch", "fs", "fs_0", "entries.jsonl", "tree", "deep", "packed", "orphans", "chunks",
                    "0123456789abcdef", "0123456789abcdef.bin", "0123456789abcdef.map", "KEYMAP.jsonl", "strings_ttl.jsonl", "MANIFEST.json",
                ]),
                1..6,
            ),
        ) {
            let path = parts.join("/").into_bytes();
            for entry in [Entry::of_file(&path), Entry::of_directory(&path)].into_iter().flatten() {
                prop_assert_eq!(entry.path(), path.as_slice());
            }
        }
    }
}
