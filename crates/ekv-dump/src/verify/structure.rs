//! Does every entry have a name that means something in its place?
//!
//! Source: `docs/format/tree.md`, sections 1, 2.5 and 5; `docs/format/s3.md` and `docs/format/sqs.md`, section 4.

use ekv_files::Result;
use ekv_model::Protocol;

use super::problem::{ProblemKind, Problems};
use super::redis::{RedisNames, RedisType, is_scope_file};
use super::s3::S3Names;
use super::scopes::{SCHEMA_FILE, Scopes, Seen};
use crate::layout::dynamodb::write::{ITEMS_DIRECTORY, ITEMS_FILE};
use crate::layout::raw::{UNKNOWN_DIRECTORY, is_family_file};
use crate::layout::sqs::write::{INTERNALS_DIRECTORY, MESSAGES_FILE, QUEUE_FILE, SIDE_RECORDS_FILE};
use crate::losses::LOSSES_FILE;
use crate::manifest::{DynamodbLayout, MANIFEST_FILE, Manifest};
use crate::s3_name::{BUCKET_FILE, INCOMPLETE_UPLOADS_DIRECTORY, ORPHANS_DIRECTORY, UPLOAD_RECORDS_FILE, is_reserved};
use crate::scope_list::SCOPES_FILE;
use crate::segment::{Decoded, SegmentError, decode_component, decode_segment, has_fallback_shape};

/// Empty directory that the reference decoder leaves in the root.
const REFERENCE_LEFTOVER: &[u8] = b".scratch";

/// Looks at names one by one and passes on what only several of them can tell.
pub(super) struct Structure<'a> {
    manifest: &'a Manifest,
    is_own: bool,
    redis: RedisNames,
    s3: S3Names,
    scopes: Scopes,
}

/// `Some` is a problem with the entry that was looked at.
type Verdict = Result<Option<ProblemKind>>;

const KNOWN: Verdict = Ok(None);
const UNKNOWN: Verdict = Ok(Some(ProblemKind::Unknown));

impl<'a> Structure<'a> {
    pub(super) fn new(manifest: &'a Manifest, redis: RedisNames, s3: S3Names, scopes: Scopes) -> Self {
        let is_own = manifest.is_own();
        Structure { manifest, is_own, redis, s3, scopes }
    }

    /// Looks at a file.
    pub(super) fn file(&mut self, path: &[u8], len: u64, problems: &mut Problems) -> Result<()> {
        let mut components = path.splitn(4, |byte| *byte == b'/');
        let place = [components.next(), components.next(), components.next(), components.next()];
        let verdict = match place {
            [Some(name), None, ..]
                if [MANIFEST_FILE, LOSSES_FILE, SCOPES_FILE].iter().any(|file| file.as_bytes() == name) =>
            {
                KNOWN
            }
            [Some(directory), Some(name), None, _]
                if directory == UNKNOWN_DIRECTORY.as_bytes() && is_family_file(name) =>
            {
                Ok(not_empty(len))
            }
            [Some(b"redis"), Some(database), Some(name), rest] => self.redis_file(database, name, rest, len),
            [Some(b"dynamodb"), Some(table), Some(name), rest] => self.dynamodb_file(table, name, rest, len),
            [Some(b"s3"), Some(bucket), Some(name), rest] => self.s3_file(bucket, name, rest, len),
            [Some(b"sqs"), Some(queue), Some(name), rest] => self.sqs_file(queue, name, rest, len),
            _ => UNKNOWN,
        };
        report(path, verdict, problems)
    }

    /// Looks at a directory.
    pub(super) fn directory(&mut self, path: &[u8], problems: &mut Problems) -> Result<()> {
        let mut components = path.splitn(4, |byte| *byte == b'/');
        let place = [components.next(), components.next(), components.next(), components.next()];
        let verdict = match place {
            [Some(adapter), None, ..] => Ok(self.adapter_directory(adapter)),
            [Some(b"redis"), Some(database), name, rest] => self.redis_directory(path, database, name, rest),
            [Some(b"dynamodb"), Some(table), name, rest] => self.dynamodb_directory(path, table, name, rest),
            [Some(b"s3"), Some(bucket), name, rest] => self.s3_directory(path, bucket, name, rest),
            [Some(b"sqs"), Some(queue), name, rest] => self.sqs_directory(queue, name, rest),
            _ => UNKNOWN,
        };
        report(path, verdict, problems)
    }

    /// Looks at what only several entries together can tell.
    pub(super) fn check_joins(self, problems: &mut Problems) -> Result<()> {
        self.scopes.check(self.manifest, problems)?;
        self.redis.check(problems)?;
        self.s3.check(self.is_own, problems)
    }

    fn adapter_directory(&self, name: &[u8]) -> Option<ProblemKind> {
        let is_included = match Protocol::named(name) {
            Some(protocol) => self.manifest.adapters.has(protocol),
            None if name == REFERENCE_LEFTOVER || name == UNKNOWN_DIRECTORY.as_bytes() => true,
            None => return Some(ProblemKind::Unknown),
        };
        (!is_included).then_some(ProblemKind::NotIncluded)
    }

    fn redis_directory(&mut self, path: &[u8], database: &[u8], name: Option<&[u8]>, rest: Option<&[u8]>) -> Verdict {
        match (name, rest) {
            (None, _) if is_database(database) => {
                self.scopes.add(path, Seen::Directory)?;
                KNOWN
            }
            (Some(name), None) if RedisType::of_directory(name).is_some() => KNOWN,
            _ => UNKNOWN,
        }
    }

    fn redis_file(&mut self, database: &[u8], name: &[u8], rest: Option<&[u8]>, len: u64) -> Verdict {
        let Some(file) = rest else {
            return if is_scope_file(name) { Ok(not_empty(len)) } else { UNKNOWN };
        };
        let Some(redis_type) = RedisType::of_directory(name) else { return UNKNOWN };
        let Some(segment) = file.strip_suffix(redis_type.extension.as_bytes()).filter(|name| !name.contains(&b'/'))
        else {
            return UNKNOWN;
        };
        match decode_segment(segment) {
            Ok(Decoded::Binary(_)) => return Ok(Some(ProblemKind::Name(SegmentError::NotCanonical))),
            Err(error) => return Ok(Some(ProblemKind::Name(error))),
            Ok(_) => {}
        }
        self.redis.add_file(&[b"redis/", database].concat(), redis_type, segment)?;
        KNOWN
    }

    fn dynamodb_directory(&mut self, path: &[u8], table: &[u8], name: Option<&[u8]>, rest: Option<&[u8]>) -> Verdict {
        let per_item = self.manifest.dynamodb_layout == DynamodbLayout::PerItem;
        match (name, rest) {
            (None, _) => {
                self.scopes.add(path, Seen::Directory)?;
                Ok(check_component(table))
            }
            (Some(name), None) if name == ITEMS_DIRECTORY.as_bytes() && per_item => KNOWN,
            (Some(name), Some(hash)) if name == ITEMS_DIRECTORY.as_bytes() && per_item && !hash.contains(&b'/') => {
                Ok(check_attribute(hash))
            }
            _ => UNKNOWN,
        }
    }

    fn dynamodb_file(&mut self, table: &[u8], name: &[u8], rest: Option<&[u8]>, len: u64) -> Verdict {
        match (self.manifest.dynamodb_layout, rest) {
            (_, None) if name == SCHEMA_FILE.as_bytes() => {
                self.scopes.add(&[b"dynamodb/", table].concat(), Seen::OwnRecord)?;
                KNOWN
            }
            (DynamodbLayout::Jsonl, None) if name == ITEMS_FILE.as_bytes() => Ok(not_empty(len)),
            (DynamodbLayout::PerItem, Some(item)) if name == ITEMS_DIRECTORY.as_bytes() => {
                let file = match item.iter().position(|byte| *byte == b'/') {
                    // The directory's own name is looked at with the directory.
                    Some(slash) => item.get(slash.saturating_add(1)..).unwrap_or_default(),
                    None => item,
                };
                match file.strip_suffix(b".json") {
                    Some(attribute) if !attribute.contains(&b'/') => Ok(check_attribute(attribute)),
                    _ => UNKNOWN,
                }
            }
            _ => UNKNOWN,
        }
    }

    fn s3_directory(&mut self, path: &[u8], bucket: &[u8], name: Option<&[u8]>, rest: Option<&[u8]>) -> Verdict {
        let exclusions = &self.manifest.exclusions;
        match (name, rest) {
            (None, _) => {
                self.scopes.add(path, Seen::Directory)?;
                Ok(check_component(bucket))
            }
            (Some(name), rest) if name == ORPHANS_DIRECTORY.as_bytes() => match rest {
                _ if !exclusions.include_orphans => Ok(Some(ProblemKind::NotIncluded)),
                None => KNOWN,
                Some(rest) => Ok(check_orphan_directory(rest)),
            },
            (Some(name), rest) if name == INCOMPLETE_UPLOADS_DIRECTORY.as_bytes() => match rest {
                _ if !exclusions.include_incomplete_uploads => Ok(Some(ProblemKind::NotIncluded)),
                None => KNOWN,
                Some(_) => UNKNOWN,
            },
            // Directories of object paths follow from the objects.
            (Some(name), _) => Ok((self.is_own && is_reserved(name)).then_some(ProblemKind::Unknown)),
        }
    }

    fn s3_file(&mut self, bucket: &[u8], name: &[u8], rest: Option<&[u8]>, len: u64) -> Verdict {
        let exclusions = &self.manifest.exclusions;
        match rest {
            None if name == BUCKET_FILE.as_bytes() => KNOWN,
            Some(chunk) if name == ORPHANS_DIRECTORY.as_bytes() => {
                if exclusions.include_orphans {
                    Ok(check_orphan_chunk(chunk))
                } else {
                    Ok(Some(ProblemKind::NotIncluded))
                }
            }
            Some(file) if name == INCOMPLETE_UPLOADS_DIRECTORY.as_bytes() => match file {
                _ if !exclusions.include_incomplete_uploads => Ok(Some(ProblemKind::NotIncluded)),
                file if file == UPLOAD_RECORDS_FILE.as_bytes() => Ok(not_empty(len)),
                _ => UNKNOWN,
            },
            _ => {
                let path = match rest {
                    Some(rest) => [name, b"/", rest].concat(),
                    None => name.to_vec(),
                };
                self.s3.add_file(&[b"s3/", bucket].concat(), &path, len, !self.is_own)
            }
        }
    }

    fn sqs_directory(&mut self, queue: &[u8], name: Option<&[u8]>, rest: Option<&[u8]>) -> Verdict {
        match (name, rest) {
            (None, _) => {
                self.scopes.add(&[b"sqs/", queue].concat(), Seen::Directory)?;
                KNOWN
            }
            (Some(name), None) if name == INTERNALS_DIRECTORY.as_bytes() => Ok(self.side_records_verdict()),
            _ => UNKNOWN,
        }
    }

    fn sqs_file(&mut self, queue: &[u8], name: &[u8], rest: Option<&[u8]>, len: u64) -> Verdict {
        let scope = || [b"sqs/", queue].concat();
        match (name, rest) {
            (name, None) if name == QUEUE_FILE.as_bytes() => {
                self.scopes.add(&scope(), Seen::OwnRecord)?;
                KNOWN
            }
            (name, None) if name == MESSAGES_FILE.as_bytes() => {
                self.scopes.add(&scope(), Seen::Messages)?;
                Ok(not_empty(len))
            }
            (name, Some(file)) if name == INTERNALS_DIRECTORY.as_bytes() && file == SIDE_RECORDS_FILE.as_bytes() => {
                Ok(self.side_records_verdict().or(not_empty(len)))
            }
            _ => UNKNOWN,
        }
    }

    fn side_records_verdict(&self) -> Option<ProblemKind> {
        (!self.manifest.exclusions.include_sqs_side_records).then_some(ProblemKind::NotIncluded)
    }
}

fn report(path: &[u8], verdict: Verdict, problems: &mut Problems) -> Result<()> {
    if let Some(kind) = verdict? {
        problems.add(path, kind);
    }
    Ok(())
}

fn not_empty(len: u64) -> Option<ProblemKind> {
    (len == 0).then_some(ProblemKind::Empty)
}

/// `db_` and an index without leading zeros.
fn is_database(name: &[u8]) -> bool {
    let index = name.strip_prefix(b"db_").and_then(|digits| std::str::from_utf8(digits).ok());
    index.and_then(|digits| digits.parse::<u32>().ok().filter(|index| index.to_string() == digits)).is_some()
}

/// The name of a table, bucket or queue.
pub(super) fn check_component(name: &[u8]) -> Option<ProblemKind> {
    match decode_component(name) {
        Ok(Decoded::Binary(_)) => Some(ProblemKind::Name(SegmentError::NotCanonical)),
        Err(error) => Some(ProblemKind::Name(error)),
        Ok(_) => None,
    }
}

/// The name of a DynamoDB key attribute; empty for an empty one.
fn check_attribute(name: &[u8]) -> Option<ProblemKind> {
    if name.is_empty() { None } else { decode_component(name).err().map(ProblemKind::Name) }
}

/// `<object>` or `<object>/gen-<decimal>` below `_orphans`.
pub(crate) fn check_orphan_directory(path: &[u8]) -> Option<ProblemKind> {
    let mut components = path.split(|byte| *byte == b'/');
    match (components.next(), components.next(), components.next()) {
        (Some(object), None, _) => check_component(object),
        (Some(_), Some(generation), None) if is_generation(generation) => None,
        _ => Some(ProblemKind::Unknown),
    }
}

/// `<object>/gen-<decimal>/<chunk>` below `_orphans`.
pub(crate) fn check_orphan_chunk(path: &[u8]) -> Option<ProblemKind> {
    let mut components = path.split(|byte| *byte == b'/');
    match (components.next(), components.next(), components.next(), components.next()) {
        (Some(_), Some(generation), Some(chunk), None) if is_generation(generation) && is_chunk(chunk) => None,
        _ => Some(ProblemKind::Unknown),
    }
}

fn is_generation(name: &[u8]) -> bool {
    let number = name.strip_prefix(b"gen-").and_then(|digits| std::str::from_utf8(digits).ok());
    number.and_then(|digits| digits.parse::<u64>().ok().filter(|number| number.to_string() == digits)).is_some()
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
