//! Where a dump goes, as the command line names it.

use std::io::{self, IsTerminal, Write};
use std::path::Path;

use ekv_backup::{Class, Compression, DirOptions, DumpTarget, Error, ExistingTarget, NewName, Resources, ZstdLevel};

use crate::args::{CompressionArguments, CompressionRule, FsyncRule, LimitArguments};
use crate::commands::fsync;

/// The argument that means standard output.
const STANDARD_OUTPUT: &str = "-";

/// Whether an argument means standard output.
pub(crate) fn is_standard_output(path: &Path) -> bool {
    path.as_os_str() == STANDARD_OUTPUT
}

/// The compression that a name says; `None` if it is not that of an archive.
fn by_name(path: &Path) -> Option<CompressionRule> {
    let name = path.file_name()?.as_encoded_bytes().to_ascii_lowercase();
    match name {
        name if name.ends_with(b".tar") => Some(CompressionRule::None),
        name if name.ends_with(b".tar.zst") || name.ends_with(b".tzst") => Some(CompressionRule::Zstd),
        _ => None,
    }
}

fn compression(rule: CompressionRule, level: u8) -> Compression {
    match rule {
        CompressionRule::None => Compression::None,
        CompressionRule::Zstd => Compression::Zstd(ZstdLevel::new(level).unwrap_or_default()),
    }
}

/// A name that is to be given, from the options that all commands have for it.
pub(crate) fn new_name(path: &Path, force: bool, rule: FsyncRule, parents: bool) -> NewName {
    let existing = if force { ExistingTarget::Replace } else { ExistingTarget::Refuse };
    NewName { publication: DirOptions { existing, fsync: fsync(rule) }, parents, ..NewName::new(path) }
}

/// An archive or a directory: what the name says, unless a compression is asked for.
pub(crate) fn dump(name: NewName, arguments: CompressionArguments) -> Result<DumpTarget, Error> {
    let CompressionArguments { compression: asked, level } = arguments;
    if is_standard_output(&name.path) {
        return stream(compression(asked.unwrap_or(CompressionRule::None), level));
    }
    Ok(match asked.or_else(|| by_name(&name.path)) {
        Some(rule) => DumpTarget::Archive(name, compression(rule, level)),
        None => DumpTarget::Directory(name),
    })
}

/// An archive, compressed unless its name or an option says something else.
pub(crate) fn archive(name: NewName, arguments: CompressionArguments) -> Result<DumpTarget, Error> {
    let CompressionArguments { compression: asked, level } = arguments;
    let rule = asked.or_else(|| by_name(&name.path)).unwrap_or(CompressionRule::Zstd);
    match is_standard_output(&name.path) {
        true => stream(compression(rule, level)),
        false => Ok(DumpTarget::Archive(name, compression(rule, level))),
    }
}

fn stream(compression: Compression) -> Result<DumpTarget, Error> {
    if io::stdout().is_terminal() {
        return Err(Error::new(
            Class::Environment,
            "an archive is not for a terminal: redirect standard output to a file or a pipe",
        ));
    }
    Ok(DumpTarget::Stream { output: standard_output(), name: "standard output".to_owned(), compression })
}

/// Standard output without the line buffer of the library.
#[cfg(unix)]
fn standard_output() -> Box<dyn Write + Send> {
    use std::os::fd::AsFd;
    match io::stdout().as_fd().try_clone_to_owned() {
        Ok(descriptor) => Box::new(std::fs::File::from(descriptor)),
        Err(_) => Box::new(io::stdout()),
    }
}

/// Standard output.
#[cfg(not(unix))]
fn standard_output() -> Box<dyn Write + Send> {
    Box::new(io::stdout())
}

/// What reading may take.
pub(crate) fn resources(arguments: &LimitArguments) -> Resources {
    Resources {
        entries_max: arguments.max_entries,
        bytes_max: arguments.max_bytes,
        expansion_max: arguments.max_expansion,
        scratch_dir: arguments.scratch_dir.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_a_target_is_unless_a_compression_is_asked_for() {
        let zstd = Compression::Zstd(ZstdLevel::new(7).unwrap());
        let (none, asked) = (Some(CompressionRule::None), Some(CompressionRule::Zstd));
        let cases = [
            ("dump", None, None, zstd),
            ("d.tar", None, Some(Compression::None), Compression::None),
            ("d.TAR.ZST", None, Some(zstd), zstd),
            ("d.tzst", None, Some(zstd), zstd),
            ("d.zst", None, None, zstd),
            ("dump", none, Some(Compression::None), Compression::None),
            ("dump", asked, Some(zstd), zstd),
            ("d.tar.zst", none, Some(Compression::None), Compression::None),
        ];
        let found = |target| match target {
            DumpTarget::Archive(_, compression) => Some(compression),
            _ => None,
        };
        for (path, compression, of_dump, of_archive) in cases {
            let arguments = CompressionArguments { compression, level: 7 };
            assert_eq!(found(dump(NewName::new(path), arguments).unwrap()), of_dump, "{path}");
            assert_eq!(found(archive(NewName::new(path), arguments).unwrap()), Some(of_archive), "{path}");
        }
    }
}
