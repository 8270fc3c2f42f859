//! Values of any size inside JSON text. Source: `docs/format/redis.md`, section 6.3, and `docs/format/sqs.md`, section 4.2.

use ekv_files::Result;
use ekv_model::Body;
use ekv_text::json::{Base64Stream, Bracket, EscapeMode, EscapeStream, Layout, Utf8Check};

use crate::DumpWriter;

/// Text gathered before it goes to the writer, in bytes.
const FLUSH_LEN: usize = 64 << 10;

/// Appends bytes: a string if they are UTF-8, else an object with their base64url form.
///
/// `out` goes to `writer` whenever it is full. Cost: one chunk in memory; the value is read twice.
pub(crate) fn push_value(
    value: &Body<'_>,
    layout: &mut Layout,
    out: &mut Vec<u8>,
    writer: &mut DumpWriter,
) -> Result<()> {
    let mut check = Utf8Check::default();
    value.for_each_chunk(|chunk| {
        check.push(chunk);
        Ok(())
    })?;
    if check.is_valid() {
        out.push(b'"');
        let mut escape = EscapeStream::new(EscapeMode::Html);
        value.for_each_chunk(|chunk| {
            escape.push(chunk, out);
            Ok(flush_if_full(out, writer)?)
        })?;
        escape.finish(out);
        out.push(b'"');
    } else {
        layout.open(Bracket::Object, out);
        layout.name("base64", out);
        push_base64(value, Base64Stream::default(), out, writer)?;
        layout.close(Bracket::Object, out);
    }
    Ok(())
}

/// Appends bytes as a string of base64. As [`push_value`] otherwise; the value is read once.
pub(crate) fn push_base64(
    value: &Body<'_>,
    mut base64: Base64Stream,
    out: &mut Vec<u8>,
    writer: &mut DumpWriter,
) -> Result<()> {
    out.push(b'"');
    value.for_each_chunk(|chunk| {
        base64.push(chunk, out);
        Ok(flush_if_full(out, writer)?)
    })?;
    base64.finish(out);
    out.push(b'"');
    Ok(())
}

/// Hands `out` to the writer if it has become long.
pub(crate) fn flush_if_full(out: &mut Vec<u8>, writer: &mut DumpWriter) -> Result<()> {
    if out.len() >= FLUSH_LEN { flush(out, writer) } else { Ok(()) }
}

/// Hands `out` to the writer.
pub(crate) fn flush(out: &mut Vec<u8>, writer: &mut DumpWriter) -> Result<()> {
    writer.write(out)?;
    out.clear();
    Ok(())
}
