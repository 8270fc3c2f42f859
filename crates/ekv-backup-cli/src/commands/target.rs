//! Where a dump goes, as the command line names it.

use std::io::{self, IsTerminal};
use std::path::Path;

use ekv_backup::{
    Class, Compression, DirOptions, DumpTarget, Error, ExistingTarget, NewName, ObjectName, Resources, ZstdLevel,
    name_advice,
};
use ekv_text::Shown;

use crate::args::{CompressionArguments, CompressionRule, FsyncRule, LimitArguments};
use crate::commands::fsync;
use crate::output::{refuse_nowhere, standard_output};

/// The argument that means standard output.
const STANDARD_OUTPUT: &str = "-";

/// Whether an argument means standard output.
pub(crate) fn is_standard_output(path: &Path) -> bool {
    path.as_os_str() == STANDARD_OUTPUT
}

/// Endings of archives that are written, in lower case.
const ARCHIVES: [(&str, CompressionRule); 3] =
    [(".tar", CompressionRule::None), (".tar.zst", CompressionRule::Zstd), (".tzst", CompressionRule::Zstd)];

/// Endings by which people and programs know an archive or a compressed file of another kind, in lower case.
const OTHER_ARCHIVES: [&str; 24] = [
    ".gz", ".tgz", ".taz", ".xz", ".txz", ".lzma", ".tlz", ".bz2", ".tbz", ".tbz2", ".tb2", ".lz", ".lz4", ".lzo",
    ".br", ".z", ".zst", ".zstd", ".zip", ".7z", ".rar", ".cpio", ".jar", ".war",
];

/// Endings of snapshots and payloads.
const SNAPSHOTS: [&str; 1] = [".fsm"];

/// What the ending of a name promises.
enum Ending {
    /// An archive that this program writes.
    Archive(CompressionRule),
    /// An archive or a compressed file of another kind.
    OtherArchive(&'static str),
    /// A snapshot.
    Snapshot(&'static str),
    /// Nothing.
    None,
}

impl Ending {
    /// Of a path; one that ends in a slash names a directory, whatever comes before.
    fn of(path: &Path) -> Self {
        let is_directory =
            path.as_os_str().as_encoded_bytes().last().is_some_and(|byte| std::path::is_separator(char::from(*byte)));
        let Some(name) = path.file_name().filter(|_| !is_directory) else { return Ending::None };
        let name = name.as_encoded_bytes().to_ascii_lowercase();
        let ends = |ending: &str| name.ends_with(ending.as_bytes());
        if let Some((_, rule)) = ARCHIVES.into_iter().find(|(ending, _)| ends(ending)) {
            return Ending::Archive(rule);
        }
        let other = OTHER_ARCHIVES.into_iter().find(|ending| ends(ending)).map(Ending::OtherArchive);
        other
            .or_else(|| SNAPSHOTS.into_iter().find(|ending| ends(ending)).map(Ending::Snapshot))
            .unwrap_or(Ending::None)
    }
}

/// Refuses the name of standard output where none is written to.
fn check_is_not_standard_output(path: &Path) -> Result<(), Error> {
    match is_standard_output(path) {
        true => Err(misleading(
            path,
            format_args!("this does not go to standard output: name a place (or ./- for one of this name)"),
        )),
        false => Ok(()),
    }
}

/// Refuses a URL, and `~` that no shell replaced: a directory with such a name is never what was meant.
fn check_is_file_name(path: &Path) -> Result<(), Error> {
    name_advice(path).map_or(Ok(()), |advice| Err(misleading(path, format_args!("{advice}"))))
}

/// The compression that a name says; `None` if it is not that of an archive.
fn by_name(path: &Path) -> Result<Option<CompressionRule>, Error> {
    match Ending::of(path) {
        Ending::Archive(rule) => Ok(Some(rule)),
        Ending::OtherArchive(ending) => Err(misleading(
            path,
            format_args!(
                "{ending} is the ending of an archive that is not written; these are: .tar, .tar.zst and .tzst (or any name with \
                 --compression zstd or none)"
            ),
        )),
        Ending::Snapshot(ending) => Err(misleading(
            path,
            format_args!("{ending} is the ending of a snapshot, and a dump is none: choose another name"),
        )),
        Ending::None => Ok(None),
    }
}

/// Refuses a name for a directory that promises an archive or a snapshot.
pub(crate) fn check_directory_name(path: &Path) -> Result<(), Error> {
    check_is_not_standard_output(path)?;
    check_is_file_name(path)?;
    match Ending::of(path) {
        Ending::None => Ok(()),
        _ => Err(misleading(
            path,
            format_args!(
                "its ending is that of a file, but a directory would be made there; a slash at the end of the name says that this is meant"
            ),
        )),
    }
}

/// Refuses a name for a page that is none of a file.
pub(crate) fn check_page_name(path: &Path) -> Result<(), Error> {
    check_is_not_standard_output(path)?;
    check_is_file_name(path)
}

/// Refuses a name for a payload that promises something else than its bytes.
pub(crate) fn check_payload_name(path: &Path) -> Result<(), Error> {
    check_is_not_standard_output(path)?;
    check_is_file_name(path)?;
    match Ending::of(path) {
        Ending::Archive(_) | Ending::OtherArchive(_) => Err(misleading(
            path,
            format_args!(
                "a payload is neither compressed nor an archive: end its name in .fsm, and compress it afterwards if it shall be kept"
            ),
        )),
        Ending::Snapshot(_) | Ending::None => Ok(()),
    }
}

fn misleading(path: &Path, why: std::fmt::Arguments<'_>) -> Error {
    Error::new(Class::Environment, format!("{}: {why}", Shown(path.as_os_str().as_encoded_bytes())))
}

/// What the options of compression do at a target that nobody may expect.
pub(crate) fn compression_notes(arguments: CompressionArguments, target: &DumpTarget) -> Vec<String> {
    let (path, compression) = match target {
        DumpTarget::Directory(name) => (name.path.as_path(), None),
        DumpTarget::Archive(name, compression) => (name.path.as_path(), Some(compression)),
        DumpTarget::Object(name, compression) => (Path::new(&name.url.key), Some(compression)),
        DumpTarget::Stream { compression, .. } => (Path::new(STANDARD_OUTPUT), Some(compression)),
        DumpTarget::DryRun(target) => return compression_notes(arguments, target),
    };
    let is_compressed = matches!(compression, Some(Compression::Zstd(_)));
    let mut notes = Vec::new();
    if arguments.level.is_some() && !is_compressed {
        let what = if compression.is_some() { "an archive that is not compressed" } else { "a directory" };
        notes.push(format!("--level has no effect on {what}"));
    }
    let name = path.display();
    match (compression.is_some(), Ending::of(path), is_compressed) {
        (true, Ending::Archive(CompressionRule::Zstd), false) => {
            notes.push(format!("{name} is not compressed, as asked for, although its name says that it is"));
        }
        (true, Ending::Archive(CompressionRule::None), true) => {
            notes.push(format!("{name} is compressed, as asked for, although its name does not say so"));
        }
        (true, Ending::None, true) if arguments.compression.is_none() && !is_standard_output(path) => {
            notes.push(format!(
                "{name} is compressed with zstd, which its name does not say: .tar.zst at its end would"
            ));
        }
        _ => {}
    }
    notes
}

fn compression(rule: CompressionRule, level: Option<u8>) -> Compression {
    match rule {
        CompressionRule::None => Compression::None,
        CompressionRule::Zstd => Compression::Zstd(level.and_then(ZstdLevel::new).unwrap_or_default()),
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
    if let Some(object) = object(&name, arguments)? {
        return Ok(object);
    }
    check_is_file_name(&name.path)?;
    if is_standard_output(&name.path) {
        return stream(compression(asked.unwrap_or(CompressionRule::None), level));
    }
    let rule = match asked {
        Some(rule) => Some(rule),
        None => by_name(&name.path)?,
    };
    Ok(match rule {
        Some(rule) => DumpTarget::Archive(name, compression(rule, level)),
        None => DumpTarget::Directory(name),
    })
}

/// The target, or nothing in its place.
pub(crate) fn unless_dry(target: DumpTarget, dry_run: bool) -> DumpTarget {
    if dry_run { DumpTarget::DryRun(Box::new(target)) } else { target }
}

/// An archive, compressed unless its name or an option says something else.
pub(crate) fn archive(name: NewName, arguments: CompressionArguments) -> Result<DumpTarget, Error> {
    let CompressionArguments { compression: asked, level } = arguments;
    if let Some(object) = object(&name, arguments)? {
        return Ok(object);
    }
    check_is_file_name(&name.path)?;
    let rule = match asked {
        Some(rule) => rule,
        None => by_name(&name.path)?.unwrap_or(CompressionRule::Zstd),
    };
    match is_standard_output(&name.path) {
        true => stream(compression(rule, level)),
        false => Ok(DumpTarget::Archive(name, compression(rule, level))),
    }
}

/// An archive that becomes an object of a store, if the name is that of one.
fn object(name: &NewName, arguments: CompressionArguments) -> Result<Option<DumpTarget>, Error> {
    let object = ObjectName::of(&name.path).map_err(|error| Error::new(Class::Environment, error))?;
    let Some(object) = object else { return Ok(None) };
    let rule = match arguments.compression {
        Some(rule) => rule,
        None => by_name(&name.path)?.unwrap_or(CompressionRule::Zstd),
    };
    let object = ObjectName { existing: name.publication.existing, ..object };
    Ok(Some(DumpTarget::Object(object, compression(rule, arguments.level))))
}

fn stream(compression: Compression) -> Result<DumpTarget, Error> {
    if io::stdout().is_terminal() {
        return Err(Error::new(
            Class::Environment,
            "an archive is not for a terminal: redirect standard output to a file or a pipe",
        ));
    }
    refuse_nowhere("archive")?;
    let output = standard_output().map_err(|error| Error::new(Class::Environment, error))?;
    Ok(DumpTarget::Stream { output: Box::new(output), name: "standard output".to_owned(), compression })
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
            ("d.tar/", None, None, zstd),
            ("dump-2026.11", None, None, zstd),
            ("d.zip", none, Some(Compression::None), Compression::None),
            ("d.fsm", asked, Some(zstd), zstd),
            ("dump", none, Some(Compression::None), Compression::None),
            ("dump", asked, Some(zstd), zstd),
            ("d.tar.zst", none, Some(Compression::None), Compression::None),
        ];
        let found = |target| match target {
            DumpTarget::Archive(_, compression) => Some(compression),
            _ => None,
        };
        for (path, compression, of_dump, of_archive) in cases {
            let arguments = CompressionArguments { compression, level: Some(7) };
            assert_eq!(found(dump(NewName::new(path), arguments).unwrap()), of_dump, "{path}");
            assert_eq!(found(archive(NewName::new(path), arguments).unwrap()), Some(of_archive), "{path}");
        }
    }

    #[test]
    fn ending_that_promises_something_else_is_refused_whatever_its_letter_case() {
        let arguments = CompressionArguments { compression: None, level: None };
        let wrong = [
            "d.tar.gz",
            "d.TGZ",
            "d.tar.xz",
            "d.txz",
            "d.tar.bz2",
            "d.tar.Zstd",
            "d.zip",
            "d.7z",
            "d.gz",
            "d.zst",
            "d.xz",
            "d.fsm",
        ];
        for path in wrong {
            for made in [dump(NewName::new(path), arguments), archive(NewName::new(path), arguments)] {
                let error = made.map(drop).unwrap_err();
                assert_eq!(error.class(), Class::Environment, "{path}");
            }
            assert!(check_directory_name(path.as_ref()).is_err(), "{path}");
            assert!(check_directory_name(format!("{path}/").as_ref()).is_ok(), "{path}");
        }
        for path in ["n1", "/data/n1/group-2", "dump.d", ".", "/"] {
            assert!(check_directory_name(path.as_ref()).is_ok(), "{path}");
        }
        for (path, is_right) in
            [("x.fsm", true), ("x", true), ("x.fsm.zst", false), ("x.fsm.gz", false), ("x.tar", false)]
        {
            assert_eq!(check_payload_name(path.as_ref()).is_ok(), is_right, "{path}");
        }
    }
}
