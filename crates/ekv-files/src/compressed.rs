//! Bytes that are compressed with zstd: recognised by their beginning, never by a name, and decompressed with bounds.
//!
//! Source: `docs/format/snapshot.md`, section 3.4, and `docs/format/tree.md`, section 9.2.

use std::io::{self, BufReader, Read};

/// How many times its own length compressed data may have unless something else is asked for. Snapshots and archives of real data stay far below
/// it; zstd reaches about 32 000.
pub const DEFAULT_EXPANSION_MAX: u64 = 1000;

/// Decompressed bytes that are never refused for their number: what is small costs nothing, however well it was compressed.
pub const EXPANSION_FREE_LEN: u64 = 16 << 20;

/// Largest window that is accepted, as a power of two: 128 MiB.
const WINDOW_LOG_MAX: u32 = 27;

/// Compressed bytes read at once.
const BUFFER_LEN: usize = 128 << 10;

/// First bytes of a zstd frame.
const FRAME_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// What the first bytes of compressed data are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beginning {
    /// A frame.
    Frame,
    /// A skippable frame (RFC 8878, section 3.1.2), with which `pzstd`, `t2sz` and writers of the seekable format begin.
    SkippableFrame,
    /// A frame of a version before 0.8.
    LegacyFrame,
    /// A dictionary, which is no compressed data.
    Dictionary,
}

impl Beginning {
    /// Looks at the first four bytes; `None` if they are none of zstd.
    pub fn of(first: &[u8]) -> Option<Self> {
        match first.first_chunk::<4>()? {
            magic if *magic == FRAME_MAGIC => Some(Beginning::Frame),
            [0x50..=0x5f, 0x2a, 0x4d, 0x18] => Some(Beginning::SkippableFrame),
            [0x1e | 0x22..=0x27, 0xb5, 0x2f, 0xfd] => Some(Beginning::LegacyFrame),
            [0x37, 0xa4, 0x30, 0xec] => Some(Beginning::Dictionary),
            _ => None,
        }
    }
}

/// Why compressed data are refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CompressedFault {
    /// The data are damaged or cut off.
    #[error("the compressed data are damaged: {reason}")]
    Damaged {
        /// What the decompressor says.
        reason: String,
    },
    /// Frames that need more memory than they get.
    #[error(
        "the compressed data need more than 128 MiB of memory: decompress them first, for example with zstd -d --long=31"
    )]
    Window,
    /// Frames that need a dictionary.
    #[error(
        "the data were compressed with a dictionary, which this program does not have: decompress them first, with zstd -d -D DICTIONARY"
    )]
    NeedsDictionary,
    /// Frames of a version before 0.8.
    #[error(
        "the data were compressed with zstd before version 0.8, which this program does not read: decompress them first, with zstd -d"
    )]
    Legacy,
    /// A dictionary in the place of data.
    #[error("this is a dictionary of zstd, not compressed data")]
    Dictionary,
    /// More data than such input may have.
    #[error(
        "the decompressed data have more than {max} times the length of the compressed ones; --max-expansion allows more"
    )]
    Expansion {
        /// The limit.
        max: u64,
    },
    /// This build has no decompressor.
    #[error(
        "the data are compressed with zstd, which this build does not read: decompress them first, for example with zstd -d"
    )]
    Unsupported,
}

/// Reads compressed data, decompressed: all frames, one after the other; skippable ones are skipped.
///
/// At most `expansion_max` times the compressed bytes that were read so far come out, and [`EXPANSION_FREE_LEN`] in any case. Cost: a window of at
/// most 128 MiB.
pub struct Decompressed<R: Read> {
    #[cfg(feature = "zstd")]
    decoder: Box<zstd::stream::read::Decoder<'static, BufReader<Counted<R>>>>,
    #[cfg(not(feature = "zstd"))]
    input: std::marker::PhantomData<R>,
    expansion_max: u64,
    /// Decompressed bytes so far.
    len: u64,
}

impl<R: Read> Decompressed<R> {
    /// Begins to decompress `input`, which begins with `beginning`.
    ///
    /// # Errors
    /// An [`CompressedFault`] if nothing of this kind is read.
    pub fn new(input: R, beginning: Beginning, expansion_max: u64) -> Result<Self, CompressedFault> {
        match beginning {
            Beginning::Frame | Beginning::SkippableFrame => Self::begin(input, expansion_max),
            Beginning::LegacyFrame => Err(CompressedFault::Legacy),
            Beginning::Dictionary => Err(CompressedFault::Dictionary),
        }
    }

    #[cfg(feature = "zstd")]
    fn begin(input: R, expansion_max: u64) -> Result<Self, CompressedFault> {
        let input = BufReader::with_capacity(BUFFER_LEN, Counted { input, len: 0, failed: false });
        let damaged = |error: io::Error| CompressedFault::Damaged { reason: error.to_string() };
        let mut decoder = zstd::stream::read::Decoder::with_buffer(input).map_err(damaged)?;
        decoder.window_log_max(WINDOW_LOG_MAX).map_err(damaged)?;
        Ok(Decompressed { decoder: Box::new(decoder), expansion_max, len: 0 })
    }

    #[cfg(not(feature = "zstd"))]
    fn begin(_: R, _: u64) -> Result<Self, CompressedFault> {
        let _ = (WINDOW_LOG_MAX, BUFFER_LEN, BufReader::<R>::with_capacity, EXPANSION_FREE_LEN);
        Err(CompressedFault::Unsupported)
    }

    /// Decompressed bytes that may have come out, now that this much was read.
    #[cfg(feature = "zstd")]
    fn len_max(&self) -> u64 {
        let read = self.decoder.get_ref().get_ref().len;
        read.saturating_mul(self.expansion_max).max(EXPANSION_FREE_LEN)
    }

    #[cfg(feature = "zstd")]
    fn read_some(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.decoder.read(buf).map_err(|error| match self.decoder.get_ref().get_ref().failed {
            true => error,
            false if error.kind() == io::ErrorKind::Interrupted => error,
            false => io::Error::other(fault_of(&error)),
        })
    }

    #[cfg(not(feature = "zstd"))]
    fn len_max(&self) -> u64 {
        0
    }

    #[cfg(not(feature = "zstd"))]
    fn read_some(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::other(CompressedFault::Unsupported))
    }
}

impl<R: Read> Read for Decompressed<R> {
    /// An error that is not one of `input` itself is a [`CompressedFault`].
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let len = self.read_some(buf)?;
        self.len = self.len.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
        if self.len > self.len_max() {
            return Err(io::Error::other(CompressedFault::Expansion { max: self.expansion_max }));
        }
        Ok(len)
    }
}

/// What an error of the decompressor means: it tells its kinds apart by text alone.
#[cfg(feature = "zstd")]
pub(crate) fn fault_of(error: &io::Error) -> CompressedFault {
    let reason = error.to_string();
    match reason {
        text if text.contains("too much memory") => CompressedFault::Window,
        text if text.contains("Dictionary") => CompressedFault::NeedsDictionary,
        reason => CompressedFault::Damaged { reason },
    }
}

/// Counts what is read, and remembers whether that failed.
#[cfg(feature = "zstd")]
struct Counted<R> {
    input: R,
    len: u64,
    failed: bool,
}

#[cfg(feature = "zstd")]
impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buf);
        match &read {
            Ok(len) => self.len = self.len.saturating_add(u64::try_from(*len).unwrap_or(u64::MAX)),
            Err(error) => self.failed = error.kind() != io::ErrorKind::Interrupted,
        }
        read
    }
}

#[cfg(feature = "zstd")]
#[cfg(test)]
mod tests {
    use super::*;

    fn compress(bytes: &[u8]) -> Vec<u8> {
        zstd::encode_all(bytes, 3).unwrap()
    }

    fn skippable(number: u8, content: &[u8]) -> Vec<u8> {
        let len = u32::try_from(content.len()).unwrap().to_le_bytes();
        [&[0x50 | number, 0x2a, 0x4d, 0x18], &len[..], content].concat()
    }

    fn read(bytes: &[u8], expansion_max: u64) -> Result<Vec<u8>, CompressedFault> {
        let beginning = Beginning::of(bytes).expect("compressed data");
        let mut out = Vec::new();
        let read = Decompressed::new(bytes, beginning, expansion_max)?.read_to_end(&mut out);
        read.map(|_| out).map_err(|error| error.downcast().expect("a fault of the compressed data"))
    }

    #[test]
    fn frames_come_out_one_after_the_other_and_skippable_and_empty_ones_add_nothing_wherever_they_stand() {
        let (a, b, nothing) = (compress(b"first"), compress(b"second"), compress(b""));
        let of = |parts: &[&[u8]]| read(&parts.concat(), DEFAULT_EXPANSION_MAX).unwrap();
        for number in 0..16 {
            let skip = skippable(number, b"size");
            assert_eq!(of(&[&skip, &a, &skip, &b, &skip]), b"firstsecond", "{number}");
        }
        let empty_skip = skippable(0, b"");
        assert_eq!(of(&[&empty_skip, &nothing, &a, &nothing, &b]), b"firstsecond");
        assert_eq!(of(&[&empty_skip]), b"", "skippable frames alone hold nothing");
        assert_eq!(of(&[&nothing, &nothing]), b"");
    }

    #[test]
    fn skippable_frame_that_is_cut_or_followed_by_something_else_is_damaged() {
        for bytes in [&skippable(3, b"12345678")[..12], &[&skippable(3, b"x")[..], b"\x04\x22\x4d\x18 of lz4"].concat()]
        {
            assert!(matches!(read(bytes, 9), Err(CompressedFault::Damaged { .. })), "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn what_zstd_made_and_this_program_does_not_read_is_named() {
        for byte in [0x1e, 0x22, 0x27] {
            assert_eq!(read(&[byte, 0xb5, 0x2f, 0xfd, 0, 0], 9), Err(CompressedFault::Legacy));
        }
        assert_eq!(read(&[0x37, 0xa4, 0x30, 0xec, 0, 0], 9), Err(CompressedFault::Dictionary));
        // A frame of one empty block whose header names a dictionary.
        let with_dictionary = [0x28, 0xb5, 0x2f, 0xfd, 0x21, 0x07, 0x00, 0x01, 0x00, 0x00];
        assert_eq!(read(&with_dictionary, 9), Err(CompressedFault::NeedsDictionary));
        let window_of_256_mib = [0x28, 0xb5, 0x2f, 0xfd, 0x00, (28 - 10) << 3, 0x01, 0x00, 0x00];
        assert_eq!(read(&window_of_256_mib, 9), Err(CompressedFault::Window));
        for other in [&b""[..], b"\x28\xb5\x2f", b"EKVPBBL1", b"\x1f\x8b\x08\x00"] {
            assert_eq!(Beginning::of(other), None);
        }
    }

    #[test]
    fn more_than_the_allowed_multiple_is_refused_once_it_comes_and_what_is_small_never_is() {
        let free = usize::try_from(EXPANSION_FREE_LEN).unwrap();
        let small = compress(&vec![0; free]);
        assert_eq!(read(&small, 1).unwrap().len(), free);
        let large = compress(&vec![0; free + 1]);
        let needed = EXPANSION_FREE_LEN.div_ceil(u64::try_from(large.len()).unwrap()) + 1;
        assert_eq!(read(&large, 1), Err(CompressedFault::Expansion { max: 1 }));
        assert_eq!(read(&large, needed).unwrap().len(), free + 1);
    }

    #[test]
    fn error_of_the_input_is_not_taken_for_damage() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::from_raw_os_error(5))
            }
        }
        let compressed = compress(b"abc");
        let mut reader = Decompressed::new(compressed[..6].chain(Broken), Beginning::Frame, 9).unwrap();
        assert_eq!(reader.read(&mut [0; 9]).unwrap_err().raw_os_error(), Some(5));
    }
}
