//! `EKVSSTI1` payloads: SST files, rewritten as the records of an `EKVPBBL1` payload. Source: `docs/format/ssti1.md`.
//!
//! | file | question |
//! |---|---|
//! | `manifest.rs` | which files are there, and what must they hold? |
//! | `table.rs` | where are the data blocks of a file? |
//! | `block.rs`, `snappy.rs`, `bytes.rs` | what does a block hold, compressed or not? |
//! | `entries.rs` | which keys and values are in it? |
//! | `rows.rs` | where do they go? |
//!
//! All hashes are compared first. Only then the files are read once more, block by block, and their rows written to scratch space.

mod block;
mod bytes;
mod entries;
mod faults;
mod manifest;
mod rows;
mod snappy;
mod table;

use ekv_model::Monitor;
use std::sync::Arc;

use ekv_spill::Scratch;
use sha2::{Digest, Sha256};

use crate::file::take_stamp;
use crate::footer::check_end;
use crate::format::{FOOTER_LEN, PAYLOAD_HEADER_LEN};
use crate::record_writer::RecordWriter;
use crate::sequential::Sequential;
use crate::stream::{consume, take};
use crate::{CommitTs, Error, ErrorKind, FooterPolicy, Input, RecordFile, Result};

use block::SstPlace;
use faults::damaged;
use manifest::{Manifest, SstFile};
pub(crate) use rows::Row;
use rows::Rows;

/// Bytes before the manifest: magic, manifest length, SHA-256 of the manifest.
const FIXED_LEN: u64 = 48;
/// Longest manifest in bytes.
const MANIFEST_LEN_MAX: i64 = 64 << 20;
/// A payload whose hashes hold.
pub(crate) struct Checked {
    /// What it says about itself.
    pub(crate) manifest: Manifest,
    /// The outer footer, if there is one; it has been compared with the bytes before it.
    pub(crate) footer_crc32c: Option<u32>,
    /// Where its first file begins.
    files_offset: u64,
}

/// Compares all hashes of the payload at `payload_offset`: of the manifest, of the files, of the whole.
///
/// Cost: one read of the input; the manifest, of which 72 bytes per file are kept, and a few buffers.
///
/// # Errors
/// `Invalid`, `Truncated`, `FooterMissing`, `FooterCrc`, `TokenCrc`, `Io`.
pub(crate) fn check(input: &Input, payload_offset: u64, monitor: &dyn Monitor) -> Result<Checked> {
    let mut reader = Sequential::new(input, monitor).reading_ahead();
    let outcome = check_payload(input, payload_offset, &mut reader).map_err(|e| e.in_file(&input.name));
    let (checked, outcome) = match outcome {
        Ok(checked) => (Some(checked), Ok(())),
        Err(error) => (None, Err(error)),
    };
    let footer_crc32c = check_end(input, reader, outcome)?;
    let checked = checked.ok_or_else(|| damaged("the manifest is missing"))?;
    Ok(Checked { footer_crc32c, ..checked })
}

fn check_payload(input: &Input, payload_offset: u64, reader: &mut Sequential<'_>) -> Result<Checked> {
    consume(reader, "EKVSSTI1 header", payload_offset.saturating_add(8), |_| Ok(()))?;
    let len = i64::from_be_bytes(take(reader, "EKVSSTI1 manifest length")?);
    if !(1..=MANIFEST_LEN_MAX).contains(&len) {
        return Err(damaged(format!("manifest length {len} is outside 1..={MANIFEST_LEN_MAX}")).at(payload_offset));
    }
    let len = u64::try_from(len).unwrap_or(0);
    let stored: [u8; 32] = take(reader, "EKVSSTI1 manifest checksum")?;
    let manifest_offset = payload_offset.saturating_add(FIXED_LEN);
    if sha256(reader, "EKVSSTI1 manifest", len)? != stored {
        return Err(damaged("the SHA-256 of the manifest does not match").at(manifest_offset));
    }
    let manifest = Manifest::read(input, manifest_offset, len).map_err(|e| e.at(manifest_offset))?;
    let files_offset = reader.offset();
    for (number, SstFile { len, sha256: stored, .. }) in manifest.files.0.iter().enumerate() {
        let file_offset = reader.offset();
        if sha256(reader, "EKVSSTI1 file", *len)? != *stored {
            return Err(damaged(format!("the SHA-256 of file {number:06}.sst does not match")).at(file_offset));
        }
    }
    match reader.left() {
        0 if input.footer == FooterPolicy::Required => Err(Error::new(ErrorKind::FooterMissing).at(input.len)),
        0 | FOOTER_LEN => Ok(Checked { manifest, footer_crc32c: None, files_offset }),
        left => {
            Err(damaged(format!("{left} bytes follow the last file, where only a footer may be")).at(reader.offset()))
        }
    }
}

fn sha256(reader: &mut Sequential<'_>, what: &'static str, len: u64) -> Result<[u8; 32]> {
    let mut hash = Sha256::new();
    consume(reader, what, len, |piece| {
        hash.update(piece);
        Ok(())
    })?;
    Ok(hash.finalize().into())
}

/// Writes all rows as an `EKVPBBL1` payload to scratch space; `count` sees each of them before.
///
/// Cost: one read of the files; blocks of at most 2 MiB, the rest through a scratch file; the scratch space that the manifest states.
///
/// # Errors
/// `UnsupportedForm` for tables that `docs/format/ssti1.md` does not describe, `Invalid`, `KeyTooLarge`, `ValueTooLarge`, `Changed` if the
/// file was written to, `Io`, `Scratch`, or the first error of `count`.
pub(crate) fn rewrite(
    input: &Input,
    checked: &Checked,
    scratch: &Arc<dyn Scratch>,
    monitor: &dyn Monitor,
    count: &mut dyn FnMut(&Row<'_>) -> Result<()>,
) -> Result<RecordFile> {
    let stamp = take_stamp(input)?;
    let manifest = &checked.manifest;
    let mut rows = Rows {
        writer: RecordWriter::new(scratch, CommitTs(manifest.last_commit_ts))?,
        manifest,
        count,
        entries: 0,
        bytes: 0,
    };
    let mut offset = checked.files_offset;
    for (number, file) in manifest.files.0.iter().enumerate() {
        let place = SstPlace { input, scratch, monitor, number, start: offset, len: file.len };
        table::read(&place, file, &mut rows).map_err(|e| e.at(offset).in_file(&input.name))?;
        offset = offset.saturating_add(file.len);
    }
    let Rows { writer, entries, bytes, .. } = rows;
    manifest.check_totals(entries, bytes).map_err(|e| e.in_file(&input.name))?;
    if take_stamp(input)? != stamp {
        return Err(Error::new(ErrorKind::Changed).in_file(&input.name));
    }
    let records = writer.finish(format!("{} (rewritten as EKVPBBL1)", input.name))?;
    let end = records.len;
    Ok(RecordFile::new(records, PAYLOAD_HEADER_LEN, end, Default::default()))
}
