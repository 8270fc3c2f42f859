//! From what a user names to something readable: a file, standard input, a compressed file, or a data directory.

mod spooled;
#[cfg(feature = "zstd")]
mod zstd_stream;

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use ekv_snapshot::datadir::{self, GroupDir};
use ekv_snapshot::{Error, ErrorKind, FooterPolicy, Input, Result, Watch};
use ekv_spill::Scratch;

/// How messages name standard input.
const STANDARD_INPUT: &str = "standard input";
/// The argument that means standard input.
const STANDARD_INPUT_ARGUMENT: &str = "-";
/// Folder of the snapshot files in a data directory; every file in it ends with a checksum footer.
const FSM_FOLDER: &str = "fsm-snap";

/// What a command-line argument turned out to be.
pub enum Opened {
    /// One snapshot.
    Snapshot(OpenedSnapshot),
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

/// Opens what `argument` names: a regular file, `-` for standard input, or a directory.
///
/// Standard input and compressed bytes are first copied to a scratch file without a name, because snapshots are read by
/// position. The checksum footer is required for a file in a folder `fsm-snap` and optional otherwise
/// (`docs/format/snapshot.md`, section 3.2). `watch` learns how many bytes were copied.
///
/// Cost: a small buffer; with compressed input a window of at most 128 MiB. Scratch space for the copy.
///
/// # Errors
/// `Io`, `NotFound` for something that is neither a regular file nor a directory with snapshots and for empty standard input, `Ambiguous`, `Invalid` for a
/// damaged or too demanding compressed stream, `Scratch`, or the error of `watch`.
pub fn open(argument: &Path, scratch: &Arc<dyn Scratch>, watch: &dyn Watch) -> Result<Opened> {
    if argument.as_os_str() == STANDARD_INPUT_ARGUMENT {
        return open_stream(std::io::stdin().lock(), scratch, watch).map(Opened::Snapshot);
    }
    if argument.is_dir() {
        return datadir::groups(argument).map(Opened::DataDirectory);
    }
    open_file(argument, scratch, watch).map(Opened::Snapshot)
}

fn open_file(path: &Path, scratch: &Arc<dyn Scratch>, watch: &dyn Watch) -> Result<OpenedSnapshot> {
    let input = Input::open(path, footer_policy(path))?;
    let mut first = [0; 4];
    input.fill_at(0, &mut first)?;
    if !spooled::is_zstd(&first) {
        return Ok(OpenedSnapshot { input, snapshot_index: datadir::snapshot_index(path), was_compressed: false });
    }
    let decompressed = spooled::decompress(input.reader(0, input.len), &input.name, scratch, watch)?;
    let input = Input { footer: input.footer, ..decompressed };
    let uncompressed_name = path.extension().filter(|extension| *extension == "zst").map(|_| path.with_extension(""));
    let snapshot_index = uncompressed_name.as_deref().and_then(datadir::snapshot_index);
    Ok(OpenedSnapshot { input, snapshot_index, was_compressed: true })
}

fn open_stream(mut stream: impl Read, scratch: &Arc<dyn Scratch>, watch: &dyn Watch) -> Result<OpenedSnapshot> {
    let mut first = Vec::new();
    let head = stream.by_ref().take(4).read_to_end(&mut first);
    head.map_err(|e| spooled::read_error(e, STANDARD_INPUT))?;
    if first.is_empty() {
        // A program that failed before the pipe looks like this; a dump of nothing would look like a good backup.
        let reason = "it is empty".to_owned();
        return Err(Error::new(ErrorKind::NotFound { reason }).in_file(STANDARD_INPUT));
    }
    let was_compressed = spooled::is_zstd(&first);
    let whole = first.as_slice().chain(stream);
    let input = if was_compressed {
        spooled::decompress(whole, STANDARD_INPUT, scratch, watch)?
    } else {
        spooled::copy(whole, STANDARD_INPUT, scratch, watch)?
    };
    Ok(OpenedSnapshot { input, snapshot_index: None, was_compressed })
}

/// Files of a data directory end with a footer, wherever a link to them lies.
fn footer_policy(path: &Path) -> FooterPolicy {
    let in_fsm_folder = |path: &Path| path.parent().and_then(Path::file_name).is_some_and(|name| name == FSM_FOLDER);
    let canonical = path.canonicalize().is_ok_and(|path| in_fsm_folder(&path));
    let absolute = std::path::absolute(path).is_ok_and(|path| in_fsm_folder(&path));
    if canonical || absolute { FooterPolicy::Required } else { FooterPolicy::Optional }
}

#[cfg(test)]
mod tests;
