//! What every file and directory of a dump is, by its path alone; and the path of each.
//!
//! Source: `docs/format/tree.md`, section 1; `docs/format/redis.md`, section 6.1; `docs/format/dynamodb.md`, `docs/format/s3.md` and
//! `docs/format/sqs.md`, section 4.
//!
//! Names stand here as in the path, encoded; whether they are canonical is for `verify/` to say.

use ekv_model::Protocol;

use crate::expiry::ExpirySidecar;
use crate::keymap::KEYMAP_FILE;
use crate::layout::dynamodb::write::names::EXTENSION as ITEM_EXTENSION;
use crate::layout::dynamodb::write::schema::SCHEMA_FILE;
use crate::layout::dynamodb::write::{ITEMS_DIRECTORY, ITEMS_FILE};
use crate::layout::raw::{UNKNOWN_DIRECTORY, UNKNOWN_EXTENSION};
use crate::layout::redis::write::names::Folder;
use crate::layout::sqs::write::{INTERNALS_DIRECTORY, MESSAGES_FILE, QUEUE_FILE, SIDE_RECORDS_FILE};
use crate::losses::LOSSES_FILE;
use crate::manifest::MANIFEST_FILE;
use crate::s3_name::{BUCKET_FILE, INCOMPLETE_UPLOADS_DIRECTORY, META_SUFFIX, ORPHANS_DIRECTORY, UPLOAD_RECORDS_FILE};
use crate::scope_list::SCOPES_FILE;
use crate::segment::{Decoded, decode_segment, has_fallback_shape};
use ekv_files::checksums::CHECKSUMS_FILE;

/// Directory that the reference decoder leaves in the root, empty.
const LEFTOVER_DIRECTORY: &str = ".scratch";

/// Front of the name of a Redis database; its index follows.
const DATABASE_FRONT: &str = "db_";

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
    /// Something in a database.
    Redis(&'p [u8], RedisEntry<'p>),
    /// Something in a table.
    DynamoDb(&'p [u8], DynamoDbEntry<'p>),
    /// Something in a bucket.
    S3(&'p [u8], S3Entry<'p>),
    /// Something in a queue.
    Sqs(&'p [u8], SqsEntry),
}

/// Something in a Redis database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RedisEntry<'p> {
    Keymap,
    Expiries(ExpirySidecar),
    /// The directory of a type.
    Folder(Folder),
    /// The file of a key; its name without extension.
    Key(Folder, &'p [u8]),
}

/// Something in a DynamoDB table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DynamoDbEntry<'p> {
    Schema,
    /// All items, one line each.
    Lines,
    /// The directory of items.
    Items,
    /// The directory of the items with one hash key.
    ItemFolder(&'p [u8]),
    /// An item: the directory of its hash key, if its table has a range key, and the name of its file without extension.
    Item(Option<&'p [u8]>, &'p [u8]),
}

/// Something in an S3 bucket. Paths are those in the bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum S3Entry<'p> {
    /// The record of the bucket.
    Record,
    /// KEYMAP.jsonl, or, in dumps of the reference decoder, an object with this name.
    Keymap,
    /// The directory of unfinished uploads.
    Uploads,
    UploadRecords,
    /// The directory of chunks without object.
    Orphans,
    /// A directory in it, `<object>` or `<object>/gen-<number>`.
    OrphanFolder(&'p [u8]),
    /// A chunk, `<object>/gen-<number>/<upload>_<part>_<chunk>_<version>.bin`.
    OrphanChunk(&'p [u8]),
    /// A directory that keys make.
    Folder(&'p [u8]),
    /// An object.
    Body(&'p [u8]),
    /// The metadata of the object at this path.
    Sidecar(&'p [u8]),
}

/// Something in an SQS queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SqsEntry {
    Settings,
    Messages,
    /// The directory of what clients never see.
    Internals,
    SideRecords,
}

/// Nothing in a dump has this name in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Misplaced {
    /// What may lie there.
    pub(crate) expected: &'static str,
}

const IN_ROOT: Misplaced = Misplaced {
    expected: "MANIFEST.json, CHECKSUMS, LOSSES.jsonl, SCOPES.jsonl, or a directory: dynamodb, redis, s3, sqs, _unknown",
};
const IN_LEFTOVER: Misplaced = Misplaced { expected: "an empty directory" };
const IN_RAW_RECORDS: Misplaced = Misplaced { expected: "files <key family>.jsonl" };
const IN_REDIS: Misplaced = Misplaced { expected: "the directory db_0" };
const IN_DATABASE: Misplaced = Misplaced {
    expected: "KEYMAP.jsonl, strings_ttl.jsonl, hll_ttl.jsonl, or a directory: strings, hll, hashes, lists, sets, zsets, streams",
};
const IN_FOLDER: Misplaced = Misplaced { expected: "files only, one for each key" };
const IN_DYNAMODB: Misplaced = Misplaced { expected: "directories only, one for each table" };
const IN_TABLE: Misplaced = Misplaced { expected: "_schema.json, the directory items or the file items.jsonl" };
const IN_ITEMS: Misplaced =
    Misplaced { expected: "files that end in .json, and directories of them in tables with a range key" };
const IN_S3: Misplaced = Misplaced { expected: "directories only, one for each bucket" };
const IN_UPLOADS: Misplaced = Misplaced { expected: "records.jsonl" };
const IN_ORPHANS: Misplaced = Misplaced { expected: "<object>/gen-<number>/<upload>_<part>_<chunk>_<version>.bin" };
const IN_SQS: Misplaced = Misplaced { expected: "directories only, one for each queue" };
const IN_QUEUE: Misplaced = Misplaced { expected: "_queue.json, messages.jsonl, or the directory _internals" };
const IN_INTERNALS: Misplaced = Misplaced { expected: "the file side_records.jsonl" };

/// What may lie in a bucket.
pub(crate) const IN_BUCKET: Misplaced = Misplaced {
    expected: "objects with their metadata files, _bucket.json, KEYMAP.jsonl, _incomplete_uploads or _orphans",
};
/// What may lie in the directory of items of a table without range key.
pub(crate) const IN_FLAT_ITEMS: Misplaced =
    Misplaced { expected: "files that end in .json: this table has no range key" };

impl<'p> Entry<'p> {
    /// The file at `path`, which is one of [`ekv_files::DumpPath`].
    ///
    /// # Errors
    /// If a dump has no such file.
    pub(crate) fn of_file(path: &'p [u8]) -> Result<Self, Misplaced> {
        let (first, Some(rest)) = split_first(path) else {
            let files = [Entry::Manifest, Entry::Checksums, Entry::Losses, Entry::ScopeList];
            return files.into_iter().find(|file| file.is_at(&[path])).ok_or(IN_ROOT);
        };
        let Some(protocol) = Protocol::named(first) else {
            return match first {
                _ if first == UNKNOWN_DIRECTORY.as_bytes() => family(rest).map(Entry::Family).ok_or(IN_RAW_RECORDS),
                _ if first == LEFTOVER_DIRECTORY.as_bytes() => Err(IN_LEFTOVER),
                _ => Err(IN_ROOT),
            };
        };
        let (scope, Some(rest)) = split_first(rest) else { return Err(in_protocol(protocol)) };
        match protocol {
            Protocol::Redis => RedisEntry::of_file(rest).map(|entry| Entry::Redis(scope, entry)),
            Protocol::DynamoDb => DynamoDbEntry::of_file(rest).map(|entry| Entry::DynamoDb(scope, entry)),
            Protocol::S3 => S3Entry::of_file(rest).map(|entry| Entry::S3(scope, entry)),
            Protocol::Sqs => SqsEntry::of_file(rest).map(|entry| Entry::Sqs(scope, entry)),
        }
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
        let Some(rest) = rest else { return Ok(Entry::Protocol(protocol)) };
        match (protocol, split_first(rest)) {
            (Protocol::Redis, (scope, None)) if database_index(scope).is_none() => Err(IN_REDIS),
            (_, (scope, None)) => Ok(Entry::Scope(protocol, scope)),
            (Protocol::Redis, (scope, Some(rest))) => {
                RedisEntry::of_directory(rest).map(|entry| Entry::Redis(scope, entry))
            }
            (Protocol::DynamoDb, (scope, Some(rest))) => {
                DynamoDbEntry::of_directory(rest).map(|entry| Entry::DynamoDb(scope, entry))
            }
            (Protocol::S3, (scope, Some(rest))) => S3Entry::of_directory(rest).map(|entry| Entry::S3(scope, entry)),
            (Protocol::Sqs, (scope, Some(rest))) => match rest == INTERNALS_DIRECTORY.as_bytes() {
                true => Ok(Entry::Sqs(scope, SqsEntry::Internals)),
                false => Err(IN_QUEUE),
            },
        }
    }

    /// Its path.
    pub(crate) fn path(self) -> Vec<u8> {
        let mut path = Vec::new();
        self.put_path(&mut path);
        path
    }

    /// Whether a writer makes this file only when something goes into it.
    pub(crate) fn is_never_empty(self) -> bool {
        match self {
            Entry::Family(_)
            | Entry::Redis(_, RedisEntry::Keymap | RedisEntry::Expiries(_))
            | Entry::DynamoDb(_, DynamoDbEntry::Lines)
            | Entry::S3(_, S3Entry::UploadRecords)
            | Entry::Sqs(_, SqsEntry::Messages | SqsEntry::SideRecords) => true,
            // Only the whole bucket tells whether its KEYMAP is an object.
            _ => false,
        }
    }

    /// Appends its path.
    pub(crate) fn put_path(self, out: &mut Vec<u8>) {
        let mut put = |parts: &[&[u8]]| parts.iter().for_each(|part| out.extend_from_slice(part));
        let in_scope = |protocol: Protocol, scope: &'p [u8]| [protocol.name().as_bytes(), b"/", scope, b"/"];
        match self {
            Entry::Manifest => put(&[MANIFEST_FILE.as_bytes()]),
            Entry::Checksums => put(&[CHECKSUMS_FILE.as_bytes()]),
            Entry::Losses => put(&[LOSSES_FILE.as_bytes()]),
            Entry::ScopeList => put(&[SCOPES_FILE.as_bytes()]),
            Entry::Leftover => put(&[LEFTOVER_DIRECTORY.as_bytes()]),
            Entry::RawRecords => put(&[UNKNOWN_DIRECTORY.as_bytes()]),
            Entry::Family(family) => {
                put(&[UNKNOWN_DIRECTORY.as_bytes(), b"/", family, UNKNOWN_EXTENSION.as_bytes()]);
            }
            Entry::Protocol(protocol) => put(&[protocol.name().as_bytes()]),
            Entry::Scope(protocol, scope) => put(&[protocol.name().as_bytes(), b"/", scope]),
            Entry::Redis(database, entry) => {
                put(&in_scope(Protocol::Redis, database));
                match entry {
                    RedisEntry::Keymap => put(&[KEYMAP_FILE.as_bytes()]),
                    RedisEntry::Expiries(sidecar) => put(&[sidecar.file_name().as_bytes()]),
                    RedisEntry::Folder(folder) => put(&[folder.name().as_bytes()]),
                    RedisEntry::Key(folder, segment) => {
                        put(&[folder.name().as_bytes(), b"/", segment, folder.extension().as_bytes()]);
                    }
                }
            }
            Entry::DynamoDb(table, entry) => {
                put(&in_scope(Protocol::DynamoDb, table));
                let items = ITEMS_DIRECTORY.as_bytes();
                match entry {
                    DynamoDbEntry::Schema => put(&[SCHEMA_FILE.as_bytes()]),
                    DynamoDbEntry::Lines => put(&[ITEMS_FILE.as_bytes()]),
                    DynamoDbEntry::Items => put(&[items]),
                    DynamoDbEntry::ItemFolder(folder) => put(&[items, b"/", folder]),
                    DynamoDbEntry::Item(None, name) => put(&[items, b"/", name, ITEM_EXTENSION]),
                    DynamoDbEntry::Item(Some(folder), name) => put(&[items, b"/", folder, b"/", name, ITEM_EXTENSION]),
                }
            }
            Entry::S3(bucket, entry) => {
                put(&in_scope(Protocol::S3, bucket));
                let (uploads, orphans) = (INCOMPLETE_UPLOADS_DIRECTORY.as_bytes(), ORPHANS_DIRECTORY.as_bytes());
                match entry {
                    S3Entry::Record => put(&[BUCKET_FILE.as_bytes()]),
                    S3Entry::Keymap => put(&[KEYMAP_FILE.as_bytes()]),
                    S3Entry::Uploads => put(&[uploads]),
                    S3Entry::UploadRecords => put(&[uploads, b"/", UPLOAD_RECORDS_FILE.as_bytes()]),
                    S3Entry::Orphans => put(&[orphans]),
                    S3Entry::OrphanFolder(rest) | S3Entry::OrphanChunk(rest) => put(&[orphans, b"/", rest]),
                    S3Entry::Folder(path) | S3Entry::Body(path) => put(&[path]),
                    S3Entry::Sidecar(body) => put(&[body, META_SUFFIX]),
                }
            }
            Entry::Sqs(queue, entry) => {
                put(&in_scope(Protocol::Sqs, queue));
                match entry {
                    SqsEntry::Settings => put(&[QUEUE_FILE.as_bytes()]),
                    SqsEntry::Messages => put(&[MESSAGES_FILE.as_bytes()]),
                    SqsEntry::Internals => put(&[INTERNALS_DIRECTORY.as_bytes()]),
                    SqsEntry::SideRecords => put(&[INTERNALS_DIRECTORY.as_bytes(), b"/", SIDE_RECORDS_FILE.as_bytes()]),
                }
            }
        }
    }

    fn is_at(self, path: &[&[u8]]) -> bool {
        self.path() == path.concat()
    }
}

/// What may lie in the directory of a protocol.
fn in_protocol(protocol: Protocol) -> Misplaced {
    match protocol {
        Protocol::Redis => IN_REDIS,
        Protocol::DynamoDb => IN_DYNAMODB,
        Protocol::S3 => IN_S3,
        Protocol::Sqs => IN_SQS,
    }
}

impl<'p> RedisEntry<'p> {
    fn of_file(path: &'p [u8]) -> Result<Self, Misplaced> {
        let (first, Some(name)) = split_first(path) else {
            return match ExpirySidecar::of(path) {
                Some(sidecar) => Ok(RedisEntry::Expiries(sidecar)),
                None if path == KEYMAP_FILE.as_bytes() => Ok(RedisEntry::Keymap),
                None => Err(IN_DATABASE),
            };
        };
        let folder = Folder::named(first).ok_or(IN_DATABASE)?;
        match name.strip_suffix(folder.extension().as_bytes()) {
            Some(segment) if !name.contains(&b'/') => Ok(RedisEntry::Key(folder, segment)),
            _ => Err(in_folder(folder)),
        }
    }

    fn of_directory(path: &'p [u8]) -> Result<Self, Misplaced> {
        match split_first(path) {
            (name, None) => Folder::named(name).map(RedisEntry::Folder).ok_or(IN_DATABASE),
            (name, Some(_)) => Err(if Folder::named(name).is_some() { IN_FOLDER } else { IN_DATABASE }),
        }
    }
}

/// What the names of keys of a type end with.
fn in_folder(folder: Folder) -> Misplaced {
    Misplaced {
        expected: match folder {
            Folder::Strings | Folder::Hll => "names that end in .bin",
            Folder::Streams => "names that end in .jsonl",
            Folder::Hashes | Folder::Lists | Folder::Sets | Folder::ZSets => "names that end in .json",
        },
    }
}

/// The index of a database, without leading zeros.
pub(crate) fn database_index(name: &[u8]) -> Option<u32> {
    decimal(name.strip_prefix(DATABASE_FRONT.as_bytes())?)
}

/// The directory of a database.
pub(crate) fn database_name(index: u32) -> String {
    format!("{DATABASE_FRONT}{index}")
}

/// A number in the one way to write it.
fn decimal<N: std::str::FromStr + ToString>(digits: &[u8]) -> Option<N> {
    let digits = std::str::from_utf8(digits).ok()?;
    digits.parse().ok().filter(|number: &N| number.to_string() == digits)
}

impl<'p> DynamoDbEntry<'p> {
    fn of_file(path: &'p [u8]) -> Result<Self, Misplaced> {
        let (first, Some(item)) = split_first(path) else {
            return match path {
                _ if path == SCHEMA_FILE.as_bytes() => Ok(DynamoDbEntry::Schema),
                _ if path == ITEMS_FILE.as_bytes() => Ok(DynamoDbEntry::Lines),
                _ => Err(IN_TABLE),
            };
        };
        if first != ITEMS_DIRECTORY.as_bytes() {
            return Err(IN_TABLE);
        }
        let (folder, name) = match split_first(item) {
            (folder, Some(name)) => (Some(folder), name),
            (name, None) => (None, name),
        };
        match name.strip_suffix(ITEM_EXTENSION) {
            Some(stem) if !name.contains(&b'/') => Ok(DynamoDbEntry::Item(folder, stem)),
            _ => Err(IN_ITEMS),
        }
    }

    fn of_directory(path: &'p [u8]) -> Result<Self, Misplaced> {
        match split_first(path) {
            (items, _) if items != ITEMS_DIRECTORY.as_bytes() => Err(IN_TABLE),
            (_, None) => Ok(DynamoDbEntry::Items),
            (_, Some(folder)) if !folder.contains(&b'/') => Ok(DynamoDbEntry::ItemFolder(folder)),
            _ => Err(IN_ITEMS),
        }
    }
}

impl<'p> S3Entry<'p> {
    fn of_file(path: &'p [u8]) -> Result<Self, Misplaced> {
        match split_first(path) {
            (name, None) if name == BUCKET_FILE.as_bytes() => Ok(S3Entry::Record),
            (name, None) if name == KEYMAP_FILE.as_bytes() => Ok(S3Entry::Keymap),
            (first, Some(file)) if first == INCOMPLETE_UPLOADS_DIRECTORY.as_bytes() => {
                (file == UPLOAD_RECORDS_FILE.as_bytes()).then_some(S3Entry::UploadRecords).ok_or(IN_UPLOADS)
            }
            (first, Some(chunk)) if first == ORPHANS_DIRECTORY.as_bytes() => {
                is_orphan_chunk(chunk).then_some(S3Entry::OrphanChunk(chunk)).ok_or(IN_ORPHANS)
            }
            _ => Ok(path.strip_suffix(META_SUFFIX).map_or(S3Entry::Body(path), S3Entry::Sidecar)),
        }
    }

    fn of_directory(path: &'p [u8]) -> Result<Self, Misplaced> {
        match split_first(path) {
            (first, rest) if first == INCOMPLETE_UPLOADS_DIRECTORY.as_bytes() => match rest {
                None => Ok(S3Entry::Uploads),
                Some(_) => Err(IN_UPLOADS),
            },
            (first, rest) if first == ORPHANS_DIRECTORY.as_bytes() => match rest {
                None => Ok(S3Entry::Orphans),
                Some(rest) if is_orphan_folder(rest) => Ok(S3Entry::OrphanFolder(rest)),
                Some(_) => Err(IN_ORPHANS),
            },
            _ => Ok(S3Entry::Folder(path)),
        }
    }
}

impl SqsEntry {
    fn of_file(path: &[u8]) -> Result<Self, Misplaced> {
        match split_first(path) {
            (name, None) if name == QUEUE_FILE.as_bytes() => Ok(SqsEntry::Settings),
            (name, None) if name == MESSAGES_FILE.as_bytes() => Ok(SqsEntry::Messages),
            (first, Some(file)) if first == INTERNALS_DIRECTORY.as_bytes() => {
                (file == SIDE_RECORDS_FILE.as_bytes()).then_some(SqsEntry::SideRecords).ok_or(IN_INTERNALS)
            }
            _ => Err(IN_QUEUE),
        }
    }
}

/// Splits `a/b/c` into `a` and `b/c`.
fn split_first(path: &[u8]) -> (&[u8], Option<&[u8]>) {
    let Some(slash) = path.iter().position(|byte| *byte == b'/') else { return (path, None) };
    let (first, rest) = path.split_at(slash);
    (first, rest.strip_prefix(b"/"))
}

/// The key family that a file of raw records is named after.
fn family(name: &[u8]) -> Option<&[u8]> {
    let is_family = |family: &&[u8]| {
        !family.is_empty() && family.iter().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
    };
    name.strip_suffix(UNKNOWN_EXTENSION.as_bytes()).filter(is_family)
}

/// `<object>` or `<object>/gen-<decimal>`.
fn is_orphan_folder(path: &[u8]) -> bool {
    split_first(path).1.is_none_or(is_generation)
}

/// `<object>/gen-<decimal>/<chunk>`.
fn is_orphan_chunk(path: &[u8]) -> bool {
    let Some((generation, Some(chunk))) = split_first(path).1.map(split_first) else { return false };
    is_generation(generation) && is_chunk(chunk)
}

fn is_generation(name: &[u8]) -> bool {
    name.strip_prefix(b"gen-").and_then(decimal::<u64>).is_some()
}

/// `<upload id>_<part>_<chunk>_<version>.bin`, the numbers as 16 lowercase hex digits; 32 hex digits may stand for a long upload id.
fn is_chunk(name: &[u8]) -> bool {
    let is_number = |text: &[u8]| text.len() == 16 && text.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let Some(stem) = name.strip_suffix(b".bin") else { return false };
    let mut fields = stem.rsplitn(4, |byte| *byte == b'_');
    let numbers = [fields.next(), fields.next(), fields.next()];
    let Some(upload) = fields.next() else { return false };
    let has_name =
        matches!(decode_segment(upload), Ok(Decoded::Raw(_) | Decoded::Fallback)) || has_fallback_shape(upload);
    numbers.into_iter().flatten().all(is_number) && has_name
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
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
            let database = database_name(index);
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
                let name = if protocol == Protocol::Redis { database.as_bytes() } else { scope };
                assert_round_trip(Entry::Scope(protocol, name), true);
            }
            for folder in Folder::ALL {
                assert_round_trip(Entry::Redis(database.as_bytes(), RedisEntry::Folder(folder)), true);
                assert_round_trip(Entry::Redis(database.as_bytes(), RedisEntry::Key(folder, segment)), false);
            }
            for sidecar in ExpirySidecar::ALL {
                assert_round_trip(Entry::Redis(database.as_bytes(), RedisEntry::Expiries(sidecar)), false);
            }
            assert_round_trip(Entry::Redis(database.as_bytes(), RedisEntry::Keymap), false);
            for entry in [
                DynamoDbEntry::Schema,
                DynamoDbEntry::Lines,
                DynamoDbEntry::Item(None, segment),
                DynamoDbEntry::Item(Some(folder), segment),
            ] {
                assert_round_trip(Entry::DynamoDb(scope, entry), false);
            }
            for entry in [DynamoDbEntry::Items, DynamoDbEntry::ItemFolder(folder)] {
                assert_round_trip(Entry::DynamoDb(scope, entry), true);
            }
            for entry in [S3Entry::Record, S3Entry::Keymap, S3Entry::UploadRecords, S3Entry::OrphanChunk(&orphan)] {
                assert_round_trip(Entry::S3(scope, entry), false);
            }
            for entry in [S3Entry::Uploads, S3Entry::Orphans, S3Entry::OrphanFolder(folder), S3Entry::OrphanFolder(&object)] {
                assert_round_trip(Entry::S3(scope, entry), true);
            }
            for entry in [SqsEntry::Settings, SqsEntry::Messages, SqsEntry::SideRecords] {
                assert_round_trip(Entry::Sqs(scope, entry), false);
            }
            assert_round_trip(Entry::Sqs(scope, SqsEntry::Internals), true);
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
                    "side_records.jsonl", "_unknown", "x.jsonl", ".scratch", "KEYMAP.jsonl", "strings_ttl.jsonl", "MANIFEST.json",
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
