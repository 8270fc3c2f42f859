//! Names of files and directories in a data directory. Source: `docs/format/snapshot.md`, section 1.1.

use std::path::Path;

/// Folder of the `.fsm` files in a group directory.
pub(super) const FSM_DIR: &str = "fsm-snap";
/// Folder of the `.snap` files in a group directory.
pub(super) const SNAP_DIR: &str = "snap";
/// Snapshot of servers from before the Raft log had its own folder.
pub(super) const LEGACY_SNAPSHOT: &str = "etcd-fsm-snapshot.bin";
/// Raft state of those servers; may hold a snapshot that this tool does not read.
pub(super) const LEGACY_STATE: &str = "etcd-raft-state.bin";

/// Digits of a term or an index.
const HEX_LEN: usize = 16;

/// The Raft index in the name of a snapshot file: exactly 16 lower-case hexadecimal digits and `.fsm`.
///
/// Source: `docs/format/tree.md`, section 6.1.
pub fn snapshot_index(path: &Path) -> Option<u64> {
    parse_fsm(path.file_name()?.to_str()?)
}

/// Path of the `.fsm` file of a snapshot in a group directory, `/` between components.
pub fn fsm_path(index: u64) -> String {
    format!("{FSM_DIR}/{}", fsm(index))
}

/// Path of the `.snap` file of a snapshot in a group directory, `/` between components.
pub fn snap_path(term: u64, index: u64) -> String {
    format!("{SNAP_DIR}/{}", snap(term, index))
}

/// The group id in the name of a group directory of a node with several groups.
pub fn group_id(path: &Path) -> Option<u64> {
    parse_group(path.file_name()?.to_str()?)
}

pub(super) fn fsm(index: u64) -> String {
    format!("{index:016x}.fsm")
}

pub(super) fn parse_fsm(name: &str) -> Option<u64> {
    parse_hex(name.strip_suffix(".fsm")?)
}

/// The Raft index in the name of a snapshot file that somebody compressed.
pub(super) fn parse_compressed_fsm(name: &str) -> Option<u64> {
    let (fsm, ending) = name.rsplit_once('.')?;
    ["zst", "gz", "xz", "bz2", "lz4"].contains(&ending).then(|| parse_fsm(fsm)).flatten()
}

pub(super) fn snap(term: u64, index: u64) -> String {
    format!("{term:016x}-{index:016x}.snap")
}

/// Term and index in the name of a `.snap` file.
pub(super) fn parse_snap(name: &str) -> Option<(u64, u64)> {
    let (term, index) = name.strip_suffix(".snap")?.split_once('-')?;
    Some((parse_hex(term)?, parse_hex(index)?))
}

/// The id in the name of a group directory of a node with several groups.
pub(super) fn parse_group(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("group-")?;
    let canonical = digits.bytes().all(|b| b.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
    if canonical { digits.parse().ok() } else { None }
}

fn parse_hex(digits: &str) -> Option<u64> {
    let lower_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    if digits.len() != HEX_LEN || !digits.bytes().all(lower_hex) {
        return None;
    }
    u64::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshot_index_is_hexadecimal_and_only_of_complete_names() {
        assert_eq!(snapshot_index(Path::new("/x/00000000000007d1.fsm")), Some(2001));
        assert_eq!(snapshot_index(Path::new("0000000000000064.fsm")), Some(100));
        for name in
            ["64.fsm", "00000000000007D1.fsm", "00000000000007d1.fsm.tmp", "+0000000000007d1.fsm", "redis-1.fsm"]
        {
            assert_eq!(snapshot_index(Path::new(name)), None, "{name}");
        }
    }

    #[test]
    fn written_names_are_read_back() {
        assert_eq!(parse_snap(&snap(2, u64::MAX)), Some((2, u64::MAX)));
        assert_eq!(parse_fsm(&fsm(601)), Some(601));
        assert_eq!(parse_snap("0000000000000002-0000000000000259.snap.broken"), None);
        assert_eq!(parse_compressed_fsm(&format!("{}.zst", fsm(601))), Some(601));
        assert_eq!(parse_compressed_fsm(&format!("{}.tmp", fsm(601))), None);
    }

    #[test]
    fn group_ids_are_plain_decimal_numbers() {
        assert_eq!(parse_group("group-0"), Some(0));
        assert_eq!(parse_group("group-18446744073709551615"), Some(u64::MAX));
        for name in
            ["group-", "group-01", "group-+1", "group--1", "group-18446744073709551616", "group-1.bak", "Group-1"]
        {
            assert_eq!(parse_group(name), None, "{name}");
        }
    }
}
