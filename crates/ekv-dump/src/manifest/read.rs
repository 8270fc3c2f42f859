//! Reading and checking, in the order of `docs/format/tree.md`, section 6.3.

use std::fmt;
use std::marker::PhantomData;

use ekv_text::json::Object;
use serde::Deserialize;
use serde::de::{self, DeserializeOwned, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::error::shown;
use super::limited::{Reopen, read_value};
use super::{
    Adapters, CHECKSUM_ALGORITHM, CHECKSUM_FORMAT, DynamodbLayout, ENCODED_FILENAME_CHARSET, Exclusions,
    FORMAT_VERSION, KEY_SEGMENT_MAX_BYTES, LiveOrigin, MANIFEST_LEN_MAX, Manifest, ManifestError, Origin,
    S3_COLLISION_STRATEGY, S3_META_SUFFIX, SnapshotOrigin, time,
};

impl Manifest {
    /// Reads and checks a manifest. Unknown members are ignored, the extension among them.
    ///
    /// Source: `docs/format/tree.md`, section 6.3. Cost: the known members in memory; of lists of names longer than
    /// [`SCOPES_LEN_MAX`](super::SCOPES_LEN_MAX) none.
    ///
    /// # Errors
    /// The first check that fails, in the order of the section: a version that is not supported comes before everything else that a
    /// newer writer may have changed.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        if bytes.len() > MANIFEST_LEN_MAX {
            return Err(ManifestError::TooLong);
        }
        Manifest::read(&|| Box::new(bytes))
    }

    /// As [`Manifest::parse`], from a text that is read more than once.
    pub(super) fn read(open: Reopen<'_>) -> Result<Self, ManifestError> {
        check_version(open)?;
        let Object(raw) = read_value(open, PhantomData::<Object<Raw>>)?;
        raw.check()
    }

    /// Reads the extension of a manifest, `None` if it has none or one of another shape.
    pub fn parse_extension<E: DeserializeOwned>(bytes: &[u8]) -> Option<E> {
        #[derive(Deserialize)]
        struct WithExtension<E> {
            ekv_backup: Option<E>,
        }
        serde_json::from_slice::<WithExtension<E>>(bytes).ok()?.ekv_backup
    }
}

/// Checks 1 and 2: one object, and its version.
fn check_version(open: Reopen<'_>) -> Result<(), ManifestError> {
    #[derive(Deserialize)]
    struct OnlyVersion {
        #[serde(default)]
        format_version: Version,
    }

    let Object(only) = read_value(open, PhantomData::<Object<OnlyVersion>>)?;
    match only.format_version {
        Version::Number(FORMAT_VERSION) => Ok(()),
        Version::Number(found) => Err(ManifestError::UnsupportedVersion { found }),
        Version::Invalid => Err(ManifestError::NoVersion),
    }
}

/// Any JSON value where a version should stand.
#[derive(Clone, Copy, Default)]
enum Version {
    Number(u32),
    #[default]
    Invalid,
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct VersionVisitor;

        impl<'de> Visitor<'de> for VersionVisitor {
            type Value = Version;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a version number")
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Version, E> {
                Ok(u32::try_from(number).map_or(Version::Invalid, Version::Number))
            }
            fn visit_i64<E: de::Error>(self, _: i64) -> Result<Version, E> {
                Ok(Version::Invalid)
            }
            fn visit_f64<E: de::Error>(self, _: f64) -> Result<Version, E> {
                Ok(Version::Invalid)
            }
            fn visit_bool<E: de::Error>(self, _: bool) -> Result<Version, E> {
                Ok(Version::Invalid)
            }
            fn visit_str<E: de::Error>(self, _: &str) -> Result<Version, E> {
                Ok(Version::Invalid)
            }
            fn visit_unit<E: de::Error>(self) -> Result<Version, E> {
                Ok(Version::Invalid)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Version, A::Error> {
                while items.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Version::Invalid)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Version, A::Error> {
                while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Version::Invalid)
            }
        }

        deserializer.deserialize_any(VersionVisitor)
    }
}

/// Check 3: the types of all known members. A null member counts as a missing one.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Raw {
    phase: Option<String>,
    elastickv_version: Option<String>,
    cluster_id: Option<String>,
    snapshot_index: Option<u64>,
    last_commit_ts: Option<u64>,
    wall_time_iso: Option<String>,
    source: Option<Object<RawSnapshot>>,
    live: Option<Object<RawLive>>,
    adapters: Option<Adapters>,
    exclusions: Option<Object<RawExclusions>>,
    checksum_algorithm: Option<String>,
    checksum_format: Option<String>,
    encoded_filename_charset: Option<String>,
    key_segment_max_bytes: Option<u32>,
    s3_meta_suffix: Option<String>,
    s3_collision_strategy: Option<String>,
    dynamodb_layout: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawSnapshot {
    fsm_path: Option<String>,
    fsm_crc32c: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawLive {
    read_ts: Option<u64>,
    pin_token_sha256: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawExclusions {
    include_incomplete_uploads: Option<bool>,
    include_orphans: Option<bool>,
    preserve_sqs_visibility: Option<bool>,
    include_sqs_side_records: Option<bool>,
    rename_s3_collisions: Option<bool>,
}

impl Raw {
    /// Checks 4 to 7 and the constants.
    fn check(self) -> Result<Manifest, ManifestError> {
        let Object(exclusions) = self.exclusions.ok_or(ManifestError::Missing { member: "exclusions" })?;
        let exclusions = exclusions.check()?;

        let phase = required("phase", self.phase)?;
        let is_snapshot = match phase.as_str() {
            Origin::PHASE_SNAPSHOT => true,
            Origin::PHASE_LIVE => false,
            _ => return Err(value_error("phase", &phase, Origin::PHASE_SNAPSHOT)),
        };
        let wall_time_iso = required("wall_time_iso", self.wall_time_iso)?;
        time::parse_wall_time(&wall_time_iso)?;
        let adapters = self.adapters.ok_or(ManifestError::Missing { member: "adapters" })?;

        constant("checksum_algorithm", self.checksum_algorithm, CHECKSUM_ALGORITHM)?;
        constant("checksum_format", self.checksum_format, CHECKSUM_FORMAT)?;
        constant("encoded_filename_charset", self.encoded_filename_charset, ENCODED_FILENAME_CHARSET)?;
        constant("s3_meta_suffix", self.s3_meta_suffix, S3_META_SUFFIX)?;
        constant("s3_collision_strategy", self.s3_collision_strategy, S3_COLLISION_STRATEGY)?;
        match self.key_segment_max_bytes.unwrap_or(0) {
            0 => return Err(ManifestError::Missing { member: "key_segment_max_bytes" }),
            KEY_SEGMENT_MAX_BYTES => {}
            other => return Err(value_error("key_segment_max_bytes", &other.to_string(), "240")),
        }
        let layout = required("dynamodb_layout", self.dynamodb_layout)?;
        let dynamodb_layout =
            DynamodbLayout::parse(&layout).ok_or_else(|| value_error("dynamodb_layout", &layout, "per-item"))?;

        let origin = match (is_snapshot, self.source, self.live) {
            (true, source, None) => Origin::Snapshot(source.unwrap_or_default().0.into()),
            (false, None, Some(Object(RawLive { read_ts: Some(read_ts @ 1..), pin_token_sha256 }))) => {
                Origin::Live(LiveOrigin { read_ts, pin_token_sha256: pin_token_sha256.unwrap_or_default() })
            }
            _ => return Err(ManifestError::Phase),
        };
        Ok(Manifest {
            elastickv_version: self.elastickv_version.unwrap_or_default(),
            cluster_id: self.cluster_id.unwrap_or_default(),
            snapshot_index: self.snapshot_index.unwrap_or(0),
            last_commit_ts: self.last_commit_ts.unwrap_or(0),
            wall_time_iso,
            origin,
            adapters,
            exclusions,
            dynamodb_layout,
        })
    }
}

impl RawExclusions {
    /// Check 4: the four flags that no writer leaves out.
    fn check(self) -> Result<Exclusions, ManifestError> {
        let flag = |member, flag: Option<bool>| flag.ok_or(ManifestError::Missing { member });
        Ok(Exclusions {
            include_incomplete_uploads: flag("exclusions.include_incomplete_uploads", self.include_incomplete_uploads)?,
            include_orphans: flag("exclusions.include_orphans", self.include_orphans)?,
            preserve_sqs_visibility: flag("exclusions.preserve_sqs_visibility", self.preserve_sqs_visibility)?,
            include_sqs_side_records: flag("exclusions.include_sqs_side_records", self.include_sqs_side_records)?,
            rename_s3_collisions: self.rename_s3_collisions.unwrap_or(false),
        })
    }
}

impl From<RawSnapshot> for SnapshotOrigin {
    fn from(raw: RawSnapshot) -> Self {
        SnapshotOrigin { fsm_path: raw.fsm_path.unwrap_or_default(), fsm_crc32c: raw.fsm_crc32c.unwrap_or_default() }
    }
}

fn required(member: &'static str, text: Option<String>) -> Result<String, ManifestError> {
    text.filter(|text| !text.is_empty()).ok_or(ManifestError::Missing { member })
}

fn constant(member: &'static str, text: Option<String>, expected: &'static str) -> Result<(), ManifestError> {
    let found = required(member, text)?;
    if found == expected { Ok(()) } else { Err(value_error(member, &found, expected)) }
}

fn value_error(member: &'static str, found: &str, expected: &'static str) -> ManifestError {
    ManifestError::Value { member, found: shown(found), expected }
}
