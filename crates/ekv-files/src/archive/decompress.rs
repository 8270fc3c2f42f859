//! What lies around the tar when it is read: found by the first bytes, not by a name.

use std::io::{self, BufReader, Read};

use super::header::is_header;
use super::{ArchiveFault, BLOCK_LEN};
use crate::Result;
use crate::compressed::{Beginning, Decompressed};
use crate::source::read_error;

/// Bytes read at once.
const BUFFER_LEN: usize = 128 << 10;

/// What was read to find out what it is, and the rest.
type Rewound<R> = io::Chain<io::Cursor<Vec<u8>>, R>;

/// A tar archive as it passes, decompressed if need be.
pub(crate) enum TarStream<R: Read> {
    Plain(BufReader<Rewound<R>>),
    Compressed(Decompressed<Rewound<R>>),
}

impl<R: Read> TarStream<R> {
    /// Looks at the first bytes; compressed data may have `expansion_max` times their own length.
    ///
    /// # Errors
    /// [`ArchiveFault::NotAnArchive`] if they are those of something else, [`ArchiveFault::Truncated`] if there are none,
    /// [`ArchiveFault::Compressed`] if they are compressed in a way that is not read.
    pub(crate) fn new(mut input: R, expansion_max: u64) -> Result<Self> {
        let mut first = Vec::with_capacity(BLOCK_LEN);
        let block_len = u64::try_from(BLOCK_LEN).unwrap_or(u64::MAX);
        input.by_ref().take(block_len).read_to_end(&mut first).map_err(read_error)?;
        if first.is_empty() {
            return Err(ArchiveFault::Truncated { place: BEFORE_ITS_FIRST_BYTE }.into());
        }
        let (compressed, is_tar) = (Beginning::of(&first), is_header(&first));
        let input = io::Cursor::new(first).chain(input);
        match (compressed, is_tar) {
            // A name can begin like anything but a frame.
            (Some(Beginning::Frame), _) | (Some(_), false) => {
                let beginning = compressed.unwrap_or(Beginning::Frame);
                let decompressed = Decompressed::new(input, beginning, expansion_max);
                Ok(TarStream::Compressed(decompressed.map_err(ArchiveFault::from)?))
            }
            (_, true) => Ok(TarStream::Plain(BufReader::with_capacity(BUFFER_LEN, input))),
            (None, false) => Err(ArchiveFault::NotAnArchive.into()),
        }
    }

    /// Whether the bytes of the tar are those of the input.
    pub(crate) fn is_plain(&self) -> bool {
        matches!(self, TarStream::Plain(_))
    }
}

/// Where an archive ends that holds nothing, be it compressed or not.
pub(super) const BEFORE_ITS_FIRST_BYTE: &str = "before its first byte";

impl<R: Read> Read for TarStream<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            TarStream::Plain(input) => input.read(buf),
            TarStream::Compressed(input) => input.read(buf),
        }
    }
}
