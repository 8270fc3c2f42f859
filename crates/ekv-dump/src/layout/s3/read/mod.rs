//! S3: files to events. Source: `docs/format/s3.md`, sections 4 and 6; `docs/format/tree.md`, sections 3.2 and 4.
//!
//! | file | holds |
//! |---|---|
//! | `bucket.rs` | the record of a bucket, and the events of one bucket |
//! | `files.rs`, `keymap.rs`, `side.rs` | the files of a bucket: bodies, sidecars, names; what is not restored |
//! | `keys.rs` | which file is which object, in the order of the keys |
//! | `object.rs`, `sidecar.rs`, `content.rs` | one object: its metadata and its content |

mod bucket;
mod content;
mod files;
mod keymap;
mod keys;
mod object;
mod side;
mod sidecar;

use ekv_files::path::split_last;
use ekv_files::{DumpPath, Error, Result};
use ekv_model::{Consumer, Finding, Protocol};
use ekv_spill::Sorter;

use crate::replay::reading::{DumpFile, Reading, Visit, unknown};
use crate::replay::scopes::ListedScopes;
use crate::segment::{Decoded, SegmentError, decode_component};

use bucket::Bucket;

pub use side::S3_SIDE_RECORDS_NOT_RESTORED;

/// Directory of the protocol.
pub(crate) const DIRECTORY: &str = "s3";

const IN_PROTOCOL: &str = "directories only, one for each bucket";

/// An entity tag that is not the MD5 of its object, as a decode has told. The name is that of the decode.
pub const S3_ETAG_DIFFERS: Finding = Finding::warning(
    "s3_etag_mismatch",
    "objects whose entity tag is not the MD5 of their content, as the server had stored them; both are restored as they are",
);
/// A bucket without a record, as a decode has told. The name is that of the decode.
const BUCKET_MISSING: Finding =
    Finding::warning("s3_bucket_meta_missing", "buckets that have objects but no record of their own");

/// Replays the buckets.
pub(crate) fn read(reading: &mut Reading<'_>, target: &mut dyn Consumer) -> Result<()> {
    let mut buckets = Buckets { found: reading.sorter(), listed: ListedScopes::new(DIRECTORY, reading)? };
    reading.show(&DumpPath::new(DIRECTORY.as_bytes())?, &mut buckets)?;
    buckets.listed.check()?;
    let mut found = buckets.found.finish()?;
    // Directories are not in the order of the names that they stand for.
    let mut by_name = reading.sorter();
    while let Some((directory, _)) = found.next()? {
        if let Some((name, text)) = select(reading, &DumpPath::new(directory)?)? {
            by_name.push(name.as_bytes(), &[directory, &[0], &text].concat())?;
        }
    }
    let mut by_name = by_name.finish()?;
    while let Some((name, directory_and_text)) = by_name.next()? {
        let mut parts = directory_and_text.splitn(2, |byte| *byte == 0);
        let directory = DumpPath::new(parts.next().unwrap_or_default())?;
        let bucket = match parts.next().unwrap_or_default() {
            b"" => Bucket::of_name(String::from_utf8_lossy(name).into_owned()),
            text => Bucket::parse(text)?,
        };
        bucket.replay(reading, directory, target)?;
    }
    Ok(())
}

/// What the manifest lists must be there; to be called where the protocol has no directory.
pub(crate) fn check_absent(reading: &mut Reading<'_>) -> Result<()> {
    ListedScopes::new(DIRECTORY, reading)?.check()
}

/// The name of the bucket and the text of its record; `None` if nothing of it is selected: then all of it is left out.
fn select(reading: &mut Reading<'_>, directory: &DumpPath) -> Result<Option<(String, Vec<u8>)>> {
    let scope = reading.scope();
    let is_reached = |name: &[u8]| !scope.keys_in(Protocol::S3, name).is_nothing();
    let at = |error: Error| error.or_at(directory.as_bytes(), None);
    let is_selected = match decode_component(split_last(directory.as_bytes()).1).map_err(|error| at(error.into()))? {
        Decoded::Raw(name) => is_reached(&name),
        Decoded::Binary(_) => return Err(at(SegmentError::NotCanonical.into())),
        // Only its record tells the name.
        Decoded::Fallback => true,
    };
    if is_selected {
        let (name, text) = bucket::read(reading, directory)?;
        if is_reached(name.as_bytes()) {
            return Ok(Some((name, text)));
        }
    }
    reading.leave_out(directory)?;
    Ok(None)
}

/// Looks for buckets.
struct Buckets {
    found: Sorter,
    listed: ListedScopes,
}

impl Visit for Buckets {
    fn directory(&mut self, path: &DumpPath) -> Result<()> {
        self.listed.saw(path.split_last().1)?;
        Ok(self.found.push(path.as_bytes(), b"")?)
    }

    fn file(&mut self, file: &mut DumpFile<'_>) -> Result<()> {
        Err(unknown(file.path(), IN_PROTOCOL))
    }
}

#[cfg(test)]
mod tests;
