//! Bytes in a string of base64.

use base64::Engine as _;
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ekv_files::Result;

use super::{JsonFault, JsonReader};

/// Characters that stand for whole bytes together.
const GROUP_LEN: usize = 4;
/// The bytes that they stand for.
const GROUP_BYTES: usize = 3;

impl JsonReader<'_> {
    /// Passes the bytes that a string of base64url without padding stands for to `keep`, in pieces.
    ///
    /// # Errors
    /// As [`JsonReader::string`], and [`JsonFault::Base64`] for anything that no encoder writes; the first error of `keep`.
    pub fn base64(&mut self, expected: &'static str, keep: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        self.decoded(&URL_SAFE_NO_PAD, JsonFault::Base64, expected, keep)
    }

    /// Passes the bytes that a string of standard base64 with padding stands for to `keep`, in pieces.
    ///
    /// # Errors
    /// As [`JsonReader::string`], and [`JsonFault::PaddedBase64`] for anything that no encoder writes; the first error of `keep`.
    pub fn padded_base64(&mut self, expected: &'static str, keep: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        self.decoded(&STANDARD, JsonFault::PaddedBase64, expected, keep)
    }

    fn decoded(
        &mut self,
        engine: &'static GeneralPurpose,
        fault: JsonFault,
        expected: &'static str,
        mut keep: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let start = self.position()?;
        let mut decoder = Decoder::new(engine);
        let mut is_base64 = true;
        self.string(expected, |piece| {
            is_base64 = is_base64 && decoder.push(piece);
            if is_base64 && !decoder.decoded.is_empty() { keep(&decoder.decoded) } else { Ok(()) }
        })?;
        if is_base64 && decoder.finish() {
            return if decoder.decoded.is_empty() { Ok(()) } else { keep(&decoder.decoded) };
        }
        self.seek(start);
        Err(self.fault(fault))
    }
}

/// Decodes text that is cut anywhere.
struct Decoder {
    engine: &'static GeneralPurpose,
    /// Characters that wait for the rest of their group.
    held: Vec<u8>,
    /// What the last call decoded.
    decoded: Vec<u8>,
}

impl Decoder {
    fn new(engine: &'static GeneralPurpose) -> Self {
        Decoder { engine, held: Vec::new(), decoded: Vec::new() }
    }

    /// Decodes as far as whole groups reach; `false` if it is no base64.
    fn push(&mut self, piece: &[u8]) -> bool {
        self.held.extend_from_slice(piece);
        // The last group stays behind: padding is allowed there and nowhere else.
        let groups = self.held.len().saturating_sub(1) / GROUP_LEN;
        self.decode(groups * GROUP_LEN) && self.decoded.len() == groups * GROUP_BYTES
    }

    /// Decodes the rest.
    fn finish(&mut self) -> bool {
        self.decode(self.held.len())
    }

    fn decode(&mut self, len: usize) -> bool {
        self.decoded.clear();
        let text = self.held.get(..len).unwrap_or_default();
        let is_base64 = self.engine.decode_vec(text, &mut self.decoded).is_ok();
        self.held.drain(..len);
        is_base64
    }
}
