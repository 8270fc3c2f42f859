//! Base64 of a value that arrives in pieces.

use base64::Engine as _;
use base64::alphabet::STANDARD as STANDARD_ALPHABET;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{
    GeneralPurpose, GeneralPurposeConfig, STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD,
};

/// Bytes encoded at once; a multiple of three.
const BLOCK_LEN: usize = 3 * 256;
/// Characters that stand for whole bytes together.
const GROUP_LEN: usize = 4;
/// The bytes that they stand for.
const GROUP_BYTES: usize = 3;

/// Standard base64 whose unused bits in the last character may be anything.
const SPARE_BITS: GeneralPurpose = GeneralPurpose::new(
    &STANDARD_ALPHABET,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);

/// How base64 is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base64Form {
    /// base64url without padding.
    Url,
    /// Standard base64 with padding.
    Padded,
    /// As [`Base64Form::Padded`], but read as the server does: line breaks and unused bits of the last character do not count.
    AsServer,
}

impl Base64Form {
    fn engine(self) -> &'static GeneralPurpose {
        match self {
            Base64Form::Url => &URL_SAFE_NO_PAD,
            Base64Form::Padded => &STANDARD,
            Base64Form::AsServer => &SPARE_BITS,
        }
    }
}

/// Encodes base64; the pieces may be cut anywhere.
#[derive(Clone, Debug)]
pub struct Base64Stream {
    engine: &'static GeneralPurpose,
    held: [u8; GROUP_BYTES],
    held_len: usize,
}

impl Default for Base64Stream {
    /// Encodes base64url without padding.
    fn default() -> Self {
        Base64Stream { engine: &URL_SAFE_NO_PAD, held: [0; GROUP_BYTES], held_len: 0 }
    }
}

impl Base64Stream {
    /// Encodes standard base64 with padding.
    pub fn standard() -> Self {
        Base64Stream { engine: &STANDARD, ..Base64Stream::default() }
    }

    /// Encodes standard base64 without padding.
    pub fn unpadded() -> Self {
        Base64Stream { engine: &STANDARD_NO_PAD, ..Base64Stream::default() }
    }

    /// Appends the next piece: at most four bytes for every three.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        let mut rest = piece;
        while self.held_len > 0 && !rest.is_empty() {
            rest = self.hold_one(rest, out);
        }
        let whole_len = rest.len() - rest.len() % GROUP_BYTES;
        let (whole, tail) = rest.split_at_checked(whole_len).unwrap_or((rest, &[]));
        for block in whole.chunks(BLOCK_LEN) {
            encode(self.engine, block, out);
        }
        let mut tail = tail;
        while !tail.is_empty() {
            tail = self.hold_one(tail, out);
        }
    }

    /// Ends the value.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        encode(self.engine, self.held.get(..self.held_len).unwrap_or_default(), out);
        self.held_len = 0;
    }

    fn hold_one<'a>(&mut self, bytes: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
        let Some((&byte, rest)) = bytes.split_first() else { return bytes };
        if let Some(slot) = self.held.get_mut(self.held_len) {
            *slot = byte;
            self.held_len += 1;
        }
        if self.held_len == self.held.len() {
            self.finish(out);
        }
        rest
    }
}

fn encode(engine: &GeneralPurpose, block: &[u8], out: &mut Vec<u8>) {
    let mut text = [0; BLOCK_LEN / GROUP_BYTES * GROUP_LEN];
    if let Ok(len) = engine.encode_slice(block, &mut text) {
        out.extend_from_slice(text.get(..len).unwrap_or_default());
    }
}

/// Decodes base64; the pieces may be cut anywhere. Refuses what no encoder of the form writes.
#[derive(Debug)]
pub struct Base64Decoder {
    form: Base64Form,
    /// Characters that wait for the rest of their group.
    held: Vec<u8>,
    /// What the last call decoded.
    decoded: Vec<u8>,
}

impl Base64Decoder {
    /// Begins a value.
    pub fn new(form: Base64Form) -> Self {
        Base64Decoder { form, held: Vec::new(), decoded: Vec::new() }
    }

    /// Takes the next piece; returns what is certain so far, `None` if it is no base64.
    pub fn push(&mut self, piece: &[u8]) -> Option<&[u8]> {
        match self.form {
            Base64Form::AsServer => self.held.extend(piece.iter().filter(|byte| !matches!(byte, b'\r' | b'\n'))),
            Base64Form::Url | Base64Form::Padded => self.held.extend_from_slice(piece),
        }
        // The last group stays behind: padding is allowed there and nowhere else.
        let groups = self.held.len().saturating_sub(1) / GROUP_LEN;
        self.decode(groups * GROUP_LEN).filter(|decoded| decoded.len() == groups * GROUP_BYTES)
    }

    /// Ends the value; returns the rest, `None` if it is no base64.
    pub fn finish(&mut self) -> Option<&[u8]> {
        self.decode(self.held.len())
    }

    fn decode(&mut self, len: usize) -> Option<&[u8]> {
        self.decoded.clear();
        let decoded = self.form.engine().decode_vec(self.held.get(..len).unwrap_or_default(), &mut self.decoded);
        self.held.drain(..len);
        decoded.ok().map(|()| self.decoded.as_slice())
    }
}
#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn cuts_make_no_difference(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..1600), 0..5)) {
            for (mut stream, whole) in [
                (Base64Stream::default(), URL_SAFE_NO_PAD.encode(pieces.concat())),
                (Base64Stream::standard(), STANDARD.encode(pieces.concat())),
            ] {
                let mut out = Vec::new();
                pieces.iter().for_each(|piece| stream.push(piece, &mut out));
                stream.finish(&mut out);
                prop_assert_eq!(String::from_utf8(out).unwrap(), whole);
            }
        }
    }
}
