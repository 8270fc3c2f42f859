//! What is wrong with an RDB file.

use ekv_rdb::{Fault, FaultAt};

/// What is wrong with an RDB file.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {fault}")]
pub struct RdbError {
    /// The file.
    pub file: String,
    /// What is wrong with it, and where.
    pub fault: FaultAt,
}

impl RdbError {
    /// Whether the file is damaged, and not only one that this tool does not read.
    pub(crate) fn is_damage(&self) -> bool {
        !matches!(self.fault.fault, Fault::Magic(_) | Fault::Envelope | Fault::Version { .. })
    }
}
