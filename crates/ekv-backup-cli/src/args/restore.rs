//! Options of `restore`.

use std::path::{Path, PathBuf};

use clap::Args;
use ekv_backup::Error;

use super::offload::OffloadArguments;
use super::{ClusterArguments, DumpReadArguments, source_and_target, with_names};

const AFTER_HELP: &str = "\
Examples:
  ekv-backup restore dump /var/lib/elastickv/n1 \\
      --peers n1=10.0.0.1:50051 --fresh-cluster
  ekv-backup restore dump /var/lib/elastickv/n1 \\
      --peers n1=10.0.0.1:50051 --target-cluster-id prod
  ekv-backup restore --from-store /backups/prod --group 1 /var/lib/elastickv/n1 \\
      --peers n1=10.0.0.1:50051 --fresh-cluster     what the server published

DATA_DIR is where the server looks: <raftDataDir>/<raftId>, or
<raftDataDir>/<raftId>/group-<id> where it has several Raft groups. Nothing may
exist there: a member that kept any of its old data serves that instead,
without an error. Begin with one member and let the others join empty.

One dump restores one Raft group. A dump of a node with several groups holds the
keys of all of them: it can become a server with one group, which then owns all
keys. To keep several groups, decode each by itself and restore it into its own
directory; a directory of another group than that of the dump is refused:
  ekv-backup decode NODE/group-2 dump-2 --allow-missing-groups
  ekv-backup restore dump-2 /var/lib/elastickv/n1/group-2 --peers … --fresh-cluster
A group that is decoded alone leaves keys in doubt: what a transaction over
several groups wrote there counts only if its outcome stands in the same group.
The decode names these keys; decode the whole NODE to see what they are.

A dump may be edited by hand. Then bring CHECKSUMS up to date first:
  ekv-backup checksums dump

To prepare several members, or to keep the payload: `ekv-backup encode`, then
`ekv-backup prepare-restore` for each.";

/// Make the data directory of a new node from a dump.
///
/// The same as `encode` and `prepare-restore`, without a payload in between that somebody must look after: the dump is compared with
/// its CHECKSUMS, encoded, decoded again and compared, then written as a data directory and read back before that gets its name. The
/// steps that are left to do are printed.
///
/// What no server restores is left out and named, and the exit code is 5: see --strict.
#[derive(Clone, Debug, Args)]
#[command(after_help = AFTER_HELP, after_long_help = with_names(AFTER_HELP))]
pub(crate) struct RestoreArguments {
    /// The dump: a directory, an archive, or - for an archive on standard input; or an RDB file of Redis or Valkey
    #[arg(value_name = "DUMP", required_unless_present_any = ["fs_from_tar", "from_store"])]
    pub(crate) dump: Option<PathBuf>,
    /// Directory to create; its parent must exist (or see --parents), it must not
    #[arg(value_name = "DATA_DIR", required_unless_present_any = ["fs_from_tar", "from_store"])]
    pub(crate) data_dir: Option<PathBuf>,
    /// Make the data directory of a snapshot in an offload store instead, byte for byte as it was published
    ///
    /// STORE is what `elastickv-snapshot-offload publish` fills: the directory that holds its v1, a group in it, or one manifest. Every hash is compared and
    /// every record read first. The node begins at the index and term of the manifest; what is encrypted stays so, and the server needs its keys. Nothing
    /// can be selected of it, but the group, and which snapshot.
    #[arg(long, value_name = "STORE", help_heading = "Offload store",
        conflicts_with_all = ["fs_from_tar", "adapter", "last_commit_ts", "accept_losses", "reference_bytes", "fs_keep_unknown_types"])]
    pub(crate) from_store: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) offload: OffloadArguments,
    #[command(flatten)]
    pub(crate) cluster: ClusterArguments,
    #[command(flatten)]
    pub(crate) read: DumpReadArguments,
}

impl RestoreArguments {
    /// What is read, and the data directory to be made.
    pub(crate) fn source_and_target(&self) -> Result<(&Path, &Path), Error> {
        let option = if self.from_store.is_some() { &self.from_store } else { &self.read.fs_from_tar };
        source_and_target(option, [&self.dump, &self.data_dir])
    }

    pub(crate) fn target(&self) -> Option<&Path> {
        self.source_and_target().ok().map(|(_, target)| target)
    }
}
