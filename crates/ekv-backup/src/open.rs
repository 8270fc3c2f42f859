//! From what a user names to something readable: a file, standard input, a pipe, a compressed file, or a data directory.

pub(crate) mod kind;
mod spooled;

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use ekv_files::compressed::Beginning;
use ekv_model::Monitor;
use ekv_node::datadir::{self, GroupDir};
use ekv_node::offload::StoreSelection;
use ekv_snapshot::{Error, FooterPolicy, Input, Result};
use ekv_spill::Scratch;

use crate::Resources;
use crate::input_place::{InputPlace, STANDARD_INPUT, open_stream};
use spooled::Spooling;
pub(crate) use spooled::{too_many_bytes, too_many_keys};

/// Folder of the snapshot files in a data directory; every file in it ends with a checksum footer.
pub(crate) const FSM_FOLDER: &str = "fsm-snap";

/// What a command-line argument turned out to be.
pub enum Opened {
    /// One snapshot.
    Snapshot(OpenedSnapshot),
    /// The server's offload store, or a part of one.
    OffloadStore(StoreSelection),
    /// A data directory with the Raft groups of one node; `candidates` of each offers its snapshots.
    DataDirectory(Vec<GroupDir>),
}

/// One snapshot, open and not yet checked.
pub struct OpenedSnapshot {
    /// The bytes, decompressed if they were compressed.
    pub input: Input,
    /// Raft index in the file name (`docs/format/tree.md`, section 6.1).
    pub snapshot_index: Option<u64>,
    /// Whether the bytes were compressed with zstd.
    pub was_compressed: bool,
}

/// Opens what `argument` names: a regular file, `-` or a pipe for a stream, or a directory.
///
/// Streams and compressed bytes are first copied to a scratch file without a name, because snapshots are read by position; nothing is kept of
/// what does not begin like a snapshot. The checksum footer is required for a file in a folder `fsm-snap` and optional otherwise
/// (`docs/format/snapshot.md`, section 3.2). `monitor` learns how many bytes were copied.
///
/// Cost: a small buffer; with compressed input a window of at most 128 MiB. Scratch space for the copy, as much as `resources` allow.
///
/// # Errors
/// `Io`, `NotFound` for something that is neither a regular file nor a directory with snapshots, `Ambiguous`,
/// `Invalid` or `UnsupportedForm` for a damaged or too demanding compressed stream, `LimitExceeded`, `Scratch`, or the error of `monitor`.
pub fn open(
    argument: &Path,
    resources: &Resources,
    scratch: &Arc<dyn Scratch>,
    monitor: &dyn Monitor,
) -> Result<Opened> {
    let spooling = Spooling { resources, scratch, monitor, is_other: false };
    let place = InputPlace::of(argument);
    if let (Ok(InputPlace::Directory | InputPlace::File), Some(place)) = (&place, StoreSelection::of(argument)) {
        return Ok(Opened::OffloadStore(place));
    }
    match place {
        Ok(InputPlace::Directory) => datadir::groups(argument).map(Opened::DataDirectory),
        Ok(InputPlace::StandardInput) => {
            spool(std::io::stdin().lock(), STANDARD_INPUT, &spooling).map(Opened::Snapshot)
        }
        Ok(InputPlace::Stream | InputPlace::Object) => {
            let name = argument.display().to_string();
            let stream = open_stream(argument).map_err(|e| Error::io("open the file", e).in_file(&name))?;
            spool(stream, &name, &spooling).map(Opened::Snapshot)
        }
        Ok(InputPlace::File) | Err(_) => open_file(argument, &spooling).map(Opened::Snapshot),
    }
}

/// Keeps a stream, which messages call `name`, in a scratch file.
///
/// # Errors
/// As [`open`].
pub(crate) fn open_snapshot_stream(
    stream: impl Read,
    name: &str,
    resources: &Resources,
    scratch: &Arc<dyn Scratch>,
    monitor: &dyn Monitor,
) -> Result<OpenedSnapshot> {
    spool(stream, name, &Spooling { resources, scratch, monitor, is_other: false })
}

/// Opens a file of another kind, which may be compressed.
///
/// # Errors
/// As [`open`], but for its content.
pub(crate) fn open_other(
    path: &Path,
    resources: &Resources,
    scratch: &Arc<dyn Scratch>,
    monitor: &dyn Monitor,
) -> Result<Input> {
    open_file(path, &Spooling { resources, scratch, monitor, is_other: true }).map(|opened| opened.input)
}

/// Keeps a file of another kind that comes as a stream, as [`open_snapshot_stream`] does a snapshot.
///
/// # Errors
/// As [`open`], but for its content.
pub(crate) fn open_other_stream(
    stream: impl Read,
    name: &str,
    resources: &Resources,
    scratch: &Arc<dyn Scratch>,
    monitor: &dyn Monitor,
) -> Result<Input> {
    spool(stream, name, &Spooling { resources, scratch, monitor, is_other: true }).map(|opened| opened.input)
}

fn open_file(path: &Path, spooling: &Spooling<'_>) -> Result<OpenedSnapshot> {
    let input = Input::open(path, footer_policy(path))?;
    let mut first = [0; 4];
    input.fill_at(0, &mut first)?;
    let Some(beginning) = Beginning::of(&first) else {
        return Ok(OpenedSnapshot { input, snapshot_index: datadir::snapshot_index(path), was_compressed: false });
    };
    let decompressed = spooling.decompress(input.reader(0, input.len), beginning, &input.name)?;
    let input = Input { footer: input.footer, ..decompressed };
    let uncompressed_name = path.extension().filter(|extension| *extension == "zst").map(|_| path.with_extension(""));
    let snapshot_index = uncompressed_name.as_deref().and_then(datadir::snapshot_index);
    Ok(OpenedSnapshot { input, snapshot_index, was_compressed: true })
}

/// Keeps a stream that messages call `name`.
fn spool(mut stream: impl Read, name: &str, spooling: &Spooling<'_>) -> Result<OpenedSnapshot> {
    let mut first = Vec::new();
    let head = stream.by_ref().take(4).read_to_end(&mut first);
    head.map_err(|e| spooled::read_error(e, name))?;
    let beginning = Beginning::of(&first);
    let whole = first.as_slice().chain(stream);
    let input = match beginning {
        Some(beginning) => spooling.decompress(whole, beginning, name)?,
        None => spooling.copy(whole, name)?,
    };
    Ok(OpenedSnapshot { input, snapshot_index: None, was_compressed: beginning.is_some() })
}

/// Files of a data directory end with a footer, wherever a link to them lies.
pub(crate) fn footer_policy(path: &Path) -> FooterPolicy {
    let in_fsm_folder = |path: &Path| path.parent().and_then(Path::file_name).is_some_and(|name| name == FSM_FOLDER);
    let canonical = path.canonicalize().is_ok_and(|path| in_fsm_folder(&path));
    let absolute = std::path::absolute(path).is_ok_and(|path| in_fsm_folder(&path));
    if canonical || absolute { FooterPolicy::Required } else { FooterPolicy::Optional }
}

#[cfg(test)]
mod tests;
