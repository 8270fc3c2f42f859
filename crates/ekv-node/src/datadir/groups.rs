//! From a path to the group directories below it. Source: `docs/format/snapshot.md`, section 1.2.

use std::fs::{self, ReadDir};
use std::io;
use std::path::{Path, PathBuf};

use ekv_snapshot::{Error, ErrorKind, Result};

use super::names::{FSM_DIR, LEGACY_SNAPSHOT, LEGACY_STATE, SNAP_DIR, parse_group};

/// Most groups of one node that are accepted.
const GROUP_COUNT_MAX: usize = 4096;
/// Entries by which a group directory is known. A directory with a Raft log alone is one without any snapshot yet.
const GROUP_MARKERS: [&str; 5] = [FSM_DIR, SNAP_DIR, LEGACY_SNAPSHOT, LEGACY_STATE, "wal"];

/// The directory of one Raft group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupDir {
    /// Where it is, beginning as the user wrote it.
    pub path: PathBuf,
    /// The id in its name; the directory of a node's only data group does not say its id.
    pub group_id: Option<u64>,
}

/// Finds the groups of the node whose directory is `path`: a group directory, a node directory, or the base directory of one
/// node. In order of their ids, the one without id first. A group is returned also if it holds no snapshot.
///
/// # Errors
/// `NotFound` if there is no group, `Ambiguous` if there are several nodes or an outdated layout beside the present one, `Io`.
pub fn groups(path: &Path) -> Result<Vec<GroupDir>> {
    find(path).map_err(|e| e.in_file(&path.display().to_string()))
}

fn find(path: &Path) -> Result<Vec<GroupDir>> {
    if let Some(groups) = groups_of_node(path)? {
        return Ok(groups);
    }
    let mut node: Option<(PathBuf, Vec<GroupDir>)> = None;
    let mut unreadable = 0_u64;
    for child in list(path)? {
        let child = child.map_err(|e| Error::io("list the directory", e))?.path();
        if !child.is_dir() {
            continue;
        }
        match groups_of_node(&child) {
            Ok(None) => {}
            Ok(Some(groups)) => {
                if let Some((other, _)) = &node {
                    let what = format!(
                        "several nodes are here ({} and {}): name the directory of one of them",
                        other.display(),
                        child.display()
                    );
                    return Err(Error::new(ErrorKind::Ambiguous { what }));
                }
                node = Some((child, groups));
            }
            Err(e) if is_permission_denied(&e) => unreadable = unreadable.saturating_add(1),
            Err(e) => return Err(e.in_file(&child.display().to_string())),
        }
    }
    node.map(|(_, groups)| groups).ok_or_else(|| not_found(path, unreadable))
}

/// The groups, if `path` is a group directory or has `group-<id>` children.
fn groups_of_node(path: &Path) -> Result<Option<Vec<GroupDir>>> {
    let mut groups = Vec::new();
    for child in list(path)? {
        let child = child.map_err(|e| Error::io("list the directory", e))?;
        let Some(group_id) = child.file_name().to_str().and_then(parse_group) else { continue };
        if !child.path().is_dir() {
            continue;
        }
        if groups.len() == GROUP_COUNT_MAX {
            let reason = format!("more than {GROUP_COUNT_MAX} groups");
            return Err(Error::new(ErrorKind::Invalid { structure: "data directory", reason }));
        }
        groups.push(GroupDir { path: child.path(), group_id: Some(group_id) });
    }
    groups.sort_by_key(|group| group.group_id);
    if GROUP_MARKERS.iter().any(|marker| path.join(marker).exists()) {
        if let Some(numbered) = groups.iter().find(|group| group.group_id != Some(0)) {
            let what = format!(
                "both this directory and {} hold the snapshots of a group, one of them is outdated: name the .fsm files to read",
                numbered.path.display()
            );
            return Err(Error::new(ErrorKind::Ambiguous { what }));
        }
        let group_id = path.file_name().and_then(|name| name.to_str()).and_then(parse_group);
        groups.insert(0, GroupDir { path: path.to_owned(), group_id });
    }
    Ok(Some(groups).filter(|groups| !groups.is_empty()))
}

fn list(path: &Path) -> Result<ReadDir> {
    fs::read_dir(path).map_err(|e| Error::io("list the directory", e))
}

fn is_permission_denied(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied)
}

fn not_found(path: &Path, unreadable: u64) -> Error {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let mut reason = if name == FSM_DIR || name == SNAP_DIR {
        format!("this is the {name} folder of a group: name the directory above it, or one .fsm file")
    } else {
        "looked for fsm-snap, snap or group-<number> in this directory and in the directories in it; of an offload store the \
         directory with groups and payloads is named"
            .to_owned()
    };
    if unreadable > 0 {
        reason.push_str(&format!(" ({unreadable} of them may not be read)"));
    }
    Error::new(ErrorKind::NotFound { reason })
}
