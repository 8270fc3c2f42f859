//! Why a manifest is refused.

use ekv_text::json::JsonError;

use super::{FORMAT_VERSION, MANIFEST_LEN_MAX, STRING_LEN_MAX};

/// Name of the member that carries this tool's own report; other readers ignore it.
const EXTENSION_MEMBER: &str = "ekv_backup";

/// Why a manifest is refused. Source: `docs/format/tree.md`, section 6.3.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// More than [`MANIFEST_LEN_MAX`] bytes.
    #[error("the manifest has more than {MANIFEST_LEN_MAX} bytes")]
    TooLong,
    /// A string of more than 4 MiB.
    #[error("the manifest has a string of more than {STRING_LEN_MAX} bytes")]
    StringTooLong,
    /// More text than is kept in memory, where all that this tool wrote into it is needed.
    #[error(
        "the manifest is longer than 1 MiB: its report is not carried into a part of the dump; copy the dump whole"
    )]
    LongReport,
    /// Not one JSON object, or one with members of the wrong type.
    #[error("the manifest is not the JSON object that it should be")]
    Json(#[source] JsonError),
    /// The text could not be read again from where it is kept.
    #[error("the text of the manifest cannot be read again")]
    Reread(#[source] std::io::Error),
    /// No `format_version`, or not an unsigned 32-bit integer.
    #[error("the manifest has no valid format_version")]
    NoVersion,
    /// A version that this tool does not know.
    #[error(
        "the dump has format version {found}, this tool reads version {FORMAT_VERSION}: use the tool that wrote it or a newer one"
    )]
    UnsupportedVersion {
        /// The version found.
        found: u32,
    },
    /// A member is missing or null.
    #[error("the manifest has no {member}")]
    Missing {
        /// Its name.
        member: &'static str,
    },
    /// A member has a value that this tool would misread.
    #[error("the manifest has {member} {found:?}, this tool reads {expected:?}")]
    Value {
        /// Its name.
        member: &'static str,
        /// What stands there, at most the first 64 characters.
        found: String,
        /// What should stand there.
        expected: &'static str,
    },
    /// `wall_time_iso` is not RFC 3339.
    #[error("the manifest has wall_time_iso {found:?}, which is not an RFC 3339 time")]
    WallTime {
        /// What stands there, at most the first 64 characters.
        found: String,
    },
    /// A member that does not go with `phase`, or lacks for it.
    #[error("the members source and live of the manifest do not go with its phase")]
    Phase,
    /// Only when writing: the extension is not a JSON value.
    #[error("the report for the member {EXTENSION_MEMBER} cannot be written as JSON")]
    Unwritable(#[source] serde_json::Error),
}

/// The front of a text, for messages.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(64).collect()
}
