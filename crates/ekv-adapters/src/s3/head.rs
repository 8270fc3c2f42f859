//! The record of an object: what clients see of it, and the list of its parts. Source: `docs/format/s3.md`, section 2.2.

use std::collections::BTreeMap;
use std::sync::Arc;

use ekv_model::ByteSource;
use ekv_model::s3::{METADATA_LEN_MAX, STRING_LEN_MAX};
use ekv_spill::Scratch;

use super::parts::{Part, Parts, PartsWriter};
use crate::json::{JsonError, JsonReader, JsonResult, is_name};

/// An object as its record describes it. Memory: the strings within their limits; parts are spooled.
pub(super) struct Head {
    pub(super) upload_id: String,
    pub(super) etag: String,
    pub(super) size_bytes: i64,
    pub(super) last_modified_hlc: u64,
    pub(super) content_type: String,
    pub(super) content_encoding: String,
    pub(super) cache_control: String,
    pub(super) content_disposition: String,
    pub(super) user_metadata: BTreeMap<String, String>,
    pub(super) parts: Parts,
}

impl Head {
    pub(super) fn parse(value: &dyn ByteSource, scratch: &Arc<dyn Scratch>) -> JsonResult<Self> {
        let mut head = Head {
            upload_id: String::new(),
            etag: String::new(),
            size_bytes: 0,
            last_modified_hlc: 0,
            content_type: String::new(),
            content_encoding: String::new(),
            cache_control: String::new(),
            content_disposition: String::new(),
            user_metadata: BTreeMap::new(),
            parts: Parts::none(scratch)?,
        };
        let mut reader = JsonReader::new(value);
        reader.object(|reader, name| {
            let text = |reader: &mut JsonReader<'_>| reader.string(STRING_LEN_MAX);
            match name {
                name if is_name(name, "upload_id") => head.upload_id = text(reader)?,
                name if is_name(name, "etag") => head.etag = text(reader)?,
                name if is_name(name, "size_bytes") => head.size_bytes = reader.i64()?,
                name if is_name(name, "last_modified_hlc") => head.last_modified_hlc = reader.u64()?,
                name if is_name(name, "content_type") => head.content_type = text(reader)?,
                name if is_name(name, "content_encoding") => head.content_encoding = text(reader)?,
                name if is_name(name, "cache_control") => head.cache_control = text(reader)?,
                name if is_name(name, "content_disposition") => head.content_disposition = text(reader)?,
                name if is_name(name, "user_metadata") => head.user_metadata = read_metadata(reader)?,
                name if is_name(name, "parts") => head.parts = read_parts(reader, scratch)?,
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        reader.end()?;
        Ok(head)
    }
}

fn read_metadata(reader: &mut JsonReader<'_>) -> JsonResult<BTreeMap<String, String>> {
    let mut metadata = BTreeMap::new();
    let mut room = METADATA_LEN_MAX;
    reader.object(|reader, name| {
        room = room.saturating_sub(name.len());
        let value = reader.string(room)?;
        room = room.saturating_sub(value.len());
        metadata.insert(name.to_owned(), value);
        Ok(())
    })?;
    Ok(metadata)
}

fn read_parts(reader: &mut JsonReader<'_>, scratch: &Arc<dyn Scratch>) -> JsonResult<Parts> {
    let mut parts = PartsWriter::new(scratch);
    reader.array(|reader| {
        let part = read_part(reader, &mut parts)?;
        parts.push(&part).map_err(spool_error)
    })?;
    parts.finish().map_err(spool_error)
}

fn read_part(reader: &mut JsonReader<'_>, parts: &mut PartsWriter) -> JsonResult<Part> {
    let mut part = Part::default();
    reader.object(|reader, name| {
        match name {
            name if is_name(name, "part_no") => part.part_no = reader.u64()?,
            name if is_name(name, "etag") => drop(reader.string(STRING_LEN_MAX)?),
            name if is_name(name, "size_bytes") => drop(reader.i64()?),
            name if is_name(name, "chunk_count") => part.chunk_count = reader.u64()?,
            name if is_name(name, "chunk_sizes") => {
                part.sizes_start = parts.sizes_len();
                part.sizes_len = 0;
                reader.array(|reader| {
                    let size = reader.u64()?;
                    part.sizes_len = part.sizes_len.saturating_add(1);
                    parts.push_size(size).map_err(spool_error)
                })?;
            }
            name if is_name(name, "part_version") => part.part_version = reader.u64()?,
            name if is_name(name, "chunk_ref_version") => part.chunk_ref_version = reader.u64()?,
            name if is_name(name, "offloaded") => part.is_offloaded = reader.boolean()?,
            _ => reader.skip()?,
        }
        Ok(())
    })?;
    Ok(part)
}

fn spool_error(error: ekv_spill::Error) -> JsonError {
    JsonError::Read(error.into())
}

#[cfg(test)]
mod tests;
