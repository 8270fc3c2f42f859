//! Options of `prepare-restore`, and those that say how a new cluster looks.

use std::num::NonZeroU64;
use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::error::ErrorKind;
use clap::{ArgAction, Args, ValueEnum};
use ekv_backup::restore::{PeerList, RAFT_NUMBER_MAX};

use super::{LimitArguments, parse_bool, with_exit_codes};

const AFTER_HELP: &str = "\
Examples:
  ekv-backup prepare-restore restored.fsm /var/lib/elastickv/n1 \\
      --peers n1=10.0.0.1:50051 --fresh-cluster
  ekv-backup prepare-restore restored.fsm /var/lib/elastickv/n2 \\
      --peers n1=10.0.0.1:50051,n2=10.0.0.2:50051 --target-cluster-id prod

DATA_DIR is where the server looks: <raftDataDir>/<raftId>, or
<raftDataDir>/<raftId>/group-<id> where it has several Raft groups. Nothing may
exist there: a member that kept any of its old data serves that instead,
without an error. Begin with one member and let the others join empty; or
prepare every member with the same --peers, before any of them starts.";

/// Make the data directory of a new node from a payload that `encode` wrote.
///
/// The payload is checked record by record while it is copied, and compared with what encode says about it. All files are read back
/// before the directory gets its name, in one step. The steps that are left to do are printed.
#[derive(Clone, Debug, Args)]
#[command(after_help = AFTER_HELP, after_long_help = with_exit_codes(AFTER_HELP))]
pub(crate) struct PrepareRestoreArguments {
    /// Payload that encode wrote (with SNAPSHOT.encode_info.json beside it)
    #[arg(value_name = "SNAPSHOT", required_unless_present = "input", conflicts_with = "input")]
    pub(crate) snapshot: Option<PathBuf>,
    /// Directory to create; its parent must exist, it must not
    #[arg(value_name = "DATA_DIR", required_unless_present = "data_dir_option", conflicts_with = "data_dir_option")]
    pub(crate) data_dir: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) cluster: ClusterArguments,

    /// File that says what encode wrote [default: SNAPSHOT.encode_info.json]
    #[arg(long, value_name = "FILE", help_heading = "What is accepted")]
    pub(crate) encode_info: Option<PathBuf>,
    /// Accept a payload that encode did not compare with its dump
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
        default_value_t = false, action = ArgAction::Set, hide_default_value = true, value_parser = parse_bool,
        help_heading = "What is accepted")]
    pub(crate) allow_unverified_self_test: bool,
    /// Accept a payload that is more than a day newer than this machine's clock
    ///
    /// The new node's clock goes on from the payload's last commit, and never back.
    #[arg(long, help_heading = "What is accepted")]
    pub(crate) allow_future_timestamps: bool,
    #[command(flatten)]
    pub(crate) limits: LimitArguments,

    /// SNAPSHOT, as scripts for the reference tool name it
    #[arg(long, value_name = "FILE", help_heading = "Names of the reference tool", requires = "data_dir_option")]
    pub(crate) input: Option<PathBuf>,
    /// DATA_DIR, as scripts for the reference tool name it
    #[arg(long = "data-dir", value_name = "DIR", help_heading = "Names of the reference tool", requires = "input")]
    pub(crate) data_dir_option: Option<PathBuf>,
    /// Accepted and without effect: a fresh cluster needs no cluster id, any other one does
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
        default_value_t = false, action = ArgAction::Set, hide_default_value = true, value_parser = parse_bool,
        help_heading = "Names of the reference tool")]
    pub(crate) allow_missing_cluster_id: bool,
}

/// How a new cluster looks.
#[derive(Clone, Debug, Args)]
pub(crate) struct ClusterArguments {
    /// Members of the new cluster, comma-separated: ID=HOST:PORT[,ID=HOST:PORT…]
    ///
    /// ID is the server's -raftId. A server may use another -address than the one given here, but not another -raftId.
    #[arg(long, value_name = "PEERS", help_heading = "The new cluster")]
    pub(crate) peers: PeerList,
    /// The cluster does not exist yet; either this or --target-cluster-id must be given
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
        default_value_t = false, action = ArgAction::Set, hide_default_value = true, value_parser = parse_bool,
        help_heading = "The new cluster")]
    pub(crate) fresh_cluster: bool,
    /// The cluster is ID, from which the data must be: what decode was told with --cluster-id
    ///
    /// The server knows no such name; this guards against restoring the data of one cluster into another.
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new(), help_heading = "The new cluster")]
    pub(crate) target_cluster_id: Option<String>,
    /// Raft index at which the node begins
    #[arg(long, value_name = "N", default_value_t = NonZeroU64::MIN, value_parser = parse_raft_number, help_heading = "The new cluster")]
    pub(crate) index: NonZeroU64,
    /// Raft term in which the node begins
    #[arg(long, value_name = "N", default_value_t = NonZeroU64::MIN, value_parser = parse_raft_number, help_heading = "The new cluster")]
    pub(crate) term: NonZeroU64,
    /// How everything is brought to stable storage before the directory gets its name
    ///
    /// full: in the quickest way that reports errors. file: every file by itself, where syncfs is not trusted.
    #[arg(long, value_name = "HOW", value_enum, default_value_t = DurableRule::Full, help_heading = "How it is written")]
    pub(crate) fsync: DurableRule,
    /// Make every check and say what would be written, but create nothing
    ///
    /// All files are made, compared and read back all the same, in scratch space (see --scratch-dir), so that the report and the exit code are those of
    /// a run without it.
    #[arg(long, help_heading = "How it is written")]
    pub(crate) dry_run: bool,
    /// Create missing parent directories of DATA_DIR
    #[arg(long, help_heading = "How it is written")]
    pub(crate) parents: bool,
}

/// See [`ekv_backup::restore::DurableFsync`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DurableRule {
    /// In the quickest way that reports errors
    Full,
    /// Every file by itself
    File,
}

impl ClusterArguments {
    /// Whether exactly one of the two options is given that say for which cluster the data is.
    pub(super) fn check(&self) -> Result<(), (ErrorKind, String)> {
        let ids = "--target-cluster-id <ID>";
        match (self.fresh_cluster, &self.target_cluster_id) {
            (true, Some(_)) => {
                let text = format!("the argument '--fresh-cluster' cannot be used with '{ids}'");
                Err((ErrorKind::ArgumentConflict, text))
            }
            (false, None) => {
                let text = format!(
                    "it must be said for which cluster the data is: '--fresh-cluster' for one that does not exist yet, or '{ids}' for the \
                     one from which the data is"
                );
                Err((ErrorKind::MissingRequiredArgument, text))
            }
            _ => Ok(()),
        }
    }
}

/// A Raft index or term: from 1 on, with room above it.
fn parse_raft_number(text: &str) -> Result<NonZeroU64, String> {
    let number = text.parse::<NonZeroU64>().ok().filter(|number| *number <= RAFT_NUMBER_MAX);
    number.ok_or_else(|| format!("expected a number from 1 to {RAFT_NUMBER_MAX}: the server counts on from it"))
}
