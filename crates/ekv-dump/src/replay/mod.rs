//! Files to events: the reverse of [`crate::TreeTarget`].
//!
//! [`replay`] reads a dump and hands the same events to a [`Consumer`] that a decode would have handed to it. Source:
//! `docs/format/tree.md`, section 8.4; `docs/format/restore.md`, section 2.2.
//!
//! | file | holds |
//! |---|---|
//! | `reading.rs` | access to the files: each is hashed as it is read and compared with CHECKSUMS |
//! | `value.rs`, `one_way.rs`, `text.rs` | values of any size, contents that are read once, and pieces of text that several protocols have |
//! | `excerpt.rs` | the few files of a few things, as a dump of their own |
//! | `read_position.rs`, `fault.rs` | where a replay is, what is refused |
//! | `../layout/` | the readers of the protocols, one folder each |
//!
//! A reader for another protocol is a function in its row (`layout/mod.rs`).

pub(crate) mod excerpt;
pub(crate) mod fault;
pub(crate) mod one_way;
pub(crate) mod read_position;
pub(crate) mod reading;
pub(crate) mod text;
pub(crate) mod value;

use std::sync::Arc;

use ekv_files::source::ScopedSource;
use ekv_files::{DumpPath, Result};
use ekv_model::{Consumer, Example, Filtered, Finding, Map, Monitor, Protocol};
use ekv_spill::Scratch;
use ekv_text::time::hlc_unix_ms;

use crate::entry::Entry;
use crate::layout::layout;
use crate::layout::raw::UNKNOWN_DIRECTORY;
use crate::manifest::{MANIFEST_FILE, StoredManifest};

use excerpt::{Excerpt, Found, Wanted};
use reading::{DumpFile, Reading, Visit};

pub use crate::layout::fs::read::findings::ORPHANS_NOT_RESTORED as FS_ORPHANS_NOT_RESTORED;
pub use crate::layout::s3::read::findings::{S3_ETAG_DIFFERS, S3_SIDE_RECORDS_NOT_RESTORED};
pub use crate::layout::sqs::read::findings::{NOT_ENCODED_ORPHANS, REPEATED_IDS, SETTINGS_OF_ANOTHER_NAME};
pub use fault::ReplayFault;
pub use read_position::ReadPosition;
pub use reading::{Checking, ReadTotals, ReplayOptions, Replayed};

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
/// Bodies longer than 1 MiB that come from files of S3 objects or of the file system can be read once, from front to back.
///
/// If not all is to be checked ([`Checking`]) and the names that are selected tell in which few files they lie, nothing is looked at but those.
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
    place: &ReadPosition,
    monitor: &dyn Monitor,
) -> Result<Replayed> {
    let wanted = Some(options).filter(|options| options.checking != Checking::All).and_then(wanted);
    if let Some((protocol, wanted)) = wanted
        && let Some(found) = Found::of(source, wanted, options.checking != Checking::Nothing, monitor)?
    {
        let options = ReplayOptions { included: Map::only(&[protocol]), ..options.clone() };
        let mut excerpt = Excerpt { source, found };
        let replayed = replay_whole(&mut excerpt, scratch, &options, target, place, monitor)?;
        return Ok(Replayed { is_excerpt: true, ..replayed });
    }
    let options = ReplayOptions { checking: Checking::All, ..options.clone() };
    replay_whole(source, scratch, &options, target, place, monitor)
}

/// The protocol of all that is selected, and the files in which it lies, if they are few.
fn wanted(options: &ReplayOptions) -> Option<(Protocol, Wanted)> {
    let is_asked_for = |protocol: &Protocol| options.included.has(*protocol) && options.scope.includes(*protocol);
    let mut asked_for = Protocol::ALL.into_iter().filter(is_asked_for);
    let protocol = asked_for.next().filter(|_| asked_for.next().is_none())?;
    Some((protocol, (layout(protocol).files_of)(&options.scope)?))
}

fn replay_whole(
    source: &mut dyn ScopedSource,
    scratch: &Arc<dyn Scratch>,
    options: &ReplayOptions,
    target: &mut dyn Consumer,
    place: &ReadPosition,
    monitor: &dyn Monitor,
) -> Result<Replayed> {
    let mut reading = Reading::open(source, scratch, place, options, monitor)?;
    let now_ms = hlc_unix_ms(reading.read_ts());
    let mut filtered = Filtered::new(&options.scope, now_ms, target);
    match read_all(&mut reading, &options.included, &mut filtered) {
        Ok(()) => {
            let beyond_limit = filtered.beyond_limit();
            Ok(Replayed { beyond_limit, ..reading.finish()? })
        }
        Err(error) => Err(reading.explain(error)),
    }
}

fn read_all(reading: &mut Reading<'_>, included: &Map<bool>, target: &mut dyn Consumer) -> Result<()> {
    let mut root = Root::default();
    reading.show(&DumpPath::root(), &mut root)?;
    let Root { has_protocols, has_raw_records, has_leftover } = root;
    for protocol in Protocol::ALL {
        match (has_protocols.contains(&protocol), included.has(protocol)) {
            (true, true) => (layout(protocol).read)(reading, target)?,
            (true, false) => reading.leave_out(Entry::Protocol(protocol))?,
            (false, _) => {}
        }
    }
    for (other, is_there) in [(Entry::RawRecords, has_raw_records), (Entry::Leftover, has_leftover)] {
        if is_there {
            reading.pass_by(&DumpPath::new(&other.path())?)?;
        }
    }
    if has_raw_records {
        reading.record_finding(NOT_ENCODED_RAW, || Example::new(None, None, format!("{UNKNOWN_DIRECTORY}/")));
    }
    Ok(())
}

/// Looks at the root of a dump.
#[derive(Default)]
struct Root {
    has_protocols: Vec<Protocol>,
    has_raw_records: bool,
    has_leftover: bool,
}

impl Visit for Root {
    fn directory(&mut self, _: &DumpPath, entry: Entry<'_>) -> Result<()> {
        match entry {
            Entry::Protocol(protocol) => self.has_protocols.push(protocol),
            Entry::RawRecords => self.has_raw_records = true,
            _ => self.has_leftover = true,
        }
        Ok(())
    }

    fn file(&mut self, file: &mut DumpFile<'_>, entry: Entry<'_>) -> Result<()> {
        match entry {
            Entry::Losses | Entry::ScopeList => file.read_list(entry),
            // Have been read.
            _ => {
                file.pass_over();
                Ok(())
            }
        }
    }
}

/// Records as they were stored, which stay in the dump. Source: `docs/format/tree.md`, section 14.
pub const NOT_ENCODED_RAW: Finding = Finding::warning(
    "raw_records_not_encoded",
    "records that no adapter understands: what a new cluster would make of them is unknown, and they stay in the dump",
);

#[cfg(test)]
pub(crate) mod tests;
