//! The metadata of an object. Source: `docs/format/s3.md`, section 4.2.

use std::collections::BTreeMap;

use ekv_files::Result;
use ekv_model::ByteSource;
use ekv_model::s3::{METADATA_LEN_MAX, STRING_LEN_MAX};

use crate::json::{JsonReader, Refuse as _};
use crate::replay::ReplayFault;
use crate::replay::text::{Names, read_string, read_time, read_version};

const MEMBERS: &[&str] = &[
    "format_version",
    "size_bytes",
    "etag",
    "last_modified",
    "content_type",
    "content_encoding",
    "cache_control",
    "content_disposition",
    "user_metadata",
];
/// How many of them must be there.
const REQUIRED: usize = 2;

/// Largest size that a record can state.
const SIZE_MAX: u64 = u64::MAX >> 1;

/// What a sidecar says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Sidecar {
    pub(super) size_bytes: u64,
    /// Line of the size.
    pub(super) size_line: u64,
    pub(super) etag: String,
    /// Line of the entity tag.
    pub(super) etag_line: u64,
    pub(super) last_modified_hlc: u64,
    pub(super) content_type: String,
    pub(super) content_encoding: String,
    pub(super) cache_control: String,
    pub(super) content_disposition: String,
    pub(super) user_metadata: BTreeMap<String, String>,
}

impl Sidecar {
    pub(super) fn parse(text: &dyn ByteSource) -> Result<Self> {
        let mut sidecar = Sidecar::default();
        let mut reader = JsonReader::document(text);
        reader.object_with_optional("an object with the metadata", MEMBERS, REQUIRED, |reader, member| {
            let text = |reader: &mut JsonReader<'_>| read_string(reader, "a string", STRING_LEN_MAX);
            match member {
                0 => read_version(reader)?,
                1 => {
                    sidecar.size_bytes = reader.u64("a size in bytes, a whole number from 0 to 2^63-1", SIZE_MAX)?;
                    sidecar.size_line = reader.line();
                }
                2 => {
                    sidecar.etag = text(reader)?;
                    sidecar.etag_line = reader.line();
                }
                3 => sidecar.last_modified_hlc = read_time(reader, STRING_LEN_MAX)?,
                4 => sidecar.content_type = text(reader)?,
                5 => sidecar.content_encoding = text(reader)?,
                6 => sidecar.cache_control = text(reader)?,
                7 => sidecar.content_disposition = text(reader)?,
                _ => sidecar.user_metadata = read_metadata(reader)?,
            }
            Ok(())
        })?;
        reader.end()?;
        Ok(sidecar)
    }
}

fn read_metadata(reader: &mut JsonReader<'_>) -> Result<BTreeMap<String, String>> {
    let mut metadata = BTreeMap::new();
    let mut names = Names::new("metadata", METADATA_LEN_MAX);
    let mut len = 0_usize;
    reader.members("an object with names and strings", |reader| {
        let start = reader.position()?;
        let name = names.read(reader)?;
        let value = read_string(reader, "a string", METADATA_LEN_MAX)?;
        len = len.saturating_add(name.len()).saturating_add(value.len());
        metadata.insert(name, value);
        if len > METADATA_LEN_MAX {
            reader.seek(start);
            return Err(reader.refuse(ReplayFault::LongMetadata { len_max: METADATA_LEN_MAX }));
        }
        Ok(())
    })?;
    Ok(metadata)
}
