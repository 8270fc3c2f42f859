//! LOSSES.jsonl: everything that was left out of a dump because it was damaged, one line each.
//!
//! Source: `docs/format/tree.md`, section 15.

use std::borrow::Cow;
use std::io::BufRead;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ekv_text::json::{EscapeMode, JsonError, Object, Style, serialize_into};
use ekv_text::{LineError, Lines};
use serde::{Deserialize, Serialize};

pub use ekv_files::root::LOSSES_FILE;

/// Longest line in bytes.
pub const LOSS_LINE_LEN_MAX: usize = 32 << 20;

/// Longest text of a key that is written as it is: escapes make a text up to six times as long.
const KEY_TEXT_LEN_MAX: usize = 2 << 20;

/// One line: something that was left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss<'a> {
    /// Name of the finding, as in the manifest.
    pub finding: Cow<'a, str>,
    /// Whose data it was, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter: Option<Cow<'a, str>>,
    /// The user key or name concerned, whole, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<LossKey<'a>>,
    /// The address of the thing, table, bucket or queue that the key tells, if it tells one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Cow<'a, str>>,
    /// The snapshot file that it is of, seen from the data directory, where several were read and it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<Cow<'a, str>>,
    /// Byte offset in the input, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub byte_offset: Option<u64>,
    /// What is wrong with it.
    pub detail: Cow<'a, str>,
    /// How many things the line stands for: more than 1 only where they have no names.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub count: u64,
}

/// A key: text, or base64url without padding of what is no UTF-8 or very long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum LossKey<'a> {
    /// UTF-8.
    Text(Cow<'a, str>),
    /// Anything else.
    Bytes(Base64Key),
}

/// See [`LossKey`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Base64Key {
    base64: String,
}

impl<'a> From<&'a [u8]> for LossKey<'a> {
    fn from(key: &'a [u8]) -> Self {
        match std::str::from_utf8(key) {
            Ok(text) if text.len() <= KEY_TEXT_LEN_MAX => LossKey::Text(text.into()),
            _ => LossKey::Bytes(Base64Key { base64: URL_SAFE_NO_PAD.encode(key) }),
        }
    }
}

impl LossKey<'_> {
    /// The key itself.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            LossKey::Text(text) => text.as_bytes().to_vec(),
            // What is read has been checked.
            LossKey::Bytes(Base64Key { base64 }) => URL_SAFE_NO_PAD.decode(base64).unwrap_or_default(),
        }
    }
}

fn one() -> u64 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_one(count: &u64) -> bool {
    *count == 1
}

/// Why a line is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LossFault {
    /// No whole line could be read.
    #[error(transparent)]
    Line(#[from] LineError),
    /// Not one JSON object, or members are missing or of another type.
    #[error("it is not an object with the strings finding and detail, and key as text or base64: {0}")]
    Json(JsonError),
    /// A key is not base64url without padding.
    #[error("the key is not base64url without padding")]
    Base64(#[from] base64::DecodeError),
    /// A line that stands for nothing.
    #[error("the count is 0")]
    Nothing,
}

impl Loss<'_> {
    /// Appends the line, line feed included.
    pub fn write_into(&self, out: &mut Vec<u8>) {
        // Nothing in it can be refused: there are only strings and numbers, and writing to a vector cannot fail.
        let _ = serialize_into(self, Style::Compact, EscapeMode::Plain, out);
        out.push(b'\n');
    }

    /// Reads a line without its line feed.
    ///
    /// # Errors
    /// Whatever [`LossFault`] says.
    pub fn parse(line: &[u8]) -> Result<Loss<'static>, LossFault> {
        let Object(loss): Object<Loss<'static>> =
            serde_json::from_slice(line).map_err(|error| LossFault::Json(JsonError::new(&error)))?;
        if let Some(LossKey::Bytes(Base64Key { base64 })) = &loss.key {
            URL_SAFE_NO_PAD.decode(base64)?;
        }
        if loss.count == 0 { Err(LossFault::Nothing) } else { Ok(loss) }
    }
}

/// Reads LOSSES.jsonl line by line. Unknown members are ignored.
///
/// Cost: one line, at most [`LOSS_LINE_LEN_MAX`] bytes, and its decoded form.
#[derive(Debug)]
pub struct LossesReader<R> {
    lines: Lines<R>,
}

impl<R: BufRead> LossesReader<R> {
    /// Begins to read.
    pub fn new(input: R) -> Self {
        LossesReader { lines: Lines::new(input, LOSS_LINE_LEN_MAX) }
    }

    /// Number of the line that was read last, from 1.
    pub fn line_number(&self) -> u64 {
        self.lines.number()
    }

    /// The next loss; `None` at the end.
    ///
    /// # Errors
    /// [`LossFault`]; after one about a line alone the next line can be read.
    pub fn next_loss(&mut self) -> Result<Option<Loss<'static>>, LossFault> {
        match self.lines.next_line()? {
            Some(line) => Loss::parse(line).map(Some),
            None => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loss<'a>(key: Option<&'a [u8]>, count: u64) -> Loss<'a> {
        Loss {
            finding: "redis_invalid_string_value".into(),
            adapter: Some("redis".into()),
            key: key.map(LossKey::from),
            address: None,
            snapshot: None,
            byte_offset: Some(48),
            detail: "the expiry is cut".into(),
            count,
        }
    }

    fn line(loss: &Loss<'_>) -> String {
        let mut out = Vec::new();
        loss.write_into(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn lines_have_the_documented_form_and_are_read_back() {
        let text = br#"{"finding":"redis_invalid_string_value","adapter":"redis","key":"a\"b\n","byte_offset":48,"detail":"the expiry is cut"}"#;
        assert_eq!(line(&loss(Some(b"a\"b\n"), 1)).trim_end().as_bytes(), text);
        let bytes = loss(Some(b"\xff\xfe"), 1);
        assert!(line(&bytes).contains(r#""key":{"base64":"__4"},"#));
        let one_of_several = Loss { snapshot: Some("group-2/fsm-snap/1.fsm".into()), ..loss(None, 1) };
        assert!(line(&one_of_several).contains(r#","snapshot":"group-2/fsm-snap/1.fsm","byte_offset":48,"#));
        let nameless =
            Loss { finding: "x".into(), adapter: None, byte_offset: None, detail: "".into(), ..loss(None, 9) };
        assert_eq!(line(&nameless), "{\"finding\":\"x\",\"detail\":\"\",\"count\":9}\n");
        let long = vec![1; (2 << 20) + 1];
        for loss in [loss(Some(b""), 1), bytes, nameless, one_of_several, loss(Some(&long), 1)] {
            let line = line(&loss);
            assert!(line.len() < LOSS_LINE_LEN_MAX);
            assert_eq!(Loss::parse(line.trim_end().as_bytes()).unwrap(), loss);
        }
    }

    #[test]
    fn malformed_lines_are_refused_in_a_short_message() {
        let long = format!("{{\"finding\":\"x\",\"detail\":\"\",\"count\":\"{}\"}}", "A".repeat(1 << 20));
        for text in [
            "",
            "[]",
            "{}",
            r#"{"finding":"x"}"#,
            r#"{"finding":"x","detail":"","key":5}"#,
            r#"{"finding":"x","detail":"","key":{"base64":"*"}}"#,
            r#"{"finding":"x","detail":"","key":{"base64":"","more":1}}"#,
            r#"{"finding":"x","detail":"","count":0}"#,
            r#"{"finding":"x","detail":""} x"#,
            long.as_str(),
        ] {
            let fault = Loss::parse(text.as_bytes()).unwrap_err().to_string();
            assert!(fault.len() < 500, "{fault}");
        }
        assert!(Loss::parse(br#"{"finding":"x","detail":"","later":[1]}"#).is_ok());
    }
}
