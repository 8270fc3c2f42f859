//! Parts of an input that are too large to hold, in pieces.

use crate::sequential::Sequential;
use crate::{Error, ErrorKind, Input, Result};

/// Longest piece in bytes.
const PIECE_LEN: usize = 64 << 10;

/// Calls `f` with consecutive pieces of the `len` bytes of `input` from `offset`.
///
/// Cost: one buffer of 64 KiB, whatever `len` is.
///
/// # Errors
/// `Truncated` if the input ends earlier, a failing read, or the first error of `f`.
pub fn for_each_piece(input: &Input, offset: u64, len: u64, mut f: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let mut buf = vec![0; usize::try_from(len).unwrap_or(PIECE_LEN).min(PIECE_LEN)];
    let (mut at, mut left) = (offset, len);
    while left > 0 {
        let want = usize::try_from(left).unwrap_or(PIECE_LEN).min(buf.len());
        let got = input.fill_at(at, buf.get_mut(..want).unwrap_or(&mut []))?;
        let piece = buf.get(..got).unwrap_or(&[]);
        if piece.is_empty() {
            let cut = ErrorKind::Truncated { what: "data", needed: left, available: 0 };
            return Err(Error::new(cut).at(at).in_file(&input.name));
        }
        f(piece)?;
        at = at.saturating_add(len_u64(piece));
        left = left.saturating_sub(len_u64(piece));
    }
    Ok(())
}

/// Moves `reader` over `len` bytes and calls `f` with them in pieces.
///
/// # Errors
/// `Truncated` for the field `what` if fewer are left, a failing read, or the first error of `f`.
pub(crate) fn consume(
    reader: &mut Sequential<'_>,
    what: &'static str,
    len: u64,
    mut f: impl FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let available = reader.left();
    if len > available {
        return Err(Error::new(ErrorKind::Truncated { what, needed: len, available }).at(reader.offset()));
    }
    let mut left = len;
    while left > 0 {
        let want = usize::try_from(left).unwrap_or(PIECE_LEN).min(PIECE_LEN);
        let piece = reader.ahead(want)?;
        f(piece)?;
        let done = len_u64(piece);
        reader.skip(done)?;
        left = left.saturating_sub(done);
    }
    Ok(())
}

/// Reads the next `N` bytes.
///
/// # Errors
/// As [`consume`].
pub(crate) fn take<const N: usize>(reader: &mut Sequential<'_>, what: &'static str) -> Result<[u8; N]> {
    let mut out = [0; N];
    let mut rest = out.as_mut_slice();
    consume(reader, what, u64::try_from(N).unwrap_or(u64::MAX), |piece| {
        if let Some((head, tail)) = std::mem::take(&mut rest).split_at_mut_checked(piece.len()) {
            head.copy_from_slice(piece);
            rest = tail;
        }
        Ok(())
    })?;
    Ok(out)
}

/// Length of a slice as a file length.
pub fn len_u64(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FooterPolicy, MemoryInput};
    use ekv_model::NoMonitor;
    use std::sync::Arc;

    fn input(bytes: Vec<u8>) -> Input {
        let len = len_u64(&bytes);
        let source = Arc::new(MemoryInput(bytes.into()));
        Input { source, len, name: "memory".into(), footer: FooterPolicy::Optional, token_crc32c: None }
    }

    fn counted(len: u32) -> Vec<u8> {
        (0..len).map(|n| u8::try_from(n % 251).unwrap()).collect()
    }

    #[test]
    fn pieces_cover_exactly_the_asked_range() {
        let bytes = counted(200_000);
        let input = input(bytes.clone());
        let mut seen = Vec::new();
        let mut gather = |piece: &[u8]| {
            seen.extend_from_slice(piece);
            Ok(())
        };
        for_each_piece(&input, 3, 150_000, &mut gather).unwrap();
        let mut reader = Sequential::new(&input, &NoMonitor);
        reader.skip(150_003).unwrap();
        consume(&mut reader, "rest", 49_997, &mut gather).unwrap();
        assert!(seen == bytes[3..]);
    }

    #[test]
    fn range_beyond_the_end_is_truncated() {
        let input = input(counted(100));
        let error = for_each_piece(&input, 99, 2, |_| Ok(())).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Truncated { needed: 1, .. }));
        let mut reader = Sequential::new(&input, &NoMonitor);
        let error = consume(&mut reader, "x", u64::MAX, |_| panic!("nothing may be read")).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Truncated { what: "x", available: 100, .. }));
    }
}
