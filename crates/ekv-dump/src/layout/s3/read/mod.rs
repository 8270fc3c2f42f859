//! S3: files to events. Source: `docs/format/s3.md`, sections 4 and 6; `docs/format/tree.md`, sections 3.2 and 4.
//!
//! | file | holds |
//! |---|---|
//! | `bucket.rs` | the record of a bucket, and the events of one bucket |
//! | `files.rs` | the files of a bucket: bodies, sidecars, names; what is not restored |
//! | `keys.rs` | which file is which object, in the order of the keys |
//! | `object.rs`, `sidecar.rs`, `content.rs` | one object: its metadata and its content |

mod bucket;
mod content;
mod files;
pub(crate) mod findings;
mod keys;
mod object;
mod sidecar;

use ekv_model::{Consumer, Protocol};

use crate::entry::Entry;
use crate::replay::reading::Reading;
use crate::segment::{Decoded, decode_component};
use ekv_files::{Error, Result};

use bucket::Bucket;

/// Replays the buckets.
pub(crate) fn read(reading: &mut Reading<'_>, target: &mut dyn Consumer) -> Result<()> {
    let mut directories = reading.scopes(Protocol::S3)?.finish()?;
    // Directories are not in the order of the names that they stand for.
    let mut by_name = reading.sorter();
    while let Some((directory, _)) = directories.next()? {
        if let Some((name, text)) = select(reading, directory)? {
            by_name.push(name.as_bytes(), &[directory, &[0], &text].concat())?;
        }
    }
    let mut by_name = by_name.finish()?;
    while let Some((name, directory_and_text)) = by_name.next()? {
        let mut parts = directory_and_text.splitn(2, |byte| *byte == 0);
        let directory = parts.next().unwrap_or_default();
        let bucket = match parts.next().unwrap_or_default() {
            b"" => Bucket::of_name(String::from_utf8_lossy(name).into_owned()),
            text => Bucket::parse(text)?,
        };
        bucket.replay(reading, directory, target)?;
    }
    Ok(())
}

/// The name of the bucket and the text of its record; `None` if nothing of it is selected: then all of it is left out.
fn select(reading: &mut Reading<'_>, directory: &[u8]) -> Result<Option<(String, Vec<u8>)>> {
    let scope = reading.scope();
    let bucket = Entry::Scope(Protocol::S3, directory);
    let is_selected = match decode_component(directory).map_err(|error| Error::from(error).at(&bucket.path()))? {
        Decoded::Raw(name) | Decoded::Binary(name) => !scope.keys_in(Protocol::S3, &name).is_nothing(),
        // Only its record tells the name.
        Decoded::Fallback => true,
    };
    if is_selected {
        let (name, text) = bucket::read(reading, directory)?;
        if !scope.keys_in(Protocol::S3, name.as_bytes()).is_nothing() {
            return Ok(Some((name, text)));
        }
    }
    reading.leave_out(bucket)?;
    Ok(None)
}

#[cfg(test)]
mod tests;
