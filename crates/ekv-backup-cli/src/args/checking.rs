//! How much of a dump is compared with its CHECKSUMS.

use clap::Args;
use ekv_backup::Checking;

/// See [`Checking`].
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct CheckingArguments {
    /// Read and compare all of a dump, also for a few Redis keys
    ///
    /// The files of a few Redis keys are found by their names, and compared with their lines of CHECKSUMS; no other file is looked at. That a name
    /// is not there is told by the directory, or by the index of the archive. With this option every name and every line of CHECKSUMS is read.
    #[arg(long, conflicts_with = "no_checksum", help_heading = "What is checked")]
    pub(crate) thorough: bool,
    /// Do not compare the files of a few Redis keys with CHECKSUMS
    #[arg(long, help_heading = "What is checked")]
    pub(crate) no_checksum: bool,
}

impl From<CheckingArguments> for Checking {
    fn from(arguments: CheckingArguments) -> Self {
        match arguments {
            CheckingArguments { thorough: true, .. } => Checking::All,
            CheckingArguments { no_checksum: true, .. } => Checking::Nothing,
            _ => Checking::Selected,
        }
    }
}
