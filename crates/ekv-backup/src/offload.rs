//! Which snapshots of a server's offload store are meant. Source: `docs/format/offload.md`, section 4.

use std::str::FromStr;

use ekv_node::offload::{Listed, Manifest, OffloadStore, StoreSelection};
use ekv_snapshot::{Error, ErrorKind, Result};
use serde::Serialize;

use crate::AbsoluteTime;

/// Snapshots that an error lists.
const LISTED_IN_ERROR: usize = 16;

/// Which snapshots of an offload store are read; nothing is chosen by default: of each group the newest one that is sound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OffloadChoice {
    /// The only group.
    pub group: Option<u64>,
    /// The only snapshot.
    pub snapshot: Option<SnapshotName>,
    /// Only what was published up to this time.
    pub published_before: Option<AbsoluteTime>,
}

/// A snapshot in an offload store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotName {
    /// Raft index.
    pub index: u64,
    /// Raft term; `None` = whichever there is.
    pub term: Option<u64>,
}

/// A text that names no snapshot.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no snapshot: expected INDEX, INDEX-TERM or the key of a manifest")]
pub struct NoSnapshotName(String);

impl FromStr for SnapshotName {
    type Err = NoSnapshotName;

    fn from_str(text: &str) -> std::result::Result<Self, NoSnapshotName> {
        let name = text.rsplit('/').next().unwrap_or(text);
        let name = name.strip_suffix(".json").unwrap_or(name);
        let (index, term) = name.split_once('-').map_or((name, None), |(index, term)| (index, Some(term)));
        let number = |text: &str| text.parse::<u64>().ok().filter(|_| text.bytes().all(|digit| digit.is_ascii_digit()));
        match (number(index), term.map(number)) {
            (Some(index), None) => Ok(SnapshotName { index, term: None }),
            (Some(index), Some(Some(term))) => Ok(SnapshotName { index, term: Some(term) }),
            _ => Err(NoSnapshotName(text.to_owned())),
        }
    }
}

impl OffloadChoice {
    /// Whether everything is meant.
    pub fn is_empty(&self) -> bool {
        self == &OffloadChoice::default()
    }

    /// The groups that are meant, ascending.
    ///
    /// # Errors
    /// `NotFound` if there is none, `Ambiguous` if a snapshot is named that several groups have.
    pub(crate) fn groups(&self, store: &OffloadStore, place: &StoreSelection) -> Result<Vec<u64>> {
        let is_meant = |id: &u64| self.group.or(place.group).is_none_or(|group| group == *id);
        let has_it = |id: &u64| store.listed().iter().any(|listed| listed.group_id == *id && self.names(listed, place));
        let groups: Vec<u64> = store.groups().into_iter().filter(is_meant).filter(has_it).collect();
        let named = self.snapshot.is_some();
        match groups.as_slice() {
            [] => {
                let reason = match named || self.group.is_some() {
                    true => format!("no such snapshot is in the store; it has {}", self.listing(store)),
                    false => "the store has no snapshot".to_owned(),
                };
                Err(Error::new(ErrorKind::NotFound { reason }))
            }
            [_, _, ..] if named => {
                let ids: Vec<String> = groups.iter().map(u64::to_string).collect();
                let what = format!("groups {} have a snapshot of this name: choose with --group", ids.join(", "));
                Err(Error::new(ErrorKind::Ambiguous { what }))
            }
            _ => Ok(groups),
        }
    }

    /// The snapshots of a group that may be read, best first; those whose manifest cannot be used are among them.
    ///
    /// # Errors
    /// `Ambiguous` if it cannot be told which one is the newest, or is meant.
    pub(crate) fn candidates<'s>(
        &self,
        store: &'s OffloadStore,
        group_id: u64,
        place: &StoreSelection,
    ) -> Result<Vec<&'s Listed>> {
        let is_exact = self.is_exact(place);
        let of_group = store.listed().iter().filter(|listed| listed.group_id == group_id);
        if let Some(doubt) = store.doubt(group_id).filter(|_| !is_exact) {
            let what = format!(
                "which snapshot of group {group_id} is the newest cannot be told, {doubt}: choose with --snapshot; there are {}",
                self.listing(store)
            );
            return Err(Error::new(ErrorKind::Ambiguous { what }));
        }
        let before = self.published_before.map(|time| i128::from(time.commit_ts().unix_ms()));
        let is_early =
            |manifest: &Manifest| before.is_none_or(|before| manifest.created_at_ns.div_euclid(1_000_000) <= before);
        let meant = of_group.filter(|listed| self.names(listed, place));
        let early: Vec<&Listed> = meant.filter(|listed| listed.manifest.as_ref().map_or(true, is_early)).collect();
        if is_exact && early.len() > 1 {
            let what = format!("there are several of this index: choose with its term, {}", self.listing(store));
            return Err(Error::new(ErrorKind::Ambiguous { what }));
        }
        Ok(early)
    }

    /// Whether one snapshot is named.
    pub(crate) fn is_exact(&self, place: &StoreSelection) -> bool {
        self.snapshot.is_some() || place.snapshot.is_some()
    }

    fn names(&self, listed: &Listed, place: &StoreSelection) -> bool {
        let is_chosen =
            |name: SnapshotName| name.index == listed.index && name.term.is_none_or(|term| term == listed.term);
        self.snapshot.is_none_or(is_chosen) && place.snapshot.is_none_or(|name| name == (listed.index, listed.term))
    }

    fn listing(&self, store: &OffloadStore) -> String {
        let row = |listed: &Listed| {
            let (group, index, term) = (listed.group_id, listed.index, listed.term);
            match &listed.manifest {
                Ok(manifest) => {
                    let cluster = Some(&manifest.source_cluster).filter(|name| !name.is_empty());
                    let cluster = cluster.map(|name| format!(" of {name:?}")).unwrap_or_default();
                    format!("group {group} {index}-{term}{cluster} published {}", manifest.created_at)
                }
                Err(_) => format!("group {group} {index}-{term} (unusable)"),
            }
        };
        let rows: Vec<String> = store.listed().iter().take(LISTED_IN_ERROR).map(row).collect();
        let more = store.listed().len().saturating_sub(rows.len());
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{}{more}", rows.join(", "))
    }
}

/// Where a snapshot of an offload store comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OffloadReport {
    /// Where the store says that its manifest is.
    pub manifest_key: String,
    /// When it was published.
    pub created_at: String,
    /// Raft term.
    pub term: u64,
    /// The cluster, as whoever published it said.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub source_cluster: String,
    /// SHA-256 of the payload, which has been compared.
    pub payload_sha256: String,
}

impl From<&Manifest> for OffloadReport {
    fn from(manifest: &Manifest) -> Self {
        OffloadReport {
            manifest_key: manifest.manifest_key.clone(),
            created_at: manifest.created_at.clone(),
            term: manifest.term,
            source_cluster: manifest.source_cluster.clone(),
            payload_sha256: ekv_text::hex::hex(&manifest.payload_sha256),
        }
    }
}

/// What an offload store holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StoreListing {
    /// Its snapshots, ascending by group, newest first.
    pub snapshots: Vec<StoreRow>,
    /// Payloads that no manifest names.
    pub unnamed_payloads: u64,
    /// Files that are still being written, or were left so.
    pub unfinished: u64,
}

/// A snapshot in an offload store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoreRow {
    /// Raft group.
    pub group_id: u64,
    /// Raft index.
    pub index: u64,
    /// Raft term.
    pub term: u64,
    /// When it was published; absent if its manifest cannot be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
    /// The cluster, as whoever published it said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_cluster: Option<String>,
    /// Length of the payload, as it is stated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload_bytes: Option<u64>,
    /// Why its manifest cannot be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}

impl From<&OffloadStore> for StoreListing {
    fn from(store: &OffloadStore) -> Self {
        let row = |listed: &Listed| {
            let manifest = listed.manifest.as_ref().ok();
            StoreRow {
                group_id: listed.group_id,
                index: listed.index,
                term: listed.term,
                created_at: manifest.map(|manifest| manifest.created_at.clone()),
                source_cluster: manifest
                    .map(|manifest| manifest.source_cluster.clone())
                    .filter(|name| !name.is_empty()),
                payload_bytes: manifest.map(|manifest| manifest.payload_bytes),
                fault: listed.manifest.as_ref().err().map(|error| error.kind().to_string()),
            }
        };
        let snapshots = store.listed().iter().map(row).collect();
        StoreListing { snapshots, unnamed_payloads: store.unnamed_payloads, unfinished: store.unfinished }
    }
}
