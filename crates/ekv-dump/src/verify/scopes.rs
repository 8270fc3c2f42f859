//! Tables, buckets, databases and queues: what the manifest lists beside the directories, and what each must hold.

use std::sync::Arc;

use ekv_model::Protocol;
use ekv_spill::{Scratch, Sorter};

use super::key::{KeyBuffer, parts, split_tag};
use super::problem::{ProblemKind, Problems};
use super::rules::{Rules, check_component};
use crate::entry::{DynamoDbEntry, Entry, IN_FLAT_ITEMS, S3Entry, SqsEntry, database_name};
use crate::layout::dynamodb::write::schema::SCHEMA_FILE;
use crate::layout::sqs::write::{QUEUE_FILE, is_orphan_directory};
use crate::segment::{Decoded, component, decode_component};
use ekv_files::Result;

/// Something that was seen about a scope.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Its directory.
    Directory,
    /// The manifest, or SCOPES.jsonl, lists it.
    Declared,
    /// It is not to be read: that it is there is all that counts.
    LeftOut,
    /// The file with its own record.
    OwnRecord,
    /// The messages of a queue, the objects of a bucket.
    Contents,
    /// What clients never see of a bucket.
    Side,
    /// The schema of a table has no range key.
    NoRangeKey,
    /// A directory for the items of one hash key; the first one in a row is kept.
    ItemFolder,
}

impl Seen {
    const ALL: [Seen; 8] = [
        Seen::Directory,
        Seen::Declared,
        Seen::LeftOut,
        Seen::OwnRecord,
        Seen::Contents,
        Seen::Side,
        Seen::NoRangeKey,
        Seen::ItemFolder,
    ];

    fn tag(self) -> u8 {
        Seen::ALL.into_iter().zip(b'a'..).find(|(seen, _)| *seen == self).map_or(0, |(_, tag)| tag)
    }

    /// What an entry tells about its scope.
    fn of<'p>(entry: Entry<'p>) -> Option<(Protocol, &'p [u8], Self)> {
        Some(match entry {
            Entry::Scope(protocol, name) => (protocol, name, Seen::Directory),
            Entry::DynamoDb(table, DynamoDbEntry::Schema) => (Protocol::DynamoDb, table, Seen::OwnRecord),
            Entry::DynamoDb(table, DynamoDbEntry::ItemFolder(_)) => (Protocol::DynamoDb, table, Seen::ItemFolder),
            Entry::S3(bucket, entry) => match entry {
                S3Entry::Record => (Protocol::S3, bucket, Seen::OwnRecord),
                S3Entry::Body(_) | S3Entry::Sidecar(_) | S3Entry::Keymap => (Protocol::S3, bucket, Seen::Contents),
                S3Entry::Uploads | S3Entry::Orphans => (Protocol::S3, bucket, Seen::Side),
                _ => return None,
            },
            Entry::Sqs(queue, SqsEntry::Settings) => (Protocol::Sqs, queue, Seen::OwnRecord),
            Entry::Sqs(queue, SqsEntry::Messages) => (Protocol::Sqs, queue, Seen::Contents),
            _ => return None,
        })
    }
}

/// Everything about scopes, by directory.
pub(crate) struct Scopes {
    sorter: Sorter,
    key: KeyBuffer,
    path: Vec<u8>,
    /// The key of the last row: what is seen again and again is kept once.
    last: Vec<u8>,
}

impl Scopes {
    pub(crate) fn new(scratch: &Arc<dyn Scratch>, memory_budget: usize) -> Self {
        Scopes {
            sorter: Sorter::new(Arc::clone(scratch), memory_budget),
            key: KeyBuffer::default(),
            path: Vec::new(),
            last: Vec::new(),
        }
    }

    /// Notes what an entry tells.
    pub(crate) fn note(&mut self, entry: Entry<'_>) -> Result<()> {
        match Seen::of(entry) {
            Some((protocol, name, Seen::ItemFolder)) => {
                let path = entry.path();
                self.push(protocol, name, Seen::ItemFolder, &path)
            }
            Some((protocol, name, seen)) => self.add(protocol, name, seen),
            None => Ok(()),
        }
    }

    /// Notes something about the scope whose directory has this name.
    pub(crate) fn add(&mut self, protocol: Protocol, name: &[u8], seen: Seen) -> Result<()> {
        self.push(protocol, name, seen, b"")
    }

    /// Notes that a scope is listed, by its name.
    pub(crate) fn declare(&mut self, protocol: Protocol, name: &str) -> Result<()> {
        let directory = match (protocol, name.parse()) {
            (Protocol::Redis, Ok(index)) => database_name(index).into_bytes(),
            _ => component(name.as_bytes()),
        };
        self.add(protocol, &directory, Seen::Declared)
    }

    fn push(&mut self, protocol: Protocol, name: &[u8], seen: Seen, payload: &[u8]) -> Result<()> {
        self.path.clear();
        Entry::Scope(protocol, name).put_path(&mut self.path);
        let key = self.key.of(&[&self.path], seen.tag());
        if key != self.last {
            self.sorter.push(key, payload)?;
            self.last.clear();
            self.last.extend_from_slice(key);
        }
        Ok(())
    }

    /// Compares the directories with the manifest and checks that each is complete.
    pub(crate) fn check(self, rules: &Rules, problems: &mut Problems) -> Result<()> {
        let mut sorted = self.sorter.finish()?;
        let mut scope = Scope::default();
        while let Some((key, payload)) = sorted.next()? {
            let (group, tag) = split_tag(key);
            if group != scope.group {
                scope.check(rules, problems);
                scope = Scope { group: group.to_vec(), ..Scope::default() };
            }
            if tag == Seen::ItemFolder.tag() && scope.item_folder.is_empty() {
                scope.item_folder = payload.to_vec();
            }
            if scope.tags.last() != Some(&tag) {
                scope.tags.push(tag);
            }
        }
        scope.check(rules, problems);
        Ok(())
    }
}

/// What is known about one scope.
#[derive(Default)]
struct Scope {
    group: Vec<u8>,
    tags: Vec<u8>,
    /// Path of the first directory of items.
    item_folder: Vec<u8>,
}

impl Scope {
    fn has(&self, seen: Seen) -> bool {
        self.tags.contains(&seen.tag())
    }

    fn check(&self, rules: &Rules, problems: &mut Problems) {
        let (directory, _) = parts(&self.group);
        let Ok(Entry::Scope(protocol, name)) = Entry::of_directory(directory) else { return };
        if self.has(Seen::LeftOut) {
            return;
        }
        if self.tags == [Seen::Declared.tag()] {
            return problems.add(directory, ProblemKind::MissingScope);
        }
        let kind = match protocol {
            Protocol::Redis => None,
            Protocol::DynamoDb if !self.has(Seen::OwnRecord) => Some(ProblemKind::Incomplete { name: SCHEMA_FILE }),
            Protocol::DynamoDb if self.has(Seen::NoRangeKey) && self.has(Seen::ItemFolder) => {
                return problems.add(&self.item_folder, IN_FLAT_ITEMS.into());
            }
            Protocol::DynamoDb => None,
            Protocol::S3 => (!self.is_bucket(name, rules)).then_some(ProblemKind::BucketWithoutRecord),
            Protocol::Sqs if self.has(Seen::OwnRecord) => check_component(name),
            Protocol::Sqs if !is_orphan_directory(name) => Some(ProblemKind::Incomplete { name: QUEUE_FILE }),
            Protocol::Sqs if self.has(Seen::Contents) && !rules.exclusions.include_orphans => {
                return problems.add(&Entry::Sqs(name, SqsEntry::Messages).path(), ProblemKind::NotIncluded);
            }
            Protocol::Sqs => None,
        };
        if let Some(kind) = kind {
            problems.add(directory, kind);
        }
    }

    /// Whether a directory is that of a bucket, or of what is left of one.
    fn is_bucket(&self, name: &[u8], rules: &Rules) -> bool {
        self.has(Seen::OwnRecord)
            || self.has(Seen::Side) && !self.has(Seen::Contents)
            || rules.tells_of_missing_records && told_name(name).is_some()
    }
}

/// The name of a bucket without a record, which only its directory can tell.
pub(crate) fn told_name(directory: &[u8]) -> Option<String> {
    match decode_component(directory) {
        Ok(Decoded::Raw(name)) => String::from_utf8(name).ok(),
        _ => None,
    }
}
