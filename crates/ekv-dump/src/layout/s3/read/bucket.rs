//! A bucket: its record, and the events of everything in it. Source: `docs/format/s3.md`, sections 4.1 and 6.

use std::io::Read as _;

use ekv_model::s3::{Bucket as ModelBucket, BucketRecord, Event, STRING_LEN_MAX};
use ekv_model::{Consumer, Event as ModelEvent, InMemory, Protocol};

use super::files::BucketFiles;
use super::object::Objects;
use crate::entry::Entry;
use crate::json::{JsonReader, Refuse as _};
use crate::layout::in_scope::InScope as _;
use crate::layout::s3::entry::BucketEntry;
use crate::layout::s3::entry::told_name;
use crate::replay::ReplayFault;
use crate::replay::reading::{Reading, emit};
use crate::replay::text::{read_string, read_time, read_version};
use crate::segment::component;
use crate::verify::problem::ProblemKind;
use ekv_files::source::read_error;
use ekv_files::{DumpPath, Error, Result};

/// Longest record, in bytes.
const TEXT_LEN_MAX: usize = 1 << 20;

const MEMBERS: &[&str] =
    &["format_version", "name", "creation_time_iso", "owner", "region", "acl", "versioning", "policy_json"];
/// How many of them must be there.
const REQUIRED: usize = 2;

/// What the record of a bucket says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Bucket {
    name: String,
    /// Whether there is a record.
    has_record: bool,
    created_at_hlc: u64,
    owner: String,
    region: String,
    acl: String,
}

/// Reads the record of a bucket: its name and the text, which is empty where there is no record: then the directory tells the name.
/// which may tell none either. If the name is not selected, the file counts as not read.
pub(super) fn read(reading: &mut Reading<'_>, directory: &[u8]) -> Result<(String, Vec<u8>)> {
    let path = DumpPath::new(&BucketEntry::Record.path(directory))?;
    let (mut name, mut text) = (String::new(), Vec::new());
    let scope = reading.scope();
    let result = reading.read_file(&path, &mut |file| {
        let limit = u64::try_from(TEXT_LEN_MAX).unwrap_or(u64::MAX).saturating_add(1);
        file.by_ref().take(limit).read_to_end(&mut text).map_err(read_error)?;
        if text.len() > TEXT_LEN_MAX {
            return Err(ReplayFault::LongDocument { len_max: TEXT_LEN_MAX }.into());
        }
        name = Bucket::parse(&text)?.name;
        if component(name.as_bytes()) != directory {
            return Err(ReplayFault::BucketDirectory { name: name.clone() }.into());
        }
        if scope.keys_in(Protocol::S3, name.as_bytes()).is_nothing() {
            file.pass_over();
        }
        Ok(())
    });
    match result {
        Err(error) if error.is_missing() => Ok((told_name(directory).unwrap_or_default(), Vec::new())),
        other => other.map(|()| (name, text)),
    }
}

impl Bucket {
    /// A bucket without record.
    pub(super) fn of_name(name: String) -> Self {
        Bucket { name, ..Bucket::default() }
    }

    pub(super) fn parse(text: &[u8]) -> Result<Self> {
        let mut bucket = Bucket { has_record: true, ..Bucket::default() };
        let source = InMemory(text);
        let mut reader = JsonReader::document(&source);
        reader.object_with_optional("an object with the bucket", MEMBERS, REQUIRED, |reader, member| {
            let text = |reader: &mut JsonReader<'_>| read_string(reader, "a string", STRING_LEN_MAX);
            match member {
                0 => read_version(reader)?,
                1 => bucket.name = read_name(reader)?,
                2 => bucket.created_at_hlc = read_time(reader, STRING_LEN_MAX)?,
                3 => bucket.owner = text(reader)?,
                4 => bucket.region = text(reader)?,
                5 => bucket.acl = text(reader)?,
                // Nothing that a server stores.
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        reader.end()?;
        Ok(bucket)
    }

    /// Replays the bucket whose files lie in `directory`.
    pub(super) fn replay(&self, reading: &mut Reading<'_>, directory: &[u8], target: &mut dyn Consumer) -> Result<()> {
        let keys = BucketFiles::new(reading, directory)?.list(reading, &self.name)?;
        if !self.has_record && keys.is_empty() {
            // What is left of a bucket that is gone.
            return Ok(());
        }
        if self.name.is_empty() {
            let path = Entry::Scope(Protocol::S3, directory).path();
            return Err(Error::from(ProblemKind::BucketWithoutRecord).at(&path));
        }
        let place = reading.place();
        place.enter_file(&BucketEntry::Record.path(directory));
        let record = self.has_record.then_some(BucketRecord {
            created_at_hlc: self.created_at_hlc,
            owner: &self.owner,
            region: &self.region,
            acl: &self.acl,
        });
        let begin = Event::Begin(ModelBucket { name: &self.name, record });
        emit(target, place, ModelEvent::S3(begin))?;
        let mut objects = Objects::new(reading, directory);
        let mut cursor = keys.cursor();
        while let Some(object) = cursor.next()? {
            if object.is_selected && objects.is_within_limits(reading, &object)? {
                emit(target, place, ModelEvent::S3(Event::Key(object.key)))?;
            }
        }
        let mut cursor = keys.cursor();
        while let Some(object) = cursor.next()? {
            objects.replay(reading, &object, target)?;
        }
        emit(target, place, ModelEvent::S3(Event::End))
    }
}

fn read_name(reader: &mut JsonReader<'_>) -> Result<String> {
    let start = reader.position()?;
    let name = read_string(reader, "the name of the bucket", STRING_LEN_MAX)?;
    if name.is_empty() || name.contains('\0') {
        reader.seek(start);
        return Err(reader.refuse(ReplayFault::BucketName));
    }
    Ok(name)
}
