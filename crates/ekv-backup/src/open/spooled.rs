//! Streams that are copied to a scratch file, so that they can be read by position.

use std::io::{self, Read};
use std::sync::Arc;

#[cfg(not(feature = "zstd"))]
use ekv_snapshot::ErrorKind;
use ekv_snapshot::{Error, FooterPolicy, Input, Result, Watch};
use ekv_spill::{Scratch, Spool};

/// Length of the buffer, in bytes.
const BUFFER_LEN: usize = 128 << 10;
/// First bytes of a zstd frame.
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Whether a file or stream with these first bytes is compressed with zstd.
pub(super) fn is_zstd(first: &[u8]) -> bool {
    first.starts_with(&ZSTD_MAGIC)
}

/// Copies `stream` to a scratch file; messages name it `name`.
pub(super) fn copy(stream: impl Read, name: &str, scratch: &Arc<dyn Scratch>, watch: &dyn Watch) -> Result<Input> {
    copy_with(stream, name, scratch, watch, |e| read_error(e, name))
}

/// Decompresses `stream` to a scratch file.
#[cfg(feature = "zstd")]
pub(super) fn decompress(
    stream: impl Read,
    name: &str,
    scratch: &Arc<dyn Scratch>,
    watch: &dyn Watch,
) -> Result<Input> {
    let decoder = super::zstd_stream::decoder(stream).map_err(|e| read_error(e, name))?;
    let name = format!("{name} (decompressed)");
    copy_with(decoder, &name, scratch, watch, |e| super::zstd_stream::error(e, &name))
}

/// Refuses `stream`: this build has no decompressor.
#[cfg(not(feature = "zstd"))]
pub(super) fn decompress(_: impl Read, name: &str, _: &Arc<dyn Scratch>, _: &dyn Watch) -> Result<Input> {
    let what = "the snapshot is compressed with zstd, which this build does not read: decompress it first, for example with zstd -d";
    Err(Error::new(ErrorKind::UnsupportedForm { what: what.to_owned() }).in_file(name))
}

/// An error of a stream: the input's own error where it is one.
pub(super) fn read_error(error: io::Error, name: &str) -> Error {
    error.downcast().unwrap_or_else(|e| Error::io("read the snapshot", e)).in_file(name)
}

fn copy_with(
    mut stream: impl Read,
    name: &str,
    scratch: &Arc<dyn Scratch>,
    watch: &dyn Watch,
    read_failed: impl Fn(io::Error) -> Error,
) -> Result<Input> {
    let mut spool = Spool::new(scratch.clone(), 0);
    let mut buffer = vec![0; BUFFER_LEN];
    loop {
        let piece = match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => buffer.get(..n).unwrap_or(&[]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(read_failed(e)),
        };
        spool.write_all(piece).map_err(|e| Error::from(e).in_file(name))?;
        watch.progress(spool.len())?;
    }
    let len = spool.len();
    let source = Arc::new(spool.into_file().map_err(|e| Error::from(e).in_file(name))?);
    Ok(Input { source, len, name: name.to_owned(), footer: FooterPolicy::Optional, token_crc32c: None })
}
