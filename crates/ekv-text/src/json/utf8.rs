//! Is it text? Decided piece by piece.

/// Checks UTF-8 that arrives in pieces, cut anywhere. Surrogates and overlong forms are invalid, noncharacters are valid.
///
/// Source: `docs/format/redis.md`, section 6.3.
#[derive(Clone, Debug, Default)]
pub struct Utf8Check {
    /// Front of a character that the last piece cut.
    cut: [u8; 4],
    cut_len: usize,
    invalid: bool,
}

impl Utf8Check {
    /// Takes the next piece; returns `false` as soon as the bytes so far cannot be the front of a valid text.
    pub fn push(&mut self, piece: &[u8]) -> bool {
        let mut rest = piece;
        while self.cut_len > 0 && !self.invalid {
            let Some((&byte, after)) = rest.split_first() else { return true };
            self.push_after_cut(byte);
            rest = after;
        }
        if self.invalid {
            return false;
        }
        if let Err(error) = std::str::from_utf8(rest) {
            let tail = rest.get(error.valid_up_to()..).unwrap_or_default();
            match (error.error_len(), self.cut.get_mut(..tail.len())) {
                (None, Some(cut)) => {
                    cut.copy_from_slice(tail);
                    self.cut_len = tail.len();
                }
                _ => self.invalid = true,
            }
        }
        !self.invalid
    }

    /// Whether all pieces together are valid.
    pub fn is_valid(&self) -> bool {
        !self.invalid && self.cut_len == 0
    }

    fn push_after_cut(&mut self, byte: u8) {
        let Some(slot) = self.cut.get_mut(self.cut_len) else {
            self.invalid = true;
            return;
        };
        *slot = byte;
        self.cut_len += 1;
        match std::str::from_utf8(self.cut.get(..self.cut_len).unwrap_or_default()) {
            Ok(_) => self.cut_len = 0,
            Err(error) => self.invalid = error.error_len().is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn valid_in_pieces(bytes: &[u8], piece_len: usize) -> bool {
        let mut check = Utf8Check::default();
        bytes.chunks(piece_len).for_each(|piece| {
            check.push(piece);
        });
        check.is_valid()
    }

    #[test]
    fn surrogates_overlong_forms_and_cut_characters_are_invalid_at_every_cut() {
        let bad: [&[u8]; 9] = [
            b"a\xed\xa0\x80b",
            b"\xed\xbf\xbf",
            b"\xc0\x80",
            b"\xe0\x80\x80",
            b"\xf0\x80\x80\x80",
            b"\xf4\x90\x80\x80",
            b"\xff",
            b"ab\xe2\x82",
            b"\xe2\x82(",
        ];
        for bytes in bad {
            for piece_len in 1..=bytes.len() {
                assert!(!valid_in_pieces(bytes, piece_len), "{} by {piece_len}", bytes.escape_ascii());
            }
        }
    }

    #[test]
    fn noncharacters_are_valid() {
        assert!(valid_in_pieces("\u{ffff}\u{fffe}\u{fdd0}\u{10ffff}\u{feff}\0".as_bytes(), 1));
        assert!(Utf8Check::default().is_valid());
    }

    #[test]
    fn an_invalid_piece_is_reported_at_once_and_for_good() {
        let mut check = Utf8Check::default();
        assert!(check.push(b"\xe2\x82"));
        assert!(!check.push(b"(plain"));
        assert!(!check.push(b"plain"));
        assert!(!check.is_valid());
    }

    proptest! {
        #[test]
        fn pieces_decide_like_the_whole(
            bytes in prop::collection::vec(prop::sample::select(b"a\x80\x9f\xa0\xbf\xc2\xe0\xe2\xed\xef\xf0\xf4\xff".to_vec()), 0..12),
            text in ".{0,6}",
            piece_len in 1_usize..5,
        ) {
            let mixed = [text.as_bytes(), &bytes].concat();
            for bytes in [&bytes[..], text.as_bytes(), &mixed] {
                prop_assert_eq!(valid_in_pieces(bytes, piece_len), std::str::from_utf8(bytes).is_ok());
            }
        }
    }
}
