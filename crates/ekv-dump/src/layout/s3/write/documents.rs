//! The JSON documents of a bucket. Source: `docs/format/s3.md`, sections 4.1, 4.2 and 4.6.

use std::collections::BTreeMap;

use ekv_files::Result;
use ekv_model::s3::{Bucket, BucketRecord, Object, UploadRecord};
use ekv_text::json::{Base64Stream, EscapeMode, Style, escape_into, serialize_into};
use ekv_text::time::format_hlc;
use serde::Serialize;

use crate::DumpWriter;

const FORMAT_VERSION: u32 = 1;

/// Text gathered before it goes to the writer, in bytes.
const FLUSH_LEN: usize = 64 << 10;

/// `_bucket.json`.
#[derive(Serialize)]
struct BucketDocument<'a> {
    format_version: u32,
    name: &'a str,
    #[serde(skip_serializing_if = "String::is_empty")]
    creation_time_iso: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    owner: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    region: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    acl: &'a str,
}

/// The metadata beside a body.
#[derive(Serialize)]
struct Sidecar<'a> {
    format_version: u32,
    #[serde(skip_serializing_if = "str::is_empty")]
    etag: &'a str,
    size_bytes: u64,
    #[serde(skip_serializing_if = "String::is_empty")]
    last_modified: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    content_type: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    content_encoding: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    cache_control: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    content_disposition: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    user_metadata: &'a BTreeMap<String, String>,
}

/// Appends `_bucket.json`; `has_creation_time` adds a field that the reference decoder never writes.
pub(super) fn push_bucket(bucket: &Bucket<'_>, record: &BucketRecord<'_>, has_creation_time: bool, out: &mut Vec<u8>) {
    let document = BucketDocument {
        format_version: FORMAT_VERSION,
        name: bucket.name,
        creation_time_iso: if has_creation_time { format_hlc(record.created_at_hlc) } else { String::new() },
        owner: record.owner,
        region: record.region,
        acl: record.acl,
    };
    push(&document, out);
}

/// Appends the metadata of an object.
pub(super) fn push_sidecar(object: &Object<'_>, out: &mut Vec<u8>) {
    let sidecar = Sidecar {
        format_version: FORMAT_VERSION,
        etag: object.etag,
        size_bytes: object.body.len(),
        last_modified: format_hlc(object.last_modified_hlc),
        content_type: object.content_type,
        content_encoding: object.content_encoding,
        cache_control: object.cache_control,
        content_disposition: object.content_disposition,
        user_metadata: object.user_metadata,
    };
    push(&sidecar, out);
}

fn push(document: &impl Serialize, out: &mut Vec<u8>) {
    // Structs of strings and numbers, and maps with text as keys, are always JSON.
    let _ = serialize_into(document, Style::Pretty, EscapeMode::Html, out);
}

/// Writes the line of an upload record to the open file; `out` is a buffer, empty before and after.
pub(super) fn write_upload_record(writer: &mut DumpWriter, record: &UploadRecord<'_>, out: &mut Vec<u8>) -> Result<()> {
    out.extend_from_slice(b"{\"prefix\":\"");
    escape_into(record.prefix, EscapeMode::Plain, out);
    out.extend_from_slice(b"\",\"key\":\"");
    let mut base64 = Base64Stream::standard();
    base64.push(record.user_key, out);
    base64.finish(out);
    out.extend_from_slice(b"\",\"value\":\"");
    record.value.for_each_chunk(|chunk| {
        base64.push(chunk, out);
        if out.len() >= FLUSH_LEN {
            writer.write(out)?;
            out.clear();
        }
        Ok(())
    })?;
    base64.finish(out);
    out.extend_from_slice(b"\"}\n");
    writer.write(out)?;
    out.clear();
    Ok(())
}
