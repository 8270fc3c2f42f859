//! What lies in the directory of an S3 bucket. Source: `docs/format/s3.md`, section 4.

use ekv_model::Protocol;

use crate::keymap::KEYMAP_FILE;
use crate::layout::in_scope::{InScope, Misplaced, Role, ScopeRow, check_component, decimal, included, split_first};
use crate::s3_name::{
    BUCKET_FILE, INCOMPLETE_UPLOADS_DIRECTORY, META_SUFFIX, ORPHANS_DIRECTORY, UPLOAD_RECORDS_FILE, is_reserved,
};
use crate::segment::{Decoded, decode_component, decode_segment, has_fallback_shape};
use crate::verify::problem::ProblemKind;
use crate::verify::rules::Rules;
use crate::verify::seen::{Seen, SeenScope};

/// The directories of buckets.
pub(crate) const SCOPES: ScopeRow = ScopeRow {
    expected: Misplaced { expected: "directories only, one for each bucket" },
    check_name: check_component,
    check: check_bucket,
    ..ScopeRow::NAMED
};

/// What clients never see of a bucket.
const SIDE: Seen = Seen::own(0);

/// Something in a bucket. Paths are those in the bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BucketEntry<'p> {
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

pub(crate) type Entry<'p> = BucketEntry<'p>;

const IN_UPLOADS: Misplaced = Misplaced { expected: "records.jsonl" };
const IN_ORPHANS: Misplaced = Misplaced { expected: "<object>/gen-<number>/<upload>_<part>_<chunk>_<version>.bin" };
const IN_BUCKET: Misplaced = Misplaced {
    expected: "objects with their metadata files, _bucket.json, KEYMAP.jsonl, _incomplete_uploads or _orphans",
};

impl<'p> InScope<'p> for BucketEntry<'p> {
    fn protocol(&self) -> Protocol {
        Protocol::S3
    }

    fn of_file(path: &'p [u8]) -> Result<Self, Misplaced> {
        match split_first(path) {
            (name, None) if name == BUCKET_FILE.as_bytes() => Ok(BucketEntry::Record),
            (name, None) if name == KEYMAP_FILE.as_bytes() => Ok(BucketEntry::Keymap),
            (first, Some(file)) if first == INCOMPLETE_UPLOADS_DIRECTORY.as_bytes() => {
                (file == UPLOAD_RECORDS_FILE.as_bytes()).then_some(BucketEntry::UploadRecords).ok_or(IN_UPLOADS)
            }
            (first, Some(chunk)) if first == ORPHANS_DIRECTORY.as_bytes() => {
                is_orphan_chunk(chunk).then_some(BucketEntry::OrphanChunk(chunk)).ok_or(IN_ORPHANS)
            }
            _ => Ok(path.strip_suffix(META_SUFFIX).map_or(BucketEntry::Body(path), BucketEntry::Sidecar)),
        }
    }

    fn of_directory(path: &'p [u8]) -> Result<Self, Misplaced> {
        match split_first(path) {
            (first, rest) if first == INCOMPLETE_UPLOADS_DIRECTORY.as_bytes() => match rest {
                None => Ok(BucketEntry::Uploads),
                Some(_) => Err(IN_UPLOADS),
            },
            (first, rest) if first == ORPHANS_DIRECTORY.as_bytes() => match rest {
                None => Ok(BucketEntry::Orphans),
                Some(rest) if is_orphan_folder(rest) => Ok(BucketEntry::OrphanFolder(rest)),
                Some(_) => Err(IN_ORPHANS),
            },
            _ => Ok(BucketEntry::Folder(path)),
        }
    }

    fn put_path(&self, put: &mut dyn FnMut(&[&[u8]])) {
        let (uploads, orphans) = (INCOMPLETE_UPLOADS_DIRECTORY.as_bytes(), ORPHANS_DIRECTORY.as_bytes());
        match *self {
            BucketEntry::Record => put(&[BUCKET_FILE.as_bytes()]),
            BucketEntry::Keymap => put(&[KEYMAP_FILE.as_bytes()]),
            BucketEntry::Uploads => put(&[uploads]),
            BucketEntry::UploadRecords => put(&[uploads, b"/", UPLOAD_RECORDS_FILE.as_bytes()]),
            BucketEntry::Orphans => put(&[orphans]),
            BucketEntry::OrphanFolder(rest) | BucketEntry::OrphanChunk(rest) => put(&[orphans, b"/", rest]),
            BucketEntry::Folder(path) | BucketEntry::Body(path) => put(&[path]),
            BucketEntry::Sidecar(body) => put(&[body, META_SUFFIX]),
        }
    }

    fn role(&self) -> Role {
        match self {
            BucketEntry::Body(_) => Role::Content,
            BucketEntry::Sidecar(_) => Role::Metadata,
            _ => Role::Other,
        }
    }

    fn is_never_empty(&self) -> bool {
        // Only the whole bucket tells whether its KEYMAP is an object.
        *self == BucketEntry::UploadRecords
    }

    fn is_joined_by_text(&self) -> bool {
        *self == BucketEntry::Keymap
    }

    fn check(&self, rules: &Rules) -> Option<ProblemKind> {
        match *self {
            BucketEntry::Uploads | BucketEntry::UploadRecords => included(rules.exclusions.include_incomplete_uploads),
            BucketEntry::Orphans | BucketEntry::OrphanChunk(_) => included(rules.exclusions.include_orphans),
            BucketEntry::OrphanFolder(path) => included(rules.exclusions.include_orphans).or_else(|| {
                // What lies in it is looked at by itself.
                if path.contains(&b'/') { None } else { check_component(path) }
            }),
            // Directories of object paths follow from the objects.
            BucketEntry::Folder(path) => {
                let first = path.split(|byte| *byte == b'/').next().unwrap_or_default();
                (rules.is_own && is_reserved(first)).then_some(IN_BUCKET.into())
            }
            BucketEntry::Sidecar(body) => {
                (body.is_empty() || body.ends_with(b"/")).then_some(ProblemKind::SidecarWithoutBody)
            }
            BucketEntry::Record | BucketEntry::Keymap | BucketEntry::Body(_) => None,
        }
    }

    fn tells(&self) -> Option<Seen> {
        match *self {
            BucketEntry::Record => Some(Seen::OWN_RECORD),
            BucketEntry::Body(_) | BucketEntry::Sidecar(_) | BucketEntry::Keymap => Some(Seen::CONTENTS),
            BucketEntry::Uploads | BucketEntry::Orphans => Some(SIDE),
            _ => None,
        }
    }
}

/// Whether a directory is that of a bucket, or of what is left of one.
fn check_bucket(bucket: &SeenScope<'_>, rules: &Rules) -> Option<(Seen, ProblemKind)> {
    let is_bucket = bucket.has(Seen::OWN_RECORD)
        || bucket.has(SIDE) && !bucket.has(Seen::CONTENTS)
        || rules.tells_of_missing_records && told_name(bucket.name).is_some();
    (!is_bucket).then_some((Seen::DIRECTORY, ProblemKind::BucketWithoutRecord))
}

/// The name of a bucket without a record, which only its directory can tell.
pub(super) fn told_name(directory: &[u8]) -> Option<String> {
    match decode_component(directory) {
        Ok(Decoded::Raw(name)) => String::from_utf8(name).ok(),
        _ => None,
    }
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
