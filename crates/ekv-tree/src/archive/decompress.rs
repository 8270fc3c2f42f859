//! What lies around the tar when it is read: found by the first bytes, not by a name.

use std::io::{self, BufReader, Read};

use super::header::has_magic;
use super::{ArchiveFault, BLOCK_LEN};
use crate::Result;
use crate::source::read_error;

/// First bytes of a zstd frame.
const ZSTD_MAGIC: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// Largest window of compressed data that is accepted, as a power of two: 128 MiB.
#[cfg(feature = "zstd")]
const WINDOW_LOG_MAX: u32 = 27;

/// Bytes read at once.
const BUFFER_LEN: usize = 128 << 10;

/// What was read to find out what it is, and the rest.
type Rewound<R> = io::Chain<io::Cursor<Vec<u8>>, R>;

/// A tar archive as it passes, decompressed if need be.
pub(crate) enum TarStream<R: Read> {
    Plain(BufReader<Rewound<R>>),
    #[cfg(feature = "zstd")]
    Zstd(Box<zstd::stream::read::Decoder<'static, BufReader<Rewound<R>>>>),
}

impl<R: Read> TarStream<R> {
    /// Looks at the first bytes.
    ///
    /// # Errors
    /// [`ArchiveFault::NotAnArchive`] if they are those of something else, [`ArchiveFault::Truncated`] if there are none.
    pub(crate) fn new(mut input: R) -> Result<Self> {
        let mut first = Vec::with_capacity(BLOCK_LEN);
        let block_len = u64::try_from(BLOCK_LEN).unwrap_or(u64::MAX);
        input.by_ref().take(block_len).read_to_end(&mut first).map_err(read_error)?;
        if first.is_empty() {
            return Err(ArchiveFault::Truncated { place: "before its first byte" }.into());
        }
        let is_zstd = first.starts_with(ZSTD_MAGIC);
        let is_tar = has_magic(&first);
        let input = BufReader::with_capacity(BUFFER_LEN, io::Cursor::new(first).chain(input));
        match (is_zstd, is_tar) {
            (true, _) => Self::decompress(input),
            (false, true) => Ok(TarStream::Plain(input)),
            (false, false) => Err(ArchiveFault::NotAnArchive.into()),
        }
    }

    #[cfg(feature = "zstd")]
    fn decompress(input: BufReader<Rewound<R>>) -> Result<Self> {
        let mut decoder = zstd::stream::read::Decoder::with_buffer(input).map_err(read_error)?;
        decoder.window_log_max(WINDOW_LOG_MAX).map_err(read_error)?;
        Ok(TarStream::Zstd(Box::new(decoder)))
    }

    #[cfg(not(feature = "zstd"))]
    fn decompress(_: BufReader<Rewound<R>>) -> Result<Self> {
        Err(ArchiveFault::ZstdUnsupported.into())
    }

    /// Whether the bytes of the tar are those of the input.
    pub(crate) fn is_plain(&self) -> bool {
        matches!(self, TarStream::Plain(_))
    }
}

impl<R: Read> Read for TarStream<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            TarStream::Plain(input) => input.read(buf),
            #[cfg(feature = "zstd")]
            TarStream::Zstd(decoder) => decoder.read(buf).map_err(tell_damage),
        }
    }
}

/// Tells damaged compressed data from an input that cannot be read: only the system's errors have a number.
#[cfg(feature = "zstd")]
fn tell_damage(error: io::Error) -> io::Error {
    match (error.raw_os_error(), error.kind()) {
        (Some(_), _) | (_, io::ErrorKind::Interrupted) => error,
        _ => io::Error::other(ArchiveFault::Zstd { reason: error.to_string() }),
    }
}
