//! What can be wrong with a dump.

use std::fmt::{self, Write as _};

use crate::s3_name::UnnaturalKey;
use crate::segment::SegmentError;
use ekv_files::archive::IndexFault;
use ekv_files::path::{Escaped, is_staging_name};
use ekv_files::source::{Refusal, is_apple_double};

/// Problems that are kept.
const KEPT_MAX: usize = 100;

/// Problems that are shown in one line.
const SHOWN_MAX: usize = 3;

/// Everything that is wrong with a dump, in bounded memory.
#[derive(Clone, Debug, Default)]
pub struct Problems {
    /// How many there are, exactly.
    pub count: u64,
    /// The first hundred.
    pub first: Vec<Problem>,
}

impl Problems {
    pub(crate) fn add(&mut self, path: &[u8], kind: ProblemKind) {
        self.add_at(path, None, kind);
    }

    /// `line`: where in the file, from 1.
    pub(crate) fn add_at(&mut self, path: &[u8], line: Option<u64>, kind: ProblemKind) {
        self.count = self.count.saturating_add(1);
        if self.first.len() < KEPT_MAX {
            self.first.push(Problem { path: path.to_vec(), line, kind });
        }
    }

    /// These problems again, if anything is wrong.
    pub(crate) fn into_result(self) -> Result<(), Box<Self>> {
        if self.count > 0 { Err(Box::new(self)) } else { Ok(()) }
    }
}

impl fmt::Display for Problems {
    /// The first few in one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, problem) in self.first.iter().take(SHOWN_MAX).enumerate() {
            let separator = if place == 0 { "" } else { "; " };
            write!(f, "{separator}{problem}")?;
        }
        let shown = u64::try_from(self.first.len().min(SHOWN_MAX)).unwrap_or(u64::MAX);
        match self.count.saturating_sub(shown) {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file or directory concerned, relative to the root.
    pub path: Vec<u8>,
    /// The line of the file, from 1, where the problem has one.
    pub line: Option<u64>,
    /// What is wrong with it.
    pub kind: ProblemKind,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What concerns the archive as a whole has no path.
        if !self.path.is_empty() {
            write!(f, "{}", Escaped(&self.path))?;
            if let Some(line) = self.line {
                write!(f, ", line {line}")?;
            }
            f.write_str(": ")?;
        }
        write!(f, "{}", self.kind)
    }
}

/// The kinds of problems: everything that can be wrong with a dump apart from the text of the files with its data.
///
/// Source: `docs/format/tree.md`, section 18.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProblemKind {
    /// Neither a directory nor a regular file with one link.
    #[error("{0}")]
    Refused(Refusal),
    /// The index of an archive differs from the archive: whoever reads all of it does not notice, whoever looks for one file may miss it.
    #[error(transparent)]
    Index(IndexFault),
    /// The contents do not hash to the digest in CHECKSUMS.
    #[error("the contents do not match CHECKSUMS")]
    Changed,
    /// Listed in CHECKSUMS, but there is no such file.
    #[error("CHECKSUMS lists it, but there is no such file")]
    Missing,
    /// A file that CHECKSUMS does not list.
    #[error("CHECKSUMS does not list it")]
    Unlisted,
    /// A file that macOS adds beside others, which CHECKSUMS does not list.
    #[error(
        "macOS added it, CHECKSUMS does not list it: copy the dump without such files (COPYFILE_DISABLE=1 tar …, dot_clean)"
    )]
    AppleDouble,
    /// More than one line in CHECKSUMS.
    #[error("CHECKSUMS lists it more than once")]
    ListedTwice,
    /// An archive holds several files of this name.
    #[error("there are several files of this name")]
    Repeated,
    /// An archive holds both a file and a directory of this name.
    #[error("there are both a file and a directory of this name")]
    FileAndDirectory,
    /// A name that has no meaning in its place.
    #[error("nothing in a dump has this name: expected {expected}")]
    Unknown {
        /// What may lie there.
        expected: &'static str,
    },
    /// The staging directory of a run of `checksums`.
    #[error("a run of ekv-backup checksums is using it, or was stopped and left it: ekv-backup clean DUMP removes it")]
    LeftByRun,
    /// Something that the manifest says was left out.
    #[error("the manifest says that this was left out, yet it is there")]
    NotIncluded,
    /// Items of a table in the layout that the manifest does not name.
    #[error("the manifest says dynamodb_layout {stated:?}, which has no such entry: expected {expected}")]
    OtherLayout {
        /// What the manifest says.
        stated: &'static str,
        /// Where items lie in that layout.
        expected: &'static str,
    },
    /// A name that is no canonical segment.
    #[error("{0}")]
    Name(SegmentError),
    /// The manifest lists this table, bucket, database or queue, but there is no directory.
    #[error("the manifest lists it, but there is no such directory")]
    MissingScope,
    /// A file that must be here is not.
    #[error("{name} is missing in it")]
    Incomplete {
        /// Name of what is missing.
        name: &'static str,
    },
    /// A bucket without its own record of which no decode has told, or whose directory does not tell its name.
    #[error("there is no _bucket.json in it: without one the server does not see the bucket")]
    BucketWithoutRecord,
    /// An empty file where none is ever written.
    #[error("the file is empty, but then it should not exist")]
    Empty,
    /// A list beside the manifest and the number that the manifest states do not agree.
    #[error("{} listed, but MANIFEST.json says {}", Number(.listed), Number(.stated))]
    Stated {
        /// How many there are; `None` = there is no list.
        listed: Option<u64>,
        /// How many there should be.
        stated: Option<u64>,
    },
    /// A line of a list beside the manifest, of a KEYMAP or of an expiry sidecar.
    #[error("{message}")]
    Line {
        /// What is wrong with it.
        message: String,
    },
    /// Records of a KEYMAP that give one name to several keys.
    #[error("{} has another key on line {first_line}", Escaped(.encoded))]
    KeymapConflict {
        /// The name.
        encoded: Vec<u8>,
        /// The first line.
        first_line: u64,
    },
    /// A record of a KEYMAP without a file.
    #[error("the record for {} has no file", Escaped(.encoded))]
    KeymapWithoutFile {
        /// The name.
        encoded: Vec<u8>,
    },
    /// A name that only a KEYMAP record can explain, without one.
    #[error("KEYMAP.jsonl has no record for this name: the key is lost")]
    FallbackWithoutKeymap,
    /// A line of an expiry sidecar without a file.
    #[error("there is no file {directory}/{}{extension} that this expiry could belong to", Escaped(.segment))]
    ExpiryWithoutFile {
        /// Where the file should lie.
        directory: &'static str,
        /// Name of the file without extension.
        segment: Vec<u8>,
        /// End of the name.
        extension: &'static str,
    },
    /// Several lines of an expiry sidecar for one key.
    #[error("the key {} has an expiry on line {first_line} already", Escaped(.segment))]
    ExpiryRepeated {
        /// Name of the file without extension.
        segment: Vec<u8>,
        /// The first line.
        first_line: u64,
    },
    /// A Redis key with files in more than one type directory.
    #[error("the same key has a file in {other}/ already: a key has one type")]
    SeveralTypes {
        /// The other directory.
        other: &'static str,
    },
    /// An S3 object without its metadata.
    #[error("the object has no metadata file")]
    BodyWithoutSidecar,
    /// S3 metadata without its object.
    #[error("there is no object for this metadata file")]
    SidecarWithoutBody,
    /// An S3 object at a path that its key cannot have.
    #[error("no object key has this path: {0}")]
    UnnaturalPath(UnnaturalKey),
    /// An S3 object with several files.
    #[error("{} is the same object: a key has one file", Escaped(.other))]
    SeveralFiles {
        /// The other file.
        other: Vec<u8>,
    },
}

/// A number of lines, or none.
struct Number<'a>(&'a Option<u64>);

impl fmt::Display for Number<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(number) => number.fmt(f),
            None => f.write_str("nothing"),
        }
    }
}

/// Nothing in a dump has this name in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Misplaced {
    /// What may lie there.
    pub(crate) expected: &'static str,
}

impl From<Misplaced> for ProblemKind {
    fn from(Misplaced { expected }: Misplaced) -> Self {
        ProblemKind::Unknown { expected }
    }
}

impl ProblemKind {
    /// A line that is refused, and why.
    pub(crate) fn line(error: &dyn std::error::Error) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            // Writing to a string cannot fail.
            let _ = write!(message, ": {error}");
            cause = error.source();
        }
        ProblemKind::Line { message }
    }

    /// What is wrong with a staging directory, or anything in it.
    pub(crate) fn left_by_run(path: &[u8]) -> Option<Self> {
        path.split(|byte| *byte == b'/').next().is_some_and(is_staging_name).then_some(ProblemKind::LeftByRun)
    }

    /// A file that CHECKSUMS does not list.
    pub(crate) fn unlisted(path: &[u8]) -> Self {
        if is_apple_double(path) { ProblemKind::AppleDouble } else { ProblemKind::Unlisted }
    }
}
