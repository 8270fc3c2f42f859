//! What lies around the tar when it is written.

use std::io::{self, Write};

use super::options::{ArchiveOptions, Compression};

/// Bytes of compressed data that are gathered before they are written.
#[cfg(feature = "zstd")]
const OUTPUT_LEN: usize = 256 << 10;

/// Compresses what is written, or passes it on.
pub(crate) enum Compressor<W: Write> {
    Plain(W),
    #[cfg(feature = "zstd")]
    Zstd(Box<zstd::stream::zio::Writer<W, zstd::stream::raw::Encoder<'static>>>),
}

impl<W: Write> Compressor<W> {
    /// Begins the compressed data. Where this build has no compression, asking for it is an error.
    ///
    /// The worker mode of the library is always on: its bytes differ from those without workers, and not with their number.
    pub(crate) fn new(output: W, options: &ArchiveOptions) -> io::Result<Self> {
        match options.compression {
            Compression::None => Ok(Compressor::Plain(output)),
            #[cfg(feature = "zstd")]
            Compression::Zstd(level) => {
                use zstd::stream::raw::{CParameter, Encoder};
                let mut encoder = Encoder::new(i32::from(level.get()))?;
                encoder.set_parameter(CParameter::ChecksumFlag(true))?;
                encoder.set_parameter(CParameter::NbWorkers(options.worker_count()))?;
                let writer = zstd::stream::zio::Writer::new_with_capacity(output, encoder, OUTPUT_LEN);
                Ok(Compressor::Zstd(Box::new(writer)))
            }
            #[cfg(not(feature = "zstd"))]
            Compression::Zstd(_) => {
                Err(io::Error::new(io::ErrorKind::Unsupported, "this build does not compress with zstd"))
            }
        }
    }

    /// Ends the compressed data and gives the output back.
    pub(crate) fn finish(self) -> io::Result<W> {
        match self {
            Compressor::Plain(output) => Ok(output),
            #[cfg(feature = "zstd")]
            Compressor::Zstd(mut writer) => {
                writer.finish()?;
                Ok(writer.into_inner().0)
            }
        }
    }

    /// Gives the output back as it is.
    pub(crate) fn into_output(self) -> W {
        match self {
            Compressor::Plain(output) => output,
            #[cfg(feature = "zstd")]
            Compressor::Zstd(writer) => writer.into_inner().0,
        }
    }
}

impl<W: Write> Write for Compressor<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Compressor::Plain(output) => output.write(bytes),
            #[cfg(feature = "zstd")]
            Compressor::Zstd(writer) => writer.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Compressor::Plain(output) => output.flush(),
            #[cfg(feature = "zstd")]
            Compressor::Zstd(writer) => writer.flush(),
        }
    }
}
