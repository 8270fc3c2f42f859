//! Bytes in a string of standard base64.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::{JsonError, JsonFault, JsonReader, JsonResult};

/// With padding; the unused bits of the last character may be anything, as in the server.
const ENGINE: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);

impl JsonReader<'_> {
    /// Passes the bytes that a string of base64 stands for to `keep`, in pieces; `null` stands for none.
    ///
    /// # Errors
    /// If there is no such string; the first error of `keep`.
    pub(crate) fn base64(&mut self, mut keep: impl FnMut(&[u8]) -> JsonResult<()>) -> JsonResult<()> {
        if self.null()? {
            return Ok(());
        }
        let (mut decoder, mut decoded) = (Decoder::default(), Vec::new());
        self.characters(|piece, byte_offset| {
            decoded.clear();
            if !decoder.push(piece, &mut decoded) {
                return Err(not_base64(byte_offset));
            }
            if decoded.is_empty() { Ok(()) } else { keep(&decoded) }
        })?;
        if decoder.held.is_empty() { Ok(()) } else { Err(not_base64(self.byte_offset())) }
    }

    /// The bytes that a string of base64 stands for, at most `len_max`; `null` stands for none.
    ///
    /// # Errors
    /// If there is no such string, or it stands for more.
    pub(crate) fn bytes(&mut self, len_max: usize) -> JsonResult<Vec<u8>> {
        let byte_offset = self.byte_offset();
        let mut bytes = Vec::new();
        self.base64(|piece| {
            bytes.extend_from_slice(piece);
            if bytes.len() > len_max {
                return Err(JsonError::Fault(JsonFault::LongString { byte_offset, len_max }));
            }
            Ok(())
        })?;
        Ok(bytes)
    }
}

fn not_base64(byte_offset: u64) -> JsonError {
    JsonError::Fault(JsonFault::Unexpected { byte_offset, expected: "standard base64 with padding" })
}

/// Decodes text that is cut anywhere; line breaks do not count.
#[derive(Debug, Default)]
struct Decoder {
    /// Characters that wait for the rest of their group of four.
    held: Vec<u8>,
    padded: bool,
}

impl Decoder {
    /// Appends what the next piece stands for; `false` if it is no base64.
    fn push(&mut self, piece: &[u8], decoded: &mut Vec<u8>) -> bool {
        self.held.extend(piece.iter().filter(|byte| !matches!(byte, b'\r' | b'\n')));
        let whole_len = self.held.len() - self.held.len() % 4;
        if let Some(whole) = self.held.get(..whole_len).filter(|whole| !whole.is_empty()) {
            if self.padded || ENGINE.decode_vec(whole, decoded).is_err() {
                return false;
            }
            self.padded = whole.ends_with(b"=");
            self.held.drain(..whole_len);
        }
        !self.padded || self.held.is_empty()
    }
}
