//! Decompression with bounded memory.

use std::io::{self, BufReader, Read};

use ekv_snapshot::{Error, ErrorKind};
use zstd::stream::read::Decoder;

use super::spooled::read_error;

/// Largest window that is accepted, as a power of two: 128 MiB.
const WINDOW_LOG_MAX: u32 = 27;

/// Reads all frames of `stream`, decompressed.
pub(super) fn decoder<R: Read>(stream: R) -> io::Result<Decoder<'static, BufReader<R>>> {
    let mut decoder = Decoder::new(stream)?;
    decoder.window_log_max(WINDOW_LOG_MAX)?;
    Ok(decoder)
}

/// Tells a damaged compressed stream from a stream that cannot be read.
pub(super) fn error(error: io::Error, name: &str) -> Error {
    let of_the_stream = error.raw_os_error().is_some() || error.get_ref().is_some_and(|inner| inner.is::<Error>());
    if of_the_stream {
        return read_error(error, name);
    }
    Error::new(ErrorKind::Invalid { structure: "zstd stream", reason: error.to_string() }).in_file(name)
}
