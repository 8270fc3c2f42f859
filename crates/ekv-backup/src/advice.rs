//! What to do when something else was named than a command takes.

use std::fs;
use std::path::{Component, Path};

use ekv_model::{Class, Error};
use ekv_snapshot::ErrorKind;

use crate::input_place::InputPlace;
use crate::open::kind::Kind;
use crate::rdb_error::RdbError;
use crate::server::ServerTarget;
use crate::{CommandError, shell};

/// What a command takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// A snapshot, or the data directory of a node.
    Snapshot,
    /// One of these, or a dump.
    Source,
    /// A dump: a directory or an archive.
    Dump,
    /// A dump in a directory.
    DumpDirectory,
    /// What `encode` wrote.
    Payload,
}

/// Most entries of a directory that are looked at.
const ENTRY_COUNT_MAX: usize = 10_000;

/// Says what `argument` is and which command takes it, if it is something else than what was `wanted` by the command `verb`; to be asked once
/// that failed.
///
/// Looks at its name and its first bytes, or at the names in a directory. `None` if it seems to be what was wanted, or nobody knows what it is.
pub fn advice(argument: &Path, wanted: Wanted, verb: &str) -> Option<String> {
    if ServerTarget::address_in(argument).is_some() {
        let is_source = matches!(wanted, Wanted::Snapshot | Wanted::Source);
        let server = shell::path(argument);
        return (!is_source)
            .then(|| format!("make a dump of what the server holds first: ekv-backup decode {server} DUMP"));
    }
    // What is wrong with an object was said.
    if matches!(InputPlace::of(argument), Ok(InputPlace::Object)) {
        return None;
    }
    if let Some(advice) = name_advice(argument) {
        return Some(advice);
    }
    match InputPlace::of(argument).ok()? {
        InputPlace::Directory => return of_directory(argument, wanted, verb),
        InputPlace::StandardInput | InputPlace::Stream | InputPlace::Object => return None,
        InputPlace::File => {}
    }
    let name = shell::path(argument);
    let (kind, is_in_zstd) = Kind::of_file(argument)?;
    if let (Kind::Zip, true) = (kind, is_in_zstd) {
        return Some(format!("{name} is {} inside of zstd: take out what is in it first", noun(kind)));
    }
    if let (Kind::Compressed(..) | Kind::Zip, Wanted::DumpDirectory | Wanted::Payload) = (kind, wanted) {
        return Some(format!("{name} is {}: take out what is in it first", noun(kind)));
    }
    if let Kind::Compressed(program, command) = kind {
        let (what, unpacked) = match is_in_zstd {
            true => (format!("{} inside of zstd", noun(kind)), format!("zstd -dc {name} | {command}")),
            false => (noun(kind), format!("{command} {name}")),
        };
        let pipe = format!("{unpacked} | {}", from_standard_input(verb));
        return Some(match (wanted, is_archive_name(argument)) {
            (Wanted::Snapshot | Wanted::Source, true) => format!(
                "{name} is {what}, and an archive by its name: if it holds snapshots or a data directory, unpack it first: {}; if it is a \
                 dump: {unpacked} | ekv-backup verify -",
                tar_command(program, is_in_zstd, &unpacked, &name)
            ),
            (Wanted::Snapshot | Wanted::Source, false) => format!("{name} is {what}: {pipe}"),
            _ => format!("{name} is {what}: {pipe}, if it is an archive of a dump"),
        });
    }
    match wanted {
        Wanted::Source if kind == Kind::Tar => Some(what_else(&name)),
        Wanted::Snapshot | Wanted::Source => foreign_snapshot(kind, &name, verb),
        // What is wrong with it was said.
        Wanted::Dump if kind == Kind::Rdb && ["encode", "restore"].contains(&verb) => None,
        Wanted::Dump => foreign_dump(kind, &name),
        Wanted::DumpDirectory if kind == Kind::Tar => {
            Some(format!("{name} is an archive: ekv-backup unpack {name} DUMP makes a directory of it"))
        }
        Wanted::DumpDirectory => foreign_dump(kind, &name),
        Wanted::Payload => match kind {
            Kind::Snapshot if !crate::restore::EncodeInfo::path_beside(argument).exists() => Some(format!(
                "if {name} is a snapshot of a server, make a dump of it first: ekv-backup decode {name} DUMP; then: ekv-backup restore DUMP \
                 DATA_DIR"
            )),
            Kind::Tar => Some(format!("if {name} is the archive of a dump: ekv-backup restore {name} DATA_DIR")),
            Kind::Rdb | Kind::Json => Some(format!("{name} is {}, not what 'ekv-backup encode' wrote", noun(kind))),
            _ => None,
        },
    }
}

/// Says what to do about a snapshot of which an error says that it is damaged; `None` for any other error.
pub fn damage_advice(error: &Error) -> Option<&'static str> {
    let is_damaged = match (error.get_ref().downcast_ref::<ekv_snapshot::Error>(), error.get_ref().downcast_ref()) {
        (Some(error), _) => error.class() == Class::Data && !is_foreign(error.kind()),
        (_, Some(CommandError::Cut { .. } | CommandError::NoDataUnproven { .. })) => true,
        _ => false,
    };
    if error.get_ref().downcast_ref().is_some_and(RdbError::is_damage) {
        return Some(
            "copy it again and compare; if it is damaged where it comes from, have the server save another one (BGSAVE)",
        );
    }
    is_damaged.then_some(
        "copy it again and compare; if it is damaged where it comes from, use an older snapshot, or that of another node of the cluster",
    )
}

/// Whether a file is no snapshot that this tool could read, damaged or not, or larger than was asked for.
fn is_foreign(kind: &ErrorKind) -> bool {
    matches!(kind, ErrorKind::UnknownMagic { .. } | ErrorKind::HeaderVersion { .. } | ErrorKind::LimitExceeded { .. })
}

/// Says what to do with a name that is none of a file: a URL, or `~` that no shell replaced.
pub fn name_advice(argument: &Path) -> Option<String> {
    let text = argument.to_str()?;
    if let Some((scheme, rest)) = text.split_once("://") {
        let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+.-".contains(c));
        if !is_scheme || rest.is_empty() || argument.exists() {
            return None;
        }
        let url = shell::quote(argument.as_os_str());
        return Some(match scheme.to_ascii_lowercase().as_str() {
            "redis" | "rediss" => format!("a running server is written to by load: ekv-backup load SOURCE {url}"),
            "s3" => format!("this does not go to an object store: write a file, and copy it: aws s3 cp FILE {url}"),
            "gs" => format!(
                "files are read and written, not URLs; through a pipe: gcloud storage cat {url} | ekv-backup COMMAND - …"
            ),
            "http" | "https" | "ftp" => {
                format!(
                    "files are read and written, not URLs; through a pipe: curl -fsS {url} | ekv-backup COMMAND - …"
                )
            }
            _ => "files are read and written, not URLs; through a pipe: … | ekv-backup COMMAND - …".to_owned(),
        });
    }
    let first = argument.components().next();
    let is_tilde = first.is_some_and(|first| matches!(first, Component::Normal(name) if name == "~"));
    (is_tilde && !Path::new("~").exists()).then(|| {
        "the shell replaces ~ only outside of quotes and at the beginning of a word: write \"$HOME\" instead".to_owned()
    })
}

/// How a command is written that reads standard input.
fn from_standard_input(verb: &str) -> String {
    let target = match verb {
        "decode" | "unpack" => " DUMP",
        "encode" => " SNAPSHOT",
        "restore" => " DATA_DIR …",
        _ => "",
    };
    format!("ekv-backup {verb} -{target}")
}

/// Whether a compressed file has the name of a tar.
fn is_archive_name(path: &Path) -> bool {
    const ENDINGS: [&[u8]; 8] = [b".tgz", b".taz", b".txz", b".tlz", b".tbz", b".tbz2", b".tb2", b".tzst"];
    let name = path.file_name().map(|name| name.as_encoded_bytes().to_ascii_lowercase()).unwrap_or_default();
    let stem = name.rsplitn(2, |byte| *byte == b'.').nth(1);
    ENDINGS.iter().any(|ending| name.ends_with(ending)) || stem.is_some_and(|stem| stem.ends_with(b".tar"))
}

/// The command that unpacks a compressed tar.
fn tar_command(program: &str, is_in_zstd: bool, unpacked: &str, name: &str) -> String {
    match program {
        "gzip" if !is_in_zstd => format!("tar -xzf {name}"),
        "xz" if !is_in_zstd => format!("tar -xJf {name}"),
        "bzip2" if !is_in_zstd => format!("tar -xjf {name}"),
        _ => format!("{unpacked} | tar -xf -"),
    }
}

fn noun(kind: Kind) -> String {
    match kind {
        Kind::Snapshot => "a snapshot of elastickv".to_owned(),
        Kind::Tar => "a tar archive".to_owned(),
        Kind::Compressed(program, _) => format!("compressed with {program}"),
        Kind::Zip => "a zip archive".to_owned(),
        Kind::Rdb => "an RDB file of a Redis or Valkey server".to_owned(),
        Kind::Json => "JSON text".to_owned(),
        Kind::Zstd => "compressed with zstd".to_owned(),
    }
}

fn foreign_snapshot(kind: Kind, name: &str, verb: &str) -> Option<String> {
    let noun = noun(kind);
    match kind {
        // What is compressed was told before.
        Kind::Snapshot | Kind::Zstd | Kind::Compressed(..) => None,
        Kind::Zip => {
            let command = from_standard_input(verb);
            Some(format!("{name} is {noun}: unzip -p {name} | {command}, if it holds one file"))
        }
        Kind::Tar => Some(format!(
            "{name} is {noun}: if it is a dump, ekv-backup verify {name}; if it holds snapshots or a data directory, unpack it first: tar -xf {name}"
        )),
        Kind::Rdb => None,
        Kind::Json => Some(format!(
            "{name} is {noun}: if it is a file of a dump, give the directory of the dump to ekv-backup encode or restore"
        )),
    }
}

fn foreign_dump(kind: Kind, name: &str) -> Option<String> {
    let noun = noun(kind);
    match kind {
        Kind::Tar | Kind::Zstd | Kind::Compressed(..) => None,
        Kind::Snapshot => Some(format!(
            "{name} is {noun}, not a dump: ekv-backup decode {name} DUMP makes one of it, ekv-backup inspect {name} checks it"
        )),
        Kind::Zip => Some(format!("{name} is {noun}: unzip it, and name the directory")),
        Kind::Rdb => Some(format!("{name} is {noun}, not a dump: ekv-backup decode {name} DUMP makes one of it")),
        Kind::Json => Some(format!("{name} is {noun}: if it is a file of a dump, name the directory of the dump")),
    }
}

/// What else there is to know of a dump in which something is wrong.
fn what_else(name: &str) -> String {
    format!("ekv-backup verify {name} checks all of the dump")
}

fn of_directory(directory: &Path, wanted: Wanted, verb: &str) -> Option<String> {
    let name = shell::path(directory);
    let has = |entry: &str| directory.join(entry).exists();
    let is_dump = has("MANIFEST.json") && has("CHECKSUMS");
    let is_data_directory = || has("fsm-snap") || has("snap") || ekv_node::datadir::groups(directory).is_ok();
    match wanted {
        Wanted::Source if is_dump => Some(what_else(&name)),
        Wanted::Snapshot if is_dump && verb == "inspect" => Some(format!(
            "{name} is a dump: ekv-backup report {name} says what is in it, ekv-backup verify {name} checks it"
        )),
        Wanted::Snapshot | Wanted::Payload if is_dump => Some(format!(
            "{name} is a dump: ekv-backup verify {name} checks it, ekv-backup restore {name} DATA_DIR makes a node of it, ekv-backup encode {name} \
             SNAPSHOT a payload"
        )),
        Wanted::Dump | Wanted::DumpDirectory if is_dump => None,
        Wanted::Dump | Wanted::DumpDirectory if is_data_directory() => Some(format!(
            "{name} is the data directory of a node, not a dump: ekv-backup decode {name} DUMP makes one of it"
        )),
        Wanted::Snapshot | Wanted::Source if is_data_directory() => None,
        _ => {
            let example = a_snapshot_in(directory)?;
            Some(format!(
                "{name} holds snapshots outside of a data directory: name one of them, such as in ekv-backup decode {} DUMP",
                shell::path(&example)
            ))
        }
    }
}

/// The last snapshot by name among the entries of a directory.
fn a_snapshot_in(directory: &Path) -> Option<std::path::PathBuf> {
    let entries = fs::read_dir(directory).ok()?.take(ENTRY_COUNT_MAX).filter_map(Result::ok).map(|entry| entry.path());
    let is_snapshot = |path: &std::path::PathBuf| {
        let name = path.file_name().map(|name| name.as_encoded_bytes().to_ascii_lowercase()).unwrap_or_default();
        name.ends_with(b".fsm") || name.ends_with(b".fsm.zst")
    };
    entries.filter(is_snapshot).max()
}

/// What a stream with these first bytes is that was given as a snapshot, if it is none: it cannot be looked at a second time.
pub(crate) fn of_stream(first: &[u8]) -> Option<String> {
    match Kind::of(first)? {
        Kind::Snapshot | Kind::Zstd => None,
        kind @ Kind::Compressed(_, command) => {
            Some(format!("it is {}: put {command} before ekv-backup in the pipe", noun(kind)))
        }
        Kind::Tar => Some(
            "it is a tar archive, not a snapshot of elastickv: if it holds snapshots or a data directory, unpack it first: … | tar -xf -; if it is \
             a dump, put ekv-backup verify - behind the pipe"
                .to_owned(),
        ),
        kind => Some(format!("it is {}, not a snapshot of elastickv", noun(kind))),
    }
}
