//! Where a server looks for a data directory. Source: `docs/format/restore.md`, section 10.1.

use std::path::{Path, PathBuf};

use crate::datadir;
use serde::Serialize;

use crate::PeerList;

/// What the name of a data directory says about the server that will find it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "layout", rename_all = "snake_case")]
pub enum Placement {
    /// `<raftDataDir>/<raftId>`: a server with one Raft group finds it.
    SingleGroup {
        /// The server's `-raftId`.
        raft_id: String,
        /// The server's `-raftDataDir`.
        raft_data_dir: PathBuf,
    },
    /// `<raftDataDir>/<raftId>/group-<id>`: a server with several Raft groups finds it.
    OneOfSeveralGroups {
        /// The server's `-raftId`.
        raft_id: String,
        /// The server's `-raftDataDir`.
        raft_data_dir: PathBuf,
        /// The group.
        group_id: u64,
    },
    /// No member's id: no server finds it under this name.
    Elsewhere,
}

impl Placement {
    /// What an absolute path says.
    pub fn of(data_dir: &Path, peers: &PeerList) -> Placement {
        let member = |name: &Path| {
            let name = name.file_name()?.to_str()?;
            peers.peers().iter().find(|peer| peer.raft_id == name).map(|peer| peer.raft_id.clone())
        };
        let above = |path: &Path| path.parent().unwrap_or(Path::new("/")).to_path_buf();
        if let Some(raft_id) = member(data_dir) {
            return Placement::SingleGroup { raft_id, raft_data_dir: above(data_dir) };
        }
        let server_dir = above(data_dir);
        match (datadir::group_id(data_dir), member(&server_dir)) {
            (Some(group_id), Some(raft_id)) => {
                Placement::OneOfSeveralGroups { raft_id, raft_data_dir: above(&server_dir), group_id }
            }
            _ => Placement::Elsewhere,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_of_the_directory_says_which_server_finds_it() {
        let peers: PeerList = "n1=a:1,n2=b:2".parse().unwrap();
        let of = |path: &str| Placement::of(Path::new(path), &peers);
        let (raft_id, raft_data_dir) = (|| "n2".to_owned(), || PathBuf::from("/var/lib/ekv"));
        let single = Placement::SingleGroup { raft_id: raft_id(), raft_data_dir: raft_data_dir() };
        assert_eq!(of("/var/lib/ekv/n2"), single);
        let group = Placement::OneOfSeveralGroups { raft_id: raft_id(), raft_data_dir: raft_data_dir(), group_id: 3 };
        assert_eq!(of("/var/lib/ekv/n2/group-3"), group);
        for elsewhere in ["/restored", "/var/lib/ekv/n3", "/var/lib/ekv/n2/group-x", "/n2/x/group-1", "/"] {
            assert_eq!(of(elsewhere), Placement::Elsewhere, "{elsewhere}");
        }
    }
}
