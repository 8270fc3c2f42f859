//! `EKVSSTI1` payloads: recognised, checked, and refused with a way out. Source: `docs/format/snapshot.md`, section 5.2.

mod manifest;

use sha2::{Digest, Sha256};

use crate::format::FOOTER_LEN;
use crate::sequential::Sequential;
use crate::stream::{check_end, consume, take};
use crate::{Error, ErrorKind, FooterPolicy, Input, Result, Watch};

use manifest::{Manifest, SstFile};

/// Bytes before the manifest: magic, manifest length, SHA-256 of the manifest.
const FIXED_LEN: u64 = 48;
/// Longest manifest in bytes.
const MANIFEST_LEN_MAX: i64 = 64 << 20;

/// Checks the payload at `payload_offset` and says why it cannot be used: it is damaged, or it is intact but of this form.
///
/// Cost: one read of the input; the manifest, of which 40 bytes per file are kept, and one buffer.
pub(crate) fn refuse(input: &Input, payload_offset: u64, watch: &dyn Watch) -> Error {
    match verify(input, payload_offset, watch) {
        Ok(manifest) => Error::new(unsupported(&manifest)).at(payload_offset).in_file(&input.name),
        Err(error) => error.in_file(&input.name),
    }
}

fn unsupported(manifest: &Manifest) -> ErrorKind {
    let what = format!(
        "the snapshot is intact, but it holds {} SST files (form EKVSSTI1, {} entries), which this tool does not read: \
         restart the node without ELASTICKV_PEBBLE_SST_INGEST_SNAPSHOT, let it take a new snapshot, and use that one",
        manifest.files.0.len(),
        manifest.entry_count
    );
    ErrorKind::UnsupportedForm { what }
}

fn verify(input: &Input, payload_offset: u64, watch: &dyn Watch) -> Result<Manifest> {
    let mut reader = Sequential::new(input, watch);
    let outcome = verify_payload(input, payload_offset, &mut reader);
    let (manifest, outcome) = match outcome {
        Ok(manifest) => (Some(manifest), Ok(())),
        Err(error) => (None, Err(error)),
    };
    check_end(input, reader, outcome)?;
    manifest.ok_or_else(|| damaged("the manifest is missing"))
}

fn verify_payload(input: &Input, payload_offset: u64, reader: &mut Sequential<'_>) -> Result<Manifest> {
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
    for (number, SstFile { len, sha256: stored }) in manifest.files.0.iter().enumerate() {
        let file_offset = reader.offset();
        if sha256(reader, "EKVSSTI1 file", *len)? != *stored {
            return Err(
                damaged(format!("the SHA-256 of file {} does not match", number.saturating_add(1))).at(file_offset)
            );
        }
    }
    match reader.left() {
        0 if input.footer == FooterPolicy::Required => Err(Error::new(ErrorKind::FooterMissing).at(input.len)),
        0 | FOOTER_LEN => Ok(manifest),
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

fn damaged(reason: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid { structure: "EKVSSTI1 payload", reason: reason.into() })
}

#[cfg(test)]
mod tests;
