//! Files to events: the reverse of [`crate::TreeTarget`].
//!
//! [`replay`] reads a dump and hands the same events to a [`Consumer`] that a decode would have handed to it. Source:
//! `docs/format/tree.md`, section 8.4; `docs/format/restore.md`, section 2.2.
//!
//! | file | holds |
//! |---|---|
//! | `reading.rs` | access to the files: each is hashed as it is read and compared with CHECKSUMS |
//! | `value.rs`, `text.rs` | values of any size, and pieces of text that several protocols have |
//! | `place.rs`, `scopes.rs`, `fault.rs` | where a replay is, what must be there, what is refused |
//! | `../layout/` | the readers of the protocols, one folder each |
//!
//! A reader for another protocol is a folder `layout/<protocol>/read` with the functions in its row of `layout::of`.

pub(crate) mod fault;
pub(crate) mod place;
pub(crate) mod reading;
pub(crate) mod scopes;
pub(crate) mod text;
pub(crate) mod value;

use std::io::BufReader;
use std::sync::Arc;

use ekv_files::checksums::CHECKSUMS_FILE;
use ekv_files::source::{ScopedSource, read_error};
use ekv_files::{DumpPath, Error, Result};
use ekv_model::{Consumer, Example, Filtered, Finding, Map, Protocol};
use ekv_spill::Scratch;
use ekv_text::LineError;

use crate::layout;
use crate::layout::raw::UNKNOWN_DIRECTORY;
use crate::losses::LOSSES_FILE;
use crate::manifest::{MANIFEST_FILE, StoredManifest};
use crate::scope_list::{SCOPES_FILE, ScopeFault, ScopesReader};

use crate::segment::component;

use reading::{DumpFile, FileScopes, Reading, Visit, unknown};

pub use crate::layout::s3::read::{S3_ETAG_DIFFERS, S3_SIDE_RECORDS_NOT_RESTORED};
pub use crate::layout::sqs::read::{NOT_ENCODED_ORPHANS, SETTINGS_OF_ANOTHER_NAME};
pub use fault::ReplayFault;
pub use place::Place;
pub use reading::{Monitor, ReadTotals, ReplayOptions, Replayed};

/// Reads the manifest of a dump and nothing else.
///
/// # Errors
/// If there is none, or it is refused.
pub fn read_manifest(source: &mut dyn ScopedSource, scratch: &Arc<dyn Scratch>) -> Result<StoredManifest> {
    let path = DumpPath::new(MANIFEST_FILE.as_bytes())?;
    let mut content = reading::open_or_no_dump(source, &path, MANIFEST_FILE)?;
    StoredManifest::read(&mut content, scratch).map_err(|error| error.or_at(path.as_bytes(), None))
}

/// Hands the content of a dump to `target`, protocol by protocol.
///
/// Every file that is read is hashed from the bytes that are used and compared with CHECKSUMS; every file present must be listed and
/// every listed one present. `place` says at any time where the replay is. `monitor` is told how many bytes were read since the last call.
///
/// Bodies longer than 1 MiB that come from files of S3 objects can be read once, from front to back.
///
/// Cost: each file is read once. Memory within the budget and a few buffers, whatever the number and size of files.
///
/// # Errors
/// The first thing that is wrong with the dump, with its file and line; the first error of `target`, with the file and line that it
/// is about; the error of `monitor`. The target may have taken events before that.
pub fn replay(
    source: &mut dyn ScopedSource,
    scratch: &Arc<dyn Scratch>,
    options: &ReplayOptions,
    target: &mut dyn Consumer,
    place: &Place,
    monitor: Monitor<'_>,
) -> Result<Replayed> {
    let mut reading = Reading::open(source, scratch, place, options, monitor)?;
    match read_all(&mut reading, &options.included, &mut Filtered::new(&options.scope, target)) {
        Ok(()) => reading.finish(),
        Err(error) => Err(reading.explain(error)),
    }
}

fn read_all(reading: &mut Reading<'_>, included: &Map<bool>, target: &mut dyn Consumer) -> Result<()> {
    let mut root = Root { directories: Vec::new(), scopes: reading.take_all_listed() };
    reading.show(&DumpPath::root(), &mut root)?;
    reading.put_all_listed(root.scopes);
    for protocol in Protocol::ALL {
        let path = DumpPath::new(protocol.name().as_bytes())?;
        let is_there = root.directories.contains(&protocol.name());
        let layout = layout::of(protocol);
        match (included.has(protocol), is_there) {
            // Also where nobody asked for it: what was listed by nobody would be left out without a word.
            (_, true) if !reading.manifest().adapters.has(protocol) => {
                return Err(Error::from(ReplayFault::Unlisted).at(path.as_bytes()));
            }
            (true, true) => (layout.read)(reading, target)?,
            (true, false) => (layout.check_absent)(reading)?,
            (false, true) => reading.leave_out(&path)?,
            (false, false) => {}
        }
    }
    for other in [UNKNOWN_DIRECTORY, REFERENCE_LEFTOVER] {
        if root.directories.contains(&other) {
            reading.leave_out(&DumpPath::new(other.as_bytes())?)?;
        }
    }
    if root.directories.contains(&UNKNOWN_DIRECTORY) {
        reading.find(NOT_ENCODED_RAW, || Example::new(None, None, format!("{UNKNOWN_DIRECTORY}/")));
    }
    Ok(())
}

/// Records as they were stored, which stay in the dump. Source: `docs/format/tree.md`, section 14.
pub const NOT_ENCODED_RAW: Finding = Finding::warning(
    "raw_records_not_encoded",
    "records that no adapter understands: what a new cluster would make of them is unknown, and they stay in the dump",
);

/// Empty directory that the reference decoder leaves in the root.
const REFERENCE_LEFTOVER: &str = ".scratch";

const IN_ROOT: &str = "MANIFEST.json, CHECKSUMS, LOSSES.jsonl, SCOPES.jsonl, or a directory: dynamodb, redis, s3, sqs";

/// Looks at the root of a dump.
struct Root {
    directories: Vec<&'static str>,
    /// What SCOPES.jsonl lists.
    scopes: FileScopes,
}

impl Visit for Root {
    fn directory(&mut self, path: &DumpPath) -> Result<()> {
        let others = [UNKNOWN_DIRECTORY, REFERENCE_LEFTOVER];
        let mut known = Protocol::ALL.into_iter().map(Protocol::name).chain(others);
        let directory =
            known.find(|known| known.as_bytes() == path.as_bytes()).ok_or_else(|| unknown(path, IN_ROOT))?;
        self.directories.push(directory);
        Ok(())
    }

    fn file(&mut self, file: &mut DumpFile<'_>) -> Result<()> {
        match file.path().as_bytes() {
            name if name == MANIFEST_FILE.as_bytes() || name == CHECKSUMS_FILE.as_bytes() => {
                file.pass_over();
                Ok(())
            }
            // Nothing in it can be replayed; that it is what was written is all that counts.
            name if name == LOSSES_FILE.as_bytes() => Ok(()),
            name if name == SCOPES_FILE.as_bytes() => self.read_scopes(file),
            _ => Err(unknown(file.path(), IN_ROOT)),
        }
    }
}

impl Root {
    fn read_scopes(&mut self, file: &mut DumpFile<'_>) -> Result<()> {
        let mut reader = ScopesReader::new(BufReader::new(file));
        loop {
            match reader.next_scope() {
                Ok(Some(scope)) => {
                    if let Some(rows) = scope.directory().and_then(|directory| self.scopes.get_mut(directory)) {
                        rows.push(&component(scope.name.as_bytes()), b"")?;
                    }
                }
                Ok(None) => return Ok(()),
                Err(ScopeFault::Line(LineError::Io(source))) => return Err(read_error(source)),
                Err(fault) => {
                    let fault = ReplayFault::Scopes { message: fault.to_string() };
                    return Err(Error::from(fault).at_line(reader.line_number()));
                }
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
