//! What can be refused in the content of a dump.

use ekv_files::ErrorKind;
use ekv_text::json::JsonFault;

use crate::layout::fs::fault::FsFault;
use crate::manifest::ManifestError;
use crate::portable::PortableReport;
use crate::replay::ReplayFault;
use crate::segment::SegmentError;
use crate::verify::{ProblemKind, Problems};

/// What is refused in the content of a dump; [`Error::content`](ekv_files::Error::content) finds it in an error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DumpFault {
    /// A directory or archive that is no finished dump.
    #[error("this is no complete dump: it has no {missing}")]
    NotADump {
        /// The file that every dump has.
        missing: &'static str,
    },
    /// The manifest is refused.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The JSON text of a file is refused.
    #[error(transparent)]
    Json(#[from] JsonFault),
    /// A file name of the dump is refused.
    #[error(transparent)]
    Segment(#[from] SegmentError),
    /// The dump is not as it must be.
    #[error(transparent)]
    Problem(#[from] ProblemKind),
    /// A file of the dump has no meaning.
    #[error(transparent)]
    Replay(#[from] ReplayFault),
    /// The files of the dump do not go together.
    #[error("{0}")]
    Unsound(Box<Problems>),
    /// Names of the dump would not survive on other systems, and the user demands that they do.
    #[error("names of this dump are not portable: {0}")]
    NotPortable(Box<PortableReport>),
}

impl From<Box<Problems>> for DumpFault {
    fn from(problems: Box<Problems>) -> Self {
        DumpFault::Unsound(problems)
    }
}

impl From<Box<PortableReport>> for DumpFault {
    fn from(report: Box<PortableReport>) -> Self {
        DumpFault::NotPortable(report)
    }
}

impl From<DumpFault> for ErrorKind {
    fn from(fault: DumpFault) -> Self {
        ErrorKind::Content(Box::new(fault))
    }
}

/// Makes an [`ErrorKind`] of each of these faults.
macro_rules! content {
    ($($fault:ty),*) => { $(
        impl From<$fault> for ErrorKind {
            fn from(fault: $fault) -> Self {
                DumpFault::from(fault).into()
            }
        }
    )* };
}

content!(ManifestError, SegmentError, ProblemKind, ReplayFault, Box<Problems>, Box<PortableReport>);

impl From<FsFault> for ErrorKind {
    fn from(fault: FsFault) -> Self {
        ReplayFault::from(fault).into()
    }
}
