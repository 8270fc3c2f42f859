//! Where the records of a path lie, whatever it named at any time. Source: `docs/format/fs.md`, section 2.

use std::collections::BTreeSet;

use ekv_model::fs::{ROOT, ROOT_PATH};
use ekv_model::{Name, Result};
use ekv_snapshot::{Range, Version, VersionKind, VersionScan, View};

use super::keys;
use super::values::{Entry, Inode};
use crate::Family;
use crate::json::{JsonError, JsonResult};

/// Most inodes that a name may have named; of more all records are looked at.
const INODES_MAX: usize = 10_000;

/// The ranges in which all records lie that decide about a path; `None` if they are too many.
pub(super) fn ranges(view: &View, name: &Name) -> Result<Option<Vec<Range>>> {
    let Some(path) = name.key.first() else { return Ok(None) };
    let (mut ranges, mut inodes) = (Vec::new(), BTreeSet::from([ROOT]));
    let names = path.split(|byte| *byte == b'/').filter(|_| path != ROOT_PATH);
    for name in names {
        let mut next = BTreeSet::new();
        for directory in inodes {
            let range = Range::prefix(&keys::entry(directory, name));
            each_version(view, &range, &mut |version| {
                keep(Entry::parse(&version.body), |entry| {
                    next.insert(entry.inode);
                })
            })?;
            ranges.push(range);
            // Without it nobody comes to the name.
            ranges.push(Range::prefix(&keys::of_inode(Family::FsInode, directory)));
        }
        if next.len() > INODES_MAX {
            return Ok(None);
        }
        inodes = next;
    }
    for inode in inodes {
        let range = Range::prefix(&keys::of_inode(Family::FsInode, inode));
        let mut homes = BTreeSet::new();
        each_version(view, &range, &mut |version| {
            keep(Inode::parse(&version.body), |inode| {
                homes.insert(inode.home_slot);
            })
        })?;
        ranges.push(range);
        ranges.extend(homes.into_iter().map(|home| Range::prefix(&keys::chunks(home, inode))));
    }
    Ok(Some(ranges))
}

fn each_version(view: &View, range: &Range, take: &mut dyn FnMut(&Version<'_>) -> Result<()>) -> Result<()> {
    for (_, file) in view.files() {
        let mut scan = VersionScan::new(std::slice::from_ref(file), range.clone())?;
        while let Some(version) = scan.next_version()? {
            if version.kind == VersionKind::Put {
                take(&version)?;
            }
        }
    }
    Ok(())
}

fn keep<T>(parsed: JsonResult<T>, keep: impl FnOnce(T)) -> Result<()> {
    match parsed {
        Ok(value) => keep(value),
        Err(JsonError::Read(error)) => return Err(error),
        Err(JsonError::Fault(_)) => {}
    }
    Ok(())
}
