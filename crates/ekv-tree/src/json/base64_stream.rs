//! Base64url of a value that arrives in pieces.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Bytes encoded at once; a multiple of three.
const BLOCK_LEN: usize = 3 * 256;

/// Encodes base64url without padding; the pieces may be cut anywhere.
#[derive(Clone, Debug, Default)]
pub struct Base64Stream {
    held: [u8; 3],
    held_len: usize,
}

impl Base64Stream {
    /// Appends the next piece: at most four bytes for every three.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        let mut rest = piece;
        while self.held_len > 0 && !rest.is_empty() {
            rest = self.hold_one(rest, out);
        }
        let whole_len = rest.len() - rest.len() % 3;
        let (whole, tail) = rest.split_at_checked(whole_len).unwrap_or((rest, &[]));
        for block in whole.chunks(BLOCK_LEN) {
            encode(block, out);
        }
        let mut tail = tail;
        while !tail.is_empty() {
            tail = self.hold_one(tail, out);
        }
    }

    /// Ends the value.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        encode(self.held.get(..self.held_len).unwrap_or_default(), out);
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

fn encode(block: &[u8], out: &mut Vec<u8>) {
    let mut text = [0; BLOCK_LEN / 3 * 4];
    if let Ok(len) = URL_SAFE_NO_PAD.encode_slice(block, &mut text) {
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
            let mut out = Vec::new();
            let mut stream = Base64Stream::default();
            pieces.iter().for_each(|piece| stream.push(piece, &mut out));
            stream.finish(&mut out);
            prop_assert_eq!(String::from_utf8(out).unwrap(), URL_SAFE_NO_PAD.encode(pieces.concat()));
        }
    }
}
