//! MANIFEST.json: what a dump is, where it came from and what it holds.
//!
//! Source: `docs/format/tree.md`, section 6.

mod account;
mod adapters;
mod error;
mod limited;
mod names;
mod read;
mod stored;
mod time;

use ekv_text::json::{EscapeMode, Style, serialize_into};
use jiff::Timestamp;
use serde::Serialize;

pub(crate) use ekv_files::root::MANIFEST_STRING_LEN_MAX as STRING_LEN_MAX;
pub use ekv_files::root::{FORMAT_VERSION, MANIFEST_FILE, MANIFEST_LEN_MAX};

pub use account::{Account, Choice, LossKind};
pub use adapters::Adapters;
pub use error::ManifestError;
pub use stored::StoredManifest;
pub use time::format_wall_time;

/// Longest lists of tables, buckets and queues together that a manifest holds, in bytes of its text; longer ones are in SCOPES.jsonl.
pub const SCOPES_LEN_MAX: usize = 256 << 10;

/// What a name in such a list takes in the text of a manifest.
pub(crate) fn scope_len(name: &str) -> usize {
    /// Indent, quotes, comma, line feed.
    const AROUND_NAME_LEN: usize = 12;
    name.len().saturating_add(AROUND_NAME_LEN)
}

const CHECKSUM_ALGORITHM: &str = "sha256";
const CHECKSUM_FORMAT: &str = "sha256sum";
const ENCODED_FILENAME_CHARSET: &str = "rfc3986-unreserved-plus-percent";
const KEY_SEGMENT_MAX_BYTES: u32 = 240;
const S3_META_SUFFIX: &str = ".elastickv-meta.json";
const S3_COLLISION_STRATEGY: &str = "leaf-data-suffix";

/// Front of `elastickv_version` in dumps that this tool wrote.
const OWN_VERSION_PREFIX: &str = "ekv-backup/";

/// The manifest of a dump, without the constants, which are written and checked but never vary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The program that wrote the dump, such as `ekv-backup/1.0.0`; may be empty.
    pub elastickv_version: String,
    /// Name of the cluster, as the user gave it; may be empty.
    pub cluster_id: String,
    /// Index of the last log entry in the snapshot; 0 if unknown. A hint.
    pub snapshot_index: u64,
    /// Timestamp of the snapshot header (HLC); 0 if there was none.
    pub last_commit_ts: u64,
    /// When the dump was made, RFC 3339; [`format_wall_time`] makes it.
    pub wall_time_iso: String,
    /// Where the data came from.
    pub origin: Origin,
    /// What the dump holds.
    pub adapters: Adapters,
    /// What was asked for beyond the default.
    pub exclusions: Exclusions,
    /// How DynamoDB items lie in files.
    pub dynamodb_layout: DynamodbLayout,
}

/// Where the data of a dump came from; decides `phase`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A snapshot file (`phase0-snapshot-decode`).
    Snapshot(SnapshotOrigin),
    /// A live cluster (`phase1-live-pinned`); only read.
    Live(LiveOrigin),
}

/// The snapshot file of a dump.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SnapshotOrigin {
    /// The file as the user named it.
    pub fsm_path: String,
    /// Checksum of its footer, if it had one that was checked: 8 lowercase hex digits.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub fsm_crc32c: String,
}

/// The live cluster of a dump.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LiveOrigin {
    /// Read timestamp (HLC), at least 1.
    pub read_ts: u64,
    /// Hash of the token that pinned it; may be empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub pin_token_sha256: String,
}

/// What was included or kept beyond the default. Source: `docs/format/tree.md`, section 6.2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Exclusions {
    /// Unfinished multipart uploads.
    pub include_incomplete_uploads: bool,
    /// Parts whose owner is gone.
    pub include_orphans: bool,
    /// Visibility and receive counts of messages.
    pub preserve_sqs_visibility: bool,
    /// Bookkeeping records of queues.
    pub include_sqs_side_records: bool,
    /// Whether an object was renamed because its key ends like a sidecar.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub rename_s3_collisions: bool,
}

/// How DynamoDB items lie in files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum DynamodbLayout {
    /// One file per item.
    #[default]
    #[serde(rename = "per-item")]
    PerItem,
    /// One line per item in one file per table.
    #[serde(rename = "jsonl")]
    Jsonl,
}

impl DynamodbLayout {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "per-item" => Some(DynamodbLayout::PerItem),
            "jsonl" => Some(DynamodbLayout::Jsonl),
            _ => None,
        }
    }
}

impl Origin {
    const PHASE_SNAPSHOT: &str = "phase0-snapshot-decode";
    const PHASE_LIVE: &str = "phase1-live-pinned";

    fn phase(&self) -> &'static str {
        match self {
            Origin::Snapshot(_) => Origin::PHASE_SNAPSHOT,
            Origin::Live(_) => Origin::PHASE_LIVE,
        }
    }
}

/// The file's members in their order.
#[derive(Serialize)]
struct ManifestFile<'a, E> {
    format_version: u32,
    phase: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    elastickv_version: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    cluster_id: &'a str,
    #[serde(skip_serializing_if = "is_zero")]
    snapshot_index: u64,
    #[serde(skip_serializing_if = "is_zero")]
    last_commit_ts: u64,
    wall_time_iso: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a SnapshotOrigin>,
    #[serde(skip_serializing_if = "Option::is_none")]
    live: Option<&'a LiveOrigin>,
    adapters: &'a Adapters,
    exclusions: &'a Exclusions,
    checksum_algorithm: &'static str,
    checksum_format: &'static str,
    encoded_filename_charset: &'static str,
    key_segment_max_bytes: u32,
    s3_meta_suffix: &'static str,
    s3_collision_strategy: &'static str,
    dynamodb_layout: DynamodbLayout,
    #[serde(skip_serializing_if = "Option::is_none")]
    ekv_backup: Option<E>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Manifest {
    /// Whether this tool wrote the dump, and not the reference decoder.
    pub(crate) fn is_own(&self) -> bool {
        self.elastickv_version.starts_with(OWN_VERSION_PREFIX)
    }

    /// The bytes of the file: pretty-printed, one line feed at the end. `extension` becomes the last member, `ekv_backup`.
    ///
    /// Runs the checks of a reader on the result, so that nothing is written that cannot be read. Cost: a few times the text in memory.
    ///
    /// # Errors
    /// What a reader would refuse, and [`ManifestError::Unwritable`] for an extension that is no JSON value.
    pub fn to_bytes<E: Serialize>(&self, extension: Option<&E>) -> Result<Vec<u8>, ManifestError> {
        let (source, live) = match &self.origin {
            Origin::Snapshot(snapshot) => (Some(snapshot), None),
            Origin::Live(live) => (None, Some(live)),
        };
        let file = ManifestFile {
            format_version: FORMAT_VERSION,
            phase: self.origin.phase(),
            elastickv_version: &self.elastickv_version,
            cluster_id: &self.cluster_id,
            snapshot_index: self.snapshot_index,
            last_commit_ts: self.last_commit_ts,
            wall_time_iso: &self.wall_time_iso,
            source,
            live,
            adapters: &self.adapters,
            exclusions: &self.exclusions,
            checksum_algorithm: CHECKSUM_ALGORITHM,
            checksum_format: CHECKSUM_FORMAT,
            encoded_filename_charset: ENCODED_FILENAME_CHARSET,
            key_segment_max_bytes: KEY_SEGMENT_MAX_BYTES,
            s3_meta_suffix: S3_META_SUFFIX,
            s3_collision_strategy: S3_COLLISION_STRATEGY,
            dynamodb_layout: self.dynamodb_layout,
            ekv_backup: extension,
        };
        let mut out = Vec::new();
        serialize_into(&file, Style::Pretty, EscapeMode::Plain, &mut out).map_err(ManifestError::Unwritable)?;
        out.push(b'\n');
        Manifest::parse(&out)?;
        Ok(out)
    }

    /// When the dump was made.
    ///
    /// # Errors
    /// [`ManifestError::WallTime`] if the text is not RFC 3339.
    pub fn wall_time(&self) -> Result<Timestamp, ManifestError> {
        time::parse_wall_time(&self.wall_time_iso)
    }
}

#[cfg(test)]
mod tests;
