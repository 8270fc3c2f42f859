//! Base64 of a value that arrives in pieces.

use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurpose, STANDARD, URL_SAFE_NO_PAD};

/// Bytes encoded at once; a multiple of three.
const BLOCK_LEN: usize = 3 * 256;

/// Encodes base64; the pieces may be cut anywhere. The default is base64url without padding.
#[derive(Clone, Debug)]
pub struct Base64Stream {
    engine: &'static GeneralPurpose,
    held: [u8; 3],
    held_len: usize,
}

impl Default for Base64Stream {
    fn default() -> Self {
        Base64Stream { engine: &URL_SAFE_NO_PAD, held: [0; 3], held_len: 0 }
    }
}

impl Base64Stream {
    /// Encodes standard base64 with padding.
    pub fn standard() -> Self {
        Base64Stream { engine: &STANDARD, ..Base64Stream::default() }
    }

    /// Appends the next piece: at most four bytes for every three.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        let mut rest = piece;
        while self.held_len > 0 && !rest.is_empty() {
            rest = self.hold_one(rest, out);
        }
        let whole_len = rest.len() - rest.len() % 3;
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
    let mut text = [0; BLOCK_LEN / 3 * 4];
    if let Ok(len) = engine.encode_slice(block, &mut text) {
        out.extend_from_slice(text.get(..len).unwrap_or_default());
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
