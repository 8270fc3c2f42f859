//! The description of a dump on a shelf.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Longest description, in bytes.
pub const DESCRIPTION_LEN_MAX: u64 = 64 << 10;
/// Version of the structure.
const FORMAT: u32 = 1;

/// Whether everything is in a dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It is.
    Complete,
    /// Something was lost.
    Losses,
}

/// What is known of a dump without reading it. It is written when the archive is there, and says which one that is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// Version of this structure.
    pub format_version: u32,
    /// The program that wrote the dump.
    pub tool: String,
    /// The archive, without the prefix of the shelf.
    pub archive: String,
    /// Its length in bytes.
    pub archive_len: u64,
    /// Its SHA-256 in hexadecimal.
    pub archive_sha256: String,
    /// The store's tag of it.
    pub archive_tag: String,
    /// The moment that it shows.
    #[serde(with = "time")]
    pub at: Timestamp,
    /// The same as the store counts it.
    pub at_hlc: u64,
    /// Raft groups in it.
    pub groups: u32,
    /// Whether everything is in it.
    pub status: Status,
    /// What is not, one by one.
    pub losses: u64,
    /// The cluster, as its operator calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_id: Option<String>,
    /// Words of the operator that a rule can keep it by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// When the archive was read back and found equal.
    #[serde(default, with = "maybe_time", skip_serializing_if = "Option::is_none")]
    pub verified_at: Option<Timestamp>,
}

/// Times as RFC 3339.
mod time {
    use jiff::Timestamp;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(time)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// The same where there may be none.
mod maybe_time {
    use jiff::Timestamp;
    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => serializer.collect_str(time),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
        super::time::deserialize(deserializer).map(Some)
    }
}

/// Why a description says nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DescriptionError {
    /// Longer than any.
    #[error("it has {len} bytes, and a description at most {DESCRIPTION_LEN_MAX}")]
    TooLong {
        /// Its length in bytes.
        len: u64,
    },
    /// No JSON, or something is missing.
    #[error("it is no description: {0}")]
    Malformed(#[from] serde_json::Error),
    /// Of a later program.
    #[error("it has version {found}, of which this program knows {FORMAT}")]
    Version {
        /// Its version.
        found: u32,
    },
    /// It is about another archive than the one beside it.
    #[error("it describes {found:?}, which is not beside it as it is described")]
    OtherArchive {
        /// The archive that it names.
        found: String,
    },
}

impl Description {
    /// The version that is written.
    pub const FORMAT_VERSION: u32 = FORMAT;

    /// Reads the text of a description.
    ///
    /// # Errors
    /// [`DescriptionError`].
    pub fn read(text: &[u8]) -> Result<Description, DescriptionError> {
        let len = u64::try_from(text.len()).unwrap_or(u64::MAX);
        if len > DESCRIPTION_LEN_MAX {
            return Err(DescriptionError::TooLong { len });
        }
        let description: Description = serde_json::from_slice(text)?;
        match description.format_version {
            FORMAT => Ok(description),
            found => Err(DescriptionError::Version { found }),
        }
    }

    /// Its text.
    ///
    /// # Errors
    /// [`DescriptionError::TooLong`].
    pub fn text(&self) -> Result<Vec<u8>, DescriptionError> {
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        let len = u64::try_from(text.len()).unwrap_or(u64::MAX);
        if len > DESCRIPTION_LEN_MAX { Err(DescriptionError::TooLong { len }) } else { Ok(text) }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::shelf) fn description(at: &str) -> Description {
        let at: Timestamp = at.parse().unwrap();
        Description {
            format_version: FORMAT,
            tool: "ekv-backup 0".to_owned(),
            archive: format!("{}.tar.zst", super::super::ShelfName::new(at, 1, 7)),
            archive_len: 7,
            archive_sha256: "00".repeat(32),
            archive_tag: "t".to_owned(),
            at,
            at_hlc: 1,
            groups: 1,
            status: Status::Complete,
            losses: 0,
            cluster_id: None,
            tags: Vec::new(),
            verified_at: None,
        }
    }

    #[test]
    fn description_is_read_as_it_is_written_and_members_of_later_programs_are_passed_over() {
        let description = description("2026-11-22T15:37:00Z");
        let text = description.text().unwrap();
        assert_eq!(Description::read(&text).unwrap(), description);
        let text = String::from_utf8(text).unwrap().replacen('{', "{\"later\": [1],", 1);
        assert_eq!(Description::read(text.as_bytes()).unwrap(), description);
    }

    #[test]
    fn cut_long_and_later_descriptions_are_refused() {
        let text = description("2026-11-22T15:37:00Z").text().unwrap();
        for len in 0..text.len() - 2 {
            assert!(Description::read(&text[..len]).is_err(), "{len}");
        }
        let later = String::from_utf8(text).unwrap().replacen("\"format_version\": 1", "\"format_version\": 2", 1);
        assert!(matches!(Description::read(later.as_bytes()), Err(DescriptionError::Version { found: 2 })));
        assert!(matches!(Description::read(&vec![b' '; 1 << 17]), Err(DescriptionError::TooLong { .. })));
    }
}
