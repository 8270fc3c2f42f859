//! Where a dump is written, and as what.

use std::fmt;
use std::io::Write;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use ekv_files::archive::{ArchiveOptions, Compression};
use ekv_files::sink::{ArchiveSink, DirOptions, DirSink, DrySink, Sink, StagedFiles, WithScratch};
use ekv_model::Result;
use jiff::Timestamp;

use crate::Resources;
use crate::new_parents::NewParents;
use crate::object_store::ObjectName;
use crate::overlap::refuse_overlap;

/// How messages name a stream that is not written.
const STANDARD_OUTPUT: &str = "standard output";

/// Where a dump is written, and as what. A path alone is a directory to be made, in an existing one.
pub enum DumpTarget {
    /// A directory.
    Directory(NewName),
    /// An archive file.
    Archive(NewName, Compression),
    /// An archive that becomes an object of a store.
    Object(ObjectName, Compression),
    /// An archive that is written to a stream as it comes.
    Stream {
        /// The stream; written in large pieces.
        output: Box<dyn Write + Send>,
        /// How messages name it.
        name: String,
        /// What lies around the tar.
        compression: Compression,
    },
    /// Nothing is created, of what would be this.
    DryRun(Box<DumpTarget>),
}

/// A name that a dump is to get.
#[derive(Clone, Debug)]
pub struct NewName {
    /// The name.
    pub path: PathBuf,
    /// How the dump gets it.
    pub publication: DirOptions,
    /// Whether missing parent directories are created.
    pub parents: bool,
}

impl NewName {
    /// A name at which nothing may exist, in an existing directory.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        NewName { path: path.into(), publication: DirOptions::default(), parents: false }
    }

    /// The parent, if it does not exist and is to be created.
    fn missing_parent(&self) -> Option<&Path> {
        NewParents::missing_above(&self.path).filter(|_| self.parents)
    }

    fn create_parents(&self) -> Result<NewParents> {
        NewParents::create_missing(self.missing_parent(), self.publication.fsync)
    }
}

impl DumpTarget {
    /// A directory in an existing one.
    pub fn directory(path: impl Into<PathBuf>, publication: DirOptions) -> Self {
        DumpTarget::Directory(NewName { publication, ..NewName::new(path) })
    }

    /// Checks that a dump may be written by a command that reads `inputs`, without creating anything: for commands that have long work
    /// before the first file.
    ///
    /// # Errors
    /// Those of [`refuse_overlap`], [`DirSink::check_target`] and [`StagedFiles::check_targets`].
    pub(crate) fn check(&self, inputs: &[&Path]) -> Result<()> {
        if let DumpTarget::Object(name, _) = self {
            return name.check();
        }
        refuse_overlap(inputs, &[self.path().unwrap_or(Path::new("-"))])?;
        match self {
            DumpTarget::Directory(name) | DumpTarget::Archive(name, _) if name.missing_parent().is_some() => Ok(()),
            DumpTarget::Directory(name) => Ok(DirSink::check_target(&name.path, name.publication)?),
            DumpTarget::Archive(name, _) => Ok(StagedFiles::check_targets(&[name.path.as_path()], name.publication)?),
            DumpTarget::Object(..) | DumpTarget::Stream { .. } => Ok(()),
            DumpTarget::DryRun(target) => target.check(inputs),
        }
    }

    /// Begins to write a dump that states the time `modified`; archives are compressed by up to `jobs` threads. The directories
    /// that were missing above it are to be kept once it is published.
    ///
    /// # Errors
    /// If missing parents cannot be created, and those of the sinks.
    pub(crate) fn create(
        self,
        modified: Timestamp,
        jobs: usize,
        resources: &Resources,
    ) -> Result<(Box<dyn Sink>, NewParents)> {
        let options = |compression| {
            let workers = u32::try_from(jobs).unwrap_or(u32::MAX).clamp(1, ArchiveOptions::DEFAULT_WORKERS_MAX);
            ArchiveOptions { workers: NonZeroU32::new(workers), ..ArchiveOptions::new(compression, modified) }
        };
        Ok(match self {
            DumpTarget::Directory(name) => {
                let parents = name.create_parents()?;
                let sink: Box<dyn Sink> = Box::new(DirSink::create(&name.path, name.publication)?);
                let elsewhere = resources.scratch_dir.as_ref().map(|_| resources.scratch());
                match elsewhere {
                    Some(scratch) => (Box::new(WithScratch::new(sink, scratch)), parents),
                    None => (sink, parents),
                }
            }
            DumpTarget::Archive(name, compression) => {
                let parents = name.create_parents()?;
                let sink = ArchiveSink::create(&name.path, &options(compression), name.publication)?;
                let scratch = resources.scratch_or(sink.scratch());
                (Box::new(sink.with_scratch(scratch)), parents)
            }
            DumpTarget::Object(name, compression) => {
                let sink = ArchiveSink::whole(name.begin()?, &name.url.to_string(), &options(compression))?;
                (Box::new(sink.with_scratch(resources.scratch())), NewParents::default())
            }
            DumpTarget::Stream { output, name, compression } => {
                let sink = ArchiveSink::stream(output, &name, &options(compression))?;
                (Box::new(sink.with_scratch(resources.scratch())), NewParents::default())
            }
            DumpTarget::DryRun(target) => {
                let place = target.place();
                let sink: Box<dyn Sink> = match *target {
                    DumpTarget::Archive(_, compression)
                    | DumpTarget::Object(_, compression)
                    | DumpTarget::Stream { compression, .. } => {
                        Box::new(ArchiveSink::nowhere(&place, &options(compression), resources.scratch())?)
                    }
                    _ => Box::new(DrySink::new(place, resources.scratch())),
                };
                (sink, NewParents::default())
            }
        })
    }

    /// The name in the file system, if it gets one.
    pub(crate) fn path(&self) -> Option<&Path> {
        match self {
            DumpTarget::Directory(name) | DumpTarget::Archive(name, _) => Some(&name.path),
            DumpTarget::Object(..) | DumpTarget::Stream { .. } => None,
            DumpTarget::DryRun(target) => target.path(),
        }
    }

    /// How messages name what nothing is made of.
    fn place(&self) -> String {
        match self {
            DumpTarget::Directory(name) | DumpTarget::Archive(name, _) => name.path.display().to_string(),
            DumpTarget::Object(name, _) => name.url.to_string(),
            DumpTarget::Stream { .. } => STANDARD_OUTPUT.to_owned(),
            DumpTarget::DryRun(target) => target.place(),
        }
    }
}

impl From<&Path> for DumpTarget {
    fn from(path: &Path) -> Self {
        DumpTarget::Directory(NewName::new(path))
    }
}

impl From<&PathBuf> for DumpTarget {
    fn from(path: &PathBuf) -> Self {
        path.as_path().into()
    }
}

impl fmt::Debug for DumpTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DumpTarget::Directory(name) => f.debug_tuple("Directory").field(name).finish(),
            DumpTarget::Archive(name, compression) => f.debug_tuple("Archive").field(name).field(compression).finish(),
            DumpTarget::Object(name, compression) => f.debug_tuple("Object").field(name).field(compression).finish(),
            DumpTarget::Stream { name, compression, .. } => {
                f.debug_struct("Stream").field("name", name).field("compression", compression).finish_non_exhaustive()
            }
            DumpTarget::DryRun(target) => f.debug_tuple("DryRun").field(target).finish(),
        }
    }
}
