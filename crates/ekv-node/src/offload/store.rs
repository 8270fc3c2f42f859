//! Which snapshots a store holds, and whether they are what was published. Source: `docs/format/offload.md`, sections 1 and 4.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use ekv_snapshot::{Error, ErrorKind, FooterPolicy, Input, Result, for_each_piece, open_regular};
use ekv_text::hex::{hex, parse_lower_hex_array};
use sha2::{Digest, Sha256};

use super::manifest::{MANIFEST_LEN_MAX, Manifest, invalid};

/// The folder of a layout version, and those below it.
const VERSION: &str = "v1";
const GROUPS: &str = "groups";
const SNAPSHOTS: &str = "snapshots";
const PAYLOADS: &str = "payloads/sha256";
/// How a file begins that is still being written.
const UNFINISHED: &str = ".put-";
/// Most manifests that a store may have: one every hour for seven years, of some group.
const MANIFEST_COUNT_MAX: usize = 1 << 16;
/// Digits of an index or a term in the name of a manifest.
const NUMBER_LEN: usize = 20;

/// What a path names of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreSelection {
    /// The directory that holds `v1`.
    pub root: PathBuf,
    /// The only group that is meant.
    pub group: Option<u64>,
    /// The only snapshot that is meant: its index and term.
    pub snapshot: Option<(u64, u64)>,
}

impl StoreSelection {
    /// Looks whether `path` is a store, its `v1`, one of its groups, or a manifest; `None` if it is none of these.
    pub fn of(path: &Path) -> Option<StoreSelection> {
        let whole = |root: PathBuf| StoreSelection { root, group: None, snapshot: None };
        if path.join(VERSION).join(GROUPS).is_dir() {
            return Some(whole(path.to_owned()));
        }
        let real = path.canonicalize().ok()?;
        let name = |path: &Path| path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
        if name(&real)? == VERSION && real.join(GROUPS).is_dir() {
            return Some(whole(real.parent()?.to_owned()));
        }
        let group_of = |group: &Path| {
            let folder = group.parent()?;
            let version = folder.parent()?;
            let is_one = name(folder)? == GROUPS && name(version)? == VERSION;
            let id = name(group)?.parse().ok().filter(|_| is_one && group.join(SNAPSHOTS).is_dir())?;
            Some(StoreSelection { group: Some(id), ..whole(version.parent()?.to_owned()) })
        };
        if let Some(group) = group_of(&real) {
            return Some(group);
        }
        let snapshots = real.parent().filter(|folder| name(folder).as_deref() == Some(SNAPSHOTS))?;
        let snapshot = parse_name(&name(&real)?)?;
        Some(StoreSelection { snapshot: Some(snapshot), ..group_of(snapshots.parent()?)? })
    }
}

/// A snapshot that a store lists.
#[derive(Debug)]
pub struct Listed {
    /// Its group.
    pub group_id: u64,
    /// Its Raft index.
    pub index: u64,
    /// Its Raft term.
    pub term: u64,
    /// Its manifest.
    pub path: PathBuf,
    /// What the manifest says, or why it cannot be used.
    pub manifest: Result<Manifest>,
}

/// A store, with all its manifests.
#[derive(Debug)]
pub struct OffloadStore {
    root: PathBuf,
    /// Ascending by group, newest first.
    listed: Vec<Listed>,
    /// Payloads that no manifest names: of publications that were interrupted or repeated.
    pub unnamed_payloads: u64,
    /// Files that are still being written, or were left so.
    pub unfinished: u64,
}

/// A published snapshot, open; its hashes are still to be compared.
pub struct Published {
    /// The payload, which has no footer.
    pub input: Input,
    /// What is told about it.
    pub notes: Vec<String>,
}

impl OffloadStore {
    /// Reads all manifests of a store.
    ///
    /// Cost: one read of each, at most 65,536 of them.
    ///
    /// # Errors
    /// `Io` if a directory cannot be read, `Invalid` for too many manifests. Manifests that cannot be used are listed as such.
    pub fn open(place: &StoreSelection) -> Result<OffloadStore> {
        let root = place.root.clone();
        let mut store = OffloadStore { root, listed: Vec::new(), unnamed_payloads: 0, unfinished: 0 };
        let groups = store.root.join(VERSION).join(GROUPS);
        for (name, path) in entries(&groups)? {
            let Some(id) = name.parse::<u64>().ok().filter(|id| id.to_string() == name) else { continue };
            let snapshots = path.join(SNAPSHOTS);
            if !snapshots.is_dir() {
                continue;
            }
            for (name, path) in entries(&snapshots)? {
                if name.starts_with(UNFINISHED) {
                    store.unfinished = store.unfinished.saturating_add(1);
                }
                let Some((index, term)) = parse_name(&name) else { continue };
                if store.listed.len() == MANIFEST_COUNT_MAX {
                    return Err(invalid(format!("the store has more than {MANIFEST_COUNT_MAX} of them"))
                        .in_file(&store.root.display().to_string()));
                }
                let key = format!("{VERSION}/{GROUPS}/{id}/{SNAPSHOTS}/{name}");
                let manifest = read_manifest(&path).and_then(|manifest| check_place(manifest, &key, id, index, term));
                let manifest = manifest.map_err(|e| e.in_file(&path.display().to_string()));
                store.listed.push(Listed { group_id: id, index, term, path, manifest });
            }
        }
        store.listed.sort_by_key(|listed| (listed.group_id, u64::MAX - listed.index, u64::MAX - listed.term));
        store.count_payloads()?;
        Ok(store)
    }

    /// All snapshots, ascending by group, newest first.
    pub fn listed(&self) -> &[Listed] {
        &self.listed
    }

    /// The ids of its groups, ascending.
    pub fn groups(&self) -> BTreeSet<u64> {
        self.listed.iter().map(|listed| listed.group_id).collect()
    }

    /// Why the newest snapshot of a group cannot be told: two clusters share the store, or its times run against its indexes.
    pub fn doubt(&self, group_id: u64) -> Option<String> {
        let of_group = self.listed.iter().filter(|listed| listed.group_id == group_id);
        let manifests: Vec<&Manifest> = of_group.filter_map(|listed| listed.manifest.as_ref().ok()).collect();
        let clusters: BTreeMap<&str, u64> = manifests.iter().fold(BTreeMap::new(), |mut clusters, manifest| {
            let count: &mut u64 = clusters.entry(manifest.source_cluster.as_str()).or_default();
            *count = count.saturating_add(1);
            clusters
        });
        if clusters.len() > 1 {
            let names: Vec<String> = clusters.keys().take(8).map(|name| format!("{name:?}")).collect();
            return Some(format!("its snapshots are of several clusters: {}", names.join(", ")));
        }
        let against = manifests.windows(2).find_map(|pair| match pair {
            [newer, older] if newer.created_at_ns < older.created_at_ns => Some((newer, older)),
            _ => None,
        });
        against.map(|(newer, older)| {
            format!(
                "index {} was published at {}, before index {} at {}",
                newer.index, newer.created_at, older.index, older.created_at
            )
        })
    }

    /// Opens the payload of a snapshot and compares its length.
    ///
    /// # Errors
    /// `Io`, `NotRegular`, or `Invalid` if its length is another one.
    pub fn payload(&self, manifest: &Manifest) -> Result<Published> {
        let sha256 = hex(&manifest.payload_sha256);
        let path = self.root.join(VERSION).join(PAYLOADS).join(sha256.get(..2).unwrap_or_default());
        let path = path.join(format!("{sha256}.fsm"));
        let input = Input::open(&path, FooterPolicy::Elsewhere)?;
        if input.len != manifest.payload_bytes {
            let (len, stated) = (input.len, manifest.payload_bytes);
            return Err(invalid(format!("its payload has {len} bytes, it states {stated}")).in_file(&input.name));
        }
        let mut notes = Vec::new();
        if manifest.is_reformatted {
            notes.push("its manifest was reformatted since it was published, and says the same".to_owned());
        }
        let prefix = prefix_of(&manifest.manifest_key);
        if !prefix.is_empty() && !self.root.canonicalize().is_ok_and(|root| root.ends_with(prefix)) {
            notes.push(format!("the store was published at {prefix:?} and copied from there"));
        }
        Ok(Published { input, notes })
    }

    /// Counts payloads that no manifest names. Manifests that cannot be read may have named some.
    fn count_payloads(&mut self) -> Result<()> {
        let manifests = self.listed.iter().filter_map(|listed| listed.manifest.as_ref().ok());
        let named: BTreeSet<[u8; 32]> = manifests.map(|manifest| manifest.payload_sha256).collect();
        let payloads = self.root.join(VERSION).join(PAYLOADS);
        if !payloads.is_dir() {
            return Ok(());
        }
        for (_, folder) in entries(&payloads)? {
            if !folder.is_dir() {
                continue;
            }
            for (name, path) in entries(&folder)? {
                if name.starts_with(UNFINISHED) {
                    self.unfinished = self.unfinished.saturating_add(1);
                } else if payload_sha256(&path).is_some_and(|sha256| !named.contains(&sha256)) {
                    self.unnamed_payloads = self.unnamed_payloads.saturating_add(1);
                }
            }
        }
        Ok(())
    }
}

/// The SHA-256 in the name of a payload.
pub fn payload_sha256(path: &Path) -> Option<[u8; 32]> {
    let stem = path.file_name()?.to_str()?.strip_suffix(".fsm")?;
    parse_lower_hex_array(stem.as_bytes())
}

/// Reads a whole payload and compares its SHA-256, and the checksum that it had on its node; returns the latter. `advance` learns how many
/// bytes more were read.
///
/// # Errors
/// `Invalid`, `Io`, or the error of `advance`.
pub fn verify_payload(
    input: &Input,
    sha256: &[u8; 32],
    source_crc32c: Option<u32>,
    advance: &dyn Fn(u64) -> Result<()>,
) -> Result<u32> {
    let (mut hash, mut crc32c) = (Sha256::new(), 0);
    for_each_piece(input, 0, input.len, |piece| {
        hash.update(piece);
        crc32c = crc32c::crc32c_append(crc32c, piece);
        advance(u64::try_from(piece.len()).unwrap_or(u64::MAX))
    })?;
    let invalid = |reason: String| {
        Error::new(ErrorKind::Invalid { structure: "payload of an offload store", reason }).in_file(&input.name)
    };
    if hash.finalize().as_slice() != sha256 {
        return Err(invalid("its SHA-256 is not the one that it was published with".to_owned()));
    }
    match source_crc32c {
        Some(stated) if stated != crc32c => {
            Err(invalid(format!("its checksum is {crc32c:08x}, on its node it was {stated:08x}")))
        }
        _ => Ok(crc32c),
    }
}

fn read_manifest(path: &Path) -> Result<Manifest> {
    let (file, _) = open_regular(path)?;
    let mut bytes = Vec::new();
    let read = file.take(MANIFEST_LEN_MAX.saturating_add(1)).read_to_end(&mut bytes);
    read.map_err(|e| Error::io("read the manifest", e))?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MANIFEST_LEN_MAX {
        return Err(invalid(format!("it has more than {MANIFEST_LEN_MAX} bytes")));
    }
    Manifest::parse(&bytes)
}

/// Compares what a manifest says of its place with where it lies. The prefix of a store that was copied is another one.
fn check_place(manifest: Manifest, key: &str, group_id: u64, index: u64, term: u64) -> Result<Manifest> {
    let is_below = |whole: &str, key: &str| {
        whole.strip_suffix(key).is_some_and(|prefix| prefix.is_empty() || prefix.ends_with('/'))
    };
    if (manifest.group_id, manifest.index, manifest.term) != (group_id, index, term)
        || !is_below(&manifest.manifest_key, key)
    {
        return Err(invalid(format!("it lies at {key} and says that it is {}", manifest.manifest_key)));
    }
    let sha256 = hex(&manifest.payload_sha256);
    let payload = format!("{VERSION}/{PAYLOADS}/{}/{sha256}.fsm", sha256.get(..2).unwrap_or_default());
    if !is_below(&manifest.payload_key, &payload) {
        return Err(invalid(format!("its payload is {sha256} and lies at {}", manifest.payload_key)));
    }
    Ok(manifest)
}

/// What stands before the layout version in a key.
fn prefix_of(key: &str) -> &str {
    key.rsplit_once("v1/groups/").map_or("", |(prefix, _)| prefix.trim_end_matches('/'))
}

/// Index and term in the name of a manifest.
fn parse_name(name: &str) -> Option<(u64, u64)> {
    let (index, term) = name.strip_suffix(".json")?.split_once('-')?;
    let number = |text: &str| {
        let is_one = text.len() == NUMBER_LEN && text.bytes().all(|digit| digit.is_ascii_digit());
        text.parse().ok().filter(|_| is_one)
    };
    Some((number(index)?, number(term)?))
}

/// Names and paths of what lies in a directory; names that are no text are passed over.
fn entries(directory: &Path) -> Result<Vec<(String, PathBuf)>> {
    let failed = |e: io::Error| Error::io("list the directory", e).in_file(&directory.display().to_string());
    let mut all = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if let Ok(name) = entry.file_name().into_string() {
            all.push((name, entry.path()));
        }
    }
    Ok(all)
}
