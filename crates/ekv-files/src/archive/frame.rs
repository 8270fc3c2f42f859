//! One zstd frame at a time, in memory: of a bounded length, with the length of its content and a checksum stated.

#[cfg(feature = "zstd")]
pub(crate) use with_zstd::{FrameCompressor, FrameDecompressor, compress_stream};
#[cfg(not(feature = "zstd"))]
pub(crate) use without_zstd::{FrameCompressor, FrameDecompressor, compress_stream};

/// Most bytes that a frame of so much content may have: what the library may need, and a little for other writers.
pub(crate) fn frame_len_max(content_len: usize) -> usize {
    content_len.saturating_add(content_len / 128).saturating_add(1024)
}

#[cfg(feature = "zstd")]
mod with_zstd {
    use std::io::{self, Write};

    use ekv_spill::Spooled;
    use zstd::zstd_safe::{CParameter, find_frame_compressed_size};

    use super::frame_len_max;
    use crate::archive::ZstdLevel;
    use crate::compressed::{Beginning, CompressedFault, fault_of};

    /// Makes frames; equal content gives equal frames, whatever was compressed before.
    pub(crate) struct FrameCompressor(zstd::bulk::Compressor<'static>);

    impl FrameCompressor {
        pub(crate) fn new(level: ZstdLevel) -> io::Result<Self> {
            let mut compressor = zstd::bulk::Compressor::new(i32::from(level.get()))?;
            compressor.set_parameter(CParameter::ChecksumFlag(true))?;
            Ok(FrameCompressor(compressor))
        }

        /// Replaces what is in `frame` by the frame of `content`.
        pub(crate) fn compress(&mut self, content: &[u8], frame: &mut Vec<u8>) -> io::Result<()> {
            frame.clear();
            frame.reserve(zstd::zstd_safe::compress_bound(content.len()));
            self.0.compress_to_buffer(content, frame).map(|_| ())
        }
    }

    /// Reads frames.
    pub(crate) struct FrameDecompressor(zstd::bulk::Decompressor<'static>);

    impl FrameDecompressor {
        pub(crate) fn new() -> io::Result<Self> {
            Ok(FrameDecompressor(zstd::bulk::Decompressor::new()?))
        }

        /// Replaces what is in `content` by that of `frame`, which must be one frame with at most `len_max` bytes of content.
        pub(crate) fn decompress(
            &mut self,
            frame: &[u8],
            content: &mut Vec<u8>,
            len_max: usize,
        ) -> Result<(), CompressedFault> {
            let damaged = |reason: &str| CompressedFault::Damaged { reason: reason.to_owned() };
            if Beginning::of(frame) != Some(Beginning::Frame) || frame.len() > frame_len_max(len_max) {
                return Err(damaged("there is no frame where one should be"));
            }
            if find_frame_compressed_size(frame) != Ok(frame.len()) {
                return Err(damaged("a frame has another length than it should have"));
            }
            content.clear();
            content.reserve_exact(len_max);
            self.0.decompress_to_buffer(frame, content).map_err(|error| fault_of(&error))?;
            if content.len() > len_max { Err(damaged("a frame holds more than it should")) } else { Ok(()) }
        }
    }

    /// Writes content of any length as one frame.
    pub(crate) fn compress_stream(content: &Spooled, level: ZstdLevel, output: &mut dyn Write) -> io::Result<()> {
        let mut encoder = zstd::stream::write::Encoder::new(output, i32::from(level.get()))?;
        encoder.include_checksum(true)?;
        encoder.set_pledged_src_size(Some(content.len()))?;
        io::copy(&mut content.reader(), &mut encoder)?;
        encoder.finish().map(|_| ())
    }
}

/// Stand-ins for a build without compression.
#[cfg(not(feature = "zstd"))]
mod without_zstd {
    use std::io::{self, Write};

    use ekv_spill::Spooled;

    use crate::archive::ZstdLevel;
    use crate::compressed::CompressedFault;

    pub(crate) enum FrameCompressor {}

    impl FrameCompressor {
        pub(crate) fn new(_: ZstdLevel) -> io::Result<Self> {
            Err(unsupported())
        }

        pub(crate) fn compress(&mut self, _: &[u8], _: &mut Vec<u8>) -> io::Result<()> {
            match *self {}
        }
    }

    pub(crate) enum FrameDecompressor {}

    impl FrameDecompressor {
        pub(crate) fn new() -> io::Result<Self> {
            Err(unsupported())
        }

        pub(crate) fn decompress(&mut self, _: &[u8], _: &mut Vec<u8>, _: usize) -> Result<(), CompressedFault> {
            match *self {}
        }
    }

    pub(crate) fn compress_stream(_: &Spooled, _: ZstdLevel, _: &mut dyn Write) -> io::Result<()> {
        Err(unsupported())
    }

    fn unsupported() -> io::Error {
        io::Error::new(io::ErrorKind::Unsupported, "this build does not compress with zstd")
    }
}
