//! What a command reads must not be what it replaces, nor hold what it makes.
//!
//! Files and directories are compared by identity, not by name: links, mounts, `..` and names that the file system takes for each other
//! lead to the same ones.
//!
//! Source: `docs/format/tree.md`, section 8.7.

use std::path::{Path, PathBuf};

use ekv_model::Result;

use crate::CommandError;

/// The argument that means standard input or output.
const STANDARD: &str = "-";

/// Refuses targets that are read by the same command, or that lie in what it reads, and inputs that lie in a target.
///
/// What cannot be looked at is left to whoever opens it. `-` is standard input among `inputs`, standard output among `targets`.
///
/// # Errors
/// [`CommandError::InputIsTarget`], [`CommandError::InputInTarget`], [`CommandError::TargetInInput`].
pub(crate) fn refuse_overlap(inputs: &[&Path], targets: &[&Path]) -> Result<()> {
    let targets: Vec<ResolvedPath> = targets.iter().map(|target| ResolvedPath::of_target(target)).collect();
    for input in inputs {
        let input = ResolvedPath::of_input(input);
        for target in &targets {
            input.refuse(target)?;
        }
    }
    Ok(())
}

/// What a path leads to, and what that lies in.
struct ResolvedPath {
    path: PathBuf,
    /// `None` if nothing is there.
    id: Option<Id>,
    is_directory: bool,
    /// The directories above it.
    above: Vec<Id>,
}

impl ResolvedPath {
    /// An input: links lead to what is read.
    fn of_input(path: &Path) -> Self {
        if path.as_os_str() == STANDARD {
            return Self::of_stream(Stream::Input);
        }
        let found = path.metadata().ok();
        let real = path.canonicalize().ok();
        ResolvedPath {
            path: path.to_path_buf(),
            is_directory: found.as_ref().is_some_and(std::fs::Metadata::is_dir),
            id: found.and_then(|found| Id::of(&found, real.as_deref())),
            above: real.as_deref().and_then(Path::parent).map_or_else(Vec::new, directories),
        }
    }

    /// A target: its own name is what is replaced, and its nearest directory that exists is where it is made.
    fn of_target(path: &Path) -> Self {
        if path.as_os_str() == STANDARD {
            return Self::of_stream(Stream::Output);
        }
        let found = path.symlink_metadata().ok();
        let mut above = path.ancestors().skip(1).map(|above| match above.as_os_str().is_empty() {
            true => Path::new("."),
            false => above,
        });
        let real_parent = above.find_map(|above| above.canonicalize().ok());
        let real = real_parent.as_deref().zip(path.file_name()).map(|(parent, name)| parent.join(name));
        ResolvedPath {
            path: path.to_path_buf(),
            is_directory: found.as_ref().is_some_and(std::fs::Metadata::is_dir),
            id: found.and_then(|found| Id::of(&found, real.as_deref())),
            above: real_parent.as_deref().map_or_else(Vec::new, directories),
        }
    }

    fn of_stream(stream: Stream) -> Self {
        let found = stream.file().and_then(|file| file.metadata().ok());
        let real = found.as_ref().filter(|found| found.is_file()).and_then(|_| stream.device().canonicalize().ok());
        ResolvedPath {
            path: PathBuf::from(stream.name()),
            // What is no file, such as a terminal, may be both at a time.
            id: found.filter(std::fs::Metadata::is_file).and_then(|found| Id::of(&found, real.as_deref())),
            is_directory: false,
            above: real.as_deref().and_then(Path::parent).map_or_else(Vec::new, directories),
        }
    }

    fn refuse(&self, target: &ResolvedPath) -> Result<(), CommandError> {
        let (input, path) = (self.path.display().to_string(), target.path.display().to_string());
        let (Some(input_id), target_id) = (&self.id, &target.id) else { return Ok(()) };
        if target_id.as_ref() == Some(input_id) {
            return Err(CommandError::InputIsTarget { path });
        }
        if target.is_directory && target_id.as_ref().is_some_and(|id| self.above.contains(id)) {
            return Err(CommandError::InputInTarget { input, target: path });
        }
        match self.is_directory && target.above.contains(input_id) {
            true => Err(CommandError::TargetInInput { input, target: path }),
            false => Ok(()),
        }
    }
}

/// A directory and all above it.
fn directories(real: &Path) -> Vec<Id> {
    let found =
        real.ancestors().map(|above| above.symlink_metadata().ok().and_then(|found| Id::of(&found, Some(above))));
    found.flatten().collect()
}

/// Identifies a file or directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Id {
    #[cfg(unix)]
    device_and_inode: (u64, u64),
    #[cfg(not(unix))]
    real: PathBuf,
}

impl Id {
    /// What lies at a path, which is not followed.
    pub(crate) fn at(path: &Path) -> Option<Self> {
        Id::of(&path.symlink_metadata().ok()?, path.canonicalize().ok().as_deref())
    }

    #[cfg(unix)]
    fn of(found: &std::fs::Metadata, _real: Option<&Path>) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;
        Some(Id { device_and_inode: (found.dev(), found.ino()) })
    }

    /// Without numbers a path without links must do.
    #[cfg(not(unix))]
    fn of(_found: &std::fs::Metadata, real: Option<&Path>) -> Option<Self> {
        real.map(|real| Id { real: real.to_path_buf() })
    }
}

/// Standard input or output.
#[derive(Clone, Copy)]
enum Stream {
    Input,
    Output,
}

impl Stream {
    fn name(self) -> &'static str {
        match self {
            Stream::Input => "standard input",
            Stream::Output => "standard output",
        }
    }

    fn device(self) -> &'static Path {
        Path::new(match self {
            Stream::Input => "/dev/stdin",
            Stream::Output => "/dev/stdout",
        })
    }

    #[cfg(unix)]
    fn file(self) -> Option<std::fs::File> {
        use std::os::fd::AsFd;
        let descriptor = match self {
            Stream::Input => std::io::stdin().as_fd().try_clone_to_owned(),
            Stream::Output => std::io::stdout().as_fd().try_clone_to_owned(),
        };
        descriptor.ok().map(std::fs::File::from)
    }

    #[cfg(not(unix))]
    fn file(self) -> Option<std::fs::File> {
        let _ = self;
        None
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn refusal(inputs: &[PathBuf], target: &Path) -> Option<String> {
        let inputs: Vec<&Path> = inputs.iter().map(PathBuf::as_path).collect();
        refuse_overlap(&inputs, &[target]).err().map(|error| error.to_string())
    }

    #[test]
    fn input_and_target_that_are_one_are_refused_by_any_name() {
        let room = tempfile::tempdir().unwrap();
        let at = |name: &str| room.path().join(name);
        fs::create_dir_all(at("dump/inner")).unwrap();
        fs::write(at("dump/inner/in.fsm"), b"x").unwrap();
        fs::write(at("file"), b"x").unwrap();
        fs::hard_link(at("file"), at("hard")).unwrap();
        symlink("file", at("soft")).unwrap();
        symlink("dump/inner", at("way")).unwrap();
        for (input, target, expected) in [
            ("file", "file", "is what is read"),
            ("hard", "file", "is what is read"),
            ("soft", "file", "is what is read"),
            ("dump/../file", "./file", "is what is read"),
            ("dump/inner/in.fsm", "dump", "lies inside"),
            ("way/in.fsm", "dump", "lies inside"),
            ("way/in.fsm", "way/../../dump", "lies inside"),
            ("dump", "dump/new", "lies inside"),
            ("dump", "dump/inner/new", "lies inside"),
            ("dump", "way/new", "lies inside"),
            ("dump", "dump/missing/new", "lies inside"),
            ("dump", "dump", "is what is read"),
        ] {
            let message = refusal(&[at(input)], &at(target)).unwrap_or_default();
            assert!(message.contains(expected), "{input} {target}: {message:?}");
        }
        for (input, target) in [
            ("file", "new"),
            ("dump", "new"),
            ("dump/inner/in.fsm", "dump/new"),
            ("missing", "file"),
            ("dump", "dump2/x"),
        ] {
            assert_eq!(refusal(&[at(input)], &at(target)), None, "{input} {target}");
        }
        assert!(refusal(&[at("dump"), at("file")], &at("file")).is_some(), "every input counts");
    }
}
