//! `side_records.jsonl`. Source: `docs/format/sqs.md`, sections 4.3 and 6.

use ekv_files::Result;
use ekv_model::KEY_LEN_MAX;
use ekv_model::sqs::{Event, SideRecord};
use ekv_text::hex::parse_lower_hex;

use crate::json::{JsonFault, JsonReader};
use crate::replay::text::read_string;
use crate::replay::value::ValueBuffer;

const SIDE_RECORD: &[&str] = &["prefix", "key_hex", "value_b64"];

/// Longest name of a kind of records, in bytes.
const PREFIX_LEN_MAX: usize = 64;

const A_SIDE_RECORD: &str = "an object with prefix, key_hex and value_b64";
const A_STRING: &str = "a string";
const HEX_TEXT: &str = "a string of hexadecimal digits";
const BASE64_TEXT: &str = "a string of base64url";

/// Hands every side record to `emit`, with its line.
pub(super) fn replay(
    content: &ValueBuffer,
    value: &mut ValueBuffer,
    emit: &mut dyn FnMut(Event<'_>, u64) -> Result<()>,
) -> Result<()> {
    let mut reader = JsonReader::lines(content);
    while !reader.is_at_end()? {
        let line = reader.line();
        let mut prefix = String::new();
        let mut user_key = Vec::new();
        value.clear();
        reader.object(A_SIDE_RECORD, SIDE_RECORD, |reader, member| match member {
            0 => {
                prefix = read_string(reader, A_STRING, PREFIX_LEN_MAX)?;
                Ok(())
            }
            1 => {
                user_key = read_hex(reader)?;
                Ok(())
            }
            _ => reader.base64(BASE64_TEXT, |piece| value.push(piece)),
        })?;
        value.seal()?;
        reader.end_or_last()?;
        emit(Event::SideRecord(SideRecord { prefix: &prefix, user_key: &user_key, value: value.body() }), line)?;
    }
    Ok(())
}

/// Reads bytes in lower-case hexadecimal.
fn read_hex(reader: &mut JsonReader<'_>) -> Result<Vec<u8>> {
    let start = reader.position()?;
    let mut text = Vec::new();
    reader.text(HEX_TEXT, 2 * KEY_LEN_MAX, &mut text)?;
    parse_lower_hex(&text).ok_or_else(|| {
        reader.seek(start);
        reader.fault(JsonFault::Hex)
    })
}
