//! The JSON documents of a bucket. Source: `docs/format/s3.md`, sections 4.1, 4.2 and 4.6.

use ekv_files::Result;
use ekv_model::Body;
use ekv_model::s3::{Bucket, BucketRecord, Object, UploadRecord};
use ekv_text::json::{Base64Stream, EscapeMode, ObjectText, Style};
use ekv_text::time::format_hlc;

use crate::DumpWriter;
use crate::layout::value::{flush, push_base64};

const FORMAT_VERSION: u32 = 1;

/// Appends `_bucket.json`; `has_creation_time` adds a field that the reference decoder never writes.
pub(super) fn push_bucket(bucket: &Bucket<'_>, record: &BucketRecord<'_>, has_creation_time: bool, out: &mut Vec<u8>) {
    let mut document = begin(out);
    document.text("name", bucket.name);
    if has_creation_time {
        document.some_text("creation_time_iso", &format_hlc(record.created_at_hlc));
    }
    document.some_text("owner", record.owner);
    document.some_text("region", record.region);
    document.some_text("acl", record.acl);
    document.end();
}

/// Appends the metadata of an object.
pub(super) fn push_sidecar(object: &Object<'_>, out: &mut Vec<u8>) {
    let mut sidecar = begin(out);
    sidecar.some_text("etag", object.etag);
    sidecar.number("size_bytes", object.body.len());
    sidecar.some_text("last_modified", &format_hlc(object.last_modified_hlc));
    sidecar.some_text("content_type", object.content_type);
    sidecar.some_text("content_encoding", object.content_encoding);
    sidecar.some_text("cache_control", object.cache_control);
    sidecar.some_text("content_disposition", object.content_disposition);
    if !object.user_metadata.is_empty() {
        sidecar.open("user_metadata");
        object.user_metadata.iter().for_each(|(name, text)| sidecar.text(name, text));
        sidecar.close();
    }
    sidecar.end();
}

fn begin(out: &mut Vec<u8>) -> ObjectText<'_> {
    let mut document = ObjectText::begin(Style::Pretty, EscapeMode::Html, out);
    document.number("format_version", FORMAT_VERSION);
    document
}

/// Writes the line of an upload record to the open file; `out` is a buffer, empty before and after.
pub(super) fn write_upload_record(writer: &mut DumpWriter, record: &UploadRecord<'_>, out: &mut Vec<u8>) -> Result<()> {
    let mut line = ObjectText::begin(Style::Compact, EscapeMode::Plain, out);
    line.text("prefix", record.prefix);
    push_base64(&Body::Inline(record.user_key), Base64Stream::standard(), line.name("key"), writer)?;
    push_base64(&record.value, Base64Stream::standard(), line.name("value"), writer)?;
    line.end();
    out.push(b'\n');
    flush(out, writer)
}
