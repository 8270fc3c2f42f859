//! Bytes in a string of base64url without padding.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{JsonFault, JsonReader};
use crate::Result;

/// Characters that stand for whole bytes together.
const GROUP_LEN: usize = 4;

impl JsonReader<'_> {
    /// Passes the bytes that a string of base64url without padding stands for to `keep`, in pieces.
    ///
    /// # Errors
    /// As [`JsonReader::string`], and [`JsonFault::Base64`] for anything that no encoder writes; the first error of `keep`.
    pub fn base64(&mut self, expected: &'static str, mut keep: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let start = self.position()?;
        let mut decoder = Decoder::default();
        let mut is_base64 = true;
        self.string(expected, |piece| {
            is_base64 = is_base64 && decoder.push(piece);
            if is_base64 && !decoder.decoded.is_empty() { keep(&decoder.decoded) } else { Ok(()) }
        })?;
        if is_base64 && decoder.finish() {
            return if decoder.decoded.is_empty() { Ok(()) } else { keep(&decoder.decoded) };
        }
        self.seek(start);
        Err(self.fault(JsonFault::Base64))
    }
}

/// Decodes text that is cut anywhere.
#[derive(Debug, Default)]
struct Decoder {
    /// Characters that wait for the rest of their group.
    held: Vec<u8>,
    /// What the last call decoded.
    decoded: Vec<u8>,
}

impl Decoder {
    /// Decodes as far as whole groups reach; `false` if it is no base64.
    fn push(&mut self, piece: &[u8]) -> bool {
        self.held.extend_from_slice(piece);
        let whole_len = self.held.len() - self.held.len() % GROUP_LEN;
        self.decode(whole_len)
    }

    /// Decodes the rest.
    fn finish(&mut self) -> bool {
        self.decode(self.held.len())
    }

    fn decode(&mut self, len: usize) -> bool {
        self.decoded.clear();
        let text = self.held.get(..len).unwrap_or_default();
        let is_base64 = URL_SAFE_NO_PAD.decode_vec(text, &mut self.decoded).is_ok();
        self.held.drain(..len);
        is_base64
    }
}
