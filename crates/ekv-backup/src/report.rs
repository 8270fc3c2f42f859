//! What a command tells about its work, for people and machines.
//!
//! The same structures are printed with `--json` and, as far as they describe the dump, stored in MANIFEST.json under `ekv_backup`.

use ekv_adapters::{Family, Outcome, Tally};
use ekv_dump::portable::PortableReport;
use ekv_model::{Findings, Severity};
use ekv_snapshot::txn::TxnTotals;
use ekv_snapshot::{CommitTs, FamilyTotals, Scan};
use serde::{Deserialize, Serialize};

use crate::culprit;
use crate::offload::OffloadReport;
use crate::snapshot_times::Answerable;
use crate::time::{format_commit_ts, format_unix_ms};

/// This program, as manifests and info files name it.
pub(crate) fn program() -> String {
    format!("ekv-backup/{}", env!("CARGO_PKG_VERSION"))
}

/// Bytes that may be text: a JSON string if they are UTF-8, else their escaped form under `escaped`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Text {
    /// UTF-8.
    Plain(String),
    /// Anything else, with `\xHH` escapes.
    Escaped {
        /// The escaped form.
        escaped: String,
    },
}

impl From<&[u8]> for Text {
    fn from(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Text::Plain(text.to_owned()),
            Err(_) => Text::Escaped { escaped: bytes.escape_ascii().to_string() },
        }
    }
}

impl std::fmt::Display for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Text::Plain(text) => write!(f, "{}", text.escape_debug()),
            Text::Escaped { escaped } => f.write_str(escaped),
        }
    }
}

/// A timestamp in all its notations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// The raw timestamp (HLC). Readers of JSON that know floating-point numbers alone round it: for them there is `hlc_text`.
    pub hlc: u64,
    /// The same in decimal digits.
    pub hlc_text: String,
    /// Its Unix milliseconds.
    pub unix_ms: u64,
    /// The same as RFC 3339.
    pub time: String,
}

impl From<CommitTs> for Moment {
    fn from(ts: CommitTs) -> Self {
        Moment { hlc: ts.0, hlc_text: ts.to_string(), unix_ms: ts.unix_ms(), time: format_commit_ts(ts) }
    }
}

/// One snapshot that was read.
#[derive(Clone, Debug, Serialize)]
pub struct SnapshotReport {
    /// The file, seen from the data directory that was named; absent where a file was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Raft group, if a directory name says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_id: Option<u64>,
    /// Raft index whose effect is included, if the file name says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot_index: Option<u64>,
    /// Length in bytes.
    pub bytes: u64,
    /// Payload form.
    pub form: &'static str,
    /// Header version: 0 = none.
    pub header_version: u8,
    /// Clock ceiling of the header, Unix milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ceiling_ms: Option<u64>,
    /// The same as RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ceiling_time: Option<String>,
    /// CRC32C of the footer, which has been compared; absent if the file has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub footer_crc32c: Option<String>,
    /// Last commit timestamp as the payload header states it.
    pub last_commit: Moment,
    /// Last commit timestamp of header and records: the newest state.
    pub newest: Moment,
    /// Oldest read timestamp that can be answered: the first commit of data of users, or the retention limit if that is later; absent if
    /// there is no such data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest_answerable: Option<Moment>,
    /// Newest read timestamp that can be answered: the newest commit, or the clock ceiling if that is later.
    pub newest_answerable: Moment,
    /// No later commit can be of this time or before.
    pub closed_until: Moment,
    /// Smallest commit timestamp of a record with data of users.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_commit: Option<Moment>,
    /// The moment at which versions were resolved.
    pub read: Moment,
    /// All entries.
    pub entries: u64,
    /// Entries that are rows of the store itself.
    pub store_rows: u64,
    /// Entries whose key carries no timestamp.
    pub short_keys: u64,
    /// Places where a user key is smaller than the one before it.
    pub user_key_descents: u64,
    /// Most user keys that were open at once; above 1, versions of a key are not neighbours.
    pub nesting_depth: u64,
    /// The data keys that opened encrypted values.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub data_keys: Vec<DataKeyReport>,
    /// Where it comes from, if that is an offload store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offload: Option<OffloadReport>,
}

/// What a data key opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct DataKeyReport {
    /// Its id.
    pub id: u32,
    /// Values of all versions.
    pub values: u64,
}

/// What an RDB file is.
#[derive(Clone, Debug, Serialize)]
pub struct RdbReport {
    /// `Redis` or `Valkey`: whose versions are meant.
    pub format: String,
    /// Version of the format.
    pub version: u16,
    /// The server that wrote it, as it calls itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// When it was saved, as RFC 3339; absent if it does not say so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub saved: Option<String>,
    /// Its bytes up to the end.
    pub bytes: u64,
    /// Its keys.
    pub keys: u64,
    /// The CRC-64 behind it, which has been compared; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crc64: Option<String>,
}

/// What a running server is, and how it was read.
#[derive(Clone, Debug, Serialize)]
pub struct ServerReport {
    /// Its address.
    pub address: String,
    /// `redis` or `valkey`.
    pub software: String,
    /// Its version.
    pub version: String,
    /// Nodes with keys; 1 if it is no cluster.
    pub nodes: usize,
    /// When the first key was asked for, by its own clock, as RFC 3339.
    pub began: String,
    /// When the last one had been read.
    pub ended: String,
    /// Whether all keys are of one moment: never.
    pub is_one_moment: bool,
    /// Keys that were asked for.
    pub keys: u64,
    /// Of these, keys that were not there any more.
    pub gone: u64,
}

impl SnapshotReport {
    pub(crate) fn new(
        scan: &Scan,
        bytes: u64,
        group_id: Option<u64>,
        snapshot_index: Option<u64>,
        read_ts: CommitTs,
    ) -> Self {
        use ekv_snapshot::Header;
        let times = Answerable::of(scan);
        let ceiling_ms = scan.envelope.header.ceiling_ms();
        SnapshotReport {
            file: None,
            group_id,
            snapshot_index,
            bytes,
            form: scan.envelope.form.name(),
            header_version: match scan.envelope.header {
                Header::Bare => 0,
                Header::V1 { .. } => 1,
                Header::V2 { .. } => 2,
            },
            ceiling_ms,
            ceiling_time: ceiling_ms.map(format_unix_ms),
            footer_crc32c: scan.envelope.footer_crc32c.map(|crc| format!("{crc:08x}")),
            last_commit: scan.last_commit_ts.into(),
            newest: scan.effective_last_commit_ts.into(),
            oldest_answerable: times.from().map(Moment::from),
            newest_answerable: times.end.into(),
            closed_until: times.closed_until.into(),
            first_commit: times.first.map(Moment::from),
            read: read_ts.into(),
            entries: scan.totals.entries,
            store_rows: scan.totals.unversioned_rows,
            short_keys: scan.totals.short_keys,
            user_key_descents: scan.totals.user_key_descents,
            nesting_depth: scan.totals.nesting_depth,
            data_keys: scan.opened.iter().map(|(id, values)| DataKeyReport { id: *id, values: *values }).collect(),
            offload: None,
        }
    }
}

/// What the records of a key family are at the read timestamp, and what became of the visible ones.
///
/// `records` + `staged` = `older` + `newer` + `deleted` + `store_expired` + `damaged` + `covered` + `unowned` + `visible`; `visible` = the
/// sum of the outcomes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FamilyReport {
    /// The family.
    pub family: &'static str,
    /// Whose keys they are.
    pub owner: &'static str,
    /// Records of all kinds.
    pub records: u64,
    /// Distinct user keys.
    pub user_keys: u64,
    /// Hidden by a newer version.
    pub older: u64,
    /// Committed after the read timestamp.
    pub newer: u64,
    /// Newest version is a tombstone.
    pub deleted: u64,
    /// Newest version is past its store expiry.
    pub store_expired: u64,
    /// Newest version has a damaged value header: lost.
    pub damaged: u64,
    /// Visible writes of committed transactions that still waited beside their keys.
    #[serde(skip_serializing_if = "is_zero")]
    pub staged: u64,
    /// Newest version in its snapshot, but such a write or another group has a newer one.
    #[serde(skip_serializing_if = "is_zero")]
    pub covered: u64,
    /// Left out because the group does not own the key.
    #[serde(skip_serializing_if = "is_zero")]
    pub unowned: u64,
    /// What a reader sees.
    pub visible: u64,
    /// Bytes of all keys and values.
    pub bytes: u64,
    /// Bytes of the visible bodies.
    pub visible_bytes: u64,
    /// What became of the visible records; empty where nothing was decoded.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outcomes: Vec<OutcomeReport>,
}

/// A number of records with one outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OutcomeReport {
    /// The outcome.
    pub outcome: &'static str,
    /// How many records had it.
    pub records: u64,
}

/// What became of writes that transactions had staged and not yet moved to their keys, at the read timestamp.
///
/// `open_locks` is the sum of the others but `cleaned_up`, which is about locks that are not open any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TransactionsReport {
    /// Locks that nothing had resolved.
    pub open_locks: u64,
    /// Committed: the write counts.
    pub applied: u64,
    /// Committed, and the write was on its key already.
    pub already_applied: u64,
    /// Committed after the read timestamp.
    pub committed_later: u64,
    /// Rolled back: the older value counts.
    pub rolled_back: u64,
    /// Nobody knows yet: the older value counts.
    pub in_doubt: u64,
    /// Committed, but there is no write.
    pub without_intent: u64,
    /// With a damaged record: the key is lost.
    pub damaged: u64,
    /// Committed, but the server cleaned the lock up without applying the write.
    #[serde(skip_serializing_if = "is_zero")]
    pub cleaned_up: u64,
}

impl TransactionsReport {
    /// Whether there were none.
    pub fn is_empty(&self) -> bool {
        self.open_locks == 0 && self.cleaned_up == 0
    }
}

impl From<TxnTotals> for TransactionsReport {
    fn from(totals: TxnTotals) -> Self {
        let TxnTotals {
            open_locks,
            applied,
            already_applied,
            committed_later,
            rolled_back,
            in_doubt,
            without_intent,
            damaged,
            cleaned_up,
        } = totals;
        TransactionsReport {
            open_locks,
            applied,
            already_applied,
            committed_later,
            rolled_back,
            in_doubt,
            without_intent,
            damaged,
            cleaned_up,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
pub(crate) fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// Reports the families that have records.
pub(crate) fn families(totals: &[FamilyTotals], tally: Option<&Tally>) -> Vec<FamilyReport> {
    let with_records = Family::ALL.iter().filter_map(|family| {
        let totals = totals.get(family.number()).filter(|totals| totals.records > 0 || totals.staged > 0)?;
        Some((family, totals))
    });
    with_records
        .map(|(family, totals)| {
            let outcomes = tally.map(|tally| tally.of(*family)).unwrap_or_default();
            let outcomes = Outcome::ALL.iter().filter_map(|outcome| {
                let records = outcomes.get(*outcome);
                (records > 0).then_some(OutcomeReport { outcome: outcome.name(), records })
            });
            FamilyReport {
                family: family.name(),
                owner: family.owner().name(),
                records: totals.records,
                user_keys: totals.user_keys,
                older: totals.older,
                newer: totals.newer,
                deleted: totals.deleted,
                store_expired: totals.store_expired,
                damaged: totals.damaged,
                staged: totals.staged,
                covered: totals.covered,
                unowned: totals.unowned,
                visible: totals.visible,
                bytes: totals.raw_key_bytes.saturating_add(totals.value_bytes),
                visible_bytes: totals.visible_body_bytes,
                outcomes: outcomes.collect(),
            }
        })
        .collect()
}

/// Sums over all families: where every entry of the input went.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Accounts {
    /// All entries.
    pub entries: u64,
    /// Rows of the store itself.
    pub store_rows: u64,
    /// Keys without a timestamp.
    pub short_keys: u64,
    /// Hidden by a newer version.
    pub older: u64,
    /// Committed after the read timestamp.
    pub newer: u64,
    /// Deleted.
    pub deleted: u64,
    /// Past their store expiry.
    pub store_expired: u64,
    /// Damaged value headers.
    pub damaged: u64,
    /// Not entries: writes of committed transactions that still waited beside their keys and are visible.
    #[serde(skip_serializing_if = "is_zero")]
    pub staged: u64,
    /// Covered by such a write, or by a newer version in another group.
    #[serde(skip_serializing_if = "is_zero")]
    pub covered: u64,
    /// Left out because the group does not own the key.
    #[serde(skip_serializing_if = "is_zero")]
    pub unowned: u64,
    /// What a reader sees.
    pub visible: u64,
    /// What became of the visible ones.
    pub outcomes: Vec<OutcomeReport>,
}

impl Accounts {
    pub(crate) fn new(snapshots: &[SnapshotReport], families: &[FamilyReport]) -> Self {
        let sum = |field: fn(&FamilyReport) -> u64| families.iter().map(field).sum();
        let outcome = |outcome: &Outcome| {
            let all = families.iter().flat_map(|family| &family.outcomes);
            let records = all.filter(|o| o.outcome == outcome.name()).map(|o| o.records).sum();
            (records > 0).then_some(OutcomeReport { outcome: outcome.name(), records })
        };
        Accounts {
            entries: snapshots.iter().map(|s| s.entries).sum(),
            store_rows: snapshots.iter().map(|s| s.store_rows).sum(),
            short_keys: snapshots.iter().map(|s| s.short_keys).sum(),
            older: sum(|f| f.older),
            newer: sum(|f| f.newer),
            deleted: sum(|f| f.deleted),
            store_expired: sum(|f| f.store_expired),
            damaged: sum(|f| f.damaged),
            staged: sum(|f| f.staged),
            covered: sum(|f| f.covered),
            unowned: sum(|f| f.unowned),
            visible: sum(|f| f.visible),
            outcomes: Outcome::ALL.iter().filter_map(outcome).collect(),
        }
    }
}

/// File names that other systems refuse or take for each other. Source: `docs/format/tree.md`, section 5.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct NamesReport {
    /// Windows devices, such as `CON.bin`.
    pub device_names: u64,
    /// Names that end in a dot or a blank.
    pub trailing_dots_or_blanks: u64,
    /// Names with a character that Windows reserves.
    pub reserved_characters: u64,
    /// Names that equal another one of the same directory up to letter case and Unicode composition.
    pub collisions: u64,
    /// The first paths concerned.
    pub examples: Vec<Text>,
}

impl NamesReport {
    /// Whether every name is portable.
    pub fn is_empty(&self) -> bool {
        self.examples.is_empty()
    }
}

impl From<&PortableReport> for NamesReport {
    fn from(report: &PortableReport) -> Self {
        NamesReport {
            device_names: report.device_names,
            trailing_dots_or_blanks: report.trailing_dots_or_blanks,
            reserved_characters: report.reserved_characters,
            collisions: report.collisions,
            examples: report.examples.iter().map(|path| Text::from(path.as_slice())).collect(),
        }
    }
}

/// A kind of finding with its count and first examples.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FindingReport {
    /// Stable name.
    pub name: &'static str,
    /// `info`, `warning` or `loss`.
    pub severity: &'static str,
    /// How often it occurred.
    pub count: u64,
    /// What it means.
    pub meaning: &'static str,
    /// The first occurrences.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<ExampleReport>,
}

/// One occurrence of a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExampleReport {
    /// The key concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<Text>,
    /// The address of what is concerned, if the key tells it; of a long one the beginning and the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// What is concerned and what is wrong, for people.
    #[serde(skip)]
    pub line: String,
    /// Byte offset in the input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub byte_offset: Option<u64>,
    /// Details.
    pub detail: String,
}

/// Reports all findings, losses first.
pub(crate) fn findings(all: &Findings) -> Vec<FindingReport> {
    let mut reports: Vec<(Severity, FindingReport)> = all
        .iter()
        .map(|(finding, totals)| {
            let examples = totals.examples.iter().map(|example| ExampleReport {
                key: example.key.as_deref().map(Text::from),
                address: culprit::short_address(finding.name, example),
                line: culprit::line(finding.name, example),
                byte_offset: example.byte_offset,
                detail: example.detail.clone(),
            });
            let report = FindingReport {
                name: finding.name,
                severity: match finding.severity {
                    Severity::Info => "info",
                    Severity::Warning => "warning",
                    Severity::Loss => "loss",
                },
                count: totals.count,
                meaning: finding.meaning,
                examples: examples.collect(),
            };
            (finding.severity, report)
        })
        .collect();
    reports.sort_by_key(|(severity, _)| std::cmp::Reverse(*severity));
    reports.into_iter().map(|(_, report)| report).collect()
}

/// The beginning of keys that no known family has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PrefixReport {
    /// The first word of the keys.
    pub prefix: Text,
    /// Records of all versions.
    pub records: u64,
}

/// Prefixes as they are reported.
pub(crate) fn prefixes(counts: &[(Vec<u8>, u64)]) -> Vec<PrefixReport> {
    counts.iter().map(|(prefix, n)| PrefixReport { prefix: Text::from(prefix.as_slice()), records: *n }).collect()
}
