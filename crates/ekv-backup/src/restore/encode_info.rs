//! `<payload>.encode_info.json`: what `encode` says about the payload it wrote, and the mark that the payload is finished.
//!
//! Source: `docs/format/restore.md`, section 4.

use std::ffi::{OsStr, OsString};
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use ekv_text::hex::{hex, parse_hex};
use ekv_text::json::{EscapeMode, JsonError, Object, Style, serialize_into};
use serde::{Deserialize, Serialize, Serializer};

use crate::Protocol;

/// The version of the file that this tool writes and reads.
const FORMAT_VERSION: u32 = 1;

/// The content of the file.
///
/// ```
/// use ekv_backup::restore::EncodeInfo;
///
/// let text = br#"{"format_version": 1, "encoder_key_format_version": 1, "last_commit_ts": 7, "adapters_enabled": ["redis"],
///     "output_fsm_sha256": "95e82027d926fb9bf3ae9a01159ebf3881518d55639f450695c9051923e59f8d",
///     "self_test": {"ran": true, "matched": true}}"#;
/// let info = EncodeInfo::parse(text)?;
/// assert!(info.self_test.passed() && info.manifest_cluster_id.is_empty());
/// # Ok::<(), ekv_backup::restore::EncodeInfoError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EncodeInfo {
    /// The program that wrote the payload.
    pub encoder_version: String,
    /// Version of the key layouts in the payload; this tool writes [`EncodeInfo::KEY_FORMAT_VERSION`].
    pub encoder_key_format_version: u32,
    /// When the payload was written, as in MANIFEST.json.
    pub wall_time_iso: String,
    /// The dump, as it was named on the command line.
    pub input_root: String,
    /// The payload, as it was named on the command line.
    pub output_fsm_path: String,
    /// SHA-256 of the payload, without the header and footer of a server file.
    pub output_fsm_sha256: [u8; 32],
    /// The one commit timestamp of all records.
    pub last_commit_ts: u64,
    /// Whether the timestamp was given on the command line.
    pub last_commit_ts_overridden: bool,
    /// The timestamp in MANIFEST.json; 0 if it has none.
    pub manifest_last_commit_ts: u64,
    /// The cluster as MANIFEST.json names it; may be empty.
    pub manifest_cluster_id: String,
    /// Names of the adapters whose data the payload holds, see [`EncodeInfo::adapter_names`].
    pub adapters_enabled: Vec<String>,
    /// Whether the payload was decoded again and compared.
    pub self_test: SelfTest,
    /// The filters with which payload and dump were made, if they are a part of a snapshot (member `ekv_backup`).
    pub selection: Option<String>,
    /// Things that were lost when the dump was made, which was accepted (member `ekv_backup`).
    pub losses: u64,
    /// Things of the dump that no server restores, and that are not in the payload (member `ekv_backup`).
    pub not_restorable: u64,
}

/// What only this tool says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Extension {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    selection: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    losses: Option<NonZeroU64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    not_restorable: Option<NonZeroU64>,
}

/// Whether a payload was decoded again and compared with its dump.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SelfTest {
    /// It was compared.
    pub ran: bool,
    /// It was equal; false if it was not compared.
    pub matched: bool,
}

impl SelfTest {
    /// Whether it was compared and equal.
    pub fn passed(self) -> bool {
        self.ran && self.matched
    }
}

/// Why an info file is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeInfoError {
    /// The file is longer than 1 MiB.
    #[error("the info file is longer than 1 MiB")]
    TooLong,
    /// Not one JSON object with members of the right types.
    #[error("the info file is not what encode writes")]
    Json(#[source] JsonError),
    /// A version that this tool does not know.
    #[error("the info file has format_version {found}; this tool knows version 1")]
    UnsupportedVersion {
        /// The version in the file.
        found: u32,
    },
    /// A member without which the payload cannot be judged.
    #[error("the info file has no {field}")]
    Missing {
        /// Name of the member.
        field: &'static str,
    },
    /// A hash that is none.
    #[error("output_fsm_sha256 in the info file is not 64 hex digits")]
    Sha256,
}

/// The fault without what it repeats of a long text.
#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn json_error(error: serde_json::Error) -> EncodeInfoError {
    EncodeInfoError::Json(JsonError::new(&error))
}

impl EncodeInfo {
    /// The key layouts that this tool writes and restores.
    pub const KEY_FORMAT_VERSION: u32 = 1;
    /// Longest file that is read, in bytes.
    pub const LEN_MAX: usize = 1 << 20;

    /// Where the info file of a payload lies: beside it, with `.encode_info.json` added to the name.
    pub fn path_beside(payload: &Path) -> PathBuf {
        let mut path = OsString::from(payload);
        path.push(OsStr::new(".encode_info.json"));
        PathBuf::from(path)
    }

    /// Names for [`EncodeInfo::adapters_enabled`], in the order of the file.
    pub fn adapter_names(adapters: &[Protocol]) -> Vec<String> {
        let enabled = Protocol::ALL.iter().filter(|adapter| adapters.contains(adapter));
        enabled.map(|adapter| adapter.name().to_owned()).collect()
    }

    /// The bytes of the file.
    ///
    /// # Errors
    /// None that this structure can cause.
    pub fn to_bytes(&self) -> serde_json::Result<Vec<u8>> {
        let mut text = Vec::new();
        serialize_into(&Written::from(self), Style::Pretty, EscapeMode::Html, &mut text)?;
        text.push(b'\n');
        Ok(text)
    }

    /// Reads a file. Unknown members are ignored, a member that is null counts as missing.
    ///
    /// # Errors
    /// The first check that fails; an unsupported version comes before everything that a newer writer may have changed.
    pub fn parse(bytes: &[u8]) -> Result<Self, EncodeInfoError> {
        if bytes.len() > Self::LEN_MAX {
            return Err(EncodeInfoError::TooLong);
        }
        let Object(only) = serde_json::from_slice::<Object<OnlyVersion>>(bytes).map_err(json_error)?;
        match required(only.format_version, "format_version")? {
            FORMAT_VERSION => {}
            found => return Err(EncodeInfoError::UnsupportedVersion { found }),
        }
        let Object(read) = serde_json::from_slice::<Object<Read>>(bytes).map_err(json_error)?;
        let Object(self_test) = required(read.self_test, "self_test")?;
        // Another program may give the member another shape.
        let own = read.ekv_backup.and_then(|own| serde_json::from_value(own).ok());
        let Extension { selection, losses, not_restorable } = own.unwrap_or_default();
        Ok(EncodeInfo {
            encoder_version: read.encoder_version.unwrap_or_default(),
            encoder_key_format_version: required(read.encoder_key_format_version, "encoder_key_format_version")?,
            wall_time_iso: read.wall_time_iso.unwrap_or_default(),
            input_root: read.input_root.unwrap_or_default(),
            output_fsm_path: read.output_fsm_path.unwrap_or_default(),
            output_fsm_sha256: parse_sha256(&required(read.output_fsm_sha256, "output_fsm_sha256")?)?,
            last_commit_ts: required(read.last_commit_ts, "last_commit_ts")?,
            last_commit_ts_overridden: read.last_commit_ts_overridden.unwrap_or_default(),
            manifest_last_commit_ts: read.manifest_last_commit_ts.unwrap_or_default(),
            manifest_cluster_id: read.manifest_cluster_id.unwrap_or_default(),
            adapters_enabled: required(read.adapters_enabled, "adapters_enabled")?,
            self_test,
            selection,
            losses: losses.map_or(0, NonZeroU64::get),
            not_restorable: not_restorable.map_or(0, NonZeroU64::get),
        })
    }
}

/// The members in the order of the file.
#[derive(Serialize)]
struct Written<'a> {
    format_version: u32,
    encoder_version: &'a str,
    encoder_key_format_version: u32,
    wall_time_iso: &'a str,
    input_root: &'a str,
    output_fsm_path: &'a str,
    #[serde(serialize_with = "serialize_sha256")]
    output_fsm_sha256: [u8; 32],
    last_commit_ts: u64,
    last_commit_ts_overridden: bool,
    manifest_last_commit_ts: u64,
    #[serde(skip_serializing_if = "str::is_empty")]
    manifest_cluster_id: &'a str,
    adapters_enabled: &'a [String],
    self_test: SelfTest,
    #[serde(skip_serializing_if = "Option::is_none")]
    ekv_backup: Option<Extension>,
}

impl<'a> From<&'a EncodeInfo> for Written<'a> {
    fn from(info: &'a EncodeInfo) -> Self {
        Written {
            format_version: FORMAT_VERSION,
            encoder_version: &info.encoder_version,
            encoder_key_format_version: info.encoder_key_format_version,
            wall_time_iso: &info.wall_time_iso,
            input_root: &info.input_root,
            output_fsm_path: &info.output_fsm_path,
            output_fsm_sha256: info.output_fsm_sha256,
            last_commit_ts: info.last_commit_ts,
            last_commit_ts_overridden: info.last_commit_ts_overridden,
            manifest_last_commit_ts: info.manifest_last_commit_ts,
            manifest_cluster_id: &info.manifest_cluster_id,
            adapters_enabled: &info.adapters_enabled,
            self_test: info.self_test,
            ekv_backup: Some(Extension {
                selection: info.selection.clone(),
                losses: NonZeroU64::new(info.losses),
                not_restorable: NonZeroU64::new(info.not_restorable),
            })
            .filter(|own| *own != Extension::default()),
        }
    }
}

#[derive(Deserialize)]
struct OnlyVersion {
    format_version: Option<u32>,
}

#[derive(Deserialize)]
struct Read {
    encoder_version: Option<String>,
    encoder_key_format_version: Option<u32>,
    wall_time_iso: Option<String>,
    input_root: Option<String>,
    output_fsm_path: Option<String>,
    output_fsm_sha256: Option<String>,
    last_commit_ts: Option<u64>,
    last_commit_ts_overridden: Option<bool>,
    manifest_last_commit_ts: Option<u64>,
    manifest_cluster_id: Option<String>,
    adapters_enabled: Option<Vec<String>>,
    self_test: Option<Object<SelfTest>>,
    ekv_backup: Option<serde_json::Value>,
}

fn required<T>(member: Option<T>, field: &'static str) -> Result<T, EncodeInfoError> {
    member.ok_or(EncodeInfoError::Missing { field })
}

fn serialize_sha256<S: Serializer>(digest: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_sha256(digest))
}

/// A digest as 64 lowercase hex digits.
pub(crate) fn format_sha256(digest: &[u8; 32]) -> String {
    hex(digest)
}

/// Reads 64 hex digits of either case.
fn parse_sha256(text: &str) -> Result<[u8; 32], EncodeInfoError> {
    parse_hex(text.as_bytes()).and_then(|digest| digest.try_into().ok()).ok_or(EncodeInfoError::Sha256)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Source: `docs/format/restore.md`, section 13.
    const GOLDEN: &str = r#"{
  "format_version": 1,
  "encoder_version": "dev",
  "encoder_key_format_version": 1,
  "wall_time_iso": "2026-11-22T15:45:07.071404613Z",
  "input_root": "mtree",
  "output_fsm_path": "m.fsm",
  "output_fsm_sha256": "95e82027d926fb9bf3ae9a01159ebf3881518d55639f450695c9051923e59f8d",
  "last_commit_ts": 111411200000000007,
  "last_commit_ts_overridden": false,
  "manifest_last_commit_ts": 111411200000000007,
  "manifest_cluster_id": "lab",
  "adapters_enabled": [
    "redis"
  ],
  "self_test": {
    "ran": true,
    "matched": true
  }
}
"#;

    fn golden() -> EncodeInfo {
        EncodeInfo {
            encoder_version: "dev".into(),
            encoder_key_format_version: 1,
            wall_time_iso: "2026-11-22T15:45:07.071404613Z".into(),
            input_root: "mtree".into(),
            output_fsm_path: "m.fsm".into(),
            output_fsm_sha256: parse_sha256("95e82027d926fb9bf3ae9a01159ebf3881518d55639f450695c9051923e59f8d")
                .unwrap(),
            last_commit_ts: 111_411_200_000_000_007,
            last_commit_ts_overridden: false,
            manifest_last_commit_ts: 111_411_200_000_000_007,
            manifest_cluster_id: "lab".into(),
            adapters_enabled: EncodeInfo::adapter_names(&[Protocol::Redis]),
            self_test: SelfTest { ran: true, matched: true },
            selection: None,
            losses: 0,
            not_restorable: 0,
        }
    }

    fn message(text: &str) -> String {
        EncodeInfo::parse(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn documented_file_is_written_and_read_byte_for_byte() {
        assert_eq!(String::from_utf8(golden().to_bytes().unwrap()).unwrap(), GOLDEN);
        assert_eq!(EncodeInfo::parse(GOLDEN.as_bytes()).unwrap(), golden());
    }

    #[test]
    fn empty_cluster_is_left_out_and_angle_brackets_are_escaped() {
        let info = EncodeInfo {
            manifest_cluster_id: String::new(),
            input_root: "<a>&\u{2028}\"".into(),
            last_commit_ts: u64::MAX,
            adapters_enabled: EncodeInfo::adapter_names(&Protocol::IN_DUMPS),
            ..golden()
        };
        let text = String::from_utf8(info.to_bytes().unwrap()).unwrap();
        assert!(!text.contains("manifest_cluster_id"));
        assert!(text.contains(r#""input_root": "\u003ca\u003e\u0026\u2028\"""#), "{text}");
        assert!(text.contains("\"last_commit_ts\": 18446744073709551615,"), "{text}");
        assert!(text.contains("\"redis\",\n    \"dynamodb\",\n    \"s3\",\n    \"sqs\",\n    \"fs\"\n"), "{text}");
        assert_eq!(EncodeInfo::parse(text.as_bytes()).unwrap(), info);
    }

    #[test]
    fn unknown_members_are_ignored_and_the_hash_is_read_in_either_case() {
        let text = GOLDEN.replacen('{', "{\"future\": [1.5, {}],", 1).replace("95e82027d926fb", "95E82027D926FB");
        assert_eq!(EncodeInfo::parse(text.as_bytes()).unwrap(), golden());
    }

    #[test]
    fn selection_is_the_last_member_and_one_of_another_shape_is_none() {
        let info = EncodeInfo { selection: Some("--prefix a | --type hash".into()), ..golden() };
        let text = String::from_utf8(info.to_bytes().unwrap()).unwrap();
        let lossy = EncodeInfo { losses: 3, not_restorable: 1, ..golden() };
        let lossy_text = String::from_utf8(lossy.to_bytes().unwrap()).unwrap();
        assert!(
            lossy_text.ends_with("\"ekv_backup\": {\n    \"losses\": 3,\n    \"not_restorable\": 1\n  }\n}\n"),
            "{lossy_text}"
        );
        assert_eq!(EncodeInfo::parse(lossy_text.as_bytes()).unwrap(), lossy);
        let last = "  },\n  \"ekv_backup\": {\n    \"selection\": \"--prefix a | --type hash\"\n  }\n}\n";
        assert!(text.ends_with(last), "{text}");
        assert_eq!(EncodeInfo::parse(text.as_bytes()).unwrap(), info);
        for other in ["7", "[]", "{}", "{\"selection\": 7}", "null"] {
            let text = GOLDEN.replacen('{', &format!("{{\"ekv_backup\": {other},"), 1);
            assert_eq!(EncodeInfo::parse(text.as_bytes()).unwrap(), golden(), "{other}");
        }
    }

    #[test]
    fn other_version_is_refused_before_anything_else_is_looked_at() {
        for version in [0, 2, 9] {
            let text = format!("{{\"format_version\": {version}, \"self_test\": 7}}");
            assert_eq!(
                message(&text),
                format!("the info file has format_version {version}; this tool knows version 1")
            );
        }
        for text in ["{\"format_version\": \"1\"}", "{\"format_version\": 1.0}", "{\"format_version\": -1}"] {
            assert_eq!(message(text), "the info file is not what encode writes");
        }
    }

    #[test]
    fn each_required_member_is_missed_by_name() {
        let whole: serde_json::Value = serde_json::from_str(GOLDEN).unwrap();
        for field in [
            "format_version",
            "encoder_key_format_version",
            "output_fsm_sha256",
            "last_commit_ts",
            "adapters_enabled",
            "self_test",
        ] {
            let mut removed = whole.clone();
            removed.as_object_mut().unwrap().remove(field);
            assert_eq!(message(&removed.to_string()), format!("the info file has no {field}"));
            let mut null = whole.clone();
            null[field] = serde_json::Value::Null;
            assert_eq!(message(&null.to_string()), format!("the info file has no {field}"));
        }
    }

    #[test]
    fn text_that_is_not_one_object_is_refused() {
        let twice = GOLDEN.replacen('{', "{\"last_commit_ts\": 5,", 1);
        let float = GOLDEN.replace("111411200000000007", "1.5");
        for text in ["", "null", "[]", "{", "{} {}", "\u{feff}{}", "[1, \"dev\"]", &twice, &float, &GOLDEN[..200]] {
            let error = EncodeInfo::parse(text.as_bytes()).unwrap_err();
            assert!(matches!(error, EncodeInfoError::Json(_) | EncodeInfoError::Missing { .. }), "{text:?}: {error}");
        }
        let padded = format!("{GOLDEN}{}", " ".repeat((1 << 20) - GOLDEN.len()));
        assert!(EncodeInfo::parse(padded.as_bytes()).is_ok());
        assert_eq!(message(&format!("{padded} ")), "the info file is longer than 1 MiB");
    }

    #[test]
    fn hash_that_is_not_64_hex_digits_is_refused() {
        let hash = "95e82027d926fb9bf3ae9a01159ebf3881518d55639f450695c9051923e59f8d";
        for bad in ["", "95", &hash[1..], &format!("{hash}0"), &hash.replace('9', "g"), &format!("{}é", &hash[2..])] {
            let text = GOLDEN.replace(hash, bad);
            assert!(matches!(EncodeInfo::parse(text.as_bytes()), Err(EncodeInfoError::Sha256)), "{bad}");
        }
    }

    #[test]
    fn info_file_lies_beside_its_payload() {
        assert_eq!(EncodeInfo::path_beside(Path::new("a/m.fsm")), Path::new("a/m.fsm.encode_info.json"));
    }
}
