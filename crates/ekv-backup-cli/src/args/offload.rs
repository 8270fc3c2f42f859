//! Options about the server's offload store.

use clap::Args;
use ekv_backup::{AbsoluteTime, OffloadChoice, SnapshotName};

/// Which snapshots of an offload store are read.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct OffloadArguments {
    /// Read one group of an offload store
    ///
    /// An offload store is what `elastickv-snapshot-offload publish` fills; name the directory that holds its v1, a group in it, or one manifest. Without
    /// this option the newest sound snapshot of each group is read, as of a node. They were published one by one and form no cut.
    #[arg(long, value_name = "N", help_heading = "Offload store")]
    pub(crate) group: Option<u64>,
    /// Read one snapshot of an offload store, by its Raft index, or index and term
    #[arg(long = "snapshot", value_name = "INDEX[-TERM]", help_heading = "Offload store")]
    pub(crate) offload_snapshot: Option<SnapshotName>,
    /// Read of an offload store what was published up to TIME, as the clock of whoever published it said
    #[arg(long, value_name = "TIME", help_heading = "Offload store")]
    pub(crate) published_before: Option<AbsoluteTime>,
}

impl OffloadArguments {
    pub(crate) fn choice(self) -> OffloadChoice {
        let OffloadArguments { group, offload_snapshot: snapshot, published_before } = self;
        OffloadChoice { group, snapshot, published_before }
    }
}
