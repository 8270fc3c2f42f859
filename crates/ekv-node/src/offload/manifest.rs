//! The manifest of a published snapshot. Source: `docs/format/offload.md`, section 2.

use ekv_snapshot::{Error, ErrorKind, Result};
use ekv_text::hex::{hex, parse_lower_hex_array};
use ekv_text::json::JsonError;
use ekv_text::time::parse_rfc3339;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Longest manifest, in bytes.
pub const MANIFEST_LEN_MAX: u64 = 1 << 20;
/// The schema that is known.
const SCHEMA_VERSION: u64 = 1;
/// What stands before the hash of the text that is before it.
const HASH_MEMBER: &str = ",\n  \"manifest_sha256\": \"";

/// A manifest whose hash was compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// When it was published, as it is written: RFC 3339.
    pub created_at: String,
    /// The same in nanoseconds of Unix.
    pub created_at_ns: i128,
    /// Free text that names a cluster; empty if there is none.
    pub source_cluster: String,
    /// The group, as whoever published it said.
    pub group_id: u64,
    /// Raft index whose effect is included, and its term.
    pub index: u64,
    /// As the index.
    pub term: u64,
    /// Where the store says that the payload is, its prefix included.
    pub payload_key: String,
    /// Length of the payload in bytes.
    pub payload_bytes: u64,
    /// Its SHA-256.
    pub payload_sha256: [u8; 32],
    /// CRC32C of the payload: the footer that the file had on the node; `None` if it had none.
    pub source_crc32c: Option<u32>,
    /// Where the store says that the manifest is, its prefix included.
    pub manifest_key: String,
    /// Whether the text is another one than was published, and says the same.
    pub is_reformatted: bool,
}

/// The text, as servers write it.
#[derive(Deserialize, Serialize)]
struct Text {
    schema_version: u64,
    created_at: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    source_cluster: String,
    group_id: u64,
    snapshot_index: u64,
    snapshot_term: u64,
    conf_state: ConfState,
    payload: Payload,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    binary_version: String,
    manifest_key: String,
    #[serde(skip_serializing)]
    manifest_sha256: String,
}

#[derive(Deserialize, Serialize)]
struct ConfState {
    voters: Vec<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    learners: Vec<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    voters_outgoing: Vec<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    learners_next: Vec<u64>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    auto_leave: bool,
}

#[derive(Deserialize, Serialize)]
struct Payload {
    key: String,
    bytes: u64,
    sha256: String,
    source_crc32c: u32,
}

impl Manifest {
    /// Reads a manifest and compares its hash.
    ///
    /// # Errors
    /// `Invalid`, or `UnsupportedForm` for another schema, without a place.
    pub fn parse(bytes: &[u8]) -> Result<Manifest> {
        let text = std::str::from_utf8(bytes).map_err(|_| invalid("it is not UTF-8"))?;
        let read: Text = serde_json::from_str(text).map_err(|e| invalid(JsonError::new(&e).to_string()))?;
        if read.schema_version != SCHEMA_VERSION {
            let what =
                format!("the manifest has schema version {}, this tool knows {SCHEMA_VERSION}", read.schema_version);
            return Err(Error::new(ErrorKind::UnsupportedForm { what }));
        }
        let stored = read.manifest_sha256.as_str();
        let is_as_written = hash_of_text(text).is_some_and(|hash| hash == stored);
        if !is_as_written && hash_of_meaning(&read)? != stored {
            return Err(invalid("its SHA-256 does not match: it was changed since it was published"));
        }
        let created_at_ns = parse_rfc3339(&read.created_at).map(|time| time.as_nanosecond());
        let created_at_ns = created_at_ns.ok_or_else(|| invalid("created_at is no time"))?;
        if read.snapshot_index == 0 || read.snapshot_term == 0 || read.conf_state.voters.is_empty() {
            return Err(invalid("its Raft index, its term or its list of voters is empty"));
        }
        let sha256 = parse_lower_hex_array(read.payload.sha256.as_bytes());
        Ok(Manifest {
            created_at: read.created_at,
            created_at_ns,
            source_cluster: read.source_cluster,
            group_id: read.group_id,
            index: read.snapshot_index,
            term: read.snapshot_term,
            payload_key: read.payload.key,
            payload_bytes: read.payload.bytes,
            payload_sha256: sha256.ok_or_else(|| invalid("the SHA-256 of the payload is none"))?,
            source_crc32c: Some(read.payload.source_crc32c).filter(|crc| *crc != 0),
            manifest_key: read.manifest_key,
            is_reformatted: !is_as_written,
        })
    }
}

/// The hash of the text as it was written: without the member that holds the hash, and what follows it.
fn hash_of_text(text: &str) -> Option<String> {
    let (before, after) = text.rsplit_once(HASH_MEMBER)?;
    // Nothing else may follow.
    let is_end = after.split_once('"').is_some_and(|(_, end)| end == "\n}\n");
    is_end.then(|| sha256(&[before.as_bytes(), b"\n}"]))
}

/// The hash of what servers write that read this.
fn hash_of_meaning(read: &Text) -> Result<String> {
    let text = serde_json::to_string_pretty(read).map_err(|e| invalid(e.to_string()))?;
    // These are escaped by servers and stand in strings only.
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => escaped.push_str(&format!("\\u{:04x}", u32::from(c))),
            _ => escaped.push(c),
        }
    }
    Ok(sha256(&[escaped.as_bytes()]))
}

fn sha256(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    hex(&hash.finalize())
}

pub(super) fn invalid(reason: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid { structure: "manifest of an offload store", reason: reason.into() })
}
